//! A database of a test's own.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio_postgres::{Client, NoTls};

/// Where the server is, with a user who may make databases. Its log must be fit for logical replication.
#[expect(clippy::disallowed_methods, reason = "a test has no settings")]
fn server_url() -> String {
    let missing = "TEST_POSTGRES_URL is not set: run ./dev test, which starts a Postgres for the tests";
    std::env::var("TEST_POSTGRES_URL").unwrap_or_else(|_| panic!("{missing}"))
}

/// Dropped with its database.
pub(crate) struct Database {
    server: String,
    pub(crate) name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("captures_test_{}_{count}", std::process::id());
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

    /// A connection of the test's own, which writes values as a source reads them.
    pub(crate) async fn client(&self) -> Client {
        let client = client(&self.url()).await;
        client
            .batch_execute("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'iso_8601'")
            .await
            .unwrap();
        client
    }
}

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Drop for Database {
    /// On a thread of its own, because a test's runtime is at its end then.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = client(&server).await;
                let slots = "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE database = $1 AND active";
                client.execute(slots, &[&name]).await.unwrap();
                client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
            });
        };
        std::thread::spawn(run).join().unwrap();
    }
}
