//! How the whole is doing, for the people who run it.

use postrider_store::{LeaseNo, Overview};

use crate::engine::Engine;
use crate::error::EngineError;

/// How the whole is doing, as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What the store tells: nodes, and what waits.
    pub overview: Overview,
    /// This node's lease.
    pub lease: LeaseNo,
    /// Lanes of this node.
    pub lanes: usize,
    /// Attempts that this node has under way.
    pub attempts_under_way: usize,
}

impl Engine {
    /// How the whole is doing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn status(&self) -> Result<Status, EngineError> {
        let inner = &self.inner;
        let overview = inner.store.overview(inner.clock.now()).await?;
        let lanes = if inner.lanes.are_all_ours() { inner.lanes.all().len() } else { inner.lanes.ours_count() };
        Ok(Status { overview, lease: inner.lanes.lease(), lanes, attempts_under_way: inner.attempts.len() })
    }
}
