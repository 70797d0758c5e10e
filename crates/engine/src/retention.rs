//! Drops what is older than retention, in small steps between which everything else goes on.

use std::sync::Arc;

use crate::engine::Inner;
use crate::error::count_store_error;

impl Inner {
    /// Runs until the engine stops.
    pub(crate) async fn run_retention(self: Arc<Self>) {
        let mut rounds = self.rounds(self.limits.retention_every, &self.look_for_leftovers);
        while rounds.begin().await {
            self.retain_all().await;
            self.retain_audit().await;
            self.lanes.sweep(&self.limits);
            metrics::gauge!("postrider_lanes_held").set(self.lanes.ours_count() as f64);
            if self.lanes.are_all_ours() {
                self.look_for_overdue().await;
            }
        }
    }

    async fn retain_all(&self) {
        while !self.is_stopping() {
            let now = self.clock.now();
            match self.store.retain(now, now - self.limits.retention, self.limits.retention_rows_max).await {
                Ok(step) => {
                    metrics::counter!("postrider_retention_rows_dropped_total").increment(step.rows_dropped);
                    if !step.more {
                        return;
                    }
                }
                Err(error) => {
                    count_store_error(&error);
                    tracing::warn!(%error, "retention step failed; it goes on later");
                    return;
                }
            }
        }
    }

    async fn retain_audit(&self) {
        let rows_max = self.limits.retention_rows_max;
        while !self.is_stopping() {
            let before = self.clock.now() - self.limits.audit_retention;
            match self.store.retain_audit(before, rows_max).await {
                Ok(dropped) => {
                    metrics::counter!("postrider_retention_rows_dropped_total").increment(dropped as u64);
                    if dropped < rows_max {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the audit trail's retention failed; it goes on later");
                    return;
                }
            }
        }
    }
}
