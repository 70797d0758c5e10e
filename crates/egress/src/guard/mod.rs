//! The guard: judges a URL and its addresses before anything is sent.
//!
//! - A *URL* is judged as text and as the WHATWG parser reads it, when it is saved and when it is used ([`judge_url`]).
//! - An *address* is judged at each attempt, for literals and for each answer of the resolver ([`judge_ip`], [`judge_address`]).
//! - A *private name* is one that no public resolver answers for (`localhost`, single labels, `.internal`); it is usable only
//!   when the operator has allowed addresses by hand, and then only if it resolves to nothing else.
//!
//! Everything here is pure: no look-ups, no clock, no environment.

mod ip;
mod names;
mod ports;
mod refusal;
mod url;

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

pub(crate) use ip::judge_private_answer;
pub use ip::{AddressRefusal, judge_address, judge_ip};
pub use refusal::{UrlRefusal, UrlRefusalCode};
pub(crate) use url::loopbacks;
pub use url::{Host, Scheme, VettedUrl, judge_url};

/// The longest URL that is accepted, in bytes, unless the rules say otherwise.
pub const URL_BYTES_MAX: usize = 2_048;

/// What the operator allows beyond (and forbids besides) the built-in rules.
#[derive(Debug, Clone)]
pub struct UrlRules {
    /// Whether `http://` is accepted beside `https://`.
    pub allow_http: bool,
    /// Addresses that are accepted in spite of the built-in list, as literals, as answers and behind private names.
    pub allow_cidrs: Vec<IpNet>,
    /// Addresses that this server itself listens on; refused even when a CIDR allows them, so that it cannot call itself.
    /// An unspecified address (`0.0.0.0`, `::`) stands for every loopback address on that port.
    pub own_addresses: Vec<SocketAddr>,
    /// The longest URL accepted, in bytes, as given and as normalised.
    pub url_bytes_max: usize,
    /// Whether answers in the NAT64 prefix `64:ff9b::/96` (RFC 6052) are judged by the IPv4 address inside them.
    /// For hosts behind DNS64 only; as literals they are refused always.
    pub allow_nat64: bool,
}

impl Default for UrlRules {
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_cidrs: Vec::new(),
            own_addresses: Vec::new(),
            url_bytes_max: URL_BYTES_MAX,
            allow_nat64: false,
        }
    }
}

impl UrlRules {
    /// Whether the operator allowed this address by hand.
    #[must_use]
    pub fn allows_by_hand(&self, ip: IpAddr) -> bool {
        self.allow_cidrs.iter().any(|cidr| cidr.contains(&ip))
    }

    pub(crate) fn is_own(&self, address: SocketAddr) -> bool {
        self.own_addresses.iter().any(|own| {
            own.port() == address.port()
                && (own.ip() == address.ip() || (own.ip().is_unspecified() && address.ip().is_loopback()))
        })
    }
}

#[cfg(test)]
mod tests;
