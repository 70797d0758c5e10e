//! Orders: rows of the table `backfills`, given by the command and done by the node that reads.

use std::fmt;

use postrider_database::{Address, Connected};
use postrider_domain::Millis;
use tokio_postgres::Row as Answer;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::capture::CaptureError;
use crate::counted::counted;
use crate::lookup::{Tables, table_in_sql};
use crate::mapping::{Mapping, TableMapping};
use crate::session::{Use, open, quoted, refused};

/// An order that has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) id: Uuid,
    /// As the mapping names it.
    pub(super) table: String,
    /// Rows that were created from then on; all when it is nothing. As the database writes it.
    pub(super) since: Option<String>,
    /// Rows a second.
    pub(super) rate: u32,
    /// The key that it has come to, as a JSON array.
    pub(super) after_key: Option<String>,
    pub(super) created_at: Millis,
}

/// The oldest order that has not ended.
pub(super) async fn open_order(tables: &mut Tables, schema: &str) -> Result<Option<Order>, CaptureError> {
    let sql = format!(
        "SELECT id, \"table\", since::text, coalesce(rate, {}), after_key, (extract(epoch FROM created_at) * 1000)::bigint \
         FROM {}.backfills WHERE ended_at IS NULL ORDER BY created_at, id LIMIT 1",
        Backfills::RATE,
        quoted(schema)
    );
    let rows = tables.ask(&sql, &[]).await.map_err(|error| refused(&error))?;
    Ok(rows.first().map(|row| Order {
        id: row.get(0),
        table: row.get(1),
        since: row.get(2),
        rate: u32::try_from(row.get::<_, i32>(3)).unwrap_or(Backfills::RATE),
        after_key: row.get(4),
        created_at: Millis(row.get(5)),
    }))
}

/// It has come to this key, unless somebody else has taken it further or ended it.
pub(super) async fn progress(
    tables: &mut Tables,
    schema: &str,
    order: &Order,
    last_key: &str,
    count: i64,
) -> Result<(), CaptureError> {
    let sql = format!(
        "UPDATE {}.backfills SET after_key = $3, done = done + $4 \
         WHERE id = $1 AND after_key IS NOT DISTINCT FROM $2 AND ended_at IS NULL",
        quoted(schema)
    );
    write(tables, &sql, &[&order.id, &order.after_key, &last_key, &count]).await
}

/// It is done, or cannot be done and why.
pub(super) async fn end(
    tables: &mut Tables,
    schema: &str,
    order: &Order,
    error: Option<&str>,
) -> Result<(), CaptureError> {
    let (id, table) = (order.id, &order.table);
    match error {
        None => tracing::info!(backfill = %id, table, "a backfill is done"),
        Some(error) => tracing::warn!(backfill = %id, table, error, "a backfill was ended"),
    }
    let sql = format!(
        "UPDATE {}.backfills SET ended_at = clock_timestamp(), error = $2 WHERE id = $1 AND ended_at IS NULL",
        quoted(schema)
    );
    write(tables, &sql, &[&order.id, &error]).await
}

/// Sessions that read tables write nothing unless they say so.
async fn write(tables: &mut Tables, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<(), CaptureError> {
    let writing = async {
        let transaction = tables.client().build_transaction().read_only(false).start().await?;
        transaction.execute(sql, parameters).await?;
        transaction.commit().await
    };
    writing.await.map_err(|error| refused(&error))
}

/// The orders of one mapping, for whoever gives them.
pub struct Backfills {
    connected: Connected,
    schema: String,
}

/// What is to be told of.
#[derive(Clone, Debug)]
pub struct NewOrder<'a> {
    /// The table.
    pub table: &'a TableMapping,
    /// Rows that were created from then on; all when it is nothing.
    pub since: Option<Millis>,
    /// Rows a second; from 1 to [`Backfills::RATE_MAX`].
    pub rate: u32,
}

/// How far an order has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderState {
    /// Its id.
    pub id: Uuid,
    /// The table, as the mapping names it.
    pub table: String,
    /// Rows that were gone through.
    pub done: u64,
    /// How many there were when it was given, where they could be counted.
    pub total: Option<u64>,
    /// Whether it has ended.
    pub is_ended: bool,
    /// Why it has ended before its end.
    pub error: Option<String>,
}

/// Why an order was not given.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The mapping says nothing of created rows of this table.
    #[error("the mapping gives rows of {0} no event for being created; set events.created of the table")]
    NoEvent(String),
    /// `since` needs a column.
    #[error(
        "the mapping does not say when rows of {0} were created; set created_at of the table, or leave out --since"
    )]
    NoCreatedAt(String),
    /// There is one already.
    #[error("backfill {id} of {table} is under way; wait for it, or end it with --cancel")]
    Running {
        /// Its id.
        id: Uuid,
        /// Its table.
        table: String,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] CaptureError),
}

impl OrderState {
    /// The error of an order that somebody ended.
    pub const CANCELLED: &'static str = "cancelled";
}

