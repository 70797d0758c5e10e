//! Tending to this node's lanes: takes free ones, looks through its own for work that nobody told it of, gives away what is above its share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::EndpointId;
use postrider_store::{LaneDue, LaneId, LeaseNo, StoreError};
use tokio::time::Instant;

use crate::engine::Inner;
use crate::error::count_store_error;
use crate::keeping::in_time;
use crate::lane::{Lane, Leave};
use crate::overdue::Overdue;
use crate::share::Cluster;

/// How often lanes that drain are looked at. Commits for a lane that is about to be released wait meanwhile.
const LEAVING_EVERY: Duration = Duration::from_millis(10);
/// A node that has given lanes away takes none for as many ticks: others go first.
const TICKS_AFTER_GIVING: u32 = 3;
/// Free lanes are taken in as many steps at most before everything else gets its turn again.
const TAKINGS_MAX: usize = 64;
/// A lane whose attempts did not end in time is left alone for this long.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// What there is to remember from one look at the lanes to the next.
struct Tending {
    draining: Vec<Draining>,
    /// Lanes of which nobody knows whether they were released: the store did not answer. They are released once more.
    unsure: Vec<Arc<Lane>>,
    sweep_at: Instant,
    tick_at: Instant,
    ticks_without_taking: u32,
    kept: HashMap<EndpointId, Instant>,
}

struct Draining {
    lane: Arc<Lane>,
    until: Instant,
}

impl Inner {
    /// Runs until the engine stops.
    pub(crate) async fn run_tending(self: Arc<Self>) {
        let now = Instant::now();
        let mut tending = Tending {
            draining: Vec::new(),
            unsure: Vec::new(),
            sweep_at: now + self.limits.sweep_every,
            tick_at: now,
            ticks_without_taking: 0,
            kept: HashMap::new(),
        };
        loop {
            let is_draining = !tending.draining.is_empty();
            let is_told = tokio::select! {
                () = tokio::time::sleep_until(tending.tick_at) => false,
                () = tokio::time::sleep(LEAVING_EVERY), if is_draining => false,
                () = self.look_for_lanes.notified() => true,
                () = self.stopping.cancelled() => return,
            };
            self.give_away_drained(&mut tending).await;
            let now = Instant::now();
            if !self.lease.is_good() {
                tending.tick_at = now + self.limits.take_every;
                continue;
            }
            if now >= tending.tick_at {
                tending.tick_at = now + self.limits.take_every;
                self.tick(&mut tending).await;
            } else if is_told && tending.ticks_without_taking == 0 {
                self.take_free_lanes().await;
            }
            if self.may_have_missed_work() || now >= tending.sweep_at {
                tending.sweep_at = now + self.limits.sweep_every;
                self.look_through_lanes().await;
                self.release_idle(&mut tending).await;
                self.lanes.sweep_others();
            }
        }
    }

    async fn tick(self: &Arc<Self>, tending: &mut Tending) {
        let unsure = std::mem::take(&mut tending.unsure);
        tending.unsure = self.release_all(unsure).await;
        self.revoke_others().await;
        if tending.ticks_without_taking == 0 {
            self.take_free_lanes().await;
        }
        tending.ticks_without_taking = tending.ticks_without_taking.saturating_sub(1);
        if self.drain_surplus(tending).await {
            tending.ticks_without_taking = TICKS_AFTER_GIVING;
            self.give_away_drained(tending).await;
        }
        metrics::gauge!("postrider_lanes_held").set(self.lanes.ours_count() as f64);
    }

    /// Whose lease has run out is not there any more, or thinks so itself.
    async fn revoke_others(&self) {
        if !self.lease.may_judge() {
            return;
        }
        match self.store.revoke_expired_leases(self.lease.lasts()).await {
            Ok(0) => {}
            Ok(count) => {
                metrics::counter!("postrider_leases_revoked_total").increment(u64::from(count));
                tracing::warn!(count, "other nodes did not renew their leases in time: their lanes are taken over");
                self.lease.want_renewal();
            }
            Err(error) => self.note_fault(&error, "leases that ran out could not be looked for"),
        }
    }

