//! Which database, for people.

use std::fmt;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::DatabaseError;

/// Which database, for people: never with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `host:port`, several separated by commas.
    pub servers: String,
    /// The database's name.
    pub database: String,
    /// Who connects.
    pub user: String,
    /// Whether TLS was the server's choice.
    pub may_go_without_tls: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database {} at {}", self.database, self.servers)
    }
}

impl Place {
    pub(crate) fn of(config: &Config) -> Self {
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

    /// It cannot be used, and why: what is wrong and what to do.
    pub fn unusable(&self, reason: impl Into<String>) -> DatabaseError {
        DatabaseError::Unusable { what: self.to_string(), reason: reason.into() }
    }

    /// It did not answer in time.
    #[must_use]
    pub fn silent(&self) -> DatabaseError {
        DatabaseError::Unavailable { reason: format!("{self} does not answer") }
    }
}

fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}
