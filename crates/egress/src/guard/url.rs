//! Judges a URL as text and as the WHATWG parser reads it.
//!
//! Both are needed: the parser repairs what a person or an attacker wrote (missing slashes, backslashes, empty user info,
//! tabs), and another parser down the road may repair it otherwise. What would be repaired is refused.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderValue;
use http::uri::PathAndQuery;

use super::names::{self, NameKind};
use super::refusal::{UrlRefusal, UrlRefusalCode, refusal, refuse};
use super::{UrlRules, ip, judge_address, ports};

/// The two schemes that exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`, only where the rules allow it.
    Http,
    /// `https`.
    Https,
}

impl Scheme {
    /// The scheme as it stands in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The host of a vetted URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address literal, judged.
    Address(IpAddr),
    /// `localhost` or a name below it: the loopback addresses that the operator allowed, without asking a resolver.
    Localhost(Arc<str>),
    /// A name in public DNS; its addresses are judged at each attempt.
    Name(Arc<str>),
    /// A private name; its addresses must all be allowed by hand.
    PrivateName(Arc<str>),
}

/// A URL that the guard accepted, in its normal form. Its addresses are still judged at every attempt.
#[derive(Debug, Clone)]
pub struct VettedUrl {
    text: Arc<str>,
    scheme: Scheme,
    host: Host,
    port: u16,
    path_and_query: PathAndQuery,
    authority: HeaderValue,
    origin: Arc<str>,
}

impl VettedUrl {
    /// The whole URL in normal form: what to store and show.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, explicit or the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query as they go on the request line (RFC 9112 section 3.2.1).
    #[must_use]
    pub fn path_and_query(&self) -> &PathAndQuery {
        &self.path_and_query
    }

    /// The value of the `Host` header (RFC 9110 section 7.2).
    #[must_use]
    pub fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// Scheme, host and port in one string: what connections are pooled and paced by.
    #[must_use]
    pub fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    /// Judges again under rules that may differ from those it was vetted under. Allocates nothing when all is well.
    ///
    /// # Errors
    /// [`UrlRefusal`] as [`judge_url`].
    pub fn judge_again(&self, rules: &UrlRules) -> Result<(), UrlRefusal> {
        check_scheme(self.scheme, rules)?;
        check_host(&self.host, self.port, rules)
    }
}

impl fmt::Display for VettedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Judges a URL. Pure: names are not looked up, so a name that is accepted here may still be refused at an attempt.
///
/// # Errors
/// [`UrlRefusal`] naming the first rule that the URL breaks.
pub fn judge_url(raw: &str, rules: &UrlRules) -> Result<VettedUrl, UrlRefusal> {
    check_length(raw.len(), rules)?;
    check_characters(raw)?;
    let (scheme, after_scheme) = split_scheme(raw)?;
    check_scheme(scheme, rules)?;
    let Some(rest) = after_scheme.strip_prefix("//") else {
        return refuse(UrlRefusalCode::Slashes, format!("the URL needs two slashes after \"{}:\"", scheme.as_str()));
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    check_authority(authority)?;
    let parsed = match url::Url::parse(raw) {
        Ok(parsed) => parsed,
        Err(reason) => {
            return refuse(
                UrlRefusalCode::Host,
                format!("the host \"{authority}\" is not valid: {reason}; check its spelling"),
            );
        }
    };
    check_length(parsed.as_str().len(), rules)?;
    vet(&parsed, scheme, rules)
}

fn check_length(bytes: usize, rules: &UrlRules) -> Result<(), UrlRefusal> {
    if bytes > rules.url_bytes_max {
        let message = format!("the URL has {bytes} bytes; at most {} are accepted", rules.url_bytes_max);
        return Err(refusal(UrlRefusalCode::TooLong, message).with("max", rules.url_bytes_max).with("has", bytes));
    }
    Ok(())
}

/// Spaces and controls are stripped by the parser; invisible characters vanish in IDNA or reorder what is shown.
fn check_characters(raw: &str) -> Result<(), UrlRefusal> {
    for (at, c) in raw.char_indices() {
        if c == '\\' {
            return refuse(UrlRefusalCode::Backslash, format!("the URL has a backslash at byte {at}; write / or %5C"));
        }
        if c == '#' {
            let message = "the URL has a fragment (what follows #), which is never sent; leave it out";
            return refuse(UrlRefusalCode::Fragment, message);
        }
        if c.is_control() || c.is_whitespace() || is_invisible(c) {
            let character = format!("U+{:04X}", u32::from(c));
            let message =
                format!("the URL has a space, control or invisible character ({character}) at byte {at}; remove it");
            return Err(refusal(UrlRefusalCode::Character, message).with("character", character).with("at", at));
        }
    }
    Ok(())
}

/// Soft hyphen, Arabic letter mark, combining grapheme joiner, zero-width and bidirectional controls, fillers, variation
/// selectors, byte order mark, interlinear and tag characters.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFC}' | '\u{E0000}'..='\u{E0FFF}')
}

