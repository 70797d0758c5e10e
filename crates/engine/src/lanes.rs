//! All lanes of this node, and the workers and claims that move them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use postrider_domain::{EndpointId, Millis, OrganizationId};
use postrider_store::OpenDelivery;

use crate::engine::Inner;
use crate::lane::{Lane, Start};
use crate::limits::EngineLimits;

/// A claim's bytes are not known beforehand; this many are set aside for each row.
const CLAIM_ROW_BYTES: usize = 64 * 1024;

/// Every lane there is at the moment.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    by_endpoint: Mutex<HashMap<EndpointId, Arc<Lane>>>,
    /// Endpoints that had work and were not active; looked at again when their organisation changes.
    resting: Mutex<HashSet<EndpointId>>,
    held_bytes: Arc<AtomicUsize>,
}

impl Lanes {
    /// The endpoint's lane, made if there is none.
    pub(crate) fn lane(&self, organization: &OrganizationId, endpoint: EndpointId, limits: &EngineLimits) -> Arc<Lane> {
        let make = || Arc::new(Lane::new(organization.clone(), endpoint, limits, Arc::clone(&self.held_bytes)));
        Arc::clone(self.by_endpoint.lock().entry(endpoint).or_insert_with(make))
    }

    pub(crate) fn existing(&self, endpoint: EndpointId) -> Option<Arc<Lane>> {
        self.by_endpoint.lock().get(&endpoint).cloned()
    }

    /// Drops the lanes that nothing depends on.
    pub(crate) fn sweep(&self) {
        self.by_endpoint.lock().retain(|_, lane| !lane.close_if_idle());
    }

    pub(crate) fn is_full(&self, limits: &EngineLimits) -> bool {
        self.held_bytes.load(Ordering::Relaxed) >= limits.held_bytes_max
    }

    pub(crate) fn claim_rows(&self, limits: &EngineLimits) -> usize {
        let free_bytes = limits.held_bytes_max.saturating_sub(self.held_bytes.load(Ordering::Relaxed));
        (free_bytes / CLAIM_ROW_BYTES).clamp(1, limits.claim_rows_max)
    }

    pub(crate) fn rest(&self, endpoint: EndpointId) {
        self.resting.lock().insert(endpoint);
    }

    pub(crate) fn wake_if_resting(&self, endpoint: EndpointId) -> bool {
        self.resting.lock().remove(&endpoint)
    }
}

impl Inner {
    /// Starts what a lane asked for.
    pub(crate) fn start(self: &Arc<Self>, lane: &Arc<Lane>, start: Start) {
        for _ in 0..start.workers {
            tokio::spawn(Arc::clone(self).work(Arc::clone(lane)));
        }
        if start.claim {
            tokio::spawn(Arc::clone(self).claim(Arc::clone(lane)));
        }
    }

    /// Does something with the endpoint's lane of now; one that was given up meanwhile answers none and is replaced.
    pub(crate) fn with_lane(
        self: &Arc<Self>,
        organization: &OrganizationId,
        endpoint: EndpointId,
        act: impl Fn(&Lane) -> Option<Start>,
    ) {
        loop {
            let lane = self.lanes.lane(organization, endpoint, &self.limits);
            if let Some(start) = act(&lane) {
                return self.start(&lane, start);
            }
        }
    }

    /// There is due work in the store for this endpoint.
    pub(crate) fn mark_backlog(self: &Arc<Self>, organization: &OrganizationId, endpoint: EndpointId) {
        self.with_lane(organization, endpoint, Lane::mark_backlog);
    }

    /// Sends one delivery after the other until the queue is empty or the lane has fewer slots.
    async fn work(self: Arc<Self>, lane: Arc<Lane>) {
        loop {
            let (next, start) = lane.take();
            self.start(&lane, start);
            let Some(delivery) = next else { return };
            let fallen = Fallen { inner: &self, lane: &lane, delivery: &delivery };
            self.send_one(&lane, &delivery).await;
            drop(fallen);
        }
    }

