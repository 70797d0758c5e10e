//! How the source is.

use serde::Deserialize;

/// The CRM's database whose changes become events.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Source {
    pub(crate) database: String,
    pub(crate) capture: String,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) node: Option<SourceNode>,
    pub(crate) outbox: Option<SourceOutbox>,
    pub(crate) slot: Option<SourceSlot>,
    refused: u64,
    pub(crate) backfills: Vec<SourceBackfill>,
}

/// The node that reads.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SourceNode {
    pub(crate) name: String,
    pub(crate) this: bool,
}

/// Changes that wait.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct SourceOutbox {
    pub(crate) changes: u64,
    pub(crate) changes_max: u64,
    pub(crate) oldest_ms: Option<u64>,
    pub(crate) missed: u64,
}

/// Write-ahead log that is kept.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct SourceSlot {
    pub(crate) log_bytes: u64,
    pub(crate) log_bytes_max: u64,
}

/// A backfill under way.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SourceBackfill {
    pub(crate) table: String,
    done: u64,
    total: Option<u64>,
}

// Templates hand fields over by reference, and numbers are told by value.
impl Source {
    /// The look of its state.
    pub(crate) fn mood(&self) -> &'static str {
        match self.state.as_str() {
            "reading" => "good",
            "failed" => "bad",
            _ => "warn",
        }
    }

    pub(crate) fn outbox(&self) -> Option<SourceOutbox> {
        self.outbox
    }

    pub(crate) fn slot(&self) -> Option<SourceSlot> {
        self.slot
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }
}

impl SourceBackfill {
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }
}
