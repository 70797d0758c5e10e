//! The one node and what waits, for people who look.

use postrider_domain::Millis;
use rusqlite::params;

use super::SqliteStore;
use super::reader::Reader;
use super::rows::opt_millis_at;
use crate::error::Result;
use crate::limits::OPEN_COUNTED_MAX;
use crate::overview::{NodeStanding, OpenWork, Overview, StoreKind};

pub(super) async fn read(store: &SqliteStore, now: Millis) -> Result<Overview> {
    let look = move |reader: &mut Reader| {
        let sql = "SELECT count(*), count(*) FILTER (WHERE due_at <= ?1), min(due_at) FILTER (WHERE due_at <= ?1)
                   FROM (SELECT due_at FROM open_deliveries LIMIT ?2)";
        let mut statement = reader.conn.prepare_cached(sql)?;
        let row = statement.query_row(params![now.0, OPEN_COUNTED_MAX], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, opt_millis_at(row, 2)?))
        })?;
        Ok(row)
    };
    let (looked_at, due, oldest_due_at) = store.readers.read(look).await?;
    let is_estimate = looked_at >= OPEN_COUNTED_MAX;
    // The store counts them all as they come and go; only which of them are due has to be looked for.
    let pending = if is_estimate { store.stats().open_deliveries } else { looked_at.unsigned_abs() };
    let node = |(lease, name)| NodeStanding { lease, name, lanes: None, renewed_at: None };
    Ok(Overview {
        store: StoreKind::Sqlite,
        nodes: store.leases.lasting().map(node).into_iter().collect(),
        open: OpenWork { pending, due: due.unsigned_abs(), oldest_due_at, is_estimate },
    })
}
