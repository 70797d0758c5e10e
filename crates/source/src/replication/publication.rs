//! What replication needs in the CRM's database: a publication of the mapped tables, and a slot.
//!
//! A publication has a sharp edge: of a published table without a *replica identity* Postgres refuses updates and deletions. So no table is
//! published that has none.

use tokio_postgres::{Client, Error};

use crate::mapping::{Mapping, TableName};
use crate::quote::{identifier, literal, table as written};

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

/// A mapped table, or a partition of it that holds rows. Of a partitioned one both matter: rows are told as the mapped table's, and refused as the partition's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// As the mapping names it.
    pub mapped: TableName,
    /// The table itself, or one of its partitions.
    pub table: TableName,
    /// How its old rows are told.
    pub identity: Identity,
    /// Why not all of them can be told; nothing where they can.
    pub hindrance: Option<Hindrance>,
}

/// Why a table cannot tell all of its old rows without harm to whoever writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// From Postgres 18 on: it has a column that is computed when it is read, and Postgres would refuse updates and deletions.
    VirtualColumn,
    /// It is partitioned and has no primary key: a partition that is added later would have nothing that identifies its rows, and Postgres would refuse its
    /// updates and deletions.
    LaterPartitions,
}

impl Identified {
    /// What has its old rows told in full.
    #[must_use]
    pub fn full_sql(&self) -> String {
        format!("ALTER TABLE {} REPLICA IDENTITY FULL;", written(&self.table))
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
        let table = TableName { schema: row.try_get(2)?, name: row.try_get(3)? };
        let hindrance = match row.try_get::<_, String>(5)?.as_str() {
            "virtual" => Some(Hindrance::VirtualColumn),
            "partitions" => Some(Hindrance::LaterPartitions),
            _ => None,
        };
        Ok(Identified { mapped, table, identity, hindrance })
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
      WHEN c.relreplident = 'f' AND hindrance = '' THEN 'full'
      WHEN c.relreplident = 'd' AND has_primary_key THEN 'key'
      WHEN c.relreplident = 'i' AND hindrance <> 'partitions' AND EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisreplident AND x.indisvalid) THEN 'key'
      ELSE 'missing' END, hindrance
  FROM parts JOIN pg_class c ON c.oid = parts.part JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisprimary AND x.indisvalid)) AS k (has_primary_key)
    CROSS JOIN LATERAL (SELECT CASE
      WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 'v' AND NOT a.attisdropped) THEN 'virtual'
      WHEN c.relkind = 'p' AND NOT has_primary_key THEN 'partitions' ELSE '' END) AS h (hindrance)
  WHERE c.relkind = 'r' OR parts.part = parts.oid ORDER BY 1, 2, 3, 4";

/// What is there for replication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The publication.
    pub publication: Option<Publication>,
    /// The slot.
    pub slot: Option<Slot>,
    /// How old rows of the mapped tables and of their partitions are told.
    pub identities: Vec<Identified>,
}

/// A publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its tables.
    pub tables: Vec<TableName>,
    /// Whether it tells of all that happens to rows, and of partitions as their table; from Postgres 18 on of stored generated columns, too, without
    /// which Postgres refuses updates of tables that tell all of their old rows.
    pub is_whole: bool,
}

/// A slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Whether it is a slot of this database that `pgoutput` is read from.
    pub is_ours: bool,
    /// Whether it is being read now.
    pub is_read: bool,
    /// Whether the log that it has not read is gone.
    pub is_lost: bool,
    /// How much of the log is kept for it, in bytes.
    pub log_bytes: u64,
}

impl Slot {
    /// How near it is to what the mapping allows it: 1 is the limit.
    #[must_use]
    pub fn fullness(&self, mapping: &Mapping) -> f64 {
        self.log_bytes as f64 / mapping.slot_bytes_max.max(1) as f64
    }
}

impl Found {
    /// Looks at publication, slot and mapped tables.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(client: &Client, mapping: &Mapping) -> Result<Self, Error> {
        let name = &mapping.schema;
        let tables: Vec<TableName> = mapping.tables.iter().map(|table| table.table.clone()).collect();
        let publication = match client.query_opt(PUBLICATION, &[name]).await? {
            None => None,
            Some(row) => Some(Publication { tables: published(client, name).await?, is_whole: row.try_get(0)? }),
        };
        let slot = slot(client, name).await?;
        Ok(Found { publication, slot, identities: identities(client, &tables).await? })
    }

    /// The least that is told of old rows of a mapped table and its partitions.
    #[must_use]
    pub fn identity(&self, table: &TableName) -> Identity {
        let of_table = self.identities.iter().filter(|identified| identified.mapped == *table);
        of_table.map(|identified| identified.identity).min().unwrap_or(Identity::Missing)
    }

    /// Why not all old rows of a mapped table and of its partitions can be told; nothing where they can.
    #[must_use]
    pub fn hindrance(&self, table: &TableName) -> Option<Hindrance> {
        let mut of_table = self.identities.iter().filter(|identified| identified.mapped == *table);
        of_table.find_map(|identified| identified.hindrance)
    }
}

