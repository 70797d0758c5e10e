//! Brings the tables to the version that this program works with, while other nodes work with them.
//!
//! A *migration* is a numbered file of *steps*. Each step is a transaction of its own that waits for no lock for long and is tried again
//! instead, so that no statement of a working node waits behind it. Each migration names the oldest program that can work with what it
//! leaves: an older one does not start any more, and one between goes on.

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::connect::{Address, Role};
use super::error::{self, Place};
use super::roles;
use crate::error::{Result, StoreError};
use crate::limits::{MIGRATION_LOCK_MS_MAX, MIGRATION_PAUSE_MS, MIGRATION_TRIES_MAX, MIGRATION_WAITS_MAX};

/// The oldest server whose SQL this is, as its own number of its version.
const SERVER_OLDEST: i32 = 150_000;
/// Begins a step.
const STEP: &str = "-- step";
/// Begins a step that Postgres refuses inside a transaction; it must be one that can be run again.
const STEP_ALONE: &str = "-- step outside a transaction";

/// One change of the tables.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number; they go from 1 on without a gap.
    pub version: i32,
    /// The oldest program that can work with what it leaves: the number of the newest migration that this program knows.
    pub oldest_program: i32,
    /// Statements, in steps that begin with a line `-- step`, or `-- step outside a transaction`.
    pub sql: &'static str,
}

/// Every migration there is.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        oldest_program: 1,
        sql: concat!(include_str!("schema/001.sql"), include_str!("schema/views.sql")),
    },
    Migration { version: 2, oldest_program: 1, sql: include_str!("schema/002.sql") },
    Migration { version: 3, oldest_program: 1, sql: include_str!("schema/003.sql") },
    Migration { version: 4, oldest_program: 1, sql: include_str!("schema/004.sql") },
    Migration { version: 5, oldest_program: 1, sql: include_str!("schema/005.sql") },
    Migration { version: 6, oldest_program: 1, sql: include_str!("schema/006.sql") },
    Migration { version: 7, oldest_program: 1, sql: include_str!("schema/007.sql") },
    Migration { version: 8, oldest_program: 1, sql: include_str!("schema/008.sql") },
    Migration { version: 9, oldest_program: 1, sql: include_str!("schema/009.sql") },
];

/// What the database says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    /// The newest migration that is done.
    version: i32,
    oldest_program: i32,
}

/// Brings the database up to date, or finds that somebody did.
pub(super) async fn migrate(address: &Address, migrations: &[Migration]) -> Result<()> {
    let connected = address.connect(&Role::Owner.options()).await?;
    let (client, place) = (&connected.client, &**address.place());
    check_server(client, place).await?;
    let program = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
    roles::ensure(client, place).await?;
    if let Some(found) = find(client).await?
        && is_up_to_date(found, program, place)?
    {
        return Ok(());
    }
    lock(client, place).await?;
    let found = find(client).await?.unwrap_or(Found { version: 0, oldest_program: 0 });
    if is_up_to_date(found, program, place)? {
        return Ok(());
    }
    prepare(client, place).await?;
    for migration in migrations.iter().filter(|migration| migration.version > found.version) {
        apply(client, place, migration).await?;
        tracing::info!(%place, version = migration.version, "the tables were brought to a newer version");
    }
    // The lock ends with the connection.
    Ok(())
}

/// Whether there are tables of this program.
pub(super) async fn is_begun(address: &Address) -> Result<bool> {
    let connected = address.connect(&Role::Owner.options()).await?;
    Ok(find(&connected.client).await?.is_some())
}

async fn check_server(client: &Client, place: &Place) -> Result<()> {
    let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_setting('server_encoding')";
    let row = client.query_one(sql, &[]).await.map_err(|error| error::of_statement(&error))?;
    let (number, version, encoding): (i32, String, String) = (row.get(0), row.get(1), row.get(2));
    if number < SERVER_OLDEST {
        return Err(place.unusable(format!("it runs Postgres {version}; Postgres 15 or newer is needed")).into());
    }
    if encoding != "UTF8" {
        return Err(place
            .unusable(format!(
                "its encoding is {encoding}; make another with: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0"
            ))
            .into());
    }
    Ok(())
}

/// None in a database without tables of this program.
async fn find(client: &Client) -> Result<Option<Found>> {
    let refused = |error: tokio_postgres::Error| error::of_statement(&error);
    let there =
        client.query_one("SELECT to_regclass('postrider.migrations') IS NOT NULL", &[]).await.map_err(refused)?;
    if !there.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = "SELECT coalesce(max(version), 0), coalesce(max(oldest_program), 0) FROM postrider.migrations
               WHERE applied_at IS NOT NULL";
    let row = client.query_one(sql, &[]).await.map_err(refused)?;
    Ok(Some(Found { version: row.get(0), oldest_program: row.get(1) }))
}

fn is_up_to_date(found: Found, program: i32, place: &Place) -> Result<bool> {
    if found.oldest_program > program {
        return Err(place.unusable(format!(
            "a newer version of this program brought its tables to version {}, which this one (version {program}) cannot work with; \
             start the newer version",
            found.version
        ))
        .into());
    }
    Ok(found.version >= program)
}

