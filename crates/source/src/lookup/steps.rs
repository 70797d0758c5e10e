//! One step of a way from row to row, for many values at once.
//!
//! Values go as text and are cast to the column's own type, so that its index is used. What is not in the table as it is may have been deleted in the
//! meantime: then it is among the changes that were handed over lately, or that wait for it.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::error::SqlState;

use super::gone::Gone;
use super::tables::{Tables, table_in_sql};
use crate::capture::CaptureError;
use crate::mapping::TableName;
use crate::session::{quoted, refused};

/// What is looked for: of each row of `table` whose column `key` has one of the values, what `told` makes of it.
pub(super) struct Step<'a> {
    pub(super) table: &'a TableName,
    pub(super) key: &'a str,
    pub(super) told: Told<'a>,
}

/// What is wanted of a row.
#[derive(Clone, Copy)]
pub(super) enum Told<'a> {
    /// A column's value as text.
    Column(&'a str),
    /// The row with these columns, as JSON.
    Row(&'a [String]),
}

impl Step<'_> {
    /// By value; what is found nowhere is missing.
    pub(super) async fn take(
        &self,
        tables: &mut Tables,
        outbox: Option<&str>,
        values: &BTreeSet<String>,
        gone: &Gone,
    ) -> Result<HashMap<String, String>, CaptureError> {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let mut found = self.in_table(tables, &values).await?;
        let missing = |found: &HashMap<String, String>| {
            values.iter().copied().filter(|value| !found.contains_key(*value)).collect::<Vec<_>>()
        };
        found.extend(self.among_gone(&missing(&found), gone));
        let still = missing(&found);
        if let (Some(schema), false) = (outbox, still.is_empty()) {
            found.extend(self.in_outbox(tables, schema, &still).await?);
        }
        Ok(found)
    }

    async fn in_table(&self, tables: &mut Tables, values: &[&str]) -> Result<HashMap<String, String>, CaptureError> {
        if values.is_empty() {
            return Ok(HashMap::new());
        }
        let sql_type = cast_to(tables.type_of(self.table, self.key)?);
        let (table, key) = (table_in_sql(self.table), quoted(self.key));
        let told = match self.told {
            Told::Column(column) => format!("t.{}::text", quoted(column)),
            Told::Row(columns) => {
                let columns: Vec<_> = columns.iter().map(|column| format!("t.{}", quoted(column))).collect();
                format!("(SELECT to_jsonb(r) FROM (SELECT {}) AS r)::text", columns.join(", "))
            }
        };
        let sql = format!(
            "SELECT v.place, {told} FROM unnest($1::text[]) WITH ORDINALITY AS v(value, place) \
             JOIN {table} AS t ON t.{key} = v.value::{sql_type}"
        );
        let mut found = HashMap::new();
        match tables.ask(&sql, &[&values]).await {
            Ok(rows) => found.extend(rows.iter().filter_map(|row| {
                let place = usize::try_from(row.get::<_, i64>(0) - 1).ok()?;
                Some(((*values.get(place)?).to_owned(), row.get::<_, Option<String>>(1)?))
            })),
            Err(error) if is_of_a_value(&error) && values.len() > 1 => {
                for value in values {
                    found.extend(Box::pin(self.in_table(tables, &[value])).await?);
                }
            }
            // A value that the column's type cannot be is in no row.
            Err(error) if is_of_a_value(&error) => {}
            Err(error) => return Err(refused(&error)),
        }
        Ok(found)
    }

    fn among_gone(&self, values: &[&str], gone: &Gone) -> HashMap<String, String> {
        let pairs = values.iter().filter_map(|value| {
            let row = gone.row(self.table, self.key, value)?;
            let told = match self.told {
                Told::Column(column) => row.text(column)?,
                Told::Row(_) => serde_json::to_string(row).ok()?,
            };
            Some(((*value).to_owned(), told))
        });
        pairs.collect()
    }

    async fn in_outbox(
        &self,
        tables: &mut Tables,
        schema: &str,
        values: &[&str],
    ) -> Result<HashMap<String, String>, CaptureError> {
        let told = match self.told {
            Told::Column(_) => "before ->> $4",
            Told::Row(_) => "CASE WHEN $4 = '' THEN before::text END",
        };
        // A column that became json since it was installed may hold a \u0000, which Postgres can write and not read.
        let sql = format!(
            "SELECT before ->> $3, {told} FROM (SELECT id, CASE WHEN before::text !~ '(^|[^\\\\])(\\\\\\\\)*\\\\u0000' THEN before END AS before \
               FROM {}.outbox WHERE \"table\" = $1 AND after IS NULL) AS gone \
             WHERE before ->> $3 = ANY($2) ORDER BY id",
            quoted(schema)
        );
        let column = if let Told::Column(column) = self.told { column } else { "" };
        let rows = tables.ask(&sql, &[&self.table.to_string(), &values, &self.key, &column]).await;
        let rows = rows.map_err(|error| refused(&error))?;
        Ok(rows
            .iter()
            .filter_map(|row| Some((row.get::<_, Option<String>>(0)?, row.get::<_, Option<String>>(1)?)))
            .collect())
    }
}

/// Whether the database could not read or write one of the values, e.g. a word where the column has numbers (class 22 of SQL's states).
pub(crate) fn is_of_a_value(error: &tokio_postgres::Error) -> bool {
    error.code().map(SqlState::code).is_some_and(|code| code.starts_with("22"))
}

/// The type to cast a text to: those that stand for a single sign when no length is said have another name without one.
pub(crate) fn cast_to(type_name: &str) -> &str {
    match type_name {
        "character" => "bpchar",
        "bit" => "varbit",
        other => other,
    }
}
