//! Ends open deliveries that will not be sent: from open work into history, without an attempt; and removes the text of attempts.

use postrider_domain::{FailReason, Millis};
use uuid::Uuid;

use super::partitions::{self, Day};
use super::session::Session;
use super::turns::{self, Places};
use crate::error::Result;
use crate::rows::fail_code;

/// Moves open deliveries into history as failed, as long as that has their day. Returns how many were open.
pub(super) async fn fail(tx: &Session, org: Uuid, ids: &Vec<Uuid>, reason: FailReason, now: Millis) -> Result<u64> {
    if ids.is_empty() {
        return Ok(0);
    }
    let places = turns_of(tx, org, ids).await?;
    let sql = "WITH gone AS (
            DELETE FROM open_deliveries d WHERE d.org = $1 AND d.id = ANY($2) RETURNING d.*
        ), kept AS (
            INSERT INTO deliveries (org, id, endpoint, event_key, event_id, event_type, revision, test, created_at, ended_at,
                fail_reason, attempts_count, slots_used, initial_failure_at, last_status_code)
            SELECT g.org, g.id, g.endpoint, g.event_key,
                (SELECT v.id FROM events v WHERE v.org = g.org AND v.key = g.event_key),
                g.event_type, g.revision, g.test, g.created_at, $3, $4, g.attempts_count, g.slots_used, g.initial_failure_at,
                g.last_status_code
            FROM gone g WHERE g.id >= $5
        )
        SELECT count(*) FROM gone";
    let oldest = partitions::oldest(tx).await?.map_or(Uuid::max(), Day::first_key);
    let rows = tx.query(sql, &[&org, ids, &now.0, &fail_code(Some(reason)), &oldest]).await?;
    places.leave(tx, now).await?;
    Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
}

/// The turns of what is going to end. Their lines are locked before its rows are, as by those who record outcomes.
async fn turns_of(tx: &Session, org: Uuid, ids: &Vec<Uuid>) -> Result<Places> {
    let sql = "SELECT o.org, o.endpoint, o.id, o.turn, o.records FROM open_deliveries o
               WHERE o.org = $1 AND o.id = ANY($2) AND o.turn IS NOT NULL";
    let rows = tx.query(sql, &[&org, ids]).await?;
    let endpoints: Vec<Uuid> = rows.iter().map(|row| row.get(1)).collect();
    if !endpoints.is_empty() {
        turns::lock(tx, &endpoints).await?;
    }
    Ok(Places::read(&rows))
}

/// Removes the text of deliveries' attempts; that they were made, when, and how they ended stays. Returns how many had one.
pub(super) async fn wipe_attempts(tx: &Session, org: Uuid, ids: &Vec<Uuid>) -> Result<u64> {
    if ids.is_empty() {
        return Ok(0);
    }
    // Each is looked up by its whole key, in the partition of its day.
    let sql = "UPDATE attempts a SET sealed = '' FROM unnest($1::uuid[], $2::uuid[]) AS w(org, id)
               WHERE a.org = w.org AND a.delivery = w.id AND a.sealed <> ''";
    tx.execute(sql, &[&vec![org; ids.len()], ids]).await
}
