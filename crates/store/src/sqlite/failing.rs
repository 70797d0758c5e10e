//! Endpoints that keep failing: their streaks, what is done about them, and what their owners are to be told.

use postrider_domain::{EndpointId, Millis, Notice, NoticeId, OrganizationId, Streak, StreakChange};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::SqliteStore;
use super::endpoints::count_change;
use super::reader::{Reader, uuid_at};
use super::rows::{millis_at, opt_millis_at};
use super::writer::{Fault, WriteTx};
use super::{audit, operational};
use crate::error::Result;
use crate::failing::{ClaimedNotice, FailingAct, FailingStep};
use crate::rows::notice_words;

/// About what one step writes.
const STEP_BYTES: usize = 1_024;

/// What an outcome that was recorded does to its endpoint's streak; the streak then.
pub(super) fn change_streak(
    tx: &WriteTx<'_>,
    org_no: i64,
    endpoint_no: i64,
    change: StreakChange,
    at: Millis,
) -> Result<Option<Streak>, Fault> {
    match change {
        StreakChange::None => Ok(None),
        StreakChange::Ends => {
            let sql = "UPDATE streaks SET failures = 0, since = NULL WHERE endpoint_no = ? AND failures > 0";
            tx.conn.prepare_cached(sql)?.execute([endpoint_no])?;
            Ok(Some(Streak::default()))
        }
        StreakChange::Grows => {
            let sql = "INSERT INTO streaks (endpoint_no, org_no, failures, since) VALUES (?, ?, 1, ?)
                       ON CONFLICT (endpoint_no) DO UPDATE SET failures = failures + 1, since = coalesce(since, excluded.since)
                       RETURNING failures, since, warned_at";
            let key = params![endpoint_no, org_no, at.0];
            Ok(Some(tx.conn.prepare_cached(sql)?.query_row(key, |row| streak_at(row, 0))?))
        }
    }
}

/// Three columns from `column` on.
pub(super) fn streak_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Streak> {
    Ok(Streak {
        failures: row.get(column)?,
        since: opt_millis_at(row, column + 1)?,
        warned_at: opt_millis_at(row, column + 2)?,
    })
}

/// A new life begins with no streak.
pub(super) fn forget_streak(tx: &WriteTx<'_>, endpoint_no: i64) -> Result<(), Fault> {
    tx.conn.prepare_cached("DELETE FROM streaks WHERE endpoint_no = ?")?.execute([endpoint_no])?;
    Ok(())
}

/// With an endpoint that is deleted.
pub(super) fn forget_all(tx: &WriteTx<'_>, endpoint_no: i64) -> Result<(), Fault> {
    forget_streak(tx, endpoint_no)?;
    tx.conn.prepare_cached("DELETE FROM notices WHERE endpoint_no = ?")?.execute([endpoint_no])?;
    Ok(())
}

pub(super) async fn streaks(
    store: &SqliteStore,
    organization: &OrganizationId,
    endpoints: &[EndpointId],
) -> Result<Vec<(EndpointId, Streak)>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(Vec::new()) };
    let (org_no, endpoints) = (tenant.no, endpoints.to_vec());
    let read = move |reader: &mut Reader| {
        let sql = "SELECT s.failures, s.since, s.warned_at FROM endpoints e JOIN streaks s ON s.endpoint_no = e.no
                   WHERE e.id = ? AND e.org_no = ? AND e.deleted = 0";
        let mut statement = reader.conn.prepare_cached(sql)?;
        let mut found = Vec::new();
        for id in endpoints {
            let key = params![id.0.as_bytes(), org_no];
            let streak = statement.query_row(key, |row| streak_at(row, 0)).optional()?;
            found.extend(streak.map(|streak| (id, streak)));
        }
        Ok(found)
    };
    store.readers.read(read).await
}

pub(super) async fn take_step(store: &SqliteStore, step: &FailingStep) -> Result<bool> {
    let Some(tenant) = store.tenants.find(&store.readers, &step.organization).await? else { return Ok(false) };
    let (step, entry) = (step.clone(), step.seal_entry(tenant.sealer())?);
    let told = store.operational_for.of_step(&step);
    let write = move |tx: &mut WriteTx<'_>| {
        let find = "SELECT e.no FROM endpoints e LEFT JOIN streaks s ON s.endpoint_no = e.no
                    WHERE e.id = ?1 AND e.org_no = ?2 AND e.deleted = 0 AND e.status = 'active' AND coalesce(s.failures, 0) >= ?3
                    AND coalesce(e.resumed_at, ?4) <= ?4";
        let key = params![step.endpoint.0.as_bytes(), tenant.no, step.failures_min, step.began_at.0];
        let found: Option<i64> = tx.conn.prepare_cached(find)?.query_row(key, |row| row.get(0)).optional()?;
        let Some(endpoint_no) = found else { return Ok(false) };
        let is_taken = match &step.act {
            FailingAct::Warn { unless_after } => {
                let sql =
                    "UPDATE streaks SET warned_at = ? WHERE endpoint_no = ? AND (warned_at IS NULL OR warned_at <= ?)";
                tx.conn.prepare_cached(sql)?.execute(params![step.at.0, endpoint_no, unless_after.0])? == 1
            }
            FailingAct::Disable { reason, .. } => {
                let sql = "UPDATE endpoints SET status = 'disabled', disabled_reason = ?, updated_at = ? WHERE no = ?";
                tx.conn.prepare_cached(sql)?.execute(params![reason, step.at.0, endpoint_no])?;
                if let Some(entry) = &entry {
                    audit::insert(tx, tenant.no, entry)?;
                }
                count_change(tx, tenant.no)?;
                true
            }
        };
        if let Some(told) = told.as_ref().filter(|_| is_taken) {
            operational::insert(tx, tenant.no, told)?;
        }
        if is_taken && let Some(notice) = &step.notice {
            insert_notice(tx, tenant.no, endpoint_no, notice, notice.made_at, 0)?;
        }
        Ok(is_taken)
    };
    store.writer.write(STEP_BYTES, write).await
}

