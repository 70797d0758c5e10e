//! What of ours is in the CRM's database.

use std::collections::BTreeMap;

use postrider_domain::SourceBackfill;
use serde::{Deserialize, Serialize};
use tokio_postgres::{Client, Error};
use uuid::Uuid;

use super::sql;
use crate::mapping::TableName;
use crate::quote;

/// What is there of a schema of ours.
#[derive(Clone, Debug, Default)]
pub struct Installed {
    /// Its tables and sequences, by name.
    pub relations: Vec<String>,
    /// What was installed last; nothing when installing was never finished.
    pub installation: Option<Installation>,
    /// Triggers that call functions of the schema.
    pub triggers: Vec<Trigger>,
    /// Bodies of its functions and what they are set to, by name.
    pub functions: BTreeMap<String, (String, String)>,
    /// What waits, where there is an outbox.
    pub outbox: Option<Outbox>,
    /// Backfills that have not ended.
    pub backfills: Vec<SourceBackfill>,
    /// Of which tables changes were lost that no backfill has made good since.
    pub lost: Vec<Lost>,
    /// What the session calls itself that reads now; none where no node does.
    pub reader: Option<String>,
    /// Whom it belongs to: the outbox or, where there is none, the rest.
    pub owner: Option<String>,
    /// Whether the outbox is as version 1 made it.
    pub is_old: bool,
}

/// The one row of `installation`.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Ids of changes follow from it.
    pub id: Uuid,
    /// When it was installed last, as the database writes it.
    pub installed_at: String,
    /// Which version of what is installed.
    pub version: i32,
    /// What was installed.
    pub record: Record,
}

impl Installation {
    /// The one that is there; nothing where installing was never finished. A record that this program cannot read names no table.
    ///
    /// # Errors
    /// When the database does not answer, or the table is missing.
    pub(crate) async fn read(client: &Client, schema: &str) -> Result<Option<Self>, Error> {
        let own = quote::identifier(schema);
        let sql = format!("SELECT id, installed_at::text, version, mapping::text FROM {own}.installation LIMIT 1");
        let Some(row) = client.query_opt(&sql, &[]).await? else { return Ok(None) };
        let record = serde_json::from_str(row.try_get(3)?).unwrap_or_default();
        let (id, installed_at, version) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(Some(Installation { id, installed_at, version, record }))
    }
}

/// What was installed, as `installation.mapping` keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `triggers` or `replication`.
    pub capture: String,
    /// The tables, mapped ones and such as were mapped.
    pub tables: Vec<InstalledTable>,
    /// The role that was given rights, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The role that all of it belongs to, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The columns that the role that reads was given and could not read before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<Granted>,
    /// Whether the slot has been made.
    #[serde(default)]
    pub has_slot: bool,
    /// By table, as the mapping names it, when what kept its changes for us was made anew: those before are lost as far as they were not handed over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<String, String>,
}

/// A table that is captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The number of its function.
    pub number: u32,
    /// The columns of its key.
    pub key: Vec<String>,
    /// The captured columns with their types, in order.
    pub columns: Vec<(String, String)>,
}

impl InstalledTable {
    /// Its whole name.
    #[must_use]
    pub fn table(&self) -> TableName {
        TableName { schema: self.schema.clone(), name: self.name.clone() }
    }
}

/// Rights on a table of the CRM's that were given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The table's schema.
    pub schema: String,
    /// Its name; of the schema itself when it is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

/// A trigger that calls a function of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// On which table.
    pub table: TableName,
    /// Its name.
    pub name: String,
    /// Which function it calls.
    pub function: String,
    /// `pg_trigger.tgenabled`: `O` (in ordinary sessions), `D` (never), `R` or `A`.
    pub enabled: char,
}

/// What waits in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbox {
    /// Rows.
    pub waiting: u64,
    /// The age of the oldest, in milliseconds.
    pub oldest_ms: Option<u64>,
    /// Ids that were drawn and are not handed over: what the triggers count as waiting.
    pub drawn: u64,
    /// Changes that could not be captured, since it was installed.
    pub missed: u64,
}

/// Changes of a table were lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The table, as the mapping names it.
    pub table: String,
    /// Before when, as the database writes it.
    pub before: String,
}

/// The tables of which changes were lost, unless a backfill of them was given later and has come to its end.
///
/// # Errors
/// When the database does not answer, or nothing is installed.
pub(crate) async fn lost_of(client: &Client, schema: &str) -> Result<Vec<Lost>, Error> {
    let own = quote::identifier(schema);
    let sql = format!(
        "SELECT lost.key, lost.value FROM {own}.installation, jsonb_each_text(coalesce(mapping -> 'lost', '{{}}')) AS lost \
         WHERE NOT EXISTS (SELECT FROM {own}.backfills b WHERE b.\"table\" = lost.key AND b.created_at >= lost.value::timestamptz \
         AND b.ended_at IS NOT NULL AND b.error IS NULL) ORDER BY 1"
    );
    let rows = client.query(&sql, &[]).await?;
    rows.iter().map(|row| Ok(Lost { table: row.try_get(0)?, before: row.try_get(1)? })).collect()
}

/// Rows of an outbox that are counted where it is looked at often.
pub(crate) const ROWS_COUNTED_MAX: u64 = 10_000;

