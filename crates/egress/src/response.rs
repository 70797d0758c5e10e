//! What came back, bounded and as bytes.

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName};

use crate::limits::Limits;

/// The version on the status line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl HttpVersion {
    /// As on the status line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

/// A response whose head was complete. Its body may not be: the status decides, the body is for the record.
#[derive(Debug, Clone)]
pub struct Response {
    /// 100 to 999, as sent.
    pub status: u16,
    /// The version on the status line.
    pub version: HttpVersion,
    /// Names in lower case, and raw values; names in the order of their first appearance. Bounded in number and bytes.
    pub headers: Vec<(Bytes, Bytes)>,
    /// Whether headers were left out.
    pub headers_truncated: bool,
    /// The body as it came, not decoded (see `content-encoding`), at most as long as the request allowed.
    pub body: Bytes,
    /// Whether the body was longer than what is kept.
    pub body_truncated: bool,
    /// Why the body is not complete, if it broke off or took too long.
    pub body_error: Option<String>,
}

impl Response {
    /// All kept values of a header; `name` in lower case.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(n, _)| n == name.as_bytes()).map(|(_, value)| value.as_ref())
    }

    /// The raw value of `Content-Encoding`, by which the body would have to be decoded.
    #[must_use]
    pub fn content_encoding(&self) -> Option<&[u8]> {
        self.header_values("content-encoding").next()
    }
}

/// Headers that steer what happens next; they are kept even when many others came before them.
const STEERING: [HeaderName; 4] =
    [header::RETRY_AFTER, header::LOCATION, header::CONTENT_ENCODING, header::CONTENT_TYPE];
const STEERING_VALUES_MAX: usize = 2;
const STEERING_VALUE_BYTES_MAX: usize = 512;

/// The headers to keep, in one buffer, and whether any were left out.
pub(crate) fn kept_headers(headers: &HeaderMap, limits: &Limits) -> (Vec<(Bytes, Bytes)>, bool) {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let all_fit = headers.len() <= limits.response_headers_kept_max && bytes <= limits.response_headers_kept_bytes_max;
    let mut budget = Budget { count: limits.response_headers_kept_max, bytes: limits.response_headers_kept_bytes_max };
    let mut reserved = Vec::new();
    if !all_fit {
        reserve_steering(headers, &mut reserved, &mut budget);
    }
    let mut buffer = BytesMut::with_capacity(bytes.min(limits.response_headers_kept_bytes_max));
    let mut spans = Vec::with_capacity(headers.len().min(limits.response_headers_kept_max));
    let mut truncated = false;
    for (at, (name, value)) in headers.iter().enumerate() {
        let keep = all_fit || reserved.contains(&at) || budget.take(name.as_str().len() + value.len());
        truncated |= !keep;
        if keep {
            buffer.extend_from_slice(name.as_str().as_bytes());
            buffer.extend_from_slice(value.as_bytes());
            spans.push((name.as_str().len(), value.len()));
        }
    }
    (cut(buffer.freeze(), &spans), truncated)
}

struct Budget {
    count: usize,
    bytes: usize,
}

impl Budget {
    fn take(&mut self, bytes: usize) -> bool {
        let fits = self.count > 0 && bytes <= self.bytes;
        if fits {
            self.count -= 1;
            self.bytes -= bytes;
        }
        fits
    }
}

fn reserve_steering(headers: &HeaderMap, reserved: &mut Vec<usize>, budget: &mut Budget) {
    for steering in &STEERING {
        let places = headers.iter().enumerate().filter(|(_, (name, _))| *name == steering).take(STEERING_VALUES_MAX);
        for (at, (name, value)) in places {
            if value.len() <= STEERING_VALUE_BYTES_MAX && budget.take(name.as_str().len() + value.len()) {
                reserved.push(at);
            }
        }
    }
}

fn cut(mut buffer: Bytes, spans: &[(usize, usize)]) -> Vec<(Bytes, Bytes)> {
    spans.iter().map(|(name, value)| (buffer.split_to(*name), buffer.split_to(*value))).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn header(name: &str, value: &str) -> (HeaderName, HeaderValue) {
        (name.parse().unwrap(), value.parse().unwrap())
    }

    #[test]
    fn few_headers_are_all_kept() {
        let headers = HeaderMap::from_iter([header("a", "1"), header("b", "2")]);
        let (kept, truncated) = kept_headers(&headers, &Limits::default());
        assert_eq!(kept, [(Bytes::from("a"), Bytes::from("1")), (Bytes::from("b"), Bytes::from("2"))]);
        assert!(!truncated);
    }

    #[test]
    fn retry_after_behind_many_headers_is_not_lost() {
        let mut headers: HeaderMap = (0..90).map(|n| header(&format!("x-{n}"), &"v".repeat(200))).collect();
        headers.append(header::RETRY_AFTER, HeaderValue::from_static("30"));
        let (kept, truncated) = kept_headers(&headers, &Limits::default());
        assert!(truncated);
        assert!(kept.len() <= 64);
        assert!(kept.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= 8 * 1024);
        assert!(kept.contains(&(Bytes::from("retry-after"), Bytes::from("30"))));
    }
}
