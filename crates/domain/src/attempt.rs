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

    /// The finer words within the kind whose messages have a code of their own. Those of [`FailureKind::UrlRefused`] do not: they are the codes of wrong fields.
    #[must_use]
    pub fn reasons(self) -> &'static [&'static str] {
        match self {
            Self::UrlRefused | Self::Status => &[],
            Self::AddressRefused => &["not_public", "not_allowed_by_hand", "own_address", "too_many_addresses"],
            Self::Dns => &["no_such_name", "no_address", "server_failed", "dns_timeout", "lookup_failed"],
            Self::Connect => &[
                "connection_refused",
                "connect_timeout",
                "unreachable",
                "connect_failed",
                "no_address",
                "paced",
                "http_setup",
            ],
            Self::Tls => &[
                "certificate_expired",
                "certificate_not_yet_valid",
                "certificate_wrong_host",
                "certificate_unknown_issuer",
                "certificate_revoked",
                "certificate_invalid",
                "protocol_version",
                "no_shared_cipher",
                "client_certificate_required",
                "not_tls",
                "incompatible",
                "alert",
                "connection_closed",
                "handshake_timeout",
                "server_name",
                "tls_other",
            ],
            Self::Timeout => &["dns", "connect", "tls", "sending", "response_head"],
            Self::BadResponse => &["not_http", "head_too_large", "interim_replies"],
            Self::ConnectionClosed => &["no_answer", "partial_head"],
            Self::Proxy => &["proxy_name", "proxy_connection", "proxy_refused"],
            Self::RequestInvalid => &["reserved_header", "malformed_header"],
        }
    }

    /// Every code that [`AttemptFailure::message_code`] can give.
    pub fn message_codes() -> impl Iterator<Item = String> {
        Self::ALL.into_iter().flat_map(|kind| {
            let finer = kind.reasons().iter().map(move |reason| format!("{}.{reason}", kind.as_str()));
            std::iter::once(kind.as_str().to_owned()).chain(finer)
        })
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

impl AttemptFailure {
    /// What the message says, as a code that does not change: the kind, with the finer word where that is known, such as `tls.certificate_expired`.
    #[must_use]
    pub fn message_code(&self) -> Cow<'static, str> {
        let known = self.kind.reasons().iter().find(|known| Some(**known) == self.reason.as_deref());
        match known {
            Some(reason) => Cow::Owned(format!("{}.{reason}", self.kind.as_str())),
            None => Cow::Borrowed(self.kind.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_code_of_the_finest_word_that_is_known() {
        let code = |kind, reason: Option<&'static str>| {
            let failure = AttemptFailure { kind, reason: reason.map(Cow::Borrowed), message: String::new() };
            failure.message_code().into_owned()
        };
        assert_eq!(code(FailureKind::Tls, Some("certificate_expired")), "tls.certificate_expired");
        assert_eq!(code(FailureKind::Tls, Some("of_a_later_release")), "tls");
        assert_eq!(code(FailureKind::UrlRefused, Some("url_scheme")), "url_refused");
        assert_eq!(code(FailureKind::Status, None), "status");
    }

    #[test]
    fn every_message_code_is_there_once() {
        let mut codes: Vec<_> = FailureKind::message_codes().collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
        assert!(codes.iter().all(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || b"_.".contains(&byte))));
    }
}
