//! All lanes of this node, and the workers and claims that move them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use postrider_domain::{EndpointId, Millis, OrganizationId};
use postrider_store::{LeaseNo, OpenDelivery, StoreError};
use tokio::sync::Notify;

use crate::attempt::Attempted;
use crate::engine::Inner;
use crate::error::{EngineError, count_store_error};
use crate::held::HeldBytes;
use crate::lane::{Lane, OfAllLanes, Start};
use crate::limits::EngineLimits;

/// Every lane there is at the moment.
#[derive(Debug)]
pub(crate) struct Lanes {
    pub(super) by_endpoint: Mutex<HashMap<EndpointId, Arc<Lane>>>,
    /// The newest lease, under which lanes are made; changed under the lock of the lanes.
    lease: AtomicI64,
    /// Endpoints whose lanes rest, to find them when their organisation changes.
    pub(super) resting: Mutex<HashMap<EndpointId, OrganizationId>>,
    pub(super) of_all: OfAllLanes,
    /// Told when lanes that were leaving are gone, or stay.
    have_left: Notify,
    /// The latest claim failed; said once.
    are_claims_failing: AtomicBool,
}

impl Lanes {
    pub(crate) fn new(limits: &EngineLimits, lease: LeaseNo, is_alone: bool) -> Self {
        let held_bytes = Arc::new(HeldBytes::new(limits.held_bytes_max));
        Lanes {
            by_endpoint: Mutex::default(),
            lease: AtomicI64::new(lease.0),
            resting: Mutex::default(),
            of_all: OfAllLanes { held_bytes, ours: Arc::new(AtomicUsize::new(0)), is_alone },
            have_left: Notify::new(),
            are_claims_failing: AtomicBool::new(false),
        }
    }

    /// The newest lease.
    pub(crate) fn lease(&self) -> LeaseNo {
        LeaseNo(self.lease.load(Ordering::Acquire))
    }

    /// Whether the store has one node alone, whose every lane is.
    pub(crate) fn are_all_ours(&self) -> bool {
        self.of_all.is_alone
    }

    /// How many lanes are ours.
    pub(crate) fn ours_count(&self) -> usize {
        self.of_all.ours.load(Ordering::Relaxed)
    }

    /// The endpoint's lane, made if there is none.
    pub(crate) fn lane(&self, organization: &OrganizationId, endpoint: EndpointId, limits: &EngineLimits) -> Arc<Lane> {
        let make = || Arc::new(Lane::new(organization.clone(), endpoint, self.lease(), limits, self.of_all.clone()));
        Arc::clone(self.by_endpoint.lock().entry(endpoint).or_insert_with(make))
    }

    pub(crate) fn existing(&self, endpoint: EndpointId) -> Option<Arc<Lane>> {
        self.by_endpoint.lock().get(&endpoint).cloned()
    }

