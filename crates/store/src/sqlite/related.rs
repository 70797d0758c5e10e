//! The deliveries of an event, or of events about a record: their ids stand in the events' rows.

use postrider_domain::{EventId, Millis};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::events::key_of;
use super::resources::keys_about;
use super::writer::Fault;
use crate::error::Result;
use crate::limits::{ID_TIME_SLACK_MS, LIST_ROWS_EXAMINED_MAX, RESOURCE_EVENTS_EXAMINED_MAX};
use crate::model::DeliveryFilter;
use crate::rows::{is_about, key_range, ms_of, record_hash};

/// Events of a record that are looked up at once.
const CHUNK_KEYS: usize = 256;

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
    let Some((deliveries, resource)) = event_columns(conn, org_no, key)? else { return Ok(none) };
    if let Some(about) = about
        && !is_about(resource.as_deref(), about)?
    {
        return Ok(none);
    }
    let mut ids: Vec<_> = split(&deliveries).filter(|id| *id < before).collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    Ok(Related { ids, more_before: None })
}

/// The ids in an event's row.
pub(super) fn split(deliveries: &[u8]) -> impl Iterator<Item = Uuid> {
    deliveries.as_chunks::<16>().0.iter().copied().map(Uuid::from_bytes)
}

/// The deliveries and the resource in an event's row.
type EventColumns = (Vec<u8>, Option<Vec<u8>>);

fn event_columns(conn: &Connection, org_no: i64, key: Uuid) -> Result<Option<EventColumns>, Fault> {
    let sql = "SELECT deliveries, resource FROM events WHERE org_no = ? AND key = ?";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(conn.prepare_cached(sql)?.query_row(params![org_no, key.as_bytes()], read).optional()?)
}

/// Events are ordered by their keys and deliveries by their ids; both hold the time, so that an event's deliveries may lie before those of
/// a slightly newer one. Nothing more than the slack older is looked for.
fn of_resource(
    conn: &Connection,
    org_no: i64,
    about: &(String, String),
    before: Uuid,
    wanted: usize,
) -> Result<Related, Fault> {
    let hash = record_hash(org_no, &about.0, &about.1);
    let (_, mut below) = key_range(None, Some(Millis(ms_of(before))), None);
    let mut ids: Vec<Uuid> = Vec::new();
    let mut examined = 0;
    loop {
        let keys = keys_about(conn, hash, Uuid::nil(), below, CHUNK_KEYS)?;
        let Some(oldest) = keys.last() else { return Ok(Related { ids, more_before: None }) };
        below = *oldest;
        for key in keys {
            let is_full = ids.len() > wanted && ms_of(key) < ms_of(ids[wanted]) - ID_TIME_SLACK_MS;
            if is_full || examined == RESOURCE_EVENTS_EXAMINED_MAX || ids.len() > LIST_ROWS_EXAMINED_MAX {
                return Ok(Related { more_before: ids.last().copied(), ids });
            }
            examined += 1;
            let Some((deliveries, resource)) = event_columns(conn, org_no, key)? else { continue };
            if is_about(resource.as_deref(), about)? {
                ids.extend(split(&deliveries).filter(|id| *id < before));
                ids.sort_unstable_by(|a, b| b.cmp(a));
            }
        }
    }
}
