//! Databases of a test's own: made on the run's server, named like no other, and dropped with whatever holds on to them.

use std::fmt::Write as _;
use std::future::Future;

use tokio_postgres::{Client, NoTls};

/// How long a reader of a slot is waited for that is in the way of a drop, in milliseconds.
const READER_MS_MAX: i64 = 10_000;

/// How databases are made.
const UTF8: &str = "ENCODING 'UTF8'";

/// Where the run's server is, with a user who may make databases. Its log is fit for logical replication.
///
/// # Panics
/// When there is none.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a test has no settings")]
pub fn server_url() -> String {
    let missing = "TEST_POSTGRES_URL is not set: run ./dev test, which starts a Postgres for the tests";
    std::env::var("TEST_POSTGRES_URL").unwrap_or_else(|_| panic!("{missing}"))
}

/// A database; dropped with this, unless its server goes by itself.
#[derive(Debug)]
pub struct Database {
    /// The URL of another database of the same server.
    server: String,
    name: String,
    is_dropped: bool,
    /// SQL that the server runs once it is gone.
    afterwards: String,
}

impl Database {
    /// A fresh one on the run's server.
    ///
    /// # Panics
    /// When there is no server.
    #[must_use]
    pub fn create() -> Self {
        Self::create_with(UTF8)
    }

    /// The same as Postgres shall make it, e.g. with another encoding.
    ///
    /// # Panics
    /// When there is no server, or it refuses.
    #[must_use]
    pub fn create_with(options: &str) -> Self {
        let mut database = Self::made(&server_url(), options);
        database.is_dropped = true;
        database
    }

    /// A fresh one on the server of this URL, which is a test's own and goes with it.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn create_on(server: &str) -> Self {
        Self::made(server, UTF8)
    }

    fn made(server: &str, options: &str) -> Self {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        run(server, &format!("CREATE DATABASE {name} TEMPLATE template0 {options}"));
        Database { server: server.to_owned(), name, is_dropped: false, afterwards: String::new() }
    }

    /// What it is called; no other database ever was, so other things may be called after it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL of another database of the same server.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        let (server, query) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let server = server.rsplit_once('/').map_or(server, |(server, _)| server);
        let mut url = format!("{server}/{}", self.name);
        if !query.is_empty() {
            let _ = write!(url, "?{query}");
        }
        url
    }

    /// A connection to it.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn client(&self) -> Client {
        client(&self.url()).await
    }

    /// Has the server run this once the database is gone, e.g. to drop a role that owned something in it.
    pub fn then_run(&mut self, sql: &str) {
        self.afterwards.push_str(sql);
        self.afterwards.push(';');
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.is_dropped {
            return;
        }
        let Database { server, name, afterwards, .. } = self;
        let wait = format!(
            "SELECT pg_terminate_backend(active_pid, {READER_MS_MAX}) FROM pg_replication_slots WHERE database = '{name}' AND active"
        );
        for sql in [wait.as_str(), &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), afterwards] {
            run(server, sql);
        }
    }
}

/// A connection to the database of this URL.
///
/// # Panics
/// When the server refuses.
pub async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| panic!("{error:?}"));
    tokio::spawn(connection);
    client
}

/// Runs SQL in the database of this URL, also where a test's runtime is at its end or has no time to lose.
///
/// # Panics
/// When the server refuses.
pub fn run(url: &str, sql: &str) {
    let (url, sql) = (url.to_owned(), sql.to_owned());
    aside(async move {
        let client = client(&url).await;
        client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    });
}

/// On a thread and a runtime of its own.
fn aside(work: impl Future<Output = ()> + Send + 'static) {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap_or_else(|error| panic!("{error}")).block_on(work);
    };
    if let Err(panicked) = std::thread::spawn(run).join()
        && !std::thread::panicking()
    {
        std::panic::resume_unwind(panicked);
    }
}
