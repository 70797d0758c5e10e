//! Nodes on a real Postgres: what the model of a shared store leaves out.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{DeliveryStatus, Endpoint, OrganizationId};
use postrider_engine::{Clock, Engine, EngineLimits, EngineParts, MovableClock, StoreClock};
use postrider_scratch::Database;
use postrider_store::{Delivery, DeliveryFilter, MasterKey, PageRequest, PostgresOptions, PostgresStore};

use crate::support::{
    ASK_EVERY, FAIL, HELD, OK, PATIENCE, Receiver, audit, contracts, edit, egress, endpoint_at, event, organization,
    until,
};

struct Nodes {
    database: Database,
    clock: Arc<MovableClock>,
    organization: OrganizationId,
}

/// A lease that runs out soon, and not because a machine is slow.
fn quick() -> EngineLimits {
    EngineLimits { lease: Duration::from_secs(3), sweep_every: Duration::from_secs(1), ..EngineLimits::default() }
}

impl Nodes {
    /// An empty database, and the first node on it.
    async fn new() -> (Nodes, Engine) {
        let database = Database::create();
        let clock = Arc::new(MovableClock::over(Arc::new(StoreClock::default())));
        let mut nodes = Nodes { database, clock, organization: "acme".parse().unwrap() };
        let first = nodes.join("a", quick()).await;
        let organization = organization(first.now());
        first.store().create_organization(&organization, &audit()).await.unwrap();
        nodes.organization = organization.id;
        (nodes, first)
    }

    async fn join(&self, node: &str, limits: EngineLimits) -> Engine {
        let master = MasterKey::from_base64(&data_encoding::BASE64.encode(&[7; 32])).unwrap();
        let options = PostgresOptions { connections_max: 8, ..PostgresOptions::default() };
        let store = Arc::new(PostgresStore::open(&self.database.url(), master, &options).await.unwrap());
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let parts = EngineParts {
            store,
            contracts: contracts(),
            egress: egress(),
            clock,
            mailer: None,
            operational: None,
            tracer: postrider_traces::Tracer::default(),
            limits,
            node: node.to_owned(),
        };
        Engine::start(parts).await.unwrap()
    }

    async fn endpoint(&self, on: &Engine, url: &str) -> Endpoint {
        let path = on.ids().next(on.now());
        let endpoint = endpoint_at(on, &self.organization, &format!("{url}{path}"));
        on.store().create_endpoint(&endpoint, &Default::default(), &edit()).await.unwrap();
        on.changed(&self.organization);
        endpoint
    }

    async fn publish(&self, on: &Engine) -> u32 {
        on.accept(&self.organization, vec![event("{}")]).await.unwrap()[0].deliveries_count
    }

    async fn until(&self, on: &Engine, status: DeliveryStatus, count: usize) -> Vec<Delivery> {
        let filter = DeliveryFilter { status: Some(status), ..DeliveryFilter::default() };
        let page = PageRequest { limit: 1_000, before: None };
        let all_there = async || {
            let rows = on.store().deliveries(&self.organization, &filter, page).await.unwrap().rows;
            Some(rows).filter(|rows| rows.len() >= count)
        };
        until("the deliveries get there", all_there).await
    }

    /// Waits until as many lanes as that are attached to nodes of this name.
    async fn until_lanes(&self, node: &str, is_enough: impl Fn(i64) -> bool) -> i64 {
        let client = self.database.client().await;
        let sql = "SELECT count(*) FROM postrider.lanes l JOIN postrider.leases e ON e.no = l.lease WHERE e.node = $1";
        let wait = async {
            let mut pace = tokio::time::interval(ASK_EVERY);
            loop {
                pace.tick().await;
                let count: i64 = client.query_one(sql, &[&node]).await.unwrap().get(0);
                if is_enough(count) {
                    return count;
                }
            }
        };
        if let Ok(count) = tokio::time::timeout(PATIENCE, wait).await {
            return count;
        }
        let all = "SELECT e.node, l.due_at - (extract(epoch FROM clock_timestamp()) * 1000)::bigint
                   FROM postrider.lanes l LEFT JOIN postrider.leases e ON e.no = l.lease";
        let rows = client.query(all, &[]).await.unwrap();
        let lanes: Vec<(Option<String>, Option<i64>)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        panic!("lanes did not get to {node}: {lanes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_to_either_node_are_delivered_once() {
    let (nodes, a) = Nodes::new().await;
    let b = nodes.join("b", quick()).await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    for _ in 0..3 {
        nodes.endpoint(&a, &receiver.url).await;
    }
    for _ in 0..25 {
        assert_eq!((nodes.publish(&a).await, nodes.publish(&b).await), (3, 3));
    }
    nodes.endpoint(&b, &receiver.url).await;
    assert_eq!(nodes.publish(&a).await, 4, "the new endpoint is known on every node at once");
    nodes.until(&a, DeliveryStatus::Succeeded, 154).await;
    let times = receiver.times_by_id();
    assert_eq!((times.len(), times.values().max()), (154, Some(&1)));
    tokio::join!(a.stop(), b.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_had_that_is_gone_is_sent_by_another() {
    let (nodes, a) = Nodes::new().await;
    let receiver = Receiver::start(|nth| Some(if nth == 0 { HELD } else { OK })).await;
    nodes.endpoint(&a, &receiver.url).await;
    for _ in 0..5 {
        nodes.publish(&a).await;
    }
    receiver.until(1).await;
    let b = nodes.join("b", quick()).await;
    // Its connections are gone, while its engine lives on and would go on sending.
    a.store().close().await.unwrap();
    nodes.until_lanes("b", |count| count == 1).await;
    receiver.let_go();
    nodes.until(&b, DeliveryStatus::Succeeded, 5).await;
    let mut times: Vec<_> = receiver.times_by_id().into_values().collect();
    times.sort_unstable();
    assert_eq!(times, [1, 1, 1, 1, 2], "only what was under way is sent twice");
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_hands_over_at_once() {
    let (nodes, a) = Nodes::new().await;
    let limits = EngineLimits { stop_grace: Duration::from_millis(50), lease: Duration::from_secs(600), ..quick() };
    let b = nodes.join("b", limits).await;
    let receiver = Receiver::start(|nth| Some(if nth == 0 { HELD } else { OK })).await;
    nodes.endpoint(&b, &receiver.url).await;
    for _ in 0..5 {
        nodes.publish(&b).await;
    }
    receiver.until(1).await;
    assert_eq!(b.stop().await, 1);
    nodes.until(&a, DeliveryStatus::Succeeded, 5).await;
    assert_eq!(receiver.times_by_id().values().sum::<usize>(), 6);
    a.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joins_gets_lanes_of_one_that_has_more() {
    let (nodes, a) = Nodes::new().await;
    let receiver = Receiver::start(|nth| Some(if nth < 30 { FAIL } else { OK })).await;
    for _ in 0..30 {
        nodes.endpoint(&a, &receiver.url).await;
    }
    assert_eq!(nodes.publish(&a).await, 30);
    receiver.until(30).await;
    let b = nodes.join("b", quick()).await;
    nodes.until_lanes("a", |count| count <= 16).await;
    nodes.clock.advance(Duration::from_secs(3_600));
    nodes.until(&b, DeliveryStatus::Succeeded, 30).await;
    // Lanes that wait for a second attempt are free until it is due, and anybody's then: how many each has in the end is not told.
    nodes.until_lanes("b", |count| count >= 5).await;
    assert!(receiver.times_by_id().values().all(|count| *count == 2));
    tokio::join!(a.stop(), b.stop());
}
