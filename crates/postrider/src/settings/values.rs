//! What a single value may look like: each function reads one, or says what is wrong with it.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use postrider_domain::{OrganizationId, OrganizationIdError, Secret};
use postrider_egress::{EgressProxy, ProxyAuth};
use postrider_server::TokenKey;

use super::check::LogFormat;

/// What is wrong with a value, and what to do.
pub(super) type Wrong = String;

/// The fewest and most characters of an operator key.
const OPERATOR_KEY_CHARS: RangeInclusive<usize> = 16..=256;
/// The shortest and longest retention.
const RETENTION: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(3_650 * 86_400);
/// The shortest and longest lease: a shorter one would run out while a database is busy, a longer one leaves a dead node's lanes waiting.
const LEASE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
/// The longest name of a node.
const NODE_NAME_CHARS_MAX: usize = 100;

pub(super) fn path(text: &str) -> Result<PathBuf, Wrong> {
    if text.trim().is_empty() {
        return Err("is empty; name a path or remove it".to_owned());
    }
    Ok(PathBuf::from(text))
}

pub(super) fn truth(text: &str) -> Result<bool, Wrong> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false; write one of them"))
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Wrong> {
    let wrong =
        || format!("{text:?} is no address with a port; write one as 127.0.0.1:8400, 0.0.0.0:8400 or [::1]:8400");
    text.parse().map_err(|_| wrong())
}

pub(super) fn name_server(text: &str) -> Result<SocketAddr, Wrong> {
    let of_ip = |ip: IpAddr| SocketAddr::new(ip, 53);
    let wrong = || format!("{text:?} is no address of a name server; write one as 10.0.0.2 or 10.0.0.2:53");
    text.parse().or_else(|_| text.parse().map(of_ip)).map_err(|_| wrong())
}

pub(super) fn cidr(text: &str) -> Result<IpNet, Wrong> {
    let wrong = || format!("{text:?} is no address range; write one as 10.0.0.0/8 or fd00::/8, or a single address");
    let range: IpNet = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| wrong())?;
    if range.trunc() != range {
        return Err(format!("{text:?} has bits set beyond its prefix; write {}", range.trunc()));
    }
    Ok(range)
}

pub(super) fn address_or_cidr(text: &str) -> Result<String, Wrong> {
    let wrong = || format!("{text:?} is neither an address nor a range; write one as 203.0.113.10 or 203.0.113.0/28");
    text.parse::<IpAddr>().map(|_| ()).or_else(|_| text.parse::<IpNet>().map(|_| ())).map_err(|_| wrong())?;
    Ok(text.to_owned())
}

