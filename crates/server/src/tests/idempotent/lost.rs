//! What holds when the store has no answer though the request was done: the process died before it was kept, or the disk was full.

use std::time::Duration;

use http::Method;
use postrider_domain::Millis;
use postrider_store::SqliteOptions;
use serde_json::{Value, json};

use super::{ENDPOINTS, ask, keyed};
use crate::ServerLimits;
use crate::tests::world::{Answer, OPERATOR, World, closed_url, request};

const HOUR: Duration = Duration::from_secs(3_600);
const EVENTS: &str = "/v1/organizations/acme/events";
const BATCH: &str = "/v1/organizations/acme/events/batch";

async fn world() -> World {
    let world = World::new().await;
    world.organization("acme").await;
    world.endpoint("acme", &closed_url()).await;
    world
}

/// As after a kill between the commit of the events and the keeping of the answer: the events are there, the answer is not, and
/// nothing is left of the process's memory.
async fn lose_answers(world: &mut World) {
    let store = world.engine.store();
    let later = Millis(world.engine.now().0 + 25 * 3_600_000);
    store.retain(later, Millis(0), 1_000).await.unwrap();
    world.limit(ServerLimits::default());
}

async fn events_count(world: &World) -> usize {
    let page = world.get(&format!("{EVENTS}?limit=250")).await.expect(200);
    assert_eq!(page["next_cursor"], Value::Null);
    page["data"].as_array().unwrap().len()
}

#[track_caller]
fn assert_done_again(answer: &Answer, first: &Value) {
    assert_eq!(answer.expect(202), *first);
    assert_eq!(answer.header("idempotent-replayed"), None, "else the answer was not lost");
}

