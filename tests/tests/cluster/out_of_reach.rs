//! A node that is cut off from the database, or stands still, for longer than its lease lasts: the others take its lanes, and it begins
//! nothing new before it has a lease again, although it has work in memory.

use postrider_tests::api::Answer;
use postrider_tests::cluster::{Cluster, Tenant};
use postrider_tests::load::Load;
use postrider_tests::postgres::Database;
use postrider_tests::program::{LEASE, Setup};
use postrider_tests::proxy::{Line, Proxy};
use postrider_tests::receiver::{Gate, Reply};
use postrider_tests::wait::{until, within};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// What befalls the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Its line to the database is like this.
    Line(Line),
    /// It is held still, and goes on.
    Standstill,
}

/// Events that the node holds in memory for one endpoint; one of them is under way.
const HELD: usize = 20;
/// Endpoints of the load besides.
const ENDPOINTS: usize = 4;
/// Deliveries of the load that the node may have sent and not recorded when the trouble began: about what its share of the load makes in
/// half a second.
const UNRECORDED_MAX: usize = 40;
/// Requests that the node is asked while it has no lease, to see that it does nothing else either.
const ASKED: usize = 50;

/// A node with work in memory that troubles will befall, another one, and a load on both.
struct Scene {
    cluster: Cluster,
    node: usize,
    other: usize,
    proxy: Proxy,
    /// The endpoint whose deliveries the node holds; the first of them is answered when the gate is opened.
    tenant: Tenant,
    gate: Gate,
    load: Load,
    load_paths: Vec<String>,
}

impl Scene {
    async fn set() -> Self {
        let database = Database::create();
        let proxy = Proxy::to(database.address()).await;
        let through_proxy = database.url_at(proxy.address());
        let mut cluster = Cluster::none_on(database).await.with_lease(LEASE).with_doors();
        let one_slot = |setup: Setup| setup.env("POSTRIDER_LANE_SLOTS_MAX", "1");
        let node = cluster.add(|setup| one_slot(setup).env("POSTRIDER_DATABASE_URL", &through_proxy)).await;
        let mut tenant = cluster.tenant(0).await;
        cluster.endpoint(&mut tenant, "/held").await;
        let gate = Gate::default();
        cluster.receiver.script("/held", [Reply::Gated(gate.clone())]);
        // The lane is free, so the node that stores its first delivery takes it.
        for _ in 0..HELD {
            publish(&cluster, node, &tenant).await.expect(202);
        }
        cluster.receiver.wait_for("/held", 1).await;
        let other = cluster.add(one_slot).await;
        let tenants = [cluster.tenant(ENDPOINTS).await];
        let load = Load::begin(&cluster.front, &tenants, 40);
        load.accepts(40).await;
        let load_paths = tenants[0].paths.values().cloned().collect();
        Scene { cluster, node, other, proxy, tenant, gate, load, load_paths }
    }

    fn begin(&self, trouble: Trouble) {
        self.cluster.take_out(self.node);
        match trouble {
            Trouble::Line(line) => self.proxy.set(line),
            Trouble::Standstill => self.cluster.program(self.node).pause(),
        }
    }

    /// Waits until the other has taken every lane and sent all of it, what was under way too.
    async fn other_takes_over(&self) {
        self.cluster.receiver.wait_for("/held", HELD + 1).await;
        self.tenant.at(self.cluster.api(self.other)).drained().await;
        let accepted = self.load.ledger.accepted();
        self.load.accepts(40).await;
        for path in &self.load_paths {
            self.cluster.receiver.wait_for(path, accepted).await;
        }
    }

    /// Asks the node for much at once, and nothing of it can be stored.
    async fn refuses(&self) {
        let mut asked = JoinSet::new();
        for _ in 0..ASKED {
            let organization = self.tenant.at(self.cluster.api(self.node));
            asked.spawn(async move { organization.try_publish(&event()).await });
        }
        for answer in within("the refusals", asked.join_all()).await {
            answer.problem(503);
        }
    }

    /// Answers the attempt that is under way, which makes room for the next one, and ends the trouble.
    async fn end(&self, trouble: Trouble) {
        let sent = self.cluster.sent_by(self.node);
        self.gate.open();
        match trouble {
            Trouble::Line(_) => {
                self.refuses().await;
                assert_eq!(self.cluster.sent_by(self.node), sent, "it sent something without a lease");
                self.proxy.set(Line::Whole);
            }
            Trouble::Standstill => self.cluster.program(self.node).resume(),
        }
        let works = async || (publish(&self.cluster, self.node, &self.tenant).await.status == 202).then_some(());
        until("the node works again", works).await;
        self.cluster.put_back(self.node);
        self.cluster.receiver.wait_for("/held", HELD + 2).await;
        self.load.accepts(40).await;
    }
}

async fn publish(cluster: &Cluster, node: usize, tenant: &Tenant) -> Answer {
    tenant.at(cluster.api(node)).try_publish(&event()).await
}

fn event() -> Value {
    json!({"type": "deal.won", "data": {}})
}

async fn longer_than_a_lease(trouble: Trouble) {
    let scene = Scene::set().await;
    scene.begin(trouble);
    scene.other_takes_over().await;
    scene.end(trouble).await;
    let Scene { cluster, tenant, load, .. } = scene;
    load.settled(&cluster).await.has_duplicates_at_most(UNRECORDED_MAX);
    let organization = tenant.at(cluster.any());
    organization.drained().await;
    let recorded = organization.all_deliveries("status=succeeded").await;
    assert_eq!(recorded.len(), HELD + 1);
    assert!(recorded.iter().all(|delivery| delivery["attempts_count"] == 1), "{recorded:?}");
    let sent = cluster.receiver.count_at("/held");
    assert_eq!(sent, HELD + 2, "only what was under way was sent twice: the node began nothing without a lease");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_connections_to_the_database_break_begins_nothing_while_others_have_its_lanes() {
    longer_than_a_lease(Trouble::Line(Line::Broken)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hears_nothing_from_the_database_begins_nothing_while_others_have_its_lanes() {
    longer_than_a_lease(Trouble::Line(Line::Silent)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stood_still_begins_nothing_of_what_others_took_meanwhile() {
    longer_than_a_lease(Trouble::Standstill).await;
}
