//! Leases: granted, renewed, revoked. A lease's number is the fence.
//!
//! Whoever writes under a lease locks its number shared until the transaction ends, and looks only then whether the lease was revoked;
//! whoever revokes one locks its number alone. So inside such a transaction a lease that is not revoked cannot become so.

use std::time::Duration;

use parking_lot::Mutex;
use postrider_domain::Millis;
use tokio_postgres::Client;

use super::PostgresStore;
use super::session::Session;
use crate::error::{Result, StoreError};
use crate::limits::{LEASES_REVOKED_MAX, LEASES_REVOKED_MS_MAX};
use crate::model::{Granted, LeaseNo, Renewal, Standing};

/// The first of the two numbers of the advisory locks on leases ("post").
pub(super) const LOCKS: i32 = 0x706f_7374;

/// Locks a lease's number shared, as the first statement of a transaction.
pub(super) fn lock_shared(lease: LeaseNo) -> String {
    format!("SELECT pg_advisory_xact_lock_shared({LOCKS}, {})", lock_number(lease))
}

/// Two leases that are two billion grants apart share one, which costs a moment's wait.
fn lock_number(lease: LeaseNo) -> i64 {
    lease.0 % i64::from(i32::MAX)
}

/// How far the changes were told to a lease: exactly behind what its last renewal saw, whatever committed in between.
#[derive(Default)]
pub(super) struct Told(Mutex<Option<(LeaseNo, String)>>);

impl Told {
    fn upto(&self, lease: LeaseNo) -> Option<String> {
        self.0.lock().as_ref().filter(|(told, _)| *told == lease).map(|(_, upto)| upto.clone())
    }

    fn note(&self, lease: LeaseNo, upto: String) {
        *self.0.lock() = Some((lease, upto));
    }
}

fn ms(lasts: Duration) -> i64 {
    i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX).min(LEASE_MS_MAX)
}

/// A hundred years: what is added to a moment must leave a moment.
const LEASE_MS_MAX: i64 = 100 * 365 * 24 * 3_600_000;

