//! Numbers for metrics.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::PostgresStore;
use super::session::Session;
use crate::error::Result;
use crate::limits::{OPEN_COUNTED_MAX, SIZE_KEPT_S};
use crate::model::StoreStats;

/// The size of all tables as it was measured last: it asks the file system about every one of them.
#[derive(Default)]
pub(super) struct Size(Mutex<Option<(Instant, u64)>>);

pub(super) async fn stats(store: &PostgresStore) -> Result<StoreStats> {
    let session = store.engine().await?;
    let open_deliveries = open_deliveries(&session).await?;
    Ok(StoreStats { open_deliveries, bytes: store.size.get(&session).await? })
}

/// Counted when they are few; else as many as the last analysis of the table found.
async fn open_deliveries(session: &Session) -> Result<u64> {
    let sql = "SELECT counted.rows, CASE WHEN counted.rows < $1 THEN 0 ELSE (
                   SELECT reltuples::bigint FROM pg_class WHERE oid = 'postrider.open_deliveries'::regclass) END
               FROM (SELECT count(*) AS rows FROM (SELECT 1 FROM open_deliveries LIMIT $1) AS at_most) AS counted";
    let rows = session.query(sql, &[&OPEN_COUNTED_MAX]).await?;
    Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).max(row.get(1)).unsigned_abs()))
}

impl Size {
    async fn get(&self, session: &Session) -> Result<u64> {
        let kept = *self.0.lock();
        if let Some((measured_at, bytes)) = kept
            && measured_at.elapsed() < Duration::from_secs(SIZE_KEPT_S)
        {
            return Ok(bytes);
        }
        let sql = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
                   WHERE relnamespace = 'postrider'::regnamespace AND relkind = 'r'";
        let rows = session.query(sql, &[]).await?;
        let bytes = rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs());
        *self.0.lock() = Some((Instant::now(), bytes));
        Ok(bytes)
    }
}
