//! TLS: 1.2 or newer, HTTP/1.1 alone, Mozilla's roots and the operator's, no client certificates, no way to skip verification.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CertificateError, ClientConfig, ProtocolVersion, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{AttemptError, AttemptErrorKind, SetupError};
use crate::guard::Host;
use crate::limits::{Limits, ms_after};

/// RFC 7301: nothing but HTTP/1.1 is offered, so a server cannot choose HTTP/2.
const ALPN: &[u8] = b"http/1.1";

/// Makes TLS sessions on connected sockets.
pub(crate) struct Tls {
    connector: TlsConnector,
    limits: Arc<Limits>,
    without_shared_cipher: AtomicU64,
}

impl Tls {
    pub(crate) fn new(extra_ca_pems: &[Vec<u8>], limits: Arc<Limits>) -> Result<Self, SetupError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for (at, pem) in extra_ca_pems.iter().enumerate() {
            add_authority(&mut roots, pem).map_err(|why| SetupError::CertificateAuthority { number: at + 1, why })?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(NoCertificate));
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), limits, without_shared_cipher: AtomicU64::new(0) })
    }

    /// Handshakes that failed because the server offered only what rustls does not have.
    pub(crate) fn without_shared_cipher(&self) -> u64 {
        self.without_shared_cipher.load(Ordering::Relaxed)
    }

    pub(crate) async fn handshake(
        &self,
        tcp: TcpStream,
        host: &Host,
        deadline: Instant,
    ) -> Result<TlsStream<TcpStream>, AttemptError> {
        let name = server_name(host)?;
        let until = deadline.min(ms_after(Instant::now(), self.limits.tls_ms_max));
        match timeout_at(until, self.handshake_unbounded(tcp, name)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(failure)) => {
                if failure.reason == NO_SHARED_CIPHER {
                    self.without_shared_cipher.fetch_add(1, Ordering::Relaxed);
                }
                Err(failure)
            }
            Err(_elapsed) if until < deadline => {
                Err(tls_error("handshake_timeout", "the TLS handshake did not finish in time"))
            }
            Err(_elapsed) => Err(AttemptError::timeout("tls", "waiting for the TLS handshake")),
        }
    }

    async fn handshake_unbounded(
        &self,
        tcp: TcpStream,
        name: ServerName<'static>,
    ) -> Result<TlsStream<TcpStream>, AttemptError> {
        let mut connecting = pin!(self.connector.connect(name, tcp));
        let mut asked = false;
        let connected = poll_fn(|cx| {
            ASKED.set(false);
            let poll = connecting.as_mut().poll(cx);
            asked |= ASKED.get();
            poll
        })
        .await;
        let mut stream = connected.map_err(|error| explain(&error, asked))?;
        let tls13 = stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        if asked && tls13 {
            self.wait_for_acceptance(&mut stream).await?;
        }
        Ok(stream)
    }

    /// In TLS 1.3 a client has finished before the server has judged its (missing) certificate (RFC 8446 section 4.4.2.4), so
    /// that a request sent now may be read by nobody. A server that goes on without one sends a session ticket first.
    async fn wait_for_acceptance(&self, stream: &mut TlsStream<TcpStream>) -> Result<(), AttemptError> {
        let until = ms_after(Instant::now(), self.limits.client_certificate_ms_max);
        let accepted = timeout_at(
            until,
            poll_fn(|cx| {
                let mut byte = [0; 1];
                let mut buf = ReadBuf::new(&mut byte);
                match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
                    Poll::Ready(Ok(())) => Poll::Ready(Err(required())),
                    Poll::Ready(Err(error)) => Poll::Ready(Err(explain(&error, true))),
                    Poll::Pending if stream.get_ref().1.tls13_tickets_received() > 0 => Poll::Ready(Ok(())),
                    Poll::Pending => Poll::Pending,
                }
            }),
        );
        accepted.await.unwrap_or_else(|_elapsed| Err(required()))
    }
}

