//! Commits events with their deliveries.

use std::collections::HashMap;
use std::time::Instant;

use postrider_domain::{Millis, OrganizationId};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::repetitions::{Used, used_before};
use super::tenants::Tenant;
use super::turns;
use super::writer::{Fault, WriteTx};
use crate::error::{Result, StoreError, too_late};
use crate::limits::COMMIT_WAITS_MS_MAX;
use crate::model::{Basis, Committed, NewDelivery, NewEvent, Version, WAITING};
use crate::rows::{chosen_id, put_resource, record_hash, record_hashes, seal_event};

/// About what a delivery takes in a group.
const DELIVERY_BYTES: usize = 160;

/// Every lane is the one lease's.
const STORED: Committed = Committed::Stored { elsewhere: Vec::new() };

/// An event whose data is sealed already, so that the writer need not do it.
pub(super) struct SealedEvent {
    new: NewEvent,
    sealed: Vec<u8>,
    resource: Option<Vec<u8>>,
}

pub(super) async fn commit_events(
    store: &SqliteStore,
    basis: Basis,
    organization: &OrganizationId,
    events: Vec<NewEvent>,
) -> Result<Vec<Committed>> {
    store.leases.require(basis.lease)?;
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let tenant = store.tenants.require(&store.readers, organization).await?;
    let events = events.into_iter().map(|new| seal(&tenant, new)).collect::<Result<Vec<_>>>()?;
    let bytes = events.iter().map(SealedEvent::bytes).sum();
    let (org_no, asked) = (tenant.no, Instant::now());
    let write = move |tx: &mut WriteTx<'_>| {
        if asked.elapsed().as_millis() > COMMIT_WAITS_MS_MAX {
            return Err(too_late().into());
        }
        apply(tx, org_no, basis.version, &events)
    };
    store.writer.write(bytes, write).await
}

impl SealedEvent {
    /// About what it takes in a group.
    pub(super) fn bytes(&self) -> usize {
        self.sealed.len() + self.new.deliveries.len() * DELIVERY_BYTES
    }
}

pub(super) fn seal(tenant: &Tenant, new: NewEvent) -> Result<SealedEvent> {
    let sealed = seal_event(tenant.sealer(), &new.event)?;
    let resource = new.event.resource.as_ref().map(put_resource);
    Ok(SealedEvent { new, sealed, resource })
}

pub(super) fn apply(
    tx: &mut WriteTx<'_>,
    org_no: i64,
    version: Option<Version>,
    events: &[SealedEvent],
) -> Result<Vec<Committed>, Fault> {
    tx.numbers.require_organization(tx.conn, org_no)?;
    if let Some(seen) = version {
        require_version(tx, org_no, seen)?;
    }
    let answers = judge(tx, org_no, events)?;
    for (event, answer) in events.iter().zip(&answers) {
        if matches!(answer, Committed::Stored { .. }) {
            insert(tx, org_no, event)?;
        }
    }
    Ok(answers)
}

pub(super) fn require_version(tx: &WriteTx<'_>, org_no: i64, seen: Version) -> Result<(), Fault> {
    let sql = "SELECT version FROM organizations WHERE no = ?";
    let version: i64 = tx.conn.prepare_cached(sql)?.query_row([org_no], |row| row.get(0))?;
    if Version(version) == seen { Ok(()) } else { Err(StoreError::Outdated.into()) }
}

/// Which events are new. Everything that can refuse the batch is found here, before the first write.
fn judge(tx: &mut WriteTx<'_>, org_no: i64, events: &[SealedEvent]) -> Result<Vec<Committed>, Fault> {
    let mut in_batch: HashMap<&str, Used> = HashMap::new();
    let mut answers = Vec::with_capacity(events.len());
    // The latest event that was published repeats another, and so does what would be derived from it, by whatever rules today.
    let mut is_repetition = false;
    for (index, SealedEvent { new, .. }) in events.iter().enumerate() {
        for delivery in &new.deliveries {
            tx.numbers.revision(tx.conn, delivery.revision)?;
        }
        if new.is_derived && is_repetition {
            answers.push(Committed::Repeated { deliveries_count: 0 });
            continue;
        }
        is_repetition = false;
        let Some(fingerprint) = new.fingerprint else {
            answers.push(STORED);
            continue;
        };
        let id = new.event.id.as_str();
        let used = match in_batch.get(id) {
            Some(used) => Some(*used),
            None => used_before(tx.conn, org_no, &new.event.id, new.event.accepted_at)?,
        };
        answers.push(match used {
            None => {
                in_batch.insert(id, Used { fingerprint, deliveries_count: count(new) });
                STORED
            }
            Some(used) if used.fingerprint == fingerprint => {
                is_repetition = !new.is_derived;
                Committed::Repeated { deliveries_count: used.deliveries_count }
            }
            Some(_) => return Err(StoreError::EventDiffers { id: id.to_owned(), index }.into()),
        });
    }
    Ok(answers)
}

