//! TLS: 1.2 or newer, HTTP/1.1 alone, Mozilla's roots and the operator's, no client certificates, no way to skip verification.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, ProtocolVersion, RootCertStore,
    SignatureScheme,
};
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
    roots: Arc<RootCertStore>,
    limits: Arc<Limits>,
    without_shared_cipher: AtomicU64,
}

impl Tls {
    pub(crate) fn new(extra_ca_pems: &[Vec<u8>], limits: Arc<Limits>) -> Result<Self, SetupError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for (at, pem) in extra_ca_pems.iter().enumerate() {
            add_authority(&mut roots, pem).map_err(|why| SetupError::CertificateAuthority { number: at + 1, why })?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_cert_resolver(Arc::new(NoCertificate));
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            roots,
            limits,
            without_shared_cipher: AtomicU64::new(0),
        })
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
        match timeout_at(until, self.handshake_unbounded(&self.connector, tcp, name)).await {
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

    /// A handshake that is judged as every other, and tells what the server showed even where it is refused.
    pub(crate) async fn examine(&self, tcp: TcpStream, host: &Host, deadline: Instant) -> Shown {
        let chain = Arc::new(Mutex::new(Vec::new()));
        let result = self.examine_into(&chain, tcp, host, deadline).await;
        let chain = std::mem::take(&mut *chain.lock());
        Shown { result, chain }
    }

    async fn examine_into(
        &self,
        chain: &Arc<Mutex<Vec<Vec<u8>>>>,
        tcp: TcpStream,
        host: &Host,
        deadline: Instant,
    ) -> Result<&'static str, AttemptError> {
        let unusable = |error: String| tls_error("tls_other", format!("TLS could not be set up: {error}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), Arc::clone(&provider));
        let judge = judge.build().map_err(|error| unusable(error.to_string()))?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| unusable(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Noting { judge, chain: Arc::clone(chain) }))
            .with_client_cert_resolver(Arc::new(NoCertificate));
        config.alpn_protocols = vec![ALPN.to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let shaken = self.handshake_unbounded(&connector, tcp, server_name(host)?);
        let until = deadline.min(ms_after(Instant::now(), self.limits.tls_ms_max));
        let late = |_elapsed| tls_error("handshake_timeout", "the TLS handshake did not finish in time");
        let stream = timeout_at(until, shaken).await.map_err(late)??;
        Ok(match stream.get_ref().1.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS 1.2",
        })
    }

    async fn handshake_unbounded(
        &self,
        connector: &TlsConnector,
        tcp: TcpStream,
        name: ServerName<'static>,
    ) -> Result<TlsStream<TcpStream>, AttemptError> {
        let mut connecting = pin!(connector.connect(name, tcp));
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

/// What a server showed in a handshake.
pub(crate) struct Shown {
    /// The version agreed on, or why there is no session.
    pub(crate) result: Result<&'static str, AttemptError>,
    /// Its certificates in DER, its own first; none when it showed none.
    pub(crate) chain: Vec<Vec<u8>>,
}

/// Judges a chain as every handshake does, and notes it.
#[derive(Debug)]
struct Noting {
    judge: Arc<WebPkiServerVerifier>,
    chain: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(end_entity).chain(intermediates);
        *self.chain.lock() = all.map(|certificate| certificate.to_vec()).collect();
        self.judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
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
