//! What the tables of a CRM mean: `source.toml`, documented in docs/source.md.

mod check;
mod contradictions;
mod names;
mod read;
mod rules;
mod sensitive;
mod table;
mod written;

use std::collections::BTreeMap;

use postrider_document::Mistake;
use postrider_domain::{OrganizationId, OrganizationIdError};

pub use check::{KnownColumn, KnownTable};
pub use names::TableNameError;
pub use read::KEYS;
pub use sensitive::is_sensitive;
pub(crate) use sensitive::words;
pub(crate) use written::Written;

/// A table, e.g. `public.deals`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// Its schema.
    pub schema: String,
    /// Its own name.
    pub name: String,
}

/// How changes are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureKind {
    /// Row triggers write to an outbox in the CRM's own transaction.
    Triggers,
    /// A publication and a slot of logical replication.
    Replication,
}

impl CaptureKind {
    /// As the file says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CaptureKind::Triggers => "triggers",
            CaptureKind::Replication => "replication",
        }
    }
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
    /// Whether columns of the type `timestamp` (without time zone) hold UTC, as many frameworks have it: then they are told as moments.
    pub timestamps_are_utc: bool,
    /// The tables, in the order of the file.
    pub tables: Vec<TableMapping>,
    /// Where the file names tables and columns, for mistakes that only show beside the database.
    pub(crate) written: Written,
}

impl Mapping {
    /// The largest file, in bytes.
    pub const FILE_BYTES_MAX: usize = 1_048_576;
    /// The most tables.
    pub const TABLES_MAX: usize = 500;
    /// The most rules of a table.
    pub const RULES_MAX: usize = 100;
    /// The most steps from a row to its organisation; one more leads from a join table to its record.
    pub const JOINS_MAX: usize = 4;
    /// The most words for the values of a column.
    pub const LABELS_MAX: usize = 1_000;
    /// The most values that a condition lists.
    pub const VALUES_MAX: usize = 1_000;
    /// The longest word, template and value, in bytes.
    pub const TEXT_BYTES_MAX: usize = 256;
    /// How many changes may wait unless the file says otherwise.
    pub const OUTBOX_ROWS: u64 = 1_000_000;
    /// How much write-ahead log may wait unless the file says otherwise, in bytes.
    pub const SLOT_BYTES: u64 = 10 << 30;

    /// Reads a file's text; `file` is its name in mistakes.
    ///
    /// # Errors
    /// Every mistake, in the order of the file.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Mistake>> {
        read::parse(text, file)
    }

    /// What a table means; nothing when it is not mapped.
    #[must_use]
    pub fn table(&self, name: &TableName) -> Option<&TableMapping> {
        self.tables.iter().find(|table| table.table == *name)
    }

    /// The tables that joins lead to, each with the column that is looked in; some several times.
    pub fn joined(&self) -> impl Iterator<Item = (&TableName, &str)> {
        self.tables.iter().flat_map(|table| {
            let via = table.via.iter().map(|via| (&via.table, via.key.as_str()));
            let joins = match &table.organization {
                Placing::By { joins, .. } => joins.as_slice(),
                Placing::Fixed(_) => &[],
            };
            via.chain(joins.iter().map(|join| (&join.table, join.key.as_str())))
        })
    }

    /// Checks the mapping beside the tables that the database has: every table and column that the file names must be there, what two columns
    /// become must not have one name, and a column that looks like a secret must be omitted or named on purpose.
    ///
    /// `known` holds the mapped tables and those that joins lead to; one that is missing there is missing in the database. `others` are tables that there
    /// are beside them, to suggest.
    #[must_use]
    pub fn check_columns(&self, known: &[KnownTable], others: &[TableName]) -> Vec<Mistake> {
        check::check(self, known, others)
    }
}

/// What one table means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMapping {
    /// Which table.
    pub table: TableName,
    /// The type of the records that its events are about, e.g. `deal`; of a join table that of the record.
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
    /// What says that a record is deleted though its row is there.
    pub soft_delete: Option<SoftDelete>,
    /// Where a record can be read, in which `{}` stands for its id.
    pub uri: Option<String>,
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

/// What says that a record is deleted though its row is there: then its change is a deletion, and its return a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftDelete {
    /// The column.
    pub column: String,
    /// The values that it then has, in the words of [`Rule::to`]; any but null and false when empty.
    pub is: Vec<String>,
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
    /// What it was before, as label or as value; anything when empty. [`Rule::NULL`] and [`Rule::NOT_NULL`] stand for themselves.
    pub from: Vec<String>,
    /// What it became, in the same words; anything when empty.
    pub to: Vec<String>,
    /// What other columns must be after the change, each one of these; in the same words as `to`.
    pub when: BTreeMap<String, Vec<String>>,
    /// Whether a record that is created with such a value counts as a change from nothing.
    pub on_create: bool,
    /// Whether the plain update is then not said.
    pub instead: bool,
}

impl Rule {
    /// In conditions: no value.
    pub const NULL: &'static str = "null";
    /// In conditions: any value.
    pub const NOT_NULL: &'static str = "not null";
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
        /// From that value on, over other tables; at most [`Mapping::JOINS_MAX`], and for a join table one more before them.
        joins: Vec<Join>,
        /// Postrider's id for it, in which `{}` stands for the value.
        id: String,
    },
}

impl Placing {
    /// Postrider's id of the organisation that a value of the database stands for.
    ///
    /// # Errors
    /// When the value does not make an id.
    pub fn organization(&self, value: &str) -> Result<OrganizationId, OrganizationIdError> {
        match self {
            Placing::Fixed(id) => id.parse(),
            Placing::By { id, .. } => id.replace("{}", value).parse(),
        }
    }
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

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;
