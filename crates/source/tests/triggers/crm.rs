//! A CRM's database with tables of every difficult kind, a role that its application writes as, and Postrider's triggers.

use postrider_scratch::Database;
use postrider_source::catalogue::Catalogue;
use postrider_source::finding::Finding;
use postrider_source::install::{self, Plan, Wish};
use postrider_source::mapping::Mapping;
use postrider_source::preflight;
use postrider_source::status::Status;
use serde_json::Value;
use tokio_postgres::Client;

const SCHEMA: &str = include_str!("../../../../tests/crm/schema.sql");
pub(crate) const MAPPING: &str = include_str!("../../../../tests/crm/source.toml");
pub(crate) const ACME: &str = "00000000-0000-4000-8000-00000000000a";

/// A row of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Waiting {
    pub(crate) table: String,
    pub(crate) key: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
    pub(crate) note: Option<String>,
}

impl Waiting {
    /// A column before and after; null where there is none.
    pub(crate) fn values(&self, column: &str) -> (Value, Value) {
        let of = |row: &Option<Value>| row.as_ref().map_or(Value::Null, |row| row[column].clone());
        (of(&self.before), of(&self.after))
    }
}

/// Dropped with its database and its roles.
pub(crate) struct Crm {
    database: Database,
    /// Whoever administers the database.
    pub(crate) admin: Client,
    pub(crate) mapping: Mapping,
}

impl Crm {
    /// A CRM with nothing of ours in it.
    pub(crate) async fn bare() -> Self {
        let mut database = Database::create();
        let name = database.name().to_owned();
        let admin = database.client().await;
        admin
            .batch_execute(&format!("CREATE ROLE {name}_app; CREATE ROLE {name}_reader; CREATE ROLE {name}_owner"))
            .await
            .unwrap();
        database.then_run(&format!("DROP ROLE {name}_app, {name}_reader, {name}_owner"));
        admin.batch_execute(SCHEMA).await.unwrap();
        let grants = format!(
            "GRANT USAGE ON SCHEMA \"Sales Data\" TO {name}_app; GRANT ALL ON ALL TABLES IN SCHEMA public, \"Sales Data\" TO {name}_app"
        );
        admin.batch_execute(&grants).await.unwrap();
        Crm { database, admin, mapping: mapping(MAPPING) }
    }

    /// One that is captured.
    pub(crate) async fn captured() -> Self {
        Self::captured_as(MAPPING).await
    }

    /// One that is captured as a mapping says.
    pub(crate) async fn captured_as(text: &str) -> Self {
        let mut crm = Self::bare().await;
        crm.mapping = mapping(text);
        crm.install().await;
        crm
    }

    /// The role that reads.
    pub(crate) fn reader(&self) -> String {
        format!("{}_reader", self.database.name())
    }

    /// A role without any rights.
    pub(crate) fn owner(&self) -> String {
        format!("{}_owner", self.database.name())
    }

    /// The role of the CRM's application.
    pub(crate) fn app_role(&self) -> String {
        format!("{}_app", self.database.name())
    }

    /// A session of the administrator's.
    pub(crate) async fn session(&self) -> Client {
        self.database.client().await
    }

    /// A session of the CRM's application, which has no right on anything of ours.
    pub(crate) async fn app(&self) -> Client {
        let client = self.session().await;
        let set = format!("SET ROLE {}_app; SET crm.organization = '{ACME}'", self.database.name());
        client.batch_execute(&set).await.unwrap();
        client
    }

    pub(crate) async fn catalogue(&self, reader: Option<&str>) -> Catalogue {
        Catalogue::read(&self.admin, &self.mapping, reader).await.unwrap()
    }

    pub(crate) async fn plan(&self) -> Plan {
        Plan::of(&self.mapping, &self.catalogue(None).await, &Wish::default())
    }

    pub(crate) async fn install(&self) {
        install::run(&self.admin, &self.plan().await, |_| {}).await.unwrap();
    }

    /// Has all that is installed belong to the role without rights.
    pub(crate) async fn install_for_owner(&self) {
        install::run(&self.admin, &self.plan_for_owner().await, |_| {}).await.unwrap();
    }

    pub(crate) async fn plan_for_owner(&self) -> Plan {
        let wish = Wish { owner: Some(self.owner()), ..Wish::default() };
        Plan::of(&self.mapping, &self.owned_catalogue(&self.admin, Some(&self.owner())).await, &wish)
    }

    /// What a session sees, with the role that what is installed shall belong to.
    pub(crate) async fn owned_catalogue(&self, session: &Client, owner: Option<&str>) -> Catalogue {
        Catalogue::read(session, &self.mapping, None).await.unwrap().owned_by(session, owner).await.unwrap()
    }

    pub(crate) async fn findings(&self) -> Vec<Finding> {
        preflight::findings(&self.mapping, &self.catalogue(None).await, &Wish::default())
    }

    pub(crate) async fn status(&self) -> Status {
        Status::of(&self.mapping, &self.catalogue(None).await)
    }

    /// What waits, in the order in which it is handed over.
    pub(crate) async fn outbox(&self) -> Vec<Waiting> {
        let sql = "SELECT \"table\", key, before::text, after::text, note FROM postrider_source.outbox ORDER BY id";
        let json = |text: Option<String>| text.map(|text| serde_json::from_str(&text).unwrap());
        let rows = self.admin.query(sql, &[]).await.unwrap();
        let waiting = rows.iter().map(|row| Waiting {
            table: row.get(0),
            key: row.get(1),
            before: json(row.get(2)),
            after: json(row.get(3)),
            note: row.get(4),
        });
        waiting.collect()
    }

    /// What waits, once; then nothing does.
    pub(crate) async fn take(&self) -> Vec<Waiting> {
        let waiting = self.outbox().await;
        self.admin.batch_execute("DELETE FROM postrider_source.outbox").await.unwrap();
        waiting
    }

    /// How many changes could not be captured.
    pub(crate) async fn missed(&self) -> i64 {
        let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM postrider_source.missed";
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }
}

pub(crate) fn mapping(text: &str) -> Mapping {
    Mapping::parse(text, "source.toml").unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// A mapping of one table.
pub(crate) fn mapping_of(table: &str, more: &str) -> String {
    format!("[[tables]]\ntable = {table:?}\nresource = \"thing\"\norganization = \"acme\"\n{more}\n")
}
