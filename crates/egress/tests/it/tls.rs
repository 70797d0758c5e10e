//! TLS receivers: nothing of a request leaves before the server is trusted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use postrider_egress::{AttemptErrorKind, Client, ClientSettings, SetupError};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::support::*;

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Each has a name of its own, so that none is taken for another and then fails by its signature.
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        let name = format!("Authority {}", COUNT.fetch_add(1, Ordering::SeqCst));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// A certificate for `localhost` and 127.0.0.1, changed by `alter`.
    fn certify(&self, alter: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = for_localhost();
        alter(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { chain: vec![certificate.der().clone()], key: key.serialize_der() }
    }

    /// A client that trusts this authority besides the built-in ones.
    fn trusting_client(&self) -> Client {
        let extra_ca_pems = vec![self.issuer.pem().into_bytes()];
        Client::new(ClientSettings { extra_ca_pems, ..loopback_settings() }).unwrap()
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        Arc::new(roots)
    }
}

fn for_localhost() -> CertificateParams {
    CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

#[derive(Clone, Copy, PartialEq)]
enum ClientCertificate {
    Ignored,
    Wanted,
    Required,
}

fn server(
    identity: Identity,
    versions: &[&'static SupportedProtocolVersion],
    client: ClientCertificate,
    authority: &Authority,
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider);
    let builder = match client {
        ClientCertificate::Ignored => builder.with_no_client_auth(),
        ClientCertificate::Wanted => {
            builder.with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
        }
        ClientCertificate::Required => builder.with_client_cert_verifier(verifier.build().unwrap()),
    };
    builder.with_single_cert(identity.chain, PrivateKeyDer::try_from(identity.key).unwrap()).unwrap()
}

/// Answers 200 over TLS.
async fn tls_receiver(config: ServerConfig) -> Receiver {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    receiver_over(
        move |tcp: TcpStream| {
            let acceptor = acceptor.clone();
            async move { acceptor.accept(tcp).await.ok() }
        },
        |mut talk| async move { while talk.read_request().await.is_some() && talk.write(OK).await {} },
    )
    .await
}

async fn plain_tls_receiver(identity: Identity, authority: &Authority) -> Receiver {
    tls_receiver(server(identity, BOTH, ClientCertificate::Ignored, authority)).await
}

fn https(receiver: &Receiver, host: &str) -> String {
    format!("https://{host}:{}/hook", receiver.address.port())
}

async fn assert_tls_refuses(client: &Client, receiver: &Receiver, reason: &str) {
    let attempt = post(client, &https(receiver, "127.0.0.1")).await;
    assert_failed(&attempt, AttemptErrorKind::Tls, reason);
    assert_eq!(receiver.seen.bytes.load(Ordering::SeqCst), 0, "some of the request was sent");
}

#[tokio::test]
async fn a_trusted_server_is_served_over_either_version_and_kept() {
    let authority = Authority::new();
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12][..]] {
        let config = server(authority.certify(|_| {}), versions, ClientCertificate::Ignored, &authority);
        let receiver = tls_receiver(config).await;
        let client = authority.trusting_client();
        for host in ["127.0.0.1", "localhost"] {
            assert_eq!(answered(post(&client, &https(&receiver, host)).await).status, 200);
            assert!(post(&client, &https(&receiver, host)).await.reused_connection);
        }
    }
}

#[tokio::test]
async fn a_new_connection_resumes_the_session_of_the_last() {
    let authority = Authority::new();
    let acceptor =
        TlsAcceptor::from(Arc::new(server(authority.certify(|_| {}), BOTH, ClientCertificate::Ignored, &authority)));
    let kinds = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let notes = Arc::clone(&kinds);
    let receiver = receiver_over(
        move |tcp: TcpStream| {
            let (acceptor, notes) = (acceptor.clone(), Arc::clone(&notes));
            async move {
                let stream = acceptor.accept(tcp).await.ok()?;
                notes.lock().push(stream.get_ref().1.handshake_kind().unwrap());
                Some(stream)
            }
        },
        |mut talk| async move {
            talk.read_request().await;
            talk.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        },
    )
    .await;
    let client = authority.trusting_client();
    for _ in 0..2 {
        assert_eq!(answered(post(&client, &https(&receiver, "localhost")).await).status, 200);
    }
    assert_eq!(*kinds.lock(), [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]);
}

#[tokio::test]
async fn an_authority_that_the_operator_did_not_add_is_unknown() {
    let authority = Authority::new();
    let receiver = plain_tls_receiver(authority.certify(|_| {}), &authority).await;
    assert_tls_refuses(&client(), &receiver, "certificate_unknown_issuer").await;
    assert_tls_refuses(&Authority::new().trusting_client(), &receiver, "certificate_unknown_issuer").await;
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let certificate = for_localhost().self_signed(&key).unwrap();
    let identity = Identity { chain: vec![certificate.der().clone()], key: key.serialize_der() };
    let receiver = plain_tls_receiver(identity, &authority).await;
    assert_tls_refuses(&authority.trusting_client(), &receiver, "certificate_unknown_issuer").await;
}

