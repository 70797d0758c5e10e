//! The store for many nodes: Postgres 15 or newer.
//!
//! A few writers commit in groups; reads go over pools of connections, each under the role that its statements need; leases and hints have
//! a connection each. Values are sealed and opened in the callers' own tasks. There is no state in a node that another could miss:
//! what is kept in memory is what nobody else may change, or what a version or a lease tells to be old.

mod changes;
mod claim;
mod commit;
mod config;
mod configuration;
mod connect;
mod deliveries;
mod delivery_rows;
mod endpoints;
mod error;
mod events;
mod hints;
mod idempotency;
mod lanes;
mod leases;
mod master;
mod migrate;
mod organizations;
mod pages;
mod record;
mod related;
mod retention;
mod retry;
mod roles;
mod rows;
mod scope;
mod session;
mod stats;
mod tenants;
mod test_event;
mod trait_impl;

use crate::error::{Result, StoreError};
use crate::limits::{CONNECTIONS_DEFAULT, CONNECTIONS_MIN};
use crate::master_key::MasterKeys;
use connect::{Address, Role};
use session::{Session, Sessions};
use tenants::Tenants;

pub use migrate::{MIGRATIONS, Migration};

/// What may be set about a [`PostgresStore`].
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// The most connections that this store has at once; at least 8.
    pub connections_max: usize,
    /// Certificates in PEM form of authorities that are trusted beside Mozilla's.
    pub ca_pems: Vec<Vec<u8>>,
    /// What the program knows of the tables; another than [`MIGRATIONS`] in tests alone.
    pub migrations: &'static [Migration],
}

impl Default for PostgresOptions {
    fn default() -> Self {
        PostgresOptions { connections_max: CONNECTIONS_DEFAULT, ca_pems: Vec::new(), migrations: MIGRATIONS }
    }
}

/// A store in a Postgres database, which any number of nodes use at once.
pub struct PostgresStore {
    engine: Sessions,
    tenant: Sessions,
    tenants: Tenants,
}

impl PostgresStore {
    /// Opens a database by its URL (`postgres://user:password@host:port/name?sslmode=require`), and makes or brings up to date what it needs
    /// there.
    ///
    /// # Errors
    /// [`StoreError::Unusable`], in a sentence that says what to do: wrong password, no such database, a server that is too old, rights that
    /// are missing, a master key that it was made with is missing, or a newer program wrote it. [`StoreError::Unavailable`] when it cannot be
    /// reached at the moment.
    pub async fn open(url: &str, keys: impl Into<MasterKeys>, options: &PostgresOptions) -> Result<PostgresStore> {
        let keys = keys.into();
        let address = Address::new(url, &options.ca_pems)?;
        if options.connections_max < CONNECTIONS_MIN {
            return Err(address.place.unusable(format!("a node needs {CONNECTIONS_MIN} connections to it at least")));
        }
        migrate::migrate(&address, options.migrations).await?;
        let operator = master::check(&address, &keys).await?;
        let pooled = options.connections_max / 2;
        Ok(PostgresStore {
            engine: Sessions::new(&address, Role::Engine, pooled)?,
            tenant: Sessions::new(&address, Role::Tenant, pooled)?,
            tenants: Tenants::new(keys, operator),
        })
    }

    /// A session of the engine's role: for the few statements that cross organisations.
    async fn engine(&self) -> Result<Session> {
        self.engine.take().await
    }

    /// A session that sees one organisation at a time; see [`Session::query_as`] and [`Session::begin_as`].
    async fn tenant(&self) -> Result<Session> {
        self.tenant.take().await
    }

    async fn close(&self) -> Result<()> {
        self.engine.close();
        self.tenant.close();
        Ok(())
    }
}

/// Stands where a part is still missing.
fn not_built() -> StoreError {
    StoreError::Unavailable { reason: "not built yet".to_owned() }
}
