//! A store that many nodes share, as a model: everything is kept by one embedded store, and who has which lease and lane is decided here, by the
//! rules of the trait. A lease runs out when a test says so, never by a clock, so that a slow machine kills no node.

mod operations;
mod statistics;
mod store;
mod world;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;
use postrider_domain::{EndpointId, OrganizationId};
use postrider_store::{Hint, LaneDue, LaneId, LeaseNo, SqliteStore, Standing, Store};
use tokio::sync::{Notify, RwLock, mpsc};

pub use store::NodeStore;
pub use world::{Node, Nodes, quick};

pub struct Cluster {
    pub sqlite: SqliteStore,
    /// The lease that the embedded store gave.
    lease: LeaseNo,
    state: Mutex<State>,
    /// Held shared by whoever commits, records or takes, alone by whoever revokes or releases.
    fence: RwLock<()>,
    pub loses_hints: AtomicBool,
    /// The next release comes through, and nobody learns of it.
    pub loses_an_answer: AtomicBool,
    /// Commits wait while a test holds this alone.
    pub gate: RwLock<()>,
    pub commits_begun: AtomicU32,
    pub stale_count: AtomicU64,
    /// So many commits from now on are answered as outdated.
    pub outdated_next: AtomicU32,
    /// Told whenever any of this changes.
    pub changed: Notify,
}

#[derive(Default)]
struct State {
    granted: i64,
    leases: BTreeMap<LeaseNo, Lease>,
    lanes: HashMap<EndpointId, (OrganizationId, Option<LeaseNo>)>,
}

struct Lease {
    node: String,
    has_run_out: bool,
    changed: Vec<OrganizationId>,
    tell: mpsc::UnboundedSender<Hint>,
    hints: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Hint>>>,
}

impl Cluster {
    pub async fn new(sqlite: SqliteStore) -> Arc<Self> {
        let lease = sqlite.grant_lease("", std::time::Duration::MAX).await.unwrap().lease;
        Arc::new(Cluster {
            sqlite,
            lease,
            state: Mutex::default(),
            fence: RwLock::default(),
            loses_hints: AtomicBool::new(false),
            loses_an_answer: AtomicBool::new(false),
            gate: RwLock::default(),
            commits_begun: AtomicU32::new(0),
            stale_count: AtomicU64::new(0),
            outdated_next: AtomicU32::new(0),
            changed: Notify::new(),
        })
    }

    /// The lease of a node runs out: whoever looks next revokes it.
    pub fn let_run_out(&self, node: &str) {
        let mut state = self.state.lock();
        state.leases.values_mut().filter(|lease| lease.node == node).for_each(|lease| lease.has_run_out = true);
    }

    /// Revokes a node's lease now.
    pub async fn revoke_now(&self, node: &str) {
        self.let_run_out(node);
        self.revoke(|lease| lease.has_run_out).await;
    }

    pub fn lanes_of(&self, node: &str) -> usize {
        let state = self.state.lock();
        let is_its = |lease: &LeaseNo| state.leases.get(lease).is_some_and(|lease| lease.node == node);
        state.lanes.values().filter(|(_, lease)| lease.as_ref().is_some_and(is_its)).count()
    }

    pub fn nodes(&self) -> Vec<String> {
        self.state.lock().leases.values().map(|lease| lease.node.clone()).collect()
    }

    /// Who has which lease and lane, for a test that fails.
    pub fn describe(&self) -> String {
        let state = self.state.lock();
        let leases: Vec<_> = state.leases.iter().map(|(number, lease)| (number.0, &lease.node)).collect();
        let lanes: Vec<_> = state.lanes.values().map(|(_, lease)| lease.map(|lease| lease.0)).collect();
        format!("leases {leases:?}, lanes {lanes:?}")
    }

    fn grant(&self, node: &str) -> LeaseNo {
        let mut state = self.state.lock();
        state.granted += 1;
        let (tell, hints) = mpsc::unbounded_channel();
        let hints = Arc::new(tokio::sync::Mutex::new(hints));
        let lease = Lease { node: node.to_owned(), has_run_out: false, changed: Vec::new(), tell, hints };
        let number = LeaseNo(state.granted);
        state.leases.insert(number, lease);
        self.changed.notify_waiters();
        number
    }

