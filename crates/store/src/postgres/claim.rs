//! What the lanes ask: when their open work is due, and the work itself.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use postrider_domain::{DeliveryId, EndpointId, Millis, OrganizationId, Progress, Trigger};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresStore;
use super::rows::{EVENT_COLUMNS, EVENTS_OF_KEYS, event_row, millis_at, progress_at, span};
use super::tenants::Tenant;
use crate::error::{Result, StoreError};
use crate::limits::CLAIM_FAULTS_MAX;
use crate::model::{Event, LeaseNo, OpenDelivery, RevisionId, WAITING};
use crate::rows::{damaged, tell_faults, trigger};

pub(super) async fn lane_due(
    store: &PostgresStore,
    organization: &OrganizationId,
    endpoint: EndpointId,
    after: Millis,
) -> Result<Option<Millis>> {
    let Some(tenant) = store.tenants.find(store, organization).await? else { return Ok(None) };
    let sql = "SELECT d.due_at FROM open_deliveries d WHERE d.org = $1 AND d.endpoint = $2 AND d.due_at > $3 AND d.due_at < $4
               AND EXISTS (SELECT FROM endpoints e WHERE e.org = $1 AND e.id = $2 AND NOT e.deleted)
               ORDER BY d.due_at LIMIT 1";
    let rows = store.engine().await?.query(sql, &[&tenant.org, &endpoint.0, &after.0, &WAITING.0]).await?;
    Ok(rows.first().map(|row| millis_at(row, 0)))
}

/// The left end of a lane, without those that are held.
const DUE: &str = "SELECT d.id, d.due_at, d.event_key, d.event_type, d.revision, d.test, d.created_at, d.attempts_count, d.slots_used,
        d.initial_failure_at, d.resume, d.resume_at, d.turn
    FROM open_deliveries d
    WHERE d.org = $1 AND d.endpoint = $2 AND d.due_at <= $3 AND d.id NOT IN (SELECT unnest($4::uuid[]))
    AND EXISTS (SELECT FROM lanes l WHERE l.org = $1 AND l.endpoint = $2 AND l.lease = $5)
    AND EXISTS (SELECT FROM endpoints e JOIN organizations o ON o.org = e.org AND NOT o.deleted
                WHERE e.org = $1 AND e.id = $2 AND NOT e.deleted)
    ORDER BY d.due_at, d.id LIMIT $6";

pub(super) async fn claim_due(
    store: &PostgresStore,
    lease: LeaseNo,
    organization: &OrganizationId,
    endpoint: EndpointId,
    now: Millis,
    limit: usize,
    held: Vec<DeliveryId>,
) -> Result<Vec<OpenDelivery>> {
    let Some(tenant) = store.tenants.find(store, organization).await? else { return Ok(Vec::new()) };
    let mut left_alone: Vec<Uuid> = held.into_iter().map(|id| id.0).collect();
    let (mut open, mut faults) = (Vec::new(), Vec::new());
    // Fewer rows than asked for say that nothing more is due: others take the place of those that do not open.
    while open.len() < limit && faults.len() < CLAIM_FAULTS_MAX {
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = {
            let session = store.engine().await?;
            session.query(DUE, &[&tenant.org, &endpoint.0, &now.0, &left_alone, &lease.0, &most]).await?
        };
        let rows_count = rows.len();
        let rows: Vec<_> = rows.iter().map(OpenRow::read).collect();
        left_alone.extend(rows.iter().map(|row| row.id));
        let opened = open_rows(store, &tenant, organization, endpoint, rows).await?;
        open.extend(opened.open);
        faults.extend(opened.faults);
        if rows_count < limit {
            break;
        }
    }
    open.truncate(limit);
    tell_faults(endpoint, &faults);
    Ok(open)
}

/// An open delivery's row as it was read.
pub(super) struct OpenRow {
    id: Uuid,
    due_at: Millis,
    event_key: Uuid,
    event_type: Arc<str>,
    revision: Vec<u8>,
    test: bool,
    created_at: Millis,
    progress: Progress,
    resume: Option<i16>,
    resume_at: Option<i64>,
    turn: Option<i64>,
}

