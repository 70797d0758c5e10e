//! What the CRM's database is: its server, the tables that a mapping names, and what of ours is there already.

mod installed;
mod read;
mod sql;

pub use installed::{Granted, Installation, Installed, InstalledTable, Lost, Outbox, Record, Trigger};
pub(crate) use installed::{ROWS_COUNTED_MAX, backfills, lost_of, reader, waiting};

use crate::mapping::{KnownTable, Mapping, Placing, TableName};
use crate::replication::publication;

/// The oldest server that changes can be captured from, as `server_version_num`: `xid8` came with Postgres 13.
pub const SERVER_OLDEST: i32 = 130_000;

/// The most tables that are listed beside a missing one.
const OTHERS_MAX: i64 = 10_000;

/// Everything that installing, checking and looking need to know, read in one moment.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// The server and this session's rights on it.
    pub server: Server,
    /// The mapped tables and those that joins lead to, as far as they are there.
    pub tables: Vec<Table>,
    /// Where one of those is not there: the tables that there are, in any schema but the system's; at most 10,000.
    pub others: Vec<TableName>,
    /// The role that reads, where another than this session's was named and exists.
    pub reader: Option<Role>,
    /// The role that what is installed belongs to or shall belong to, where one was named and is there.
    pub owner: Option<Owner>,
    /// What of ours is there; nothing where the schema is not.
    pub installed: Option<Installed>,
    /// What is there for replication, whatever the way of capture is now.
    pub replication: publication::Found,
}

/// The server, and what this session may do.
#[derive(Clone, Debug)]
pub struct Server {
    /// As `server_version_num`, e.g. 150018.
    pub version: i32,
    /// As people write it, e.g. `15.18`.
    pub version_text: String,
    /// The database's name.
    pub database: String,
    /// Who this session is.
    pub role: Role,
    /// Whether this session may make a schema.
    pub may_create_schema: bool,
    /// `wal_level`.
    pub wal_level: String,
    /// `max_replication_slots`.
    pub slots_max: i32,
    /// How many slots there are.
    pub slots: i64,
    /// Whether it is a standby, which nothing can be written to.
    pub is_standby: bool,
    /// The encoding of the database's texts (`server_encoding`).
    pub encoding: String,
    /// Whose answers commits wait for (`synchronous_standby_names`).
    pub synchronous_standbys: String,
}

/// A role.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Whether no right is asked for.
    pub is_superuser: bool,
    /// Whether row-level security does not hold for it.
    pub bypasses_rls: bool,
    /// Whether it may read slots.
    pub may_replicate: bool,
}

/// A role that what is installed belongs to: the triggers' functions run with its rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// Whether it may do anything.
    pub is_superuser: bool,
    /// Whether this session may give it what it makes.
    pub may_be_given: bool,
}

/// What a relation is (`pg_class.relkind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary table.
    Table,
    /// A partitioned one.
    Partitioned,
    /// A view, materialised or not.
    View,
    /// A foreign table.
    Foreign,
}

/// A table as the database has it.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name, columns and primary key.
    pub known: KnownTable,
    /// What it is.
    pub kind: Kind,
    /// The table that it is a partition of, at the top.
    pub partition_of: Option<TableName>,
    /// Whether other tables inherit from it that are no partitions.
    pub has_heirs: bool,
    /// More about its columns, in the same order.
    pub columns: Vec<ColumnFacts>,
    /// The columns of each unique index without condition or expression; of the primary key, too.
    pub unique: Vec<Vec<String>>,
    /// Who owns it.
    pub owner: String,
    /// Whether row-level security is on, and whether for its owner, too.
    pub row_security: RowSecurity,
    /// Whether rows would be hidden from the role that reads.
    pub hides_rows: bool,
    /// Whether this session may make triggers on it.
    pub may_trigger: bool,
    /// Whether this session may read it, or its columns.
    pub may_select: bool,
    /// Whether this session is its owner or a member of that role.
    pub is_own: bool,
    /// Columns that the role that reads may read.
    pub readable: Vec<String>,
    /// Whether the role that reads may look into its schema.
    pub schema_is_open: bool,
    /// `pg_class.relreplident`: `d`, `n`, `f` or `i`.
    pub replica_identity: char,
    /// About how many rows it has; nothing where that was never counted.
    pub rows: Option<u64>,
    /// Its size on disk with indexes, in bytes.
    pub bytes: u64,
    /// Columns that are computed when they are read (Postgres 18 and later): nothing that captures changes sees them, and they are not among its columns.
    pub virtual_columns: Vec<String>,
}

/// Whether policies say who sees which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowSecurity {
    /// No.
    Off,
    /// For all but the owner.
    On,
    /// For the owner, too.
    Forced,
}

/// What else is known of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnFacts {
    /// Whether it is computed from others.
    pub is_generated: bool,
    /// Whether it may be null.
    pub is_nullable: bool,
    /// The words of an enum type, in order; empty for another type.
    pub words: Vec<String>,
}

impl Catalogue {
    /// A table by its name.
    #[must_use]
    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.iter().find(|table| table.known.table == *name)
    }

    /// The tables as a mapping is checked beside them.
    #[must_use]
    pub fn known(&self) -> Vec<KnownTable> {
        self.tables.iter().map(|table| table.known.clone()).collect()
    }

    /// Who reads: the role that was named, or else whoever this session is.
    #[must_use]
    pub fn reads(&self) -> &Role {
        self.reader.as_ref().unwrap_or(&self.server.role)
    }
}

/// Every table that a mapping names, each once, in the order of the file: the mapped ones first.
#[must_use]
pub fn named_tables(mapping: &Mapping) -> Vec<TableName> {
    let mapped = mapping.tables.iter().map(|table| &table.table);
    let joined = mapping.tables.iter().flat_map(|table| {
        let joins = match &table.organization {
            Placing::By { joins, .. } => joins.as_slice(),
            Placing::Fixed(_) => &[],
        };
        joins.iter().map(|join| &join.table).chain(table.via.iter().map(|via| &via.table))
    });
    let mut names: Vec<TableName> = Vec::new();
    for name in mapped.chain(joined) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}
