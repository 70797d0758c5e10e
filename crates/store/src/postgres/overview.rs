//! The nodes and what waits, for people who look.

use postrider_domain::Millis;

use super::PostgresStore;
use super::session::Session;
use crate::error::Result;
use crate::limits::{LANES_LOOKED_AT_MAX, NODES_TOLD_MAX, OPEN_COUNTED_MAX};
use crate::model::LeaseNo;
use crate::overview::{NodeStanding, OpenWork, Overview, StoreKind};

pub(super) async fn read(store: &PostgresStore, now: Millis) -> Result<Overview> {
    let session = store.engine().await?;
    Ok(Overview { store: StoreKind::Postgres, nodes: nodes(&session).await?, open: open_work(&session, now).await? })
}

async fn nodes(session: &Session) -> Result<Vec<NodeStanding>> {
    let sql = "SELECT no, node, (extract(epoch FROM renewed_at) * 1000)::bigint,
                      (SELECT count(*) FROM (SELECT 1 FROM lanes WHERE lanes.lease = leases.no LIMIT $2) AS held)
               FROM leases WHERE NOT revoked ORDER BY no LIMIT $1";
    let lanes_max = i64::try_from(LANES_LOOKED_AT_MAX).unwrap_or(i64::MAX);
    let rows = session.query(sql, &[&NODES_TOLD_MAX, &lanes_max]).await?;
    let node = |row: &tokio_postgres::Row| NodeStanding {
        lease: LeaseNo(row.get(0)),
        name: row.get(1),
        lanes: Some(row.get::<_, i64>(3).unsigned_abs()),
        renewed_at: Some(Millis(row.get(2))),
    };
    Ok(rows.iter().map(node).collect())
}

/// Counted when they are few; else as many as the last analysis of the table found.
async fn open_work(session: &Session, now: Millis) -> Result<OpenWork> {
    let sql = "SELECT seen.rows, seen.due, seen.oldest, CASE WHEN seen.rows < $2 THEN 0 ELSE (
                   SELECT reltuples::bigint FROM pg_class WHERE oid = 'postrider.open_deliveries'::regclass) END
               FROM (SELECT count(*) AS rows, count(*) FILTER (WHERE due_at <= $1) AS due,
                            min(due_at) FILTER (WHERE due_at <= $1) AS oldest
                     FROM (SELECT due_at FROM open_deliveries LIMIT $2) AS at_most) AS seen";
    let rows = session.query(sql, &[&now.0, &OPEN_COUNTED_MAX]).await?;
    let Some(row) = rows.first() else { return Ok(OpenWork::default()) };
    let looked_at: i64 = row.get(0);
    Ok(OpenWork {
        pending: looked_at.max(row.get(3)).unsigned_abs(),
        due: row.get::<_, i64>(1).unsigned_abs(),
        oldest_due_at: row.get::<_, Option<i64>>(2).map(Millis),
        is_estimate: looked_at >= OPEN_COUNTED_MAX,
    })
}