/// One node migrates, the others wait for it. Tried and not waited for: a waiting statement would hold up what builds indexes beside the work.
async fn lock(client: &Client, place: &Place) -> Result<()> {
    for _ in 0..MIGRATION_WAITS_MAX {
        let sql = "SELECT pg_try_advisory_lock(hashtext('postrider'), hashtext('migrations'))";
        let row = client.query_one(sql, &[]).await.map_err(|error| error::of_statement(&error))?;
        if row.get(0) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(MIGRATION_PAUSE_MS)).await;
    }
    Err(StoreError::Unavailable { reason: format!("{place}: another node has been migrating its tables for long") })
}

/// The schema and the table that tells which migrations are done.
async fn prepare(client: &Client, place: &Place) -> Result<()> {
    let sql = format!(
        "BEGIN; SET LOCAL lock_timeout = {MIGRATION_LOCK_MS_MAX};
         CREATE SCHEMA IF NOT EXISTS postrider;
         GRANT USAGE ON SCHEMA postrider TO {engine}, {tenant};
         CREATE TABLE IF NOT EXISTS postrider.migrations (
             version integer PRIMARY KEY,
             oldest_program integer NOT NULL,
             steps_done integer NOT NULL DEFAULT 0,
             applied_at timestamptz
         );
         COMMIT",
        engine = roles::ENGINE,
        tenant = roles::TENANT,
    );
    patiently(client, place, &sql).await
}

/// Goes on behind the last step that is done.
async fn apply(client: &Client, place: &Place, migration: &Migration) -> Result<()> {
    let (version, oldest) = (migration.version, migration.oldest_program);
    let begin = "INSERT INTO postrider.migrations (version, oldest_program) VALUES ($1, $2)
                 ON CONFLICT (version) DO UPDATE SET oldest_program = $2 RETURNING steps_done";
    let row = client.query_one(begin, &[&version, &oldest]).await.map_err(|error| at_step(&error, place))?;
    let done = usize::try_from(row.get::<_, i32>(0)).unwrap_or(0);
    for (at, step) in steps(migration.sql).iter().enumerate().skip(done) {
        let note = format!("UPDATE postrider.migrations SET steps_done = {} WHERE version = {version}", at + 1);
        if step.starts_with(STEP_ALONE) {
            patiently(client, place, step).await?;
            patiently(client, place, &note).await?;
        } else {
            let sql = format!("BEGIN; SET LOCAL lock_timeout = {MIGRATION_LOCK_MS_MAX};\n{step};\n{note}; COMMIT");
            patiently(client, place, &sql).await?;
        }
    }
    let finish = format!("UPDATE postrider.migrations SET applied_at = clock_timestamp() WHERE version = {version}");
    patiently(client, place, &finish).await
}

/// Each with the line that begins it; what stands before the first such line is a step, too.
fn steps(sql: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    for line in sql.lines() {
        if line.starts_with(STEP) {
            steps.push(String::new());
        }
        if let Some(step) = steps.last_mut() {
            step.push_str(line);
            step.push('\n');
        }
    }
    steps.retain(|step| step.lines().any(|line| !line.trim().is_empty() && !line.starts_with("--")));
    steps
}

/// Runs it, again and again when somebody else has a lock that it needs.
async fn patiently(client: &Client, place: &Place, sql: &str) -> Result<()> {
    let mut tries = 0;
    loop {
        let Err(error) = client.batch_execute(sql).await else { return Ok(()) };
        // Outside a transaction this says nothing worse than a warning.
        let _ = client.batch_execute("ROLLBACK").await;
        tries += 1;
        if !error::is_passing(&error) || tries >= MIGRATION_TRIES_MAX {
            return Err(at_step(&error, place));
        }
        tokio::time::sleep(Duration::from_millis(MIGRATION_PAUSE_MS)).await;
    }
}

fn at_step(error: &tokio_postgres::Error, place: &Place) -> StoreError {
    match error.as_db_error() {
        Some(said) if *said.code() == SqlState::INSUFFICIENT_PRIVILEGE => {
            place.unusable(format!("{}; {}", said.message(), roles::what_to_do(place))).into()
        }
        Some(said) if !error::is_passing(error) && !is_outage(said.code()) => {
            place.unusable(format!("its tables cannot be brought to this program's version: {}", said.message())).into()
        }
        _ => error::of_statement(error),
    }
}

/// Connections, resources, an administrator's hand, the system: not the migration's fault.
fn is_outage(code: &SqlState) -> bool {
    ["08", "53", "57", "58"].iter().any(|class| code.code().starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_into_its_steps() {
        let found = steps("-- About it.\n\n-- step\nA;\n-- why\nB;\n-- step outside a transaction\nC;\n");
        assert_eq!(found, ["-- step\nA;\n-- why\nB;\n", "-- step outside a transaction\nC;\n"]);
        assert_eq!(steps("A;\n-- step\nB;\n"), ["A;\n", "-- step\nB;\n"]);
    }

    #[test]
    fn migrations_are_numbered_without_a_gap() {
        for (at, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(migration.version).unwrap(), at + 1);
            assert!(migration.oldest_program <= migration.version);
        }
    }
}
