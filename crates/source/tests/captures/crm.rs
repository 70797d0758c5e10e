//! A CRM's database with a capture of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use postrider_database::Address;
use postrider_scratch::Database;
use postrider_source::capture::{Batch, Capture, CaptureError};
use postrider_source::catalogue::Catalogue;
use postrider_source::change::{Change, Gap};
use postrider_source::install::{self, Plan, Wish};
use postrider_source::mapping::{CaptureKind, Mapping, TableName};
use postrider_source::outbox::Outbox;
use postrider_source::replication::Replication;
use postrider_source::row::Row;
use tokio_postgres::Client;

/// A failure bound, not a pace.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a test of each function, by each way of capture.
#[macro_export]
macro_rules! by_each_way {
    ($($name:ident),* $(,)?) => {
        mod by_triggers {
            $(#[tokio::test]
            async fn $name() {
                super::$name(postrider_source::mapping::CaptureKind::Triggers).await;
            })*
        }
        mod by_replication {
            $(#[tokio::test]
            async fn $name() {
                super::$name(postrider_source::mapping::CaptureKind::Replication).await;
            })*
        }
    };
}

/// A table of the test's, `public.<name>`, with what is captured of it.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    name: &'static str,
    key: &'static [&'static str],
    omit: &'static [&'static str],
}

pub(crate) fn table(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, key, omit: &[] }
}

impl Table {
    pub(crate) fn without(self, omit: &'static [&'static str]) -> Self {
        Table { omit, ..self }
    }

    fn mapping(&self) -> String {
        let Table { name, key, omit } = self;
        format!("[[tables]]\ntable = \"public.{name}\"\nresource = \"{name}\"\nkey = {key:?}\nomit = {omit:?}\n")
    }
}

pub(crate) fn name(table: &str) -> TableName {
    TableName { schema: "public".to_owned(), name: table.to_owned() }
}

/// A CRM's database, captured.
pub(crate) struct Crm {
    pub(crate) capture: Box<dyn Capture>,
    pub(crate) client: Client,
    pub(crate) mapping: Arc<Mapping>,
    marks: u32,
    by: CaptureKind,
    pub(crate) database: Database,
}

/// A connection of the test's own, which writes values as a source reads them.
pub(crate) async fn session(database: &Database) -> Client {
    let client = database.client().await;
    let set = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'iso_8601'";
    client.batch_execute(set).await.unwrap();
    client
}

impl Crm {
    /// A database with these tables, all of whose changes from now on are captured.
    pub(crate) async fn start(by: CaptureKind, sql: &str, tables: &[Table]) -> Self {
        let database = Database::create();
        let client = session(&database).await;
        client.batch_execute(sql).await.unwrap();
        client.batch_execute("CREATE TABLE mark (id int PRIMARY KEY)").await.unwrap();
        let marks = Table { name: "mark", key: &["id"], omit: &[] };
        let tables: Vec<Table> = tables.iter().copied().chain([marks]).collect();
        let mapping = Arc::new(mapping(database.name(), by, &tables));
        install(&client, &mapping).await;
        let capture = another(by, &database, &mapping);
        Crm { capture, client, mapping, marks: 0, by, database }
    }

    /// Another node's capture.
    pub(crate) fn another(&self) -> Box<dyn Capture> {
        another(self.by, &self.database, &self.mapping)
    }

    /// Whoever captures is gone, without a word; another one begins.
    pub(crate) fn crash(&mut self) {
        self.capture = self.another();
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// What is there next; waits for it, and for another's slot to be free.
    pub(crate) async fn next(&mut self, changes_max: usize) -> Batch {
        let next = async {
            loop {
                match self.capture.next(changes_max, PATIENCE).await {
                    Err(CaptureError::Taken) => tokio::task::yield_now().await,
                    other => return other.unwrap(),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("nothing is captured")
    }

    /// All changes that were committed before, settled; what could not be captured beside them.
    pub(crate) async fn all(&mut self) -> (Vec<Change>, Vec<Gap>) {
        self.marks += 1;
        self.run(&format!("INSERT INTO mark VALUES ({})", self.marks)).await;
        let (mut changes, mut gaps) = (Vec::new(), Vec::new());
        loop {
            let batch = self.next(10_000).await;
            self.capture.settle().await.unwrap();
            changes.extend(batch.changes);
            gaps.extend(batch.gaps);
            let mark = self.marks.to_string();
            let is_mark =
                |change: &Change| change.table == name("mark") && get(change.after.as_ref(), "id") == Some(&mark);
            if changes.iter().any(is_mark) {
                changes.retain(|change| change.table != name("mark"));
                return (changes, gaps);
            }
        }
    }

    /// The same without what left a record as it was, where there is no gap.
    pub(crate) async fn changes(&mut self) -> Vec<Change> {
        let (mut changes, gaps) = self.all().await;
        assert_eq!(gaps, []);
        changes.retain(|change| change.before != change.after);
        changes
    }

    /// A row as the database's own JSON.
    pub(crate) async fn row(&self, table: &str, condition: &str) -> Row {
        let sql = format!("SELECT to_jsonb(r)::text FROM {table} r WHERE {condition}");
        let text: String = self.client.query_one(&sql, &[]).await.unwrap().get(0);
        serde_json::from_str(&text).unwrap()
    }
}

fn another(by: CaptureKind, database: &Database, mapping: &Arc<Mapping>) -> Box<dyn Capture> {
    let address = Address::new(&database.url(), &[]).unwrap();
    match by {
        CaptureKind::Replication => Box::new(Replication::new(address, Arc::clone(mapping))),
        CaptureKind::Triggers => Box::new(Outbox::new(address, Arc::clone(mapping))),
    }
}

/// A column's value as JSON text.
pub(crate) fn get<'r>(row: Option<&'r Row>, column: &str) -> Option<&'r str> {
    row?.get(column)
}

/// Of each change the table and one column, before and after.
pub(crate) fn told<'c>(changes: &'c [Change], column: &str) -> Vec<(&'c str, Option<&'c str>, Option<&'c str>)> {
    let one = |change: &'c Change| {
        (change.table.name.as_str(), get(change.before.as_ref(), column), get(change.after.as_ref(), column))
    };
    changes.iter().map(one).collect()
}

/// The ids of changes, each once.
pub(crate) fn ids(changes: &[Change]) -> BTreeSet<uuid::Uuid> {
    changes.iter().map(|change| change.id).collect()
}

/// Installs what a mapping needs. With replication every table tells all of its old rows.
pub(crate) async fn install(client: &Client, mapping: &Mapping) {
    let wish = Wish { replica_identity_full: true, ..Wish::default() };
    let catalogue = Catalogue::read(client, mapping, None).await.unwrap();
    install::run(client, &Plan::of(mapping, &catalogue, &wish), |_| {}).await.unwrap();
}

/// A mapping of these tables.
pub(crate) fn mapping(schema: &str, by: CaptureKind, tables: &[Table]) -> Mapping {
    let way = by.as_str();
    let tables: String = tables.iter().map(Table::mapping).collect();
    let text = format!("schema = \"{schema}\"\ncapture = \"{way}\"\norganization = \"acme\"\n{tables}");
    Mapping::parse(&text, "source.toml").unwrap()
}