    async fn known_cluster(&self) -> Option<Cluster> {
        match self.lease.cluster() {
            Cluster { nodes: 0, .. } => self.lease.fresh_cluster().await,
            known => Some(known),
        }
    }

    async fn take_free_lanes(self: &Arc<Self>) {
        let Some(mut cluster) = self.known_cluster().await else { return };
        for _ in 0..TAKINGS_MAX {
            if self.is_stopping() {
                return;
            }
            let lease = self.lanes.lease();
            let room = cluster.room(self.lanes.ours_count());
            let limit = room.min(self.limits.lanes_page);
            let due_before = self.clock.now() + self.limits.take_ahead;
            // Nobody waits for lanes that are not to be taken.
            let taken = if limit == 0 { Ok(Vec::new()) } else { self.store.take_lanes(lease, due_before, limit).await };
            let taken_count = match taken {
                Ok(taken) => self.attach_all(lease, &taken),
                Err(error) => return self.note_fault(&error, "free lanes could not be taken"),
            };
            if taken_count < limit || taken_count == 0 {
                return;
            }
            // There are more. What this node's share is of them shows once they are counted.
            if room <= self.limits.lanes_page {
                match self.lease.fresh_cluster().await {
                    Some(fresh) => cluster = fresh,
                    None => return,
                }
            }
        }
        self.look_for_lanes.notify_one();
    }

    fn attach_all(self: &Arc<Self>, lease: LeaseNo, taken: &[LaneDue]) -> usize {
        for LaneDue { lane, .. } in taken {
            self.attach(lease, lane);
        }
        if !taken.is_empty() {
            metrics::counter!("postrider_lanes_taken_total").increment(taken.len() as u64);
        }
        taken.len()
    }

    /// The store says that a lane is attached to this lease.
    fn attach(self: &Arc<Self>, lease: LeaseNo, id: &LaneId) -> Arc<Lane> {
        let lane = self.lanes.lane(&id.organization, id.endpoint, &self.limits);
        // Under another lease it is another's until that one has it.
        if lane.lease == lease {
            let start = lane.attach();
            self.start(&lane, start);
        }
        lane
    }

    /// Nothing depends on hints: what is due and not known of is claimed.
    async fn look_through_lanes(self: &Arc<Self>) {
        let lease = self.lanes.lease();
        let mut after = None;
        let mut overdue = Overdue::at(self.clock.now());
        loop {
            let page = match self.store.lanes_due(lease, after, self.limits.lanes_page).await {
                Ok(page) => page,
                Err(error) => return self.note_fault(&error, "the lanes could not be looked through"),
            };
            let now = self.clock.now();
            for LaneDue { lane: id, due_at } in &page {
                let lane = self.attach(lease, id);
                overdue.note(*due_at, || self.lanes.is_resting(id.endpoint));
                if *due_at > now {
                    self.ring_at(&id.organization, id.endpoint, *due_at);
                } else if lane.is_unaware_of_due_work()
                    && let Some(start) = lane.mark_backlog()
                {
                    self.start(&lane, start);
                }
            }
            after = page.last().map(|due| due.lane.endpoint);
            if page.len() < self.limits.lanes_page {
                return overdue.tell();
            }
            if self.is_stopping() {
                return;
            }
        }
    }

    /// True when lanes were chosen to be given away.
    async fn drain_surplus(&self, tending: &mut Tending) -> bool {
        let ours = self.lanes.ours_count();
        let is_at_it = !tending.draining.is_empty() || !tending.unsure.is_empty();
        if is_at_it || self.lease.cluster().surplus(ours) == 0 {
            return false;
        }
        // Others may have come or gone since the last renewal: nothing is given away on old news.
        let Some(cluster) = self.lease.fresh_cluster().await else { return false };
        let surplus = cluster.surplus(ours);
        if surplus == 0 {
            return false;
        }
        let now = Instant::now();
        tending.kept.retain(|_, until| *until > now);
        let until = now + self.limits.drain_max;
        tending.draining = self
            .least_burdened(surplus, &tending.kept)
            .into_iter()
            .inspect(|lane| lane.drain())
            .map(|lane| Draining { lane, until })
            .collect();
        tracing::debug!(lanes = tending.draining.len(), ours, ?cluster, "giving lanes to other nodes");
        !tending.draining.is_empty()
    }

