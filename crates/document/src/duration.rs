//! Durations as people write them: `10s`, `1m`, `24h`, `5d`.

use std::time::Duration;

/// Reads a whole number and one of `ms`, `s`, `m`, `h`, `d`; several may follow each other (`1h30m`). At most ten years.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    const MAX: Duration = Duration::from_secs(3_653 * 86_400);
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit_ms: u64 = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        rest = &rest[letters..];
        total = total.checked_add(Duration::from_millis(number.checked_mul(unit_ms)?))?;
    }
    (!text.is_empty() && total <= MAX).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(parse("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "5", "m", "-1s", "1.5h", "1 h", "1w", "99999999999999999999s", "18446744073709551615d", "20000d"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
