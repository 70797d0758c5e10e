//! Open deliveries that are older than retention fail as expired.

use postrider_domain::Millis;
use uuid::Uuid;

use super::partitions::Day;
use super::retention::Step;
use super::session::Session;
use super::turns::{self, Places};
use crate::error::Result;
use crate::limits::{EXPIRY_ORGANIZATIONS, ID_TIME_SLACK_MS};

/// Goes through the organisations with open work as far as the step may; false when another node is at it.
pub(super) async fn run(step: &mut Step<'_>) -> Result<bool> {
    loop {
        let Some(tx) = step.begin().await? else { return Ok(false) };
        let after = step.store.come.expired_upto.lock().unwrap_or(Uuid::nil());
        let looked = look(&tx, after, step.before).await?;
        for Looked { org, has_old } in &looked {
            if *has_old && !expire(step, &tx, *org).await? {
                tx.commit().await?;
                return Ok(true);
            }
            *step.store.come.expired_upto.lock() = Some(*org);
        }
        tx.commit().await?;
        if looked.len() < usize::try_from(EXPIRY_ORGANIZATIONS).unwrap_or(usize::MAX) {
            *step.store.come.expired_upto.lock() = None;
            return Ok(true);
        }
    }
}

/// An organisation with open work.
struct Looked {
    org: Uuid,
    has_old: bool,
}

/// The largest key that something made before this moment may have.
fn highest_key(before: Millis) -> Uuid {
    let ms = before.0.saturating_add(ID_TIME_SLACK_MS).clamp(0, (1 << 48) - 1).unsigned_abs();
    Uuid::from_u128(u128::from(ms) << 80)
}

/// From one organisation's left end to the next one's, however much open work there is.
async fn look(tx: &Session, after: Uuid, before: Millis) -> Result<Vec<Looked>> {
    let sql = "WITH RECURSIVE o AS (
            (SELECT d.org FROM open_deliveries d WHERE d.org > $1 ORDER BY d.org LIMIT 1)
            UNION ALL
            SELECT (SELECT d.org FROM open_deliveries d WHERE d.org > o.org ORDER BY d.org LIMIT 1) FROM o WHERE o.org IS NOT NULL
        )
        SELECT o.org, coalesce((SELECT d.created_at < $3 FROM open_deliveries d WHERE d.org = o.org AND d.id < $2
                                ORDER BY d.id LIMIT 1), false)
        FROM o WHERE o.org IS NOT NULL LIMIT $4";
    let rows = tx.query(sql, &[&after, &highest_key(before), &before.0, &EXPIRY_ORGANIZATIONS]).await?;
    Ok(rows.iter().map(|row| Looked { org: row.get(0), has_old: row.get(1) }).collect())
}

/// The turns of what is going to expire. Their lines are locked before its rows are, as by those who record outcomes.
async fn turns_of_old(step: &Step<'_>, tx: &Session, org: Uuid) -> Result<Places> {
    let sql = "SELECT o.org, o.endpoint, o.id, o.turn, o.records FROM (
            SELECT d.* FROM open_deliveries d WHERE d.org = $1 AND d.id < $2 AND d.created_at < $3 ORDER BY d.id LIMIT $4) o
        WHERE o.turn IS NOT NULL";
    let rows = tx.query(sql, &[&org, &highest_key(step.before), &step.before.0, &step.limit()]).await?;
    let endpoints: Vec<Uuid> = rows.iter().map(|row| row.get(1)).collect();
    if !endpoints.is_empty() {
        turns::lock(tx, &endpoints).await?;
    }
    Ok(Places::read(&rows))
}

/// Moves them into history, as long as that has their day. Those of a deleted endpoint had failed with that. False when there may be more.
async fn expire(step: &mut Step<'_>, tx: &Session, org: Uuid) -> Result<bool> {
    let places = turns_of_old(step, tx, org).await?;
    let sql = "WITH old AS (
            SELECT d.id FROM open_deliveries d WHERE d.org = $1 AND d.id < $2 AND d.created_at < $3
            ORDER BY d.id LIMIT $4 FOR UPDATE
        ), gone AS (
            DELETE FROM open_deliveries d USING old WHERE d.org = $1 AND d.id = old.id RETURNING d.*
        ), judged AS (
            SELECT g.*, CASE WHEN EXISTS (SELECT FROM endpoints e WHERE e.org = g.org AND e.id = g.endpoint AND NOT e.deleted)
                THEN 3 ELSE 4 END::smallint AS fail_reason
            FROM gone g
        ), kept AS (
            INSERT INTO deliveries (org, id, endpoint, event_key, event_id, event_type, revision, test, created_at, ended_at,
                fail_reason, attempts_count, slots_used, initial_failure_at, last_status_code)
            SELECT x.org, x.id, x.endpoint, x.event_key,
                (SELECT v.id FROM events v WHERE v.org = x.org AND v.key = x.event_key),
                x.event_type, x.revision, x.test, x.created_at, $5, x.fail_reason, x.attempts_count, x.slots_used,
                x.initial_failure_at, x.last_status_code
            FROM judged x WHERE x.id >= $6
        )
        SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM judged WHERE fail_reason = 3)";
    let oldest = super::partitions::oldest(tx).await?.map_or(Uuid::max(), Day::first_key);
    let (limit, key) = (step.limit(), highest_key(step.before));
    let rows = tx.query(sql, &[&org, &key, &step.before.0, &limit, &step.now.0, &oldest]).await?;
    places.leave(tx, step.now).await?;
    let count = |column| rows.first().map_or(0, |row| row.get::<_, i64>(column).unsigned_abs());
    let (gone, expired) = (count(0), count(1));
    step.done.deliveries_expired += expired;
    step.used(gone);
    Ok(step.rows_left > 0)
}
