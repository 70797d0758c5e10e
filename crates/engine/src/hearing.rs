//! Hearing what other nodes tell this one. Nothing depends on it: what is not heard is found a little later.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use postrider_store::Hint;

use crate::engine::Inner;
use crate::error::count_store_error;

impl Inner {
    /// Runs until the engine stops.
    pub(crate) async fn run_hearing(self: Arc<Self>) {
        while !self.is_stopping() {
            let lease = self.lanes.lease();
            let is_replaced = || self.lanes.lease() != lease;
            let heard = tokio::select! {
                heard = self.store.hear(lease) => heard,
                () = self.lease.until_told(is_replaced) => continue,
                () = self.stopping.cancelled() => return,
            };
            match heard {
                Ok(hints) => {
                    metrics::counter!("postrider_hints_heard_total").increment(hints.len() as u64);
                    hints.into_iter().for_each(|hint| self.heed(hint));
                }
                Err(error) => {
                    count_store_error(&error);
                    tracing::debug!(%error, "hints of other nodes cannot be heard; listening again soon");
                    tokio::select! {
                        () = tokio::time::sleep(self.limits.lease_again_after) => {}
                        () = self.stopping.cancelled() => return,
                    }
                    self.heed(Hint::Missed);
                }
            }
        }
    }

    fn heed(self: &Arc<Self>, hint: Hint) {
        match hint {
            Hint::Work(id) => {
                if let Some(lane) = self.lanes.existing(id.endpoint) {
                    let start = lane.hear_of_work();
                    self.start(&lane, start);
                }
            }
            Hint::FreeLanes => self.look_for_lanes.notify_one(),
            Hint::Changed(organization) => self.changed_elsewhere(&organization),
            Hint::Missed => self.forget_what_is_known(),
        }
    }

    /// Whether something may have been missed since the last time this was asked.
    pub(crate) fn may_have_missed_work(&self) -> bool {
        self.look_for_work.swap(false, Ordering::AcqRel)
    }
}
