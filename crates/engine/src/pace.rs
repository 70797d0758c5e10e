//! How fast one endpoint's attempts may begin: a token bucket on the engine's clock.
//!
//! A *token* is the right to begin one attempt. Tokens come evenly, as many a second as the endpoint's rate limit says, and a tenth of a second's worth of
//! them, one at least, is kept while nothing is sent. So in any one second at most the limit and a tenth of it begin. A new bucket holds one token: a
//! lane that another node takes over, or that is made anew, begins one attempt more than it might have and no burst.

use std::num::NonZeroU32;

use postrider_domain::Millis;

/// A token in the bucket's own unit: a rate of one a second adds one of these a millisecond.
const TOKEN: u64 = 1_000;

/// The tokens of one lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    rate: NonZeroU32,
    /// In thousandths of a token.
    level: u64,
    filled_at: Millis,
}

impl Pace {
    pub(crate) fn new(rate: NonZeroU32, now: Millis) -> Self {
        Pace { rate, level: TOKEN, filled_at: now }
    }

    /// Goes on at another rate, with no more tokens than it had.
    pub(crate) fn change(&mut self, rate: NonZeroU32, now: Millis) {
        self.fill(now);
        self.rate = rate;
        self.level = self.level.min(self.level_max());
    }

    pub(crate) fn rate(&self) -> NonZeroU32 {
        self.rate
    }

    /// A tenth of a second's worth.
    fn level_max(&self) -> u64 {
        (u64::from(self.rate.get()) * TOKEN / 10).max(TOKEN)
    }

    pub(crate) fn fill(&mut self, now: Millis) {
        let passed_ms = now.0.saturating_sub(self.filled_at.0);
        // A clock that was set back gives nothing, and takes nothing away.
        let gained = u64::try_from(passed_ms).unwrap_or(0).saturating_mul(u64::from(self.rate.get()));
        self.level = self.level.saturating_add(gained).min(self.level_max());
        self.filled_at = now;
    }

    /// Whole tokens that were there when it was filled last.
    pub(crate) fn tokens(&self) -> usize {
        usize::try_from(self.level / TOKEN).unwrap_or(usize::MAX)
    }

    /// Takes a token, or says when there will be one.
    pub(crate) fn take(&mut self, now: Millis) -> Result<(), Millis> {
        self.fill(now);
        if self.level >= TOKEN {
            self.level -= TOKEN;
            return Ok(());
        }
        let wait_ms = (TOKEN - self.level).div_ceil(u64::from(self.rate.get()));
        Err(Millis(now.0.saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(per_s: u32) -> NonZeroU32 {
        NonZeroU32::new(per_s).unwrap()
    }

    #[test]
    fn a_new_bucket_begins_one_attempt_and_then_keeps_the_rate() {
        let mut pace = Pace::new(rate(4), Millis(0));
        assert_eq!(pace.take(Millis(0)), Ok(()));
        assert_eq!(pace.take(Millis(0)), Err(Millis(250)));
        assert_eq!(pace.take(Millis(249)), Err(Millis(250)));
        assert_eq!(pace.take(Millis(250)), Ok(()));
        assert_eq!(pace.take(Millis(250)), Err(Millis(500)));
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_token() {
        let mut pace = Pace::new(rate(1), Millis(10_000));
        assert_eq!(pace.take(Millis(10_000)), Ok(()));
        assert_eq!(pace.take(Millis(0)), Err(Millis(1_000)));
        assert_eq!(pace.take(Millis(1_000)), Ok(()));
    }

    proptest! {
        /// However it is asked, and however often its rate is set to the same or a lower one.
        #[test]
        fn in_no_second_begins_more_than_the_limit_and_a_tenth_of_it(
            per_s in 1_u32..2_000,
            steps in prop::collection::vec((0_i64..40, 1_usize..50, prop::bool::ANY), 1..200),
        ) {
            let mut pace = Pace::new(rate(per_s), Millis(0));
            let (mut now, mut begun) = (0, Vec::new());
            for (passed_ms, asked, is_changed) in steps {
                now += passed_ms;
                if is_changed {
                    pace.change(rate(per_s), Millis(now));
                }
                begun.extend((0..asked).filter(|_| pace.take(Millis(now)).is_ok()).map(|_| now));
            }
            let most = (per_s + (per_s / 10).max(1)) as usize;
            for (at, first) in begun.iter().enumerate() {
                let in_one_second = begun[at..].partition_point(|later| *later < first + 1_000);
                prop_assert!(in_one_second <= most, "{in_one_second} in one second at {per_s} a second");
            }
        }

        /// Asked again at the moment it names, it gives a token.
        #[test]
        fn the_moment_it_names_has_a_token(per_s in 1_u32..20_000, asked in 1_usize..3_000) {
            let mut pace = Pace::new(rate(per_s), Millis(0));
            let mut now = Millis(0);
            for _ in 0..asked {
                while let Err(next) = pace.take(now) {
                    prop_assert!(next > now);
                    now = next;
                    let mut looked = pace;
                    prop_assert_eq!(looked.take(now), Ok(()));
                }
            }
            let least_ms = (asked as i64 - 1) * 1_000 / i64::from(per_s);
            prop_assert!(now.0 >= least_ms - 101, "{} attempts took {} ms", asked, now.0);
        }
    }
}
