//! The store for many nodes: Postgres 15 or newer.
//!
//! A few writers commit in groups; reads go over pools of connections, each under the role that its statements need; leases and hints have
//! a connection each. Values are sealed and opened in the callers' own tasks. There is no state in a node that another could miss:
//! what is kept in memory is what nobody else may change, or what a version or a lease tells to be old.

mod attached;
mod audit;
mod changes;
mod claim;
mod commit;
mod commit_group;
mod commit_rows;
mod config;
mod configuration;
mod connect;
mod deliveries;
mod delivery_rows;
mod ending;
mod endpoints;
mod error;
mod events;
mod expiry;
mod facts;
mod failing;
mod group;
mod hearing;
mod hints;
mod idempotency;
mod lanes;
mod leases;
mod master;
mod migrate;
mod onwards;
mod operational;
mod operations;
mod organizations;
mod overlaps;
mod overview;
mod pages;
mod partitions;
mod queue;
mod recent;
mod record;
mod record_group;
mod record_rows;
mod related;
mod repetitions;
mod retention;
mod retry;
mod revisions;
mod roles;
mod rows;
mod scope;
mod session;
mod statistics;
mod stats;
mod streaks;
mod sweep;
mod tenants;
mod test_event;
mod trait_impl;
mod transfer;
mod turns;
mod writer;

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::error::Result;
use crate::limits::{COMMIT_WRITERS, CONNECTIONS_DEFAULT, CONNECTIONS_MIN, READ_MS_MAX, RECORD_WRITERS};
use crate::master_key::MasterKeys;
use crate::operational::OperationalFor;
use connect::{Address, Role};
use hearing::Hearing;
use hints::Telling;
use idempotency::Running;
use session::{Session, Sessions};
use stats::Size;
use tenants::Tenants;
use writer::Writers;

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

/// Connections that are no pool's: the writers', one for leases, one that listens, one for a moment now and then.
const RESERVED: usize = COMMIT_WRITERS + RECORD_WRITERS + 3;

/// A store in a Postgres database, which any number of nodes use at once.
pub struct PostgresStore {
    engine: Arc<Sessions>,
    tenant: Sessions,
    /// One connection for leases: however much there is to do, they are renewed in time.
    upkeep: Sessions,
    writers: Writers,
    hearing: Arc<Hearing>,
    told: leases::Told,
    come: retention::Come,
    /// What tells hints and hears them; ends with the store.
    tasks: Mutex<JoinSet<()>>,
    tenants: Tenants,
    running: Running,
    operational_for: OperationalFor,
    size: Size,
}

impl PostgresStore {
    /// Whether a store was ever opened in this database. Nothing is made or changed.
    ///
    /// # Errors
    /// As [`PostgresStore::open`]'s, of what can be seen from outside.
    pub async fn is_begun(url: &str, options: &PostgresOptions) -> Result<bool> {
        migrate::is_begun(&Address::new(url, &options.ca_pems)?).await
    }

    /// Opens a database by its URL (`postgres://user:password@host:port/name?sslmode=require`), and makes or brings up to date what it needs
    /// there.
    ///
    /// # Errors
    /// [`crate::StoreError::Unusable`], in a sentence that says what to do: wrong password, no such database, a server that is too old, rights that
    /// are missing, a master key that it was made with is missing, or a newer program wrote it. [`crate::StoreError::Unavailable`] when it cannot be
    /// reached at the moment.
    pub async fn open(url: &str, keys: impl Into<MasterKeys>, options: &PostgresOptions) -> Result<PostgresStore> {
        let keys = keys.into();
        let address = Address::new(url, &options.ca_pems)?;
        if options.connections_max < CONNECTIONS_MIN {
            let reason = format!("a node needs {CONNECTIONS_MIN} connections to it at least");
            return Err(address.place().unusable(reason).into());
        }
        migrate::migrate(&address, options.migrations).await?;
        let operator = master::check(&address, &keys).await?;
        partitions::make_today(&address).await?;
        let pooled = options.connections_max - RESERVED;
        let engine = Arc::new(Sessions::new(&address, Role::Engine, pooled / 2, READ_MS_MAX)?);
        let telling = Telling::new();
        let hearing = Hearing::new(telling.teller);
        let mut tasks = JoinSet::new();
        tasks.spawn(telling.clone().run(Arc::clone(&engine)));
        tasks.spawn(Arc::clone(&hearing).run(address.clone()));
        Ok(PostgresStore {
            engine,
            tenant: Sessions::new(&address, Role::Tenant, pooled - pooled / 2, READ_MS_MAX)?,
            upkeep: Sessions::new(&address, Role::Engine, 1, READ_MS_MAX)?,
            writers: Writers::start(&address, telling)?,
            hearing,
            told: leases::Told::default(),
            come: retention::Come::default(),
            tasks: Mutex::new(tasks),
            tenants: Tenants::new(keys, operator),
            running: Running::default(),
            operational_for: OperationalFor::default(),
            size: Size::default(),
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
        self.writers.close().await;
        self.tasks.lock().abort_all();
        self.upkeep.close();
        self.engine.close();
        self.tenant.close();
        Ok(())
    }
}
