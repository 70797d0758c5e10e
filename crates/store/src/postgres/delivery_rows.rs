//! Deliveries' rows, open and ended, as lists and details need them.

use std::collections::HashMap;
use std::sync::Arc;

use postrider_domain::{DeliveryId, DeliveryStatus, EndpointId, FailReason, Millis};
use tokio_postgres::Row;
use uuid::Uuid;

use super::rows::{EVENTS_OF_KEYS, count_at, millis_at, span, status_code_at};
use super::session::Session;
use crate::error::Result;
use crate::model::{Delivery, RevisionId};
use crate::rows::{EventRow, damaged, event_id, fail_reason, resource, shown_due};

/// Columns of both kinds of deliveries.
macro_rules! shared {
    () => {
        "id, endpoint, event_type, revision, test, created_at, attempts_count, last_status_code, event_key"
    };
}
pub(super) const OPEN_COLUMNS: &str =
    concat!(shared!(), ", due_at, NULL::bigint AS ended_at, NULL::smallint AS fail_reason, NULL::text AS event_id");
pub(super) const ENDED_COLUMNS: &str = concat!(shared!(), ", NULL::bigint AS due_at, ended_at, fail_reason, event_id");
/// What both give.
pub(super) const COLUMNS: &str = concat!(shared!(), ", due_at, ended_at, fail_reason, event_id");

/// A delivery's row as it was read.
pub(super) struct DeliveryRow {
    pub(super) id: Uuid,
    endpoint: Uuid,
    event_type: Arc<str>,
    revision: RevisionId,
    test: bool,
    created_at: Millis,
    attempts_count: u32,
    last_status_code: Option<u16>,
    pub(super) event_key: Uuid,
    state: RowState,
}

/// What differs between open and ended ones.
enum RowState {
    Open { due_at: Millis },
    Ended { ended_at: Millis, reason: Option<FailReason>, event_id: Option<String> },
}

impl DeliveryRow {
    /// Reads [`COLUMNS`], which begin at `column`.
    pub(super) fn read(row: &Row, column: usize) -> Result<Self> {
        let revision = row.get::<_, &[u8]>(column + 3).try_into().map_err(|_| damaged("a delivery's revision"))?;
        Ok(DeliveryRow {
            id: row.get(column),
            endpoint: row.get(column + 1),
            event_type: Arc::from(row.get::<_, &str>(column + 2)),
            revision: RevisionId(revision),
            test: row.get(column + 4),
            created_at: millis_at(row, column + 5),
            attempts_count: count_at(row, column + 6),
            last_status_code: status_code_at(row, column + 7),
            event_key: row.get(column + 8),
            state: RowState::read(row, column + 9)?,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, RowState::Open { .. })
    }

    /// Adds what the list shows of its event, as long as there is one.
    pub(super) fn with_event(self, event: Option<&About>) -> Result<Delivery> {
        let about = event.and_then(|event| event.resource.as_deref());
        let (status, next_attempt_at, ended_at, reason, chosen) = match self.state {
            RowState::Open { due_at } => {
                (DeliveryStatus::Pending, shown_due(due_at), None, None, event.and_then(|event| event.id.clone()))
            }
            RowState::Ended { ended_at, reason, event_id } => {
                let status = if reason.is_none() { DeliveryStatus::Succeeded } else { DeliveryStatus::Failed };
                (status, None, Some(ended_at), reason, event_id)
            }
        };
        Ok(Delivery {
            id: DeliveryId(self.id),
            event: event_id(chosen, self.event_key)?,
            endpoint: EndpointId(self.endpoint),
            event_type: self.event_type,
            resource: about.map(resource).transpose()?,
            revision: self.revision,
            test: self.test,
            status,
            fail_reason: reason,
            created_at: self.created_at,
            next_attempt_at,
            ended_at,
            attempts_count: self.attempts_count,
            last_status_code: self.last_status_code,
        })
    }
}

impl RowState {
    fn read(row: &Row, column: usize) -> Result<Self> {
        match row.get::<_, Option<i64>>(column + 1).map(Millis) {
            None => Ok(RowState::Open { due_at: millis_at(row, column) }),
            Some(ended_at) => Ok(RowState::Ended {
                ended_at,
                reason: fail_reason(row.get(column + 2))?,
                event_id: row.get(column + 3),
            }),
        }
    }
}

/// What of an event a list of deliveries shows.
pub(super) struct About {
    id: Option<String>,
    resource: Option<Vec<u8>>,
}

impl About {
    pub(super) fn of(event: &EventRow) -> Self {
        About { id: event.id.clone(), resource: event.resource.clone() }
    }
}

/// What the rows' events show, by key.
pub(super) async fn abouts(tx: &Session, org: Uuid, rows: &[DeliveryRow]) -> Result<HashMap<Uuid, About>> {
    let mut keys: Vec<_> = rows.iter().map(|row| row.event_key).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let (least, greatest) = span(&keys);
    let sql = format!("SELECT key, id, resource FROM {EVENTS_OF_KEYS}");
    let found = tx.query(&sql, &[&org, &keys, &least, &greatest]).await?;
    Ok(found.iter().map(|row| (row.get(0), About { id: row.get(1), resource: row.get(2) })).collect())
}
