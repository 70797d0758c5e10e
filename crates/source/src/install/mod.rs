//! What is made in the CRM's database, and how it is taken away again.
//!
//! A *plan* follows from the mapping and from what is there: only what differs is in it, so that a second run has nothing to do. Its *steps* are
//! transactions. The first ones lock nothing of the CRM's; then each table gets its triggers in a step of its own, whose lock is asked for
//! briefly and again later, so that the CRM's writers never queue behind it for long.

mod capture;
mod grants;
mod owner;
mod plan;
mod removal;
mod run;

pub(crate) use grants::needed;
pub(crate) use plan::wanted;
pub use plan::{Plan, Step, Wish};
pub use removal::{Removal, removal};
pub use run::{InstallError, run};

/// Which version of what is installed this program makes.
pub const VERSION: i32 = 2;
/// The trigger for rows.
pub const TRIGGER: &str = "postrider_capture";
/// The trigger for `TRUNCATE`.
pub const TRUNCATE_TRIGGER: &str = "postrider_capture_truncate";
/// The function of the trigger for `TRUNCATE`.
pub(crate) const TRUNCATE_FUNCTION: &str = "capture_truncate";
/// What a function of a table is called before its number.
pub(crate) const FUNCTION_PREFIX: &str = "capture_";
/// Every table and sequence of ours.
pub(crate) const RELATIONS: [&str; 3] = ["outbox", "backfills", "installation"];
/// Every sequence of ours.
pub(crate) const SEQUENCES: [&str; 3] = ["outbox_id_seq", "handed", "missed"];

/// How long a CRM's write waits for an outbox that somebody has locked, in milliseconds; then its changes are missed.
pub const OUTBOX_WAIT_MS_MAX: u32 = 2_000;
/// How long a step waits for the lock of one of the CRM's tables, in milliseconds: writers that come meanwhile wait behind it.
pub const LOCK_WAIT_MS_MAX: u32 = 250;
/// How often a step is tried.
pub const TRIES_MAX: u32 = 60;
/// How long it pauses before it is tried again, in milliseconds.
pub const PAUSE_MS: u64 = 500;
/// The most rows that wait in an outbox of an older version while it is brought up to date, which nobody can write to meanwhile.
pub const CONVERTED_ROWS_MAX: u32 = 10_000;
/// The most columns of one call of `json_build_object`: Postgres takes 100 arguments.
pub(crate) const PAIRS_MAX: usize = 50;