    fn least_burdened(&self, count: usize, but: &HashMap<EndpointId, Instant>) -> Vec<Arc<Lane>> {
        let all = self.lanes.all().into_iter().filter(|lane| !but.contains_key(&lane.endpoint));
        let mut lanes: Vec<_> = all.filter_map(|lane| Some((lane.burden()?, lane))).collect();
        if lanes.len() > count {
            lanes.select_nth_unstable_by_key(count, |(burden, _)| *burden);
            lanes.truncate(count);
        }
        lanes.into_iter().map(|(_, lane)| lane).collect()
    }

    async fn give_away_drained(self: &Arc<Self>, tending: &mut Tending) {
        let now = Instant::now();
        let mut leaving = Vec::new();
        for Draining { lane, until } in std::mem::take(&mut tending.draining) {
            match lane.leave() {
                Leave::Now => leaving.push(lane),
                Leave::Never => {}
                Leave::NotYet if now < until => tending.draining.push(Draining { lane, until }),
                Leave::NotYet => {
                    tending.kept.insert(lane.endpoint, now + KEPT_FOR);
                    self.keep(&lane);
                }
            }
        }
        tending.unsure.extend(self.release_all(leaving).await);
    }

    /// Lanes without work are nobody's, so that they go to whoever gets work for them.
    async fn release_idle(self: &Arc<Self>, tending: &mut Tending) {
        let now = Instant::now();
        let mut leaving = Vec::new();
        for lane in self.lanes.all() {
            if lane.is_idle_for(self.limits.lane_idle_max, now) {
                lane.drain();
                if lane.leave() == Leave::Now {
                    leaving.push(lane);
                } else {
                    self.keep(&lane);
                }
            }
        }
        tending.unsure.extend(self.release_all(leaving).await);
    }

    /// At a stop: what has no attempt under way goes to others at once, instead of after those that hang.
    pub(crate) async fn give_away_idle(self: &Arc<Self>) {
        if self.lanes.are_all_ours() {
            return;
        }
        let ours: Vec<_> = self.lanes.all().into_iter().filter(|lane| lane.is_ours()).collect();
        ours.iter().for_each(|lane| lane.drain());
        let leaving = ours.into_iter().filter(|lane| lane.leave() == Leave::Now).collect();
        self.release_all(leaving).await;
    }

    /// Releases lanes that are leaving: nothing of them is under way. Returns those of which the store did not say that they are released; a release
    /// that comes through late must find them leaving still.
    async fn release_all(self: &Arc<Self>, leaving: Vec<Arc<Lane>>) -> Vec<Arc<Lane>> {
        let mut unsure = Vec::new();
        for page in leaving.chunks(self.limits.lanes_page) {
            if !unsure.is_empty() {
                unsure.extend_from_slice(page);
                continue;
            }
            let ids = page.iter().map(|lane| lane.id()).collect();
            match in_time(self.limits.lease_wait_max / 2, self.store.release_lanes(page[0].lease, ids)).await {
                Ok(()) => {
                    self.lanes.forget(page);
                    metrics::counter!("postrider_lanes_released_total").increment(page.len() as u64);
                }
                Err(error) => {
                    self.note_fault(&error, "lanes could not be released");
                    // Those of a lease that is over are closed, and nobody's by that.
                    unsure.extend(page.iter().filter(|lane| lane.is_leaving()).cloned());
                }
            }
        }
        unsure
    }

    /// A lane is not given away after all.
    fn keep(self: &Arc<Self>, lane: &Arc<Lane>) {
        let start = lane.stay();
        self.start(lane, start);
        self.lanes.tell_left();
    }

    fn note_fault(&self, error: &StoreError, what: &str) {
        count_store_error(error);
        if matches!(error, StoreError::LeaseLost) {
            self.lease.want_renewal();
        }
        tracing::debug!(%error, "{what}; trying again");
    }
}
