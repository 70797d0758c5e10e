//! Where a request comes from: its id, which the caller may choose, and the address that it comes from.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use crate::limits::REQUEST_ID_BYTES_MAX;

/// The header that a request's id comes in and goes out with.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What tells one request from another, in answers, logs and the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// Whoever asks: the other end of the connection, or who is behind it where that is a trusted proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl RequestId {
    /// The caller's own, so that it finds its request again; a random one when it gave none that can be repeated in a log.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let is_plain = |text: &&str| {
            (1..=REQUEST_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        match given.filter(is_plain) {
            Some(text) => RequestId(text.into()),
            None => RequestId(format!("req_{}", Uuid::new_v4().simple()).into()),
        }
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_own_id_is_kept_when_it_can_be_repeated_and_replaced_when_not() {
        let of = |value: &str| {
            let headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_bytes(value.as_bytes()).unwrap())]);
            RequestId::of(&headers).0.to_string()
        };
        assert_eq!(of("abc-1"), "abc-1");
        for value in ["", "a b", "\u{e9}", &"x".repeat(REQUEST_ID_BYTES_MAX + 1)] {
            assert!(of(value).starts_with("req_"), "{value}");
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
