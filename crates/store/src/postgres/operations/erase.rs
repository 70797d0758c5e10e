//! Erasing: events about a record with all that was made of them.

use postrider_domain::{FailReason, Millis, OrganizationId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::cursor;
use crate::error::Result;
use crate::model::LeaseNo;
use crate::operations::{EraseStep, Erased, Record, Removed};
use crate::postgres::PostgresStore;
use crate::postgres::related::keys_about;
use crate::postgres::rows::span;
use crate::postgres::session::{Mode, Session};
use crate::postgres::tenants::Tenant;
use crate::postgres::{changes, ending, lanes};
use crate::rows::{count_column, is_about, key_range, record_hash, resource};

/// The first key behind what was accepted up to a moment; what lies between is judged by its own time.
fn end_of(upto: Millis) -> Uuid {
    key_range(None, Some(upto), None).1
}

pub(super) async fn count(
    store: &PostgresStore,
    organization: &OrganizationId,
    record: &Record,
    upto: Millis,
    at_most: usize,
) -> Result<usize> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Read).await? else { return Ok(0) };
    let most = i64::try_from(at_most).unwrap_or(i64::MAX);
    Ok(keys_about(&tx, &tenant, record, Uuid::nil(), end_of(upto), most).await?.len())
}

pub(super) async fn step(
    store: &PostgresStore,
    lease: LeaseNo,
    organization: &OrganizationId,
    step: &EraseStep,
) -> Result<Option<Erased>> {
    let Some(tenant) = store.tenants.find(store, organization).await? else { return Ok(None) };
    let tx = lanes::begin(store, lease).await?;
    if cursor(&tx, tenant.org, step.operation, lease).await?.is_none() {
        return Ok(None);
    }
    let below = step.below.unwrap_or(Uuid::max()).min(end_of(step.upto));
    let most = i64::try_from(step.limit).unwrap_or(i64::MAX);
    let keys = keys_about(&tx, &tenant, &step.record, Uuid::nil(), below, most).await?;
    let removed = remove(&tx, &tenant, &keys, step).await?;
    if removed.events > 0 {
        // The hint is told when this is committed; a node that does not hear it learns of the change at its next renewal.
        changes::count(&tx, tenant.org).await?;
    }
    let note = "UPDATE operations SET done = done + $3, deliveries_removed = deliveries_removed + $4,
                attempts_removed = attempts_removed + $5 WHERE org = $1 AND id = $2";
    let Removed { events, deliveries, attempts } = removed;
    let (events, deliveries, attempts) = (count_column(events), count_column(deliveries), count_column(attempts));
    tx.execute(note, &[&tenant.org, &step.operation.0, &events, &deliveries, &attempts]).await?;
    tx.commit().await?;
    store.writers.shared.recent.forget(tenant.org, &keys);
    let is_full = keys.len() >= step.limit;
    Ok(Some(Erased { removed, next: keys.last().copied().filter(|_| is_full) }))
}

async fn remove(tx: &Session, tenant: &Tenant, keys: &Vec<Uuid>, step: &EraseStep) -> Result<Removed> {
    if keys.is_empty() {
        return Ok(Removed::default());
    }
    let (least, greatest) = span(keys);
    // Nobody makes a delivery of them from here on.
    let lock = "SELECT key, deliveries, resource, accepted_at FROM events
                WHERE org = $1 AND key = ANY($2) AND key BETWEEN $3 AND $4 ORDER BY key FOR UPDATE";
    let rows = tx.query(lock, &[&tenant.org, keys, &least, &greatest]).await?;
    let (mut erased, mut deliveries, mut hashes, mut keys_of_hashes) = (vec![], vec![], vec![], vec![]);
    for row in &rows {
        if row.get::<_, i64>(3) > step.upto.0 || !is_about(row.get(2), &step.record)? {
            continue;
        }
        let key: Uuid = row.get(0);
        erased.push(key);
        deliveries.extend(row.get::<_, Vec<Uuid>>(1));
        for hash in hashes_of(row, tenant)? {
            hashes.push(hash);
            keys_of_hashes.push(key);
        }
    }
    // Open ones first: an attempt that is being recorded is waited for, and its text then found.
    let ended = ending::fail(tx, tenant.org, &deliveries, FailReason::Erased, step.now).await?;
    let attempts = ending::wipe_attempts(tx, tenant.org, &deliveries).await?;
    let index = "DELETE FROM event_resources r USING unnest($2::bigint[], $3::uuid[]) AS w(hash, key)
                 WHERE r.org = $1 AND r.hash = w.hash AND r.key = w.key AND r.key BETWEEN $4 AND $5";
    tx.execute(index, &[&tenant.org, &hashes, &keys_of_hashes, &least, &greatest]).await?;
    let events = "DELETE FROM events WHERE org = $1 AND key = ANY($2) AND key BETWEEN $3 AND $4";
    let events = tx.execute(events, &[&tenant.org, &erased, &least, &greatest]).await?;
    Ok(Removed { events, deliveries: ended, attempts })
}

/// Under which the event is in the index: once for each of its records.
fn hashes_of(row: &Row, tenant: &Tenant) -> Result<Vec<i64>> {
    let Some(about) = row.get::<_, Option<&[u8]>>(2).map(resource).transpose()? else { return Ok(Vec::new()) };
    Ok(about.ids.iter().map(|id| record_hash(tenant.owner(), &about.kind, id)).collect())
}
