//! The tables, as numbered migrations. Each runs in one transaction together with its number.
//!
//! Organisations, endpoints, words (event types) and contract revisions have small numbers of their own, so that the rows that are many stay
//! short. Numbers are never given twice. `open_deliveries` is the open work; `deliveries` is history in the order in which deliveries ended;
//! `events` and `attempts` are appended to. A delivery is in exactly one of `open_deliveries` and `deliveries`.
//!
//! What is found without an index: an event's deliveries are listed in its own row, a delivery's newest attempt in the delivery's row,
//! each attempt's predecessor in its row.

use rusqlite::Connection;

/// "Post" as a number: what makes a database file ours (<https://www.sqlite.org/pragma.html#pragma_application_id>).
pub(super) const APPLICATION_ID: i32 = 0x506f_7374;

/// Each brings the schema to the version that is its place in the list, counted from 1. Never edit one that was released: add one.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/001.sql"),
    include_str!("schema/002.sql"),
    include_str!("schema/003.sql"),
    include_str!("schema/004.sql"),
    include_str!("schema/005.sql"),
    include_str!("schema/006.sql"),
    include_str!("schema/007.sql"),
    include_str!("schema/008.sql"),
    include_str!("schema/009.sql"),
    include_str!("schema/010.sql"),
];

/// The version this program works with.
pub(super) fn version() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// Brings the schema up from `from`.
pub(super) fn migrate(conn: &mut Connection, from: i32) -> rusqlite::Result<()> {
    let done = usize::try_from(from).unwrap_or(0);
    for (version, sql) in (1_i32..).zip(MIGRATIONS).skip(done) {
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", version)?;
        tx.commit()?;
    }
    Ok(())
}
