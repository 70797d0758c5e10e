//! Rotations among nodes: one that is asked of one node is never undone by a change asked of another at the same moment.

use postrider_tests::cluster::Cluster;
use postrider_tests::sign::hmac_hex;
use postrider_tests::world::text;
use serde_json::{Value, json};

const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_rotated_on_one_node_is_not_lost_to_a_change_made_on_another() {
    let cluster = Cluster::start(2).await;
    let tenant = cluster.tenant(1).await;
    let (here, there) = (tenant.at(cluster.api(0)), tenant.at(cluster.api(1)));
    let fields = json!({"contract": "salesos", "events": ["order.created"]});
    let endpoint = here.endpoint(&cluster.receiver.url("/rotated"), fields).await;
    let path = here.path(&format!("/endpoints/{}", endpoint.id));
    for round in 0..ROUNDS {
        let (secret, name) = (format!("secret-{round}"), format!("name-{round}"));
        let rotation = json!({"secret": secret, "overlap": "0s"});
        let (rotate, change) = (format!("{path}/secret/rotate"), json!({"name": name}));
        let (rotated, changed) = tokio::join!(here.api.post(&rotate, &rotation), there.api.patch(&path, &change));
        rotated.expect(200);
        changed.expect(200);
        assert_eq!(text(&here.api.get(&path).await.expect(200)["name"]), name, "round {round}");
        let test = there.api.post(&format!("{path}/test"), &json!({"type": "order.created"})).await.expect(200);
        assert_eq!(test["succeeded"], true);
        let arrived = cluster.receiver.wait_for("/rotated", round + 1).await.pop().unwrap();
        let signed = hmac_hex(&secret, &arrived.body);
        assert_eq!(
            arrived.header("x-webhook-signature"),
            Some(signed.as_str()),
            "round {round}: the rotation was undone"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_rotations_on_two_nodes_at_once_one_waits_for_the_other() {
    let cluster = Cluster::start(2).await;
    let tenant = cluster.tenant(1).await;
    let (here, there) = (tenant.at(cluster.api(0)), tenant.at(cluster.api(1)));
    for round in 0..ROUNDS {
        let endpoint = here.endpoint(&cluster.receiver.url("/in"), json!({})).await;
        let path = here.path(&format!("/endpoints/{}", endpoint.id));
        let (rotate, body) = (format!("{path}/secret/rotate"), json!({}));
        let (one, two) = tokio::join!(here.api.post(&rotate, &body), there.api.post(&rotate, &body));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "round {round}: {} {}", one.text(), two.text());
        assert_ne!(there.api.get(&path).await.expect(200)["overlap"], Value::Null);
        here.api.delete(&path).await.expect(204);
    }
}
