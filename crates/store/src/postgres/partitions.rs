//! The partitions of history: one a day, by the UUIDv7 that its rows are keyed by. Made ahead, dropped whole.

use std::collections::BTreeSet;

use postrider_domain::Millis;
use tokio_postgres::Client;
use uuid::Uuid;

use super::PostgresStore;
use super::connect::{Address, Role};
use super::error;
use super::session::Session;
use crate::error::Result;
use crate::limits::{PARTITION_LOCK_MS_MAX, PARTITION_TRIES_MAX, PARTITIONS_AHEAD_DAYS};
use crate::rows::ms_of;

const DAY_MS: i64 = 24 * 3_600_000;
/// The partitioned tables; all partitions of a day are made and dropped together.
const TABLES: [&str; 4] = ["events", "event_resources", "deliveries", "attempts"];

/// Days since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(pub(super) i64);

impl Day {
    pub(super) fn of(at: Millis) -> Self {
        Day(at.0.div_euclid(DAY_MS))
    }

    /// The day in a UUIDv7.
    fn of_key(key: Uuid) -> Self {
        Day::of(Millis(ms_of(key)))
    }

    /// The smallest key of the day.
    pub(super) fn first_key(self) -> Uuid {
        let ms = self.0.saturating_mul(DAY_MS).clamp(0, (1 << 48) - 1).unsigned_abs();
        Uuid::from_u128(u128::from(ms) << 80)
    }

    pub(super) fn next(self) -> Day {
        Day(self.0 + 1)
    }

    fn is_over(self, at: Millis) -> bool {
        self.next().0.saturating_mul(DAY_MS) <= at.0
    }

    fn name(self, table: &str) -> String {
        format!("{table}_day_{}", self.0)
    }
}

/// Makes those of the database's own time and of some days ahead.
pub(super) async fn make_today(address: &Address) -> Result<()> {
    let connected = address.connect(&Role::Owner.options()).await?;
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let row = connected.client.query_one(sql, &[]).await.map_err(|error| error::of_statement(&error))?;
    make_ahead(address, Millis(row.get(0))).await
}

/// Makes those of `now` and of some days ahead.
pub(super) async fn make_ahead(address: &Address, now: Millis) -> Result<()> {
    let today = Day::of(now);
    make(address, (0..=PARTITIONS_AHEAD_DAYS).map(|ahead| Day(today.0 + ahead)).collect()).await
}

/// Makes those that rows with these keys go into.
pub(super) async fn make_for(address: &Address, keys: impl Iterator<Item = Uuid>) -> Result<()> {
    make(address, keys.map(Day::of_key).collect()).await
}

async fn make(address: &Address, days: BTreeSet<Day>) -> Result<()> {
    let connected = address.connect(&Role::Owner.options()).await?;
    for day in days {
        for table in TABLES {
            let mut tries = 0;
            while let Err(error) = make_one(&connected.client, table, day).await {
                tries += 1;
                if !error::is_passing(&error) || tries >= PARTITION_TRIES_MAX {
                    return Err(error::of_statement(&error));
                }
            }
        }
    }
    Ok(())
}

