//! Sessions on the CRM's database, and what it says when it cannot be used.

use postrider_database::{Address, Connected, DatabaseError, in_words};
use tokio_postgres::Error;

use crate::capture::CaptureError;
pub(crate) use crate::quote::identifier as quoted;

/// How long a statement on the CRM's database may take, in milliseconds.
pub(crate) const STATEMENT_MS_MAX: u64 = 30_000;

/// What every session is set to: values are written in one form whatever the database's own settings, no read of ours is one that Postgres would abort a
/// serialisable transaction of the CRM's for, nothing waits long for a lock of the CRM's, and a session whose other end is gone is soon ended by the
/// server, so that another node gets its advisory lock.
const SESSION: &str = "-c search_path=pg_catalog -c client_min_messages=warning -c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 \
                       -c extra_float_digits=1 -c bytea_output=hex -c default_transaction_isolation=read\\ committed -c jit=off \
                       -c idle_in_transaction_session_timeout=30s -c lock_timeout=5s -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3";

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Reading the outbox and deleting from it. Losing a deletion costs a second reading, so no commit waits for the disk; and the outbox is
    /// gone through by its key alone, whatever statistics of an ever empty table say.
    Outbox,
    /// Reading the CRM's tables. Where its row-level security would hide rows Postgres refuses instead.
    Tables,
    /// Giving orders and looking at them, for a person who waits.
    Orders,
    /// Reading a slot of logical replication.
    Slot,
}

/// A session on the CRM's database.
///
/// # Errors
/// When it cannot be reached, or lets nobody in.
pub(crate) async fn open(address: &Address, purpose: Use) -> Result<Connected, CaptureError> {
    address.connect(&options(purpose)).await.map_err(|error| match error {
        DatabaseError::Unavailable { reason } => CaptureError::Unavailable(reason),
        other => CaptureError::Unusable(other.to_string()),
    })
}

/// What a session of this use is set to.
pub(crate) fn options(purpose: Use) -> String {
    let own = match purpose {
        Use::Outbox => {
            "-c row_security=off -c default_transaction_read_only=off -c synchronous_commit=off -c enable_seqscan=off -c enable_bitmapscan=off -c plan_cache_mode=force_generic_plan"
        }
        Use::Tables => "-c row_security=off -c default_transaction_read_only=on",
        Use::Orders => "-c row_security=off -c default_transaction_read_only=off -c statement_timeout=10s",
        // It runs no statements that could take too long.
        Use::Slot => return SESSION.to_owned(),
    };
    format!("{SESSION} -c statement_timeout={STATEMENT_MS_MAX} {own}")
}

/// What a statement's error means, and what to do.
pub(crate) fn refused(error: &Error) -> CaptureError {
    let said = in_words(error);
    match error.code().map(tokio_postgres::error::SqlState::code) {
        // A table, schema, function or column that is not there.
        Some("42P01" | "3F000" | "42883" | "42703") => CaptureError::Unusable(format!(
            "{said}; run `postrider source install`, and `postrider source status` says what is missing"
        )),
        Some("42501") => CaptureError::Unusable(format!(
            "{said}; `postrider source install --role NAME` grants what the role that Postrider connects as needs"
        )),
        _ => CaptureError::Unavailable(said),
    }
}
