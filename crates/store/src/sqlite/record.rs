//! Records attempts and moves their deliveries on.

use std::sync::Arc;

use postrider_domain::{
    AttemptId, FailReason, FailureKind, Millis, OperationalEvent, Progress, StreakChange, Transition,
};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::SqliteStore;
use super::failing::change_streak;
use super::operational;
use super::turns::{self, Place};
use super::writer::{Fault, WriteTx};
use crate::error::Result;
use crate::model::{OpenDelivery, Outcome, Recorded, WAITING};
use crate::rows::{chosen_id, fail_code, seal_attempt};

/// About what an outcome takes in a group beside its sealed text.
const OUTCOME_BYTES: usize = 256;

/// An outcome whose attempt is sealed already.
pub(super) struct SealedOutcome {
    org_no: i64,
    delivery: Arc<OpenDelivery>,
    attempt_id: AttemptId,
    started_at: Millis,
    response_time_ms: u32,
    by_hand: bool,
    status_code: Option<u16>,
    failure: Option<FailureKind>,
    progress: Progress,
    transition: Transition,
    ended_at: Millis,
    streak: StreakChange,
    operational: Option<OperationalEvent>,
    sealed: Vec<u8>,
}

impl SealedOutcome {
    /// About what it takes in a group.
    pub(super) fn bytes(&self) -> usize {
        self.sealed.len() + OUTCOME_BYTES
    }
}

pub(super) async fn record_outcomes(store: &SqliteStore, outcomes: &[Outcome]) -> Result<Vec<Recorded>> {
    if outcomes.is_empty() {
        return Ok(Vec::new());
    }
    let mut sealed = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        sealed.push(seal(store, outcome).await?);
    }
    // What a revoked lease's attempts made of their deliveries is not recorded: each is answered as stale.
    for (outcome, sealed) in outcomes.iter().zip(&mut sealed) {
        if store.leases.require(outcome.lease).is_err() {
            *sealed = None;
        }
    }
    let bytes = sealed.iter().flatten().map(SealedOutcome::bytes).sum();
    let write = move |tx: &mut WriteTx<'_>| {
        let mut prepared = Prepared::new(tx.conn)?;
        sealed.iter().map(|outcome| apply(tx, &mut prepared, outcome.as_ref())).collect()
    };
    store.writer.write(bytes, write).await
}

/// None when the organisation is gone: there is no key to seal with, and nobody may read it.
pub(super) async fn seal(store: &SqliteStore, outcome: &Outcome) -> Result<Option<SealedOutcome>> {
    let Some(tenant) = store.tenants.find(&store.readers, &outcome.delivery.organization).await? else {
        return Ok(None);
    };
    let attempt = &outcome.attempt;
    Ok(Some(SealedOutcome {
        org_no: tenant.no,
        delivery: Arc::clone(&outcome.delivery),
        attempt_id: attempt.id,
        started_at: attempt.started_at,
        response_time_ms: attempt.response_time_ms,
        by_hand: attempt.by_hand,
        status_code: attempt.response.as_ref().map(|response| response.status_code),
        failure: attempt.failure.as_ref().map(|failure| failure.kind),
        progress: outcome.progress,
        transition: outcome.transition,
        ended_at: outcome.ended_at,
        streak: outcome.streak,
        operational: store.operational_for.of_outcome(outcome),
        sealed: seal_attempt(tenant.sealer(), attempt)?,
    }))
}

/// The statements of the usual way, looked up once a batch.
pub(super) struct Prepared<'a> {
    delete_untried: CachedStatement<'a>,
    insert_attempt: CachedStatement<'a>,
    insert_history: CachedStatement<'a>,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(conn: &'a Connection) -> rusqlite::Result<Self> {
        let delete_untried =
            "DELETE FROM open_deliveries WHERE endpoint_no = ? AND due_at = ? AND id = ? AND attempts_count = 0";
        let insert_attempt =
            "INSERT INTO attempts (no, prev_no, org_no, id, started_at, response_time_ms, by_hand, status_code,
            failure, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let insert_history = "INSERT INTO deliveries (no, org_no, endpoint_no, id, event_key, event_id, type_no, revision_no, test,
            created_at, ended_at, fail_reason, attempts_count, slots_used, initial_failure_at, last_status_code, last_attempt_no)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        Ok(Prepared {
            delete_untried: conn.prepare_cached(delete_untried)?,
            insert_attempt: conn.prepare_cached(insert_attempt)?,
            insert_history: conn.prepare_cached(insert_history)?,
        })
    }
}

