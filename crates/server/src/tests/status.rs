//! How the whole is doing, as the operator is told.

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::world::{World, until};

#[tokio::test]
async fn the_operator_sees_the_node_and_what_waits_and_nobody_else_does() {
    let world = World::new().await;
    world.organization("acme").await;
    let receiver = Receiver::new(|| axum::response::Response::builder().status(500).body(Body::empty()).unwrap()).await;
    world.endpoint("acme", &receiver.url).await;
    let status = async || world.get("/v1/status").await.expect(200);
    let before = status().await;
    assert_eq!((&before["store"], &before["version"]), (&json!("sqlite"), &json!(env!("CARGO_PKG_VERSION"))));
    let [node] = before["nodes"].as_array().unwrap().as_slice() else { panic!("{before}") };
    assert_eq!((&node["this"], &node["renewed_at"]), (&json!(true), &Value::Null));
    let waiting =
        |status: &Value| ["pending_deliveries", "due_deliveries", "is_estimate"].map(|name| status[name].clone());
    assert_eq!(waiting(&before), [json!(0), json!(0), json!(false)]);
    world.post("/v1/organizations/acme/events", json!({"type": "deal.won", "data": {}})).await.expect(202);
    // It failed once: the second attempt is for later.
    let after = until("the first attempt is over", async || {
        let status = status().await;
        (waiting(&status) == [json!(1), json!(0), json!(false)] && status["attempts_under_way"] == 0).then_some(status)
    })
    .await;
    assert_eq!((&after["oldest_due_at"], &after["nodes"][0]["lanes"]), (&Value::Null, &json!(1)));
    for role in ["admin", "viewer"] {
        let token = world.token("acme", role, &Value::Null);
        world.ask(&token, Method::GET, "/v1/status", Body::empty()).await.problem(403);
    }
    let key = world.key("acme", &["deliveries:read"]).await;
    world.ask(&key, Method::GET, "/v1/status", Body::empty()).await.problem(403);
}
