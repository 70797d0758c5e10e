//! A page of a table in the order of its key.

use std::collections::HashMap;

use serde_json::value::RawValue;
use tokio_postgres::types::{PgLsn, ToSql};
use tokio_postgres::{Error, IsolationLevel, Row as Answer, Transaction};

use super::STEP_BYTES_MAX;
use super::held::{Seen, Snapshot};
use super::order::Order;
use crate::capture::{CaptureError, Position};
use crate::lookup::{Tables, cast_to, is_of_a_value, table_in_sql};
use crate::mapping::{CaptureKind, Mapping, TableMapping};
use crate::row::Row;
use crate::session::{quoted, refused};

/// Rows that are fetched at a time, until their bytes are enough.
const FETCHED_ROWS: i32 = 50;

/// Rows that were read together.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// By key, those that there is something to tell of.
    pub(super) rows: Vec<(String, Row)>,
    /// The last key; nothing at the table's end.
    pub(super) last_key: Option<String>,
    /// How many rows were gone through.
    pub(super) count: i64,
    /// How many of them the database could not write as JSON.
    pub(super) unreadable: u64,
    /// With replication: which changes they show.
    pub(super) seen: Option<Seen>,
}

/// What is asked for.
struct Wanted<'a> {
    mapping: &'a Mapping,
    table: &'a TableMapping,
    /// From which key on, and since when.
    from: Vec<String>,
    since: Option<&'a str>,
    sql: String,
    /// The same for keys alone.
    keys_sql: String,
}

/// The next rows of an order.
///
/// # Errors
/// As any reading. [`CaptureError::Unusable`] when the order cannot be done.
pub(super) async fn page(
    tables: &mut Tables,
    mapping: &Mapping,
    table: &TableMapping,
    order: &Order,
    rows_max: u64,
) -> Result<Page, CaptureError> {
    let wanted = Wanted::of(tables, mapping, table, order)?;
    for rows_max in [rows_max, 1] {
        match wanted.read(tables, rows_max).await {
            Ok(page) => return Ok(page),
            // One of the rows cannot be JSON: then one by one, so that the others are told.
            Err(error) if is_of_a_value(&error) => {}
            Err(error) => return Err(refused(&error)),
        }
    }
    wanted.step_over(tables).await.map_err(|error| refused(&error))
}

impl<'a> Wanted<'a> {
    fn of(
        tables: &Tables,
        mapping: &'a Mapping,
        table: &'a TableMapping,
        order: &'a Order,
    ) -> Result<Self, CaptureError> {
        let known = tables.known(&table.table)?;
        let key = table.key_in(known);
        if key.is_empty() {
            return Err(CaptureError::Unusable(format!("{} has no key; name one in the mapping", table.table)));
        }
        let after = order.after_key.as_deref().map(texts_of).transpose()?;
        let from = after.unwrap_or_default();
        let keys = key.iter().map(|column| format!("t.{}", quoted(column))).collect::<Vec<_>>().join(", ");
        let columns: Vec<_> = table.captured_in(known).map(|column| format!("t.{}", quoted(&column.name))).collect();
        let mut conditions = Vec::new();
        if !from.is_empty() {
            let mut values = Vec::with_capacity(key.len());
            for (at, column) in key.iter().enumerate() {
                let sql_type = cast_to(tables.type_of(&table.table, column)?);
                values.push(format!("($1::text[])[{}]::{sql_type}", at + 1));
            }
            conditions.push(format!("({keys}) > ({})", values.join(", ")));
        }
        if let (Some(_), Some(created_at)) = (&order.since, &table.created_at) {
            conditions.push(format!("t.{} >= $2::text::timestamptz", quoted(created_at)));
        }
        conditions.push("($1::text[], $2::text) IS NOT NULL OR true".to_owned());
        let rest = format!(
            "FROM {} AS t WHERE ({}) ORDER BY {keys} LIMIT $3",
            table_in_sql(&table.table),
            conditions.join(") AND (")
        );
        let key_text = format!("jsonb_build_array({keys})::text");
        Ok(Wanted {
            mapping,
            table,
            from,
            since: order.since.as_deref(),
            sql: format!(
                "SELECT {key_text}, (SELECT to_jsonb(r) FROM (SELECT {}) AS r)::text {rest}",
                columns.join(", ")
            ),
            keys_sql: format!("SELECT {key_text} {rest}"),
        })
    }