pub(super) async fn grant(store: &PostgresStore, node: &str, lasts: Duration) -> Result<Granted> {
    let sql = "INSERT INTO leases (node, expires_at) VALUES ($1, clock_timestamp() + $2 * interval '1 ms')
               RETURNING no, (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
                         pg_snapshot_xmin(pg_current_snapshot())::text";
    // An interval is counted as a double: 53 bits of milliseconds.
    let lasts = ms(lasts) as f64;
    let rows = store.upkeep.take().await?.query(sql, &[&node, &lasts]).await?;
    let Some(row) = rows.first() else { return Err(nothing()) };
    let lease = LeaseNo(row.get(0));
    store.told.note(lease, row.get(2));
    store.writers.shared.attached.begin(lease);
    Ok(Granted { lease, now: Some(Millis(row.get(1))) })
}

pub(super) async fn renew(store: &PostgresStore, lease: LeaseNo, lasts: Duration) -> Result<Renewal> {
    let session = store.upkeep.take().await?;
    let sql = "UPDATE leases SET expires_at = clock_timestamp() + $2 * interval '1 ms', renewed_at = clock_timestamp()
               WHERE no = $1 AND NOT revoked";
    if session.execute(sql, &[&lease.0, &(ms(lasts) as f64)]).await? == 0 {
        return Ok(Renewal::Lost);
    }
    let (standing, upto) = stand(&session, store.told.upto(lease)).await?;
    store.told.note(lease, upto);
    standing.changed.iter().for_each(|id| store.tenants.forget(id));
    Ok(Renewal::Renewed(standing))
}

async fn stand(session: &Session, told_upto: Option<String>) -> Result<(Standing, String)> {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
                      (SELECT count(*) FROM leases WHERE NOT revoked AND expires_at > clock_timestamp()),
                      (SELECT count(*) FROM lanes WHERE lease IS NOT NULL),
                      ARRAY(SELECT DISTINCT id FROM changes WHERE xid >= $1::text::xid8),
                      pg_snapshot_xmin(pg_current_snapshot())::text";
    // A lease that this store did not grant is told everything there is.
    let rows = session.query(sql, &[&told_upto.unwrap_or_else(|| "0".to_owned())]).await?;
    let Some(row) = rows.first() else { return Err(nothing()) };
    let changed: Vec<String> = row.get(3);
    let standing = Standing {
        now: Some(Millis(row.get(0))),
        nodes: u32::try_from(row.get::<_, i64>(1)).unwrap_or(u32::MAX),
        lanes: row.get::<_, i64>(2).unsigned_abs(),
        changed: changed.iter().filter_map(|id| id.parse().ok()).collect(),
    };
    Ok((standing, row.get(4)))
}

fn nothing() -> StoreError {
    StoreError::Unavailable { reason: "the database answered nothing".to_owned() }
}

/// The node's own: it waits for what is under way.
pub(super) async fn revoke(store: &PostgresStore, lease: LeaseNo) -> Result<()> {
    let lock = format!("SELECT pg_advisory_xact_lock({LOCKS}, {})", lock_number(lease));
    let tx = store.engine().await?.begin().await?;
    tx.within(tx.batch_execute(&lock)).await?;
    let was_held = tx.execute("UPDATE leases SET revoked = true WHERE no = $1 AND NOT revoked", &[&lease.0]).await? > 0;
    let freed = if was_held { free_lanes(&tx, lease).await? } else { 0 };
    tx.commit().await?;
    if freed > 0 {
        store.writers.shared.telling.free_lanes();
    }
    Ok(())
}

/// Whoever takes such a lane looks when its work is due; that there may be some is enough here. Locked first, as a release locks them: what commits
/// made that count on this lease is there to be seen. Many lanes take their time.
async fn free_lanes(tx: &Session, lease: LeaseNo) -> Result<u64> {
    let free = async {
        tx.batch_execute(&format!("SET LOCAL statement_timeout = {LEASES_REVOKED_MS_MAX}")).await?;
        let client: &Client = tx;
        let sql = "UPDATE lanes l SET lease = NULL, due_at = 0
                   FROM (SELECT org, endpoint FROM lanes WHERE lease = $1 ORDER BY org, endpoint FOR UPDATE) held
                   WHERE l.org = held.org AND l.endpoint = held.endpoint";
        client.execute(sql, &[&lease.0]).await
    };
    tx.within_time(Duration::from_millis(LEASES_REVOKED_MS_MAX), free).await
}

pub(super) async fn revoke_expired(store: &PostgresStore, lasts: Duration) -> Result<u32> {
    let session = store.engine().await?;
    let sql = "SELECT no FROM leases WHERE NOT revoked AND expires_at < clock_timestamp()
               AND clock_timestamp() > pg_postmaster_start_time() + $1 * interval '1 ms' ORDER BY no LIMIT $2";
    let expired: Vec<LeaseNo> = session
        .query(sql, &[&(ms(lasts) as f64), &LEASES_REVOKED_MAX])
        .await?
        .iter()
        .map(|row| LeaseNo(row.get(0)))
        .collect();
    drop(session);
    let mut revoked = 0;
    for lease in expired {
        revoked += u32::from(revoke_one_expired(store, lease).await?);
    }
    if revoked > 0 {
        store.writers.shared.telling.free_lanes();
    }
    Ok(revoked)
}

/// False when it was renewed, or when its holder has a transaction under way: another time, then.
async fn revoke_one_expired(store: &PostgresStore, lease: LeaseNo) -> Result<bool> {
    let tx = store.engine().await?.begin().await?;
    let lock = format!("SELECT pg_try_advisory_xact_lock({LOCKS}, {})", lock_number(lease));
    let locked = tx.query(&lock, &[]).await?.first().is_some_and(|row| row.get(0));
    let sql = "UPDATE leases SET revoked = true WHERE no = $1 AND NOT revoked AND expires_at < clock_timestamp()";
    if !locked || tx.execute(sql, &[&lease.0]).await? == 0 {
        return Ok(false);
    }
    let freed = free_lanes(&tx, lease).await?;
    tx.commit().await?;
    tracing::info!(lease = lease.0, lanes = freed, "a lease that had run out was revoked");
    Ok(true)
}

/// Fails unless the lease lasts; inside a transaction that has locked its number.
pub(super) async fn require(tx: &Session, lease: LeaseNo) -> Result<()> {
    let rows = tx.query("SELECT 1 FROM leases WHERE no = $1 AND NOT revoked", &[&lease.0]).await?;
    if rows.is_empty() { Err(StoreError::LeaseLost) } else { Ok(()) }
}