pub(super) fn insert_notice(
    tx: &WriteTx<'_>,
    org_no: i64,
    endpoint_no: i64,
    notice: &Notice,
    due_at: Millis,
    tries: u32,
) -> Result<(), Fault> {
    let sql = "INSERT OR IGNORE INTO notices (id, org_no, endpoint_no, kind, failures, failures_max, failing_since, last_failure,
               last_status_code, made_at, due_at, tries) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    tx.conn.prepare_cached(sql)?.execute(params![
        notice.id.0.as_bytes(),
        org_no,
        endpoint_no,
        notice.kind.as_str(),
        notice.failures,
        notice.failures_max,
        notice.failing_since.0,
        notice.last_failure.as_str(),
        notice.last_status_code,
        notice.made_at.0,
        due_at.0,
        tries,
    ])?;
    Ok(())
}

/// With the organisation's and the endpoint's id behind them.
pub(super) const NOTICE_COLUMNS: &str = "n.id, n.kind, n.failures, n.failures_max, n.failing_since, n.last_failure,
    n.last_status_code, n.made_at, n.tries, o.id, e.id";

/// Reads [`NOTICE_COLUMNS`].
pub(super) fn notice_row(row: &Row<'_>) -> rusqlite::Result<Result<(Notice, u32)>> {
    let (kind, last_failure, organization): (String, String, String) = (row.get(1)?, row.get(5)?, row.get(9)?);
    let words = notice_words(&kind, &last_failure, &organization);
    let (failures, failures_max, last_status_code) = (row.get(2)?, row.get(3)?, row.get(6)?);
    let (id, endpoint) = (NoticeId(uuid_at(row, 0)?), EndpointId(uuid_at(row, 10)?));
    let (failing_since, made_at, tries) = (millis_at(row, 4)?, millis_at(row, 7)?, row.get(8)?);
    Ok(words.map(|(kind, last_failure, organization)| {
        let notice = Notice {
            id,
            organization,
            endpoint,
            kind,
            failures,
            failures_max,
            failing_since,
            last_failure,
            last_status_code,
            made_at,
        };
        (notice, tries)
    }))
}

/// Most of the time there is none, which a reader finds without a write.
pub(super) async fn claim_notices(
    store: &SqliteStore,
    now: Millis,
    until: Millis,
    limit: usize,
) -> Result<Vec<ClaimedNotice>> {
    let any = move |reader: &mut Reader| {
        let sql = "SELECT 1 FROM notices WHERE due_at <= ? LIMIT 1";
        Ok(reader.conn.prepare_cached(sql)?.exists([now.0])?)
    };
    if !store.readers.read(any).await? {
        return Ok(Vec::new());
    }
    let write = move |tx: &mut WriteTx<'_>| {
        let sql = format!(
            "SELECT {NOTICE_COLUMNS} FROM notices n JOIN organizations o ON o.no = n.org_no AND o.deleted = 0
             JOIN endpoints e ON e.no = n.endpoint_no AND e.deleted = 0 WHERE n.due_at <= ? ORDER BY n.due_at LIMIT ?"
        );
        let mut statement = tx.conn.prepare_cached(&sql)?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let found =
            statement.query_map(params![now.0, most], notice_row)?.collect::<rusqlite::Result<Result<Vec<_>>>>()??;
        let claim = "UPDATE notices SET due_at = ?, tries = tries + 1 WHERE id = ?";
        let mut claimed = Vec::with_capacity(found.len());
        for (notice, tries) in found {
            tx.conn.prepare_cached(claim)?.execute(params![until.0, notice.id.0.as_bytes()])?;
            claimed.push(ClaimedNotice { notice, tries: tries + 1, until });
        }
        Ok(claimed)
    };
    store.writer.write(STEP_BYTES, write).await
}

pub(super) async fn settle_notice(
    store: &SqliteStore,
    claimed: &ClaimedNotice,
    again_at: Option<Millis>,
) -> Result<()> {
    let (id, until) = (claimed.notice.id, claimed.until);
    let write = move |tx: &mut WriteTx<'_>| Ok(settle(tx.conn, "notices", id.0, until, again_at)?);
    store.writer.write(STEP_BYTES, write).await
}

/// What was claimed until a moment goes, or waits again; nothing happens where it was claimed anew since.
pub(super) fn settle(
    conn: &Connection,
    table: &str,
    id: Uuid,
    until: Millis,
    again_at: Option<Millis>,
) -> rusqlite::Result<()> {
    match again_at {
        None => {
            let sql = format!("DELETE FROM {table} WHERE id = ? AND due_at = ?");
            conn.prepare_cached(&sql)?.execute(params![id.as_bytes(), until.0])?;
        }
        Some(again_at) => {
            let sql = format!("UPDATE {table} SET due_at = ? WHERE id = ? AND due_at = ?");
            conn.prepare_cached(&sql)?.execute(params![again_at.0, id.as_bytes(), until.0])?;
        }
    }
    Ok(())
}
