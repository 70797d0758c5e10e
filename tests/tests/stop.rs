//! A graceful stop: what is under way finishes or is given back, and nothing is lost or done twice.

use postrider_tests::receiver::{Gate, Reply};
use postrider_tests::world::{Organization, Store, World, items};
use serde_json::json;

postrider_tests::on_each_store!(
    an_attempt_that_is_answered_during_a_stop_is_recorded_and_not_made_again,
    a_stop_does_not_wait_for_a_receiver_that_hangs_and_gives_the_delivery_back,
    events_accepted_right_before_a_stop_are_delivered_after_it,
);

async fn an_attempt_that_is_answered_during_a_stop_is_recorded_and_not_made_again(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let gate = Gate::default();
    world.receiver.script("/in", [Reply::Gated(gate.clone())]);
    let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    let id = organization.delivery_of(&event).await;
    world.receiver.wait_for("/in", 1).await;

    let world = world.stopped_and_started_while(|| gate.open()).await;
    let organization = Organization { api: world.api.clone(), id: organization.id };
    let delivery = organization.ended(&id, "succeeded").await;
    assert_eq!(items(&delivery["attempts"]).len(), 1);
    assert_eq!(world.receiver.count_at("/in"), 1);
}

async fn a_stop_does_not_wait_for_a_receiver_that_hangs_and_gives_the_delivery_back(store: Store) {
    let world = World::start_on(store).await;
    // Its timeout is 30 seconds, longer than a stop may take.
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.receiver.script("/in", [Reply::Hang]);
    let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    let id = organization.delivery_of(&event).await;
    world.receiver.wait_for("/in", 1).await;

    let world = world.stopped_and_started().await;
    let organization = Organization { api: world.api.clone(), id: organization.id };
    let delivery = organization.ended(&id, "succeeded").await;
    let attempts = items(&delivery["attempts"]);
    assert_eq!(
        attempts.len(),
        1,
        "the stop waited for the timeout, or recorded an attempt that it cut off: {attempts:?}"
    );
    assert_eq!(world.receiver.count_at("/in"), 2);
}

async fn events_accepted_right_before_a_stop_are_delivered_after_it(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    for number in 0..200 {
        organization.publish(&json!({"type": "deal.won", "data": {"number": number}})).await;
    }
    let world = world.stopped_and_started().await;
    let count = || {
        world
            .receiver
            .at("/in")
            .iter()
            .map(|r| r.json()["data"]["number"].as_i64())
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    world.receiver.wait_until("all 200 events", || count() == 200).await;
    assert_eq!(world.receiver.count_at("/in"), 200, "a stop in good order makes no duplicates");
}
