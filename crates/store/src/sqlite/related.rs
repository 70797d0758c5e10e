//! The deliveries of an event, or of events about a record: their ids stand in the events' rows.

use postrider_domain::EventId;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::events::{key_of, key_range};
use super::reader::uuid_at;
use super::rows::resource;
use super::writer::Fault;
use crate::error::Result;
use crate::limits::{ID_TIME_SLACK_MS, LIST_ROWS_EXAMINED_MAX, RESOURCE_EVENTS_EXAMINED_MAX};
use crate::model::DeliveryFilter;

/// Ids of deliveries, newest first.
pub(super) struct Related {
    pub(super) ids: Vec<Uuid>,
    /// There may be more, all of them older than this.
    pub(super) more_before: Option<Uuid>,
}

/// The ids below `before` of a filter's event or record; of a record at least `wanted`, if there are as many.
pub(super) fn related(
    conn: &Connection,
    org_no: i64,
    filter: &DeliveryFilter,
    before: Uuid,
    wanted: usize,
) -> Result<Related, Fault> {
    match (&filter.event, &filter.resource) {
        (Some(event), about) => of_event(conn, org_no, event, about.as_ref(), before),
        (None, Some(about)) => of_resource(conn, org_no, about, before, wanted),
        (None, None) => Ok(Related { ids: Vec::new(), more_before: None }),
    }
}

fn of_event(
    conn: &Connection,
    org_no: i64,
    event: &EventId,
    about: Option<&(String, String)>,
    before: Uuid,
) -> Result<Related, Fault> {
    let none = Related { ids: Vec::new(), more_before: None };
    let Some(key) = key_of(conn, org_no, event)? else { return Ok(none) };
    let sql = "SELECT deliveries, resource FROM events WHERE org_no = ? AND key = ?";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found = conn.prepare_cached(sql)?.query_row(params![org_no, key.as_bytes()], read).optional()?;
    let Some((deliveries, resource_bytes)): Option<(Vec<u8>, Option<Vec<u8>>)> = found else { return Ok(none) };
    if let Some((kind, id)) = about {
        let is_about = match resource_bytes.as_deref().map(resource).transpose()? {
            Some(resource) => resource.kind == *kind && resource.ids.contains(id),
            None => false,
        };
        if !is_about {
            return Ok(none);
        }
    }
    let mut ids: Vec<_> = split(&deliveries).filter(|id| *id < before).collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    Ok(Related { ids, more_before: None })
}

/// The ids in an event's row.
pub(super) fn split(deliveries: &[u8]) -> impl Iterator<Item = Uuid> {
    deliveries.as_chunks::<16>().0.iter().copied().map(Uuid::from_bytes)
}

/// Events are ordered by their keys and deliveries by their ids; both hold the time, so that an event's deliveries may lie before those of
/// a slightly newer one. Nothing more than the slack older is looked for.
fn of_resource(
    conn: &Connection,
    org_no: i64,
    (kind, id): &(String, String),
    before: Uuid,
    wanted: usize,
) -> Result<Related, Fault> {
    let newest_at = postrider_domain::Millis(ms_of(before));
    let (_, below) = key_range(None, Some(newest_at), None);
    let sql = "SELECT r.key, e.deliveries FROM event_resources r JOIN events e ON e.no = r.event_no
               WHERE r.org_no = ? AND r.kind = ? AND r.id = ? AND r.key < ? ORDER BY r.key DESC";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params![org_no, kind, id, below.as_bytes()])?;
    let mut ids: Vec<Uuid> = Vec::new();
    let mut examined = 0;
    while let Some(row) = rows.next()? {
        let key = uuid_at(row, 0)?;
        let is_full = ids.len() > wanted && ms_of(key) < ms_of(ids[wanted]) - ID_TIME_SLACK_MS;
        if is_full || examined == RESOURCE_EVENTS_EXAMINED_MAX || ids.len() > LIST_ROWS_EXAMINED_MAX {
            return Ok(Related { more_before: ids.last().copied(), ids });
        }
        examined += 1;
        let deliveries: Vec<u8> = row.get(1)?;
        ids.extend(split(&deliveries).filter(|id| *id < before));
        ids.sort_unstable_by(|a, b| b.cmp(a));
    }
    Ok(Related { ids, more_before: None })
}

/// The time in a UUIDv7 (RFC 9562, section 5.7).
fn ms_of(id: Uuid) -> i64 {
    i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX)
}
