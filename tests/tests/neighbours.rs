//! No endpoint slows another. Order and counts show it, never a duration.

use postrider_tests::receiver::{Gate, Reply};
use postrider_tests::world::{Organization, World};
use serde_json::{Value, json};

/// No lane has more attempts under way at once than this (ARCHITECTURE.md: a lane's slots are bounded).
const SLOTS_MAX: usize = 64;

fn batch(count: usize) -> Value {
    let events: Vec<_> = (0..count).map(|number| json!({"type": "deal.updated", "data": {"number": number}})).collect();
    json!({"events": events})
}

async fn publish_many(organization: &Organization, count: usize) {
    organization.api.post(&organization.path("/events/batch"), &batch(count)).await.expect(202);
}

#[tokio::test]
async fn an_endpoint_that_hangs_does_not_hold_up_a_healthy_one() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/hangs"), json!({})).await;
    organization.endpoint(&world.receiver.url("/healthy"), json!({})).await;
    world.receiver.always("/hangs", Reply::Hang);
    publish_many(&organization, 300).await;
    world.receiver.wait_for("/hangs", 1).await;
    // The contract's timeout is half of this wait's bound, and the lane that hangs would need it 300 times over.
    world.receiver.wait_for("/healthy", 300).await;
    assert!(
        world.receiver.count_at("/hangs") <= SLOTS_MAX,
        "{} attempts hang at once",
        world.receiver.count_at("/hangs")
    );
}

#[tokio::test]
async fn two_hundred_endpoints_that_hang_do_not_hold_up_a_healthy_one_of_another_organisation() {
    let world = World::start().await;
    let hanging = world.organization("standard").await;
    let healthy = world.organization("standard").await;
    for number in 0..200 {
        let path = format!("/hangs/{number}");
        world.receiver.always(&path, Reply::Hang);
        hanging.endpoint(&world.receiver.url(&path), json!({})).await;
    }
    healthy.endpoint(&world.receiver.url("/healthy"), json!({})).await;
    publish_many(&hanging, 10).await;
    let begun = || (0..200).filter(|number| world.receiver.count_at(&format!("/hangs/{number}")) > 0).count();
    world.receiver.wait_until("each hanging endpoint was tried", || begun() == 200).await;
    for _ in 0..20 {
        healthy.publish(&json!({"type": "deal.won", "data": {}})).await;
    }
    world.receiver.wait_for("/healthy", 20).await;
}

#[tokio::test]
async fn a_bulk_import_of_one_organisation_does_not_delay_anothers_single_event() {
    let world = World::start().await;
    let importer = world.organization("standard").await;
    let other = world.organization("standard").await;
    importer.endpoint(&world.receiver.url("/import"), json!({})).await;
    other.endpoint(&world.receiver.url("/single"), json!({})).await;
    let gate = Gate::default();
    world.receiver.always("/import", Reply::Gated(gate.clone()));
    for _ in 0..3 {
        publish_many(&importer, 1_000).await;
    }
    world.receiver.wait_for("/import", 1).await;
    other.publish(&json!({"type": "deal.won", "data": {}})).await;
    world.receiver.wait_for("/single", 1).await;
    // Not one of the import's deliveries can have ended, and no more than its share is under way.
    assert!(world.receiver.count_at("/import") <= SLOTS_MAX);
    gate.open();
    world.receiver.wait_for("/import", 3_000).await;
}
