//! Deliveries: their states and every transition between them, in this one place.

use std::time::Duration;

use crate::attempt::Verdict;
use crate::schedule::{Failed, Schedule};
use crate::time::Millis;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// An attempt is due, now or later.
    Pending,
    /// A receiver has it.
    Succeeded,
    /// No more attempts will be made unless somebody asks.
    Failed,
}

impl DeliveryStatus {
    /// The name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryStatus::Pending => "pending",
            DeliveryStatus::Succeeded => "succeeded",
            DeliveryStatus::Failed => "failed",
        }
    }

    /// Reads what [`DeliveryStatus::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Succeeded, Self::Failed].into_iter().find(|s| s.as_str() == text)
    }
}

/// Why a delivery failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailReason {
    /// Every attempt of the schedule failed.
    Exhausted,
    /// The receiver answered 410.
    Gone,
    /// Its event's retention ended first.
    Expired,
    /// Its endpoint was deleted before it was sent.
    EndpointDeleted,
    /// Its event was erased before it was sent.
    Erased,
}

impl FailReason {
    /// Every reason.
    pub const ALL: [FailReason; 5] = [Self::Exhausted, Self::Gone, Self::Expired, Self::EndpointDeleted, Self::Erased];

    /// The name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FailReason::Exhausted => "exhausted",
            FailReason::Gone => "gone",
            FailReason::Expired => "expired",
            FailReason::EndpointDeleted => "endpoint_deleted",
            FailReason::Erased => "erased",
        }
    }

    /// Reads what [`FailReason::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == text)
    }
}

/// How far a pending delivery has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Attempts made, scheduled and by hand.
    pub attempts_count: u32,
    /// Steps of the schedule used up.
    pub slots_used: u32,
    /// When the first scheduled attempt failed.
    pub initial_failure_at: Option<Millis>,
}

/// Who asked for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The schedule.
    Schedule,
    /// A person; uses up no slot (contracts.md, reading 17).
    Person {
        /// Where the delivery stood when it was asked for.
        resume: Resume,
    },
}

/// What goes on after a retry by hand failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// The schedule's own next attempt.
    At(Millis),
    /// Nothing: the delivery had failed, and why.
    Failed(FailReason),
    /// Nothing: the delivery had succeeded, and still has.
    Succeeded,
}

/// What an attempt made of its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It is done.
    Succeed,
    /// It stays pending.
    RetryAt(Millis),
    /// It failed for good.
    Fail(FailReason),
}

/// How an attempt ended, for [`after_attempt`].
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// What it means.
    pub verdict: Verdict,
    /// Who asked for it.
    pub trigger: Trigger,
    /// When it began.
    pub started_at: Millis,
    /// When it ended.
    pub ended_at: Millis,
    /// What the receiver asked for in `Retry-After`.
    pub retry_after: Option<Duration>,
    /// A random number from 0 up to, and without, 1.
    pub jitter_unit: f64,
}

/// The one place where a delivery's state changes: its progress and what becomes of it after an attempt.
#[must_use]
pub fn after_attempt(progress: Progress, ended: Ended, schedule: &Schedule) -> (Progress, Transition) {
    let counted = Progress { attempts_count: progress.attempts_count.saturating_add(1), ..progress };
    match (ended.verdict, ended.trigger) {
        (Verdict::Delivered, _) | (_, Trigger::Person { resume: Resume::Succeeded }) => (counted, Transition::Succeed),
        (Verdict::Gone, _) => (counted, Transition::Fail(FailReason::Gone)),
        (Verdict::Failed, Trigger::Person { resume: Resume::At(due_at) }) => (counted, Transition::RetryAt(due_at)),
        (Verdict::Failed, Trigger::Person { resume: Resume::Failed(reason) }) => (counted, Transition::Fail(reason)),
        (Verdict::Failed, Trigger::Schedule) => after_scheduled_failure(counted, ended, schedule),
    }
}

fn after_scheduled_failure(counted: Progress, ended: Ended, schedule: &Schedule) -> (Progress, Transition) {
    let initial_failure_at = counted.initial_failure_at.unwrap_or(ended.ended_at);
    let failed = Failed {
        initial_failure_at,
        slots_used: counted.slots_used,
        started_at: ended.started_at,
        ended_at: ended.ended_at,
        retry_after: ended.retry_after,
        jitter_unit: ended.jitter_unit,
    };
    let progress = Progress { initial_failure_at: Some(initial_failure_at), ..counted };
    match schedule.next(failed) {
        Some(slot) => (Progress { slots_used: slot.slots_used, ..progress }, Transition::RetryAt(slot.due_at)),
        None => (progress, Transition::Fail(FailReason::Exhausted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::ScheduleKind;

    fn schedule() -> Schedule {
        let steps = vec![Duration::from_secs(60), Duration::from_secs(300)];
        Schedule { kind: ScheduleKind::At, steps, jitter: 0.0 }
    }

    fn ended(verdict: Verdict, trigger: Trigger, at_s: i64) -> Ended {
        let at = Millis(at_s * 1000);
        Ended { verdict, trigger, started_at: at, ended_at: at, retry_after: None, jitter_unit: 0.0 }
    }

    #[test]
    fn a_delivery_that_always_fails_is_exhausted_after_its_schedule() {
        let mut progress = Progress::default();
        let mut at_s = 0;
        let mut seen = vec![];
        for _ in 0..3 {
            let end = ended(Verdict::Failed, Trigger::Schedule, at_s);
            let (next, transition) = after_attempt(progress, end, &schedule());
            progress = next;
            if let Transition::RetryAt(due_at) = transition {
                at_s = due_at.0 / 1000;
            }
            seen.push(transition);
        }
        let expected = [
            Transition::RetryAt(Millis(60_000)),
            Transition::RetryAt(Millis(300_000)),
            Transition::Fail(FailReason::Exhausted),
        ];
        assert_eq!(seen, expected);
        assert_eq!(progress.attempts_count, 3);
    }

    #[test]
    fn success_ends_it_whoever_asked() {
        for trigger in [Trigger::Schedule, Trigger::Person { resume: Resume::Failed(FailReason::Exhausted) }] {
            let (progress, transition) =
                after_attempt(Progress::default(), ended(Verdict::Delivered, trigger, 0), &schedule());
            assert_eq!((progress.attempts_count, transition), (1, Transition::Succeed));
        }
    }

    #[test]
    fn gone_ends_it_with_slots_left() {
        let end = ended(Verdict::Gone, Trigger::Schedule, 0);
        assert_eq!(after_attempt(Progress::default(), end, &schedule()).1, Transition::Fail(FailReason::Gone));
    }

    #[test]
    fn a_retry_by_hand_uses_up_no_slot() {
        let before = Progress { attempts_count: 1, slots_used: 1, initial_failure_at: Some(Millis(0)) };
        let by_hand = Trigger::Person { resume: Resume::At(Millis(60_000)) };
        let (after, transition) = after_attempt(before, ended(Verdict::Failed, by_hand, 30), &schedule());
        assert_eq!(transition, Transition::RetryAt(Millis(60_000)));
        assert_eq!(after, Progress { attempts_count: 2, ..before });
    }

    #[test]
    fn a_failed_retry_by_hand_of_an_ended_delivery_leaves_it_ended() {
        let by_hand = Trigger::Person { resume: Resume::Failed(FailReason::Exhausted) };
        let (_, transition) = after_attempt(Progress::default(), ended(Verdict::Failed, by_hand, 30), &schedule());
        assert_eq!(transition, Transition::Fail(FailReason::Exhausted));
    }
}
