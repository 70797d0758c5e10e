//! How an attempt fails, as a value with stable names.

use std::fmt;

use postrider_domain::FailureKind;

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

/// What an attempt says about the way between this machine and the receiver's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Something answered.
    Works,
    /// No name look-up or no connection came about.
    Fails,
    /// Neither is known.
    Untold,
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
        debug_assert!(
            kind == AttemptErrorKind::UrlRefused
                || FailureKind::parse(kind.as_str()).is_some_and(|kind| kind.reasons().contains(&reason)),
            "{kind}.{reason} has no code for its message"
        );
        Self { kind, reason, message: message.into() }
    }

    /// What it says about the way between this machine and the receiver's host. A name server that says that there is no such name, and our own limit of new
    /// connections, say nothing about it; neither does silence after the connection was there.
    #[must_use]
    pub fn way(&self) -> Way {
        match (self.kind, self.reason) {
            (AttemptErrorKind::Dns, "no_such_name" | "no_address") | (AttemptErrorKind::Connect, "paced") => {
                Way::Untold
            }
            (AttemptErrorKind::Dns | AttemptErrorKind::Connect | AttemptErrorKind::Proxy, _)
            | (AttemptErrorKind::Timeout, "dns" | "connect" | "tls") => Way::Fails,
            (AttemptErrorKind::BadResponse, _) => Way::Works,
            _ => Way::Untold,
        }
    }

    pub(crate) fn timeout(reason: &'static str, doing: &str) -> Self {
        Self::new(AttemptErrorKind::Timeout, reason, format!("the time for this attempt ran out while {doing}"))
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
    fn every_kind_has_a_name_of_its_own() {
        let names: HashSet<_> = AttemptErrorKind::ALL.map(AttemptErrorKind::as_str).into();
        assert_eq!(names.len(), AttemptErrorKind::ALL.len());
    }
}
