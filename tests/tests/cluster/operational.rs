//! Operational events among nodes: whichever node publishes, and when one of them is killed, each is stored once.

use std::collections::BTreeSet;

use postrider_tests::cluster::Cluster;
use postrider_tests::postgres::Database;
use postrider_tests::program::LEASE;
use postrider_tests::wait::until;
use postrider_tests::world::{items, text};
use serde_json::json;

use crate::operational::{operator, rotate};

/// On each of two nodes, one after the other.
const ROTATIONS: usize = 12;
const TEN_MINUTES_MS: i64 = 600_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_one_publishes_each_event_also_when_the_other_is_killed() {
    let mut cluster = Cluster::none_on(Database::create()).await.with_lease(LEASE);
    for _ in 0..2 {
        cluster.add(|setup| setup.env("POSTRIDER_OPERATIONAL_ORGANIZATION", "ops")).await;
    }
    let (ops, _) = operator(&cluster.any(), &cluster.receiver.url("/ops")).await;
    let tenant = cluster.tenant(0).await;
    let endpoint = tenant.at(cluster.any()).endpoint(&cluster.receiver.url("/in"), json!({})).await;
    for round in 0..ROTATIONS {
        rotate(&tenant.at(cluster.api(round % 2)), &endpoint, None).await;
    }
    cluster.receiver.wait_for("/ops", ROTATIONS).await;
    for round in 0..ROTATIONS {
        rotate(&tenant.at(cluster.api(round % 2)), &endpoint, None).await;
    }
    cluster.kill(0).await;
    // What the killed node had claimed is another's once its claim has run out.
    cluster.api(1).post("/test-clock/advance", &json!({"ms": TEN_MINUTES_MS})).await.expect(200);
    let path = format!("/v1/organizations/{}/events?limit=100", ops.id);
    let stored = until("every event is stored", async || {
        let stored = items(&cluster.api(1).get(&path).await.expect(200)["data"]);
        (stored.len() >= 2 * ROTATIONS).then_some(stored)
    })
    .await;
    let ids: BTreeSet<_> = stored.iter().map(|event| text(&event["id"])).collect();
    assert_eq!((stored.len(), ids.len()), (2 * ROTATIONS, 2 * ROTATIONS), "{stored:?}");
    let told = || {
        cluster
            .receiver
            .at("/ops")
            .iter()
            .filter_map(|one| one.header("webhook-id").map(str::to_owned))
            .collect::<BTreeSet<_>>()
    };
    cluster.receiver.wait_until("every event arrived", || told() == ids).await;
}