/// Made beside its table and then attached, so that nobody waits who works with the others. It has no policy of its own: who asks for it by
/// its name, and not through its table, finds nothing.
async fn make_one(client: &Client, table: &str, day: Day) -> Result<(), tokio_postgres::Error> {
    let name = day.name(table);
    let found = "SELECT coalesce((SELECT relispartition FROM pg_class WHERE oid = to_regclass($1)), false)";
    if client.query_one(found, &[&format!("postrider.{name}")]).await?.get(0) {
        return Ok(());
    }
    let (from, upto) = (day.first_key(), day.next().first_key());
    let sql = format!(
        "BEGIN; SET LOCAL lock_timeout = {PARTITION_LOCK_MS_MAX};
         SELECT pg_advisory_xact_lock(hashtext('postrider'), hashtext('partitions'));
         CREATE TABLE IF NOT EXISTS {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
         ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         DO $$ BEGIN
             IF NOT (SELECT relispartition FROM pg_class WHERE oid = 'postrider.{name}'::regclass) THEN
                 ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{upto}');
             END IF;
         END $$;
         COMMIT"
    );
    let made = client.batch_execute(&sql).await;
    if made.is_err() {
        // Outside a transaction this says nothing worse than a warning.
        let _ = client.batch_execute("ROLLBACK").await;
    }
    made
}

/// The days that history has, oldest first.
pub(super) const DAYS: &str = "SELECT substring(c.relname FROM '_day_(-?[0-9]+)$')::bigint FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent IN ('postrider.events'::regclass, 'postrider.deliveries'::regclass)
    GROUP BY 1 ORDER BY 1";

/// The oldest day that history has.
pub(super) async fn oldest(session: &Session) -> Result<Option<Day>> {
    let sql = "SELECT min(substring(c.relname FROM '_day_(-?[0-9]+)$')::bigint) FROM pg_inherits i
               JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'postrider.deliveries'::regclass";
    Ok(session.query(sql, &[]).await?.first().and_then(|row| row.get::<_, Option<i64>>(0)).map(Day))
}

/// Drops the partitions of days that were over at this moment. Detached first, beside the work, so that nobody waits who works with others.
pub(super) async fn drop_before(store: &PostgresStore, before: Millis) -> Result<()> {
    if is_anything_before(store, before).await? {
        drop_all_before(&store.writers.shared.address, before).await
    } else {
        Ok(())
    }
}

/// Tables of days, attached or not.
const OF_DAYS: &str = "c.relnamespace = 'postrider'::regnamespace AND c.relkind = 'r' AND c.relname ~ '_day_-?[0-9]+$'";

async fn is_anything_before(store: &PostgresStore, before: Millis) -> Result<bool> {
    let sql =
        format!("SELECT min(substring(c.relname FROM '_day_(-?[0-9]+)$')::bigint) FROM pg_class c WHERE {OF_DAYS}");
    let rows = store.engine().await?.query(&sql, &[]).await?;
    let oldest = rows.first().and_then(|row| row.get::<_, Option<i64>>(0));
    Ok(oldest.is_some_and(|day| Day(day).is_over(before)))
}

async fn drop_all_before(address: &Address, before: Millis) -> Result<()> {
    let refused = |error: tokio_postgres::Error| error::of_statement(&error);
    let connected = address.connect(&Role::Owner.options()).await?;
    let client = &connected.client;
    let lock = "SELECT pg_try_advisory_lock(hashtext('postrider'), hashtext('retention'))";
    if !client.query_one(lock, &[]).await.map_err(refused)?.get::<_, bool>(0) {
        return Ok(());
    }
    let dropped = drop_days_before(client, before).await;
    // The connection's end would let it go, too, but some time later: what this step does next would find itself locked out.
    client.batch_execute("SELECT pg_advisory_unlock_all()").await.map_err(refused)?;
    dropped.map_err(refused)
}

async fn drop_days_before(client: &Client, before: Millis) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&format!("SET lock_timeout = {PARTITION_LOCK_MS_MAX}")).await?;
    let sql = format!(
        "SELECT c.relname, p.relname, i.inhdetachpending, substring(c.relname FROM '_day_(-?[0-9]+)$')::bigint
         FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
         WHERE {OF_DAYS}"
    );
    for row in client.query(&sql, &[]).await? {
        let (name, parent): (&str, Option<&str>) = (row.get(0), row.get(1));
        if !Day(row.get(3)).is_over(before) {
            continue;
        }
        if let Some(parent) = parent {
            let how = if row.get::<_, Option<bool>>(2) == Some(true) { "FINALIZE" } else { "CONCURRENTLY" };
            let detach = format!("ALTER TABLE {parent} DETACH PARTITION {name} {how}");
            client.batch_execute(&detach).await?;
        }
        client.batch_execute(&format!("DROP TABLE {name}")).await?;
    }
    Ok(())
}

/// Makes those that these keys go into where they are missing.
pub(super) async fn make_missing(store: &PostgresStore, keys: &[Uuid]) -> Result<()> {
    let days: BTreeSet<Day> = keys.iter().copied().map(Day::of_key).collect();
    let names: Vec<String> =
        days.iter().flat_map(|day| TABLES.map(|table| format!("postrider.{}", day.name(table)))).collect();
    let sql = "SELECT 1 FROM unnest($1::text[]) AS w(name) WHERE to_regclass(w.name) IS NULL LIMIT 1";
    if store.engine().await?.query(sql, &[&names]).await?.is_empty() {
        return Ok(());
    }
    make(&store.writers.shared.address, days).await
}
