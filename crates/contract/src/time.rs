//! Moments as receivers read them.

use std::fmt;

use jiff::Timestamp;
use postrider_domain::Millis;

/// 0000-01-01T00:00:00Z to 9999-12-30T21:59:59.999Z: RFC 3339 has the years 0000 to 9999 (section 1), jiff's last moment comes
/// before the end of the last one.
const RANGE_MS: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_207_199_999;

/// Shown as RFC 3339 in UTC with `Z`; with three digits of milliseconds only when there are any, as the documents' samples show
/// none. Moments outside RFC 3339's years are moved to its nearest end.
pub(crate) struct Rfc3339(pub(crate) Millis);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounded = self.0.0.clamp(*RANGE_MS.start(), *RANGE_MS.end());
        let moment = Timestamp::from_millisecond(bounded).unwrap_or(Timestamp::UNIX_EPOCH);
        if bounded % 1000 == 0 { write!(f, "{moment:.0}") } else { write!(f, "{moment:.3}") }
    }
}

/// A moment as RFC 3339 in UTC, as envelopes show it.
#[must_use]
pub fn rfc3339(moment: Millis) -> String {
    Rfc3339(moment).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_z_and_show_milliseconds_only_when_there_are_any() {
        let shown = |ms| Rfc3339(Millis(ms)).to_string();
        assert_eq!(shown(1_705_314_600_000), "2024-01-15T10:30:00Z");
        assert_eq!(shown(1_705_314_600_120), "2024-01-15T10:30:00.120Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn times_beyond_rfc_3339_stay_inside_it() {
        assert_eq!(Rfc3339(Millis(i64::MIN)).to_string(), "0000-01-01T00:00:00Z");
        assert!(Rfc3339(Millis(i64::MAX)).to_string().starts_with("9999-12-30"));
    }
}
