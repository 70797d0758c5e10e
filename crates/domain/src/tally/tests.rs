use proptest::prelude::*;

use super::*;
use crate::delivery::FailReason;

/// Half of them within some milliseconds, and all kinds beyond.
fn times() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(prop_oneof![0..60_u32, 0..1_000_u32, 0..121_000_u32], 1..300)
}

fn counted(times: &[u32]) -> ResponseTimes {
    let mut counts = ResponseTimes::default();
    times.iter().for_each(|ms| counts.count(*ms));
    counts
}

fn span_of(ms: u32) -> usize {
    ResponseTimes::UPTO_MS.iter().position(|upto| ms <= *upto).unwrap_or(ResponseTimes::SPANS - 1)
}

proptest! {
    #[test]
    fn an_estimate_lies_in_the_span_of_the_exact_percentile(times in times(), per_cent in 1..=100_u32) {
        let estimate = counted(&times).percentile(per_cent).unwrap();
        let mut sorted = times;
        sorted.sort_unstable();
        let rank = (sorted.len() * per_cent as usize).div_ceil(100);
        prop_assert_eq!(span_of(estimate), span_of(sorted[rank - 1]));
    }

    #[test]
    fn a_greater_percentile_is_not_shorter(times in times(), one in 0..=100_u32, other in 0..=100_u32) {
        let counts = counted(&times);
        prop_assert!(counts.percentile(one.min(other)) <= counts.percentile(one.max(other)));
    }

    #[test]
    fn what_is_counted_apart_and_added_is_what_is_counted_together(one in times(), other in times()) {
        let mut sum = counted(&one);
        sum.add(&counted(&other));
        let together: Vec<u32> = one.into_iter().chain(other).collect();
        prop_assert_eq!(sum.0.iter().sum::<u64>(), together.len() as u64);
        prop_assert_eq!(sum, counted(&together));
    }

    #[test]
    fn every_moment_of_the_span_lies_in_one_bucket_and_none_is_empty_of_it(
        since in -10_000_000_000_i64..10_000_000_000_000, length in 1..3_000_000_000_i64, is_days in any::<bool>(),
    ) {
        let (since, until) = (Millis(since), Millis(since + length));
        let buckets = Buckets::holding(since, until, if is_days { 24 } else { 1 });
        let each: Vec<Hour> = buckets.each().collect();
        prop_assert!(buckets.hold(Hour::of(since)) && buckets.hold(Hour::of(Millis(until.0 - 1))));
        prop_assert_eq!(each.first(), Some(&buckets.bucket_of(Hour::of(since))));
        prop_assert_eq!(each.last(), Some(&buckets.bucket_of(Hour::of(Millis(until.0 - 1)))));
        prop_assert!(each.iter().all(|hour| hour.0.rem_euclid(buckets.hours) == 0));
    }
}

#[test]
fn spans_grow_and_the_longest_holds_the_longest_timeout() {
    assert!(ResponseTimes::UPTO_MS.is_sorted_by(|one, next| one < next));
    assert!(ResponseTimes::UPTO_MS[ResponseTimes::SPANS - 1] >= 120_000);
    assert_eq!(counted(&[u32::MAX]).0[ResponseTimes::SPANS - 1], 1);
}

#[test]
fn a_percentile_is_interpolated_within_its_span() {
    // Four answers of 41 to 80 ms: a quarter of the way for each.
    let counts = counted(&[45, 50, 60, 79]);
    assert_eq!(counts.percentile(25), Some(50));
    assert_eq!(counts.percentile(50), Some(60));
    assert_eq!(counts.percentile(100), Some(80));
    assert_eq!(ResponseTimes::default().percentile(50), None);
}

#[test]
fn nothing_is_lost_at_the_limit_of_a_number() {
    let mut full = ResponseTimes([u64::MAX; ResponseTimes::SPANS]);
    full.add(&full.clone());
    full.count(1);
    assert_eq!(full.percentile(100), Some(120_500));
}

#[test]
fn attempts_and_the_deliveries_that_they_end_are_counted() {
    let mut tally = Tally::default();
    assert_eq!(tally.success_rate(), None);
    tally.count(Transition::Succeed, Millis(20), Some(7));
    tally.count(Transition::RetryAt(Millis(99)), Millis(30), None);
    tally.count(Transition::Fail(FailReason::Exhausted), Millis(10), Some(30_000));
    let mut more = Tally::default();
    more.count(Transition::Succeed, Millis(25), Some(8));
    tally.add(&more);
    assert_eq!((tally.attempts, tally.failed_attempts), (4, 2));
    assert_eq!((tally.succeeded_deliveries, tally.failed_deliveries), (2, 1));
    assert_eq!(tally.last_attempt_at, Some(Millis(30)));
    assert_eq!(tally.success_rate(), Some(0.5));
    assert_eq!(tally.response_times.0.iter().sum::<u64>(), 3);
}

#[test]
fn hours_and_days_are_those_of_utc() {
    assert_eq!(Hour::of(Millis(-1)), Hour(-1));
    assert_eq!(Hour::of(Millis(Hour::MS)).begins_at(), Millis(Hour::MS));
    let buckets = Buckets::holding(Millis(30 * Hour::MS + 1), Millis(72 * Hour::MS), 24);
    assert_eq!(buckets.each().collect::<Vec<_>>(), [Hour(24), Hour(48)]);
    assert_eq!(Buckets::holding(Millis(5), Millis(5), 1).each().count(), 0);
}