/// What an outcome's row is filled with; looked up before the outcome writes. One that is refused undoes its whole batch.
#[derive(Clone, Copy)]
struct Filling {
    endpoint_no: i64,
    type_no: i64,
    revision_no: i64,
}

pub(super) fn apply(
    tx: &mut WriteTx<'_>,
    prepared: &mut Prepared<'_>,
    outcome: Option<&SealedOutcome>,
) -> Result<Recorded, Fault> {
    let Some(outcome) = outcome else { return Ok(Recorded::Stale) };
    let delivery = &outcome.delivery;
    let endpoint = tx.numbers.endpoint(tx.conn, outcome.org_no, delivery.endpoint)?;
    let Some(endpoint_no) = endpoint else { return Ok(Recorded::Stale) };
    let type_no = tx.numbers.word(tx.conn, &delivery.event_type)?;
    let revision_no = tx.numbers.revision(tx.conn, delivery.revision)?;
    let filling = Filling { endpoint_no, type_no, revision_no };
    let recorded = match outcome.transition {
        Transition::Succeed => end(tx, prepared, filling, outcome, None)?,
        Transition::Fail(reason) => end(tx, prepared, filling, outcome, Some(reason))?,
        Transition::RetryAt(due_at) => retry_at(tx, prepared, outcome, due_at)?,
    };
    if recorded == Recorded::Stale {
        return Ok(recorded);
    }
    if let Some(event) = &outcome.operational {
        operational::insert(tx, outcome.org_no, event)?;
    }
    let streak = change_streak(tx, outcome.org_no, endpoint_no, outcome.streak, outcome.ended_at)?;
    Ok(streak.map_or(recorded, Recorded::Counted))
}

/// From open work into history.
fn end(
    tx: &mut WriteTx<'_>,
    prepared: &mut Prepared<'_>,
    filling: Filling,
    outcome: &SealedOutcome,
    reason: Option<FailReason>,
) -> Result<Recorded, Fault> {
    let before = if delete_untried(prepared, filling.endpoint_no, outcome)? {
        Last::default()
    } else {
        let Some(open) = find(tx, outcome)? else { return Ok(Recorded::Stale) };
        delete(tx, &open, outcome)?;
        open.last
    };
    tx.open_added -= 1;
    let attempt_no = insert_attempt(tx, prepared, outcome, before.attempt_no)?;
    let last = Last { attempt_no: Some(attempt_no), status_code: outcome.status_code.or(before.status_code) };
    insert_history(tx, prepared, filling, outcome, reason, last)?;
    if let Some(turn) = outcome.delivery.turn {
        let place = Place::of(outcome.org_no, filling.endpoint_no, turn, &outcome.delivery.event);
        turns::leave(tx.conn, &place, outcome.ended_at)?;
    }
    Ok(Recorded::Recorded)
}

/// The usual case in one statement: the first attempt, due when it was claimed.
fn delete_untried(prepared: &mut Prepared<'_>, endpoint_no: i64, outcome: &SealedOutcome) -> Result<bool, Fault> {
    let delivery = &outcome.delivery;
    if delivery.progress.attempts_count != 0 {
        return Ok(false);
    }
    let place = params![endpoint_no, delivery.due_at.0, delivery.id.0.as_bytes()];
    Ok(prepared.delete_untried.execute(place)? == 1)
}

/// A delivery's last attempt, and the last answer's status code.
#[derive(Clone, Copy, Default)]
struct Last {
    attempt_no: Option<i64>,
    status_code: Option<u16>,
}

/// Where an open delivery lies, and what was before.
struct Found {
    endpoint_no: i64,
    due_at: i64,
    last: Last,
}