impl Backfills {
    /// Rows a second unless the order says otherwise.
    pub const RATE: u32 = 200;
    /// The greatest rate, in rows a second.
    pub const RATE_MAX: u32 = 5_000;

    /// A session to give orders and to look at them.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn open(address: &Address, mapping: &Mapping) -> Result<Self, CaptureError> {
        Ok(Backfills { connected: open(address, Use::Orders).await?, schema: mapping.schema.clone() })
    }

    async fn ask(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Answer>, CaptureError> {
        self.connected.client.query(sql, parameters).await.map_err(|error| refused(&error))
    }

    /// Gives an order. The node that reads begins with it within a second or so.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub async fn give(&self, order: &NewOrder<'_>) -> Result<OrderState, OrderError> {
        let table = order.table;
        let name = table.table.to_string();
        if table.events.created.is_none() {
            return Err(OrderError::NoEvent(name));
        }
        if order.since.is_some() && table.created_at.is_none() {
            return Err(OrderError::NoCreatedAt(name));
        }
        if let Some(running) = self.running(&name).await? {
            return Err(OrderError::Running { id: running.id, table: name });
        }
        let total = self.count(order).await?;
        let id = Uuid::new_v4();
        let rate = i32::try_from(order.rate.clamp(1, Self::RATE_MAX)).unwrap_or(1);
        let sql = format!(
            "INSERT INTO {}.backfills (id, \"table\", since, rate, done, total, created_at) \
             VALUES ($1, $2, to_timestamp($3::bigint / 1000.0), $4, 0, $5, clock_timestamp())",
            quoted(&self.schema)
        );
        let total_rows = total.and_then(|total| i64::try_from(total).ok());
        self.ask(&sql, &[&id, &name, &order.since.map(|at| at.0), &rate, &total_rows]).await?;
        Ok(OrderState { id, table: name, done: 0, total, is_ended: false, error: None })
    }

    /// Counting a large table takes long: then nobody knows.
    async fn count(&self, order: &NewOrder<'_>) -> Result<Option<u64>, CaptureError> {
        let condition = match (&order.since, &order.table.created_at) {
            (Some(_), Some(column)) => format!("{} >= to_timestamp($1::bigint / 1000.0)", quoted(column)),
            _ => "$1::bigint IS NULL".to_owned(),
        };
        let sql = format!("SELECT count(*) FROM {} WHERE {condition}", table_in_sql(&order.table.table));
        match self.connected.client.query_one(&sql, &[&order.since.map(|at| at.0)]).await {
            Ok(row) => Ok(u64::try_from(row.get::<_, i64>(0)).ok()),
            Err(error) if error.code().is_some_and(|code| code.code() == "57014") => Ok(None),
            Err(error) => Err(refused(&error)),
        }
    }

    /// The order of a table that has not ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn running(&self, table: &str) -> Result<Option<OrderState>, CaptureError> {
        let rows = self.ask(&self.select("\"table\" = $1 AND ended_at IS NULL"), &[&table]).await?;
        Ok(rows.first().map(state))
    }

    /// How far an order has come; nothing when there is none of this id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn look(&self, id: Uuid) -> Result<Option<OrderState>, CaptureError> {
        let rows = self.ask(&self.select("id = $1"), &[&id]).await?;
        Ok(rows.first().map(state))
    }

    /// Ends the order of a table; what it has told stays told. Nothing when none was under way.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn cancel(&self, table: &str) -> Result<Option<OrderState>, CaptureError> {
        let Some(running) = self.running(table).await? else { return Ok(None) };
        let sql = format!(
            "UPDATE {}.backfills SET ended_at = clock_timestamp(), error = '{}' WHERE id = $1 AND ended_at IS NULL",
            quoted(&self.schema),
            OrderState::CANCELLED
        );
        self.ask(&sql, &[&running.id]).await?;
        self.look(running.id).await
    }

    fn select(&self, condition: &str) -> String {
        format!(
            "SELECT id, \"table\", done, total, ended_at IS NOT NULL, error FROM {}.backfills \
             WHERE {condition} ORDER BY created_at LIMIT 1",
            quoted(&self.schema)
        )
    }
}

fn state(row: &Answer) -> OrderState {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    OrderState {
        id: row.get(0),
        table: row.get(1),
        done: count(row.get(2)),
        total: row.get::<_, Option<i64>>(3).map(count),
        is_ended: row.get(4),
        error: row.get(5),
    }
}

/// How far a backfill has come, in words: `1 row`, `3 of 10 rows`.
#[must_use]
pub fn rows_in_words(done: u64, total: Option<u64>) -> String {
    let counted = |count| counted(count, "row", "rows");
    total.map_or_else(|| counted(done), |total| format!("{done} of {}", counted(total)))
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "backfill {} of {}: {}", self.id, self.table, rows_in_words(self.done, self.total))?;
        match (&self.error, self.is_ended) {
            (Some(error), _) => write!(f, ", ended: {error}"),
            (None, true) => write!(f, ", done"),
            (None, false) => write!(f, ", under way"),
        }
    }
}
