//! Nets as changes, their values as JSON.

use bytes::Bytes;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::assembly::Committed;
use super::net::RawRow;
use super::pgoutput::Value;
use super::values::{Made, Reading, is_plain};
use crate::change::{Change, Gap};
use crate::row::Row;

/// What there is to say of a net.
#[derive(Debug)]
pub(super) enum Told {
    Change(Change),
    /// Something changed that cannot be said.
    Gap(Gap),
    /// As JSON nothing changed.
    Nothing,
}

/// The values of a net that the database is to make into JSON, each with what it is read as.
pub(super) fn unmade(change: &Committed) -> Vec<(Reading, Bytes)> {
    let rows = || [&change.net.before, &change.net.after].into_iter().flatten();
    let told = rows().flat_map(RawRow::captured).filter_map(|(column, value)| match value {
        Value::Text(text) if is_plain(column.type_oid, text) => None,
        Value::Text(text) => Some((Reading::Type(column.type_oid), text.clone())),
        Value::Null | Value::Untold => None,
    });
    let computed = rows().flat_map(RawRow::computed);
    told.chain(computed.map(|(column, inputs)| (Reading::Generated(column.statement.clone()), inputs))).collect()
}

/// Says a net, with what was made of its values. A column that cannot be JSON in one of the rows is left out of both: what only one of them has would
/// look like a change.
pub(super) fn finish(namespace: Uuid, change: &Committed, made: &Made) -> Told {
    let (mut before, mut after) = (
        change.net.before.as_ref().map(|row| Half::of(row, made)),
        change.net.after.as_ref().map(|row| Half::of(row, made)),
    );
    if let (Some(before), Some(after)) = (&mut before, &mut after) {
        let is_hurt = before.leave_out(&after.failed) | after.leave_out(&before.failed) | !before.failed.is_empty();
        match before.columns.is_same(&after.columns) {
            true if is_hurt => {
                let what = "what changed cannot be JSON".to_owned();
                return Told::Gap(Gap { table: change.captured.table.clone(), at: change.at, what });
            }
            true => return Told::Nothing,
            false => {}
        }
    }
    let row = |half: Option<Half>| half.map(|half| half.columns);
    let table = change.captured.table.clone();
    Told::Change(Change {
        id: change.id(namespace),
        table,
        at: change.at,
        transaction: Some(change.transaction),
        before: row(before),
        after: row(after),
    })
}

/// One of a net's rows.
struct Half {
    columns: Row,
    /// The columns whose values cannot be JSON.
    failed: Vec<String>,
}

impl Half {
    fn of(row: &RawRow, made: &Made) -> Self {
        let mut failed = Vec::new();
        let mut columns = Vec::new();
        for (column, value) in row.captured() {
            let json = match value {
                Value::Untold => continue,
                Value::Null => RawValue::from_string("null".to_owned()).ok(),
                Value::Text(text) => made.json(column.type_oid, text),
            };
            match json {
                Some(json) => columns.push((Box::from(column.name.as_str()), json)),
                None => failed.push(column.name.clone()),
            }
        }
        for (column, inputs) in row.computed() {
            match made.generated(&column.statement, &inputs) {
                Some(json) => columns.push((Box::from(column.name.as_str()), json)),
                None => failed.push(column.name.clone()),
            }
        }
        Half { columns: columns.into_iter().collect(), failed }
    }

    /// Whether it had any of them.
    fn leave_out(&mut self, failed: &[String]) -> bool {
        let is_hurt = failed.iter().any(|column| self.columns.get(column).is_some());
        if is_hurt {
            let kept = self.columns.iter().filter(|(name, _)| !failed.iter().any(|column| column == name));
            self.columns = kept.map(|(name, json)| (Box::from(name), json.to_owned())).collect();
        }
        is_hurt
    }
}