#[tokio::test]
async fn expired_and_future_certificates_are_refused() {
    let authority = Authority::new();
    let expired = authority.certify(|params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let receiver = plain_tls_receiver(expired, &authority).await;
    assert_tls_refuses(&authority.trusting_client(), &receiver, "certificate_expired").await;
    let future = authority.certify(|params| params.not_before = date_time_ymd(4000, 1, 1));
    let receiver = plain_tls_receiver(future, &authority).await;
    assert_tls_refuses(&authority.trusting_client(), &receiver, "certificate_not_yet_valid").await;
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let authority = Authority::new();
    let other = authority.certify(|params| {
        *params = CertificateParams::new(vec!["other.example.com".to_owned()]).unwrap();
    });
    let receiver = plain_tls_receiver(other, &authority).await;
    assert_tls_refuses(&authority.trusting_client(), &receiver, "certificate_wrong_host").await;
}

#[tokio::test]
async fn a_server_that_requires_a_client_certificate_gets_nothing() {
    let authority = Authority::new();
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12][..]] {
        let config = server(authority.certify(|_| {}), versions, ClientCertificate::Required, &authority);
        let receiver = tls_receiver(config).await;
        assert_tls_refuses(&authority.trusting_client(), &receiver, "client_certificate_required").await;
    }
}

#[tokio::test]
async fn a_server_that_only_asks_for_a_client_certificate_is_served() {
    let authority = Authority::new();
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12][..]] {
        let config = server(authority.certify(|_| {}), versions, ClientCertificate::Wanted, &authority);
        let receiver = tls_receiver(config).await;
        let attempt = post(&authority.trusting_client(), &https(&receiver, "localhost")).await;
        assert_eq!(answered(attempt).status, 200);
    }
}

#[tokio::test]
async fn http_2_is_not_chosen_when_it_is_offered_and_not_spoken_when_it_is_alone() {
    let authority = Authority::new();
    let mut config = server(authority.certify(|_| {}), BOTH, ClientCertificate::Ignored, &authority);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let receiver = tls_receiver(config).await;
    let client = authority.trusting_client();
    let response = answered(post(&client, &https(&receiver, "localhost")).await);
    assert_eq!(response.version, postrider_egress::HttpVersion::Http11);

    let mut config = server(authority.certify(|_| {}), BOTH, ClientCertificate::Ignored, &authority);
    config.alpn_protocols = vec![b"h2".to_vec()];
    assert_tls_refuses(&client, &tls_receiver(config).await, "alert").await;
}

/// Reads some of the ClientHello and answers with raw TLS records.
async fn raw_tls(answer: &'static [u8]) -> Receiver {
    receiver(move |mut talk| async move {
        use tokio::io::AsyncReadExt;
        let mut hello = [0; 4_096];
        let _ = talk.stream.read(&mut hello).await;
        talk.write(answer).await;
        talk.hang().await;
    })
    .await
}

/// A fatal alert (RFC 8446 section 6): record header, level 2, description.
macro_rules! alert {
    ($description:literal) => {
        &[0x15, 3, 1, 0, 2, 2, $description]
    };
}

/// A ServerHello that chooses TLS 1.`minor - 1` with TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA (RFC 5246 section 7.4.1.3).
fn old_server_hello(minor: u8) -> &'static [u8] {
    let mut body = vec![3, minor];
    body.extend([7; 32]);
    body.extend([0, 0xc0, 0x13, 0]);
    let mut record =
        vec![0x16, 3, minor, 0, u8::try_from(body.len() + 4).unwrap(), 2, 0, 0, u8::try_from(body.len()).unwrap()];
    record.extend(body);
    record.leak()
}

#[tokio::test]
async fn servers_that_speak_only_old_versions_are_refused() {
    for answer in [alert!(70), old_server_hello(1), old_server_hello(2)] {
        let receiver = raw_tls(answer).await;
        let attempt = post(&client(), &https(&receiver, "127.0.0.1")).await;
        assert_failed(&attempt, AttemptErrorKind::Tls, "protocol_version");
    }
}

#[tokio::test]
async fn handshakes_that_fail_for_want_of_a_cipher_are_counted() {
    let client = client();
    for answer in [alert!(40), alert!(71)] {
        let receiver = raw_tls(answer).await;
        let attempt = post(&client, &https(&receiver, "127.0.0.1")).await;
        assert_failed(&attempt, AttemptErrorKind::Tls, "no_shared_cipher");
    }
    assert_eq!(client.stats().handshakes_without_shared_cipher, 2);
}

#[tokio::test]
async fn a_plain_http_server_behind_https_is_explained() {
    let receiver = raw_tls(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let attempt = post(&client(), &https(&receiver, "127.0.0.1")).await;
    assert_failed(&attempt, AttemptErrorKind::Tls, "not_tls");
}

#[tokio::test]
async fn a_handshake_that_hangs_or_breaks_off_is_bounded() {
    let hanging = receiver(|mut talk| async move { talk.hang().await }).await;
    let url = https(&hanging, "127.0.0.1");
    let attempt = Post { deadline: SHORT, ..Post::to(&url) }.with(&client()).await;
    assert_failed(&attempt, AttemptErrorKind::Timeout, "tls");

    let closing = receiver(|mut talk| async move {
        use tokio::io::AsyncReadExt;
        let _ = talk.stream.read(&mut [0; 4_096]).await;
    })
    .await;
    let attempt = post(&client(), &https(&closing, "127.0.0.1")).await;
    assert_failed(&attempt, AttemptErrorKind::Tls, "connection_closed");
}

#[tokio::test]
async fn an_unusable_authority_is_refused_when_the_client_is_made() {
    for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let extra_ca_pems = vec![Authority::new().issuer.pem().into_bytes(), pem.as_bytes().to_vec()];
        let made = Client::new(ClientSettings { extra_ca_pems, ..loopback_settings() });
        assert!(matches!(made, Err(SetupError::CertificateAuthority { number: 2, .. })), "{pem:?}");
    }
}
