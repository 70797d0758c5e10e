//! How the whole is doing.

use serde::Deserialize;

use super::Source;

/// Nodes, and what waits.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) store: String,
    pub(crate) nodes: Vec<Node>,
    pending_deliveries: u64,
    due_deliveries: u64,
    pub(crate) oldest_due_at: Option<String>,
    pub(crate) is_estimate: bool,
    attempts_under_way: u64,
    pub(crate) source: Option<Source>,
}

/// A node.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    lanes: u64,
    pub(crate) renewed_at: Option<String>,
    pub(crate) this: bool,
}

// Templates hand fields over by reference, and numbers are told by value.
impl Status {
    pub(crate) fn pending(&self) -> u64 {
        self.pending_deliveries
    }

    pub(crate) fn due(&self) -> u64 {
        self.due_deliveries
    }

    pub(crate) fn under_way(&self) -> u64 {
        self.attempts_under_way
    }
}

impl Node {
    pub(crate) fn lanes(&self) -> u64 {
        self.lanes
    }
}