fn split_scheme(raw: &str) -> Result<(Scheme, &str), UrlRefusal> {
    let known = raw.split_once(':').and_then(|(scheme, rest)| match scheme {
        s if s.eq_ignore_ascii_case("https") => Some((Scheme::Https, rest)),
        s if s.eq_ignore_ascii_case("http") => Some((Scheme::Http, rest)),
        _ => None,
    });
    match known {
        Some(split) => Ok(split),
        None => refuse(UrlRefusalCode::Scheme, "the URL must begin with https://"),
    }
}

fn check_scheme(scheme: Scheme, rules: &UrlRules) -> Result<(), UrlRefusal> {
    if scheme == Scheme::Http && !rules.allow_http {
        let message = "the URL begins with http://, which sends in the clear; use https://";
        return refuse(UrlRefusalCode::HttpNotAllowed, message);
    }
    Ok(())
}

/// Judges host and port as written, before any parser has repaired them.
fn check_authority(authority: &str) -> Result<(), UrlRefusal> {
    if authority.is_empty() {
        return refuse(UrlRefusalCode::Host, "the URL has no host after the two slashes");
    }
    if authority.contains('@') {
        let message =
            "the URL has a user name or password before the host; leave it out and use a header for credentials";
        return refuse(UrlRefusalCode::UserInfo, message);
    }
    if authority.contains('%') {
        let message = "the host has a percent sign (an encoded character or a zone id); write it plainly";
        return refuse(UrlRefusalCode::HostEncoded, message);
    }
    let after_host = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((_, after)) => after,
        None if authority.matches(':').count() > 1 => {
            return refuse(
                UrlRefusalCode::Host,
                "the host looks like an IPv6 address; write it in brackets, as https://[2001:…]/",
            );
        }
        None => authority.find(':').map_or("", |at| authority.get(at..).unwrap_or_default()),
    };
    check_port_text(after_host)
}

/// `text` is what stands between the host and the path: nothing, or a colon and the port.
fn check_port_text(text: &str) -> Result<(), UrlRefusal> {
    if text.is_empty() {
        return Ok(());
    }
    let digits = text.strip_prefix(':').unwrap_or_default();
    if digits.is_empty()
        || digits.len() > 5
        || !digits.bytes().all(|b| b.is_ascii_digit())
        || digits.parse::<u16>().is_err()
    {
        return refuse(UrlRefusalCode::PortInvalid, "the port after the host must be a number from 1 to 65535");
    }
    Ok(())
}

fn vet(parsed: &url::Url, scheme: Scheme, rules: &UrlRules) -> Result<VettedUrl, UrlRefusal> {
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return refuse(UrlRefusalCode::UserInfo, "the URL has a user name or password; leave it out");
    }
    let port = parsed.port().unwrap_or(scheme.default_port());
    if ports::is_bad(port) {
        let message = format!("port {port} belongs to another protocol; use 443 or a port that is free for HTTP");
        return Err(refusal(UrlRefusalCode::PortRefused, message).with("port", port));
    }
    let host = match parsed.host() {
        Some(url::Host::Ipv4(v4)) => Host::Address(IpAddr::V4(v4)),
        Some(url::Host::Ipv6(v6)) => Host::Address(IpAddr::V6(v6)),
        Some(url::Host::Domain(name)) => name_host(name)?,
        None => return refuse(UrlRefusalCode::Host, "the URL has no host"),
    };
    check_host(&host, port, rules)?;
    assemble(parsed, scheme, host, port)
}

