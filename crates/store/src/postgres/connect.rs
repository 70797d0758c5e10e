//! How the store reaches its Postgres: where it is, as which role, over TLS or not.
//!
//! Every session is one of a *role*: the engine's, which the few statements run as that cross organisations, or the tenant's, which sees
//! one organisation at a time. What a role is set to goes with the connection's start, so that no session is ever without it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{self, Place};
use crate::error::{Result, StoreError};
use crate::limits::{
    CONNECT_MS_MAX, KEEPALIVE_AFTER_S, KEEPALIVE_EVERY_S, KEEPALIVES_LOST_MAX, READ_MS_MAX, UNACKNOWLEDGED_MS_MAX,
    WRITE_MS_MAX,
};

/// As whom a session works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Whoever the URL names: it owns the tables.
    Owner,
    /// What crosses organisations.
    Engine,
    /// One organisation at a time.
    Tenant,
}

/// What every session is set to. All statements are written for the indexes they use: no plan may read a whole table because its statistics
/// are old, and a commit in a hurry is not the moment to compile one.
const SESSION: &str = "-c search_path=postrider -c client_min_messages=warning -c idle_in_transaction_session_timeout=5s -c enable_seqscan=off \
                       -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c DateStyle=ISO -c TimeZone=UTC";

impl Role {
    /// The engine's statements are planned once. The tenant's are planned for their values, so that those on history lock and look at the
    /// partitions of those days alone; lists go along an index and stop when the page is full, where a bitmap would first find all.
    fn options(self) -> String {
        match self {
            Role::Owner => "-c search_path=postrider -c client_min_messages=warning".to_owned(),
            Role::Engine => format!(
                "{SESSION} -c role=postrider_engine -c plan_cache_mode=force_generic_plan -c statement_timeout={WRITE_MS_MAX}"
            ),
            Role::Tenant => format!(
                "{SESSION} -c role=postrider_tenant -c plan_cache_mode=force_custom_plan -c enable_bitmapscan=off \
                 -c statement_timeout={READ_MS_MAX}"
            ),
        }
    }
}

/// A database's address and what is needed to get in; shows no password.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: MakeRustlsConnect,
    pub(super) place: Arc<Place>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.place)
    }
}

impl Address {
    /// Reads a URL; `ca_pems` are trusted beside Mozilla's roots.
    pub(super) fn new(url: &str, ca_pems: &[Vec<u8>]) -> Result<Self> {
        let mut config = parse(url)?;
        if config.get_dbname().is_none() {
            let name = config.get_user().unwrap_or("postgres").to_owned();
            config.dbname(name);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_millis(CONNECT_MS_MAX));
        }
        if config.get_application_name().is_none() {
            config.application_name("postrider");
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

    /// The same with what a session of this role is set to.
    pub(super) fn config(&self, role: Role) -> Config {
        let mut config = self.config.clone();
        let options = match self.config.get_options() {
            Some(given) => format!("{given} {}", role.options()),
            None => role.options(),
        };
        config.options(options);
        config
    }

    pub(super) fn tls(&self) -> MakeRustlsConnect {
        self.tls.clone()
    }

    /// A connection beside the pools.
    pub(super) async fn connect(&self, role: Role) -> Result<Connected> {
        let config = self.config(role);
        let connecting = tokio::time::timeout(Duration::from_millis(CONNECT_MS_MAX), config.connect(self.tls()));
        let Ok(connected) = connecting.await else { return Err(self.place.silent()) };
        let (client, connection) = connected.map_err(|error| error::at_connecting(&self.place, &error))?;
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
pub(super) struct Connected {
    pub(super) client: Client,
    driven: JoinHandle<()>,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.driven.abort();
    }
}

/// Certificates are always verified, so the modes that ask for it mean `require`, and `allow` means `prefer`.
fn parse(url: &str) -> Result<Config> {
    let unusable = |reason: String| StoreError::Unusable { what: "the database".to_owned(), reason };
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

fn tls(place: &Place, ca_pems: &[Vec<u8>]) -> Result<MakeRustlsConnect> {
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

impl Place {
    fn of(config: &Config) -> Self {
        let ports = config.get_ports();
        let names: Vec<String> = match config.get_hosts() {
            [] => config.get_hostaddrs().iter().map(ToString::to_string).collect(),
            hosts => hosts.iter().map(host_name).collect(),
        };
        let servers: Vec<_> = (names.iter().enumerate())
            .map(|(at, name)| {
                let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
                format!("{name}:{port}")
            })
            .collect();
        Place {
            servers: servers.join(","),
            database: config.get_dbname().unwrap_or_default().to_owned(),
            user: config.get_user().unwrap_or_default().to_owned(),
            may_go_without_tls: config.get_ssl_mode() == SslMode::Prefer,
        }
    }
}

fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}
