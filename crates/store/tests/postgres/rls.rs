//! The second lock on tenancy: whatever is asked as the tenant's role, nothing of another organisation is found or changed.
//!
//! Every table gets a row of two organisations, by its own columns, so that a table that is added later is asked about, too.

use postrider_store::PostgresStore;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::database::Database;

const OURS: &str = "00000000-0000-4000-8000-00000000000a";
const THEIRS: &str = "00000000-0000-4000-8000-00000000000b";

/// Every table of an organisation's, partitions left out.
const TABLES: &str =
    "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org'
    WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1";

struct World {
    database: Database,
    /// Keeps what was made at opening.
    _store: PostgresStore,
    admin: Client,
    tables: Vec<String>,
    /// The one UUID of all rows, of today's partition: an endpoint's, a delivery's and so on.
    key: String,
}

impl World {
    async fn new() -> Self {
        let database = Database::create();
        let store = database.open().await.unwrap();
        let admin = database.client().await;
        admin.batch_execute("SET search_path = postrider").await.unwrap();
        let tables: Vec<String> = names(&admin, TABLES).await;
        assert!(tables.len() >= 13, "{tables:?}");
        let key = names(&admin, "SELECT first_uuid_at(now())::text").await.remove(0);
        let world = World { database, _store: store, admin, tables, key };
        for table in &world.tables {
            for org in [OURS, THEIRS] {
                let sql = world.insert(table, org).await;
                world.admin.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            }
        }
        world
    }

    /// A row with something in each column that must not be empty.
    async fn insert(&self, table: &str, org: &str) -> String {
        let sql = "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
                   WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef
                   AND attidentity = '' AND attname <> 'org'";
        let (mut columns, mut values) = ("org".to_owned(), format!("'{org}'"));
        for row in self.admin.query(sql, &[&table]).await.unwrap() {
            let (name, kind): (&str, &str) = (row.get(0), row.get(1));
            let value = match kind {
                _ if name == "master_id" => "(SELECT id FROM master_keys)".to_owned(),
                "uuid" => format!("'{}'", self.key),
                "uuid[]" => "'{}'".to_owned(),
                // Hashes of keys are unique over all organisations.
                "bytea" | "text" => format!("'{}'", &org[30..]),
                "boolean" => "false".to_owned(),
                "timestamp with time zone" => "now()".to_owned(),
                _ => "1".to_owned(),
            };
            columns.push_str(&format!(", {name}"));
            values.push_str(&format!(", {value}"));
        }
        format!("INSERT INTO {table} ({columns}) VALUES ({values})")
    }

    /// A session of somebody who may be the tenant's role and nobody else.
    async fn tenant(&self) -> Visitor {
        let visitor = Visitor::new(&self.database, &self.admin).await;
        visitor.client.batch_execute("SET search_path = postrider; SET ROLE postrider_tenant").await.unwrap();
        visitor.set(OURS).await;
        visitor
    }

    async fn rows_of(&self, org: &str) -> Vec<i64> {
        let mut counts = Vec::new();
        for table in &self.tables {
            counts
                .push(count(&self.admin, &format!("SELECT count(*) FROM {table} WHERE org = '{org}'")).await.unwrap());
        }
        counts
    }
}

