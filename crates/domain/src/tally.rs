//! What is counted of an endpoint, hour by hour, and what is estimated from it.
//!
//! A *tally* holds counts alone, so that tallies of several hours, or of one hour from several nodes, are added to each other. Response times are
//! counted in a few fixed spans; percentiles are estimated from those.

use crate::delivery::Transition;
use crate::time::Millis;

/// A whole hour of UTC, counted from 1970 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i32);

impl Hour {
    /// How long it lasts, in milliseconds.
    pub const MS: i64 = 3_600_000;

    /// The hour in which a moment lies.
    #[must_use]
    pub fn of(moment: Millis) -> Hour {
        let hours = moment.0.div_euclid(Self::MS);
        Hour(i32::try_from(hours).unwrap_or(if hours < 0 { i32::MIN } else { i32::MAX }))
    }

    /// Its first moment.
    #[must_use]
    pub fn begins_at(self) -> Millis {
        Millis(i64::from(self.0) * Self::MS)
    }
}

/// A span of time in parts of equal length, whose borders are whole hours of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// The first hour of the first one.
    pub from: Hour,
    /// The hour behind the last one.
    pub until: Hour,
    /// How many hours each has; at least 1. Each begins at a multiple of that since 1970.
    pub hours: i32,
}

impl Buckets {
    /// Those that hold every moment from `since` on and before `until`, `hours` each; none when `until` is not after `since`.
    #[must_use]
    pub fn holding(since: Millis, until: Millis, hours: i32) -> Self {
        let hours = hours.max(1);
        let from = Self::first_hour(Hour::of(since), hours);
        let last = Hour::of(Millis(until.0.saturating_sub(1)));
        let behind = if until > since { Self::first_hour(last, hours).0.saturating_add(hours) } else { from.0 };
        Buckets { from, until: Hour(behind), hours }
    }

    fn first_hour(hour: Hour, hours: i32) -> Hour {
        Hour(hour.0.saturating_sub(hour.0.rem_euclid(hours)))
    }

    /// The first hour of the one that holds this hour.
    #[must_use]
    pub fn bucket_of(self, hour: Hour) -> Hour {
        Self::first_hour(hour, self.hours)
    }

    /// Whether an hour lies in one of them.
    #[must_use]
    pub fn hold(self, hour: Hour) -> bool {
        self.from <= hour && hour < self.until
    }

    /// The first hour of each, in order.
    pub fn each(self) -> impl Iterator<Item = Hour> {
        let step = usize::try_from(self.hours).unwrap_or(1).max(1);
        (self.from.0..self.until.0).step_by(step).map(Hour)
    }
}

/// How many answers took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseTimes(pub [u64; ResponseTimes::SPANS]);

impl ResponseTimes {
    /// Spans that are counted apart.
    pub const SPANS: usize = 16;
    /// The longest time of each span, in milliseconds: about twice the one before, up to the longest timeout that a contract may have (120 s). From 10 s on each
    /// lies a little above a timeout that contracts use, so that what ran into it is counted below and not beyond it.
    pub const UPTO_MS: [u32; Self::SPANS] =
        [5, 10, 20, 40, 80, 150, 300, 600, 1_200, 2_500, 5_000, 10_500, 15_500, 30_500, 60_500, 120_500];

    /// Counts one; what took longer than the longest span is counted in it.
    pub fn count(&mut self, ms: u32) {
        let span = Self::UPTO_MS.partition_point(|upto| *upto < ms).min(Self::SPANS - 1);
        self.0[span] = self.0[span].saturating_add(1);
    }

    /// Adds others.
    pub fn add(&mut self, others: &ResponseTimes) {
        for (count, more) in self.0.iter_mut().zip(others.0) {
            *count = count.saturating_add(more);
        }
    }

    /// In how many milliseconds `per_cent` of the answers came, about: it lies in the same span as the exact one, as far into it as if the answers
    /// were spread evenly over the span. None when nothing was counted.
    #[must_use]
    pub fn percentile(&self, per_cent: u32) -> Option<u32> {
        let total: u128 = self.0.iter().map(|count| u128::from(*count)).sum();
        // A hundredth of an answer is the unit, so that all of it is whole numbers.
        let wanted = (u128::from(per_cent.min(100)) * total).max(1);
        let (mut counted, mut above_ms) = (0_u128, 0_u32);
        for (count, upto_ms) in self.0.iter().zip(Self::UPTO_MS) {
            let here = u128::from(*count) * 100;
            if here > 0 && counted + here >= wanted {
                let into = u128::from(upto_ms - above_ms) * (wanted - counted);
                return Some(above_ms + u32::try_from(into.div_ceil(here)).unwrap_or(u32::MAX));
            }
            (counted, above_ms) = (counted + here, upto_ms);
        }
        None
    }
}

/// What is counted of an endpoint in an hour. Tests are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Attempts that ended.
    pub attempts: u64,
    /// Those of them that failed.
    pub failed_attempts: u64,
    /// Deliveries that an attempt ended as succeeded.
    pub succeeded_deliveries: u64,
    /// Deliveries that an attempt ended as failed.
    pub failed_deliveries: u64,
    /// When the last attempt ended; none when there was none.
    pub last_attempt_at: Option<Millis>,
    /// How long answers took.
    pub response_times: ResponseTimes,
}

impl Tally {
    /// Counts an attempt, and its delivery where it ended that. `response_time_ms`: how long its answer took, or the timeout that it ran into; none
    /// where neither came about.
    pub fn count(&mut self, transition: Transition, ended_at: Millis, response_time_ms: Option<u32>) {
        let (failed, ended) = match transition {
            Transition::Succeed => (0, Some(&mut self.succeeded_deliveries)),
            Transition::RetryAt(_) => (1, None),
            Transition::Fail(_) => (1, Some(&mut self.failed_deliveries)),
        };
        if let Some(ended) = ended {
            *ended = ended.saturating_add(1);
        }
        self.attempts = self.attempts.saturating_add(1);
        self.failed_attempts = self.failed_attempts.saturating_add(failed);
        self.last_attempt_at = self.last_attempt_at.max(Some(ended_at));
        if let Some(ms) = response_time_ms {
            self.response_times.count(ms);
        }
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Tally) {
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.failed_attempts = self.failed_attempts.saturating_add(other.failed_attempts);
        self.succeeded_deliveries = self.succeeded_deliveries.saturating_add(other.succeeded_deliveries);
        self.failed_deliveries = self.failed_deliveries.saturating_add(other.failed_deliveries);
        self.last_attempt_at = self.last_attempt_at.max(other.last_attempt_at);
        self.response_times.add(&other.response_times);
    }

    /// The part of the attempts that succeeded, from 0 to 1; none when there was none.
    #[must_use]
    pub fn success_rate(&self) -> Option<f64> {
        let succeeded = self.attempts.saturating_sub(self.failed_attempts);
        (self.attempts > 0).then(|| succeeded as f64 / self.attempts as f64)
    }
}

#[cfg(test)]
mod tests;
