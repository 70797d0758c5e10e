//! What a deleted endpoint leaves in memory: nothing.

use postrider_tests::receiver::{Gate, Reply};
use postrider_tests::wait::until;
use postrider_tests::world::World;
use serde_json::json;

/// How often the program looks for what nothing depends on.
const LOOKS_EVERY_MS: i64 = 60_000;

#[tokio::test]
async fn a_resting_lane_leaves_memory_when_its_endpoint_is_deleted() {
    let world = World::with(|setup| setup.env("POSTRIDER_LANE_SLOTS_MAX", "1")).await;
    let organization = world.organization("standard").await;
    let gate = Gate::default();
    let kept = organization.endpoint(&world.receiver.url("/kept"), json!({"events": ["deal.lost"]})).await;
    let deleted = organization.endpoint(&world.receiver.url("/deleted"), json!({"events": ["deal.won"]})).await;
    world.receiver.script("/deleted", [Reply::Gated(gate.clone())]);
    for number in 0..3 {
        organization.publish(&json!({"type": "deal.won", "data": {"number": number}})).await;
    }
    organization.publish(&json!({"type": "deal.lost", "data": {}})).await;
    world.receiver.wait_for("/deleted", 1).await;
    world.receiver.wait_for("/kept", 1).await;
    assert_eq!(lanes_after_a_look(&world, 2).await, 2);

    // One attempt is under way, and what follows it finds the endpoint paused.
    let path = organization.path(&format!("/endpoints/{}", deleted.id));
    world.api.patch(&path, &json!({"enabled": false})).await.expect(200);
    gate.open();
    world.api.delete(&path).await.expect(204);
    assert_eq!(lanes_after_a_look(&world, 1).await, 1);
    organization.publish(&json!({"type": "deal.lost", "data": {}})).await;
    world.receiver.wait_for("/kept", 2).await;
    world.api.get(&organization.path(&format!("/endpoints/{}", kept.id))).await.expect(200);
    assert_eq!(world.receiver.count_at("/deleted"), 1);
}

/// How many lanes there are, once it is as many as that.
async fn lanes_after_a_look(world: &World, count: u32) -> u32 {
    until(&format!("{count} lanes"), async || {
        world.advance_ms(LOOKS_EVERY_MS).await;
        let metrics = world.api.get("/metrics").await.text();
        let shown = metrics.lines().find_map(|line| line.strip_prefix("postrider_lanes_held "))?;
        shown.trim().parse().ok().filter(|shown| *shown == count)
    })
    .await
}
