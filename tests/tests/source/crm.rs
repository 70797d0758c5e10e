//! A CRM's database with the source installed, and what is asked of it.

use std::path::PathBuf;

use postrider_tests::postgres::{Database, PrivateServer, Seat};
use postrider_tests::program::Setup;
use postrider_tests::wait::until;
use tempfile::TempDir;

/// A schema, and what its tables mean.
const SMALL: [&str; 2] = [include_str!("schema.sql"), include_str!("source.toml")];
const DIFFICULT: [&str; 2] = [include_str!("../../crm/schema.sql"), include_str!("../../crm/source.toml")];

/// A CRM.
pub(crate) struct Crm {
    pub(crate) database: Database,
    folder: TempDir,
    /// Whom the server connects as; whoever installs where it is nobody else.
    role: Option<String>,
}

impl Crm {
    /// On the run's server.
    pub(crate) async fn new() -> Self {
        Self::on(Database::create(), None, SMALL).await
    }

    /// On a server that the test may end.
    pub(crate) async fn at(server: &PrivateServer) -> Self {
        Self::on(Database::create_on(&server.url()), None, SMALL).await
    }

    /// With tables of every difficult kind, on a server of the test's own, and a role that is given what it needs by the installation alone. Row-level
    /// security does not hold for it, which only an administrator can say.
    pub(crate) async fn difficult(server: &PrivateServer, role: &str) -> Self {
        let database = Database::create_on(&server.url());
        let _ = database.ask(&format!("CREATE ROLE {role} LOGIN BYPASSRLS"));
        Self::on(database, Some(role.to_owned()), DIFFICULT).await
    }

    async fn on(database: Database, role: Option<String>, [schema, mapping]: [&str; 2]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        std::fs::write(folder.path().join("source.toml"), mapping).expect("the mapping");
        let crm = Crm { database, folder, role };
        crm.run(schema);
        crm.install().await;
        crm
    }

    async fn install(&self) {
        let setup = self.used_by(Setup::new(&self.folder.path().join("data")));
        let setup = setup.env("POSTRIDER_SOURCE_DATABASE_URL", &self.database.url());
        let role: Vec<_> = self.role.iter().flat_map(|role| ["--role", role]).collect();
        let ended = setup.run(&[&["source", "install"], &*role].concat()).await;
        assert_eq!(ended.status, Some(0), "{ended:?}");
    }

    pub(crate) fn mapping(&self) -> PathBuf {
        self.folder.path().join("source.toml")
    }

    /// With this CRM as its source.
    pub(crate) fn used_by(&self, setup: Setup) -> Setup {
        let (mapping, url) = (self.mapping(), self.database.url());
        let url = match &self.role {
            Some(role) => url.replace("postgres://postgres@", &format!("postgres://{role}@")),
            None => url,
        };
        setup
            .env("POSTRIDER_SOURCE", mapping.to_str().expect("a path of plain letters"))
            .env("POSTRIDER_SOURCE_DATABASE_URL", &url)
    }

    /// Runs SQL in one transaction.
    pub(crate) fn run(&self, sql: &str) {
        let _ = self.database.ask(sql);
    }

    pub(crate) fn ask(&self, sql: &str) -> String {
        self.database.ask(sql)
    }

    /// A session of its own, for transactions that last.
    pub(crate) async fn seat(&self) -> Seat {
        Seat::in_database(&self.database).await.expect("a connection")
    }

    /// The same, or nothing while the server does not answer.
    pub(crate) async fn try_seat(&self) -> Option<Seat> {
        Seat::in_database(&self.database).await.ok()
    }

    /// New deals of a company, numbered from 1 on.
    pub(crate) fn deals(&self, company: u32, count: u32) {
        self.run(&format!(
            "INSERT INTO deals (company_id, title, amount) SELECT {company}, 'Deal ' || n, n + 0.10 FROM generate_series(1, {count}) AS n"
        ));
    }

    /// Waits until everything was handed over.
    pub(crate) async fn is_empty(&self) {
        let waiting = "SELECT count(*) FROM postrider_source.outbox";
        until("the outbox is empty", async || (self.ask(waiting) == "0").then_some(())).await;
    }

    /// Waits until a session of the server waits for a lock that somebody else holds.
    pub(crate) async fn somebody_waits(&self) {
        let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                       WHERE NOT l.granted AND d.datname = current_database()";
        until("a session waits for a lock", async || (self.ask(waiting) != "0").then_some(())).await;
    }
}
