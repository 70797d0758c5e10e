//! The same request twice, and the same event twice.

use postrider_tests::api::Call;
use postrider_tests::receiver::{Gate, Reply};
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    the_same_key_and_body_get_the_first_answer_again_even_after_a_restart,
    a_key_belongs_to_one_organisation_and_is_forgotten_after_a_day,
    a_key_whose_first_request_is_still_running_answers_409,
    an_event_id_again_stores_nothing_new_unless_it_differs_which_is_an_error,
);

const HOUR_MS: i64 = 3_600_000;

fn post(path: &str, key: &str, body: &Value) -> Call {
    Call::new("POST", path).json(body).header("idempotency-key", key)
}

async fn the_same_key_and_body_get_the_first_answer_again_even_after_a_restart(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let path = organization.path("/endpoints");
    let body = json!({"name": "Once", "url": world.receiver.url("/in"), "events": ["*"]});
    let first = world.api.call(post(&path, "k-1", &body)).await.expect(201);
    let again = world.api.call(post(&path, "k-1", &body)).await.expect(201);
    assert_eq!(first, again, "the answer holds the secret, the second time too");

    let world = world.killed_and_started().await;
    assert_eq!(world.api.call(post(&path, "k-1", &body)).await.expect(201), first);
    let listed = world.api.get(&path).await.expect(200);
    assert_eq!(items(&listed["data"]).len(), 1);

    let other = json!({"name": "Other", "url": world.receiver.url("/in"), "events": ["*"]});
    world.api.call(post(&path, "k-1", &other)).await.problem(422);
    assert_ne!(world.api.call(post(&path, "k-2", &body)).await.expect(201)["id"], first["id"]);
}

async fn a_key_belongs_to_one_organisation_and_is_forgotten_after_a_day(store: Store) {
    let world = World::start_on(store).await;
    let (one, two) = (world.organization("standard").await, world.organization("standard").await);
    let event = json!({"type": "deal.won", "data": {}});
    let first = world.api.call(post(&one.path("/events"), "k", &event)).await.expect(202);
    let stranger = world.api.call(post(&two.path("/events"), "k", &event)).await.expect(202);
    assert_ne!(first["id"], stranger["id"]);

    world.advance_ms(23 * HOUR_MS).await;
    assert_eq!(world.api.call(post(&one.path("/events"), "k", &event)).await.expect(202), first);
    world.advance_ms(2 * HOUR_MS).await;
    assert_ne!(world.api.call(post(&one.path("/events"), "k", &event)).await.expect(202)["id"], first["id"]);
}

async fn a_key_whose_first_request_is_still_running_answers_409(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let gate = Gate::default();
    world.receiver.script("/in", [Reply::Gated(gate.clone())]);
    let path = organization.path(&format!("/endpoints/{}/test", endpoint.id));
    let call = post(&path, "k", &json!({"type": "deal.won"}));

    let (api, first) = (world.api.clone(), call.clone());
    let running = tokio::spawn(async move { api.call(first).await });
    world.receiver.wait_for("/in", 1).await;
    let answer = world.api.call(call.clone()).await;
    answer.problem(409);
    gate.open();
    let outcome = running.await.unwrap().expect(200);
    assert_eq!(outcome["succeeded"], true);
    assert_eq!(world.api.call(call).await.expect(200), outcome);
    assert_eq!(world.receiver.count(), 1);
}

async fn an_event_id_again_stores_nothing_new_unless_it_differs_which_is_an_error(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let event = json!({"id": "crm-17", "type": "deal.won", "data": {"a": 1}, "occurred_at": "2026-01-01T00:00:00Z"});
    let first = organization.try_publish(&event).await.expect(202);
    assert_eq!(first, json!({"id": "crm-17", "deliveries_count": 1}));
    world.receiver.wait_for("/in", 1).await;
    // An endpoint made since then does not get it either.
    organization.endpoint(&world.receiver.url("/later"), json!({})).await;
    assert_eq!(organization.try_publish(&event).await.expect(202), first);

    another_event_under_its_id_is_refused(&organization, &event).await;
    assert_eq!(organization.deliveries("").await.len(), 1);

    let world = world.killed_and_started().await;
    let organization = Organization { api: world.api.clone(), id: organization.id };
    assert_eq!(organization.try_publish(&event).await.expect(202), first);
    world.advance_ms(73 * HOUR_MS).await;
    let later = organization.try_publish(&json!({"id": "crm-17", "type": "deal.won", "data": {"a": 3}})).await;
    assert_eq!(text(&later.expect(202)["id"]), "crm-17", "after 72 hours the id is free");
}

async fn another_event_under_its_id_is_refused(organization: &Organization, event: &Value) {
    for (field, value) in [("data", json!({"a": 2})), ("type", json!("deal.lost")), ("data", json!({"a": 1.0}))] {
        let mut other = event.clone();
        other[field] = value;
        assert_eq!(organization.try_publish(&other).await.pointers(422), ["/id"], "{other}");
    }
    let batch =
        json!({"events": [{"type": "deal.won", "data": {}}, {"id": "crm-17", "type": "deal.won", "data": {"a": 2}}]});
    let refused = organization.api.post(&organization.path("/events/batch"), &batch).await;
    assert_eq!(refused.pointers(422), ["/events/1/id"]);
}