/// The slot of this name.
pub(crate) async fn slot(client: &Client, name: &str) -> Result<Option<Slot>, Error> {
    let Some(row) = client.query_opt(SLOT, &[&name]).await? else { return Ok(None) };
    Ok(Some(Slot {
        is_ours: row.try_get(0)?,
        is_read: row.try_get(1)?,
        is_lost: row.try_get(2)?,
        log_bytes: u64::try_from(row.try_get::<_, i64>(3)?).unwrap_or_default(),
    }))
}

/// The tables of a publication; of a partitioned one that is published as a whole, itself alone.
pub(super) async fn published(client: &Client, name: &str) -> Result<Vec<TableName>, Error> {
    let sql = "SELECT schemaname::text, tablename::text FROM pg_publication_tables WHERE pubname = $1";
    let rows = client.query(sql, &[&name]).await?;
    rows.iter().map(|row| Ok(TableName { schema: row.try_get(0)?, name: row.try_get(1)? })).collect()
}

/// How often it is looked whether a slot is free that is to be made anew, and the pause in between, in seconds: 30 seconds in all.
const RENEWAL_TRIES_MAX: u32 = 120;
const RENEWAL_PAUSE_S: f32 = 0.25;
const PUBLICATION: &str = "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate AND pubviaroot AND coalesce(to_jsonb(p) ->> 'pubgencols', 's') = 's' \
    FROM pg_publication p WHERE pubname = $1";
const SLOT: &str = "SELECT slot_type = 'logical' AND plugin = 'pgoutput' AND database = current_database(), active, \
    coalesce(wal_status = 'lost', false), \
    coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint \
    FROM pg_replication_slots WHERE slot_name = $1";

/// Makes the publication, or sets it to these tables.
#[must_use]
pub fn publication_sql(schema: &str, tables: &[TableName]) -> String {
    let name = identifier(schema);
    let list = tables.iter().map(written).collect::<Vec<_>>().join(", ");
    let literal = literal(schema);
    format!(
        "DO $install$ BEGIN\n  IF EXISTS (SELECT FROM pg_publication WHERE pubname = {literal}) THEN\n    \
         ALTER PUBLICATION {name} SET TABLE {list};\n  \
         ELSE\n    CREATE PUBLICATION {name} FOR TABLE {list};\n  END IF;\nEND $install$;\n{}",
        whole_sql(schema)
    )
}

/// Has the publication tell of all that happens to rows.
#[must_use]
pub fn whole_sql(schema: &str) -> String {
    let name = identifier(schema);
    format!(
        "ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);\n\
         DO $install$ BEGIN\n  IF current_setting('server_version_num')::int >= 180000 THEN\n    \
         ALTER PUBLICATION {name} SET (publish_generated_columns = stored);\n  END IF;\nEND $install$;"
    )
}

/// Makes the slot where it is missing, in a transaction that writes nothing else. It comes after the publication: of what happened before that
/// nothing could be told. It waits for transactions that are under way.
#[must_use]
pub fn slot_sql(schema: &str) -> String {
    let literal = literal(schema);
    format!(
        "SELECT pg_create_logical_replication_slot({literal}, 'pgoutput') WHERE NOT EXISTS \
         (SELECT FROM pg_replication_slots WHERE slot_name = {literal});"
    )
}

/// Makes the slot anew. Whoever reads it finds out within some seconds that it is of no use, and is waited for.
#[must_use]
pub fn renew_slot_sql(schema: &str) -> String {
    let name = literal(schema);
    format!(
        "DO $install$ BEGIN\n  FOR tries IN 1..{RENEWAL_TRIES_MAX} LOOP\n    \
         EXIT WHEN NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = {name} AND active);\n    \
         PERFORM pg_sleep({RENEWAL_PAUSE_S});\n  END LOOP;\nEND $install$;\n{}",
        drop_slot_sql(schema)
    )
}

/// Removes the slot, and what it would still tell. One that is being read is refused: whoever reads it is to be stopped first.
#[must_use]
pub fn drop_slot_sql(schema: &str) -> String {
    format!(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = {};",
        literal(schema)
    )
}

/// Removes the publication.
#[must_use]
pub fn drop_publication_sql(schema: &str) -> String {
    format!("DROP PUBLICATION IF EXISTS {};", identifier(schema))
}