    /// Rows as they are and, where the outbox tells of changes of some, as they were before, in one snapshot.
    async fn read(&self, tables: &mut Tables, rows_max: u64) -> Result<Page, Error> {
        let snapshot = tables.client().build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let transaction = snapshot.read_only(true).start().await?;
        let answers = self.fetch(&transaction, rows_max).await?;
        let keys: Vec<&str> = answers.iter().map(|row| row.get(0)).collect();
        let mut waiting = self.waiting(&transaction, &keys).await?;
        let mut page = Page { count: i64::try_from(answers.len()).unwrap_or(i64::MAX), ..Page::default() };
        for answer in &answers {
            let key: &str = answer.get(0);
            let text: Option<String> = match waiting.remove(key) {
                Some(before) => before,
                None => answer.get(1),
            };
            let row = text.and_then(|text| serde_json::from_str(&text).ok());
            page.rows.extend(row.map(|row| (key.to_owned(), row)));
            page.last_key = Some(key.to_owned());
        }
        let snapshot = match self.mapping.capture {
            CaptureKind::Triggers => None,
            CaptureKind::Replication => {
                let told = transaction.query_one("SELECT pg_current_snapshot()::text", &[]).await?;
                Some(Snapshot::read(told.get(0)).unwrap_or_default())
            }
        };
        transaction.commit().await?;
        if let Some(snapshot) = snapshot {
            page.seen = Some(Seen { snapshot, through: mark(tables).await? });
        }
        Ok(page)
    }

    async fn fetch(&self, transaction: &Transaction<'_>, rows_max: u64) -> Result<Vec<Answer>, Error> {
        let statement = transaction.prepare(&self.sql).await?;
        let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.from, &self.since, &rows_max];
        let portal = transaction.bind(&statement, &parameters).await?;
        let (mut answers, mut bytes) = (Vec::new(), 0);
        loop {
            let some = transaction.query_portal(&portal, FETCHED_ROWS).await?;
            let is_last = some.len() < usize::try_from(FETCHED_ROWS).unwrap_or_default();
            bytes += some.iter().map(|row| row.get::<_, Option<&str>>(1).map_or(0, str::len)).sum::<usize>();
            answers.extend(some);
            if is_last || bytes >= STEP_BYTES_MAX {
                return Ok(answers);
            }
        }
    }

    /// The rows of these keys as they were before the first change that waits; nothing of a row that was not there.
    async fn waiting(
        &self,
        transaction: &Transaction<'_>,
        keys: &[&str],
    ) -> Result<HashMap<String, Option<String>>, Error> {
        if self.mapping.capture != CaptureKind::Triggers || keys.is_empty() {
            return Ok(HashMap::new());
        }
        let sql = format!(
            "SELECT DISTINCT ON (key) key, before::text FROM {}.outbox \
             WHERE \"table\" = $1 AND key = ANY($2) AND note IS NULL ORDER BY key, id",
            quoted(&self.mapping.schema)
        );
        let rows = transaction.query(&sql, &[&self.table.table.to_string(), &keys]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Passes over one row that cannot be JSON.
    async fn step_over(&self, tables: &mut Tables) -> Result<Page, Error> {
        let rows = tables.ask(&self.keys_sql, &[&self.from, &self.since, &1_i64]).await?;
        let last_key: Option<String> = rows.first().map(|row| row.get(0));
        if let Some(key) = &last_key {
            let table = &self.table.table;
            tracing::warn!(%table, key, "a row is passed over by the backfill: the database cannot write it as JSON");
        }
        Ok(Page { count: 1, unreadable: 1, last_key, ..Page::default() })
    }
}

/// A position behind everything that is committed by now. It is a message's, which changes nothing and has the log written so far at once.
async fn mark(tables: &mut Tables) -> Result<Position, Error> {
    let transaction = tables.client().build_transaction().read_only(false).start().await?;
    let marked = transaction.query_one("SELECT pg_logical_emit_message(true, 'postrider', ''::text)", &[]).await?;
    let position: PgLsn = marked.get(0);
    transaction.commit().await?;
    Ok(Position(position.into()))
}

/// The texts of a key's values, as they are cast to the columns' types.
fn texts_of(key: &str) -> Result<Vec<String>, CaptureError> {
    let wrong = |_| CaptureError::Unusable(format!("the order has come to {key:?}, which is no key"));
    let values: Vec<Box<RawValue>> = serde_json::from_str(key).map_err(wrong)?;
    if values.iter().any(|value| value.get() == "null") {
        let what =
            format!("a row has {key} as its key, with a null; name a key in the mapping whose columns are never null");
        return Err(CaptureError::Unusable(what));
    }
    Ok(values
        .iter()
        .map(|value| serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_texts_that_its_columns_are_read_from() {
        let texts = texts_of(r#"[12345678901234567890.10, "a\"b", true, "2026-01-01T00:00:00+00:00"]"#).unwrap();
        assert_eq!(texts, ["12345678901234567890.10", "a\"b", "true", "2026-01-01T00:00:00+00:00"]);
        assert!(texts_of("12").is_err());
    }
}
