//! The rows of a group of outcomes, column by column, and the statements that move deliveries on.

use std::collections::BTreeSet;

use postrider_domain::Transition;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::record::SealedOutcome;
use crate::rows::fail_code;

/// What becomes of a delivery.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It goes from open work into history.
    Ended,
    /// It stays open, due later.
    Retried,
}

/// Where its open row is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the endpoint and time of its claim: one look into the index by which lanes are read.
    AsClaimed,
    /// By its id.
    Anywhere,
}

/// Outcomes of one kind.
#[derive(Default)]
pub(super) struct Columns<'a> {
    no: Vec<i32>,
    lease: Vec<i64>,
    org: Vec<Uuid>,
    endpoint: Vec<Uuid>,
    due_at: Vec<i64>,
    id: Vec<Uuid>,
    attempts_before: Vec<i32>,
    attempts_count: Vec<i32>,
    slots_used: Vec<i32>,
    initial_failure_at: Vec<Option<i64>>,
    /// When it ended, or when the next attempt is due.
    then_at: Vec<i64>,
    fail_reason: Vec<i16>,
    event_id: Vec<Option<&'a str>>,
    attempt_id: Vec<Uuid>,
    started_at: Vec<i64>,
    response_time_ms: Vec<i32>,
    by_hand: Vec<bool>,
    status_code: Vec<Option<i16>>,
    failure: Vec<Option<&'static str>>,
    sealed: Vec<&'a [u8]>,
    /// The organisations and endpoints of all, each once.
    lanes: (Vec<Uuid>, Vec<Uuid>),
}

impl<'a> Columns<'a> {
    pub(super) fn of(all: &[&'a SealedOutcome], which: &[usize], kind: Kind) -> Self {
        let mut columns = Columns::default();
        for at in which {
            let outcome = all[*at];
            let (of_kind, then_at, reason) = match outcome.transition {
                Transition::Succeed => (Kind::Ended, outcome.ended_at, None),
                Transition::Fail(reason) => (Kind::Ended, outcome.ended_at, Some(reason)),
                Transition::RetryAt(due_at) => (Kind::Retried, due_at.0, None),
            };
            if of_kind == kind {
                columns.add(*at, outcome, then_at, fail_code(reason));
            }
        }
        let lanes: BTreeSet<_> = columns.org.iter().copied().zip(columns.endpoint.iter().copied()).collect();
        columns.lanes = lanes.into_iter().unzip();
        columns
    }

    fn add(&mut self, at: usize, outcome: &'a SealedOutcome, then_at: i64, fail_reason: i16) {
        let delivery = &outcome.delivery;
        self.no.push(i32::try_from(at).unwrap_or(i32::MAX));
        self.lease.push(outcome.lease.0);
        self.org.push(outcome.org);
        self.endpoint.push(delivery.endpoint.0);
        self.due_at.push(delivery.due_at.0);
        self.id.push(delivery.id.0);
        self.attempts_before.push(outcome.attempts_before());
        self.attempts_count.push(outcome.attempts_count);
        self.slots_used.push(outcome.slots_used);
        self.initial_failure_at.push(outcome.initial_failure_at);
        self.then_at.push(then_at);
        self.fail_reason.push(fail_reason);
        self.event_id.push(outcome.chosen_id());
        self.attempt_id.push(outcome.attempt_id);
        self.started_at.push(outcome.started_at);
        self.response_time_ms.push(outcome.response_time_ms);
        self.by_hand.push(outcome.by_hand);
        self.status_code.push(outcome.status_code);
        self.failure.push(outcome.failure);
        self.sealed.push(&outcome.sealed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.no.is_empty()
    }

    /// As [`statement`] numbers them.
    pub(super) fn values<'b>(&'b self, leases: &'b Vec<i64>) -> Vec<&'b (dyn ToSql + Sync)> {
        vec![
            &self.no,
            &self.lease,
            &self.org,
            &self.endpoint,
            &self.due_at,
            &self.id,
            &self.attempts_before,
            &self.attempts_count,
            &self.slots_used,
            &self.initial_failure_at,
            &self.then_at,
            &self.fail_reason,
            &self.event_id,
            &self.attempt_id,
            &self.started_at,
            &self.response_time_ms,
            &self.by_hand,
            &self.status_code,
            &self.failure,
            &self.sealed,
            leases,
            &self.lanes.0,
            &self.lanes.1,
        ]
    }
}

/// What is given, and who may not have it: revoked leases, and endpoints that are gone, alone or with their organisation.
macro_rules! given {
    () => {
        "WITH given AS (
            SELECT * FROM unnest($1::integer[], $2::bigint[], $3::uuid[], $4::uuid[], $5::bigint[], $6::uuid[], $7::integer[],
                $8::integer[], $9::integer[], $10::bigint[], $11::bigint[], $12::smallint[], $13::text[], $14::uuid[],
                $15::bigint[], $16::integer[], $17::boolean[], $18::smallint[], $19::text[], $20::bytea[])
            AS g(no, lease, org, endpoint, due_at, id, attempts_before, attempts_count, slots_used, initial_failure_at, then_at,
                fail_reason, event_id, attempt_id, started_at, response_time_ms, by_hand, status_code, failure, sealed)
        ), revoked AS MATERIALIZED (
            SELECT w.no FROM unnest($21::bigint[]) AS w(no)
            WHERE NOT EXISTS (SELECT FROM leases l WHERE l.no = w.no AND NOT l.revoked)
        ), gone AS MATERIALIZED (
            SELECT w.org, w.endpoint FROM unnest($22::uuid[], $23::uuid[]) AS w(org, endpoint)
            WHERE NOT EXISTS (SELECT FROM endpoints e WHERE e.org = w.org AND e.id = w.endpoint AND NOT e.deleted)
        ), "
    };
}

macro_rules! may {
    () => {
        " AND d.attempts_count = g.attempts_before
          AND NOT EXISTS (SELECT FROM revoked r WHERE r.no = g.lease)
          AND NOT EXISTS (SELECT FROM gone x WHERE x.org = g.org AND x.endpoint = g.endpoint)"
    };
}

macro_rules! as_claimed {
    () => {
        " WHERE d.org = g.org AND d.endpoint = g.endpoint AND d.due_at = g.due_at AND d.id = g.id"
    };
}

macro_rules! anywhere {
    () => {
        " WHERE d.org = g.org AND d.id = g.id"
    };
}

/// The attempts of what was moved.
macro_rules! tried {
    () => {
        "), tried AS (
            INSERT INTO attempts (org, delivery, id, started_at, response_time_ms, by_hand, status_code, failure, sealed)
            SELECT org, id, attempt_id, started_at, response_time_ms, by_hand, status_code, failure, sealed FROM moved
        ) SELECT no FROM moved"
    };
}