fn count(new: &NewEvent) -> u32 {
    u32::try_from(new.deliveries.len()).unwrap_or(u32::MAX)
}

fn insert(tx: &mut WriteTx<'_>, org_no: i64, SealedEvent { new, sealed, resource }: &SealedEvent) -> Result<(), Fault> {
    let event = &new.event;
    let event_no = tx.numbers.next.event();
    let type_no = tx.numbers.word(tx.conn, &event.event_type)?;
    let chosen = chosen_id(&event.id, event.key);
    let deliveries = insert_deliveries(tx, org_no, event_no, new)?;
    let sql =
        "INSERT INTO events (no, org_no, key, id, type_no, occurred_at, accepted_at, test, deliveries_count, resource,
               deliveries, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    tx.conn.prepare_cached(sql)?.execute(params![
        event_no,
        org_no,
        event.key.as_bytes(),
        chosen,
        type_no,
        event.occurred_at.0,
        event.accepted_at.0,
        new.test,
        count(new),
        resource,
        deliveries,
        sealed,
    ])?;
    if let Some(id) = chosen {
        insert_id(tx, org_no, id, new)?;
    }
    if let Some(about) = &event.resource {
        for id in &about.ids {
            tx.resources.add(tx.conn, record_hash(org_no, &about.kind, id), event_no, event.key)?;
        }
    }
    Ok(())
}

fn insert_id(tx: &WriteTx<'_>, org_no: i64, id: &str, new: &NewEvent) -> Result<(), Fault> {
    // An id whose 72 hours are over names the newer event from now on.
    let sql = "REPLACE INTO event_ids (org_no, id, key, accepted_at, fingerprint, deliveries_count) VALUES (?, ?, ?, ?, ?, ?)";
    let fingerprint = new.fingerprint.unwrap_or_default();
    let key = new.event.key.as_bytes();
    let values = params![org_no, id, key, new.event.accepted_at.0, fingerprint, count(new)];
    tx.conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Inserts the open deliveries and returns their ids, one after the other. An endpoint that was deleted since it was matched gets none.
fn insert_deliveries(tx: &mut WriteTx<'_>, org_no: i64, event_no: i64, new: &NewEvent) -> Result<Vec<u8>, Fault> {
    let sql = "INSERT INTO open_deliveries (endpoint_no, due_at, id, org_no, event_no, type_no, revision_no, test, created_at, turn, records)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let mut ids = Vec::with_capacity(16 * new.deliveries.len());
    let mut statement = tx.conn.prepare_cached(sql)?;
    for delivery in &new.deliveries {
        let Some(endpoint_no) = tx.numbers.endpoint(tx.conn, org_no, delivery.endpoint)? else { continue };
        let type_no = tx.numbers.word(tx.conn, &delivery.event_type)?;
        let revision_no = tx.numbers.revision(tx.conn, delivery.revision)?;
        let id = delivery.id.0.as_bytes();
        ids.extend_from_slice(id);
        tx.open_added += 1;
        let placed = place(tx.conn, org_no, endpoint_no, new, delivery)?;
        statement.execute(params![
            endpoint_no,
            placed.due_at.0,
            id,
            org_no,
            event_no,
            type_no,
            revision_no,
            new.test,
            new.event.accepted_at.0,
            placed.turn,
            placed.records,
        ])?;
    }
    Ok(ids)
}

/// When a new delivery is due, and its turn where it has one.
struct Placed {
    due_at: Millis,
    turn: Option<i64>,
    records: Option<Vec<u8>>,
}

fn place(
    conn: &Connection,
    org_no: i64,
    endpoint_no: i64,
    new: &NewEvent,
    delivery: &NewDelivery,
) -> Result<Placed, Fault> {
    if !delivery.in_order || new.event.resource.is_none() {
        return Ok(Placed { due_at: delivery.due_at, turn: None, records: None });
    }
    let records = record_hashes(org_no, &new.event);
    let (turn, waits) = turns::enter(conn, endpoint_no, &records, delivery.id)?;
    let due_at = if waits { WAITING } else { delivery.due_at };
    Ok(Placed { due_at, turn: Some(turn), records: Some(turns::put_records(&records)) })
}
