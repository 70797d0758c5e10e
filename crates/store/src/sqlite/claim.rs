//! What the lanes ask: which endpoints have open work, when it is due, and the work itself.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use postrider_domain::{DeliveryId, EndpointId, Millis, OrganizationId, Progress, Trigger};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteStore;
use super::reader::{Reader, uuid_at};
use super::rows::{EVENT_COLUMNS, event_row, millis_at, progress_at};
use super::tenants::Tenant;
use super::writer::Fault;
use crate::error::{Result, StoreError};
use crate::limits::CLAIM_FAULTS_MAX;
use crate::model::{Event, LaneDue, LaneId, OpenDelivery, RevisionId, WAITING};
use crate::rows::{EventRow, damaged, tell_faults, trigger};

pub(super) async fn lanes_due(store: &SqliteStore, after: Option<EndpointId>, limit: usize) -> Result<Vec<LaneDue>> {
    let rows = store.readers.read(move |reader| read_lanes(&reader.conn, after, limit)).await?;
    rows.into_iter()
        .map(|(organization, endpoint, due_at)| {
            let organization = organization.parse().map_err(|_| damaged("an organization's id"))?;
            Ok(LaneDue { lane: LaneId { organization, endpoint }, due_at })
        })
        .collect()
}

/// One look at the left end of each endpoint's open work, however much there is of it.
fn read_lanes(
    conn: &Connection,
    after: Option<EndpointId>,
    limit: usize,
) -> Result<Vec<(String, EndpointId, Millis)>, Fault> {
    let sql = "SELECT o.id, e.id, (SELECT min(d.due_at) FROM open_deliveries d WHERE d.endpoint_no = e.no) AS due_at
               FROM endpoints e JOIN organizations o ON o.no = e.org_no AND o.deleted = 0
               WHERE e.id > ? AND e.deleted = 0 AND due_at IS NOT NULL ORDER BY e.id LIMIT ?";
    let from: &[u8] = after.as_ref().map_or(&[], |id| id.0.as_bytes());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement
        .query_map(params![from, limit], |row| Ok((row.get(0)?, EndpointId(uuid_at(row, 1)?), millis_at(row, 2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) async fn lane_due(
    store: &SqliteStore,
    organization: &OrganizationId,
    endpoint: EndpointId,
    after: Millis,
) -> Result<Option<Millis>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(None) };
    let read = move |reader: &mut Reader| {
        let Some(endpoint_no) = endpoint_no(&reader.conn, tenant.no, endpoint)? else { return Ok(None) };
        let sql = "SELECT min(due_at) FROM open_deliveries WHERE endpoint_no = ? AND due_at > ? AND due_at < ?";
        let due_at: Option<i64> =
            reader.conn.prepare_cached(sql)?.query_row([endpoint_no, after.0, WAITING.0], |row| row.get(0))?;
        Ok(due_at.map(Millis))
    };
    store.readers.read(read).await
}

/// The number of an endpoint that exists and is this organisation's.
pub(super) fn endpoint_no(conn: &Connection, org_no: i64, id: EndpointId) -> Result<Option<i64>, Fault> {
    let sql = "SELECT no FROM endpoints WHERE id = ? AND org_no = ? AND deleted = 0";
    Ok(conn.prepare_cached(sql)?.query_row(params![id.0.as_bytes(), org_no], |row| row.get(0)).optional()?)
}

pub(super) async fn claim_due(
    store: &SqliteStore,
    organization: &OrganizationId,
    endpoint: EndpointId,
    now: Millis,
    limit: usize,
    held: Vec<DeliveryId>,
) -> Result<Vec<OpenDelivery>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(Vec::new()) };
    let org_no = tenant.no;
    let mut left_alone: HashSet<_> = held.into_iter().collect();
    let (mut open, mut faults) = (Vec::new(), Vec::new());
    // Fewer rows than asked for say that nothing more is due: others take the place of those that do not open.
    while open.len() < limit && faults.len() < CLAIM_FAULTS_MAX {
        let read = move |reader: &mut Reader| {
            let Some(endpoint_no) = endpoint_no(&reader.conn, org_no, endpoint)? else { return Ok(None) };
            let rows = read_due(&reader.conn, endpoint_no, now, limit, &left_alone)?;
            left_alone.extend(rows.iter().map(|row| row.id));
            Ok(Some((rows.len(), with_events(reader, rows)?, left_alone)))
        };
        let Some((rows_count, claimed, read_so_far)) = store.readers.read(read).await? else { break };
        left_alone = read_so_far;
        let opened = claimed.open(&tenant, organization, endpoint);
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

fn read_due(
    conn: &Connection,
    endpoint_no: i64,
    now: Millis,
    limit: usize,
    held: &HashSet<DeliveryId>,
) -> Result<Vec<OpenRow>, Fault> {
    let sql = format!(
        "SELECT {} FROM open_deliveries WHERE endpoint_no = ? AND due_at <= ? ORDER BY due_at, id",
        OpenRow::COLUMNS
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([endpoint_no, now.0])?;
    let mut open = Vec::new();
    while open.len() < limit
        && let Some(row) = rows.next()?
    {
        let next = OpenRow::read(row)?;
        if !held.contains(&next.id) {
            open.push(next);
        }
    }
    Ok(open)
}

/// An open delivery's row as it was read.
pub(super) struct OpenRow {
    pub(super) id: DeliveryId,
    pub(super) due_at: Millis,
    pub(super) event_no: i64,
    type_no: i64,
    revision_no: i64,
    test: bool,
    created_at: Millis,
    pub(super) progress: Progress,
    resume: Option<i16>,
    resume_at: Option<i64>,
    turn: Option<i64>,
}

impl OpenRow {
    pub(super) const COLUMNS: &'static str =
        "id, due_at, event_no, type_no, revision_no, test, created_at, attempts_count,
        slots_used, initial_failure_at, resume, resume_at, turn";

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(OpenRow {
            id: DeliveryId(uuid_at(row, 0)?),
            due_at: millis_at(row, 1)?,
            event_no: row.get(2)?,
            type_no: row.get(3)?,
            revision_no: row.get(4)?,
            test: row.get(5)?,
            created_at: millis_at(row, 6)?,
            progress: progress_at(row, 7)?,
            resume: row.get(10)?,
            resume_at: row.get(11)?,
            turn: row.get(12)?,
        })
    }

    pub(super) fn trigger(&self) -> Result<Trigger> {
        trigger(self.resume, self.resume_at)
    }
}

/// Open deliveries with their events, data still sealed: it is opened in the caller's task.
#[derive(Default)]
pub(super) struct Claimed {
    open: Vec<(OpenRow, Arc<str>, RevisionId)>,
    events: HashMap<i64, EventRow>,
}

/// Adds to each row its event; a row without one belongs to nothing and is left out.
pub(super) fn with_events(reader: &mut Reader, open: Vec<OpenRow>) -> Result<Claimed, Fault> {
    let mut claimed = Claimed::default();
    for row in open {
        if let Entry::Vacant(place) = claimed.events.entry(row.event_no) {
            let Some(event) = event_by_no(reader, row.event_no)? else { continue };
            place.insert(event);
        }
        let (event_type, revision) = (reader.word(row.type_no)?, reader.revision(row.revision_no)?);
        claimed.open.push((row, event_type, revision));
    }
    Ok(claimed)
}

fn event_by_no(reader: &mut Reader, event_no: i64) -> Result<Option<EventRow>, Fault> {
    let sql = format!("SELECT {} FROM events WHERE no = ?", EVENT_COLUMNS);
    let found = reader.conn.prepare_cached(&sql)?.query_row([event_no], event_row).optional()?;
    let Some((type_no, mut event)) = found else { return Ok(None) };
    event.event_type = reader.word(type_no)?;
    Ok(Some(event))
}

/// Claimed deliveries that opened, and why the others did not.
pub(super) struct Opened {
    pub(super) open: Vec<OpenDelivery>,
    pub(super) faults: Vec<(DeliveryId, StoreError)>,
}

impl Claimed {
    /// Each by itself: a damaged one must not keep its lane from the others.
    pub(super) fn open(self, tenant: &Tenant, organization: &OrganizationId, endpoint: EndpointId) -> Opened {
        let mut events: HashMap<i64, Result<Arc<Event>, String>> = HashMap::with_capacity(self.events.len());
        for (no, row) in self.events {
            events.insert(no, row.open(tenant.sealer()).map(Arc::new).map_err(reason_of));
        }
        let mut opened = Opened { open: Vec::with_capacity(self.open.len()), faults: Vec::new() };
        for (row, event_type, revision) in self.open {
            let Some(event) = events.get(&row.event_no) else { continue };
            let event = event.clone().map_err(|reason| StoreError::Sealed { reason });
            let (event, trigger) = match event.and_then(|event| Ok((event, row.trigger()?))) {
                Ok(both) => both,
                Err(error) => {
                    opened.faults.push((row.id, error));
                    continue;
                }
            };
            opened.open.push(OpenDelivery {
                id: row.id,
                organization: organization.clone(),
                endpoint,
                event_type,
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
        opened
    }
}

/// Why an event does not open, for each of its deliveries.
fn reason_of(error: StoreError) -> String {
    match error {
        StoreError::Sealed { reason } => reason,
        other => other.to_string(),
    }
}
