//! How the whole is doing, as the operator is told.

use postrider_tests::receiver::Reply;
use postrider_tests::wait::until;
use postrider_tests::world::{Store, World, items};
use serde_json::json;

postrider_tests::on_each_store!(the_operator_sees_the_node_its_store_and_what_waits);

async fn the_operator_sees_the_node_its_store_and_what_waits(store: Store) {
    let world = World::start_on(store).await;
    let status = world.api.get("/v1/status").await.expect(200);
    let name = if store == Store::Postgres { "postgres" } else { "sqlite" };
    assert_eq!((&status["store"], &status["pending_deliveries"]), (&json!(name), &json!(0)), "{status}");
    assert_eq!((&status["oldest_due_at"], &status["is_estimate"]), (&json!(null), &json!(false)), "{status}");
    let nodes = items(&status["nodes"]);
    assert_eq!((nodes.len(), &nodes[0]["this"]), (1, &json!(true)), "{status}");
    assert_eq!(nodes[0]["renewed_at"].is_string(), store == Store::Postgres, "{status}");

    // One waits for its retry, another is under way.
    world.receiver.always("/bad", Reply::status(500));
    world.receiver.always("/slow", Reply::Hang);
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/bad"), json!({"events": ["deal.won"]})).await;
    organization.endpoint(&world.receiver.url("/slow"), json!({"events": ["deal.lost"]})).await;
    let failing = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    organization.attempted(&organization.delivery_of(&failing).await, 1).await;
    organization.publish(&json!({"type": "deal.lost", "data": {}})).await;
    world.receiver.wait_for("/slow", 1).await;
    let is_told = async || {
        let status = world.api.get("/v1/status").await.expect(200);
        (status["pending_deliveries"] == 2 && status["attempts_under_way"] == 1).then_some(())
    };
    until("two deliveries are pending and one attempt is under way", is_told).await;
    let key = organization.with_scopes(&["deliveries:read"]).await;
    key.get("/v1/status").await.problem(403);
}
