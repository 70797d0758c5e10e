//! The requests that the load sends, rendered once, and the stamps by which the receiver knows them again.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::Range;

use memchr::memmem;

/// Bytes of one event, from brace to brace.
pub(crate) const EVENT_BYTES: usize = 1_024;

/// Digits of a stamped number. With the base below they are always as many, and the number is one that every JSON reader
/// holds exactly (it stays under 2^53).
const DIGITS: usize = 16;
const STAMP_BASE: u64 = 1_000_000_000_000_000;
const SENT_KEY: &[u8] = b"\"sent_ns\"";
const SEQUENCE_KEY: &[u8] = b"\"sequence\"";

/// When an event was due, and which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) sent_ns: u64,
    pub(crate) sequence: u64,
}

impl Stamp {
    /// The stamp in a received body, wherever the contract's envelope put the event's data.
    pub(crate) fn find(body: &[u8]) -> Option<Stamp> {
        let sent = number_after(body, SENT_KEY)?;
        let sequence = number_after(body, SEQUENCE_KEY)?;
        Some(Stamp { sent_ns: sent.checked_sub(STAMP_BASE)?, sequence: sequence.checked_sub(STAMP_BASE)? })
    }
}

/// A number as it is stamped, for a database's column.
pub(crate) fn stamped_number(number: u64) -> anyhow::Result<i64> {
    Ok(i64::try_from(STAMP_BASE + number)?)
}

fn number_after(body: &[u8], key: &[u8]) -> Option<u64> {
    let after = &body[memmem::find(body, key)? + key.len()..];
    let digits = after.iter().position(u8::is_ascii_digit).filter(|blank| *blank <= 4)?;
    let number = after.get(digits..digits + DIGITS)?;
    number.iter().try_fold(0_u64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')))
}

/// One event of exactly [`EVENT_BYTES`] (longer only when the type's name leaves no room).
pub(crate) fn event_json(event_type: &str, stamp: Stamp) -> String {
    let event_type = serde_json::Value::from(event_type);
    let (sent, sequence) = (STAMP_BASE + stamp.sent_ns, STAMP_BASE + stamp.sequence);
    let mut event = format!(
        r#"{{"type":{event_type},"data":{{"sent_ns":{sent},"sequence":{sequence},"id":"deal_48213","organization_id":"org_117","title":"Annual plan, 40 seats","amount":{{"value":1284050,"currency":"EUR"}},"stage":{{"id":"stage_4","name":"Contract sent","probability":0.8}},"owner":{{"id":"user_9","name":"Amélie Fontaine"}},"contacts":["contact_5521","contact_5522"],"tags":["renewal","emea"],"expected_close":"2026-09-30","notes":""#
    );
    const END: &str = r#""}}"#;
    const NOTES: &str = "Asked for a second quote with support included; legal reads the terms. ";
    let room = EVENT_BYTES.saturating_sub(event.len() + END.len());
    event.extend(NOTES.chars().cycle().take(room));
    event.push_str(END);
    event
}

/// A request whose stamp alone changes from one sending to the next.
#[derive(Clone, Debug)]
pub(crate) struct RequestTemplate {
    address: SocketAddr,
    bytes: Vec<u8>,
    sent_at: Range<usize>,
    sequence_at: Range<usize>,
}

impl RequestTemplate {
    /// A POST of one event to that path; `key` is the bearer's.
    pub(crate) fn new(address: SocketAddr, path: &str, key: &str, event_type: &str) -> Self {
        let body = event_json(event_type, Stamp { sent_ns: 0, sequence: 0 });
        let mut text = String::new();
        // Writing into a text cannot fail.
        let _ = write!(
            text,
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let bytes = text.into_bytes();
        let place = |key: &[u8]| {
            let at = memmem::find(&bytes, key).map_or(0, |found| found + key.len() + 1);
            at..at + DIGITS
        };
        let (sent_at, sequence_at) = (place(SENT_KEY), place(SEQUENCE_KEY));
        RequestTemplate { address, bytes, sent_at, sequence_at }
    }

    /// Where it goes.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The request with that stamp.
    pub(crate) fn stamped(&mut self, stamp: Stamp) -> &[u8] {
        write_digits(&mut self.bytes[self.sent_at.clone()], STAMP_BASE + stamp.sent_ns);
        write_digits(&mut self.bytes[self.sequence_at.clone()], STAMP_BASE + stamp.sequence);
        &self.bytes
    }
}

fn write_digits(place: &mut [u8], number: u64) {
    let mut rest = number;
    for digit in place.iter_mut().rev() {
        // A remainder of ten fits a byte.
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { sent_ns: 12_345_678_901, sequence: 42 };

    #[test]
    fn an_event_is_one_kilobyte_of_json() {
        let event = event_json("deal.won", STAMP);
        let parsed: serde_json::Value = serde_json::from_str(&event).unwrap();
        assert_eq!(parsed["type"], "deal.won");
        assert_eq!(event.len(), EVENT_BYTES);
    }

    #[test]
    fn a_stamp_is_found_again_after_patching() {
        let address = "127.0.0.1:80".parse().unwrap();
        let mut template = RequestTemplate::new(address, "/v1/organizations/o/events", "k", "deal.won");
        let length = template.stamped(Stamp { sent_ns: 0, sequence: 0 }).len();
        let request = template.stamped(STAMP);
        assert_eq!(Stamp::find(request), Some(STAMP));
        assert_eq!(request.len(), length);
    }

    #[test]
    fn an_envelope_that_adds_blanks_keeps_the_stamp_readable() {
        let event: serde_json::Value = serde_json::from_str(&event_json("deal.won", STAMP)).unwrap();
        let pretty = serde_json::to_string_pretty(&event).unwrap();
        assert_eq!(Stamp::find(pretty.as_bytes()), Some(STAMP));
    }

    #[test]
    fn a_body_without_a_stamp_has_none() {
        for body in ["", "{}", r#"{"sent_ns":12}"#, r#"{"sent_ns":1000000000000001}"#, r#"{"sent_ns":}"#] {
            assert_eq!(Stamp::find(body.as_bytes()), None, "{body}");
        }
    }
}
