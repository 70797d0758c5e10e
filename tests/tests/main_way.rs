//! The main way: an event becomes a signed delivery that arrives, is recorded, and is shown.

use postrider_tests::receiver::{Gate, Reply, Request};
use postrider_tests::sign;
use postrider_tests::world::{Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    an_event_arrives_signed_and_its_record_shows_what_was_sent_and_answered,
    an_event_reaches_the_endpoints_that_subscribed_to_it_and_no_other,
    lists_are_newest_first_in_pages_and_filters_find_what_they_name,
    a_batch_is_stored_as_a_whole_or_not_at_all,
    a_test_event_says_how_it_was_answered_even_while_the_endpoint_is_paused,
    a_retry_by_hand_sends_the_same_body_once_more_however_soon_it_is_asked_for,
    everyone_who_asked_for_a_retry_is_told_of_though_one_is_made_for_all,
    a_paused_endpoint_gets_nothing_new_until_it_is_enabled,
);

fn won() -> Value {
    json!({"type": "deal.won", "data": {"id": "deal_42", "amount": 1000}, "resource": {"type": "deal", "id": "42"}})
}

async fn an_event_arrives_signed_and_its_record_shows_what_was_sent_and_answered(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({"events": ["deal.won"]})).await;
    world.receiver.script("/in", [Reply::Status(200, vec![("x-answer".into(), "42".into())], b"thank you".to_vec())]);

    let accepted = organization.try_publish(&won()).await.expect(202);
    assert_eq!(accepted["deliveries_count"], 1);
    let event = text(&accepted["id"]);
    assert!(event.starts_with("evt_"), "{event}");

    let arrived = &world.receiver.wait_for("/in", 1).await[0];
    let header = |name: &str| arrived.header(name).unwrap_or_default().to_owned();
    let expected = sign::standard_v1(&endpoint.secret, &event, &header("webhook-timestamp"), &arrived.body);
    assert_eq!(header("webhook-signature"), expected);

    let id = organization.delivery_of(&event).await;
    let delivery = organization.ended(&id, "succeeded").await;
    assert_eq!(delivery["event"], event);
    assert_eq!(delivery["endpoint"], endpoint.id);
    assert_eq!(delivery["type"], "deal.won");
    assert_eq!(delivery["test"], false);
    assert_eq!(delivery["attempts_count"], 1);
    assert_eq!(delivery["last_status_code"], 200);
    assert_eq!(delivery["next_attempt_at"], Value::Null);

    shows_what_was_sent_and_answered(&delivery, arrived, &world.receiver.url("/in"));
}

fn shows_what_was_sent_and_answered(delivery: &Value, arrived: &Request, url: &str) {
    let request = &delivery["request"];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["url"], url);
    assert_eq!(request["body"], arrived.text(), "the record shows the bytes that were sent");
    let shown = request["headers"].to_string().to_lowercase();
    assert!(shown.contains("webhook-id") && shown.contains(&text(&delivery["event"])), "{shown}");

    let attempts = items(&delivery["attempts"]);
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0]["status_code"], 200);
    assert_eq!(attempts[0]["response_body"], "thank you");
    assert_eq!(attempts[0]["error"], Value::Null);
    assert!(attempts[0]["response_time_ms"].is_u64(), "{attempts:?}");
    assert!(attempts[0]["response_headers"].to_string().contains("x-answer"), "{attempts:?}");
}

async fn an_event_reaches_the_endpoints_that_subscribed_to_it_and_no_other(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let neighbour = world.organization("standard").await;
    neighbour.endpoint(&world.receiver.url("/neighbour"), json!({})).await;
    for (path, events) in [("/exact", "deal.won"), ("/prefix", "deal.*"), ("/all", "*"), ("/other", "contact.created")]
    {
        organization.endpoint(&world.receiver.url(path), json!({"events": [events]})).await;
    }
    organization.endpoint(&world.receiver.url("/paused"), json!({"enabled": false})).await;

    let accepted = organization.try_publish(&won()).await.expect(202);
    assert_eq!(accepted["deliveries_count"], 3);
    for path in ["/exact", "/prefix", "/all"] {
        world.receiver.wait_for(path, 1).await;
    }
    let deliveries = organization.deliveries(&format!("event={}", text(&accepted["id"]))).await;
    assert_eq!(deliveries.len(), 3);
    assert!(neighbour.deliveries("").await.is_empty());
    assert_eq!(world.receiver.count(), 3, "{:?}", world.receiver.all());
}

