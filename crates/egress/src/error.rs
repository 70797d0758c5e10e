//! How an attempt fails, as a value with stable names.

use std::fmt;

/// What kind of failure it was. The strings of [`AttemptErrorKind::as_str`] are part of the public API and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptErrorKind {
    /// The guard refused the URL; nothing was looked up or sent.
    UrlRefused,
    /// The guard refused an address of the host; nothing was sent.
    AddressRefused,
    /// The request itself cannot be sent (a malformed or reserved header).
    RequestInvalid,
    /// The host's name could not be resolved.
    Dns,
    /// No TCP connection came about.
    Connect,
    /// The operator's egress proxy refused or failed.
    Proxy,
    /// No TLS session came about; nothing of the request was sent.
    Tls,
    /// The deadline passed before there was a response head.
    Timeout,
    /// What came back is not an acceptable HTTP response.
    BadResponse,
    /// The connection ended before there was a response head; whether the request was acted upon is unknown.
    ConnectionClosed,
}

impl AttemptErrorKind {
    /// Every kind, for documents and for tests.
    pub const ALL: [Self; 10] = [
        Self::UrlRefused,
        Self::AddressRefused,
        Self::RequestInvalid,
        Self::Dns,
        Self::Connect,
        Self::Proxy,
        Self::Tls,
        Self::Timeout,
        Self::BadResponse,
        Self::ConnectionClosed,
    ];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UrlRefused => "url_refused",
            Self::AddressRefused => "address_refused",
            Self::RequestInvalid => "request_invalid",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::BadResponse => "bad_response",
            Self::ConnectionClosed => "connection_closed",
        }
    }
}

impl fmt::Display for AttemptErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an attempt has no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AttemptError {
    /// The kind, stable.
    pub kind: AttemptErrorKind,
    /// A finer, stable reason within the kind, e.g. `certificate_expired`.
    pub reason: &'static str,
    /// What happened, for the endpoint's owner. Holds no secret: neither headers nor body nor the query.
    pub message: String,
}

impl AttemptError {
    pub(crate) fn new(kind: AttemptErrorKind, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, reason, message: message.into() }
    }

    pub(crate) fn timeout(reason: &'static str, doing: &str) -> Self {
        Self::new(AttemptErrorKind::Timeout, reason, format!("the time for this attempt ran out while {doing}"))
    }
}

/// What a kind of failure usually means, and what the endpoint's owner can do about it.
#[must_use]
pub fn advice(kind: AttemptErrorKind) -> &'static str {
    match kind {
        AttemptErrorKind::UrlRefused => {
            "The URL breaks a rule for outgoing requests. Change the endpoint's URL as the message says; nothing was sent."
        }
        AttemptErrorKind::AddressRefused => {
            "The host's name leads to an address that is private or reserved. Give it a public address; nothing was sent."
        }
        AttemptErrorKind::RequestInvalid => {
            "The request could not be written, usually because of a custom header. Correct the endpoint's headers."
        }
        AttemptErrorKind::Dns => {
            "The host's name has no usable answer in DNS. Check the spelling and the domain's records."
        }
        AttemptErrorKind::Connect => {
            "Nobody accepts connections at that host and port. Check that the receiver runs and that its firewall lets us in."
        }
        AttemptErrorKind::Proxy => {
            "The proxy through which this server reaches the internet refused or failed. This is for the server's operator."
        }
        AttemptErrorKind::Tls => {
            "No secure connection came about, often an expired, incomplete or mismatched certificate. Install a valid certificate \
             chain for the host, with TLS 1.2 or newer; nothing was sent."
        }
        AttemptErrorKind::Timeout => {
            "The receiver took too long. Answer with a 2xx status first and do the work afterwards; it may have acted already, so \
             expect the same delivery again."
        }
        AttemptErrorKind::BadResponse => {
            "What came back is not valid HTTP/1.1 or is too large. Check that the port speaks HTTP and what stands before the \
             receiver; it may have acted already."
        }
        AttemptErrorKind::ConnectionClosed => {
            "The receiver closed the connection without an answer, often a crash or a proxy's own limit. It may have acted \
             already, so expect the same delivery again."
        }
    }
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// An extra certificate authority is not PEM, holds no certificate, or holds one that cannot be a trust anchor.
    #[error("extra certificate authority number {number} cannot be used: {why}; give PEM text with CA certificates")]
    CertificateAuthority {
        /// Its place in the list, from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The TLS provider cannot do what is asked of it.
    #[error("the TLS library refused its settings")]
    Tls(#[from] rustls::Error),
    /// The proxy's address or credentials are malformed.
    #[error("the egress proxy \"{address}\" cannot be used: {why}")]
    Proxy {
        /// The address as given, without credentials.
        address: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A resolver could not be set up.
    #[error("the DNS resolver could not be set up: {0}")]
    Resolver(String),
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_and_advice_of_its_own() {
        let names: HashSet<_> = AttemptErrorKind::ALL.map(AttemptErrorKind::as_str).into();
        let advice: HashSet<_> = AttemptErrorKind::ALL.map(advice).into();
        assert_eq!((names.len(), advice.len()), (AttemptErrorKind::ALL.len(), AttemptErrorKind::ALL.len()));
    }
}
