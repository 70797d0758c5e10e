//! Makes one more attempt of a delivery due now, because a person asked.

use postrider_domain::{AuditEntry, DeliveryId, EndpointId, Millis, OrganizationId, Resume, Trigger};
use uuid::Uuid;

use super::attached::Lane;
use super::claim::{OpenRow, open_rows};
use super::lanes;
use super::session::Session;
use super::{PostgresStore, audit};
use crate::error::Result;
use crate::model::{LaneId, LeaseNo, Retried};
use crate::rows::{fail_reason, resume_columns, seal_audit, trigger};

pub(super) async fn retry_delivery(
    store: &PostgresStore,
    lease: LeaseNo,
    organization: &OrganizationId,
    id: DeliveryId,
    now: Millis,
    audit: &AuditEntry,
) -> Result<Option<Retried>> {
    let Some(tenant) = store.tenants.find(store, organization).await? else { return Ok(None) };
    let entry = seal_audit(tenant.sealer(), audit)?;
    let shared = &store.writers.shared;
    let held = shared.attached.hold().await;
    let tx = lanes::begin(store, lease).await?;
    let Some(endpoint) = apply(&tx, tenant.org, id, now).await? else { return Ok(None) };
    audit::insert(&tx, tenant.org, &entry).await?;
    let lane = Lane { org: tenant.org, endpoint };
    let holder = lanes::take_one(&tx, lease, lane).await?;
    let read = format!("SELECT {} FROM open_deliveries WHERE org = $1 AND id = $2", OpenRow::COLUMNS);
    let rows: Vec<_> = tx.query(&read, &[&tenant.org, &id.0]).await?.iter().map(OpenRow::read).collect();
    tx.commit().await?;
    let endpoint = EndpointId(endpoint);
    let is_elsewhere = holder != lease;
    if is_elsewhere {
        shared.telling.work(holder, LaneId { organization: organization.clone(), endpoint });
    } else {
        shared.attached.add(lease, [lane]);
    }
    drop(held);
    let mut opened = open_rows(store, &tenant, organization, endpoint, rows).await?;
    match opened.faults.pop() {
        Some((_, error)) => Err(error),
        None => Ok(opened.open.pop().map(|delivery| Retried { delivery, is_elsewhere })),
    }
}

/// The endpoint of what is due now.
async fn apply(tx: &Session, org: Uuid, id: DeliveryId, now: Millis) -> Result<Option<Uuid>> {
    match hasten(tx, org, id, now).await? {
        Some(endpoint) => Ok(Some(endpoint)),
        None => reopen(tx, org, id, now).await,
    }
}

/// An endpoint that exists, with its organisation.
const EXISTS: &str = "EXISTS (SELECT FROM endpoints e JOIN organizations o ON o.org = e.org AND NOT o.deleted
                              WHERE e.org = d.org AND e.id = d.endpoint AND NOT e.deleted)";

/// A pending delivery becomes due now; the schedule's own next attempt is kept for afterwards.
async fn hasten(tx: &Session, org: Uuid, id: DeliveryId, now: Millis) -> Result<Option<Uuid>> {
    let sql = format!(
        "SELECT d.endpoint, d.due_at, d.resume, d.resume_at FROM open_deliveries d
         WHERE d.org = $1 AND d.id = $2 AND {EXISTS} FOR UPDATE OF d"
    );
    let rows = tx.query(&sql, &[&org, &id.0]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let asked = match trigger(row.get(2), row.get(3))? {
        Trigger::Schedule => Trigger::Person { resume: Resume::At(Millis(row.get(1))) },
        asked_before => asked_before,
    };
    let (resume, resume_at) = resume_columns(asked);
    let update = "UPDATE open_deliveries SET due_at = $3, resume = $4, resume_at = $5 WHERE org = $1 AND id = $2";
    tx.execute(update, &[&org, &id.0, &now.0, &resume, &resume_at]).await?;
    Ok(Some(row.get(0)))
}

/// From history back into open work.
async fn reopen(tx: &Session, org: Uuid, id: DeliveryId, now: Millis) -> Result<Option<Uuid>> {
    let sql = format!(
        "SELECT d.endpoint, d.event_key, d.fail_reason FROM deliveries d
         WHERE d.org = $1 AND d.id = $2 AND {EXISTS} FOR UPDATE OF d"
    );
    let rows = tx.query(&sql, &[&org, &id.0]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let event_key: Uuid = row.get(1);
    // It stays until this is committed: what is erased at this moment is not opened again.
    let kept = "SELECT 1 FROM events WHERE org = $1 AND key = $2 FOR KEY SHARE";
    if tx.query(kept, &[&org, &event_key]).await?.is_empty() {
        return Ok(None);
    }
    let resume = fail_reason(row.get(2))?.map_or(Resume::Succeeded, Resume::Failed);
    let (resume, resume_at) = resume_columns(Trigger::Person { resume });
    let sql = "WITH ended AS (DELETE FROM deliveries WHERE org = $1 AND id = $2 RETURNING *)
               INSERT INTO open_deliveries (org, endpoint, due_at, id, event_key, event_type, revision, test, created_at,
                   attempts_count, slots_used, initial_failure_at, resume, resume_at, last_status_code)
               SELECT org, endpoint, $3, id, event_key, event_type, revision, test, created_at, attempts_count, slots_used,
                   initial_failure_at, $4, $5, last_status_code FROM ended";
    tx.execute(sql, &[&org, &id.0, &now.0, &resume, &resume_at]).await?;
    Ok(Some(row.get(0)))
}
