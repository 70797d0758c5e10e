//! The attempts of a delivery, one after another.

use crate::advice::Failure;
use crate::api::Attempt;
use crate::say::Say;

/// One attempt, as the timeline shows it.
pub(super) struct Step {
    pub(super) started_at: String,
    pub(super) took: String,
    pub(super) status_code: Option<u16>,
    pub(super) by_hand: bool,
    /// Its request was refused first, and sent again at once with the secrets swapped.
    pub(super) is_swapped: bool,
    pub(super) failure: Option<Failure>,
    /// Where what it sent and got is shown.
    pub(super) path: String,
    /// It is what is shown now.
    pub(super) is_shown: bool,
}

impl Step {
    pub(super) fn new(say: Say, attempt: &Attempt, shown: Option<&str>, path: &str) -> Self {
        Step {
            started_at: attempt.started_at.clone(),
            took: say.milliseconds(attempt.response_time_ms),
            status_code: attempt.status_code,
            by_hand: attempt.by_hand,
            is_swapped: attempt.refused_first.is_some(),
            failure: attempt.error.as_ref().map(|error| Failure::new(say, error, attempt.status_code)),
            path: format!("{path}?attempt={}#exchange", attempt.id),
            is_shown: shown == Some(&attempt.id),
        }
    }

    /// The word that colours it.
    pub(super) fn outcome(&self) -> &'static str {
        if self.failure.is_some() { "failed" } else { "succeeded" }
    }
}