fn name_host(name: &str) -> Result<Host, UrlRefusal> {
    match names::classify(name) {
        Ok(NameKind::Public) => Ok(Host::Name(name.into())),
        Ok(NameKind::Localhost) => Ok(Host::Localhost(name.into())),
        Ok(NameKind::Private) => Ok(Host::PrivateName(name.into())),
        Ok(NameKind::Never) => {
            let message = format!("the host \"{name}\" lies in a domain that is reserved and never has a receiver");
            Err(refusal(UrlRefusalCode::ReservedName, message).with("host", name))
        }
        Err(wrong) => refuse(UrlRefusalCode::Host, format!("the host \"{name}\" {wrong}")),
    }
}

fn check_host(host: &Host, port: u16, rules: &UrlRules) -> Result<(), UrlRefusal> {
    match host {
        Host::Address(address) => check_literal(*address, port, rules),
        Host::Localhost(_) => check_localhost(port, rules),
        Host::PrivateName(name) if rules.allow_cidrs.is_empty() => {
            let message =
                format!("the host \"{name}\" is a private name that public DNS does not know; use a public host name");
            Err(refusal(UrlRefusalCode::PrivateName, message).with("host", &**name))
        }
        Host::PrivateName(_) | Host::Name(_) => Ok(()),
    }
}

/// Its addresses are known without a look-up, so they are judged here, the server's own among them.
fn check_localhost(port: u16, rules: &UrlRules) -> Result<(), UrlRefusal> {
    if loopbacks(rules).next().is_none() {
        let message = "localhost is this server itself; use a public host name, or have the operator allow loopback";
        return Err(refusal(UrlRefusalCode::PrivateName, message).with("host", "localhost"));
    }
    loopbacks(rules).try_for_each(|address| check_literal(address, port, rules))
}

fn check_literal(address: IpAddr, port: u16, rules: &UrlRules) -> Result<(), UrlRefusal> {
    let nat64 = matches!(address, IpAddr::V6(v6) if ip::is_nat64(v6)) && !rules.allows_by_hand(address);
    if nat64 {
        let message = format!("{address} is a NAT64 address; write the IPv4 address itself");
        return Err(refusal(UrlRefusalCode::Address, message).with("address", address.to_string()));
    }
    match judge_address(SocketAddr::new(address, port), rules) {
        Ok(()) => Ok(()),
        Err(refused) => Err(refusal(UrlRefusalCode::Address, refused.to_string()).with("address", address.to_string())),
    }
}

/// The loopback addresses that `localhost` may mean here.
pub(crate) fn loopbacks(rules: &UrlRules) -> impl Iterator<Item = IpAddr> + '_ {
    const LOOPBACKS: [IpAddr; 2] =
        [IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)];
    LOOPBACKS.into_iter().filter(|ip| rules.allows_by_hand(*ip))
}

fn assemble(parsed: &url::Url, scheme: Scheme, host: Host, port: u16) -> Result<VettedUrl, UrlRefusal> {
    let host_text = parsed.host_str().unwrap_or_default();
    let authority = match parsed.port() {
        Some(port) => format!("{host_text}:{port}"),
        None => host_text.to_owned(),
    };
    let Ok(path_and_query) = PathAndQuery::try_from(&parsed[url::Position::BeforePath..url::Position::AfterQuery])
    else {
        let message = "the path or query has a character that must be percent-encoded; encode it";
        return refuse(UrlRefusalCode::Path, message);
    };
    let Ok(authority) = HeaderValue::try_from(authority) else {
        return refuse(UrlRefusalCode::Host, "the host cannot be sent in a header");
    };
    Ok(VettedUrl {
        text: parsed.as_str().into(),
        scheme,
        origin: format!("{}://{host_text}:{port}", scheme.as_str()).into(),
        host,
        port,
        path_and_query,
        authority,
    })
}
