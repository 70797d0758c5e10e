//! Several engines in one process on one shared store, with one clock over the store's time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use postrider_domain::{DeliveryStatus, Endpoint, EndpointStatus, Millis, OrganizationId};
use postrider_engine::{Clock, Engine, EngineLimits, EngineParts, MovableClock, StoreClock};
use postrider_store::{Delivery, DeliveryFilter, MasterKey, PageRequest, SqliteOptions, SqliteStore, Store};
use tempfile::TempDir;

use super::{Cluster, NodeStore};
use crate::support::{ASK_EVERY, PATIENCE, audit, contracts, edit, egress, endpoint_at, event, organization};

pub struct Node {
    pub engine: Engine,
    pub store: Arc<NodeStore>,
}

pub struct Nodes {
    pub cluster: Arc<Cluster>,
    pub clock: Arc<MovableClock>,
    pub organization: OrganizationId,
    _dir: TempDir,
}

/// Everything that a node does from time to time, many times a second.
pub fn quick() -> EngineLimits {
    EngineLimits {
        lease: Duration::from_millis(600),
        lease_again_after: Duration::from_millis(20),
        take_every: Duration::from_millis(30),
        sweep_every: Duration::from_millis(100),
        claim_again_after: Duration::from_millis(50),
        ..EngineLimits::default()
    }
}

impl Nodes {
    pub async fn new() -> Nodes {
        let dir = TempDir::new().unwrap();
        let master = MasterKey::from_base64(&data_encoding::BASE64.encode(&[7; 32])).unwrap();
        let sqlite = SqliteStore::open(dir.path(), master, &SqliteOptions::default()).unwrap();
        let cluster = Cluster::new(sqlite).await;
        let clock = Arc::new(MovableClock::over(Arc::new(StoreClock::default())));
        let organization = organization(Millis(0));
        cluster.sqlite.create_organization(&organization, &audit()).await.unwrap();
        Nodes { cluster, clock, organization: organization.id, _dir: dir }
    }

    pub async fn join(&self, node: &str) -> Node {
        self.join_with(node, quick()).await
    }

    pub async fn join_with(&self, node: &str, limits: EngineLimits) -> Node {
        let cluster = Arc::clone(&self.cluster);
        let store = NodeStore { cluster, is_cut: AtomicBool::new(false), renewals_refused: AtomicU32::new(0) };
        let store = Arc::new(store);
        let parts = EngineParts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            contracts: contracts(),
            egress: egress(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            mailer: None,
            operational: None,
            tracer: postrider_traces::Tracer::default(),
            limits,
            node: node.to_owned(),
        };
        Node { engine: Engine::start(parts).await.unwrap(), store }
    }

    /// An endpoint that is made on this node, with a path of its own.
    pub async fn endpoint(&self, on: &Node, url: &str) -> Endpoint {
        let path = on.engine.ids().next(on.engine.now());
        let endpoint = endpoint_at(&on.engine, &self.organization, &format!("{url}{path}"));
        on.store.create_endpoint(&endpoint, &Default::default(), &edit()).await.unwrap();
        on.engine.changed(&self.organization);
        endpoint
    }

    pub async fn set_status(&self, on: &Node, endpoint: &Endpoint, status: EndpointStatus) {
        on.store.update_endpoint(&Endpoint { status, ..endpoint.clone() }, &edit()).await.unwrap();
        on.engine.changed(&self.organization);
    }

    /// Publishes an event on this node and returns how many deliveries it made.
    pub async fn publish(&self, on: &Node) -> u32 {
        on.engine.accept(&self.organization, vec![event("{}")]).await.unwrap()[0].deliveries_count
    }

    pub async fn deliveries(&self, status: DeliveryStatus) -> Vec<Delivery> {
        let filter = DeliveryFilter { status: Some(status), ..DeliveryFilter::default() };
        let page = PageRequest { limit: 5_000, before: None };
        self.cluster.sqlite.deliveries(&self.organization, &filter, page).await.unwrap().rows
    }

    /// Waits until as many deliveries are in this state.
    pub async fn until_status(&self, status: DeliveryStatus, count: usize) -> Vec<Delivery> {
        self.until_listed(status, |rows| rows.len() >= count).await
    }

    /// Waits until nothing is pending any more.
    pub async fn until_all_ended(&self) {
        self.until_listed(DeliveryStatus::Pending, <[Delivery]>::is_empty).await;
    }

    async fn until_listed(&self, status: DeliveryStatus, is_so: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let all_there = async {
            let mut pace = tokio::time::interval(ASK_EVERY);
            loop {
                pace.tick().await;
                let rows = self.deliveries(status).await;
                if is_so(&rows) {
                    return rows;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, all_there).await {
            Ok(rows) => rows,
            Err(_) => {
                let pending = self.deliveries(DeliveryStatus::Pending).await;
                let first = pending.first().map(|pending| (pending.endpoint, pending.attempts_count));
                panic!("{} are pending, e.g. {first:?}; {}", pending.len(), self.cluster.describe());
            }
        }
    }

    /// Waits until something is so about the shared store.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Cluster) -> bool) {
        let wait = async {
            loop {
                let changed = self.cluster.changed.notified();
                if is_so(&self.cluster) {
                    return;
                }
                changed.await;
            }
        };
        patiently(what, wait).await;
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

impl Node {
    /// Cuts the node off from the store, or lets it back.
    pub fn cut(&self, is_cut: bool) {
        self.store.is_cut.store(is_cut, Ordering::SeqCst);
    }
}

async fn patiently<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}"))
}