async fn names(client: &Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn count(client: &Client, sql: &str) -> Result<i64, tokio_postgres::Error> {
    client.query_one(sql, &[]).await.map(|row| row.get(0))
}

/// Somebody with a name of their own, who goes when dropped.
struct Visitor {
    name: String,
    server: String,
    client: Client,
}

impl Visitor {
    async fn new(database: &Database, admin: &Client) -> Self {
        // Databases' names are each used once, and so is this one.
        let name = format!("visitor_of_{}", database.name());
        let sql = format!("CREATE ROLE {name} LOGIN PASSWORD 'secret'; GRANT postrider_tenant TO {name}");
        admin.batch_execute(&sql).await.unwrap();
        let mut config: tokio_postgres::Config = database.url().parse().unwrap();
        config.user(&name).password("secret");
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        Visitor { name, server: database.server().to_owned(), client }
    }

    async fn set(&self, org: &str) {
        self.client.batch_execute(&format!("SET postrider.organization = '{org}'")).await.unwrap();
    }

    /// How many rows a statement found or changed; none when it was refused.
    async fn rows(&self, sql: &str) -> Option<u64> {
        match self.client.execute(sql, &[]).await {
            Ok(rows) => Some(rows),
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => None,
            Err(error) => panic!("{sql}: {error:?}"),
        }
    }

    async fn assert_refused(&self, sql: &str) {
        assert_eq!(self.rows(sql).await, None, "{sql} was not refused");
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        postrider_scratch::run(&self.server, &format!("DROP ROLE {}", self.name));
    }
}

#[tokio::test]
async fn every_table_of_an_organisation_is_locked_by_force_and_every_partition() {
    let world = World::new().await;
    let open = names(
        &world.admin,
        "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org'
         WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind IN ('r', 'p', 'f', 'm')
         AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
    );
    assert_eq!(open.await, [""; 0], "tables without forced row-level security");
    let partitions = "SELECT count(*) FROM pg_class WHERE relnamespace = 'postrider'::regnamespace AND relispartition AND relkind = 'r'";
    assert!(count(&world.admin, partitions).await.unwrap() >= 4);
    let for_everybody = names(
        &world.admin,
        "SELECT polname::text || ' on ' || polrelid::regclass FROM pg_policy WHERE polroles && ARRAY[0::oid] OR NOT polpermissive",
    );
    assert_eq!(for_everybody.await, [""; 0], "policies for everybody");
    let definers = "SELECT proname::text FROM pg_proc WHERE pronamespace = 'postrider'::regnamespace AND prosecdef";
    assert_eq!(names(&world.admin, definers).await, [""; 0], "functions with another's rights");
}

#[tokio::test]
async fn a_wrong_query_finds_and_changes_nothing_of_another_organisation() {
    let world = World::new().await;
    let before = world.rows_of(THEIRS).await;
    let tenant = world.tenant().await;
    let mut seen = 0;
    for table in &world.tables {
        let all = tenant.rows(&format!("SELECT org FROM {table}")).await;
        assert!(all.is_none_or(|rows| rows == 1), "{table} without a condition: {all:?}");
        seen += all.unwrap_or(0);
        let writes = [
            format!("SELECT org FROM {table} WHERE org = '{THEIRS}'"),
            format!("UPDATE {table} SET org = org WHERE org = '{THEIRS}'"),
            format!("UPDATE {table} SET org = '{OURS}' WHERE org = '{THEIRS}'"),
            format!("DELETE FROM {table} WHERE org = '{THEIRS}'"),
        ];
        for sql in writes {
            let rows = tenant.rows(&sql).await;
            assert!(rows.is_none_or(|rows| rows == 0), "{sql}: {rows:?}");
        }
        tenant.assert_refused(&format!("UPDATE {table} SET org = '{THEIRS}'")).await;
        tenant.assert_refused(&world.insert(table, THEIRS).await).await;
        tenant.assert_refused(&format!("TRUNCATE {table}")).await;
    }
    assert!(seen >= 10, "the tenant's role sees its own rows: {seen}");
    assert_eq!(world.rows_of(THEIRS).await, before);
    tenant.set("").await;
    for table in &world.tables {
        let rows = tenant.rows(&format!("SELECT org FROM {table}")).await;
        assert!(rows.is_none_or(|rows| rows == 0), "{table} without an organisation: {rows:?}");
    }
}

#[tokio::test]
async fn there_is_no_way_round() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    let partitions = "SELECT relname::text FROM pg_class WHERE relnamespace = 'postrider'::regnamespace AND relispartition AND relkind = 'r'";
    for partition in names(&world.admin, partitions).await {
        tenant.assert_refused(&format!("SELECT org FROM {partition}")).await;
        tenant.assert_refused(&format!("DELETE FROM {partition}")).await;
    }
    let refused = [
        "SELECT wrapped FROM data_keys",
        "SELECT canary FROM master_keys",
        "SELECT value FROM meta",
        "SELECT id FROM changes",
        "SELECT node FROM leases",
        "UPDATE leases SET revoked = true",
        "UPDATE lanes SET lease = NULL",
        "DELETE FROM open_deliveries",
        "SET ROLE postrider_engine",
        "SET SESSION AUTHORIZATION postgres",
        "ALTER TABLE endpoints DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE endpoints NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON endpoints",
        "CREATE POLICY mine ON endpoints USING (true)",
        "CREATE VIEW postrider.mine AS SELECT 1",
        "CREATE FUNCTION postrider.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "GRANT postrider_engine TO CURRENT_USER",
    ];
    for sql in refused {
        tenant.assert_refused(sql).await;
    }
    // Nor is the lock taken off: asked not to filter, it refuses.
    tenant.client.batch_execute("SET row_security = off").await.unwrap();
    tenant.assert_refused("SELECT org FROM endpoints").await;
    tenant.client.batch_execute("RESET row_security").await.unwrap();
    // What a condition sees, it has a right to see.
    let trap = format!(
        "CREATE FUNCTION pg_temp.trap(org uuid) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
         $$ BEGIN IF org = '{THEIRS}' THEN RAISE 'it sees them'; END IF; RETURN true; END $$"
    );
    tenant.client.batch_execute(&trap).await.unwrap();
    assert_eq!(tenant.rows("SELECT org FROM endpoints WHERE pg_temp.trap(org)").await, Some(1));
    for sql in ["RESET ROLE", "SET ROLE NONE"] {
        tenant.client.batch_execute(sql).await.unwrap();
        assert_eq!(tenant.rows("SELECT org FROM endpoints").await, Some(1), "after {sql}");
    }
}

#[tokio::test]
async fn the_views_show_each_organisation_its_own() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    for view in ["webhook_configurations", "webhook_logs"] {
        let columns = "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0
                       AND col_description(attrelid, attnum) IS NULL";
        let silent = world.admin.query(columns, &[&view]).await.unwrap();
        assert!(silent.is_empty(), "a column of {view} has no comment");
        let invoked = format!(
            "SELECT count(*) FROM pg_class WHERE relname = '{view}' AND 'security_invoker=true' = ANY(reloptions)"
        );
        assert_eq!(count(&world.admin, &invoked).await.unwrap(), 1, "{view} has its owner's rights");
        let ids = format!("SELECT DISTINCT organization_id FROM {view}");
        assert_eq!(names(&world.admin, &ids).await.len(), 2, "{view} has rows of both");
        assert_eq!(names(&tenant.client, &ids).await, [&OURS[30..]]);
    }
}
