//! Moments and spans of time: how they are written for people, and read from forms.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::say::Say;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;
/// Shorter spans are told in hours: people say "24 hours" of what they agree on for a day.
const TOLD_IN_DAYS_S: u64 = 2 * DAY_S;

/// How long something lasts, in the two largest units that fit: `23 hours and 14 minutes`. The script counts down in the same units (`data-countdown`).
pub(crate) fn lasting(say: Say, span: SignedDuration) -> String {
    let seconds = u64::try_from(span.as_secs()).unwrap_or_default();
    let days = if seconds >= TOLD_IN_DAYS_S { seconds / DAY_S } else { 0 };
    let hours = (seconds - days * DAY_S) / HOUR_S;
    let minutes = seconds % HOUR_S / MINUTE_S;
    let all = [("lasting-days", days), ("lasting-hours", hours), ("lasting-minutes", minutes)];
    let first = all.iter().position(|(_, number)| *number > 0);
    let Some(first) = first else { return say.text("lasting-moment") };
    let told = all.into_iter().skip(first).take(2).filter(|(_, number)| *number > 0);
    let mut told = told.map(|(name, number)| say.with(name, "number", number));
    match (told.next(), told.next()) {
        (Some(one), Some(two)) => say.with2("lasting-two", "first", one, "second", two),
        (Some(one), None) => one,
        (None, _) => say.text("lasting-moment"),
    }
}

/// How long it is until a moment (RFC 3339), in words; nothing of it when it is over or no moment.
pub(crate) fn remaining(say: Say, until: &str, now: Timestamp) -> String {
    let left = until.parse::<Timestamp>().map(|until| until.duration_since(now)).unwrap_or_default();
    lasting(say, left)
}

/// A moment as a field holds it (`datetime-local`), in UTC: `2026-03-05T09:08`.
pub(crate) fn field_text(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M").to_string()
}

/// A moment that a form sent: RFC 3339, as the script sends it, or without a zone, as a field by itself sends it; that is UTC.
pub(crate) fn read_moment(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let at: DateTime = text.parse().ok()?;
    at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    #[test]
    fn spans_are_told_in_the_two_largest_units() {
        let en = Say::new("en");
        let told = |span| lasting(en, span);
        assert_eq!(told(hours(24)), "24 hours");
        assert_eq!(told(hours(48)), "2 days");
        assert_eq!(told(hours(49)), "2 days and 1 hour");
        assert_eq!(told(SignedDuration::from_secs(23 * 3_600 + 14 * 60 + 59)), "23 hours and 14 minutes");
        assert_eq!(told(SignedDuration::from_secs(3_600 + 30)), "1 hour");
        assert_eq!(told(SignedDuration::from_secs(61)), "1 minute");
        assert_eq!(told(SignedDuration::from_secs(59)), "less than a minute");
        assert_eq!(told(hours(-5)), "less than a minute");
    }

    #[test]
    fn spans_are_told_in_each_language() {
        assert_eq!(lasting(Say::new("pt-BR"), hours(49)), "2 dias e 1 hora");
        assert_eq!(lasting(Say::new("es"), hours(49)), "2 días y 1 hora");
        assert_eq!(lasting(Say::new("es"), hours(2_400_000)), "100.000 días");
    }

    #[test]
    fn what_remains_is_counted_from_now() {
        let now = "2026-03-05T09:00:00Z".parse().unwrap();
        assert_eq!(remaining(Say::new("en"), "2026-03-06T08:00:00.000Z", now), "23 hours");
        assert_eq!(remaining(Say::new("en"), "no moment", now), "less than a minute");
    }

    #[test]
    fn moments_of_forms_are_read_with_and_without_a_zone() {
        let at: Timestamp = "2026-03-05T09:08:00Z".parse().unwrap();
        for text in ["2026-03-05T09:08", "2026-03-05T09:08:00.000Z", "2026-03-05T06:08-03:00"] {
            assert_eq!(read_moment(text), Some(at), "{text}");
        }
        assert_eq!(read_moment(&field_text(at)), Some(at));
        for text in ["", "yesterday", "2026-13-01T00:00", "2026-03-05T25:00Z"] {
            assert_eq!(read_moment(text), None, "{text}");
        }
    }
}
