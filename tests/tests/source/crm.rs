//! A CRM's database with the source installed, and what is asked of it.

use std::path::PathBuf;

use postrider_tests::postgres::{Database, HeldStill, PrivateServer, Seat};
use postrider_tests::program::{Ended, Setup};
use postrider_tests::wait::until;
use tempfile::TempDir;

/// A schema, and what its tables mean.
const SMALL: [&str; 2] = [include_str!("schema.sql"), include_str!("source.toml")];
const DIFFICULT: [&str; 2] = [include_str!("../../crm/schema.sql"), include_str!("../../crm/source.toml")];

/// A server's log can be read by replication.
pub(crate) const LOGICAL: &str = "wal_level=logical";

/// The way of capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Triggers,
    Replication,
}

/// Makes tests of each named function by each way of capture: of an `async fn(Store, By)` on each store by triggers, and by replication, of which no
/// store knows, on one; of an `async fn(By)` one by each way.
macro_rules! by_each_way {
    (on_each_store: $($test:ident),+; $(on_one: $($single:ident),+;)?) => {
        mod by_triggers {
            use $crate::source::crm::By;
            mod on_sqlite {
                use super::By;
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::super::$test(postrider_tests::world::Store::Sqlite, By::Triggers).await;
                })+
            }
            mod on_postgres {
                use super::By;
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::super::$test(postrider_tests::world::Store::Postgres, By::Triggers).await;
                })+
            }
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $single() {
                super::$single(By::Triggers).await;
            })+)?
        }
        mod by_replication {
            use $crate::source::crm::By;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(postrider_tests::world::Store::Sqlite, By::Replication).await;
            })+
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $single() {
                super::$single(By::Replication).await;
            })+)?
        }
    };
}
pub(crate) use by_each_way;

/// A CRM.
pub(crate) struct Crm {
    pub(crate) database: Database,
    folder: TempDir,
    /// Whom the server connects as; whoever installs where it is nobody else.
    role: Option<String>,
    by: By,
    /// Where everything of the source's lies; the slot's name too.
    pub(crate) schema: String,
}

impl Crm {
    /// On the run's server, by triggers.
    pub(crate) async fn new() -> Self {
        Self::by(By::Triggers).await
    }

    /// On the run's server.
    pub(crate) async fn by(by: By) -> Self {
        Self::on(Database::create(), by, None, SMALL).await
    }

    /// On a server that the test may end. For replication it must be [`LOGICAL`].
    pub(crate) async fn at(server: &PrivateServer, by: By) -> Self {
        Self::on(Database::create_on(&server.url()), by, None, SMALL).await
    }

    /// The same, for a role that is given what it needs by the installation alone, and what replication needs by an administrator.
    pub(crate) async fn read_by(server: &PrivateServer, by: By, role: &str, attributes: &str) -> Self {
        let database = Database::create_on(&server.url());
        let _ = database.ask(&format!("CREATE ROLE {role} LOGIN {attributes}"));
        Self::on(database, by, Some(role.to_owned()), SMALL).await
    }

    /// With tables of every difficult kind, on a server of the test's own, and a role that is given what it needs by the installation alone. Row-level
    /// security does not hold for it, and it may read a slot, which only an administrator can say.
    pub(crate) async fn difficult(server: &PrivateServer, by: By, role: &str) -> Self {
        let database = Database::create_on(&server.url());
        let _ = database.ask(&format!("CREATE ROLE {role} LOGIN BYPASSRLS REPLICATION"));
        Self::on(database, by, Some(role.to_owned()), DIFFICULT).await
    }

    async fn on(database: Database, by: By, role: Option<String>, [schema, mapping]: [&str; 2]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        // A server has no two slots of one name.
        let (own, way) = match by {
            By::Triggers => ("postrider_source".to_owned(), String::new()),
            By::Replication => {
                let own = database.ask("SELECT current_database()");
                let way = format!("schema = \"{own}\"\ncapture = \"replication\"\n");
                (own, way)
            }
        };
        std::fs::write(folder.path().join("source.toml"), way + mapping).expect("the mapping");
        let crm = Crm { database, folder, role, by, schema: own };
        crm.run(schema);
        let installed = crm.command(&["install"]).await;
        assert_eq!(installed.status, Some(0), "{installed:?}");
        crm
    }

