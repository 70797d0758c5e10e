//! A database of a test's own.

use std::sync::atomic::{AtomicU64, Ordering};

use postrider_store::{MasterKey, PostgresOptions, PostgresStore, StoreError};
use tokio_postgres::{Client, NoTls};

/// Where the server is, with a user who may make databases.
#[expect(clippy::disallowed_methods, reason = "a test has no settings")]
fn server_url() -> String {
    let missing = "TEST_POSTGRES_URL is not set: run ./dev test, which starts a Postgres for the tests";
    std::env::var("TEST_POSTGRES_URL").unwrap_or_else(|_| panic!("{missing}"))
}

/// Dropped with its database.
pub(crate) struct Database {
    pub(crate) server: String,
    pub(crate) name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("store_test_{}_{count}", std::process::id());
        let server = server_url();
        let client = client(&server).await;
        client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await.unwrap();
        Database { server, name }
    }

    /// As the server's URL, with this database.
    pub(crate) fn url(&self) -> String {
        let (server, query) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let (server, _) = server.rsplit_once('/').unwrap();
        format!("{server}/{}?{query}", self.name)
    }

    /// A connection of the test's own.
    pub(crate) async fn client(&self) -> Client {
        client(&self.url()).await
    }

    pub(crate) async fn open(&self) -> Result<PostgresStore, StoreError> {
        self.open_with(&options()).await
    }

    pub(crate) async fn open_with(&self, options: &PostgresOptions) -> Result<PostgresStore, StoreError> {
        PostgresStore::open(&self.url(), master_key(7), options).await
    }
}

/// Few connections, because many tests run at once.
pub(crate) fn options() -> PostgresOptions {
    PostgresOptions { connections_max: 8, ..PostgresOptions::default() }
}

pub(crate) fn master_key(byte: u8) -> MasterKey {
    // 32 equal bytes are 42 equal characters and two more in base64, whatever they are.
    let text = match byte {
        7 => "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        _ => "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=",
    };
    MasterKey::from_base64(text).unwrap()
}

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Drop for Database {
    fn drop(&mut self) {
        run_at_end(&self.server, format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// On a thread of its own, because a test's runtime is at its end then.
pub(crate) fn run_at_end(server: &str, sql: String) {
    let server = server.to_owned();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { client(&server).await.batch_execute(&sql).await.unwrap() });
    };
    std::thread::spawn(run).join().unwrap();
}
