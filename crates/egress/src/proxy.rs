//! The operator's egress proxy. It is asked to connect to a vetted address, never to a name, so it resolves nothing itself.
//!
//! Only the settings name a proxy; the environment (`HTTPS_PROXY` and the like) is never read.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use data_encoding::BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::{AttemptError, AttemptErrorKind, SetupError};

/// How requests leave this host.
#[derive(Debug, Clone, Default)]
pub enum EgressProxy {
    /// Directly.
    #[default]
    None,
    /// Through an HTTP proxy's CONNECT method (RFC 9110 section 9.3.6).
    Connect {
        /// `host:port`, or `http://host:port`.
        address: String,
        /// Sent as Basic credentials (RFC 7617).
        auth: Option<ProxyAuth>,
    },
    /// Through a SOCKS5 proxy (RFC 1928).
    Socks5 {
        /// `host:port`.
        address: String,
        /// Sent as user name and password (RFC 1929).
        auth: Option<ProxyAuth>,
    },
}

/// Credentials for a proxy. Not shown in debug output.
#[derive(Clone)]
pub struct ProxyAuth {
    /// The user name, at most 255 bytes, without a colon.
    pub username: String,
    /// The password, at most 255 bytes.
    pub password: String,
}

impl fmt::Debug for ProxyAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyAuth(…)")
    }
}

/// A proxy with its settings checked once.
pub(crate) struct Proxy {
    pub(crate) host: std::sync::Arc<str>,
    pub(crate) port: u16,
    dialect: Dialect,
}

enum Dialect {
    /// The whole `Proxy-Authorization` line, or nothing.
    Connect {
        authorization_line: String,
    },
    Socks5 {
        auth: Option<ProxyAuth>,
    },
}

