//! Records what attempts made of their deliveries, many at a time, and lets the lanes go on.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::Transition;
use postrider_store::{Outcome, Recorded, StoreError, WAITING};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::engine::Inner;
use crate::error::count_store_error;
use crate::limits::EngineLimits;

/// Where finished attempts wait to be recorded; an attempt that finds it full waits, so what is unrecorded stays bounded.
#[derive(Debug)]
pub(crate) struct Recorder {
    items: mpsc::Sender<Item>,
    /// Room for answers that wait, in KiB.
    room_kib: Arc<Semaphore>,
    room_kib_max: u32,
}

#[derive(Debug)]
pub(crate) enum Item {
    Outcome(Box<Outcome>, OwnedSemaphorePermit),
    /// Answered when everything before it is recorded.
    Barrier(oneshot::Sender<()>),
}

impl Recorder {
    pub(crate) fn new(limits: &EngineLimits) -> (Self, mpsc::Receiver<Item>) {
        let (items, waiting) = mpsc::channel(limits.unrecorded_max);
        let room_kib_max = u32::try_from(limits.unrecorded_bytes_max / 1024).unwrap_or(u32::MAX);
        let room_kib = Arc::new(Semaphore::new(room_kib_max as usize));
        (Recorder { items, room_kib, room_kib_max }, waiting)
    }

    pub(crate) async fn record(&self, outcome: Box<Outcome>) {
        let first = outcome.attempt.refused_first.iter().map(|refused| &refused.response);
        let answers = outcome.attempt.response.iter().chain(first);
        let answer_bytes: usize = answers.map(|response| response.body.len()).sum();
        let kib = u32::try_from(1 + answer_bytes / 1024).unwrap_or(u32::MAX).min(self.room_kib_max);
        // Both are refused only once the engine has stopped; the delivery is still open in the store then.
        let Ok(room) = Arc::clone(&self.room_kib).acquire_many_owned(kib).await else { return };
        let _ = self.items.send(Item::Outcome(outcome, room)).await;
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
            let (mut batch, mut rooms, mut barriers) = (Vec::with_capacity(items.len()), Vec::new(), Vec::new());
            for item in items {
                match item {
                    Item::Outcome(outcome, room) => {
                        batch.push(*outcome);
                        rooms.push(room);
                    }
                    Item::Barrier(done) => barriers.push(done),
                }
            }
            self.record(&batch).await;
            drop(rooms);
            for done in barriers {
                let _ = done.send(());
            }
        }
    }

    /// Records a batch, however long the store takes to come back: attempts already made must not be forgotten. An outcome that the
    /// store refuses for another reason must not hold up the others.
    async fn record(self: &Arc<Self>, batch: &[Outcome]) {
        match self.record_patiently(batch).await {
            Ok(()) => {}
            Err(_) if batch.len() > 1 => {
                for outcome in batch {
                    Box::pin(self.record(std::slice::from_ref(outcome))).await;
                }
            }
            Err(error) => self.give_up(batch, &error),
        }
    }

    async fn record_patiently(self: &Arc<Self>, batch: &[Outcome]) -> Result<(), StoreError> {
        loop {
            match self.record_once(batch).await {
                Err(error @ StoreError::Unavailable { .. }) => {
                    count_store_error(&error);
                    tracing::warn!(%error, outcomes = batch.len(), "attempts could not be recorded; trying again");
                }
                done => return done,
            }
            tokio::select! {
                () = tokio::time::sleep(self.limits.record_again_after) => {}
                () = self.drained.cancelled() => return Ok(()),
            }
        }
    }

    /// The lane keeps holding the delivery, so that it is not sent again and again; a restart makes its attempt once more.
    fn give_up(&self, batch: &[Outcome], error: &StoreError) {
        count_store_error(error);
        for outcome in batch {
            tracing::error!(delivery = %outcome.delivery.id, %error, "an attempt can not be recorded; its delivery rests until a restart");
        }
    }

    async fn record_once(self: &Arc<Self>, batch: &[Outcome]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let recorded = self.store.record_outcomes(batch).await?;
        let mut stale_count: u64 = 0;
        for (outcome, recorded) in batch.iter().zip(recorded) {
            match recorded {
                Recorded::Recorded | Recorded::Counted(_) => {
                    if let Recorded::Counted(streak) = recorded {
                        self.follow_streak(outcome, streak);
                    }
                    self.follow_gone(outcome);
                    self.count(outcome);
                    self.move_on(outcome);
                }
                Recorded::Stale => {
                    stale_count += 1;
                    self.look_again(outcome);
                }
            }
        }
        if stale_count > 0 {
            metrics::counter!("postrider_outcomes_stale_total").increment(stale_count);
            tracing::debug!(
                stale_count,
                "attempts were not recorded: their deliveries are gone, or other nodes' by now"
            );
            self.lease.want_renewal();
        }
        Ok(())
    }

    /// The delivery is not as it was when its attempt began. Where it is still open and the lane is still ours, it is claimed as it is now.
    fn look_again(self: &Arc<Self>, outcome: &Outcome) {
        let Some(lane) = self.lanes.existing_of(outcome.delivery.endpoint, outcome.lease) else { return };
        lane.lose_streak(outcome.streak);
        let start = lane.look_again(outcome.delivery.id);
        self.start(&lane, start);
    }

    /// The lane lets go of a delivery whose outcome is recorded.
    fn move_on(self: &Arc<Self>, outcome: &Outcome) {
        let delivery = &outcome.delivery;
        let Some(lane) = self.lanes.existing_of(delivery.endpoint, outcome.lease) else { return };
        let due_at = match outcome.transition {
            Transition::RetryAt(due_at) => Some(due_at).filter(|due_at| *due_at != WAITING),
            Transition::Succeed | Transition::Fail(_) => None,
        };
        if let Some(due_at) = due_at {
            self.ring_at(&delivery.organization, delivery.endpoint, due_at);
        }
        let start = lane.release(delivery.id);
        self.start(&lane, start);
        if delivery.turn.is_some() && due_at.is_none() {
            // The next ones about its records may be due now.
            let start = lane.hear_of_work();
            self.start(&lane, start);
        }
        if let Some(audit) = lane.take_again(delivery.id) {
            let (inner, delivery) = (Arc::clone(self), Arc::clone(delivery));
            tokio::spawn(async move {
                if let Err(error) = inner.retry(&delivery.organization, delivery.id, audit).await {
                    tracing::error!(delivery = %delivery.id, %error, "the retry that a person asked for could not be made");
                }
            });
        }
    }

    fn count(&self, outcome: &Outcome) {
        let result = match outcome.transition {
            Transition::Succeed => "succeeded",
            Transition::RetryAt(_) => "retry",
            Transition::Fail(reason) => reason.as_str(),
        };
        metrics::counter!("postrider_attempts_total", "result" => result).increment(1);
        self.statistics.count(outcome);
    }
}
