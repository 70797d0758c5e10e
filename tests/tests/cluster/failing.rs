//! An endpoint's failures are counted on, whichever node makes the attempts: the streak lies in the store.

use postrider_tests::cluster::{Cluster, Tenant};
use postrider_tests::mail::{MailSecurity, MailServer};
use postrider_tests::postgres::Database;
use postrider_tests::program::LEASE;
use postrider_tests::receiver::Reply;
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, text};
use serde_json::{Value, json};

/// How the node ends that has made the attempts so far.
#[derive(Clone, Copy, Debug)]
enum End {
    Killed,
    Stopped,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_streak_goes_on_when_its_node_is_killed_and_its_owner_is_told_once() {
    a_streak_goes_on(End::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_streak_goes_on_when_its_node_is_stopped_and_its_owner_is_told_once() {
    a_streak_goes_on(End::Stopped).await;
}

async fn a_streak_goes_on(end: End) {
    let server = MailServer::planned(MailSecurity::StartTls);
    let mut inbox = server.open().await;
    let mut cluster = Cluster::none_on(Database::create()).await.with_lease(LEASE).with_doors();
    // One attempt after the other, so that each is counted before the next.
    let node = cluster.add(|setup| server.used_by(setup).env("POSTRIDER_LANE_SLOTS_MAX", "1")).await;
    let tenant = owned(&cluster).await;
    let endpoint = tenant.at(cluster.any()).endpoint(&cluster.receiver.url("/in"), json!({})).await.id;
    cluster.receiver.always("/in", Reply::status(500));
    // Up to each number that something happens at, so that nothing is recorded together with it.
    for (count, in_all) in [(24, 24), (1, 25), (5, 30)] {
        publish(&tenant.at(cluster.any()), count).await;
        shown_when(&tenant.at(cluster.any()), &endpoint, |shown| shown["consecutive_failures"] == in_all).await;
    }
    assert!(inbox.next().await["text"].as_str().is_some_and(|text| text.contains("has failed 25 times")));

    let other = cluster.add(|setup| server.used_by(setup).env("POSTRIDER_LANE_SLOTS_MAX", "1")).await;
    assert!(cluster.sent_by(node) >= 30 && cluster.sent_by(other) == 0);
    match end {
        End::Killed => cluster.kill(node).await,
        End::Stopped => cluster.stop(node).await,
    };
    let there = tenant.at(cluster.api(other));
    publish(&there, 19).await;
    let shown = shown_when(&there, &endpoint, |shown| shown["consecutive_failures"] == 49).await;
    assert_eq!(shown["status"], "active");
    publish(&there, 1).await;
    let shown = shown_when(&there, &endpoint, |shown| shown["status"] == "disabled").await;
    assert_eq!(shown["disabled_reason"], "50 attempts in a row failed; the latest was answered with status 500");
    assert!(inbox.next().await["text"].as_str().is_some_and(|text| text.contains("has failed 50 times")));

    // What comes next is about something else, on whichever node.
    cluster.start_again(node).await;
    there.endpoint(&cluster.receiver.url("/gone"), json!({})).await;
    cluster.receiver.always("/gone", Reply::status(410));
    publish(&tenant.at(cluster.api(node)), 1).await;
    assert!(inbox.next().await["text"].as_str().is_some_and(|text| text.contains("410 Gone")));
}

/// An organisation of the contract that disables after 50 failures, with an owner.
async fn owned(cluster: &Cluster) -> Tenant {
    let body =
        json!({"name": "Tenant", "contract": "salessheet", "plan": "pro", "owner_email": "owner@customer.example"});
    let made = cluster.any().post("/v1/organizations", &body).await.expect(201);
    Tenant { id: text(&made["id"]), paths: Default::default() }
}

async fn publish(organization: &Organization, count: usize) {
    for number in 0..count {
        organization.publish(&json!({"type": "deal.won", "data": {"id": number.to_string()}})).await;
    }
}

async fn shown_when(organization: &Organization, endpoint: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let path = organization.path(&format!("/endpoints/{endpoint}"));
    until("the endpoint", async || {
        let shown = organization.api.get(&path).await.expect(200);
        is_so(&shown).then_some(shown)
    })
    .await
}
