//! A database's address, and a connection to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{DatabaseError, at_connecting};
use crate::limits::{CONNECT_MS_MAX, KEEPALIVE_AFTER_S, KEEPALIVE_EVERY_S, KEEPALIVES_LOST_MAX, UNACKNOWLEDGED_MS_MAX};
use crate::place::Place;

/// What sessions are called unless somebody says otherwise.
const SESSIONS: &str = "postrider";

/// A database's address and what is needed to get in; shows no password.
#[derive(Clone)]
pub struct Address {
    config: Config,
    tls: MakeRustlsConnect,
    place: Arc<Place>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.place)
    }
}

impl Address {
    /// Reads a URL (`postgres://user:password@host:port/name?sslmode=require`); `ca_pems` are trusted beside Mozilla's roots.
    ///
    /// # Errors
    /// [`DatabaseError::Unusable`] when it is no such URL, or a certificate is none.
    pub fn new(url: &str, ca_pems: &[Vec<u8>]) -> Result<Self, DatabaseError> {
        let mut config = parse(url)?;
        if config.get_dbname().is_none() {
            let name = config.get_user().unwrap_or("postgres").to_owned();
            config.dbname(name);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_millis(CONNECT_MS_MAX));
        }
        if config.get_application_name().is_none() {
            config.application_name(SESSIONS);
        }
        config.keepalives(true);
        config.keepalives_idle(Duration::from_secs(KEEPALIVE_AFTER_S));
        config.keepalives_interval(Duration::from_secs(KEEPALIVE_EVERY_S));
        config.keepalives_retries(KEEPALIVES_LOST_MAX);
        config.tcp_user_timeout(Duration::from_millis(UNACKNOWLEDGED_MS_MAX));
        let place = Arc::new(Place::of(&config));
        let tls = tls(&place, ca_pems)?;
        Ok(Address { config, tls, place })
    }

    /// The same, whose sessions the server's views show under this name, unless the URL says how they are called. The server keeps the first 63 bytes of it.
    #[must_use]
    pub fn called(&self, name: &str) -> Self {
        let mut address = self.clone();
        if address.config.get_application_name() == Some(SESSIONS) {
            address.config.application_name(name);
        }
        address
    }

    /// Which database, for people.
    #[must_use]
    pub fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// The same with what a session is set to, as `-c name=value` in the manner of the server's command line, after what the URL says itself.
    #[must_use]
    pub fn config(&self, options: &str) -> Config {
        let mut config = self.config.clone();
        let options = match self.config.get_options() {
            Some(given) => format!("{given} {options}"),
            None => options.to_owned(),
        };
        config.options(options);
        config
    }

    /// What makes a connection a TLS connection.
    #[must_use]
    pub fn tls(&self) -> MakeRustlsConnect {
        self.tls.clone()
    }

    /// Connects, within [`CONNECT_MS_MAX`].
    ///
    /// # Errors
    /// As [`at_connecting`].
    pub async fn connect(&self, options: &str) -> Result<Connected, DatabaseError> {
        let config = self.config(options);
        let connecting = tokio::time::timeout(Duration::from_millis(CONNECT_MS_MAX), config.connect(self.tls()));
        let Ok(connected) = connecting.await else { return Err(self.place.silent()) };
        let (client, connection) = connected.map_err(|error| at_connecting(&self.place, &error))?;
        let place = Arc::clone(&self.place);
        let driven = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%place, %error, "a connection was lost");
            }
        });
        Ok(Connected { client, driven })
    }
}

/// A connection with the task that drives it, which ends with it.
pub struct Connected {
    /// What statements are asked through.
    pub client: Client,
    driven: JoinHandle<()>,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.driven.abort();
    }
}

/// Certificates are always verified, so the modes that ask for it mean `require`, and `allow` means `prefer`.
fn parse(url: &str) -> Result<Config, DatabaseError> {
    let unusable = |reason: String| DatabaseError::Unusable { what: "the database".to_owned(), reason };
    let url = ["verify-full", "verify-ca"]
        .iter()
        .fold(url.to_owned(), |url, mode| url.replace(&format!("sslmode={mode}"), "sslmode=require"));
    let url = url.replace("sslmode=allow", "sslmode=prefer");
    let config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        // Its own text names the part that is wrong and no value.
        let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        unusable(format!("its URL is not understood ({why}); write postgres://user:password@host:port/name"))
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(unusable("its URL names no host; write postgres://user:password@host:port/name".to_owned()));
    }
    if config.get_user().is_none() {
        return Err(unusable("its URL names no user; write postgres://user:password@host:port/name".to_owned()));
    }
    Ok(config)
}

fn tls(place: &Place, ca_pems: &[Vec<u8>]) -> Result<MakeRustlsConnect, DatabaseError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for (at, pem) in ca_pems.iter().enumerate() {
        let refused = |why: String| place.unusable(format!("certificate authority {} of its settings: {why}", at + 1));
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            roots.add(certificate).map_err(|error| refused(error.to_string()))?;
            found += 1;
        }
        if found == 0 {
            return Err(refused("there is no certificate in PEM form".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| place.unusable(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
