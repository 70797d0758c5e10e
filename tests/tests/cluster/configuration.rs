//! What is changed through one node holds for a request to another right afterwards.

use std::time::{Duration, Instant};

use postrider_tests::api::Call;
use postrider_tests::cluster::Cluster;
use postrider_tests::wait::until;
use postrider_tests::world::text;
use serde_json::json;

const ROUNDS: usize = 15;
/// Keys are remembered for five seconds; the rest is room for a slow machine.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_made_paused_or_deleted_on_one_node_is_so_for_the_next_event_on_another() {
    let cluster = Cluster::start(2).await;
    let tenant = cluster.tenant(0).await;
    for round in 0..ROUNDS {
        let here = tenant.at(cluster.api(round % 2));
        let there = tenant.at(cluster.api((round + 1) % 2));
        let deliveries = async || {
            let answer = there.try_publish(&json!({"type": "deal.won", "data": {}})).await;
            answer.expect(202)["deliveries_count"].as_u64().unwrap()
        };
        assert_eq!(deliveries().await, 0, "round {round}: before there was one");
        let path = format!("/round/{round}");
        let endpoint = here.endpoint(&cluster.receiver.url(&path), json!({})).await;
        assert_eq!(deliveries().await, 1, "round {round}: after it was made");
        cluster.receiver.wait_for(&path, 1).await;
        let endpoint = here.path(&format!("/endpoints/{}", endpoint.id));
        here.api.patch(&endpoint, &json!({"enabled": false})).await.expect(200);
        assert_eq!(deliveries().await, 0, "round {round}: while it is paused");
        here.api.patch(&endpoint, &json!({"enabled": true})).await.expect(200);
        assert_eq!(deliveries().await, 1, "round {round}: after it was enabled");
        cluster.receiver.wait_for(&path, 2).await;
        let moved = format!("/moved/{round}");
        here.api.patch(&endpoint, &json!({"url": cluster.receiver.url(&moved)})).await.expect(200);
        assert_eq!(deliveries().await, 1);
        cluster.receiver.wait_for(&moved, 1).await;
        assert_eq!(cluster.receiver.count_at(&path), 2, "round {round}: sent to the old address");
        here.api.delete(&endpoint).await.expect(204);
        assert_eq!(deliveries().await, 0, "round {round}: after it was deleted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_of_an_organisation_on_two_nodes_at_once_neither_is_lost() {
    let cluster = Cluster::start(2).await;
    let tenant = cluster.tenant(1).await;
    let (here, there) = (tenant.at(cluster.api(0)), tenant.at(cluster.api(1)));
    for round in 0..ROUNDS {
        let (name, email) = (format!("Name {round}"), format!("owner-{round}@example.com"));
        let (named, owned) = (json!({"name": name}), json!({"owner_email": email}));
        let path = here.path("");
        let (one, other) = tokio::join!(here.api.patch(&path, &named), there.api.patch(&path, &owned));
        one.expect(200);
        other.expect(200);
        let now = here.api.get(&path).await.expect(200);
        assert_eq!((&now["name"], &now["owner_email"]), (&json!(name), &json!(email)), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_that_put_one_organisation_at_once_one_makes_it_and_the_other_replaces_it() {
    let cluster = Cluster::start(2).await;
    for round in 0..ROUNDS {
        let (path, body) = (format!("/v1/organizations/put-{round}"), json!({"name": "Put"}));
        let (one, other) = (cluster.api(0), cluster.api(1));
        let (one, other) = tokio::join!(one.put(&path, &body), other.put(&path, &body));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201], "round {round}: {} {}", one.text(), other.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_deleted_on_one_node_is_gone_on_another() {
    let cluster = Cluster::start(2).await;
    for round in 0..ROUNDS {
        let tenant = cluster.tenant(1).await;
        let here = tenant.at(cluster.api(round % 2));
        let there = tenant.at(cluster.api((round + 1) % 2));
        there.try_publish(&json!({"type": "deal.won", "data": {}})).await.expect(202);
        here.api.delete(&here.path("")).await.expect(204);
        there.try_publish(&json!({"type": "deal.won", "data": {}})).await.problem(404);
        there.api.get(&there.path("")).await.problem(404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_works_on_another_node_at_once_and_not_for_long_after_it_was_deleted() {
    let cluster = Cluster::start(2).await;
    let tenant = cluster.tenant(1).await;
    let (here, there) = (tenant.at(cluster.api(0)), tenant.at(cluster.api(1)));
    let body = json!({"name": "Key", "scopes": ["events:write"]});
    let made = here.api.post(&here.path("/keys"), &body).await.expect(201);
    let with_key = tenant.at(there.api.with(made["key"].as_str()));
    let event = json!({"type": "deal.won", "data": {}});
    with_key.try_publish(&event).await.expect(202);
    here.api.delete(&here.path(&format!("/keys/{}", text(&made["id"])))).await.expect(204);
    // A node remembers for some seconds which keys it has seen.
    let deleted = Instant::now();
    until("the key is refused", async || (with_key.try_publish(&event).await.status == 401).then_some(())).await;
    assert!(deleted.elapsed() < FORGOTTEN_WITHIN, "the key worked for {:?} after it was deleted", deleted.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_and_an_event_id_hold_on_every_node() {
    let cluster = Cluster::start(2).await;
    let tenant = cluster.tenant(1).await;
    let body = json!({"id": "crm-17", "type": "deal.won", "data": {"a": 1}});
    for number in 0..ROUNDS {
        let (here, there) = (tenant.at(cluster.api(number % 2)), tenant.at(cluster.api((number + 1) % 2)));
        let first = here.try_publish(&body).await.expect(202);
        assert_eq!(there.try_publish(&body).await.expect(202), first);
        let mut other = body.clone();
        other["data"] = json!({"a": 2});
        assert_eq!(there.try_publish(&other).await.pointers(422), ["/id"]);
        let call = Call::new("POST", &here.path("/events")).json(&json!({"type": "deal.won", "data": {}}));
        let call = call.header("idempotency-key", &format!("key-{number}"));
        let first = here.api.call(call.clone()).await.expect(202);
        assert_eq!(there.api.call(call).await.expect(202), first);
    }
    tenant.at(cluster.any()).drained().await;
    assert_eq!(cluster.receiver.count(), 1 + ROUNDS);
}
