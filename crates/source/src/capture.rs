//! Where changes are read from.

use std::time::Duration;

use async_trait::async_trait;

use crate::change::{Change, Gap};
use crate::mapping::TableName;

/// Committed changes, in an order in which those of one record come as they were committed.
///
/// A batch that was read and not [settled](Capture::settle) is read again, after a crash too, with the same ids.
#[async_trait]
pub trait Capture: Send {
    /// The next changes, at most `changes_max`; an empty batch when there are none within `wait`.
    ///
    /// # Errors
    /// When the database does not answer, or has not what `source install` makes. Asking again is safe.
    async fn next(&mut self, changes_max: usize, wait: Duration) -> Result<Batch, CaptureError>;

    /// The changes of the batch that was read last are in the store for good: they need not be read again.
    ///
    /// # Errors
    /// As [`Capture::next`]. The changes are read again, and have the ids that they had.
    async fn settle(&mut self) -> Result<(), CaptureError>;

    /// What waits now, for those who watch it.
    ///
    /// # Errors
    /// As [`Capture::next`].
    async fn backlog(&mut self) -> Result<Backlog, CaptureError>;

    /// Through which position of the log everything was read and settled; nothing where changes do not come from the log, or while it is not read.
    fn settled(&self) -> Option<Position>;
}

/// A position in the database's write-ahead log, in bytes from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

impl std::fmt::Display for Position {
    /// As Postgres writes it, e.g. `16/B374D848`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

/// What waits to be read, and how near it is to what may wait.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backlog {
    /// About how many changes wait; nothing where that is not known.
    pub changes: Option<u64>,
    /// For how long the oldest of them has waited, in milliseconds by the database's clock.
    pub oldest_ms: Option<u64>,
    /// How many changes could not be captured since the installation.
    pub missed: u64,
    /// Bytes of write-ahead log that are kept for us; nothing where that is none of ours.
    pub log_bytes: Option<u64>,
    /// How full it is: 1 is the limit of the mapping, in changes or in bytes of the log.
    pub fullness: f64,
    /// Installed tables whose changes are not captured at the moment.
    pub uncaptured: Vec<TableName>,
    /// Tables of which changes were lost, as the mapping names them, and that were not backfilled since.
    pub lost: Vec<String>,
}

/// Changes that were read together.
#[derive(Debug, Default)]
pub struct Batch {
    /// In order.
    pub changes: Vec<Change>,
    /// What could not be captured.
    pub gaps: Vec<Gap>,
    /// Whether more is waiting now.
    pub more: bool,
}

/// Why changes could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Not now: the connection was lost, or the database does not answer. It may go by itself.
    #[error("the CRM's database cannot be read at the moment: {0}")]
    Unavailable(String),
    /// Something is missing there or may not be read; what to do stands in it.
    #[error("the CRM's database cannot be captured: {0}")]
    Unusable(String),
    /// What keeps changes for us is gone, so that they are lost from then on; what to do stands in it.
    #[error("changes in the CRM's database are lost: {0}")]
    Lost(String),
    /// Another node reads already.
    #[error("another node captures from this database")]
    Taken,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_written_as_postgres_writes_it() {
        assert_eq!(Position(0x16_B374_D848).to_string(), "16/B374D848");
    }
}
