//! What a transaction made of one record.

use postrider_domain::Millis;
use uuid::Uuid;

use crate::mapping::TableName;
use crate::row::Row;

/// The net change that one committed transaction made to one record (a row, by its key), however many statements it took.
///
/// From nothing to a row is a creation, from a row to a row an update, from a row to nothing a deletion; a record that came and went within the
/// transaction changed nothing. A key that changes is the deletion of one record and the creation of another.
///
/// Either row may lack columns: values that cannot be JSON, and with replication what the database does not tell. A column that `before` lacks and
/// `after` has may have changed, from what is not known: an update is worth an event then, and has no previous value of that column. Of a column
/// that `after` lacks nothing is known at all; it did not change as far as anybody can say.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The same each time this change is read, after a crash too, and of no other change; ids of events follow from it.
    pub id: Uuid,
    /// The table, as the mapping names it; a partition's changes are its parent's.
    pub table: TableName,
    /// When it was made, in the database's time.
    pub at: Millis,
    /// The number of the transaction, of 32 bits that begin again; nothing where the capture does not tell it.
    pub transaction: Option<u32>,
    /// The row before the transaction's first change of it.
    pub before: Option<Row>,
    /// The row after its last.
    pub after: Option<Row>,
}

/// Something that could not be captured as a change. It is told in the log and in the metrics; the CRM's own transaction went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The table, as the mapping names it.
    pub table: TableName,
    /// When, in the database's time.
    pub at: Millis,
    /// What happened, e.g. `truncated`, or what Postgres said.
    pub what: String,
}
