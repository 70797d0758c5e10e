//! Ids that publishers chose: what was accepted under them.

use postrider_domain::{EventId, Millis, OrganizationId};
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::reader::Reader;
use crate::error::Result;
use crate::limits::CHOSEN_ID_MS;

/// What an event's id was used for.
#[derive(Clone, Copy)]
pub(super) struct Used {
    pub(super) fingerprint: [u8; 32],
    pub(super) deliveries_count: u32,
}

/// What an id was used for, unless that is forgotten by `now`.
pub(super) fn used_before(conn: &Connection, org_no: i64, id: &EventId, now: Millis) -> rusqlite::Result<Option<Used>> {
    let sql = "SELECT fingerprint, deliveries_count FROM event_ids WHERE org_no = ? AND id = ? AND accepted_at > ?";
    let forgotten_at = now.0.saturating_sub(CHOSEN_ID_MS);
    let used = conn.prepare_cached(sql)?.query_row(params![org_no, id.as_str(), forgotten_at], |row| {
        Ok(Used { fingerprint: row.get(0)?, deliveries_count: row.get(1)? })
    });
    used.optional()
}

pub(super) async fn find(
    store: &SqliteStore,
    organization: &OrganizationId,
    events: &[(EventId, [u8; 32])],
    now: Millis,
) -> Result<Vec<bool>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else {
        return Ok(vec![false; events.len()]);
    };
    let (org_no, events) = (tenant.no, events.to_vec());
    let read = move |reader: &mut Reader| {
        let mut found = Vec::with_capacity(events.len());
        for (id, fingerprint) in &events {
            let used = used_before(&reader.conn, org_no, id, now)?;
            found.push(used.is_some_and(|used| used.fingerprint == *fingerprint));
        }
        Ok(found)
    };
    store.readers.read(read).await
}
