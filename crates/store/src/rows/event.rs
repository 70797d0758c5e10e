//! Events: ids that callers chose, the records they are about, and their sealed data.

use std::sync::Arc;

use postrider_domain::{EventId, Millis, Resource};
use uuid::Uuid;

use super::{Sealer, damaged};
use crate::codec::{Decoder, put_len, put_opt_str, put_str};
use crate::error::Result;
use crate::model::{Event, WAITING};
use crate::seal::{self, RowKind};

/// The id's text where the caller chose it; made ids follow from the key.
pub(crate) fn chosen_id(id: &EventId, key: Uuid) -> Option<&str> {
    let is_made = id.as_str().starts_with("evt_") && *id == EventId::made(key);
    (!is_made).then(|| id.as_str())
}

/// The other way round.
pub(crate) fn event_id(chosen: Option<String>, key: Uuid) -> Result<EventId> {
    match chosen {
        None => Ok(EventId::made(key)),
        Some(text) => text.parse().map_err(|_| damaged("an event's id")),
    }
}

pub(crate) fn put_resource(resource: &Resource) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    put_str(&mut out, &resource.kind);
    put_len(&mut out, resource.ids.len());
    for id in &resource.ids {
        put_str(&mut out, id);
    }
    put_opt_str(&mut out, resource.uri.as_deref());
    out
}

pub(crate) fn resource(bytes: &[u8]) -> Result<Resource> {
    let mut from = Decoder::new(bytes);
    let kind = from.str()?.to_owned();
    let ids = (0..from.len()?).map(|_| from.str().map(str::to_owned)).collect::<Result<_>>()?;
    Ok(Resource { kind, ids, uri: from.opt_str()?.map(str::to_owned) })
}

/// Whether an event's resource column names this record.
pub(crate) fn is_about(column: Option<&[u8]>, (kind, id): &(String, String)) -> Result<bool> {
    let Some(about) = column.map(resource).transpose()? else { return Ok(false) };
    Ok(about.kind == *kind && about.ids.contains(id))
}

/// What stands for a record: the first bytes of a hash. Two records may share one; the event says which it is about.
pub(crate) fn record_hash(owner: i64, kind: &str, id: &str) -> i64 {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(&owner.to_le_bytes());
    context.update(&u64::try_from(kind.len()).unwrap_or(u64::MAX).to_le_bytes());
    context.update(kind.as_bytes());
    context.update(id.as_bytes());
    let digest = context.finish();
    digest.as_ref().first_chunk::<8>().map_or(0, |bytes| i64::from_le_bytes(*bytes))
}

/// The hashes of all records that an event is about, each once.
pub(crate) fn record_hashes(owner: i64, event: &Event) -> Vec<i64> {
    event.resource.as_ref().map_or_else(Vec::new, |about| hashes_of(owner, about))
}

/// The hashes of these records, each once.
pub(crate) fn hashes_of(owner: i64, about: &Resource) -> Vec<i64> {
    let mut hashes: Vec<_> = about.ids.iter().map(|id| record_hash(owner, &about.kind, id)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// When an open delivery's next attempt is due, unless it waits for others.
pub(crate) fn shown_due(due_at: Millis) -> Option<Millis> {
    (due_at != WAITING).then_some(due_at)
}

pub(crate) fn seal_event(sealer: Sealer<'_>, event: &Event) -> Result<Vec<u8>> {
    let changes_bytes = event.changes.as_ref().map_or(0, |text| text.len());
    let mut buffer = seal::unsealed(event.data.len() + changes_bytes + 16);
    put_str(&mut buffer, &event.data);
    put_opt_str(&mut buffer, event.changes.as_deref());
    sealer.seal(buffer, RowKind::Event, event.key.as_bytes())
}

/// An event's row as it was read, its data still sealed.
pub(crate) struct EventRow {
    pub(crate) key: Uuid,
    pub(crate) id: Option<String>,
    pub(crate) event_type: Arc<str>,
    pub(crate) occurred_at: Millis,
    pub(crate) accepted_at: Millis,
    pub(crate) deliveries_count: u32,
    pub(crate) resource: Option<Vec<u8>>,
    pub(crate) sealed: Vec<u8>,
}

impl EventRow {
    pub(crate) fn open(self, sealer: Sealer<'_>) -> Result<Event> {
        let plain = sealer.open(self.sealed, RowKind::Event, self.key.as_bytes())?;
        let mut from = Decoder::new(plain.bytes());
        Ok(Event {
            id: event_id(self.id, self.key)?,
            key: self.key,
            event_type: self.event_type,
            occurred_at: self.occurred_at,
            accepted_at: self.accepted_at,
            resource: self.resource.as_deref().map(resource).transpose()?,
            data: from.str()?.into(),
            changes: from.opt_str()?.map(Into::into),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_and_id_do_not_run_together() {
        assert_ne!(record_hash(1, "deal", "s42"), record_hash(1, "deals", "42"));
        assert_ne!(record_hash(1, "deal", "42"), record_hash(2, "deal", "42"));
    }
}