impl Proxy {
    pub(crate) fn from_settings(settings: &EgressProxy) -> Result<Option<Self>, SetupError> {
        let (address, auth) = match settings {
            EgressProxy::None => return Ok(None),
            EgressProxy::Connect { address, auth } | EgressProxy::Socks5 { address, auth } => (address, auth),
        };
        let wrong = |why| SetupError::Proxy { address: address.clone(), why };
        let bare = address.strip_prefix("http://").unwrap_or(address);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        let (host, port) = bare.rsplit_once(':').ok_or_else(|| wrong("it must be host:port"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().map_err(|_invalid| wrong("its port must be a number from 1 to 65535"))?;
        if host.is_empty() || host.contains(['/', '@', '?']) {
            return Err(wrong("it must be host:port, with credentials given apart"));
        }
        if auth.as_ref().is_some_and(ProxyAuth::is_malformed) {
            return Err(wrong("user name and password must have 1 to 255 bytes, the user name no colon"));
        }
        let dialect = match settings {
            EgressProxy::Socks5 { .. } => Dialect::Socks5 { auth: auth.clone() },
            _ => Dialect::Connect { authorization_line: auth.as_ref().map(ProxyAuth::basic_line).unwrap_or_default() },
        };
        Ok(Some(Self { host: host.into(), port, dialect }))
    }

    /// Asks the proxy, on a fresh connection to it, for a tunnel to `to`. The caller bounds the time.
    pub(crate) async fn open_tunnel(
        &self,
        tcp: &mut TcpStream,
        to: SocketAddr,
        reply_bytes_max: usize,
    ) -> Result<(), AttemptError> {
        let opened = match &self.dialect {
            Dialect::Connect { authorization_line } => connect(tcp, to, authorization_line, reply_bytes_max).await,
            Dialect::Socks5 { auth } => socks5(tcp, to, auth.as_ref()).await,
        };
        opened.map_err(|failure| match failure {
            Refusal::Io(error) => {
                proxy_error("proxy_connection", format!("the connection to the egress proxy failed: {error}"))
            }
            Refusal::Said(what) => {
                proxy_error("proxy_refused", format!("the egress proxy did not connect to {to}: {what}"))
            }
        })
    }
}

impl ProxyAuth {
    fn is_malformed(&self) -> bool {
        let fits = |text: &str| (1..=255).contains(&text.len());
        !fits(&self.username) || !fits(&self.password) || self.username.contains(':')
    }

    fn basic_line(&self) -> String {
        let credentials = BASE64.encode(format!("{}:{}", self.username, self.password).as_bytes());
        format!("Proxy-Authorization: Basic {credentials}\r\n")
    }
}

pub(crate) fn proxy_error(reason: &'static str, message: impl Into<String>) -> AttemptError {
    AttemptError::new(AttemptErrorKind::Proxy, reason, message)
}

enum Refusal {
    Io(io::Error),
    Said(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn said<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Said(what.into()))
}

async fn connect(tcp: &mut TcpStream, to: SocketAddr, authorization: &str, reply_max: usize) -> Result<(), Refusal> {
    let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{authorization}\r\n");
    tcp.write_all(request.as_bytes()).await?;
    let mut reply = Vec::with_capacity(512);
    while !reply.ends_with(b"\r\n\r\n") {
        // What lies beyond the head belongs to the tunnel, and no server speaks first in TLS or HTTP.
        if reply.windows(4).any(|four| four == b"\r\n\r\n") {
            return said("it sent something besides its reply");
        }
        if reply.len() >= reply_max {
            return said("its reply is too long");
        }
        if tcp.read_buf(&mut reply).await? == 0 {
            return said("it closed the connection");
        }
    }
    let line = reply.split(|b| *b == b'\r').next().unwrap_or_default();
    let mut words = line.splitn(3, |b| *b == b' ');
    let is_http = words.next().is_some_and(|version| version.starts_with(b"HTTP/1."));
    match words.next() {
        Some([b'2', _, _]) if is_http => Ok(()),
        Some(status @ [_, _, _]) if is_http => said(format!("it answered {}", String::from_utf8_lossy(status))),
        _ => said("its reply is not HTTP"),
    }
}

const SOCKS_VERSION: u8 = 5;
const SOCKS_NO_AUTH: u8 = 0;
const SOCKS_PASSWORD: u8 = 2;

async fn socks5(tcp: &mut TcpStream, to: SocketAddr, auth: Option<&ProxyAuth>) -> Result<(), Refusal> {
    let method = if auth.is_some() { SOCKS_PASSWORD } else { SOCKS_NO_AUTH };
    tcp.write_all(&[SOCKS_VERSION, 1, method]).await?;
    let mut chosen = [0; 2];
    tcp.read_exact(&mut chosen).await?;
    if chosen != [SOCKS_VERSION, method] {
        return said("it does not accept the way of signing in");
    }
    if let Some(auth) = auth {
        socks5_sign_in(tcp, auth).await?;
    }
    let mut request = vec![SOCKS_VERSION, 1, 0];
    match to {
        SocketAddr::V4(v4) => {
            request.push(1);
            request.extend(v4.ip().octets());
        }
        SocketAddr::V6(v6) => {
            request.push(4);
            request.extend(v6.ip().octets());
        }
    }
    request.extend(to.port().to_be_bytes());
    tcp.write_all(&request).await?;
    socks5_reply(tcp).await
}

/// RFC 1929 section 2.
async fn socks5_sign_in(tcp: &mut TcpStream, auth: &ProxyAuth) -> Result<(), Refusal> {
    let mut request = vec![1];
    for text in [&auth.username, &auth.password] {
        // Lengths were checked when the settings were read.
        request.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        request.extend(text.as_bytes());
    }
    tcp.write_all(&request).await?;
    let mut reply = [0; 2];
    tcp.read_exact(&mut reply).await?;
    let [_version, status] = reply;
    if status == 0 { Ok(()) } else { said("it refused the credentials") }
}

/// RFC 1928 section 6.
async fn socks5_reply(tcp: &mut TcpStream) -> Result<(), Refusal> {
    let mut head = [0; 4];
    tcp.read_exact(&mut head).await?;
    let [version, status, _reserved, kind] = head;
    if version != SOCKS_VERSION {
        return said("its reply is not SOCKS5");
    }
    let address_bytes = match kind {
        1 => 4,
        3 => usize::from(tcp.read_u8().await?),
        4 => 16,
        _ => return said("its reply is malformed"),
    };
    let mut bound = [0; 255 + 2];
    let Some(bound) = bound.get_mut(..address_bytes + 2) else { return said("its reply is malformed") };
    tcp.read_exact(bound).await?;
    match status {
        0 => Ok(()),
        2 => said("its rules do not allow it"),
        3 => said("network unreachable"),
        4 => said("host unreachable"),
        5 => said("connection refused"),
        other => said(format!("it answered with code {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_appear_in_debug_output() {
        let auth = ProxyAuth { username: "me".to_owned(), password: "hush".to_owned() };
        let shown = format!("{:?}", EgressProxy::Connect { address: "p:1".to_owned(), auth: Some(auth) });
        assert!(!shown.contains("hush") && !shown.contains("me\""));
    }

    #[test]
    fn a_malformed_proxy_is_refused_when_the_client_is_made() {
        for address in ["", "proxy", "proxy:", "proxy:x", ":3128", "http://user@proxy:3128", "https://proxy:3128"] {
            let settings = EgressProxy::Connect { address: address.to_owned(), auth: None };
            assert!(Proxy::from_settings(&settings).is_err(), "{address:?}");
        }
        let settings = EgressProxy::Connect { address: "http://[::1]:3128/".to_owned(), auth: None };
        let proxy = Proxy::from_settings(&settings).unwrap().unwrap();
        assert_eq!((&*proxy.host, proxy.port), ("::1", 3128));
    }
}