#[tokio::test]
async fn an_event_whose_answer_was_lost_is_not_stored_twice() {
    let mut world = world().await;
    let event =
        json!({"type": "deal.won", "data": {"n": 1}, "previous": {"n": 2}, "resource": {"type": "deal", "id": 1}});
    let first = ask(&world, EVENTS, "k", &event).await.expect(202);
    assert_eq!(first["deliveries_count"], 1);
    assert!(first["id"].as_str().unwrap().starts_with("evt_"));
    // Neither an endpoint made since nor the time that has passed alters the answer.
    world.endpoint("acme", &closed_url()).await;
    world.clock.advance(Duration::from_secs(3));
    lose_answers(&mut world).await;
    assert_done_again(&ask(&world, EVENTS, "k", &event).await, &first);
    assert_eq!(events_count(&world).await, 1);
    assert_eq!(ask(&world, EVENTS, "k", &event).await.header("idempotent-replayed"), Some("true"));
    let read = world.get(&format!("{EVENTS}/{}", first["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(read["deliveries_count"], 1);
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_not_stored_twice() {
    let mut world = world().await;
    let alike = json!({"type": "deal.won", "data": {}});
    let batch = json!({"events": [alike, {"type": "deal.won", "data": {}, "id": "crm-1"}, alike]});
    let first = ask(&world, BATCH, "k", &batch).await.expect(202);
    let ids: Vec<_> = first["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert!(ids[1] == "crm-1" && ids[0] != ids[2], "{ids:?}");
    lose_answers(&mut world).await;
    assert_done_again(&ask(&world, BATCH, "k", &batch).await, &first);
    assert_eq!(events_count(&world).await, 3);
}

#[tokio::test]
async fn another_event_under_a_key_whose_answer_was_lost_is_refused_and_does_not_take_the_key() {
    let mut world = world().await;
    let event = json!({"type": "deal.won", "data": {}});
    let first = ask(&world, EVENTS, "k", &event).await.expect(202);
    lose_answers(&mut world).await;
    let other = json!({"type": "deal.won", "data": {"n": 2}});
    assert_eq!(ask(&world, EVENTS, "k", &other).await.problem(422), "idempotency-key-reused");
    assert_done_again(&ask(&world, EVENTS, "k", &event).await, &first);
    // An id of the caller's own that was used before is still told apart.
    let named = |n: i32| json!({"type": "deal.won", "data": {"n": n}, "id": "crm-1"});
    ask(&world, EVENTS, "k-1", &named(1)).await.expect(202);
    assert_eq!(ask(&world, EVENTS, "k-2", &named(2)).await.problem(422), "event-id-reused");
    assert_eq!(events_count(&world).await, 2);
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for_during_24_hours_whatever_the_hour_and_then_the_key_is_free() {
    let mut world = world().await;
    let event = json!({"type": "deal.won", "data": {}});
    for start in 0..6 {
        let key = format!("k-{start}");
        let first = ask(&world, EVENTS, &key, &event).await.expect(202);
        for hours in [5, 18] {
            world.clock.advance(HOUR * hours);
            lose_answers(&mut world).await;
            assert_done_again(&ask(&world, EVENTS, &key, &event).await, &first);
        }
        lose_answers(&mut world).await;
        world.clock.advance(HOUR * 2);
        let other = json!({"type": "deal.lost", "data": {}});
        let fresh = ask(&world, EVENTS, &key, &other).await.expect(202);
        assert_ne!(fresh["id"], first["id"]);
        lose_answers(&mut world).await;
        assert_done_again(&ask(&world, EVENTS, &key, &other).await, &fresh);
        world.clock.advance(HOUR * 4);
    }
    assert_eq!(events_count(&world).await, 12);
}

#[tokio::test]
async fn a_key_makes_other_ids_for_another_caller_and_another_organisation() {
    let mut world = world().await;
    world.organization("other").await;
    let event = json!({"type": "deal.won", "data": {}});
    let credential = world.key("acme", &["events:write"]).await;
    let mut ids = vec![ask(&world, EVENTS, "k", &event).await.expect(202)["id"].clone()];
    ids.push(ask(&world, "/v1/organizations/other/events", "k", &event).await.expect(202)["id"].clone());
    lose_answers(&mut world).await;
    ids.push(world.send(keyed(&credential, EVENTS, "k", &event)).await.expect(202)["id"].clone());
    assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2], "{ids:?}");
}

/// A change that takes no room, so that it can be made on a full disk.
async fn rename(world: &World, number: u32, name: &str) -> Answer {
    let body = json!({"name": name}).to_string();
    let mut request = request(OPERATOR, Method::PATCH, "/v1/organizations/acme", body);
    request.headers_mut().insert("idempotency-key", format!("rename-{number:04}").parse().unwrap());
    world.send(request).await
}

/// A world on a small disk.
async fn small_world() -> World {
    let world = World::with(ServerLimits::default(), SqliteOptions { pages_max: Some(300) }).await;
    world.organization("acme").await;
    world
}

/// Publishes until there is no room for the smallest event.
async fn fill(world: &World) {
    for length in [50_000, 3_000, 100] {
        let event = json!({"type": "deal.won", "data": {"text": "x".repeat(length)}});
        let mut stored = 0;
        while world.post(EVENTS, event.clone()).await.status == 202 {
            stored += 1;
            assert!(stored < 1_000, "the disk never filled");
        }
    }
}

/// Drops every event: there is room again.
async fn make_room(world: &World) {
    let now = world.engine.now();
    let step = world.engine.store().retain(now, Millis(now.0 + 1), 10_000).await.unwrap();
    assert!(step.rows_dropped > 0 && !step.more);
}

#[tokio::test]
async fn an_answer_that_a_full_disk_does_not_take_is_given_again_and_written_once_there_is_room() {
    let mut world = small_world().await;
    // A change that alters nothing has a short entry in the audit trail and a long answer: there is room for the one and not for the other.
    let name = "n".repeat(200);
    world.patch("/v1/organizations/acme", json!({"name": name})).await.expect(200);
    fill(&world).await;
    // What is left of room goes to answers that change nothing.
    for number in 0..100 {
        ask(&world, ENDPOINTS, &format!("mistake-{number}"), &json!({"nme": "x"})).await.problem(422);
    }
    let mut answers = Vec::new();
    for number in 0..40 {
        let first = rename(&world, number, &name).await;
        if first.status == 503 {
            break;
        }
        first.expect(200);
        let again = rename(&world, number, &name).await;
        assert_eq!((again.status, &again.body), (200, &first.body), "{number}: {}", again.text());
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(rename(&world, number, "other").await.problem(422), "idempotency-key-reused");
        answers.push(first.body);
    }
    assert!(world.causes().iter().any(|cause| cause.contains("was not told")), "the disk took every answer");

    make_room(&world).await;
    // Each answer that is kept takes one along that was not.
    for number in 100..140 {
        rename(&world, number, &name).await.expect(200);
    }
    world.limit(ServerLimits::default());
    for (number, first) in (0..).zip(answers) {
        let again = rename(&world, number, "other").await;
        assert_eq!(again.problem(422), "idempotency-key-reused", "{number}: it is not in the store");
        assert_eq!(rename(&world, number, &name).await.body, first);
    }
}

#[tokio::test]
async fn a_mistake_that_a_full_disk_does_not_keep_leaves_the_key_free() {
    let world = small_world().await;
    fill(&world).await;
    for number in 0..100 {
        let key = format!("mistake-{number}");
        let first = ask(&world, ENDPOINTS, &key, &json!({"nme": "x".repeat(50)})).await;
        let again = ask(&world, ENDPOINTS, &key, &json!({"nme": "x".repeat(50)})).await;
        assert_eq!(first.pointers(422), again.pointers(422), "{number}");
    }
}

#[tokio::test]
async fn an_event_whose_answer_a_full_disk_does_not_take_is_answered_alike_and_stored_once() {
    let mut world = small_world().await;
    let event = json!({"type": "deal.won", "data": {}});
    // Long keys, so that their answers need pages of their own.
    let keys: Vec<_> = (0..100).map(|number| format!("{number:0>250}")).collect();
    let mut firsts = Vec::new();
    for key in &keys {
        firsts.push(ask(&world, EVENTS, key, &event).await.expect(202));
    }
    lose_answers(&mut world).await;
    fill(&world).await;
    let stored = events_count(&world).await;
    let mut unkept = 0;
    for (key, first) in keys.iter().zip(&firsts) {
        for _ in 0..2 {
            let again = ask(&world, EVENTS, key, &event).await;
            assert_eq!(again.expect(202), *first);
            unkept += usize::from(again.header("idempotent-replayed").is_none());
        }
    }
    assert!(unkept > keys.len(), "every answer was kept: nothing was tried");
    assert_eq!(events_count(&world).await, stored);
}
