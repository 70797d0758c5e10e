//! What the tables of a CRM mean: `source.toml`, documented in docs/source.md.

use std::collections::BTreeMap;
use std::fmt;

/// A table, e.g. `public.deals`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// Its schema.
    pub schema: String,
    /// Its own name.
    pub name: String,
}

impl fmt::Display for TableName {
    /// As the mapping writes it: `schema.name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// How changes are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureKind {
    /// Row triggers write to an outbox in the CRM's own transaction.
    Triggers,
    /// A publication and a slot of logical replication.
    Replication,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The schema in the CRM's database that holds what is installed there; also the name of publication and slot.
    pub schema: String,
    /// How changes are captured.
    pub capture: CaptureKind,
    /// At most so many changes wait in the outbox; those beyond are missed, loudly.
    pub outbox_rows_max: u64,
    /// At most so many bytes of write-ahead log may wait for the slot before an alarm.
    pub slot_bytes_max: u64,
    /// The tables, in the order of the file.
    pub tables: Vec<TableMapping>,
}

/// What one table means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMapping {
    /// Which table.
    pub table: TableName,
    /// The type of the records that its events are about, e.g. `deal`.
    pub resource: String,
    /// The columns that identify a row; the primary key where the file names none.
    pub key: Option<Vec<String>>,
    /// How a row's organisation is found.
    pub organization: Placing,
    /// Columns that are never captured.
    pub omit: Vec<String>,
    /// Columns that look like secrets and are captured on purpose.
    pub include_sensitive: Vec<String>,
    /// Columns whose changes alone are no event, e.g. `updated_at`; their values are in `data` all the same.
    pub ignore: Vec<String>,
    /// A column that is null (or false) while the record is there: setting it is a deletion, clearing it a creation.
    pub soft_delete: Option<String>,
    /// When the record was made, for `source backfill --since`.
    pub created_at: Option<String>,
    /// Field names by column, where they differ.
    pub rename: BTreeMap<String, String>,
    /// Words by value, by column, e.g. of a number that stands for a stage.
    pub labels: BTreeMap<String, BTreeMap<String, String>>,
    /// The event types of plain changes.
    pub events: PlainEvents,
    /// What is said beside them, or instead.
    pub rules: Vec<Rule>,
    /// For a join table: whose record its rows concern.
    pub via: Option<Via>,
}

/// The event types of plain changes; nothing where such a change is no event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainEvents {
    /// A record came to be; `<resource>.created` unless the file says otherwise.
    pub created: Option<String>,
    /// It changed; `<resource>.updated`.
    pub updated: Option<String>,
    /// It went; `<resource>.deleted`.
    pub deleted: Option<String>,
}

/// An event type that follows from a change of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The event type, e.g. `deal.won`.
    pub event: String,
    /// The column that must have changed.
    pub changed: String,
    /// What it was before, as label or as value; anything when empty.
    pub from: Vec<String>,
    /// What it became, as label or as value; anything when empty.
    pub to: Vec<String>,
    /// Whether a record that is created with such a value counts as a change from nothing.
    pub on_create: bool,
    /// Whether the plain update is then not said.
    pub instead: bool,
}

/// How a row's organisation is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placing {
    /// The CRM serves one organisation: this one of Postrider's.
    Fixed(String),
    /// By a value in the row, or in a row that it leads to.
    By {
        /// A column of the table itself.
        column: String,
        /// From that value on, over other tables; at most four.
        joins: Vec<Join>,
        /// Postrider's id for it, in which `{}` stands for the value.
        id: String,
    },
}

/// One step to another table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The other table.
    pub table: TableName,
    /// Its column that has the value so far.
    pub key: String,
    /// Its column to go on with.
    pub column: String,
}

/// A join table's rows as changes of the record that they concern: an assignment is `contact.assigned`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The table of the record.
    pub table: TableName,
    /// This table's column that names the record.
    pub column: String,
    /// The record's column that it is equal to.
    pub key: String,
    /// The member of `data` that the join table's row stands in, beside the record's own fields.
    pub member: String,
}
