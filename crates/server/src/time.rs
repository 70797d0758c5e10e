//! Moments as the API reads and writes them: RFC 3339, written in UTC with `Z` and milliseconds.

use std::fmt;

use jiff::Timestamp;
use postrider_domain::Millis;
use serde::{Serialize, Serializer};

use crate::code::Code;
use crate::wrong::Wrong;

/// 0000-01-01T00:00:00Z to 9999-12-30T21:59:59.999Z: RFC 3339 has the years 0000 to 9999 (section 1), jiff's last moment comes
/// before the end of the last one.
const RANGE_MS: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_207_199_999;

/// A moment on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Millis);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Timestamp::from_millisecond(self.0.0.clamp(*RANGE_MS.start(), *RANGE_MS.end()));
        write!(f, "{:.3}", at.unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl utoipa::PartialSchema for Moment {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("A moment in RFC 3339, UTC, with milliseconds."))
            .examples(["2026-11-20T10:30:00.000Z"])
            .into()
    }
}

impl utoipa::ToSchema for Moment {}

/// Reads RFC 3339 with any offset; finer than a millisecond is cut.
pub(crate) fn read_moment(text: &str) -> Result<Millis, Wrong> {
    let refusal = || Code::TimeInvalid.says("must be a moment in RFC 3339, such as 2026-11-20T10:30:00Z");
    if !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return Err(refusal());
    }
    let at: Timestamp = text.parse().map_err(|_| refusal())?;
    let ms = at.as_millisecond();
    if RANGE_MS.contains(&ms) { Ok(Millis(ms)) } else { Err(refusal()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ms: i64) -> String {
        serde_json::to_string(&Moment(Millis(ms))).unwrap()
    }

    #[test]
    fn moments_are_written_in_utc_with_milliseconds() {
        assert_eq!(shown(1_705_314_600_120), "\"2024-01-15T10:30:00.120Z\"");
        assert_eq!(shown(0), "\"1970-01-01T00:00:00.000Z\"");
        assert_eq!(shown(i64::MAX), "\"9999-12-30T21:59:59.999Z\"");
    }

    #[test]
    fn any_offset_is_read_and_nothing_but_rfc_3339() {
        assert_eq!(read_moment("2024-01-15T12:30:00.1209+02:00"), Ok(Millis(1_705_314_600_120)));
        for text in ["", "yesterday", "2024-01-15", "1705314600", "-000001-01-01T00:00:00Z", "2024-13-01T00:00:00Z"] {
            assert!(read_moment(text).is_err(), "{text}");
        }
    }
}