impl OpenRow {
    pub(super) const COLUMNS: &'static str =
        "id, due_at, event_key, event_type, revision, test, created_at, attempts_count,
        slots_used, initial_failure_at, resume, resume_at, turn";

    /// Reads [`OpenRow::COLUMNS`].
    pub(super) fn read(row: &Row) -> Self {
        OpenRow {
            id: row.get(0),
            due_at: millis_at(row, 1),
            event_key: row.get(2),
            event_type: Arc::from(row.get::<_, &str>(3)),
            revision: row.get(4),
            test: row.get(5),
            created_at: millis_at(row, 6),
            progress: progress_at(row, 7),
            resume: row.get(10),
            resume_at: row.get(11),
            turn: row.get(12),
        }
    }

    fn details(&self) -> Result<(RevisionId, Trigger)> {
        let revision = self.revision.as_slice().try_into().map_err(|_| damaged("a delivery's revision"))?;
        Ok((RevisionId(revision), trigger(self.resume, self.resume_at)?))
    }
}

/// Open deliveries that opened, and why the others did not.
#[derive(Default)]
pub(super) struct Opened {
    pub(super) open: Vec<OpenDelivery>,
    pub(super) faults: Vec<(DeliveryId, StoreError)>,
}

/// Adds to each row its event; a row without one belongs to nothing and is left out. Each by itself: a damaged one must not keep its lane
/// from the others.
pub(super) async fn open_rows(
    store: &PostgresStore,
    tenant: &Tenant,
    organization: &OrganizationId,
    endpoint: EndpointId,
    rows: Vec<OpenRow>,
) -> Result<Opened> {
    let events = read_events(store, tenant, &rows).await?;
    let mut opened = Opened::default();
    for row in rows {
        let Some(event) = events.get(&row.event_key) else { continue };
        let event = event.clone().map_err(|reason| StoreError::Sealed { reason });
        let (event, (revision, trigger)) = match event.and_then(|event| Ok((event, row.details()?))) {
            Ok(both) => both,
            Err(error) => {
                opened.faults.push((DeliveryId(row.id), error));
                continue;
            }
        };
        opened.open.push(OpenDelivery {
            id: DeliveryId(row.id),
            organization: organization.clone(),
            endpoint,
            event_type: row.event_type,
            revision,
            test: row.test,
            created_at: row.created_at,
            due_at: row.due_at,
            progress: row.progress,
            trigger,
            turn: row.turn,
            event,
        });
    }
    Ok(opened)
}

type Events = HashMap<Uuid, Result<Arc<Event>, String>>;

/// Planned for these keys, so that only their days' partitions are looked at.
async fn read_events(store: &PostgresStore, tenant: &Tenant, rows: &[OpenRow]) -> Result<Events> {
    let keys: HashSet<Uuid> = rows.iter().map(|row| row.event_key).collect();
    let recent = &store.writers.shared.recent;
    let mut events: Events =
        recent.find(tenant.org, keys.iter().copied()).into_iter().map(|(key, event)| (key, Ok(event))).collect();
    let keys: Vec<Uuid> = keys.into_iter().filter(|key| !events.contains_key(key)).collect();
    if keys.is_empty() {
        return Ok(events);
    }
    let (least, greatest) = span(&keys);
    let sql = format!("SELECT {EVENT_COLUMNS} FROM {EVENTS_OF_KEYS}");
    let found = store.tenant().await?.query_as(tenant.org, &sql, &[&tenant.org, &keys, &least, &greatest]).await?;
    let read: Events = (found.iter().map(|row| event_row(row, 0)))
        .map(|row| (row.key, row.open(tenant.sealer()).map(Arc::new).map_err(reason_of)))
        .collect();
    recent.keep(read.values().flatten().map(|event| (tenant.org, event)));
    events.extend(read);
    Ok(events)
}

/// Why an event does not open, for each of its deliveries.
fn reason_of(error: StoreError) -> String {
    match error {
        StoreError::Sealed { reason } => reason,
        other => other.to_string(),
    }
}
