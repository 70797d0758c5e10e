//! A CRM's database with the source installed, for what comes out of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::database::{Database, DatabaseUrl};
use crate::options::SourceCapture;

/// A deal is about as large as the benchmark's events, and carries their stamps.
const SCHEMA: &str = "CREATE TABLE deals (id bigint PRIMARY KEY, organization text NOT NULL, sent_ns bigint NOT NULL, sequence bigint NOT NULL, \
                      title text NOT NULL, stage text NOT NULL, amount numeric(12, 2) NOT NULL, owner jsonb NOT NULL, notes text NOT NULL)";
const MAPPING: &str = r#"organization = { column = "organization" }

[[tables]]
table = "public.deals"
resource = "deal"
"#;

/// A database of the benchmark's own on a server that may be filled.
pub(crate) struct Crm {
    pub(crate) database: Database,
    mapping: PathBuf,
    capture: SourceCapture,
    _directory: TempDir,
}

impl Crm {
    /// Makes it, with so many deals of an organisation that were there before, and has the program install the source.
    pub(crate) async fn create(
        server: &DatabaseUrl,
        executable: &Path,
        capture: SourceCapture,
        organization: &str,
        deals: u32,
    ) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("could not create a directory for the mapping")?;
        let mapping = directory.path().join("source.toml");
        let database = Database::create(server).await?;
        // A slot's name is the schema's, and a server has no two of one name.
        let (schema, way) = (database.name(), capture.name());
        std::fs::write(&mapping, format!("schema = \"{schema}\"\ncapture = \"{way}\"\n{MAPPING}"))
            .context("could not write the mapping")?;
        let crm = Crm { database, mapping, capture, _directory: directory };
        let client = crm.database.connect().await?;
        client.batch_execute(SCHEMA).await?;
        crm.insert(&client, organization, 1, deals).await?;
        crm.install(executable)?;
        Ok(crm)
    }

    fn install(&self, executable: &Path) -> anyhow::Result<()> {
        let mut command = Command::new(executable);
        command.args(["source", "install", "--mapping"]).arg(&self.mapping).env_clear();
        if self.capture == SourceCapture::Replication {
            command.arg("--replica-identity-full");
        }
        command.envs(self.variables()).env_remove("POSTRIDER_SOURCE").stdin(Stdio::null());
        let output = command.output().with_context(|| format!("could not start {}", executable.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the source could not be installed: {said}");
        Ok(())
    }

    /// What a server is told to have it as its source.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let mapping = self.mapping.display().to_string();
        let url = self.database.url().reveal().to_owned();
        vec![("POSTRIDER_SOURCE".to_owned(), mapping), ("POSTRIDER_SOURCE_DATABASE_URL".to_owned(), url)]
    }

    /// New deals in one transaction, with ids from `first` on.
    pub(crate) async fn insert(
        &self,
        client: &Client,
        organization: &str,
        first: u32,
        count: u32,
    ) -> anyhow::Result<()> {
        let sql = "INSERT INTO deals SELECT n, $1, 0, n, 'Annual plan, 40 seats', 'contract sent', 12840.50, \
                   '{\"id\": \"user_9\", \"name\": \"Amélie Fontaine\"}', repeat('Asked for a second quote with support included. ', 12) \
                   FROM generate_series($2::int8, $2::int8 + $3::int8 - 1) AS n";
        client.execute(sql, &[&organization, &i64::from(first), &i64::from(count)]).await?;
        Ok(())
    }

    /// Where what is written by now ends, for [`Crm::is_handed_over`].
    pub(crate) async fn position(&self, client: &Client) -> anyhow::Result<String> {
        Ok(client.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await?.try_get(0)?)
    }

    /// Whether every change up to this position was handed over, and is not kept any more.
    pub(crate) async fn is_handed_over(&self, client: &Client, position: &str) -> anyhow::Result<bool> {
        let sql = match self.capture {
            SourceCapture::Triggers => {
                format!("SELECT NOT EXISTS (SELECT FROM {}.outbox) AND $1::text <> ''", self.database.name())
            }
            SourceCapture::Replication => format!(
                "SELECT confirmed_flush_lsn >= $1::text::pg_lsn FROM pg_replication_slots WHERE slot_name = '{}'",
                self.database.name()
            ),
        };
        Ok(client.query_one(&sql, &[&position]).await?.try_get(0)?)
    }
}