impl Installed {
    pub(super) async fn read(client: &Client, schema: &str) -> Result<Option<Self>, Error> {
        let exists = client.query_opt("SELECT FROM pg_namespace WHERE nspname = $1", &[&schema]).await?;
        if exists.is_none() {
            return Ok(None);
        }
        let relations = client.query(sql::OURS, &[&schema]).await?;
        let relations = relations.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        let mut found = Installed { relations, ..Installed::default() };
        let owner = client.query_opt(sql::OWNER_OF_OURS, &[&schema]).await?;
        found.owner = owner.map(|row| row.try_get(0)).transpose()?;
        for row in client.query(sql::TRIGGERS, &[&schema]).await? {
            found.triggers.push(Trigger {
                table: TableName { schema: row.try_get(0)?, name: row.try_get(1)? },
                name: row.try_get(2)?,
                function: row.try_get(3)?,
                enabled: row.try_get::<_, String>(4)?.chars().next().unwrap_or('O'),
            });
        }
        for row in client.query(sql::FUNCTIONS, &[&schema]).await? {
            found.functions.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
        }
        let own = quote::identifier(schema);
        if found.has("installation") {
            found.installation = Installation::read(client, schema).await?;
            if found.has("backfills") {
                found.lost = lost_of(client, schema).await?;
            }
        }
        found.read_outbox(client, &own).await?;
        found.read_backfills(client, &own).await?;
        found.reader = reader(client, schema).await?;
        Ok(Some(found))
    }

    /// Whether a table or sequence of ours is there.
    #[must_use]
    pub fn has(&self, relation: &str) -> bool {
        self.relations.iter().any(|there| there == relation)
    }

    async fn read_outbox(&mut self, client: &Client, own: &str) -> Result<(), Error> {
        if !["outbox", "outbox_id_seq", "handed", "missed"].iter().all(|name| self.has(name)) {
            return Ok(());
        }
        let rows: i64 = client.query_one(&format!("SELECT count(*) FROM {own}.outbox"), &[]).await?.try_get(0)?;
        let Waiting { drawn, oldest_ms, missed, .. } = waiting(client, own).await?;
        self.outbox = Some(Outbox { waiting: count(rows), oldest_ms, drawn, missed });
        let sql =
            "SELECT NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1::text::regclass AND attname = 'depth')";
        self.is_old = client.query_one(sql, &[&format!("{own}.outbox")]).await?.try_get(0)?;
        Ok(())
    }

    async fn read_backfills(&mut self, client: &Client, own: &str) -> Result<(), Error> {
        if !self.has("backfills") {
            return Ok(());
        }
        self.backfills = backfills(client, own, usize::MAX).await?;
        Ok(())
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// What the session calls itself that holds the lock of whoever reads; nothing where it has no name, none where nobody reads.
pub(crate) async fn reader(client: &Client, schema: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT coalesce(a.application_name, '') FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() \
               LEFT JOIN pg_stat_activity a ON a.pid = l.pid CROSS JOIN hashtextextended('postrider source ' || $1::text, 0) AS key \
               WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted \
               AND l.classid::bigint = ((key >> 32) & 4294967295) AND l.objid::bigint = (key & 4294967295)";
    client.query_opt(sql, &[&schema]).await?.map(|row| row.try_get(0)).transpose()
}

/// What waits, without counting many rows.
pub(crate) struct Waiting {
    /// Rows, as far as they are counted: one more than [`ROWS_COUNTED_MAX`] where there are more.
    pub(crate) counted: u64,
    /// Ids that were drawn and are not handed over.
    pub(crate) drawn: u64,
    /// The age of the oldest row, in milliseconds.
    pub(crate) oldest_ms: Option<u64>,
    /// Changes that could not be captured.
    pub(crate) missed: u64,
}

/// What waits in the outbox; `own` is the schema as SQL writes it.
pub(crate) async fn waiting(client: &Client, own: &str) -> Result<Waiting, Error> {
    let sql = format!(
        "SELECT (SELECT count(*) FROM (SELECT FROM {own}.outbox LIMIT {ROWS_COUNTED_MAX} + 1) AS counted), \
         (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {own}.outbox_id_seq) - (SELECT last_value FROM {own}.handed), \
         (SELECT greatest(0, 1000 * date_part('epoch', clock_timestamp() - at))::bigint FROM {own}.outbox ORDER BY id LIMIT 1), \
         (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {own}.missed)"
    );
    let row = client.query_one(&sql, &[]).await?;
    let oldest_ms = row.try_get::<_, Option<i64>>(2)?.map(count);
    let (counted, drawn) = (count(row.try_get(0)?), count(row.try_get(1)?));
    Ok(Waiting { counted, drawn, oldest_ms, missed: count(row.try_get(3)?) })
}

/// Backfills that have not ended, oldest first; `own` is the schema as SQL writes it.
pub(crate) async fn backfills(client: &Client, own: &str, limit: usize) -> Result<Vec<SourceBackfill>, Error> {
    let sql = format!(
        "SELECT \"table\", done, total FROM {own}.backfills WHERE ended_at IS NULL ORDER BY created_at LIMIT $1"
    );
    let rows = client.query(&sql, &[&i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
    let backfill = |row: &tokio_postgres::Row| {
        let total = row.try_get::<_, Option<i64>>(2)?.map(count);
        Ok(SourceBackfill { table: row.try_get(0)?, done: count(row.try_get(1)?), total })
    };
    rows.iter().map(backfill).collect()
}
