//! Records attempts and moves their deliveries on: what is done in the caller's own task. The rest is [`super::record_group`]'s.

use std::sync::Arc;

use postrider_domain::{FailureKind, OperationalEvent, StreakChange, Transition};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::PostgresStore;
use crate::error::Result;
use crate::model::{LeaseNo, OpenDelivery, Outcome, Recorded};
use crate::rows::{chosen_id, record_hashes, seal_attempt};

/// About what an outcome takes in a group beside its sealed text.
const OUTCOME_BYTES: usize = 300;

/// An outcome whose attempt is sealed already.
pub(super) struct SealedOutcome {
    pub(super) org: Uuid,
    pub(super) lease: LeaseNo,
    pub(super) delivery: Arc<OpenDelivery>,
    pub(super) transition: Transition,
    pub(super) attempt_id: Uuid,
    pub(super) started_at: i64,
    pub(super) ended_at: i64,
    pub(super) response_time_ms: i32,
    pub(super) by_hand: bool,
    pub(super) status_code: Option<i16>,
    pub(super) failure: Option<&'static str>,
    /// Of the progress that the delivery has made now.
    pub(super) attempts_count: i32,
    pub(super) slots_used: i32,
    pub(super) initial_failure_at: Option<i64>,
    pub(super) streak: StreakChange,
    pub(super) operational: Option<OperationalEvent>,
    pub(super) sealed: Vec<u8>,
    /// The lines that its delivery has a turn in.
    pub(super) records: Vec<i64>,
}

impl SealedOutcome {
    /// The event's id where the caller chose it.
    pub(super) fn chosen_id(&self) -> Option<&str> {
        chosen_id(&self.delivery.event.id, self.delivery.event.key)
    }

    /// Attempts that were made of the delivery when it was claimed.
    pub(super) fn attempts_before(&self) -> i32 {
        i32::try_from(self.delivery.progress.attempts_count).unwrap_or(i32::MAX)
    }

    /// About what it takes in a group.
    pub(super) fn bytes(&self) -> usize {
        self.sealed.len() + OUTCOME_BYTES
    }
}

/// What one caller wants recorded. Each outcome is recorded or stale by itself.
pub(super) struct RecordUnit {
    pub(super) outcomes: Vec<SealedOutcome>,
    pub(super) reply: oneshot::Sender<Result<Vec<Recorded>>>,
}

pub(super) async fn record_outcomes(store: &PostgresStore, outcomes: &[Outcome]) -> Result<Vec<Recorded>> {
    let mut sealed = Vec::with_capacity(outcomes.len());
    let mut places = Vec::with_capacity(outcomes.len());
    for (place, outcome) in outcomes.iter().enumerate() {
        if let Some(outcome) = seal(store, outcome).await? {
            sealed.push(outcome);
            places.push(place);
        }
    }
    let mut recorded = vec![Recorded::Stale; outcomes.len()];
    if sealed.is_empty() {
        return Ok(recorded);
    }
    let bytes = sealed.iter().map(SealedOutcome::bytes).sum();
    let answers = store.writers.record(bytes, |reply| RecordUnit { outcomes: sealed, reply }).await?;
    for (place, answer) in places.into_iter().zip(answers) {
        recorded[place] = answer;
    }
    Ok(recorded)
}

/// None when the organisation is gone: there is no key to seal with, and nobody may read it.
pub(super) async fn seal(store: &PostgresStore, outcome: &Outcome) -> Result<Option<SealedOutcome>> {
    let Some(tenant) = store.tenants.find(store, &outcome.delivery.organization).await? else { return Ok(None) };
    let (attempt, progress) = (&outcome.attempt, outcome.progress);
    let int = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    Ok(Some(SealedOutcome {
        org: tenant.org,
        lease: outcome.lease,
        delivery: Arc::clone(&outcome.delivery),
        transition: outcome.transition,
        attempt_id: attempt.id.0,
        started_at: attempt.started_at.0,
        ended_at: outcome.ended_at.0,
        response_time_ms: attempt.response_time_ms.cast_signed(),
        by_hand: attempt.by_hand,
        status_code: attempt.response.as_ref().map(|response| response.status_code.cast_signed()),
        failure: attempt.failure.as_ref().map(|failure| FailureKind::as_str(failure.kind)),
        attempts_count: int(progress.attempts_count),
        slots_used: int(progress.slots_used),
        initial_failure_at: progress.initial_failure_at.map(|at| at.0),
        streak: outcome.streak,
        operational: store.operational_for.of_outcome(outcome),
        sealed: seal_attempt(tenant.sealer(), attempt)?,
        records: match outcome.delivery.turn {
            Some(_) => record_hashes(tenant.owner(), &outcome.delivery.event),
            None => Vec::new(),
        },
    }))
}
