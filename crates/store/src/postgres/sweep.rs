//! Drops what deleted organisations and endpoints left. A *sweep* is one of them with what is still to be dropped.

use postrider_domain::FailReason;
use uuid::Uuid;

use super::ending;
use super::retention::Step;
use super::session::Session;
use crate::error::Result;
use crate::limits::SWEEPS_A_STEP;

struct Sweep {
    org: Uuid,
    no: i64,
    endpoint: Option<Uuid>,
    /// Of an endpoint's history: what was looked at last.
    after: Uuid,
    /// What was under way at the deletion is over.
    is_settled: bool,
}

/// Goes on with the sweeps as far as the step may; false when another node is at it.
pub(super) async fn run(step: &mut Step<'_>) -> Result<bool> {
    let mut has_wrapped = step.store.come.swept_upto.lock().is_none();
    for _ in 0..SWEEPS_A_STEP {
        if step.rows_left == 0 {
            return Ok(true);
        }
        let Some(tx) = step.begin().await? else { return Ok(false) };
        let Some(sweep) = next(step, &tx).await? else {
            *step.store.come.swept_upto.lock() = None;
            if has_wrapped {
                return Ok(true);
            }
            has_wrapped = true;
            continue;
        };
        match sweep.endpoint {
            Some(endpoint) => of_endpoint(step, &tx, &sweep, endpoint).await?,
            None => of_organization(step, &tx, &sweep).await?,
        }
        tx.commit().await?;
        if step.rows_left > 0 {
            *step.store.come.swept_upto.lock() = Some((sweep.org, sweep.no));
        }
    }
    Ok(true)
}

async fn next(step: &Step<'_>, tx: &Session) -> Result<Option<Sweep>> {
    let sql = "SELECT org, no, endpoint, after, made_at < clock_timestamp() - interval '1 minute' FROM sweeps
               WHERE (org, no) > ($1, $2) ORDER BY org, no LIMIT 1";
    let (org, no) = step.store.come.swept_upto.lock().unwrap_or((Uuid::nil(), 0));
    let rows = tx.query(sql, &[&org, &no]).await?;
    Ok(rows.first().map(|row| Sweep {
        org: row.get(0),
        no: row.get(1),
        endpoint: row.get(2),
        after: row.get(3),
        is_settled: row.get(4),
    }))
}

async fn finish(tx: &Session, sweep: &Sweep) -> Result<()> {
    tx.execute("DELETE FROM sweeps WHERE org = $1 AND no = $2", &[&sweep.org, &sweep.no]).await.map(|_| ())
}

/// Open deliveries fail, attempts lose their text, and, once time has taken its history, the endpoint itself goes.
async fn of_endpoint(step: &mut Step<'_>, tx: &Session, sweep: &Sweep, endpoint: Uuid) -> Result<()> {
    let open =
        "SELECT d.id FROM open_deliveries d WHERE d.org = $1 AND d.endpoint = $2 ORDER BY d.due_at LIMIT $3 FOR UPDATE";
    let ids = ids(&tx.query(open, &[&sweep.org, &endpoint, &step.limit()]).await?);
    step.used(ending::fail(tx, sweep.org, &ids, FailReason::EndpointDeleted, step.now).await?);
    step.used(ending::wipe_attempts(tx, sweep.org, &ids).await?);
    drop_turns(step, tx, sweep.org, endpoint).await?;
    drop_hours(step, tx, sweep.org, endpoint).await?;
    texts_of_history(step, tx, sweep, endpoint).await?;
    if step.rows_left == 0 || !sweep.is_settled {
        return Ok(());
    }
    let history = "SELECT 1 FROM deliveries WHERE org = $1 AND endpoint = $2 LIMIT 1";
    if !tx.query(history, &[&sweep.org, &endpoint]).await?.is_empty() {
        return Ok(());
    }
    for table in ["lanes", "streaks", "notices"] {
        let sql = format!("DELETE FROM {table} WHERE org = $1 AND endpoint = $2");
        tx.execute(&sql, &[&sweep.org, &endpoint]).await?;
    }
    let dropped = tx.execute("DELETE FROM endpoints WHERE org = $1 AND id = $2", &[&sweep.org, &endpoint]).await?;
    step.dropped(dropped);
    finish(tx, sweep).await
}