    /// The endpoint's lane if it is still of this lease.
    pub(crate) fn existing_of(&self, endpoint: EndpointId, lease: LeaseNo) -> Option<Arc<Lane>> {
        self.existing(endpoint).filter(|lane| lane.lease == lease)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Lane>> {
        self.by_endpoint.lock().values().cloned().collect()
    }

    /// Forgets every lane: its lease is over. New ones are made under `lease`.
    pub(crate) fn begin_anew(&self, lease: LeaseNo) {
        let mut lanes = self.by_endpoint.lock();
        self.lease.store(lease.0, Ordering::Release);
        let old = std::mem::take(&mut *lanes);
        drop(lanes);
        old.values().for_each(|lane| lane.close());
        self.resting.lock().clear();
        self.have_left.notify_waiters();
    }

    /// Forgets lanes that were released.
    pub(crate) fn forget(&self, released: &[Arc<Lane>]) {
        let mut lanes = self.by_endpoint.lock();
        for lane in released {
            lane.close();
            if lanes.get(&lane.endpoint).is_some_and(|known| Arc::ptr_eq(known, lane)) {
                lanes.remove(&lane.endpoint);
            }
        }
        drop(lanes);
        self.have_left.notify_waiters();
    }

    /// Drops lanes of deleted endpoints, and when there are many all that nothing depends on. Until then an idle one keeps what is known of its endpoint.
    pub(crate) fn sweep(&self, limits: &EngineLimits) {
        let mut lanes = self.by_endpoint.lock();
        let are_many = lanes.len() > limits.lanes_max;
        let is_to_go = |lane: &Lane| are_many || (self.of_all.is_alone && lane.is_retired());
        lanes.retain(|_, lane| !(is_to_go(lane) && lane.close_if_idle()));
    }

    /// Drops lanes of other nodes that nothing here depends on.
    pub(crate) fn sweep_others(&self) {
        self.by_endpoint.lock().retain(|_, lane| lane.is_ours() || !lane.close_if_idle());
    }

    /// Tells those who wait that lanes which were leaving stay.
    pub(crate) fn tell_left(&self) {
        self.have_left.notify_waiters();
    }

    /// Waits until this lane is not leaving any more; false when that takes longer than `at_most`.
    pub(crate) async fn until_left(&self, lane: &Lane, at_most: Duration) -> bool {
        let wait = async {
            loop {
                let left = self.have_left.notified();
                if !lane.is_leaving() {
                    return;
                }
                left.await;
            }
        };
        tokio::time::timeout(at_most, wait).await.is_ok()
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

    fn ring_after(self: &Arc<Self>, lane: &Lane, wait: Duration) {
        self.ring_at(&lane.organization, lane.endpoint, self.clock.now() + wait);
    }

    fn ring_after_fault(self: &Arc<Self>, lane: &Lane) {
        self.ring_after(lane, self.limits.retry_fault_after);
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
        loop {
            let permits = if lane.is_prompt() { &self.prompt } else { &self.other };
            let permit = tokio::select! {
                // The semaphores are never closed.
                permit = permits.acquire() => permit,
                () = self.stopping.cancelled() => return,
            };
            if self.is_stopping() {
                return;
            }
            match self.attempt(lane, delivery).await {
                Ok(Attempted::Made(outcome)) => return self.recorder.record(outcome).await,
                Ok(Attempted::Unwanted) => return self.let_rest(lane, delivery).await,
                Ok(Attempted::LaneLost) => return,
                Ok(Attempted::Paced(at)) => return self.wait_for_token(lane, delivery, at),
                Ok(Attempted::Doubtful) => {
                    let start = lane.look_again(delivery.id);
                    return self.start(lane, start);
                }
                Ok(Attempted::LeaseUncertain) => {}
                Err(error) => return self.put_off(lane, delivery, &error),
            }
            drop(permit);
            tokio::select! {
                () = self.lease.until_good() => {}
                () = self.stopping.cancelled() => return,
            }
        }
    }

    fn wait_for_token(self: &Arc<Self>, lane: &Arc<Lane>, delivery: &Arc<OpenDelivery>, at: Millis) {
        let (needs_timer, start) = lane.put_back(Arc::clone(delivery), at);
        if needs_timer {
            self.scheduler.add(at, lane.endpoint);
        }
        self.start(lane, start);
    }

    fn put_off(self: &Arc<Self>, lane: &Lane, delivery: &OpenDelivery, error: &EngineError) {
        let endpoint = lane.endpoint;
        if let EngineError::Store(error) = error {
            count_store_error(error);
        }
        lane.postpone(delivery.id);
        if matches!(error, EngineError::Store(StoreError::Unavailable { .. })) {
            tracing::warn!(delivery = %delivery.id, %endpoint, %error, "attempt could not be made; trying again soon");
            self.ring_after(lane, self.limits.claim_again_after);
        } else {
            tracing::error!(delivery = %delivery.id, %endpoint, %error, "attempt could not be made; trying again later");
            self.ring_after_fault(lane);
        }
    }

    /// Reads due work from the store until the lane has no room or nothing is due.
    async fn claim(self: Arc<Self>, lane: Arc<Lane>) {
        // Few at once, so that what each brings counts before the next is planned, and other readers get their turn.
        let _permit = self.claims.acquire().await;
        let now = self.clock.now();
        let plan = lane.plan_claim(self.limits.claim_rows_max);
        let (held, asked) = (plan.held.clone(), Instant::now());
        match self.store.claim_due(lane.lease, &lane.organization, lane.endpoint, now, plan.limit, held).await {
            Ok(rows) => {
                metrics::histogram!("postrider_claim_seconds").record(asked.elapsed().as_secs_f64());
                if self.lanes.are_claims_failing.load(Ordering::Relaxed) {
                    self.lanes.are_claims_failing.store(false, Ordering::Relaxed);
                }
                let (is_drained, start) = lane.end_claim(&plan, rows);
                self.start(&lane, start);
                if is_drained {
                    self.look_ahead(&lane, now).await;
                }
            }
            Err(error) => {
                lane.fail_claim();
                self.ask_again_soon(&lane, &error);
            }
        }
    }

    /// Sets the lane's timer to the next delivery that is due later.
    async fn look_ahead(self: &Arc<Self>, lane: &Arc<Lane>, after: Millis) {
        match self.store.lane_due(&lane.organization, lane.endpoint, after).await {
            Ok(Some(due_at)) => self.ring_at(&lane.organization, lane.endpoint, due_at),
            Ok(None) => {}
            Err(error) => self.ask_again_soon(lane, &error),
        }
    }

    /// A store that is out is asked again by one lane after the other; that is said once, not by each.
    fn ask_again_soon(self: &Arc<Self>, lane: &Lane, error: &StoreError) {
        count_store_error(error);
        if matches!(error, StoreError::LeaseLost) {
            self.lease.want_renewal();
        } else if !self.lanes.are_claims_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(endpoint = %lane.endpoint, %error, "due deliveries could not be read; asking again until they can");
        }
        self.ring_after(lane, self.limits.claim_again_after);
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
