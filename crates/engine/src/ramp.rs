//! The ramp: what waited while an endpoint was disabled or paused leaves a few attempts a second at first, twice as many every ten seconds, and without a
//! bound in the end ("resumes the pending ones, gently (a ramp, not a burst)", contracts.md, reading 8). A rate limit for a while, kept like any other.

use std::num::NonZeroU32;
use std::time::Duration;

use postrider_domain::Millis;

/// Attempts in each of the first seconds.
const FIRST_PER_S: u32 = 5;
/// How long it takes until they are twice as many.
const DOUBLES_AFTER: Duration = Duration::from_secs(10);
/// How often they double; after that, 10,000 a second, there is no bound.
const DOUBLINGS: u64 = 12;

/// Attempts that may begin in a second under an endpoint's own limit and, for a while after it was resumed, its ramp.
pub(crate) fn rate(limit: Option<NonZeroU32>, resumed_at: Option<Millis>, now: Millis) -> Option<NonZeroU32> {
    let of_ramp = resumed_at.and_then(|resumed_at| of_ramp(now.since(resumed_at)));
    match (limit, of_ramp) {
        (Some(limit), Some(of_ramp)) => Some(limit.min(of_ramp)),
        (limit, of_ramp) => limit.or(of_ramp),
    }
}

fn of_ramp(since: Duration) -> Option<NonZeroU32> {
    let doublings = since.as_secs() / DOUBLES_AFTER.as_secs();
    if doublings >= DOUBLINGS {
        return None;
    }
    NonZeroU32::new(FIRST_PER_S << doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Millis {
        Millis(1_000_000 + seconds * 1_000)
    }

    fn per_s(limit: Option<u32>, seconds: i64) -> Option<u32> {
        rate(limit.and_then(NonZeroU32::new), Some(at(0)), at(seconds)).map(NonZeroU32::get)
    }

    #[test]
    fn a_ramp_begins_with_a_few_doubles_and_ends() {
        assert_eq!([0, 9, 10, 20, 60].map(|s| per_s(None, s)), [Some(5), Some(5), Some(10), Some(20), Some(320)]);
        assert_eq!((per_s(None, 119), per_s(None, 120)), (Some(10_240), None));
    }

    #[test]
    fn the_endpoints_own_limit_is_kept_too() {
        assert_eq!([0, 20, 3_600].map(|s| per_s(Some(8), s)), [Some(5), Some(8), Some(8)]);
    }

    #[test]
    fn an_endpoint_that_was_never_resumed_has_no_ramp() {
        assert_eq!(rate(None, None, at(0)), None);
        assert_eq!(rate(NonZeroU32::new(3), None, at(0)), NonZeroU32::new(3));
    }
}