fn add_authority(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), String> {
    let mut added = false;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        added = true;
    }
    if added { Ok(()) } else { Err("it holds no certificate".to_owned()) }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, AttemptError> {
    match host {
        Host::Address(IpAddr::V4(v4)) => Ok(ServerName::from(std::net::IpAddr::V4(*v4))),
        Host::Address(IpAddr::V6(v6)) => Ok(ServerName::from(std::net::IpAddr::V6(*v6))),
        Host::Localhost(name) | Host::Name(name) | Host::PrivateName(name) => ServerName::try_from(name.to_string())
            .map_err(|_invalid| tls_error("server_name", format!("the host \"{name}\" cannot be named in TLS"))),
    }
}

thread_local! {
    /// Whether the handshake that this thread is polling was asked for a client certificate. A handshake is polled on one
    /// thread at a time and reads the cell right after; the configuration stays shared, so that sessions are resumed.
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Answers every request for a client certificate with none, and notes that there was one.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        ASKED.set(true);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

const NO_SHARED_CIPHER: &str = "no_shared_cipher";

fn tls_error(reason: &'static str, message: impl Into<String>) -> AttemptError {
    AttemptError::new(AttemptErrorKind::Tls, reason, message)
}

fn required() -> AttemptError {
    tls_error("client_certificate_required", "the server asks for a client certificate, and none is ever sent")
}

/// Turns a handshake's error into one that its owner understands. `asked`: the server had asked for a client certificate.
fn explain(error: &io::Error, asked: bool) -> AttemptError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => explain_certificate(wrong),
        Some(rustls::Error::AlertReceived(alert)) => explain_alert(*alert, asked),
        Some(rustls::Error::PeerIncompatible(why)) => explain_incompatible(why),
        Some(rustls::Error::InvalidMessage(_)) => tls_error(
            "not_tls",
            "the server does not speak TLS on this port; check the port, or whether it is http only",
        ),
        Some(other) => tls_error("tls_other", format!("the TLS handshake failed: {other}")),
        None if asked => required(),
        None => tls_error("connection_closed", format!("the connection ended during the TLS handshake: {error}")),
    }
}

fn explain_certificate(wrong: &CertificateError) -> AttemptError {
    match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            tls_error("certificate_expired", "the server's certificate has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            tls_error("certificate_not_yet_valid", "the server's certificate is not valid yet")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            tls_error("certificate_wrong_host", format!("the server's certificate is for another host: {wrong}"))
        }
        CertificateError::UnknownIssuer => tls_error(
            "certificate_unknown_issuer",
            "the server's certificate is self-signed, or its chain to a known authority is incomplete",
        ),
        CertificateError::Revoked => tls_error("certificate_revoked", "the server's certificate was revoked"),
        other => tls_error("certificate_invalid", format!("the server's certificate is not acceptable: {other}")),
    }
}

fn explain_alert(alert: AlertDescription, asked: bool) -> AttemptError {
    match alert {
        AlertDescription::CertificateRequired => required(),
        AlertDescription::HandshakeFailure | AlertDescription::BadCertificate if asked => required(),
        AlertDescription::ProtocolVersion => protocol_version(),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => no_shared_cipher(),
        other => tls_error("alert", format!("the server ended the TLS handshake with the alert {other:?}")),
    }
}

fn explain_incompatible(why: &rustls::PeerIncompatible) -> AttemptError {
    use rustls::PeerIncompatible as Why;
    match why {
        Why::ServerDoesNotSupportTls12Or13 | Why::Tls12NotOffered | Why::Tls12NotOfferedOrEnabled => protocol_version(),
        Why::NoCipherSuitesInCommon
        | Why::NoKxGroupsInCommon
        | Why::NoEcPointFormatsInCommon
        | Why::NoSignatureSchemesInCommon => no_shared_cipher(),
        other => tls_error("incompatible", format!("the server's TLS is not compatible: {other:?}")),
    }
}

fn protocol_version() -> AttemptError {
    tls_error("protocol_version", "the server offers only TLS versions older than 1.2")
}

fn no_shared_cipher() -> AttemptError {
    tls_error(
        NO_SHARED_CIPHER,
        "the server and this client have no cipher in common; enable ECDHE with AES-GCM or ChaCha20",
    )
}
