//! Endpoints that keep failing: what is done about them, and what their owners are to be told. Their streaks are in [`super::streaks`].

use postrider_domain::{EndpointId, Millis, Notice, NoticeId, OrganizationId, Streak};
use tokio_postgres::Row;
use uuid::Uuid;

use super::rows::{count_at, millis_at, opt_millis_at, status_code_at};
use super::session::{Mode, Session};
use super::{PostgresStore, audit, changes, operational};
use crate::error::Result;
use crate::failing::{ClaimedNotice, FailingAct, FailingStep};
use crate::rows::notice_words;

pub(super) async fn streaks(
    store: &PostgresStore,
    organization: &OrganizationId,
    endpoints: &[EndpointId],
) -> Result<Vec<(EndpointId, Streak)>> {
    let ids: Vec<Uuid> = endpoints.iter().map(|id| id.0).collect();
    let sql = "SELECT endpoint, failures, since, warned_at FROM streaks WHERE org = $1 AND endpoint = ANY($2)";
    let Some((_, rows)) = store.read_of(organization, sql, &[&ids]).await? else { return Ok(Vec::new()) };
    Ok(rows.iter().map(|row| (EndpointId(row.get(0)), streak_at(row, 1))).collect())
}

/// Three columns from `column` on.
pub(super) fn streak_at(row: &Row, column: usize) -> Streak {
    Streak {
        failures: count_at(row, column),
        since: opt_millis_at(row, column + 1),
        warned_at: opt_millis_at(row, column + 2),
    }
}

pub(super) async fn take_step(store: &PostgresStore, step: &FailingStep) -> Result<bool> {
    let Some((tenant, tx)) = store.begin_of(&step.organization, Mode::Write).await? else { return Ok(false) };
    let failures_min = i32::try_from(step.failures_min).unwrap_or(i32::MAX);
    let find = "SELECT 1 FROM endpoints e LEFT JOIN streaks s ON s.org = e.org AND s.endpoint = e.id
                WHERE e.org = $1 AND e.id = $2 AND NOT e.deleted AND e.status = 'active' AND coalesce(s.failures, 0) >= $3
                AND coalesce(e.resumed_at, $4) <= $4";
    if tx.query(find, &[&tenant.org, &step.endpoint.0, &failures_min, &step.began_at.0]).await?.is_empty() {
        return Ok(false);
    }
    let is_taken = match &step.act {
        FailingAct::Warn { unless_after } => {
            let sql = "UPDATE streaks SET warned_at = $3 WHERE org = $1 AND endpoint = $2 AND failures >= $4
                       AND (warned_at IS NULL OR warned_at <= $5)";
            let values = [&step.at.0, &unless_after.0];
            tx.execute(sql, &[&tenant.org, &step.endpoint.0, values[0], &failures_min, values[1]]).await? == 1
        }
        FailingAct::Disable { reason, .. } => {
            // Changes of one organisation happen one after the other; it may have been another one's turn just now.
            changes::count(&tx, tenant.org).await?
                && {
                    let sql = "UPDATE endpoints e SET status = 'disabled', disabled_reason = $3, updated_at = $4
                           WHERE e.org = $1 AND e.id = $2 AND NOT e.deleted AND e.status = 'active' AND $5 <= coalesce(
                               (SELECT s.failures FROM streaks s WHERE s.org = e.org AND s.endpoint = e.id), 0) AND coalesce(e.resumed_at, $6) <= $6";
                    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
                        [&tenant.org, &step.endpoint.0, reason, &step.at.0, &failures_min, &step.began_at.0];
                    tx.execute(sql, &values).await? == 1
                }
        }
    };
    if !is_taken {
        return Ok(false);
    }
    if let Some(entry) = step.seal_entry(tenant.sealer())? {
        audit::insert(&tx, tenant.org, &entry).await?;
    }
    if let Some(told) = store.operational_for.of_step(step) {
        operational::insert(&tx, tenant.org, &told).await?;
    }
    if let Some(notice) = &step.notice {
        insert_notice(&tx, tenant.org, notice).await?;
    }
    tx.commit().await?;
    Ok(true)
}

