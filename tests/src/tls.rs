//! Receivers over TLS with certificates of every kind, and the authority that vouches for some of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// What certificate a receiver shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost` and 127.0.0.1, by the authority.
    Good,
    /// The same, until a day in 2020.
    Expired,
    /// For another host, by the authority.
    WrongHost,
    /// For `localhost` and 127.0.0.1, by nobody else.
    SelfSigned,
}

/// An authority, in a file that the program is told to trust.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    /// Makes one, with its file in this folder.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
        let file = folder.join("authority.pem");
        std::fs::write(&file, issuer.pem()).expect("a writable folder");
        Authority { issuer, file }
    }

    /// Its file.
    #[must_use]
    pub fn file(&self) -> String {
        self.file.to_string_lossy().into_owned()
    }

    /// A receiver that shows a certificate of this kind and answers 200.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn receiver(&self, certificate: Certificate) -> TlsReceiver {
        let acceptor = TlsAcceptor::from(Arc::new(self.config(certificate)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let accepting = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Whoever refuses the certificate ends the connection, which is what some tests are about.
                    if let Ok(stream) = acceptor.accept(tcp).await {
                        let _ = answer(stream).await;
                    }
                });
            }
        });
        TlsReceiver { port, accepting: accepting.abort_handle() }
    }

    /// A certificate for `localhost` and its key, each in a PEM file in this folder.
    ///
    /// # Panics
    /// When a file cannot be written.
    #[must_use]
    pub fn files(&self, folder: &Path) -> [PathBuf; 2] {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let files = [folder.join("server.pem"), folder.join("server.key")];
        for (file, pem) in files.iter().zip([certificate.pem(), key.serialize_pem()]) {
            std::fs::write(file, pem).expect("a writable folder");
        }
        files
    }

    fn config(&self, certificate: Certificate) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let names = match certificate {
            Certificate::WrongHost => vec!["other.example".to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        };
        let mut params = CertificateParams::new(names).expect("names");
        if certificate == Certificate::Expired {
            (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        }
        let made = match certificate {
            Certificate::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &self.issuer),
        };
        let chain: Vec<CertificateDer<'static>> = vec![made.expect("a certificate").der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a chain with its key")
    }
}

/// A receiver over TLS. It ends when this is dropped.
#[derive(Debug)]
pub struct TlsReceiver {
    port: u16,
    accepting: AbortHandle,
}

impl TlsReceiver {
    /// Its URL under this name.
    #[must_use]
    pub fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/in", self.port)
    }
}

impl Drop for TlsReceiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads requests and answers each with 200.
async fn answer(stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            match line.trim().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().unwrap_or(0);
                }
                None if line.trim().is_empty() => break,
                _ => {}
            }
        }
        stream.read_exact(&mut vec![0; length]).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}
