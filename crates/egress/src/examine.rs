//! Examination: what a diagnosis wants to know of a URL's host, step by step, where an attempt stops at the first thing that is wrong. The same
//! resolver, guard, dialling and verification as for attempts; no request is sent.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use x509_parser::extensions::GeneralName;

use crate::client::{Client, Inner, dns_error};
use crate::error::AttemptError;
use crate::guard::AddressRefusal;
use crate::guard::{self, Host, Scheme, VettedUrl};
use crate::limits::{ms_after, whole_ms};

/// The most names of a certificate that are shown.
const CERTIFICATE_NAMES_MAX: usize = 20;
/// The longest of its texts that is shown, in characters: whoever made it wrote them.
const CERTIFICATE_TEXT_CHARS_MAX: usize = 200;

/// What was found of a URL's host.
#[derive(Debug, Clone)]
pub struct Examination {
    /// The name that was looked up; none where the URL holds an address.
    pub name: Option<Arc<str>>,
    /// Every address with the guard's verdict, or why none was found.
    pub addresses: Result<Vec<AddressFound>, AttemptError>,
    /// One for each accepted address, up to a limit.
    pub connections: Vec<ConnectionFound>,
}

/// An address of the host.
#[derive(Debug, Clone)]
pub struct AddressFound {
    /// The address.
    pub address: IpAddr,
    /// Whether it may be called.
    pub verdict: Result<(), AddressRefusal>,
}

/// One connection, ended without a request.
#[derive(Debug, Clone)]
pub struct ConnectionFound {
    /// Where to.
    pub address: SocketAddr,
    /// How long it took, or why there is none.
    pub tcp: Result<Duration, AttemptError>,
    /// What TLS came to; none without a connection or for http.
    pub tls: Option<TlsFound>,
}

/// A TLS handshake.
#[derive(Debug, Clone)]
pub struct TlsFound {
    /// The version, e.g. `TLS 1.3`, or why there is no trusted session.
    pub session: Result<&'static str, AttemptError>,
    /// The certificates that the server showed and that can be read, its own first.
    pub chain: Vec<CertificateFound>,
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFound {
    /// Whose it is.
    pub subject: String,
    /// Who vouches for it.
    pub issuer: String,
    /// The hosts that it is for; the first twenty.
    pub names: Vec<String>,
    /// From when on it is valid, in seconds since 1970.
    pub not_before_unix_s: i64,
    /// Until when it is valid, in seconds since 1970.
    pub not_after_unix_s: i64,
}

impl Client {
    /// Looks at a URL's host within this time: its addresses, and a connection to each that may be called. Nothing is sent but a TLS handshake.
    pub async fn examine(&self, url: &VettedUrl, within: Duration) -> Examination {
        let deadline = ms_after(Instant::now(), whole_ms(within));
        let (name, addresses) = self.inner.find_addresses(url, deadline).await;
        let accepted = addresses.iter().flatten().filter(|found| found.verdict.is_ok());
        let accepted: Vec<_> = accepted.map(|found| SocketAddr::new(found.address, url.port())).collect();
        let mut connecting = JoinSet::new();
        for (place, address) in accepted.into_iter().take(self.inner.limits.addresses_examined_max).enumerate() {
            let (inner, url) = (Arc::clone(&self.inner), url.clone());
            connecting.spawn(async move { (place, inner.examine_address(&url, address, deadline).await) });
        }
        let mut connections = Vec::new();
        while let Some(ended) = connecting.join_next().await {
            connections.extend(ended.ok());
        }
        connections.sort_by_key(|(place, _)| *place);
        Examination { name, addresses, connections: connections.into_iter().map(|(_, found)| found).collect() }
    }
}

impl Inner {
    async fn find_addresses(
        &self,
        url: &VettedUrl,
        deadline: Instant,
    ) -> (Option<Arc<str>>, Result<Vec<AddressFound>, AttemptError>) {
        let judged = |address: IpAddr, private: bool| AddressFound {
            address,
            verdict: self.judge_answer(SocketAddr::new(address, url.port()), private),
        };
        let (name, private) = match url.host() {
            Host::Address(ip) => return (None, Ok(vec![judged(*ip, false)])),
            Host::Localhost(name) => {
                let loopbacks = guard::loopbacks(&self.rules).map(|ip| judged(ip, false)).collect();
                return (Some(Arc::clone(name)), Ok(loopbacks));
            }
            Host::Name(name) => (name, false),
            Host::PrivateName(name) => (name, true),
        };
        let found = self.names.look_up(name, deadline).await.map_err(|error| dns_error(name, &error, deadline));
        let found = found.map(|ips| {
            ips.iter().take(self.limits.dns_addresses_max).map(|ip| judged(*ip, private)).collect::<Vec<_>>()
        });
        (Some(Arc::clone(name)), found)
    }

    /// `address` has been judged.
    async fn examine_address(&self, url: &VettedUrl, address: SocketAddr, deadline: Instant) -> ConnectionFound {
        let began = Instant::now();
        let tcp = match self.connector.dial(address, &self.names, deadline).await {
            Err(error) => return ConnectionFound { address, tcp: Err(error), tls: None },
            Ok(tcp) => tcp,
        };
        let took = began.elapsed();
        let tls = match url.scheme() {
            Scheme::Http => None,
            Scheme::Https => {
                let shown = self.connector.tls.examine(tcp, url.host(), deadline).await;
                let chain = shown.chain.iter().filter_map(|der| certificate(der)).collect();
                Some(TlsFound { session: shown.result, chain })
            }
        };
        ConnectionFound { address, tcp: Ok(took), tls }
    }
}

/// None when it cannot be read.
fn certificate(der: &[u8]) -> Option<CertificateFound> {
    let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|names| &names.value.general_names).filter_map(general_name);
    Some(CertificateFound {
        subject: shortened(&parsed.subject().to_string()),
        issuer: shortened(&parsed.issuer().to_string()),
        names: names.take(CERTIFICATE_NAMES_MAX).collect(),
        not_before_unix_s: parsed.validity().not_before.timestamp(),
        not_after_unix_s: parsed.validity().not_after.timestamp(),
    })
}

fn general_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(shortened(name)),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|four| IpAddr::from(four).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|sixteen| IpAddr::from(sixteen).to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(CERTIFICATE_TEXT_CHARS_MAX).collect()
}
