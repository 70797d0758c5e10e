//! Retention: what is old goes, history by whole days, everything else in small steps. One node at a time.

use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;
use postrider_domain::{Hour, Millis};
use uuid::Uuid;

use super::PostgresStore;
use super::session::{Transaction, Values};
use super::{expiry, overlaps, partitions, sweep};
use crate::error::Result;
use crate::limits::{CHOSEN_ID_MS, IDEMPOTENCY_MS};
use crate::model::RetentionStep;

/// How far this node has come, so that the next step goes on there.
#[derive(Default)]
pub(super) struct Come {
    /// The last organisation whose open work was looked through.
    pub(super) expired_upto: Mutex<Option<Uuid>>,
    /// The last sweep that was looked at.
    pub(super) swept_upto: Mutex<Option<(Uuid, i64)>>,
    /// The day, since 1970, up to which this node knows partitions to be made.
    made_upto: AtomicI64,
}

/// One step's work and what it may still do.
pub(super) struct Step<'a> {
    pub(super) store: &'a PostgresStore,
    pub(super) now: Millis,
    pub(super) before: Millis,
    pub(super) rows_left: usize,
    pub(super) done: RetentionStep,
}

impl Step<'_> {
    /// As a statement takes it.
    pub(super) fn limit(&self) -> i64 {
        i64::try_from(self.rows_left).unwrap_or(i64::MAX)
    }

    /// Counts dropped rows.
    pub(super) fn dropped(&mut self, rows: u64) {
        self.done.rows_dropped += rows;
        self.used(rows);
    }

    pub(super) fn used(&mut self, rows: u64) {
        self.rows_left = self.rows_left.saturating_sub(usize::try_from(rows).unwrap_or(usize::MAX));
    }

    /// A transaction of retention's; none when another node is at it. Statements about history are planned for their values, so that they look at
    /// the partitions of those days alone.
    pub(super) async fn begin(&self) -> Result<Option<Transaction>> {
        let tx = self.store.engine().await?.begin().await?;
        let sql = "SELECT pg_try_advisory_xact_lock(hashtext('postrider'), hashtext('retention')),
                          set_config('plan_cache_mode', 'force_custom_plan', true)";
        let is_ours = tx.query(sql, &[]).await?.first().is_some_and(|row| row.get(0));
        Ok(is_ours.then_some(tx))
    }

    /// Rows of a table that are older than this, by the index on that column.
    async fn drop_aged(&mut self, table: &str, key: &str, aged: &str, upto: Millis) -> Result<bool> {
        if self.rows_left == 0 {
            return Ok(true);
        }
        let sql = format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {aged} < $1 ORDER BY {aged} LIMIT $2)"
        );
        self.drop_with(&sql, &[&upto.0, &self.limit()]).await
    }

    /// What was counted in hours that were over by then. False when another node is at it.
    async fn drop_hours(&mut self) -> Result<bool> {
        if self.rows_left == 0 {
            return Ok(true);
        }
        let sql = "DELETE FROM endpoint_hours WHERE (org, endpoint, hour) IN (
                       SELECT org, endpoint, hour FROM endpoint_hours WHERE hour < $1 ORDER BY hour LIMIT $2)";
        self.drop_with(sql, &[&Hour::of(self.before).0, &self.limit()]).await
    }

    /// False when another node is at it.
    async fn drop_with(&mut self, sql: &str, values: Values<'_>) -> Result<bool> {
        let Some(tx) = self.begin().await? else { return Ok(false) };
        let dropped = tx.execute(sql, values).await?;
        tx.commit().await?;
        self.dropped(dropped);
        Ok(true)
    }

    /// False when another node is at it.
    async fn run(&mut self) -> Result<bool> {
        if !expiry::run(self).await? {
            return Ok(false);
        }
        if self.rows_left > 0 {
            partitions::drop_before(self.store, self.before).await?;
        }
        // An id is found as long as its event is kept, and remembered for 72 hours in any case.
        let forgotten = Millis(self.before.0.min(self.now.0.saturating_sub(CHOSEN_ID_MS)));
        let answered = Millis(self.now.0.saturating_sub(IDEMPOTENCY_MS));
        Ok(self.drop_aged("event_ids", "org, id", "accepted_at", Millis(forgotten.0.saturating_add(1))).await?
            && self.drop_aged("operations", "org, id", "ended_at", self.before).await?
            && self.drop_hours().await?
            && self.drop_aged("answers", "org, key", "created_at", answered).await?
            && self.drop_told().await?
            && sweep::run(self).await?)
    }

    /// What nodes were told of changes, and leases that are over; by the database's clock, which leases go by. Nobody counts these rows.
    async fn drop_told(&self) -> Result<bool> {
        let Some(tx) = self.begin().await? else { return Ok(false) };
        let told = "DELETE FROM changes WHERE changed_at < clock_timestamp() - interval '1 hour'";
        tx.execute(told, &[]).await?;
        let over = "DELETE FROM leases WHERE revoked AND expires_at < clock_timestamp() - interval '1 day'";
        tx.execute(over, &[]).await?;
        tx.commit().await?;
        Ok(true)
    }
}

pub(super) async fn retain(
    store: &PostgresStore,
    now: Millis,
    before: Millis,
    rows_max: usize,
) -> Result<RetentionStep> {
    make_partitions(store, now).await?;
    overlaps::end(store, now).await?;
    let mut step = Step { store, now, before, rows_left: rows_max, done: RetentionStep::default() };
    let is_ours = step.run().await?;
    step.done.more = is_ours && step.rows_left == 0;
    Ok(step.done)
}

/// Once a day.
async fn make_partitions(store: &PostgresStore, now: Millis) -> Result<()> {
    let (today, made_upto) = (partitions::Day::of(now), &store.come.made_upto);
    if made_upto.load(Ordering::Relaxed) < today.0 {
        partitions::make_ahead(&store.writers.shared.address, now).await?;
        made_upto.store(today.0, Ordering::Relaxed);
    }
    Ok(())
}

/// Whether a commit would work now.
pub(super) async fn check(store: &PostgresStore, now: Millis) -> Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES ('checked at', $1) ON CONFLICT (name) DO UPDATE SET value = $1";
    store.engine().await?.execute(sql, &[&now.0.to_le_bytes().as_slice()]).await.map(|_| ())
}