fn ids(rows: &[tokio_postgres::Row]) -> Vec<Uuid> {
    rows.iter().map(|row| row.get(0)).collect()
}

async fn drop_turns(step: &mut Step<'_>, tx: &Session, org: Uuid, endpoint: Uuid) -> Result<()> {
    let sql = "WITH left_over AS (SELECT record, turn FROM turns WHERE org = $1 AND endpoint = $2 LIMIT $3)
               DELETE FROM turns t USING left_over l WHERE t.org = $1 AND t.endpoint = $2 AND t.record = l.record AND t.turn = l.turn";
    let dropped = tx.execute(sql, &[&org, &endpoint, &step.limit()]).await?;
    step.used(dropped);
    Ok(())
}

async fn drop_hours(step: &mut Step<'_>, tx: &Session, org: Uuid, endpoint: Uuid) -> Result<()> {
    let sql = "WITH left_over AS (SELECT hour FROM endpoint_hours WHERE org = $1 AND endpoint = $2 LIMIT $3)
               DELETE FROM endpoint_hours h USING left_over l WHERE h.org = $1 AND h.endpoint = $2 AND h.hour = l.hour";
    let dropped = tx.execute(sql, &[&org, &endpoint, &step.limit()]).await?;
    step.dropped(dropped);
    Ok(())
}

/// The text of its attempts; that they were made stays told.
async fn texts_of_history(step: &mut Step<'_>, tx: &Session, sweep: &Sweep, endpoint: Uuid) -> Result<()> {
    let mut after = sweep.after;
    while step.rows_left > 0 {
        let sql = "SELECT id FROM deliveries WHERE org = $1 AND endpoint = $2 AND id > $3 ORDER BY id LIMIT $4";
        let ids = ids(&tx.query(sql, &[&sweep.org, &endpoint, &after, &step.limit()]).await?);
        let Some(last) = ids.last() else { break };
        let (last, looked_at) = (*last, ids.len() as u64);
        step.used(looked_at + ending::wipe_attempts(tx, sweep.org, &ids).await?);
        after = last;
    }
    if after != sweep.after {
        let note = "UPDATE sweeps SET after = $3 WHERE org = $1 AND no = $2";
        tx.execute(note, &[&sweep.org, &sweep.no, &after]).await?;
    }
    Ok(())
}

/// Tables of an organisation with the key of their rows, in the order in which they are emptied.
const TABLES: [(&str, &str); 16] = [
    ("open_deliveries", "id"),
    ("turns", "endpoint, record, turn"),
    ("attempts", "delivery, id"),
    ("deliveries", "id"),
    ("events", "key"),
    ("event_resources", "hash, key"),
    ("event_ids", "id"),
    ("answers", "key"),
    ("audit", "id"),
    ("operations", "id"),
    ("lanes", "endpoint"),
    ("streaks", "endpoint"),
    ("endpoint_hours", "endpoint, hour"),
    ("notices", "id"),
    ("operational_events", "id"),
    ("endpoints", "id"),
];

/// Everything, and then the organisation itself.
async fn of_organization(step: &mut Step<'_>, tx: &Session, sweep: &Sweep) -> Result<()> {
    for (table, key) in TABLES {
        if step.rows_left == 0 {
            return Ok(());
        }
        let sql = format!(
            "WITH left_over AS (SELECT {key} FROM {table} WHERE org = $1 LIMIT $2)
             DELETE FROM {table} t USING left_over l WHERE t.org = $1 AND {}",
            key.split(", ").map(|column| format!("t.{column} = l.{column}")).collect::<Vec<_>>().join(" AND ")
        );
        let dropped = tx.execute(&sql, &[&sweep.org, &step.limit()]).await?;
        step.dropped(dropped);
    }
    if step.rows_left == 0 || !sweep.is_settled {
        return Ok(());
    }
    tx.execute("DELETE FROM sweeps WHERE org = $1", &[&sweep.org]).await?;
    let dropped = tx.execute("DELETE FROM organizations WHERE org = $1", &[&sweep.org]).await?;
    step.dropped(dropped);
    Ok(())
}
