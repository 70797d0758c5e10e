//! Attempts: how one HTTP request of a delivery ended.

use std::borrow::Cow;

/// What an attempt means for its delivery, as its contract judges the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has it.
    Delivered,
    /// It failed; the schedule says whether and when again.
    Failed,
    /// The receiver answered that it is gone for good (410); no more attempts of this delivery.
    Gone,
}

/// Why an attempt failed, in a word that stays the same in the API, the store and the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The URL broke the rules for URLs.
    UrlRefused,
    /// The name resolved to an address that may not be dialled.
    AddressRefused,
    /// The name could not be resolved.
    Dns,
    /// No TCP connection.
    Connect,
    /// No trusted TLS session.
    Tls,
    /// The deadline passed.
    Timeout,
    /// What came back was not an acceptable HTTP/1.1 response.
    BadResponse,
    /// The connection ended before an answer.
    ConnectionClosed,
    /// The operator's egress proxy refused or failed.
    Proxy,
    /// An answer came whose status does not count as success.
    Status,
    /// The request could not be made, e.g. a secret that cannot sign.
    RequestInvalid,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [FailureKind; 11] = [
        Self::UrlRefused,
        Self::AddressRefused,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::BadResponse,
        Self::ConnectionClosed,
        Self::Proxy,
        Self::Status,
        Self::RequestInvalid,
    ];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UrlRefused => "url_refused",
            Self::AddressRefused => "address_refused",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::BadResponse => "bad_response",
            Self::ConnectionClosed => "connection_closed",
            Self::Proxy => "proxy",
            Self::Status => "status",
            Self::RequestInvalid => "request_invalid",
        }
    }

    /// Reads what [`FailureKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// A failed attempt's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptFailure {
    /// The word.
    pub kind: FailureKind,
    /// A finer word within the kind that stays the same too, e.g. `certificate_expired`; none where the kind says it all.
    pub reason: Option<Cow<'static, str>>,
    /// What happened, in a sentence.
    pub message: String,
}