macro_rules! end {
    ($place:expr) => {
        concat!(
            given!(),
            "moved AS (
                DELETE FROM open_deliveries d USING given g",
            $place,
            may!(),
            " RETURNING g.*, d.event_key, d.event_type, d.revision, d.test, d.created_at,
                    coalesce(g.status_code, d.last_status_code) AS last_status_code
            ), ended AS (
                INSERT INTO deliveries (org, id, endpoint, event_key, event_id, event_type, revision, test, created_at, ended_at,
                    fail_reason, attempts_count, slots_used, initial_failure_at, last_status_code)
                SELECT org, id, endpoint, event_key, event_id, event_type, revision, test, created_at, then_at,
                    fail_reason, attempts_count, slots_used, initial_failure_at, last_status_code FROM moved
            ",
            tried!()
        )
    };
}

macro_rules! retry {
    ($place:expr) => {
        concat!(
            given!(),
            "moved AS (
                UPDATE open_deliveries d SET due_at = g.then_at, attempts_count = g.attempts_count, slots_used = g.slots_used,
                    initial_failure_at = g.initial_failure_at, resume = NULL, resume_at = NULL,
                    last_status_code = coalesce(g.status_code, d.last_status_code)
                FROM given g",
            $place,
            may!(),
            " RETURNING g.*
            ",
            tried!()
        )
    };
}

/// Returns the numbers of the outcomes that were recorded.
pub(super) fn statement(kind: Kind, place: Place) -> &'static str {
    match (kind, place) {
        (Kind::Ended, Place::AsClaimed) => end!(as_claimed!()),
        (Kind::Ended, Place::Anywhere) => end!(anywhere!()),
        (Kind::Retried, Place::AsClaimed) => retry!(as_claimed!()),
        (Kind::Retried, Place::Anywhere) => retry!(anywhere!()),
    }
}