/// The open delivery, unless another attempt of it was recorded since it was claimed.
fn find(tx: &WriteTx<'_>, outcome: &SealedOutcome) -> Result<Option<Found>, Fault> {
    let sql = "SELECT endpoint_no, due_at, last_attempt_no, last_status_code FROM open_deliveries
               WHERE org_no = ? AND id = ? AND attempts_count = ?";
    let delivery = &outcome.delivery;
    let claimed = params![outcome.org_no, delivery.id.0.as_bytes(), delivery.progress.attempts_count];
    let read = |row: &rusqlite::Row<'_>| {
        let last = Last { attempt_no: row.get(2)?, status_code: row.get(3)? };
        Ok(Found { endpoint_no: row.get(0)?, due_at: row.get(1)?, last })
    };
    Ok(tx.conn.prepare_cached(sql)?.query_row(claimed, read).optional()?)
}

fn delete(tx: &WriteTx<'_>, open: &Found, outcome: &SealedOutcome) -> Result<(), Fault> {
    let sql = "DELETE FROM open_deliveries WHERE endpoint_no = ? AND due_at = ? AND id = ?";
    let id = outcome.delivery.id.0.as_bytes();
    tx.conn.prepare_cached(sql)?.execute(params![open.endpoint_no, open.due_at, id])?;
    Ok(())
}

fn insert_attempt(
    tx: &mut WriteTx<'_>,
    prepared: &mut Prepared<'_>,
    outcome: &SealedOutcome,
    prev_no: Option<i64>,
) -> Result<i64, Fault> {
    let no = tx.numbers.next.attempt();
    prepared.insert_attempt.execute(params![
        no,
        prev_no,
        outcome.org_no,
        outcome.attempt_id.0.as_bytes(),
        outcome.started_at.0,
        outcome.response_time_ms,
        outcome.by_hand,
        outcome.status_code,
        outcome.failure.map(FailureKind::as_str),
        outcome.sealed,
    ])?;
    Ok(no)
}

fn insert_history(
    tx: &mut WriteTx<'_>,
    prepared: &mut Prepared<'_>,
    filling: Filling,
    outcome: &SealedOutcome,
    reason: Option<FailReason>,
    last: Last,
) -> Result<(), Fault> {
    let delivery = &outcome.delivery;
    prepared.insert_history.execute(params![
        tx.numbers.next.delivery(),
        outcome.org_no,
        filling.endpoint_no,
        delivery.id.0.as_bytes(),
        delivery.event.key.as_bytes(),
        chosen_id(&delivery.event.id, delivery.event.key),
        filling.type_no,
        filling.revision_no,
        delivery.test,
        delivery.created_at.0,
        outcome.ended_at.0,
        fail_code(reason),
        outcome.progress.attempts_count,
        outcome.progress.slots_used,
        outcome.progress.initial_failure_at.map(|at| at.0),
        last.status_code,
        last.attempt_no,
    ])?;
    Ok(())
}

/// It stays open, due later.
fn retry_at(
    tx: &mut WriteTx<'_>,
    prepared: &mut Prepared<'_>,
    outcome: &SealedOutcome,
    due_at: Millis,
) -> Result<Recorded, Fault> {
    let Some(open) = find(tx, outcome)? else { return Ok(Recorded::Stale) };
    let attempt_no = insert_attempt(tx, prepared, outcome, open.last.attempt_no)?;
    let sql = "UPDATE open_deliveries SET due_at = ?, attempts_count = ?, slots_used = ?, initial_failure_at = ?, resume = NULL,
               resume_at = NULL, last_status_code = ?, last_attempt_no = ? WHERE endpoint_no = ? AND due_at = ? AND id = ?";
    tx.conn.prepare_cached(sql)?.execute(params![
        due_at.0,
        outcome.progress.attempts_count,
        outcome.progress.slots_used,
        outcome.progress.initial_failure_at.map(|at| at.0),
        outcome.status_code.or(open.last.status_code),
        attempt_no,
        open.endpoint_no,
        open.due_at,
        outcome.delivery.id.0.as_bytes(),
    ])?;
    // Sent out of turn by hand, it waits again, unless its turn has come meanwhile.
    if let Some(turn) = outcome.delivery.turn.filter(|_| due_at == WAITING) {
        let place = Place::of(outcome.org_no, open.endpoint_no, turn, &outcome.delivery.event);
        turns::call(tx.conn, &place, outcome.ended_at)?;
    }
    Ok(Recorded::Recorded)
}
