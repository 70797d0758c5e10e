//! Postgres is gone for a while: what cannot be stored is refused at once, what was under way is recorded afterwards.

use std::time::{Duration, Instant};

use postrider_tests::cluster::{Cluster, Tenant};
use postrider_tests::load::Load;
use postrider_tests::postgres::{Database, PrivateServer};
use postrider_tests::program::from_environment;
use postrider_tests::receiver::{Gate, Reply};
use postrider_tests::wait::until;
use postrider_tests::world::items;
use serde_json::json;

/// How long Postgres is gone, at least: until every lease would have run out, or as many seconds as `TEST_OUTAGE_SECONDS` says.
fn gone() -> Duration {
    let given = from_environment("TEST_OUTAGE_SECONDS").map(|text| text.parse().expect("a number of seconds"));
    given.map_or(3 * LEASE, Duration::from_secs)
}

/// Long enough that no node loses it after the return because its machine is slow, and short beside the outage.
const LEASE: Duration = Duration::from_secs(4);
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
}

impl Outage {
    async fn begin(self, server: &mut PrivateServer) {
        match self {
            Outage::Crash => server.stop_immediately().await,
            Outage::Stop => server.stop_fast().await,
            Outage::Standstill => server.pause(),
        }
    }

    async fn end(self, server: &mut PrivateServer) {
        match self {
            Outage::Crash | Outage::Stop => server.start_again().await,
            Outage::Standstill => server.resume(),
        }
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

/// Posts until it is refused no more, to each node.
async fn each_accepts(cluster: &Cluster, tenant: &Tenant) {
    for node in 0..cluster.size() {
        let again = async || {
            let answer = tenant.at(cluster.api(node)).try_publish(&json!({"type": "deal.won", "data": {}})).await;
            (answer.status == 202).then_some(())
        };
        until("events are accepted again", again).await;
    }
}

/// Waits until the outage was longer than any lease, and requests were refused all the while.
async fn refused_for_longer_than_a_lease(cluster: &Cluster, load: &Load, outage: Outage) {
    let (began, before) = (Instant::now(), load.ledger.refused());
    while began.elapsed() < gone() || load.ledger.refused() < before + outage.refused_min() {
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
async fn goes_on(cluster: &Cluster, load: &Load, tenant: &Tenant) {
    let back = Instant::now();
    each_accepts(cluster, tenant).await;
    let arrived = cluster.receiver.count();
    load.accepts(PER_SECOND).await;
    let enough = arrived + PER_SECOND * tenant.paths.len();
    cluster.receiver.wait_until("arrivals", || cluster.receiver.count() >= enough).await;
    let took = back.elapsed();
    println!("everything went on {took:?} after the return");
    assert!(took < AGAIN, "everything went on only {took:?} after the return");
}

async fn through(outage: Outage) {
    let mut server = PrivateServer::start().await;
    let cluster = Cluster::none_on(Database::create_on(&server.url())).await.with_lease(LEASE).grown_by(2).await;
    let tenants = [cluster.tenant(2).await];
    let mut waiting = cluster.tenant(0).await;
    cluster.endpoint(&mut waiting, "/waiting").await;
    let gate = Gate::default();
    cluster.receiver.script("/waiting", [Reply::Gated(gate.clone())]);
    let load = Load::begin(&cluster.front, &tenants, u32::try_from(PER_SECOND).unwrap());
    load.accepts(30).await;
    let event = waiting.at(cluster.any()).publish(&json!({"type": "deal.won", "data": {}})).await;
    let delivery = waiting.at(cluster.any()).delivery_of(&event).await;
    cluster.receiver.wait_for("/waiting", 1).await;

    outage.begin(&mut server).await;
    gate.open();
    refused_for_longer_than_a_lease(&cluster, &load, outage).await;
    outage.end(&mut server).await;
    goes_on(&cluster, &load, &tenants[0]).await;

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
