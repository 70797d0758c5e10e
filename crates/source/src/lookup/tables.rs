//! One session that reads the CRM's tables, and their columns as they are now.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use postrider_database::{Address, Connected};
use tokio::time::Instant;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row as Answer, Statement};

use crate::capture::CaptureError;
use crate::events::Events;
use crate::mapping::{KnownColumn, KnownTable, Mapping, TableName};
pub(crate) use crate::quote::table as table_in_sql;
use crate::session::{Use, open, refused};

/// For how long the columns of tables are taken to be what they were.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// A session with what it has looked up of tables.
pub(crate) struct Tables {
    connected: Connected,
    statements: HashMap<String, Statement>,
    known: Vec<KnownTable>,
    known_at: Instant,
    events: Events,
}

/// The columns of some tables that are captured in their order, each with its type and its place in the primary key.
const COLUMNS: &str = "SELECT n.nspname::text, c.relname::text, a.attname::text, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL), \
                       coalesce((SELECT array_position((i.indkey::int2[])[0:i.indnkeyatts - 1], a.attnum)::int4 FROM pg_index i \
                                 WHERE i.indrelid = c.oid AND i.indisprimary), 0) \
                       FROM unnest($1::text[], $2::text[]) AS w(schema, name) \
                       JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name \
                       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v' JOIN pg_type t ON t.oid = a.atttypid \
                       ORDER BY c.oid, a.attnum";

impl Tables {
    pub(crate) async fn open(address: &Address, mapping: &Mapping) -> Result<Self, CaptureError> {
        let connected = open(address, Use::Tables).await?;
        let known = known(&connected.client, mapping).await?;
        let events = Events::new(mapping, &known);
        Ok(Tables { connected, statements: HashMap::new(), known, known_at: Instant::now(), events })
    }

    /// Looks at the columns again when that was long ago.
    pub(crate) async fn look_again(&mut self, mapping: &Mapping) -> Result<(), CaptureError> {
        if self.known_at.elapsed() < KNOWN_FOR {
            return Ok(());
        }
        self.known_at = Instant::now();
        let known = known(&self.connected.client, mapping).await?;
        if known != self.known {
            self.events = Events::new(mapping, &known);
            self.known = known;
            self.statements.clear();
        }
        Ok(())
    }

    /// What changes mean, of tables as they are.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// The session itself.
    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.connected.client
    }

    /// What a statement answers; it is prepared once.
    pub(crate) async fn ask(
        &mut self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Answer>, tokio_postgres::Error> {
        let statement = match self.statements.get(sql) {
            Some(statement) => statement.clone(),
            None => {
                let statement = self.connected.client.prepare(sql).await?;
                self.statements.insert(sql.to_owned(), statement.clone());
                statement
            }
        };
        self.connected.client.query(&statement, parameters).await
    }

    /// A table as it is.
    pub(crate) fn known(&self, table: &TableName) -> Result<&KnownTable, CaptureError> {
        self.known.iter().find(|known| known.table == *table).ok_or_else(|| {
            CaptureError::Unusable(format!(
                "there is no table {table}; correct the mapping, and run `postrider source preflight`"
            ))
        })
    }

    /// The type of a column as SQL writes it.
    pub(crate) fn type_of(&self, table: &TableName, column: &str) -> Result<&str, CaptureError> {
        let found = self.known(table)?.columns.iter().find(|known| known.name == column);
        found.map(|known| known.type_name.as_str()).ok_or_else(|| {
            CaptureError::Unusable(format!(
                "{table} has no column {column:?}; correct the mapping, and run `postrider source preflight`"
            ))
        })
    }
}

/// The tables that the mapping names, as they are. One that is not there is missing.
async fn known(client: &Client, mapping: &Mapping) -> Result<Vec<KnownTable>, CaptureError> {
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        named(mapping).into_iter().map(|table| (table.schema.as_str(), table.name.as_str())).unzip();
    let rows = client.query(COLUMNS, &[&schemas, &names]).await.map_err(|error| refused(&error))?;
    let mut known: Vec<KnownTable> = Vec::new();
    let mut keys: Vec<Vec<(i32, String)>> = Vec::new();
    for row in rows {
        let table = TableName { schema: row.get(0), name: row.get(1) };
        if known.last().is_none_or(|last| last.table != table) {
            known.push(KnownTable { table, columns: Vec::new(), primary_key: Vec::new() });
            keys.push(Vec::new());
        }
        let (name, type_name, place): (String, String, i32) = (row.get(2), row.get(3), row.get(4));
        if let (Some(key), true) = (keys.last_mut(), place > 0) {
            key.push((place, name.clone()));
        }
        if let Some(table) = known.last_mut() {
            table.columns.push(KnownColumn { name, type_name });
        }
    }
    for (table, mut key) in known.iter_mut().zip(keys) {
        key.sort_unstable();
        table.primary_key = key.into_iter().map(|(_, column)| column).collect();
    }
    Ok(known)
}

/// The mapped tables and those that joins lead to.
fn named(mapping: &Mapping) -> BTreeSet<&TableName> {
    mapping.tables.iter().map(|table| &table.table).chain(mapping.joined().map(|(table, _)| table)).collect()
}