    async fn send_one(self: &Arc<Self>, lane: &Arc<Lane>, delivery: &Arc<OpenDelivery>) {
        if self.is_stopping() {
            return;
        }
        match self.attempt(lane, delivery).await {
            Ok(Some(outcome)) => self.recorder.record(outcome).await,
            Ok(None) => self.let_rest(lane, delivery),
            Err(error) => self.postpone(lane, delivery, &error),
        }
    }

    /// The endpoint is paused, disabled or gone: its work stays open in the store, out of memory.
    fn let_rest(self: &Arc<Self>, lane: &Arc<Lane>, delivery: &OpenDelivery) {
        self.lanes.rest(lane.endpoint);
        lane.drop_queue();
        let start = lane.release([delivery.id]);
        self.start(lane, start);
    }

    /// A fault of ours kept the attempt from being made: it stays open and is tried again in a while.
    fn postpone(self: &Arc<Self>, lane: &Arc<Lane>, delivery: &OpenDelivery, error: &crate::EngineError) {
        tracing::error!(delivery = %delivery.id, endpoint = %lane.endpoint, %error, "attempt could not be made; trying again later");
        self.ring_at(&lane.organization, lane.endpoint, self.clock.now() + self.limits.retry_fault_after);
        let start = lane.release([delivery.id]);
        self.start(lane, start);
    }

    /// Reads due work from the store until the window is full or nothing is due.
    async fn claim(self: Arc<Self>, lane: Arc<Lane>) {
        let now = self.clock.now();
        let plan = lane.plan_claim(self.lanes.claim_rows(&self.limits));
        let claimed = self.store.claim_due(&lane.organization, lane.endpoint, now, plan.limit, plan.held.clone()).await;
        match claimed {
            Ok(rows) => {
                let (is_drained, start) = lane.end_claim(&plan, rows);
                self.start(&lane, start);
                if is_drained {
                    self.look_ahead(&lane, now).await;
                }
            }
            Err(error) => {
                tracing::warn!(endpoint = %lane.endpoint, %error, "due deliveries could not be read; trying again later");
                lane.fail_claim();
                self.ring_at(&lane.organization, lane.endpoint, now + self.limits.retry_fault_after);
            }
        }
    }

    /// Sets the lane's timer to the next delivery that is due later.
    async fn look_ahead(self: &Arc<Self>, lane: &Arc<Lane>, after: Millis) {
        match self.store.lane_due(&lane.organization, lane.endpoint, after).await {
            Ok(Some(due_at)) => self.ring_at(&lane.organization, lane.endpoint, due_at),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(endpoint = %lane.endpoint, %error, "the next due time could not be read; trying again later");
                self.ring_at(&lane.organization, lane.endpoint, after + self.limits.retry_fault_after);
            }
        }
    }

    /// Sees to it that the endpoint's lane claims at `due_at`.
    pub(crate) fn ring_at(self: &Arc<Self>, organization: &OrganizationId, endpoint: EndpointId, due_at: Millis) {
        self.with_lane(organization, endpoint, |lane| {
            let is_earlier = lane.note_due(due_at)?;
            if is_earlier {
                self.scheduler.add(due_at, endpoint);
            }
            Some(Start::default())
        });
    }
}

/// What remains of a worker that panicked: its slot and its delivery go back, and the lane looks at the delivery again later.
struct Fallen<'a> {
    inner: &'a Arc<Inner>,
    lane: &'a Arc<Lane>,
    delivery: &'a Arc<OpenDelivery>,
}

impl Drop for Fallen<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        tracing::error!(delivery = %self.delivery.id, endpoint = %self.lane.endpoint, "an attempt ended in a panic; trying again later");
        let again_at = self.inner.clock.now() + self.inner.limits.retry_fault_after;
        self.inner.ring_at(&self.lane.organization, self.lane.endpoint, again_at);
        let start = self.lane.lose_worker(self.delivery.id);
        self.inner.start(self.lane, start);
    }
}
