//! Lanes: taken, released, listed.

use postrider_domain::{EndpointId, Millis, OrganizationId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresStore;
use super::attached::{Lane, columns};
use super::error;
use super::facts::{HOLDERS, TAKE};
use super::leases;
use super::session::{Session, Transaction};
use crate::error::{Result, StoreError};
use crate::limits::{LANE_LOCK_MS_MAX, LANE_TRIES_MAX, LANES_LOOKED_AT_MAX, LANES_TAKEN_AT_ONCE, RELEASE_TRIES_MAX};
use crate::model::{LaneDue, LaneId, LeaseNo};
use crate::rows::damaged;

/// Begins a transaction under a lease that lasts.
pub(super) async fn begin(store: &PostgresStore, lease: LeaseNo) -> Result<Transaction> {
    let tx = store.engine().await?.begin().await?;
    // What is rare is planned for the tables as they are now.
    let begin = format!(
        "{}; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL lock_timeout = {LANE_LOCK_MS_MAX}",
        leases::lock_shared(lease)
    );
    tx.within(tx.batch_execute(&begin)).await?;
    leases::require(&tx, lease).await?;
    Ok(tx)
}

pub(super) async fn take(
    store: &PostgresStore,
    lease: LeaseNo,
    due_before: Millis,
    limit: usize,
) -> Result<Vec<LaneDue>> {
    let attached = &store.writers.shared.attached;
    let (mut taken, mut looked_at) = (Vec::new(), 0);
    while taken.len() < limit && looked_at < LANES_LOOKED_AT_MAX {
        let at_once = (limit - taken.len()).min(LANES_TAKEN_AT_ONCE);
        let held = attached.hold().await;
        let tx = begin(store, lease).await?;
        let lanes = take_some(&tx, lease, due_before, at_once).await?;
        let looked = look(&tx, &lanes).await?;
        give_back(&tx, &looked, due_before).await?;
        let found = named(&tx, &looked, due_before).await?;
        tx.commit().await?;
        attached.add(lease, looked.iter().filter(|looked| looked.is_due(due_before)).map(|looked| looked.lane));
        drop(held);
        looked_at += lanes.len();
        taken.extend(found);
        if lanes.len() < at_once {
            break;
        }
    }
    Ok(taken)
}

/// Free lanes that may have work; those that somebody else takes at this moment are passed over.
async fn take_some(tx: &Session, lease: LeaseNo, due_before: Millis, limit: usize) -> Result<Vec<Lane>> {
    let sql = "UPDATE lanes l SET lease = $1, due_at = NULL
               FROM (SELECT org, endpoint FROM lanes WHERE lease IS NULL AND due_at < $2
                     ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED) free
               WHERE l.org = free.org AND l.endpoint = free.endpoint RETURNING l.org, l.endpoint";
    let rows = tx.query(sql, &[&lease.0, &due_before.0, &i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
    Ok(rows.iter().map(lane).collect())
}

fn lane(row: &Row) -> Lane {
    Lane { org: row.get(0), endpoint: row.get(1) }
}

/// A lane with the earliest due time of its open work.
struct Looked {
    lane: Lane,
    due_at: Option<i64>,
}

impl Looked {
    fn is_due(&self, before: Millis) -> bool {
        self.due_at.is_some_and(|due_at| due_at < before.0)
    }
}

/// In a statement of its own: its snapshot is younger than the lanes' being taken, so that no work escapes it.
async fn look(tx: &Session, lanes: &[Lane]) -> Result<Vec<Looked>> {
    let sql = "SELECT w.org, w.endpoint, (SELECT min(d.due_at) FROM open_deliveries d
                                          WHERE d.org = w.org AND d.endpoint = w.endpoint)
               FROM unnest($1::uuid[], $2::uuid[]) AS w(org, endpoint)";
    let (orgs, endpoints) = columns(lanes);
    let rows = tx.query(sql, &[&orgs, &endpoints]).await?;
    Ok(rows.iter().map(|row| Looked { lane: lane(row), due_at: row.get(2) }).collect())
}

/// Lanes without work, or whose work is due later, stay free.
async fn give_back(tx: &Session, looked: &[Looked], due_before: Millis) -> Result<()> {
    let free: Vec<_> = looked.iter().filter(|looked| !looked.is_due(due_before)).collect();
    if free.is_empty() {
        return Ok(());
    }
    let (orgs, endpoints): (Vec<Uuid>, Vec<Uuid>) =
        free.iter().map(|looked| (looked.lane.org, looked.lane.endpoint)).unzip();
    let due_at: Vec<Option<i64>> = free.iter().map(|looked| looked.due_at).collect();
    let sql = "UPDATE lanes l SET lease = NULL, due_at = w.due_at
               FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS w(org, endpoint, due_at)
               WHERE l.org = w.org AND l.endpoint = w.endpoint";
    tx.execute(sql, &[&orgs, &endpoints, &due_at]).await.map(|_| ())
}

/// What was taken, by the names that the engine knows; nothing is sent for what is deleted.
async fn named(tx: &Session, looked: &[Looked], due_before: Millis) -> Result<Vec<LaneDue>> {
    let taken: Vec<_> = looked.iter().filter(|looked| looked.is_due(due_before)).collect();
    let (orgs, endpoints): (Vec<Uuid>, Vec<Uuid>) =
        taken.iter().map(|looked| (looked.lane.org, looked.lane.endpoint)).unzip();
    let due_at: Vec<Option<i64>> = taken.iter().map(|looked| looked.due_at).collect();
    let sql = "SELECT o.id, w.endpoint, w.due_at
               FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS w(org, endpoint, due_at)
               CROSS JOIN LATERAL (SELECT FROM endpoints e WHERE e.org = w.org AND e.id = w.endpoint AND NOT e.deleted LIMIT 1) e
               CROSS JOIN LATERAL (SELECT o.id FROM organizations o WHERE o.org = w.org AND NOT o.deleted LIMIT 1) o";
    tx.query(sql, &[&orgs, &endpoints, &due_at]).await?.iter().map(lane_due).collect()
}

fn lane_due(row: &Row) -> Result<LaneDue> {
    let organization: OrganizationId = row.get::<_, &str>(0).parse().map_err(|_| damaged("an organization's id"))?;
    Ok(LaneDue { lane: LaneId { organization, endpoint: EndpointId(row.get(1)) }, due_at: Millis(row.get(2)) })
}

pub(super) async fn release(store: &PostgresStore, lease: LeaseNo, lanes: Vec<LaneId>) -> Result<()> {
    let endpoints: Vec<Uuid> = lanes.iter().map(|lane| lane.endpoint.0).collect();
    let mut tries = 0;
    loop {
        // A commit may wait for one of these lanes while this waits for another that it has: this lets go, and tries again.
        match release_once(store, lease, &endpoints).await {
            Err(error) if error::is_busy(&error) && tries < RELEASE_TRIES_MAX => tries += 1,
            released => return released,
        }
    }
}

async fn release_once(store: &PostgresStore, lease: LeaseNo, endpoints: &[Uuid]) -> Result<()> {
    let shared = &store.writers.shared;
    let _nobody_holds_them = shared.attached.release().await;
    let tx = begin(store, lease).await?;
    // In the order in which commits lock them. Those of other nodes have the row locked shared while they count on this lease to send what they make.
    let lock = "SELECT l.org, l.endpoint FROM unnest($1::bigint[], $2::uuid[]) AS w(lease, endpoint)
                JOIN lanes l ON l.lease = w.lease AND l.endpoint = w.endpoint ORDER BY l.org, l.endpoint FOR UPDATE OF l";
    let leases = vec![lease.0; endpoints.len()];
    let released: Vec<Lane> = tx.query(lock, &[&leases, &endpoints]).await?.iter().map(lane).collect();
    // A younger snapshot than the locks: what such a commit made is seen.
    let free = "UPDATE lanes l SET lease = NULL, due_at = (SELECT min(d.due_at) FROM open_deliveries d
                                                          WHERE d.org = l.org AND d.endpoint = l.endpoint)
                FROM unnest($1::uuid[], $2::uuid[]) AS w(org, endpoint)
                WHERE l.org = w.org AND l.endpoint = w.endpoint RETURNING l.due_at";
    let (orgs, endpoints) = columns(&released);
    let freed = tx.query(free, &[&orgs, &endpoints]).await?;
    // Known as this lease's no more, even if nobody learns whether the transaction came to its end: a commit then asks.
    shared.attached.remove(lease, &released);
    tx.commit().await?;
    if freed.iter().any(|row| row.get::<_, Option<i64>>(0).is_some()) {
        shared.telling.free_lanes();
    }
    Ok(())
}

pub(super) async fn due(
    store: &PostgresStore,
    lease: LeaseNo,
    after: Option<EndpointId>,
    limit: usize,
) -> Result<Vec<LaneDue>> {
    let session = store.engine().await?;
    leases::require(&session, lease).await?;
    let sql = "SELECT o.id, l.endpoint, d.due_at
               FROM lanes l
               CROSS JOIN LATERAL (SELECT d.due_at FROM open_deliveries d
                                   WHERE d.org = l.org AND d.endpoint = l.endpoint ORDER BY d.due_at LIMIT 1) d
               CROSS JOIN LATERAL (SELECT FROM endpoints e WHERE e.org = l.org AND e.id = l.endpoint AND NOT e.deleted LIMIT 1) e
               CROSS JOIN LATERAL (SELECT o.id FROM organizations o WHERE o.org = l.org AND NOT o.deleted LIMIT 1) o
               WHERE l.lease = $1 AND l.endpoint > $2 ORDER BY l.endpoint LIMIT $3";
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session.query(sql, &[&lease.0, &after, &limit]).await?.iter().map(lane_due).collect()
}

/// Attaches a lane to the lease unless another has it; returns who holds it until the transaction ends.
pub(super) async fn take_one(tx: &Session, lease: LeaseNo, lane: Lane) -> Result<LeaseNo> {
    let (orgs, endpoints) = columns(&[lane]);
    for _ in 0..LANE_TRIES_MAX {
        let held = tx.query(HOLDERS, &[&orgs, &endpoints]).await?;
        if let Some(row) = held.first() {
            return Ok(LeaseNo(row.get(2)));
        }
        tx.query(TAKE, &[&orgs, &endpoints, &lease.0]).await?;
    }
    Err(StoreError::Unavailable { reason: "a lane comes and goes too fast; ask again".to_owned() })
}
