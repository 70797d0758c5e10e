//! Why a URL is refused, as stable codes and as words for its owner.

use postrider_domain::{Param, Params};

/// What a refusal is about. The strings of [`UrlRefusalCode::as_str`] are part of the public API and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UrlRefusalCode {
    /// Longer than the limit.
    TooLong,
    /// A space, control character or invisible character.
    Character,
    /// No scheme, or one other than `https` (and `http` where allowed).
    Scheme,
    /// `http` where only `https` is accepted.
    HttpNotAllowed,
    /// The scheme is not followed by exactly two slashes.
    Slashes,
    /// A backslash.
    Backslash,
    /// A `#fragment`, which is never sent.
    Fragment,
    /// A user name or password.
    UserInfo,
    /// No host, or a malformed one.
    Host,
    /// Percent-encoding or a zone id in the host.
    HostEncoded,
    /// A name that is private to somebody's network.
    PrivateName,
    /// A name that is never a receiver.
    ReservedName,
    /// A port that is no number, or beyond 65,535.
    PortInvalid,
    /// A port on which another protocol lives.
    PortRefused,
    /// An address literal that may not be called.
    Address,
    /// The path or query cannot go on a request line.
    Path,
}

impl UrlRefusalCode {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "url_too_long",
            Self::Character => "url_character",
            Self::Scheme => "url_scheme",
            Self::HttpNotAllowed => "url_http_not_allowed",
            Self::Slashes => "url_slashes",
            Self::Backslash => "url_backslash",
            Self::Fragment => "url_fragment",
            Self::UserInfo => "url_user_info",
            Self::Host => "url_host",
            Self::HostEncoded => "url_host_encoded",
            Self::PrivateName => "url_private_name",
            Self::ReservedName => "url_reserved_name",
            Self::PortInvalid => "url_port_invalid",
            Self::PortRefused => "url_port_refused",
            Self::Address => "url_address",
            Self::Path => "url_path",
        }
    }

    /// The same as the code of a wrong field.
    #[must_use]
    pub fn of_field(self) -> &'static str {
        match self {
            Self::TooLong => "url.too_long",
            Self::Character => "url.character",
            Self::Scheme => "url.scheme",
            Self::HttpNotAllowed => "url.http_not_allowed",
            Self::Slashes => "url.slashes",
            Self::Backslash => "url.backslash",
            Self::Fragment => "url.fragment",
            Self::UserInfo => "url.user_info",
            Self::Host => "url.host",
            Self::HostEncoded => "url.host_encoded",
            Self::PrivateName => "url.private_name",
            Self::ReservedName => "url.reserved_name",
            Self::PortInvalid => "url.port_invalid",
            Self::PortRefused => "url.port_refused",
            Self::Address => "url.private_address",
            Self::Path => "url.path",
        }
    }
}

/// Why a URL was refused: a stable code, and a message for its owner that says what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UrlRefusal {
    /// Which rule.
    pub code: UrlRefusalCode,
    /// For people; may quote the host, never user info.
    pub message: String,
    /// The facts of the message.
    pub params: Params,
}

impl UrlRefusal {
    /// The same with a fact more.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Param>) -> Self {
        self.params.push((name, value.into()));
        self
    }
}

pub(super) fn refusal(code: UrlRefusalCode, message: impl Into<String>) -> UrlRefusal {
    UrlRefusal { code, message: message.into(), params: Params::new() }
}

pub(super) fn refuse<T>(code: UrlRefusalCode, message: impl Into<String>) -> Result<T, UrlRefusal> {
    Err(refusal(code, message))
}
