//! Pages of lists that are ordered by UUIDv7s.

use postrider_domain::Millis;
use uuid::Uuid;

use crate::limits::ID_TIME_SLACK_MS;
use crate::model::PageOf;

/// The keys between which a page of rows made from `since` up to `until` lies, both ends excluded. An id holds the time at which it was made;
/// the times beside it are compared exactly afterwards.
pub(crate) fn key_range(since: Option<Millis>, until: Option<Millis>, before: Option<Uuid>) -> (Uuid, Uuid) {
    let lowest = since.map_or(Uuid::nil(), |at| first_key_of(at.0.saturating_sub(ID_TIME_SLACK_MS)));
    let highest = until.map_or(Uuid::max(), |at| first_key_of(at.0.saturating_add(ID_TIME_SLACK_MS)));
    (lowest, before.map_or(highest, |before| before.min(highest)))
}

/// The smallest UUIDv7 of a millisecond (RFC 9562, section 5.7: the first 48 bits).
fn first_key_of(ms: i64) -> Uuid {
    let ms = u128::from(ms.clamp(0, (1 << 48) - 1).unsigned_abs());
    Uuid::from_u128(ms << 80)
}

/// The time in a UUIDv7 (RFC 9562, section 5.7).
pub(crate) fn ms_of(id: Uuid) -> i64 {
    i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX)
}

/// A page of rows found up to `bound`, oldest first, of which one more than `limit` was asked for in each of two places.
pub(crate) fn page_onwards<T>(mut rows: Vec<T>, limit: usize, bound: Uuid, id: impl Fn(&T) -> Uuid) -> PageOf<T> {
    rows.sort_unstable_by_key(&id);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = if has_more { rows.last().map(id) } else { Some(bound).filter(|bound| *bound != Uuid::max()) };
    PageOf { rows, next }
}

/// Whether a time lies in a filter's range.
pub(crate) fn is_within(at: Millis, since: Option<Millis>, until: Option<Millis>) -> bool {
    since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
}

/// Cuts rows of which one more than `limit` was asked for to a page.
pub(crate) fn page_of<T>(mut rows: Vec<T>, limit: usize, id: impl Fn(&T) -> Uuid) -> PageOf<T> {
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = if has_more { rows.last().map(id) } else { None };
    PageOf { rows, next }
}