    fn renew(&self, lease: LeaseNo) -> Option<Standing> {
        let mut state = self.state.lock();
        let lanes = state.lanes.values().filter(|(_, lease)| lease.is_some()).count() as u64;
        let nodes = u32::try_from(state.leases.len()).unwrap();
        let own = state.leases.get_mut(&lease)?;
        own.has_run_out = false;
        Some(Standing { now: None, nodes, lanes, changed: std::mem::take(&mut own.changed) })
    }

    fn is_alive(&self, lease: LeaseNo) -> bool {
        self.state.lock().leases.contains_key(&lease)
    }

    fn holder(&self, endpoint: EndpointId) -> Option<LeaseNo> {
        self.state.lock().lanes.get(&endpoint).and_then(|(_, lease)| *lease)
    }

    /// Attaches the lane if it is free; false when it is another's, who is told of the work then.
    fn attach(&self, lease: LeaseNo, organization: &OrganizationId, endpoint: EndpointId) -> bool {
        let mut state = self.state.lock();
        let (_, holder) = state.lanes.entry(endpoint).or_insert_with(|| (organization.clone(), None));
        let holder = *holder.get_or_insert(lease);
        self.changed.notify_waiters();
        if holder != lease {
            let lane = LaneId { organization: organization.clone(), endpoint };
            self.tell(&state, |number| number == holder, &Hint::Work(lane));
        }
        holder == lease
    }

    /// True when the lane was free and is attached now.
    fn attach_free(&self, lease: LeaseNo, organization: &OrganizationId, endpoint: EndpointId) -> bool {
        let mut state = self.state.lock();
        let (_, holder) = state.lanes.entry(endpoint).or_insert_with(|| (organization.clone(), None));
        let is_free = holder.is_none();
        holder.get_or_insert(lease);
        is_free
    }

    fn detach(&self, lease: LeaseNo, endpoints: &[EndpointId]) {
        let mut state = self.state.lock();
        for endpoint in endpoints {
            if let Some((_, holder)) = state.lanes.get_mut(endpoint)
                && *holder == Some(lease)
            {
                *holder = None;
            }
        }
    }

    async fn revoke(&self, is_it: impl Fn(&Lease) -> bool) -> u32 {
        let _fence = self.fence.write().await;
        let mut state = self.state.lock();
        let over: Vec<_> = state.leases.iter().filter(|(_, lease)| is_it(lease)).map(|(number, _)| *number).collect();
        for number in &over {
            state.leases.remove(number);
        }
        for (_, holder) in state.lanes.values_mut() {
            if holder.is_some_and(|lease| over.contains(&lease)) {
                *holder = None;
            }
        }
        if !over.is_empty() {
            self.tell(&state, |_| true, &Hint::FreeLanes);
        }
        self.changed.notify_waiters();
        u32::try_from(over.len()).unwrap()
    }

    async fn release(&self, lease: LeaseNo, lanes: &[LaneId]) {
        let _fence = self.fence.write().await;
        self.detach(lease, &lanes.iter().map(|lane| lane.endpoint).collect::<Vec<_>>());
        let state = self.state.lock();
        self.tell(&state, |number| number != lease, &Hint::FreeLanes);
        self.changed.notify_waiters();
    }

    fn note_change(&self, organization: &OrganizationId) {
        let mut state = self.state.lock();
        state.leases.values_mut().for_each(|lease| lease.changed.push(organization.clone()));
        self.tell(&state, |_| true, &Hint::Changed(organization.clone()));
    }

    fn tell(&self, state: &State, to: impl Fn(LeaseNo) -> bool, hint: &Hint) {
        if !self.loses_hints.load(Ordering::SeqCst) {
            for (_, lease) in state.leases.iter().filter(|(number, _)| to(**number)) {
                let _ = lease.tell.send(hint.clone());
            }
        }
    }

    /// Lanes with open work that this lease has, or nobody.
    async fn with_work(&self, holder: Option<LeaseNo>) -> Vec<LaneDue> {
        let mut due = self.sqlite.lanes_due(self.lease, None, 10_000).await.unwrap();
        due.retain(|due| self.holder(due.lane.endpoint) == holder);
        due
    }
}
