//! How a source is, as the operator is told.

/// How a source is, for those who look at it while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Which database, for people: never with a password.
    pub database: String,
    /// How its changes are captured: `triggers` or `replication`.
    pub capture: &'static str,
    /// Whether its changes become events.
    pub state: SourceState,
    /// What waits in the outbox; none where there is no outbox, or where it could not be looked at.
    pub outbox: Option<SourceOutbox>,
    /// The log that is kept for the slot; none where there is no slot, or where it could not be looked at.
    pub slot: Option<SourceSlot>,
    /// Events and changes that the node that was asked let go for good since it started.
    pub refused: u64,
    /// Backfills that have not ended, oldest first, at most [`SourceStatus::BACKFILLS_MAX`].
    pub backfills: Vec<SourceBackfill>,
}

impl SourceStatus {
    /// Backfills that are told of, at most.
    pub const BACKFILLS_MAX: usize = 100;
}

/// Whether a source's changes become events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// A node reads.
    Reading {
        /// What it calls itself.
        node: String,
        /// Whether it is the one that was asked.
        this: bool,
    },
    /// The database can be read, and no node does.
    Waiting,
    /// The database cannot be read or captured.
    Failed {
        /// Why, and what to do.
        why: String,
    },
}

/// What waits in an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceOutbox {
    /// How many changes wait; about when there are many.
    pub changes: u64,
    /// How many may wait.
    pub changes_max: u64,
    /// For how long the oldest has waited, in milliseconds by the database's clock; none where none waits.
    pub oldest_ms: Option<u64>,
    /// Changes that could not be captured since the installation.
    pub missed: u64,
}

/// What is kept for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceSlot {
    /// Bytes of write-ahead log that are kept until they are read.
    pub log_bytes: u64,
    /// From how many on there is an alarm.
    pub log_bytes_max: u64,
}

/// A backfill that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceBackfill {
    /// The table, as the mapping names it.
    pub table: String,
    /// Rows that were told.
    pub done: u64,
    /// Rows that there were, where they were counted.
    pub total: Option<u64>,
}
