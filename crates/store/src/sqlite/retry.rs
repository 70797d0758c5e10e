//! Makes one more attempt of a delivery due now, because a person asked.

use postrider_domain::{AuditEntry, DeliveryId, EndpointId, Millis, OrganizationId, Resume, Trigger};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::SqliteStore;
use super::audit;
use super::claim::{OpenRow, with_events};
use super::reader::{Reader, uuid_at};
use super::writer::{Fault, WriteTx};
use crate::error::Result;
use crate::model::OpenDelivery;
use crate::rows::{fail_reason, resume_columns, seal_audit, trigger};

/// About what it writes.
const RETRY_BYTES: usize = 1_024;

pub(super) async fn retry_delivery(
    store: &SqliteStore,
    organization: &OrganizationId,
    id: DeliveryId,
    now: Millis,
    audit: &AuditEntry,
) -> Result<Option<OpenDelivery>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(None) };
    let (org_no, entry) = (tenant.no, seal_audit(tenant.sealer(), audit)?);
    let write = move |tx: &mut WriteTx<'_>| {
        let found = apply(tx, org_no, id, now)?;
        if found.is_some() {
            audit::insert(tx, org_no, &entry)?;
        }
        Ok(found)
    };
    let Some(endpoint) = store.writer.write(RETRY_BYTES, write).await? else {
        return Ok(None);
    };
    let read = move |reader: &mut Reader| {
        let sql = format!("SELECT {} FROM open_deliveries WHERE org_no = ? AND id = ?", OpenRow::COLUMNS);
        let key = params![org_no, id.0.as_bytes()];
        let row = reader.conn.prepare_cached(&sql)?.query_row(key, OpenRow::read).optional()?;
        with_events(reader, row.into_iter().collect())
    };
    let claimed = store.readers.read(read).await?;
    let mut opened = claimed.open(&tenant, organization, endpoint);
    match opened.faults.pop() {
        Some((_, error)) => Err(error),
        None => Ok(opened.open.pop()),
    }
}

fn apply(tx: &mut WriteTx<'_>, org_no: i64, id: DeliveryId, now: Millis) -> Result<Option<EndpointId>, Fault> {
    if let Some(endpoint) = hasten(tx.conn, org_no, id, now)? {
        return Ok(Some(endpoint));
    }
    let reopened = reopen(tx, org_no, id, now)?;
    tx.open_added += i64::from(reopened.is_some());
    Ok(reopened)
}

/// A pending delivery becomes due now; the schedule's own next attempt is kept for afterwards.
fn hasten(conn: &Connection, org_no: i64, id: DeliveryId, now: Millis) -> Result<Option<EndpointId>, Fault> {
    let sql = "SELECT e.id, d.endpoint_no, d.due_at, d.resume, d.resume_at FROM open_deliveries d
               JOIN endpoints e ON e.no = d.endpoint_no AND e.deleted = 0 WHERE d.org_no = ? AND d.id = ?";
    let read = |row: &Row<'_>| {
        let resume = (row.get::<_, Option<i16>>(3)?, row.get::<_, Option<i64>>(4)?);
        Ok((EndpointId(uuid_at(row, 0)?), row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, resume))
    };
    let found = conn.prepare_cached(sql)?.query_row(params![org_no, id.0.as_bytes()], read).optional()?;
    let Some((endpoint, endpoint_no, due_at, (resume, resume_at))) = found else { return Ok(None) };
    let asked = match trigger(resume, resume_at)? {
        Trigger::Schedule => Trigger::Person { resume: Resume::At(Millis(due_at)) },
        asked_before => asked_before,
    };
    let (resume, resume_at) = resume_columns(asked);
    let update = "UPDATE open_deliveries SET due_at = ?, resume = ?, resume_at = ?
                  WHERE endpoint_no = ? AND due_at = ? AND id = ?";
    conn.prepare_cached(update)?.execute(params![now.0, resume, resume_at, endpoint_no, due_at, id.0.as_bytes()])?;
    Ok(Some(endpoint))
}

/// An ended delivery, as it lies in history.
struct Ended {
    no: i64,
    endpoint_no: i64,
    endpoint: EndpointId,
    event_key: Uuid,
    fail_reason: i16,
}

/// From history back into open work.
fn reopen(tx: &WriteTx<'_>, org_no: i64, id: DeliveryId, now: Millis) -> Result<Option<EndpointId>, Fault> {
    let sql = "SELECT d.no, d.endpoint_no, e.id, d.event_key, d.fail_reason FROM deliveries d
               JOIN endpoints e ON e.no = d.endpoint_no AND e.deleted = 0 WHERE d.org_no = ? AND d.id = ?";
    let read = |row: &Row<'_>| {
        Ok(Ended {
            no: row.get(0)?,
            endpoint_no: row.get(1)?,
            endpoint: EndpointId(uuid_at(row, 2)?),
            event_key: uuid_at(row, 3)?,
            fail_reason: row.get(4)?,
        })
    };
    let found = tx.conn.prepare_cached(sql)?.query_row(params![org_no, id.0.as_bytes()], read).optional()?;
    let Some(ended) = found else { return Ok(None) };
    let find_event = "SELECT no FROM events WHERE org_no = ? AND key = ?";
    let event_key = ended.event_key.as_bytes();
    let event =
        tx.conn.prepare_cached(find_event)?.query_row(params![org_no, event_key], |row| row.get(0)).optional()?;
    let Some(event_no): Option<i64> = event else { return Ok(None) };
    let resume = fail_reason(ended.fail_reason)?.map_or(Resume::Succeeded, Resume::Failed);
    move_back(tx, &ended, event_no, now, Trigger::Person { resume })?;
    Ok(Some(ended.endpoint))
}

fn move_back(tx: &WriteTx<'_>, ended: &Ended, event_no: i64, now: Millis, asked: Trigger) -> Result<(), Fault> {
    let (resume, resume_at) = resume_columns(asked);
    let sql = "INSERT INTO open_deliveries (endpoint_no, due_at, id, org_no, event_no, type_no, revision_no, test, created_at,
               attempts_count, slots_used, initial_failure_at, resume, resume_at, last_status_code, last_attempt_no)
               SELECT ?, ?, id, org_no, ?, type_no, revision_no, test, created_at, attempts_count, slots_used,
               initial_failure_at, ?, ?, last_status_code, last_attempt_no FROM deliveries WHERE no = ?";
    let values = params![ended.endpoint_no, now.0, event_no, resume, resume_at, ended.no];
    tx.conn.prepare_cached(sql)?.execute(values)?;
    tx.conn.prepare_cached("DELETE FROM deliveries WHERE no = ?")?.execute([ended.no])?;
    Ok(())
}
