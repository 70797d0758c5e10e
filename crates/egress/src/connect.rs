//! Makes connections: vetted addresses in, an HTTP/1.1 link out.
//!
//! A *link* is one connection with hyper's two halves, driven by whoever holds it: no task of its own.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::error::{AttemptError, AttemptErrorKind};
use crate::guard::{Scheme, VettedUrl};
use crate::limits::{Limits, ms_after};
use crate::pace::Pace;
use crate::proxy::{Proxy, proxy_error};
use crate::resolve::NameCache;
use crate::stream::{Gauge, Gauged, Wire};
use crate::tls::Tls;

pub(crate) type RequestBody = Full<Bytes>;

/// hyper panics below this.
const HYPER_BUFFER_BYTES_MIN: usize = 8 * 1024;

/// One connection to one vetted address.
pub(crate) struct Link {
    pub(crate) sender: http1::SendRequest<RequestBody>,
    pub(crate) connection: http1::Connection<TokioIo<Gauged>, RequestBody>,
    /// Whether `connection` has finished; it must not be polled then.
    pub(crate) finished: bool,
    pub(crate) gauge: Arc<Gauge>,
    pub(crate) remote: SocketAddr,
    pub(crate) origin: Arc<str>,
}

/// Makes links.
pub(crate) struct Connector {
    pub(crate) limits: Arc<Limits>,
    pub(crate) tls: Tls,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) pace: Pace,
}

impl Connector {
    /// Dials the vetted addresses in turn until one connects, then speaks TLS where the scheme says so.
    /// Every address dialled is appended to `tried`.
    pub(crate) async fn open(
        &self,
        url: &VettedUrl,
        addresses: &[IpAddr],
        names: &NameCache,
        deadline: Instant,
        tried: &mut Vec<SocketAddr>,
    ) -> Result<Box<Link>, AttemptError> {
        self.wait_for_turn(url.origin(), deadline).await?;
        let (tcp, remote) = self.dial_any(url.port(), addresses, names, deadline, tried).await?;
        let wire = match url.scheme() {
            Scheme::Http => Wire::Plain(tcp),
            Scheme::Https => Wire::Tls(Box::new(self.tls.handshake(tcp, url.host(), deadline).await?)),
        };
        self.link(wire, remote, Arc::clone(url.origin())).await
    }

    async fn wait_for_turn(&self, origin: &Arc<str>, deadline: Instant) -> Result<(), AttemptError> {
        let now = Instant::now();
        match self.pace.reserve(origin, now, deadline) {
            Some(start) if start <= now => Ok(()),
            Some(start) => {
                sleep_until(start).await;
                Ok(())
            }
            None => {
                let message =
                    "too many new connections to this host at once; the receiver should keep connections open";
                Err(AttemptError::new(AttemptErrorKind::Connect, "paced", message))
            }
        }
    }

    async fn dial_any(
        &self,
        port: u16,
        addresses: &[IpAddr],
        names: &NameCache,
        deadline: Instant,
        tried: &mut Vec<SocketAddr>,
    ) -> Result<(TcpStream, SocketAddr), AttemptError> {
        let mut failure =
            AttemptError::new(AttemptErrorKind::Connect, "no_address", "there is no address to connect to");
        for ip in in_turn(addresses).take(self.limits.addresses_tried_max) {
            let address = SocketAddr::new(ip, port);
            tried.push(address);
            match self.dial(address, names, deadline).await {
                Ok(tcp) => return Ok((tcp, address)),
                Err(error) => failure = error,
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Err(failure)
    }

    pub(crate) async fn dial(
        &self,
        to: SocketAddr,
        names: &NameCache,
        deadline: Instant,
    ) -> Result<TcpStream, AttemptError> {
        let until = deadline.min(ms_after(Instant::now(), self.limits.connect_ms_max));
        let dialled = timeout_at(until, async {
            match &self.proxy {
                None => dial_tcp(to).await,
                Some(proxy) => self.dial_through(proxy, to, names, until).await,
            }
        });
        match dialled.await {
            Ok(result) => result,
            Err(_elapsed) if until < deadline => {
                let message = format!("no connection to {to} within {} ms", self.limits.connect_ms_max);
                Err(AttemptError::new(AttemptErrorKind::Connect, "connect_timeout", message))
            }
            Err(_elapsed) => Err(AttemptError::timeout("connect", &format!("connecting to {to}"))),
        }
    }

    async fn dial_through(
        &self,
        proxy: &Proxy,
        to: SocketAddr,
        names: &NameCache,
        until: Instant,
    ) -> Result<TcpStream, AttemptError> {
        // The operator named the proxy, so its address is not judged.
        let ip = match proxy.host.parse::<IpAddr>() {
            Ok(ip) => ip,
            Err(_name) => {
                let found = names.look_up(&proxy.host, until).await;
                let first = found.ok().and_then(|addresses| addresses.first().copied());
                first.ok_or_else(|| proxy_error("proxy_name", "the egress proxy's name could not be resolved"))?
            }
        };
        let mut tcp = dial_tcp(SocketAddr::new(ip, proxy.port)).await.map_err(|error| {
            proxy_error("proxy_connection", format!("the egress proxy could not be reached: {}", error.message))
        })?;
        proxy.open_tunnel(&mut tcp, to, self.limits.proxy_reply_bytes_max).await?;
        Ok(tcp)
    }

    async fn link(&self, wire: Wire, remote: SocketAddr, origin: Arc<str>) -> Result<Box<Link>, AttemptError> {
        let (stream, gauge) = Gauged::new(wire, Arc::clone(&self.limits));
        let head_bytes_max = self.limits.response_head_bytes_max.max(HYPER_BUFFER_BYTES_MIN);
        let shaken = http1::Builder::new()
            .preserve_header_case(true)
            .max_buf_size(head_bytes_max)
            .max_header_size(head_bytes_max)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = shaken.map_err(|error| {
            AttemptError::new(
                AttemptErrorKind::Connect,
                "http_setup",
                format!("the connection could not be used: {error}"),
            )
        })?;
        Ok(Box::new(Link { sender, connection, finished: false, gauge, remote, origin }))
    }
}

async fn dial_tcp(to: SocketAddr) -> Result<TcpStream, AttemptError> {
    let connected = TcpStream::connect(to).await.and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp));
    connected.map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "connection_refused",
            std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => "unreachable",
            _ => "connect_failed",
        };
        AttemptError::new(AttemptErrorKind::Connect, reason, format!("no connection to {to}: {error}"))
    })
}

/// IPv4 and IPv6 by turns, IPv4 first: where a host has a broken IPv6 route, the first try still succeeds.
fn in_turn(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> + '_ {
    let mut v4 = addresses.iter().copied().filter(IpAddr::is_ipv4);
    let mut v6 = addresses.iter().copied().filter(IpAddr::is_ipv6);
    let mut turn_of_v6 = false;
    std::iter::from_fn(move || {
        turn_of_v6 = !turn_of_v6;
        if turn_of_v6 { v4.next().or_else(|| v6.next()) } else { v6.next().or_else(|| v4.next()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_family_does_not_use_up_all_tries() {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        let addresses: Vec<_> = ["2003::1", "2003::2", "2003::3", "8.8.8.8"].into_iter().map(parse).collect();
        let order: Vec<_> = in_turn(&addresses).collect();
        assert_eq!(order, ["8.8.8.8", "2003::1", "2003::2", "2003::3"].map(parse));
    }
}
