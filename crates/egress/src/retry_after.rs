//! Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or an HTTP-date.
//!
//! The header is a wish of the receiver, so whatever is odd is ignored rather than guessed at: the sender's own schedule then
//! holds. It can only postpone: zero and the past are no wish.

use std::time::{Duration, UNIX_EPOCH};

/// The longest wait that is reported; a longer wish is cut to it.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// More digits than this are no number of seconds that anybody meant.
const DIGITS_MAX: usize = 9;

/// The longest HTTP-date is the obsolete RFC 850 one with `Wednesday`, 33 bytes (RFC 9110 section 5.6.7).
const DATE_BYTES_MAX: usize = 40;

/// How long the receiver asks to wait, counted from `now_ms` (milliseconds since the Unix epoch).
///
/// `values` are all `Retry-After` values of the response; none, or more than one, is no wish. Never panics.
#[must_use]
pub fn parse(values: &[&[u8]], now_ms: i64) -> Option<Duration> {
    let [value] = values else { return None };
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    let wait = if text.bytes().all(|b| b.is_ascii_digit()) { seconds(text) } else { until_date(text, now_ms) }?;
    (!wait.is_zero()).then_some(wait.min(RETRY_AFTER_MAX))
}

fn seconds(digits: &str) -> Option<Duration> {
    if digits.len() > DIGITS_MAX {
        return None;
    }
    digits.parse().ok().map(Duration::from_secs)
}

fn until_date(text: &str, now_ms: i64) -> Option<Duration> {
    if text.len() > DATE_BYTES_MAX {
        return None;
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let date_ms = i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    let wait_ms = u64::try_from(date_ms.checked_sub(now_ms)?).ok()?;
    Some(Duration::from_millis(wait_ms))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-20T22:00:00Z.
    const NOW_MS: i64 = 1_795_212_000_000;

    fn one(value: &str) -> Option<Duration> {
        parse(&[value.as_bytes()], NOW_MS)
    }

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(one("120"), Some(Duration::from_secs(120)));
        assert_eq!(one(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(one("Fri, 20 Nov 2026 22:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(one("Friday, 20-Nov-26 22:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(one("Fri Nov 20 22:01:00 2026"), Some(Duration::from_secs(60)));
    }

    #[test]
    fn long_wishes_are_cut_and_immediate_ones_ignored() {
        assert_eq!(one("999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(one("Fri, 31 Dec 9999 23:59:59 GMT"), Some(RETRY_AFTER_MAX));
        assert_eq!(one("0"), None);
        assert_eq!(one("Sun, 06 Nov 1994 08:49:37 GMT"), None);
    }

    #[test]
    fn odd_values_are_ignored_and_never_an_immediate_retry() {
        for odd in
            ["", " ", "inf", "1e300", "-5", "+5", "NaN", "12345678901234567890", "1.5", "５", "0x10", "1,2", "soon"]
        {
            assert_eq!(one(odd), None, "{odd:?}");
        }
        assert_eq!(parse(&[b"\xff\x00"], NOW_MS), None);
        assert_eq!(parse(&[], NOW_MS), None);
        assert_eq!(parse(&[b"5", b"10"], NOW_MS), None);
    }

    proptest! {
        #[test]
        fn never_panics_and_stays_bounded(value in any::<Vec<u8>>(), text in "[ -~]{0,40}", now_ms in any::<i64>()) {
            for bytes in [value.as_slice(), text.as_bytes()] {
                if let Some(wait) = parse(&[bytes], now_ms) {
                    prop_assert!(!wait.is_zero() && wait <= RETRY_AFTER_MAX);
                }
            }
        }

        #[test]
        fn dates_of_any_shape_never_panic(day in 0u8..40, month in "[A-Z][a-z]{2}", year in 0u32..12_000, now_ms in any::<i64>()) {
            let text = format!("Fri, {day:02} {month} {year:04} 23:59:60 GMT");
            let _ = parse(&[text.as_bytes()], now_ms);
        }
    }
}
