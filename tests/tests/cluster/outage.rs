//! Postgres is gone for a while: what cannot be stored is refused at once, what was under way is recorded afterwards.

use std::time::{Duration, Instant};

use postrider_tests::cluster::{Cluster, Tenant};
use postrider_tests::load::Load;
use postrider_tests::postgres::{Database, PrivateServer};
use postrider_tests::program::from_environment;
use postrider_tests::proxy::{Line, Proxy};
use postrider_tests::receiver::{Gate, Reply};
use postrider_tests::wait::until;
use postrider_tests::world::items;
use serde_json::json;

/// How long Postgres is gone, at least: until every lease would have run out, or as many seconds as `TEST_OUTAGE_SECONDS` says.
fn gone(lease: Duration) -> Duration {
    let given = from_environment("TEST_OUTAGE_SECONDS").map(|text| text.parse().expect("a number of seconds"));
    given.map_or(lease + lease / 4, Duration::from_secs)
}

/// The load.
const PER_SECOND: usize = 60;
/// "At once", with room for a slow machine.
const AT_ONCE: Duration = Duration::from_secs(5);
/// How soon everything goes on after the return.
const AGAIN: Duration = Duration::from_secs(10);

/// How Postgres goes away and comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// It crashes.
    Crash,
    /// It is stopped in good order.
    Stop,
    /// Its host stands still: connections stay, and nobody answers.
    Standstill,
    /// It crashes, and when it is back, one node reaches it later than the other.
    LateNode,
}

/// What an outage befalls.
struct Scene {
    server: PrivateServer,
    cluster: Cluster,
    /// Before the node that holds the delivery under way.
    proxy: Proxy,
    tenant: Tenant,
    load: Load,
}

/// The node behind the proxy.
const BEHIND: usize = 1;

impl Outage {
    async fn begin(self, scene: &mut Scene) {
        match self {
            Outage::Crash => scene.server.stop_immediately().await,
            Outage::Stop => scene.server.stop_fast().await,
            Outage::Standstill => scene.server.pause(),
            Outage::LateNode => {
                scene.proxy.set(Line::Broken);
                scene.server.stop_immediately().await;
            }
        }
    }

    async fn end(self, scene: &mut Scene) {
        match self {
            Outage::Crash | Outage::Stop => scene.server.start_again().await,
            Outage::Standstill => scene.server.resume(),
            Outage::LateNode => {
                let began = Instant::now();
                scene.server.start_again().await;
                // The other works again, and has had time to look at everyone's lease.
                while began.elapsed() < self.lease() / 2 {
                    scene.load.accepts(10).await;
                }
                scene.proxy.set(Line::Whole);
            }
        }
    }

    /// How long leases last: long enough that no node loses its own after the return because the machine is slow.
    fn lease(self) -> Duration {
        Duration::from_secs(if self == Outage::LateNode { 12 } else { 6 })
    }

    /// How long a refusal may take: whom nobody answers has to wait before it knows.
    fn refusal_max(self) -> Duration {
        if self == Outage::Standstill { 3 * AT_ONCE } else { AT_ONCE }
    }

    /// How many requests are refused before it is over, at least.
    fn refused_min(self) -> usize {
        if self == Outage::Standstill { 20 } else { 100 }
    }
}

/// Posts to a node until it is refused no more.
async fn accepts(cluster: &Cluster, node: usize, tenant: &Tenant) {
    until("events are accepted again", async || {
        let answer = tenant.at(cluster.api(node)).try_publish(&json!({"type": "deal.won", "data": {}})).await;
        (answer.status == 202).then_some(())
    })
    .await;
}

/// Waits until the outage was longer than any lease, and requests were refused all the while.
async fn refused_for_longer_than_a_lease(cluster: &Cluster, load: &Load, outage: Outage) {
    let (began, before) = (Instant::now(), load.ledger.refused());
    while began.elapsed() < gone(outage.lease()) || load.ledger.refused() < before + outage.refused_min() {
        let so_far = load.ledger.refused();
        until("the next refusal", async || (load.ledger.refused() > so_far).then_some(())).await;
    }
    for node in 0..cluster.size() {
        cluster.api(node).with(None).get("/healthz").await.expect(200);
        assert_eq!(cluster.api(node).with(None).get("/readyz").await.status, 503);
    }
    let slowest = load.ledger.refused_slowest();
    println!("the slowest refusal took {slowest:?}");
    assert!(slowest < outage.refusal_max(), "a refusal took {slowest:?}");
}

/// Waits until each node accepts again, and a second's worth of the load was stored and sent.
async fn goes_on(scene: &Scene) {
    let Scene { cluster, load, tenant, .. } = scene;
    let back = Instant::now();
    for node in 0..cluster.size() {
        accepts(cluster, node, tenant).await;
    }
    let arrived = cluster.receiver.count();
    load.accepts(PER_SECOND).await;
    let enough = arrived + PER_SECOND * tenant.paths.len();
    cluster.receiver.wait_until("arrivals", || cluster.receiver.count() >= enough).await;
    let took = back.elapsed();
    println!("everything went on {took:?} after the return");
    assert!(took < AGAIN, "everything went on only {took:?} after the return");
}

impl Scene {
    async fn set(lease: Duration) -> Self {
        let server = PrivateServer::start().await;
        let proxy = Proxy::to(server.address()).await;
        let database = Database::create_on(&server.url());
        let through_proxy = database.url_at(proxy.address());
        let mut cluster = Cluster::none_on(database).await.with_lease(lease).grown_by(1).await;
        cluster.add(|setup| setup.env("POSTRIDER_DATABASE_URL", &through_proxy)).await;
        let tenant = cluster.tenant(2).await;
        let per_second = u32::try_from(PER_SECOND).expect("a small number");
        let load = Load::begin(&cluster.front, std::slice::from_ref(&tenant), per_second);
        load.accepts(30).await;
        Scene { server, cluster, proxy, tenant, load }
    }
}

async fn through(outage: Outage) {
    let mut scene = Scene::set(outage.lease()).await;
    let mut waiting = scene.cluster.tenant(0).await;
    scene.cluster.endpoint(&mut waiting, "/waiting").await;
    let gate = Gate::default();
    scene.cluster.receiver.script("/waiting", [Reply::Gated(gate.clone())]);
    let behind = waiting.at(scene.cluster.api(BEHIND));
    let event = behind.publish(&json!({"type": "deal.won", "data": {}})).await;
    let delivery = behind.delivery_of(&event).await;
    scene.cluster.receiver.wait_for("/waiting", 1).await;

    outage.begin(&mut scene).await;
    gate.open();
    refused_for_longer_than_a_lease(&scene.cluster, &scene.load, outage).await;
    outage.end(&mut scene).await;
    goes_on(&scene).await;

    // It stays until the cluster is gone.
    let Scene { cluster, load, server: _server, .. } = scene;
    let recorded = waiting.at(cluster.any()).ended(&delivery, "succeeded").await;
    assert_eq!(items(&recorded["attempts"]).len(), 1, "{recorded}");
    assert_eq!(cluster.receiver.count_at("/waiting"), 1, "what was under way at the stop was sent again");
    load.settled(&cluster).await.has_no_duplicates();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_is_answered_with_503_and_what_was_under_way_is_recorded_afterwards() {
    through(Outage::Crash).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_answered_with_503_and_what_was_under_way_is_recorded_afterwards() {
    through(Outage::Stop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standstill_is_answered_with_503_and_what_was_under_way_is_recorded_afterwards() {
    through(Outage::Standstill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_back_later_than_another_after_a_crash_has_lost_nothing() {
    through(Outage::LateNode).await;
}
