//! Which addresses may be dialled.
//!
//! IPv4 is a list of what is refused (IANA IPv4 Special-Purpose Address Registry, RFC 6890, and cloud addresses that only look
//! public). IPv6 is the reverse: only global unicast, `2000::/3` (RFC 4291 section 2.4 and IANA's allocations), less its special
//! ranges, is accepted, so that what is allocated later is refused until somebody has looked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::UrlRules;

/// Why an address may not be dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} may not be called: it is {what}; {remedy}")]
pub struct AddressRefusal {
    /// The address that was refused.
    pub address: IpAddr,
    /// Stable, machine-readable: `own_address`, `not_public` or `not_allowed_by_hand`.
    pub code: &'static str,
    /// What the address is, for people.
    pub what: &'static str,
    remedy: &'static str,
}

const REMEDY_PUBLIC: &str = "use a host with a public address, or have the operator allow this one";
const REMEDY_OWN: &str = "use the address of the receiver";
const REMEDY_BY_HAND: &str = "a private name may only lead to addresses that the operator has allowed";

type Range4 = (Ipv4Addr, u8, &'static str);
type Range6 = (Ipv6Addr, u8, &'static str);

const V4_REFUSED: &[Range4] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "\"this network\" (RFC 791)"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address (RFC 1918)"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "a shared address behind carrier NAT (RFC 6598)"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address (RFC 1122)"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address, where clouds keep their metadata (RFC 3927)"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address (RFC 1918)"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved for protocol assignments (RFC 6890)"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "a documentation address (RFC 5737)"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "an AS112 sink (RFC 7535)"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "an AMT relay (RFC 7450)"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay (RFC 7526)"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address (RFC 1918)"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "an AS112 sink (RFC 7534)"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "a benchmarking address (RFC 2544)"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "a documentation address (RFC 5737)"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "a documentation address (RFC 5737)"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address (RFC 5771)"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved or broadcast address (RFC 1112)"),
    // Microsoft, "What is IP address 168.63.129.16?": answers only inside Azure, though it lies in public space.
    (Ipv4Addr::new(168, 63, 129, 16), 32, "the platform address of Azure"),
];

const V6_ACCEPTED: Range6 = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, "global unicast");

const V6_REFUSED: &[Range6] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "reserved for protocols such as Teredo and ORCHID (RFC 2928)"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "a documentation address (RFC 3849)"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "a 6to4 address (RFC 7526)"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, "an AS112 sink (RFC 7534)"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "a documentation address (RFC 9637)"),
];

/// RFC 6052 section 2.1: the well-known prefix of IPv4 addresses embedded by DNS64.
const NAT64: Range6 = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "a NAT64 address (RFC 6052)");

/// Judges one address that a name resolved to, or that a URL holds.
///
/// # Errors
/// [`AddressRefusal`] when the address is not publicly reachable unicast and the operator has not allowed it by hand.
pub fn judge_ip(ip: IpAddr, rules: &UrlRules) -> Result<(), AddressRefusal> {
    if rules.allows_by_hand(ip) {
        return Ok(());
    }
    match ip {
        IpAddr::V4(v4) => refused_v4(v4).map_or(Ok(()), |what| Err(not_public(ip, what))),
        IpAddr::V6(v6) if rules.allow_nat64 && in_v6(v6, NAT64) => {
            judge_ip(IpAddr::V4(embedded_v4(v6)), rules).map_err(|inner| not_public(ip, inner.what))
        }
        IpAddr::V6(v6) => refused_v6(v6).map_or(Ok(()), |what| Err(not_public(ip, what))),
    }
}

/// Judges an address together with its port, which adds the server's own addresses to what is refused.
///
/// # Errors
/// [`AddressRefusal`] as [`judge_ip`], or with the code `own_address`.
pub fn judge_address(address: SocketAddr, rules: &UrlRules) -> Result<(), AddressRefusal> {
    if rules.is_own(address) {
        return Err(AddressRefusal {
            address: address.ip(),
            code: "own_address",
            what: "this server's own address and port",
            remedy: REMEDY_OWN,
        });
    }
    judge_ip(address.ip(), rules)
}

/// A private name may lead only to what the operator allowed by hand, never to a public address that it happens to have.
pub(crate) fn judge_private_answer(address: SocketAddr, rules: &UrlRules) -> Result<(), AddressRefusal> {
    judge_address(address, rules)?;
    if rules.allows_by_hand(address.ip()) {
        return Ok(());
    }
    Err(AddressRefusal {
        address: address.ip(),
        code: "not_allowed_by_hand",
        what: "the answer for a private name",
        remedy: REMEDY_BY_HAND,
    })
}

pub(super) fn is_nat64(ip: Ipv6Addr) -> bool {
    in_v6(ip, NAT64)
}

fn not_public(address: IpAddr, what: &'static str) -> AddressRefusal {
    AddressRefusal { address, code: "not_public", what, remedy: REMEDY_PUBLIC }
}

fn refused_v4(ip: Ipv4Addr) -> Option<&'static str> {
    let bits = ip.to_bits();
    V4_REFUSED
        .iter()
        .find(|(net, prefix, _)| (bits ^ net.to_bits()) >> (32 - u32::from(*prefix)) == 0)
        .map(|(_, _, what)| *what)
}

fn refused_v6(ip: Ipv6Addr) -> Option<&'static str> {
    if !in_v6(ip, V6_ACCEPTED) {
        return Some(outside_global_unicast(ip));
    }
    V6_REFUSED.iter().find(|range| in_v6(ip, **range)).map(|(_, _, what)| *what)
}

/// Names the commonest kinds; whatever is not in `2000::/3` is refused in any case.
fn outside_global_unicast(ip: Ipv6Addr) -> &'static str {
    if ip.is_loopback() {
        "a loopback address (RFC 4291)"
    } else if ip.to_ipv4_mapped().is_some() {
        "an IPv4-mapped address (RFC 4291); write the IPv4 address itself"
    } else if is_nat64(ip) {
        NAT64.2
    } else if ip.is_unique_local() {
        "a unique local address (RFC 4193)"
    } else if ip.is_unicast_link_local() {
        "a link-local address (RFC 4291)"
    } else if ip.is_multicast() {
        "a multicast address (RFC 4291)"
    } else {
        "outside global unicast, 2000::/3 (RFC 4291)"
    }
}

fn in_v6(ip: Ipv6Addr, (net, prefix, _): Range6) -> bool {
    (ip.to_bits() ^ net.to_bits()) >> (128 - u32::from(prefix)) == 0
}

fn embedded_v4(ip: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = ip.octets();
    Ipv4Addr::new(a, b, c, d)
}
