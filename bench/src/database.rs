//! A Postgres database of the benchmark's own, and what the server tells of it.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use tokio_postgres::{Client, NoTls};
use url::Url;

use crate::{process, procfs};

/// What every database of the benchmark is called, before a random number.
const NAME: &str = "postrider_bench_";
/// How long removing it may take: its files are gigabytes after `pending`.
const DROP_WITHIN: Duration = Duration::from_secs(120);
/// Ends whoever reads a slot of a database, and waits for that.
const READERS: &str =
    "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE database = $1 AND active";
/// What the server's durability and memory hang on.
const SETTINGS: &str = "SELECT current_setting('server_version'), string_agg(name || ' ' || current_setting(name), ', ' ORDER BY name) FROM pg_settings \
    WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'wal_compression', 'shared_buffers', 'max_wal_size')";

/// Where a Postgres is: `postgres://user:password@host:port/database`. It never shows its password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Url);

impl DatabaseUrl {
    pub(crate) fn reveal(&self) -> &str {
        self.0.as_str()
    }

    /// The same server's database of that name.
    fn with_database(&self, name: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(name);
        DatabaseUrl(url)
    }

    /// The server's version and what its figures depend on, for a reader.
    pub(crate) async fn describe(&self) -> anyhow::Result<String> {
        let row = self.connect().await?.query_one(SETTINGS, &[]).await?;
        let (version, settings): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        Ok(format!("Postgres {version} with {settings}"))
    }

    /// Plain TCP or a socket: what a benchmark of this machine or its network needs.
    async fn connect(&self) -> anyhow::Result<Client> {
        let connected = tokio_postgres::connect(self.reveal(), NoTls).await;
        let (client, connection) = connected.with_context(|| format!("could not connect to {self:?}"))?;
        // It ends with its client; what went wrong before is the answer to a query.
        tokio::spawn(connection);
        Ok(client)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.0.host_str().unwrap_or("a socket"), self.0.port().unwrap_or(5432));
        write!(f, "Postgres at {host}:{port}{}", self.0.path())
    }
}

impl FromStr for DatabaseUrl {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "postgres" | "postgresql"));
        Ok(DatabaseUrl(url.context("a database is named like postgres://user:password@host:5432/postgres")?))
    }
}

/// A database that is removed when this is dropped, however the run ends.
struct Made {
    server: DatabaseUrl,
    name: String,
}

impl Drop for Made {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // Whoever drops it may be in the middle of a runtime, which must not block on itself.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let drop = async {
                let client = server.connect().await?;
                // A slot that is still being read keeps its database.
                client.execute(READERS, &[&name]).await?;
                Ok(client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?)
            };
            runtime.block_on(async { tokio::time::timeout(DROP_WITHIN, drop).await })?
        });
        let result: anyhow::Result<()> = dropping.join().unwrap_or_else(|_| anyhow::bail!("a panic"));
        if let Err(error) = result {
            // There is nobody to hand it to, and it would stay unseen.
            let _ = writeln!(std::io::stderr(), "could not drop the database {}, drop it: {error:#}", self.name);
        }
    }
}

/// The database of one stage.
pub(crate) struct Database {
    client: Client,
    url: DatabaseUrl,
    /// The server's first process, when it runs on this machine.
    postmaster: Option<u32>,
    made: Made,
}

/// What only grows, read at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) wal_bytes: f64,
    pub(crate) transactions: f64,
}

impl Reading {
    /// What came since an earlier one.
    pub(crate) fn since(self, earlier: Reading) -> Reading {
        Reading {
            wal_bytes: self.wal_bytes - earlier.wal_bytes,
            transactions: self.transactions - earlier.transactions,
        }
    }
}

/// A table after real traffic.
#[derive(Clone, Debug)]
pub(crate) struct TableSize {
    pub(crate) name: String,
    pub(crate) rows: f64,
    /// With indexes and what lies beside it.
    pub(crate) bytes: f64,
}

impl Database {
    /// Makes one on that server, which must be one that may be filled.
    pub(crate) async fn create(server: &DatabaseUrl) -> anyhow::Result<Self> {
        let client = server.connect().await?;
        let made = Made { server: server.clone(), name: format!("{NAME}{:016x}", process::random()) };
        let created = client.batch_execute(&format!("CREATE DATABASE {}", made.name)).await;
        created.with_context(|| format!("could not make a database on {server:?}"))?;
        let url = server.with_database(&made.name);
        let client = url.connect().await?;
        let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
        let postmaster = u32::try_from(pid).ok().and_then(|pid| procfs::parent_of_titled(pid, &made.name));
        Ok(Database { client, url, postmaster, made })
    }

    pub(crate) fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Its name, which no other database of the benchmark has.
    pub(crate) fn name(&self) -> &str {
        &self.made.name
    }

    /// Another connection, for what runs beside.
    pub(crate) async fn connect(&self) -> anyhow::Result<Client> {
        self.url.connect().await
    }

    /// CPU time that all processes of the server have used; none when they are not on this machine.
    pub(crate) fn cpu(&self) -> anyhow::Result<Option<Duration>> {
        self.postmaster.map(procfs::family_cpu).transpose()
    }

    pub(crate) async fn read(&self) -> anyhow::Result<Reading> {
        let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8, xact_commit::float8 \
                   FROM pg_stat_database WHERE datname = current_database()";
        let row = self.client.query_one(sql, &[]).await?;
        Ok(Reading { wal_bytes: row.try_get(0)?, transactions: row.try_get(1)? })
    }

    /// Connections to it, the benchmark's own left out.
    pub(crate) async fn connections(&self) -> anyhow::Result<f64> {
        let sql = "SELECT count(*)::float8 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        Ok(self.client.query_one(sql, &[]).await?.try_get(0)?)
    }

    /// The size of each table, its partitions together; empty ones left out.
    pub(crate) async fn tables(&self) -> anyhow::Result<Vec<TableSize>> {
        // A table without partitions has no tree.
        let sql = "SELECT c.relname::text, coalesce(\
                   (SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(c.oid) t WHERE t.isleaf), \
                   pg_total_relation_size(c.oid))::float8 \
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = 'postrider' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1";
        // Whoever owns the tables sees no row of an organisation.
        self.client.batch_execute("SET ROLE postrider_engine").await?;
        let mut sizes = Vec::new();
        for row in self.client.query(sql, &[]).await? {
            let name: String = row.try_get(0)?;
            let rows =
                self.client.query_one(&format!("SELECT count(*)::float8 FROM postrider.\"{name}\""), &[]).await?;
            sizes.push(TableSize { name, rows: rows.try_get(0)?, bytes: row.try_get(1)? });
        }
        self.client.batch_execute("RESET ROLE").await?;
        sizes.retain(|table| table.rows > 0.0);
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_where_and_never_its_password() {
        let url: DatabaseUrl = "postgres://ann:pa%20ss@db.example.com:6432/crm?sslmode=disable".parse().unwrap();
        assert_eq!(format!("{url:?}"), "Postgres at db.example.com:6432/crm");
        let mine = url.with_database("postrider_bench_1");
        assert_eq!(mine.reveal(), "postgres://ann:pa%20ss@db.example.com:6432/postrider_bench_1?sslmode=disable");
    }

    #[test]
    fn what_is_no_postgres_is_refused_with_an_example() {
        for text in ["", "db.example.com", "mysql://db.example.com/crm"] {
            let error = text.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(error.contains("postgres://user:password@host"), "{error}");
        }
    }
}