    /// What a command about the source says to whoever installed it.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Ended {
        let setup = self.used_by(Setup::new(&self.folder.path().join("data")));
        let setup = setup.env("POSTRIDER_SOURCE_DATABASE_URL", &self.database.url());
        let mut arguments = [&["source"], arguments].concat();
        if arguments.contains(&"install") {
            arguments.extend(self.role.iter().flat_map(|role| ["--role", role]));
            arguments.extend((self.by == By::Replication).then_some("--replica-identity-full"));
        }
        setup.run(&arguments).await
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

    /// Waits until everything was handed over, and nothing of it is kept any more.
    pub(crate) async fn handed_over(&self) {
        let (schema, position) = (&self.schema, self.ask("SELECT pg_current_wal_flush_lsn()"));
        let is_so = match self.by {
            By::Triggers => format!("SELECT NOT EXISTS (SELECT FROM {schema}.outbox)"),
            By::Replication => format!(
                "SELECT confirmed_flush_lsn >= '{position}' FROM pg_replication_slots WHERE slot_name = '{schema}'"
            ),
        };
        until("everything is handed over", async || (self.ask(&is_so) == "t").then_some(())).await;
    }

    /// What was changed so far is nobody's news. Nobody may read meanwhile.
    pub(crate) fn discard(&self) {
        let schema = &self.schema;
        match self.by {
            By::Triggers => self.run(&format!("TRUNCATE {schema}.outbox")),
            By::Replication => {
                let _ = self.ask(&format!("SELECT pg_replication_slot_advance('{schema}', pg_current_wal_lsn())"));
            }
        }
    }

    /// The process of the server's that the slot is read by; waits until it has sent everything.
    pub(crate) async fn sender(&self) -> String {
        let position = self.ask("SELECT pg_current_wal_flush_lsn()");
        let sql = format!(
            "SELECT pid FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid \
             WHERE slot_name = '{}' AND sent_lsn >= '{position}'",
            self.schema
        );
        until("everything is sent", async || Some(self.ask(&sql)).filter(|pid| !pid.is_empty())).await
    }

    /// What is handed over from now on stays where it was: it cannot be deleted from the outbox, and the slot does not hear of it. Nobody may read before
    /// everything that was changed is on its way.
    pub(crate) async fn unforgetting(&self) -> Unforgetting {
        match self.by {
            By::Triggers => {
                let mut seat = self.seat().await;
                // It can be read, and nothing can be deleted from it.
                seat.run(&format!("BEGIN; LOCK TABLE {}.outbox IN SHARE MODE", self.schema)).await.unwrap();
                Unforgetting::Outbox(seat)
            }
            By::Replication => {
                let pid = self.sender().await;
                Unforgetting::Slot(HeldStill::process(&pid), pid)
            }
        }
    }

    /// It can be forgotten again, and whoever was about to is dead.
    pub(crate) fn forgets_again(&self, held: Unforgetting) {
        match held {
            Unforgetting::Outbox(seat) => {
                let _ = self.ask(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                     WHERE NOT l.granted AND d.datname = current_database()",
                );
                drop(seat);
            }
            Unforgetting::Slot(process, pid) => {
                let _ = self.ask(&format!("SELECT pg_terminate_backend({pid})"));
                drop(process);
            }
        }
    }

    /// Waits until a session of the server waits for a lock that somebody else holds.
    pub(crate) async fn somebody_waits(&self) {
        let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                       WHERE NOT l.granted AND d.datname = current_database()";
        until("a session waits for a lock", async || (self.ask(waiting) != "0").then_some(())).await;
    }
}

/// What keeps changes from being forgotten.
pub(crate) enum Unforgetting {
    Outbox(Seat),
    Slot(HeldStill, String),
}
