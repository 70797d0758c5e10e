//! What replication needs in the CRM's database: a publication of the mapped tables, and a slot.
//!
//! A publication has a sharp edge: of a published table without a *replica identity* Postgres refuses updates and deletions. So no table is
//! published that has none.

use tokio_postgres::{Client, Error};

use crate::mapping::TableName;
use crate::session::quoted;

/// How a table's old rows are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// Not at all: updates and deletions would be refused if the table were published.
    Missing,
    /// By their key alone: updates have no previous values.
    Key,
    /// All of them.
    Full,
}

/// A table that holds rows: a mapped one, or a partition of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// As the mapping names it.
    pub mapped: TableName,
    /// The table itself, or one of its partitions.
    pub table: TableName,
    /// How its old rows are told.
    pub identity: Identity,
}

impl Identified {
    /// What has its old rows told in full.
    #[must_use]
    pub fn full_sql(&self) -> String {
        format!("ALTER TABLE {} REPLICA IDENTITY FULL", written(&self.table))
    }
}

/// How the old rows of these tables and of their partitions are told. A table that is not there is not among them.
///
/// # Errors
/// When the database does not answer.
pub async fn identities(client: &Client, tables: &[TableName]) -> Result<Vec<Identified>, Error> {
    let schemas: Vec<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let rows = client.query(IDENTITIES, &[&schemas, &names]).await?;
    let identified = |row: &tokio_postgres::Row| {
        let identity = match row.try_get::<_, String>(4)?.as_str() {
            "full" => Identity::Full,
            "key" => Identity::Key,
            _ => Identity::Missing,
        };
        let mapped = TableName { schema: row.try_get(0)?, name: row.try_get(1)? };
        Ok(Identified { mapped, table: TableName { schema: row.try_get(2)?, name: row.try_get(3)? }, identity })
    };
    rows.iter().map(identified).collect()
}

const IDENTITIES: &str = "WITH RECURSIVE given AS (
    SELECT c.oid, n.nspname, c.relname FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
      JOIN pg_namespace n ON n.nspname = wanted.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
  ), parts AS (
    SELECT oid, nspname, relname, oid AS part FROM given
    UNION ALL SELECT parts.oid, parts.nspname, parts.relname, i.inhrelid FROM parts JOIN pg_class c ON c.oid = parts.part AND c.relkind = 'p'
      JOIN pg_inherits i ON i.inhparent = parts.part
  )
  SELECT parts.nspname::text, parts.relname::text, n.nspname::text, c.relname::text, CASE
      WHEN c.relreplident = 'f' THEN 'full'
      WHEN c.relreplident = 'd' AND EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisprimary AND x.indisvalid) THEN 'key'
      WHEN c.relreplident = 'i' AND EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisreplident AND x.indisvalid) THEN 'key'
      ELSE 'missing' END
  FROM parts JOIN pg_class c ON c.oid = parts.part JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' ORDER BY 1, 2, 3, 4";

/// What installs publication and slot, each statement in a transaction of its own: a slot cannot be made in one that has written. They are made
/// where they are missing; the publication is set to these tables.
#[must_use]
pub fn install_sql(schema: &str, tables: &[TableName]) -> Vec<String> {
    let name = quoted(schema);
    let list = tables.iter().map(written).collect::<Vec<_>>().join(", ");
    let publication = format!(
        "DO $install$ BEGIN\n  IF EXISTS (SELECT FROM pg_publication WHERE pubname = {literal}) THEN\n    ALTER PUBLICATION {name} SET TABLE {list};\n  \
         ELSE\n    CREATE PUBLICATION {name} FOR TABLE {list} WITH (publish_via_partition_root = true);\n  END IF;\nEND $install$",
        literal = literal(schema),
    );
    // The slot comes last: decoding of anything before the publication would fail.
    let slot = format!(
        "SELECT pg_create_logical_replication_slot({literal}, 'pgoutput') WHERE NOT EXISTS \
         (SELECT FROM pg_replication_slots WHERE slot_name = {literal})",
        literal = literal(schema),
    );
    vec![publication, slot]
}

/// What removes them again. A slot that is being read is refused by the database: whoever reads it is to be stopped first.
#[must_use]
pub fn uninstall_sql(schema: &str) -> Vec<String> {
    let slot = format!(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = {}",
        literal(schema)
    );
    vec![slot, format!("DROP PUBLICATION IF EXISTS {}", quoted(schema))]
}

/// Whether a slot can have this name (PostgreSQL's documentation, "Replication Slots"): lower-case letters, digits and underscores.
#[must_use]
pub fn is_slot_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn written(table: &TableName) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
