//! All lanes of this node, and the workers and claims that move them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_domain::{EndpointId, Millis, OrganizationId};
use postrider_store::OpenDelivery;

use crate::engine::Inner;
use crate::held::HeldBytes;
use crate::lane::{Lane, Start};
use crate::limits::EngineLimits;

/// Every lane there is at the moment.
#[derive(Debug)]
pub(crate) struct Lanes {
    by_endpoint: Mutex<HashMap<EndpointId, Arc<Lane>>>,
    /// Endpoints whose lanes rest, to find them when their organisation changes.
    resting: Mutex<HashSet<EndpointId>>,
    held_bytes: Arc<HeldBytes>,
}

impl Lanes {
    pub(crate) fn new(limits: &EngineLimits) -> Self {
        let held_bytes = Arc::new(HeldBytes::new(limits.held_bytes_max));
        Lanes { by_endpoint: Mutex::default(), resting: Mutex::default(), held_bytes }
    }

    /// The endpoint's lane, made if there is none.
    pub(crate) fn lane(&self, organization: &OrganizationId, endpoint: EndpointId, limits: &EngineLimits) -> Arc<Lane> {
        let make = || Arc::new(Lane::new(organization.clone(), endpoint, limits, Arc::clone(&self.held_bytes)));
        Arc::clone(self.by_endpoint.lock().entry(endpoint).or_insert_with(make))
    }

    pub(crate) fn existing(&self, endpoint: EndpointId) -> Option<Arc<Lane>> {
        self.by_endpoint.lock().get(&endpoint).cloned()
    }

    /// When there are many lanes, drops those that nothing depends on. Until then an idle one keeps what is known of its endpoint.
    pub(crate) fn sweep(&self, limits: &EngineLimits) {
        let mut lanes = self.by_endpoint.lock();
        if lanes.len() > limits.lanes_max {
            lanes.retain(|_, lane| !lane.close_if_idle());
        }
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

    fn ring_after_fault(self: &Arc<Self>, lane: &Lane) {
        let at = self.clock.now() + self.limits.retry_fault_after;
        self.ring_at(&lane.organization, lane.endpoint, at);
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
        // Held until the outcome is handed to the recorder, so that a stop waits for both; taken before the look at the flag.
        let _under_way = self.attempts.token();
        let permits = if lane.is_prompt() { &self.prompt } else { &self.other };
        let _permit = tokio::select! {
            // The semaphores are never closed.
            permit = permits.acquire() => permit,
            () = self.stopping.cancelled() => return,
        };
        if self.is_stopping() {
            return;
        }
        match self.attempt(lane, delivery).await {
            Ok(Some(outcome)) => self.recorder.record(outcome).await,
            Ok(None) => self.let_rest(lane, delivery).await,
            Err(error) => {
                let endpoint = lane.endpoint;
                tracing::error!(delivery = %delivery.id, %endpoint, %error, "attempt could not be made; trying again later");
                lane.postpone(delivery.id);
                self.ring_after_fault(lane);
            }
        }
    }

    /// The endpoint is paused, disabled or gone: its work stays open in the store, out of memory.
    async fn let_rest(self: &Arc<Self>, lane: &Arc<Lane>, delivery: &OpenDelivery) {
        self.lanes.resting.lock().insert(lane.endpoint);
        lane.rest();
        let start = lane.release(delivery.id);
        self.start(lane, start);
        // It may have become active since this worker looked; whoever changed it did not find it resting then.
        self.wake_resting(&lane.organization).await;
    }

    /// Takes up the work of endpoints that rest and are active.
    pub(crate) async fn wake_resting(self: &Arc<Self>, organization: &OrganizationId) {
        let view = loop {
            match self.directory.view(organization).await {
                Ok(Some(view)) => break view,
                Ok(None) => return,
                Err(error) => tracing::warn!(%organization, %error, "an organization could not be read; trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(self.limits.record_again_after) => {}
                () = self.stopping.cancelled() => return,
            }
        };
        for (id, endpoint) in &view.endpoints {
            if endpoint.is_active() && self.lanes.resting.lock().remove(id) {
                self.with_lane(organization, *id, Lane::wake);
            }
        }
    }

    /// Reads due work from the store until the lane has no room or nothing is due.
    async fn claim(self: Arc<Self>, lane: Arc<Lane>) {
        // Few at once, so that what each brings counts before the next is planned, and other readers get their turn.
        let _permit = self.claims.acquire().await;
        let now = self.clock.now();
        let plan = lane.plan_claim(self.limits.claim_rows_max);
        let held = plan.held.clone();
        match self.store.claim_due(self.lease, &lane.organization, lane.endpoint, now, plan.limit, held).await {
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
                self.ring_after_fault(&lane);
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
                self.ring_after_fault(lane);
            }
        }
    }
}

/// What remains of a worker that panicked: its slot goes back, and its delivery is looked at again later.
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
        let start = self.lane.lose_worker(self.delivery.id);
        self.inner.ring_after_fault(self.lane);
        self.inner.start(self.lane, start);
    }
}
