//! Who is behind a trusted proxy: what `Forwarded` (RFC 7239) or `X-Forwarded-For` says, read from the right, where the nearest proxy wrote, and only as
//! far as trusted proxies wrote it. Whatever else stands there anyone can have sent.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::limits::{FORWARDED_BYTES_MAX, FORWARDED_HOPS_MAX};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a request comes from: `peer`'s, or where that is a trusted proxy the rightmost address in its headers that is not one. Where they say
/// nothing that can be read, or the two headers do not agree (a proxy that writes the one passes on the other as it came), the nearest proxy's.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let walk =
        |name, read: fn(&str) -> Option<IpAddr>| hops(headers, name).map(|hops| outermost(peer, &hops, read, trusted));
    let (standard, common) = (walk(http::header::FORWARDED, forwarded_for), walk(X_FORWARDED_FOR, address));
    match (standard, common) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(found), _) | (None, Some(found)) => found,
        (None, None) => peer,
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|range| range.contains(&address))
}

/// A header's elements from the right, at most so many; none when it is not there.
fn hops(headers: &HeaderMap, name: HeaderName) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut bytes = 0;
    let mut values = headers.get_all(name).iter().rev().peekable();
    values.peek()?;
    for value in values {
        bytes += value.len();
        // What cannot be read ends the way.
        let text = value.to_str().ok().filter(|_| bytes <= FORWARDED_BYTES_MAX).unwrap_or_default();
        found.extend(elements(text).into_iter().rev().map(str::to_owned));
        if found.len() >= FORWARDED_HOPS_MAX {
            break;
        }
    }
    found.truncate(FORWARDED_HOPS_MAX);
    Some(found)
}

/// Parted at the commas outside of quotes; a quote that does not end makes one element of the whole.
fn elements(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    if is_quoted {
        return vec![text];
    }
    parts.push(&text[begin..]);
    parts
}

/// From the nearest hop outwards, as long as the hops are trusted ones.
fn outermost(peer: IpAddr, hops: &[String], read: fn(&str) -> Option<IpAddr>, trusted: &[IpNet]) -> IpAddr {
    let mut known = peer;
    for hop in hops {
        let Some(address) = read(hop.trim()) else { return known };
        known = address;
        if !is_trusted(known, trusted) {
            return known;
        }
    }
    known
}

/// `for=…` of an element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    let unquoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    address(unquoted.unwrap_or(value))
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    bare.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn asked(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|range| range.parse().unwrap()).to_vec();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        client(peer.parse().unwrap(), &map, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_what_it_wrote() {
        const X: &str = "x-forwarded-for";
        assert_eq!(asked("192.0.2.9", &[(X, "203.0.113.7")]), "192.0.2.9", "nobody's proxy");
        assert_eq!(asked("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(asked("10.0.0.1", &[(X, "203.0.113.7")]), "203.0.113.7");
        assert_eq!(asked("::ffff:10.0.0.1", &[(X, "203.0.113.7")]), "203.0.113.7", "a listener for both families");
        assert_eq!(
            asked("10.0.0.1", &[(X, "1.1.1.1, 203.0.113.7, 10.0.0.2")]),
            "203.0.113.7",
            "the client wrote the first"
        );
        assert_eq!(asked("10.0.0.1", &[(X, "1.1.1.1"), (X, "203.0.113.7"), (X, "10.2.2.2")]), "203.0.113.7");
        assert_eq!(asked("10.0.0.1", &[(X, "10.0.0.3, 10.0.0.2")]), "10.0.0.3", "all are trusted");
        assert_eq!(asked("10.0.0.1", &[(X, "203.0.113.7:4711")]), "203.0.113.7");
        assert_eq!(asked("fd00::1", &[(X, "[2001:db8::7]:4711")]), "2001:db8::7");
        assert_eq!(
            asked("10.0.0.1", &[("forwarded", "for=1.1.1.1, For=\"[2001:db8::7]:80\";proto=https")]),
            "2001:db8::7"
        );
        assert_eq!(asked("10.0.0.1", &[("forwarded", "by=_a,b;for=203.0.113.7")]), "203.0.113.7");
    }

    #[test]
    fn what_is_hostile_or_hidden_is_not_believed() {
        const X: &str = "x-forwarded-for";
        for bad in ["", "unknown", "_hidden", "999.1.1.1", "1.1.1.1 evil", "é", "\"1.1.1.1", "1.1.1.1,", "localhost"] {
            assert_eq!(asked("10.0.0.1", &[(X, bad)]), "10.0.0.1", "{bad:?}");
            assert_eq!(asked("10.0.0.1", &[("forwarded", &format!("for={bad}"))]), "10.0.0.1", "{bad:?}");
        }
        assert_eq!(asked("10.0.0.1", &[("forwarded", "for=\"1.1.1.1, for=203.0.113.7")]), "10.0.0.1", "an open quote");
        assert_eq!(asked("10.0.0.1", &[("forwarded", "for=1.1.1.1"), (X, "203.0.113.7")]), "10.0.0.1", "one is forged");
        assert_eq!(asked("10.0.0.1", &[("forwarded", "for=203.0.113.7"), (X, "203.0.113.7")]), "203.0.113.7");
        let many = "10.0.0.2,".repeat(FORWARDED_HOPS_MAX * 2);
        assert_eq!(asked("10.0.0.1", &[(X, &format!("203.0.113.7,{many}10.0.0.2"))]), "10.0.0.2", "a flood of hops");
        assert_eq!(asked("10.0.0.1", &[(X, &"9".repeat(FORWARDED_BYTES_MAX + 1))]), "10.0.0.1", "a flood of bytes");
    }
}
