//! The deliveries of an event, or of events about a record: their ids stand in the events' rows.

use postrider_domain::{EventId, Millis};
use tokio_postgres::Row;
use uuid::Uuid;

use super::events::key_of;
use super::rows::{EVENTS_OF_KEYS, span};
use super::session::Session;
use super::tenants::Tenant;
use crate::error::Result;
use crate::limits::{ID_TIME_SLACK_MS, LIST_ROWS_EXAMINED_MAX, RESOURCE_EVENTS_EXAMINED_MAX};
use crate::model::DeliveryFilter;
use crate::rows::{is_about, key_range, ms_of, record_hash};

/// Events of a record that are looked up at once; each may have made many deliveries.
const CHUNK_KEYS: i64 = 64;

/// Ids of deliveries, newest first.
#[derive(Default)]
pub(super) struct Related {
    pub(super) ids: Vec<Uuid>,
    /// There may be more, all of them older than this.
    pub(super) more_before: Option<Uuid>,
}

/// The ids below `before` of a filter's event or record, of a record at least `wanted`, if there are as many; none when the filter names
/// neither.
pub(super) async fn related(
    tx: &Session,
    tenant: &Tenant,
    filter: &DeliveryFilter,
    before: Uuid,
    wanted: usize,
) -> Result<Option<Related>> {
    match (&filter.event, &filter.resource) {
        (Some(event), about) => of_event(tx, tenant, event, about.as_ref(), before).await.map(Some),
        (None, Some(about)) => of_resource(tx, tenant, about, before, wanted).await.map(Some),
        (None, None) => Ok(None),
    }
}

async fn of_event(
    tx: &Session,
    tenant: &Tenant,
    event: &EventId,
    about: Option<&(String, String)>,
    before: Uuid,
) -> Result<Related> {
    let Some(key) = key_of(tx, tenant.org, event).await? else { return Ok(Related::default()) };
    let mut found = Related::default();
    for row in event_columns(tx, tenant.org, &[key]).await? {
        let is_wanted = match about {
            Some(about) => is_about(row.get(2), about)?,
            None => true,
        };
        if is_wanted {
            found.add(&row, before);
        }
    }
    Ok(found)
}

impl Related {
    /// Adds the deliveries that stand in an event's row.
    fn add(&mut self, event: &Row, before: Uuid) {
        let deliveries: Vec<Uuid> = event.get(1);
        self.ids.extend(deliveries.into_iter().filter(|id| *id < before));
        self.ids.sort_unstable_by(|a, b| b.cmp(a));
    }
}

/// Key, deliveries and resource of events, newest first.
async fn event_columns(tx: &Session, org: Uuid, keys: &[Uuid]) -> Result<Vec<Row>> {
    let (least, greatest) = span(keys);
    let sql = format!("SELECT key, deliveries, resource FROM {EVENTS_OF_KEYS} ORDER BY key DESC");
    tx.query(&sql, &[&org, &keys, &least, &greatest]).await
}

/// Keys of events that may be about a record, newest first, between two keys, both excluded.
pub(super) async fn keys_about(
    tx: &Session,
    tenant: &Tenant,
    (kind, id): &(String, String),
    above: Uuid,
    below: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>> {
    let sql = "SELECT key FROM event_resources WHERE org = $1 AND hash = $2 AND key > $3 AND key < $4
               ORDER BY key DESC LIMIT $5";
    let hash = record_hash(tenant.owner(), kind, id);
    let rows = tx.query(sql, &[&tenant.org, &hash, &above, &below, &limit]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Events are ordered by their keys and deliveries by their ids; both hold the time, so that an event's deliveries may lie before those of
/// a slightly newer one. Nothing more than the slack older is looked for.
async fn of_resource(
    tx: &Session,
    tenant: &Tenant,
    about: &(String, String),
    before: Uuid,
    wanted: usize,
) -> Result<Related> {
    let (_, mut below) = key_range(None, Some(Millis(ms_of(before))), None);
    let mut found = Related::default();
    let mut examined = 0;
    loop {
        let keys = keys_about(tx, tenant, about, Uuid::nil(), below, CHUNK_KEYS).await?;
        let Some(oldest) = keys.last() else { return Ok(found) };
        below = *oldest;
        for row in event_columns(tx, tenant.org, &keys).await? {
            let ids = &found.ids;
            let is_full = ids.len() > wanted && ms_of(row.get(0)) < ms_of(ids[wanted]) - ID_TIME_SLACK_MS;
            if is_full || examined == RESOURCE_EVENTS_EXAMINED_MAX || ids.len() > LIST_ROWS_EXAMINED_MAX {
                found.more_before = ids.last().copied();
                return Ok(found);
            }
            examined += 1;
            if is_about(row.get(2), about)? {
                found.add(&row, before);
            }
        }
    }
}
