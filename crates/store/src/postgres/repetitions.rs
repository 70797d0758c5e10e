//! Ids that publishers chose: what was accepted under them.

use std::collections::HashMap;

use postrider_domain::{EventId, Millis, OrganizationId};

use super::PostgresStore;
use crate::error::Result;
use crate::limits::CHOSEN_ID_MS;

pub(super) async fn find(
    store: &PostgresStore,
    organization: &OrganizationId,
    events: &[(EventId, [u8; 32])],
    now: Millis,
) -> Result<Vec<bool>> {
    let ids: Vec<&str> = events.iter().map(|(id, _)| id.as_str()).collect();
    let forgotten_at = now.0.saturating_sub(CHOSEN_ID_MS);
    let sql = "SELECT id, fingerprint FROM event_ids WHERE org = $1 AND id = ANY($2) AND accepted_at + 0 > $3";
    let rows =
        store.read_of(organization, sql, &[&ids, &forgotten_at]).await?.map(|(_, rows)| rows).unwrap_or_default();
    let used: HashMap<&str, &[u8]> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let is_repeated =
        |(id, fingerprint): &(EventId, [u8; 32])| used.get(id.as_str()).is_some_and(|used| used == fingerprint);
    Ok(events.iter().map(is_repeated).collect())
}
