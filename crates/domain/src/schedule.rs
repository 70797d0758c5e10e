//! Retry schedules: when the next attempt of a delivery is due.

use std::time::Duration;

use crate::time::Millis;

/// How a schedule counts (contracts.md, reading 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleKind {
    /// Offsets from the initial failure: "After the initial failure, retries are attempted at 1 minute, …" (document 000).
    At,
    /// Waits since the previous attempt ended: "Retry 1: 1 minute" … (document 001).
    After,
}

/// A contract's retries. An empty schedule never retries.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// What the steps count from.
    pub kind: ScheduleKind,
    /// One entry a retry: ascending offsets for `At`, waits for `After`.
    pub steps: Vec<Duration>,
    /// How much of a wait may be added at random, from 0 (none) to 1 (up to double).
    pub jitter: f64,
}

/// The slot chosen for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// When it is due.
    pub due_at: Millis,
    /// How many steps are used up once it has been taken.
    pub slots_used: u32,
}

/// What is known when a scheduled attempt has failed.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// When the first attempt failed; for the first attempt, `ended_at`.
    pub initial_failure_at: Millis,
    /// Steps used up before.
    pub slots_used: u32,
    /// When this attempt began.
    pub started_at: Millis,
    /// When this attempt ended.
    pub ended_at: Millis,
    /// What the receiver asked for in `Retry-After`.
    pub retry_after: Option<Duration>,
    /// A random number from 0 up to, and without, 1.
    pub jitter_unit: f64,
}

impl Schedule {
    /// How many retries there are.
    #[must_use]
    pub fn retries(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// The slot of the next retry, or none when the schedule is used up.
    ///
    /// Offsets that passed before the attempt began collapse into that attempt (contracts.md, reading 17). `Retry-After` moves a
    /// slot later, never earlier, and never beyond the schedule's last slot (RFC 9110, section 10.2.3, within our bounds).
    #[must_use]
    pub fn next(&self, failed: Failed) -> Option<Slot> {
        let index = match self.kind {
            ScheduleKind::After => failed.slots_used as usize,
            ScheduleKind::At => self.first_offset_after(failed.slots_used as usize, failed)?,
        };
        let planned = self.planned(index, failed)?;
        let last = self.last(index, planned, failed);
        let asked = failed.retry_after.map_or(planned, |wait| failed.ended_at + wait);
        let due_at = asked.clamp(planned, last.max(planned));
        Some(Slot { due_at, slots_used: u32::try_from(index + 1).unwrap_or(u32::MAX) })
    }

    fn first_offset_after(&self, from: usize, failed: Failed) -> Option<usize> {
        let is_ahead = |offset: &Duration| failed.initial_failure_at + *offset > failed.started_at;
        (from..self.steps.len()).find(|&i| is_ahead(&self.steps[i]))
    }

    fn planned(&self, index: usize, failed: Failed) -> Option<Millis> {
        let step = *self.steps.get(index)?;
        let spread = step.mul_f64((self.jitter * failed.jitter_unit).clamp(0.0, 1.0));
        let base = match self.kind {
            ScheduleKind::At => failed.initial_failure_at,
            ScheduleKind::After => failed.ended_at,
        };
        Some(base + step + spread)
    }

    fn last(&self, index: usize, planned: Millis, failed: Failed) -> Millis {
        match self.kind {
            ScheduleKind::At => self.steps.last().map_or(planned, |offset| failed.initial_failure_at + *offset),
            ScheduleKind::After => self.steps[index + 1..].iter().fold(planned, |at, wait| at + *wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEPS_S: [u64; 5] = [60, 300, 1_800, 7_200, 86_400];

    fn schedule(kind: ScheduleKind) -> Schedule {
        Schedule { kind, steps: STEPS_S.iter().map(|s| Duration::from_secs(*s)).collect(), jitter: 0.0 }
    }

    fn failed(slots_used: u32, started_s: i64) -> Failed {
        let at = Millis(started_s * 1000);
        Failed {
            initial_failure_at: Millis(0),
            slots_used,
            started_at: at,
            ended_at: at,
            retry_after: None,
            jitter_unit: 0.0,
        }
    }

    #[test]
    fn offsets_count_from_the_initial_failure() {
        let schedule = schedule(ScheduleKind::At);
        let mut at_s = 0;
        let mut dues = vec![];
        let mut used = 0;
        while let Some(slot) = schedule.next(failed(used, at_s)) {
            (at_s, used) = (slot.due_at.0 / 1000, slot.slots_used);
            dues.push(at_s);
        }
        assert_eq!(dues, STEPS_S.map(|s| i64::try_from(s).unwrap()));
    }

    #[test]
    fn waits_count_from_the_previous_attempt() {
        let schedule = schedule(ScheduleKind::After);
        let mut at_s = 0;
        let mut dues = vec![];
        let mut used = 0;
        while let Some(slot) = schedule.next(failed(used, at_s)) {
            (at_s, used) = (slot.due_at.0 / 1000, slot.slots_used);
            dues.push(at_s);
        }
        assert_eq!(dues, [60, 360, 2_160, 9_360, 95_760]);
    }

    #[test]
    fn offsets_that_passed_while_stopped_collapse_into_one_attempt() {
        // Due at 60 s, sent at 10,000 s: the slots of 60 s to 2 h are gone, the one of 24 h is next.
        let slot = schedule(ScheduleKind::At).next(failed(1, 10_000)).unwrap();
        assert_eq!((slot.due_at, slot.slots_used), (Millis(86_400_000), 5));
    }

    #[test]
    fn retry_after_moves_later_but_never_past_the_last_slot() {
        let schedule = schedule(ScheduleKind::At);
        let asked = |s| Failed { retry_after: Some(Duration::from_secs(s)), ..failed(0, 0) };
        assert_eq!(schedule.next(asked(10)).unwrap().due_at, Millis(60_000));
        assert_eq!(schedule.next(asked(600)).unwrap().due_at, Millis(600_000));
        assert_eq!(schedule.next(asked(u64::MAX)).unwrap().due_at, Millis(86_400_000));
    }

    #[test]
    fn an_empty_schedule_never_retries() {
        let none = Schedule { kind: ScheduleKind::After, steps: vec![], jitter: 0.0 };
        assert_eq!(none.next(failed(0, 0)), None);
    }

    proptest! {
        #[test]
        fn a_schedule_always_ends_and_never_goes_back(
            kind in prop_oneof![Just(ScheduleKind::At), Just(ScheduleKind::After)],
            steps_s in prop::collection::vec(0u64..100_000, 0..8),
            retry_after_s in prop::option::of(any::<u64>()),
            jitter in 0.0f64..1.0, unit in 0.0f64..1.0,
        ) {
            let mut steps: Vec<_> = steps_s.into_iter().map(Duration::from_secs).collect();
            steps.sort();
            let retries = steps.len();
            let schedule = Schedule { kind, steps, jitter };
            let (mut at, mut used, mut count) = (Millis(0), 0, 0);
            loop {
                let retry_after = retry_after_s.map(Duration::from_secs);
                let now = Failed {
                    initial_failure_at: Millis(0), slots_used: used, started_at: at, ended_at: at, retry_after, jitter_unit: unit,
                };
                let Some(slot) = schedule.next(now) else { break };
                prop_assert!(slot.due_at >= at);
                prop_assert!(slot.slots_used > used);
                (at, used, count) = (slot.due_at, slot.slots_used, count + 1);
            }
            prop_assert!(count <= retries);
        }
    }
}