async fn lists_are_newest_first_in_pages_and_filters_find_what_they_name(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let mut events = vec![];
    for (kind, record) in [("deal.won", "deal:1"), ("deal.lost", "deal:2"), ("contact.created", "contact:1")] {
        let (resource, id) = record.split_once(':').unwrap();
        let event = json!({"type": kind, "data": {}, "resource": {"type": resource, "id": id}});
        events.push(organization.publish(&event).await);
    }
    for event in &events {
        organization.ended(&organization.delivery_of(event).await, "succeeded").await;
    }

    let page = world.api.get(&organization.path("/deliveries?limit=2")).await.expect(200);
    let cursor = text(&page["next_cursor"]);
    let rest = world.api.get(&organization.path(&format!("/deliveries?limit=2&cursor={cursor}"))).await.expect(200);
    let listed = [items(&page["data"]), items(&rest["data"])].concat();
    let order: Vec<_> = listed.iter().map(|delivery| text(&delivery["event"])).collect();
    assert_eq!(order, events.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(rest["next_cursor"], Value::Null);

    let expectations = [
        ("type=deal.won".to_owned(), 1),
        ("resource=deal:2".to_owned(), 1),
        ("status=succeeded".to_owned(), 3),
        ("status=failed".to_owned(), 0),
        ("test=true".to_owned(), 0),
        (format!("endpoint={}", endpoint.id), 3),
        (format!("event={}", events[0]), 1),
        ("since=2999-01-01T00:00:00Z".to_owned(), 0),
        ("until=2999-01-01T00:00:00Z".to_owned(), 3),
    ];
    for (query, count) in expectations {
        assert_eq!(organization.deliveries(&query).await.len(), count, "{query}");
    }
    let found = world.api.get(&organization.path("/events?type=deal.lost")).await.expect(200);
    assert_eq!(items(&found["data"]).len(), 1);
    let one = world.api.get(&organization.path(&format!("/events/{}", events[0]))).await.expect(200);
    assert_eq!(one["type"], "deal.won");
}

async fn a_batch_is_stored_as_a_whole_or_not_at_all(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("salessheet").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let path = organization.path("/events/batch");
    let good = json!({"type": "deal.won", "data": {"id": 1}});

    let bad = json!({"events": [good, {"type": "no.such.type", "data": {}}]});
    assert_eq!(world.api.post(&path, &bad).await.pointers(422), ["/events/1/type"]);
    assert!(organization.deliveries("").await.is_empty());

    let accepted = world.api.post(&path, &json!({"events": [good, good, good]})).await.expect(202);
    assert_eq!(items(&accepted["data"]).len(), 3);
    world.receiver.wait_for("/in", 3).await;
}

async fn a_test_event_says_how_it_was_answered_even_while_the_endpoint_is_paused(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("salessheet").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({"enabled": false})).await;
    world.receiver.script("/in", [Reply::Status(503, vec![], b"not yet".to_vec())]);

    let path = organization.path(&format!("/endpoints/{}/test", endpoint.id));
    let outcome = world.api.post(&path, &json!({"type": "deal.won"})).await.expect(200);
    assert_eq!(outcome["succeeded"], false);
    assert_eq!(outcome["status_code"], 503);
    assert_eq!(outcome["response_body"], "not yet");
    let arrived = &world.receiver.wait_for("/in", 1).await[0];
    assert_eq!(arrived.json()["test"], true);
    assert_eq!(arrived.json()["event"], "deal.won");

    let delivery = organization.ended(&text(&outcome["delivery"]), "failed").await;
    assert_eq!(delivery["test"], true);
    assert_eq!(delivery["next_attempt_at"], Value::Null, "a test is never retried");
}

async fn a_retry_by_hand_sends_the_same_body_once_more_however_soon_it_is_asked_for(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    // Many times, since the moment between a record and the retry is short.
    for number in 0..40 {
        // The answer 410 disables an endpoint.
        let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
        world.receiver.script("/in", [Reply::status(410)]);
        let event = organization.publish(&won()).await;
        let id = organization.delivery_of(&event).await;
        organization.ended(&id, "failed").await;
        world.api.post(&organization.path(&format!("/deliveries/{id}/retry")), &json!({})).await.expect(202);
        let delivery = organization.ended(&id, "succeeded").await;
        assert_eq!(delivery["attempts_count"], 2);
        let arrived = world.receiver.wait_for("/in", 2 * number + 2).await;
        let [first, second] = &arrived[2 * number..] else { panic!("{} requests", arrived.len()) };
        assert_eq!(first.body, second.body);
        assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
        world.api.delete(&organization.path(&format!("/endpoints/{}", endpoint.id))).await.expect(204);
    }
}

async fn a_paused_endpoint_gets_nothing_new_until_it_is_enabled(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let path = organization.path(&format!("/endpoints/{}", endpoint.id));

    let paused = world.api.patch(&path, &json!({"enabled": false})).await.expect(200);
    assert_eq!(paused["status"], "paused");
    assert_eq!(organization.try_publish(&won()).await.expect(202)["deliveries_count"], 0);
    let active = world.api.patch(&path, &json!({"enabled": true})).await.expect(200);
    assert_eq!(active["status"], "active");
    assert_eq!(organization.try_publish(&won()).await.expect(202)["deliveries_count"], 1);
    world.receiver.wait_for("/in", 1).await;
    assert_eq!(world.receiver.count(), 1);

    world.api.delete(&path).await.expect(204);
    world.api.get(&path).await.problem(404);
    assert_eq!(organization.try_publish(&won()).await.expect(202)["deliveries_count"], 0);
}

async fn everyone_who_asked_for_a_retry_is_told_of_though_one_is_made_for_all(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let gate = Gate::default();
    world.receiver.script("/in", [Reply::Gated(gate.clone())]);
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let delivery = organization.delivery_of(&organization.publish(&won()).await).await;
    world.receiver.wait_for("/in", 1).await;
    let retry = organization.path(&format!("/deliveries/{delivery}/retry"));
    for _ in 0..3 {
        organization.api.post(&retry, &json!({})).await.expect(202);
    }
    gate.open();
    world.receiver.wait_for("/in", 2).await;
    organization.attempted(&delivery, 2).await;
    let trail = organization.path(&format!("/audit?action=delivery.retried&object={delivery}"));
    assert_eq!(items(&organization.api.get(&trail).await.expect(200)["data"]).len(), 3);
    assert_eq!(world.receiver.count_at("/in"), 2, "one retry for all three");
}
