//! Strict order by record, published to two nodes in turn, while its lane goes from one to the other.

use std::collections::HashMap;

use postrider_tests::cluster::Cluster;
use postrider_tests::receiver::Reply;
use serde_json::json;

const EVENTS: u64 = 150;
const RECORDS: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_records_events_arrive_in_order_though_their_lane_is_handed_over_and_its_node_killed() {
    let mut cluster = Cluster::start(2).await;
    let tenant = cluster.tenant(1).await;
    let (endpoint, path) = tenant.paths.first_key_value().unwrap();
    let ordered = json!({"ordering": "resource"});
    let organization = tenant.at(cluster.api(0));
    cluster.api(0).patch(&organization.path(&format!("/endpoints/{endpoint}")), &ordered).await.expect(200);
    cluster.receiver.script(path, (0..120).map(|nth| Reply::status(if nth % 23 == 7 { 503 } else { 200 })));
    for number in 0..EVENTS {
        let resource = json!({"type": "deal", "id": (number % RECORDS).to_string()});
        let event = json!({"type": "deal.won", "data": {"number": number}, "resource": resource});
        // The one answered before the next is sent: that is the order, whichever nodes they went to.
        let node = if (50..120).contains(&number) { 1 } else { (number % 2) as usize };
        cluster.api(node).post(&organization.path("/events"), &event).await.expect(202);
        match number {
            49 => drop(cluster.stop(0).await),
            119 => cluster.start_again(0).await,
            _ => {}
        }
    }
    cluster.kill(1).await;
    tenant.at(cluster.api(0)).drained().await;
    let mut last: HashMap<u64, u64> = HashMap::new();
    let mut seen = std::collections::HashSet::new();
    for request in cluster.receiver.at(path) {
        let number = request.json()["data"]["number"].as_u64().unwrap();
        seen.insert(number);
        let before = last.insert(number % RECORDS, number);
        assert!(before.is_none_or(|before| before <= number), "{number} came after {before:?}");
    }
    assert_eq!(seen.len() as u64, EVENTS, "none is left behind");
}