pub(super) fn public_url(text: &str) -> Result<String, Wrong> {
    let advice = "write one as https://webhooks.example.com, without user, query or fragment";
    let url = url::Url::parse(text).map_err(|error| format!("{text:?} is no URL ({error}); {advice}"))?;
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || !is_plain {
        return Err(format!("{text:?} is no URL of a server; {advice}"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

pub(super) fn operator_key(text: &str) -> Result<Secret, Wrong> {
    let (min, max) = (OPERATOR_KEY_CHARS.start(), OPERATOR_KEY_CHARS.end());
    if !OPERATOR_KEY_CHARS.contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!(
            "a key has {min} to {max} letters, digits or signs and no space; make one with: openssl rand -hex 32"
        ));
    }
    Ok(Secret::new(text.to_owned()))
}

pub(super) fn token_secret(text: &str) -> Result<TokenKey, Wrong> {
    TokenKey::shared_secret(text).map_err(|error| error.to_string())
}

pub(super) fn claim(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err("is empty or cannot be shown; write what the token has, or remove it".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn encryption_key(text: &str) -> Result<Secret, Wrong> {
    postrider_store::MasterKey::from_base64(text).map_err(|error| error.to_string())?;
    Ok(Secret::new(text.to_owned()))
}

pub(super) fn retention(text: &str) -> Result<Duration, Wrong> {
    duration(text, RETENTION)
        .ok_or_else(|| format!("{text:?} is no time from 1m to 3650d; write one as 30d, 12h or 90m"))
}

pub(super) fn lease(text: &str) -> Result<Duration, Wrong> {
    duration(text, LEASE).ok_or_else(|| format!("{text:?} is no time from 1s to 5m; write one as 15s"))
}

/// Reads a number and a unit, as `30d`; none when it is something else or not allowed.
fn duration(text: &str, allowed: RangeInclusive<Duration>) -> Option<Duration> {
    let units = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
    let (number, seconds) =
        units.into_iter().find_map(|(letter, seconds)| text.strip_suffix(letter).map(|number| (number, seconds)))?;
    let duration = Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?);
    allowed.contains(&duration).then_some(duration)
}

pub(super) fn node_name(text: &str) -> Result<String, Wrong> {
    if !(1..=NODE_NAME_CHARS_MAX).contains(&text.chars().count()) || text.chars().any(char::is_control) {
        return Err(format!(
            "a node's name has 1 to {NODE_NAME_CHARS_MAX} characters that can be shown; write one as web-1"
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn organization(text: &str) -> Result<OrganizationId, Wrong> {
    text.parse().map_err(|error: OrganizationIdError| format!("{text:?}: {error}"))
}

/// Never repeats its text, which may hold a password.
pub(super) fn proxy(text: &str) -> Result<EgressProxy, Wrong> {
    let wrong =
        || "is no proxy; write http://[user:password@]host:port or socks5://[user:password@]host:port".to_owned();
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let (auth, address) = match rest.trim_end_matches('/').rsplit_once('@') {
        Some((auth, address)) => (Some(proxy_auth(auth)?), address.to_owned()),
        None => (None, rest.trim_end_matches('/').to_owned()),
    };
    let port = address.rsplit_once(':').and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
    if port.is_none_or(|port| port == 0) || address.contains(['/', '?', '#']) {
        return Err(wrong());
    }
    match scheme {
        "http" => Ok(EgressProxy::Connect { address, auth }),
        "socks5" => Ok(EgressProxy::Socks5 { address, auth }),
        _ => Err(wrong()),
    }
}

/// An SMTP server as its URL names it.
#[derive(Debug)]
pub(crate) struct SmtpUrl {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// TLS from the beginning; otherwise STARTTLS.
    pub(crate) is_tls: bool,
    pub(crate) credentials: Option<(String, Secret)>,
}

/// Never repeats its text, which may hold a password.
pub(super) fn smtp_url(text: &str) -> Result<SmtpUrl, Wrong> {
    let wrong = || {
        "is no SMTP server; write smtp://[user:password@]host:587 (STARTTLS) or smtps://[user:password@]host:465 (TLS)"
            .to_owned()
    };
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let (is_tls, default_port) = match url.scheme() {
        "smtp" => (false, 587),
        "smtps" => (true, 465),
        _ => return Err(wrong()),
    };
    let is_plain = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let host = url.host_str().filter(|host| !host.is_empty() && is_plain).ok_or_else(wrong)?;
    let credentials = match (url.username(), url.password()) {
        ("", None) => None,
        (user, Some(password)) if !user.is_empty() => {
            let user = percent_decode(user).ok_or_else(wrong)?;
            Some((user, Secret::new(percent_decode(password).ok_or_else(wrong)?)))
        }
        _ => return Err(wrong()),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(SmtpUrl { host, port: url.port().unwrap_or(default_port), is_tls, credentials })
}

/// The URL that traces are posted to: the collector's, with their path (OpenTelemetry protocol exporter, "Endpoint URLs for OTLP/HTTP").
pub(super) fn otlp_endpoint(text: &str) -> Result<String, Wrong> {
    let wrong = || {
        "is no URL of a collector; write one as http://otel-collector:4318, without user, query or fragment; what authorises goes into \
         otlp_headers"
            .to_owned()
    };
    let base = public_url(text).map_err(|_| wrong())?;
    Ok(if base.ends_with("/v1/traces") { base } else { format!("{base}/v1/traces") })
}

/// Never repeats its text, which may hold a token.
pub(super) fn otlp_header(text: &str) -> Result<(String, Secret), Wrong> {
    let wrong = || "is no header that can be sent; write name=value, with % and two hex digits for % and ,".to_owned();
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let value = percent_decode(value.trim()).ok_or_else(wrong)?;
    let is_right =
        http::HeaderName::from_bytes(name.trim().as_bytes()).is_ok() && http::HeaderValue::from_str(&value).is_ok();
    if !is_right || postrider_egress::is_reserved_header(name.trim()) {
        return Err(wrong());
    }
    Ok((name.trim().to_owned(), Secret::new(value)))
}

pub(super) fn ratio(text: &str) -> Result<f64, Wrong> {
    let ratio = text.parse::<f64>().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| format!("{text:?} is no share; write a number from 0 to 1, as 0.05"))
}

pub(super) fn mail_from(text: &str) -> Result<String, Wrong> {
    postrider_mail::check_address(text)?;
    Ok(text.to_owned())
}

fn proxy_auth(text: &str) -> Result<ProxyAuth, Wrong> {
    let wrong = || {
        "the proxy's user and password are written as user:password, with % and two hex digits for @ : / and %"
            .to_owned()
    };
    let (username, password) = text.split_once(':').ok_or_else(wrong)?;
    let decode = |text: &str| percent_decode(text).filter(|text| (1..=255).contains(&text.len())).ok_or_else(wrong);
    let auth = ProxyAuth { username: decode(username)?, password: decode(password)? };
    if auth.username.contains(':') { Err(wrong()) } else { Ok(auth) }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

pub(super) fn log_filter(text: &str) -> Result<String, Wrong> {
    let wrong = |error| format!("{text:?} is no log filter ({error}); write a level such as info, or module=level");
    tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(wrong)
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Wrong> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is no log format; write text or json")),
    }
}
