//! Recoveries and erasures among many nodes: another goes on when one dies, and what is erased on one is sent by none.

use std::time::Duration;

use postrider_tests::cluster::Cluster;
use postrider_tests::postgres::Database;
use postrider_tests::receiver::{Gate, Reply};
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, text};
use serde_json::{Value, json};

const LEASE: Duration = Duration::from_secs(3);

async fn ended(organization: &Organization, operation: &str) -> Value {
    until("the operation's end", async || {
        let path = organization.path(&format!("/operations/{operation}"));
        Some(organization.api.get(&path).await.expect(200)).filter(|found| found["status"] != "running")
    })
    .await
}

async fn publish(organization: &Organization, count: u64) {
    let events: Vec<_> = (0..count).map(|number| json!({"type": "deal.won", "data": {"number": number}})).collect();
    for some in events.chunks(100) {
        organization.api.post(&organization.path("/events/batch"), &json!({"events": some})).await.expect(202);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_goes_on_when_the_node_that_is_at_it_dies() {
    const EVENTS: u64 = 400;
    let mut cluster = Cluster::none_on(Database::create()).await.with_lease(LEASE).grown_by(2).await;
    let mut tenant = cluster.tenant(0).await;
    let here = tenant.at(cluster.api(0));
    let endpoint = cluster.endpoint(&mut tenant, "/in").await;
    let path = here.path(&format!("/endpoints/{}", endpoint.id));
    here.api.patch(&path, &json!({"enabled": false})).await.expect(200);
    publish(&here, EVENTS).await;
    here.api.patch(&path, &json!({"enabled": true})).await.expect(200);
    let body = json!({"since": "2020-01-01T00:00:00Z"});
    let operation = text(&here.api.post(&format!("{path}/recover"), &body).await.expect(202)["operation"]);
    let receiver = &cluster.receiver;
    receiver.wait_until("some of it", || receiver.count_at("/in") >= 50).await;
    cluster.kill(0).await;
    let there = tenant.at(cluster.api(1));
    let found = ended(&there, &operation).await;
    assert_eq!((&found["status"], &found["done"]), (&json!("succeeded"), &json!(EVENTS)), "{found}");
    there.drained().await;
    let all = there.all_deliveries("").await;
    assert_eq!(all.len() as u64, EVENTS, "one delivery for each event");
    assert!(all.iter().all(|delivery| delivery["status"] == "succeeded" && delivery["attempts_count"] == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_erased_through_one_node_is_not_sent_by_the_one_that_holds_it() {
    let cluster = Cluster::none_on(Database::create()).await.with_lease(LEASE).grown_by(2).await;
    let gate = Gate::default();
    // Several endpoints, whose lanes are with both nodes.
    let mut tenant = cluster.tenant(0).await;
    let paths: Vec<String> = (0..4).map(|number| format!("/stuck/{number}")).collect();
    for path in &paths {
        cluster.receiver.always(path, Reply::Gated(gate.clone()));
        cluster.endpoint(&mut tenant, path).await;
    }
    let (here, there) = (tenant.at(cluster.api(0)), tenant.at(cluster.api(1)));
    let ada = json!({"type": "contact.updated", "resource": {"type": "contact", "id": "ada"}, "data": {"who": "ada"}});
    for _ in 0..10 {
        here.publish(&ada).await;
        there.publish(&ada).await;
    }
    for path in &paths {
        cluster.receiver.wait_for(path, 1).await;
    }
    let body = json!({"resource": "contact:ada"});
    let operation = text(&here.api.post(&here.path("/erasures"), &body).await.expect(202)["operation"]);
    let found = ended(&there, &operation).await;
    assert_eq!((&found["status"], &found["removed"]["events"]), (&json!("succeeded"), &json!(20)), "{found}");
    let grace =
        json!({"type": "contact.updated", "resource": {"type": "contact", "id": "grace"}, "data": {"who": "grace"}});
    there.publish(&grace).await;
    let sent = cluster.receiver.count();
    gate.open();
    let arrived = |path: &String| cluster.receiver.at(path).iter().any(|request| request.text().contains("grace"));
    cluster.receiver.wait_until("Grace", || paths.iter().all(arrived)).await;
    there.drained().await;
    assert_eq!(cluster.receiver.count(), sent + paths.len(), "something of Ada was sent after the erasure");
}