async fn insert_notice(tx: &Session, org: Uuid, notice: &Notice) -> Result<()> {
    let int = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let sql = "INSERT INTO notices (org, id, endpoint, kind, failures, failures_max, failing_since, last_failure, last_status_code,
               made_at, due_at, tries) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, 0)";
    tx.execute(
        sql,
        &[
            &org,
            &notice.id.0,
            &notice.endpoint.0,
            &notice.kind.as_str(),
            &int(notice.failures),
            &notice.failures_max.map(int),
            &notice.failing_since.0,
            &notice.last_failure.as_str(),
            &notice.last_status_code.map(u16::cast_signed),
            &notice.made_at.0,
        ],
    )
    .await
    .map(|_| ())
}

/// With the organisation's id behind them.
pub(super) const NOTICE_COLUMNS: &str = "n.id, n.kind, n.failures, n.failures_max, n.failing_since, n.last_failure,
    n.last_status_code, n.made_at, n.tries, n.endpoint, o.id";

/// Reads [`NOTICE_COLUMNS`].
pub(super) fn notice_row(row: &Row) -> Result<(Notice, u32)> {
    let (kind, last_failure, organization) = notice_words(row.get(1), row.get(5), row.get(10))?;
    let notice = Notice {
        id: NoticeId(row.get(0)),
        organization,
        endpoint: EndpointId(row.get(9)),
        kind,
        failures: count_at(row, 2),
        failures_max: row.get::<_, Option<i32>>(3).map(i32::unsigned_abs),
        failing_since: millis_at(row, 4),
        last_failure,
        last_status_code: status_code_at(row, 6),
        made_at: millis_at(row, 7),
    };
    Ok((notice, count_at(row, 8)))
}

/// Of all organisations. Nobody waits for another who claims in the same moment.
pub(super) async fn claim_notices(
    store: &PostgresStore,
    now: Millis,
    until: Millis,
    limit: usize,
) -> Result<Vec<ClaimedNotice>> {
    let sql = format!(
        "WITH due AS MATERIALIZED (
             SELECT n.org, n.id FROM notices n
             JOIN organizations o ON o.org = n.org AND NOT o.deleted
             JOIN endpoints e ON e.org = n.org AND e.id = n.endpoint AND NOT e.deleted
             WHERE n.due_at <= $1 ORDER BY n.due_at LIMIT $3 FOR UPDATE OF n SKIP LOCKED)
         UPDATE notices n SET due_at = $2, tries = n.tries + 1 FROM due d JOIN organizations o ON o.org = d.org
         WHERE n.org = d.org AND n.id = d.id RETURNING {NOTICE_COLUMNS}"
    );
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = store.engine().await?.query(&sql, &[&now.0, &until.0, &most]).await?;
    rows.iter().map(|row| notice_row(row).map(|(notice, tries)| ClaimedNotice { notice, tries, until })).collect()
}

pub(super) async fn settle_notice(
    store: &PostgresStore,
    claimed: &ClaimedNotice,
    again_at: Option<Millis>,
) -> Result<()> {
    let (id, organization) = (&claimed.notice.id.0, &claimed.notice.organization);
    // Where its organisation is gone, it is gone too.
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Write).await? else { return Ok(()) };
    match again_at {
        None => {
            let sql = "DELETE FROM notices WHERE org = $1 AND id = $2 AND due_at = $3";
            tx.execute(sql, &[&tenant.org, id, &claimed.until.0]).await?;
        }
        Some(again_at) => {
            let sql = "UPDATE notices SET due_at = $4 WHERE org = $1 AND id = $2 AND due_at = $3";
            tx.execute(sql, &[&tenant.org, id, &claimed.until.0, &again_at.0]).await?;
        }
    }
    tx.commit().await
}
