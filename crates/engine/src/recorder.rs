//! Records what attempts made of their deliveries, many at a time, and lets the lanes go on.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::Transition;
use postrider_store::{Outcome, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::engine::Inner;

/// Where finished attempts wait to be recorded; an attempt that finds it full waits, so what is unrecorded stays bounded.
#[derive(Debug)]
pub(crate) struct Recorder {
    items: mpsc::Sender<Item>,
}

#[derive(Debug)]
pub(crate) enum Item {
    Outcome(Box<Outcome>),
    /// Answered when everything before it is recorded.
    Barrier(oneshot::Sender<()>),
}

impl Recorder {
    pub(crate) fn new(unrecorded_max: usize) -> (Self, mpsc::Receiver<Item>) {
        let (items, waiting) = mpsc::channel(unrecorded_max);
        (Recorder { items }, waiting)
    }

    pub(crate) async fn record(&self, outcome: Outcome) {
        // Refused only once the engine has stopped; the delivery is still open in the store then.
        let _ = self.items.send(Item::Outcome(Box::new(outcome))).await;
    }

    /// Returns when everything handed over before is recorded, or after `at_most`.
    pub(crate) async fn flush(&self, at_most: Duration) {
        let (done, recorded) = oneshot::channel();
        let wait = async {
            if self.items.send(Item::Barrier(done)).await.is_ok() {
                let _ = recorded.await;
            }
        };
        let _ = tokio::time::timeout(at_most, wait).await;
    }
}

impl Inner {
    /// Runs until nothing more may be recorded.
    pub(crate) async fn run_recorder(self: Arc<Self>, mut waiting: mpsc::Receiver<Item>) {
        loop {
            let mut items = Vec::new();
            tokio::select! {
                _ = waiting.recv_many(&mut items, self.limits.record_batch_max) => {}
                () = self.drained.cancelled() => return,
            }
            let (mut batch, mut barriers) = (Vec::with_capacity(items.len()), Vec::new());
            for item in items {
                match item {
                    Item::Outcome(outcome) => batch.push(*outcome),
                    Item::Barrier(done) => barriers.push(done),
                }
            }
            self.record(&batch).await;
            for done in barriers {
                let _ = done.send(());
            }
        }
    }

    /// Records a batch, however long the store takes to come back: attempts already made must not be forgotten.
    async fn record(self: &Arc<Self>, batch: &[Outcome]) {
        while let Err(error) = self.record_once(batch).await {
            tracing::warn!(%error, outcomes = batch.len(), "attempts could not be recorded; trying again");
            tokio::select! {
                () = tokio::time::sleep(self.limits.record_again_after) => {}
                () = self.drained.cancelled() => return,
            }
        }
    }

    async fn record_once(self: &Arc<Self>, batch: &[Outcome]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.store.record_outcomes(batch).await?;
        for outcome in batch {
            self.count(outcome);
            let delivery = &outcome.delivery;
            if let Transition::RetryAt(due_at) = outcome.transition {
                self.ring_at(&delivery.organization, delivery.endpoint, due_at);
            }
            if let Some(lane) = self.lanes.existing(delivery.endpoint) {
                let start = lane.release([delivery.id]);
                self.start(&lane, start);
            }
        }
        Ok(())
    }

    fn count(&self, outcome: &Outcome) {
        let result = match outcome.transition {
            Transition::Succeed => "succeeded",
            Transition::RetryAt(_) => "retry",
            Transition::Fail(reason) => reason.as_str(),
        };
        metrics::counter!("postrider_attempts_total", "result" => result).increment(1);
    }
}
