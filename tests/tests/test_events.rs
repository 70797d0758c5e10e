//! Test events: any type of the catalogue, with realistic data and the contract's mark, in every status; never retried, never counted, listed apart
//! (000, "Test Your Webhook"; 002, "Using the Test Feature"; 003, "Step 4"; contracts.md, reading 7).

use postrider_tests::api::Call;
use postrider_tests::receiver::Reply;
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    every_type_of_every_catalogue_arrives_marked,
    a_failed_test_is_shown_and_never_tried_again
);

const CONTRACTS: [&str; 6] = ["standard", "salessheet", "salesos", "sendpilot", "webhook-system", "suresend"];

async fn sent(organization: &Organization, endpoint: &str, body: &Value) -> Value {
    let path = organization.path(&format!("/endpoints/{endpoint}/test"));
    organization.api.post(&path, body).await.expect(200)
}

async fn every_type_of_every_catalogue_arrives_marked(store: Store) {
    let world = World::start_on(store).await;
    for contract in CONTRACTS {
        let organization = world.organization(contract).await;
        let path = format!("/{contract}");
        let endpoint = organization.endpoint(&world.receiver.url(&path), json!({})).await;
        let types = items(&world.api.get(&organization.path("/event-types?limit=250")).await.expect(200)["data"]);
        assert!(!types.is_empty());
        for (at, kind) in types.iter().enumerate() {
            let result = sent(&organization, &endpoint.id, &json!({"type": kind["name"]})).await;
            assert_eq!((&result["succeeded"], &result["status_code"]), (&json!(true), &json!(200)), "{result}");
            let arrived = world.receiver.wait_for(&path, at + 1).await.pop().unwrap();
            let body = arrived.json();
            assert_eq!(body["test"], true, "{contract}: {body}");
            assert!(body.to_string().contains(&text(&kind["name"])), "{contract}: {body}");
            let data = body["data"].as_object().unwrap_or_else(|| panic!("{contract}: no data: {body}"));
            assert!(!data.is_empty(), "{contract}: realistic data, not an empty object: {body}");
            for (name, value) in kind["sample"].as_object().into_iter().flatten() {
                assert_eq!(data.get(name), Some(value), "{contract}: the catalogue's sample");
            }
        }
        assert_eq!(organization.all_deliveries("test=true").await.len(), types.len());
        assert!(organization.deliveries("test=false").await.is_empty(), "listed apart");
        let events = world.api.get(&organization.path("/events")).await.expect(200);
        assert_eq!(events["data"], json!([]), "no event was published");
    }
}

#[tokio::test]
async fn without_a_type_the_first_subscribed_one_is_sent_and_unknown_ones_are_refused() {
    let world = World::start().await;
    let organization = world.organization("webhook-system").await;
    let fields = json!({"events": ["deal.assigned", "contact.*"]});
    let endpoint = organization.endpoint(&world.receiver.url("/in"), fields).await;
    sent(&organization, &endpoint.id, &json!({})).await;
    assert_eq!(world.receiver.wait_for("/in", 1).await[0].json()["event"], "deal.assigned");
    // One that it does not subscribe to can be tried out, too.
    sent(&organization, &endpoint.id, &json!({"type": "message.read"})).await;
    assert_eq!(world.receiver.wait_for("/in", 2).await[1].json()["event"], "message.read");
    let path = organization.path(&format!("/endpoints/{}/test", endpoint.id));
    for unknown in ["zoom.recording.lost", "deal.*", "*", "", "no such"] {
        let problem = world.api.post(&path, &json!({"type": unknown})).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], "/type", "{unknown}: {problem}");
    }
    assert_eq!(world.receiver.count(), 2);
}

async fn a_failed_test_is_shown_and_never_tried_again(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("salessheet").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let path = organization.path(&format!("/endpoints/{}", endpoint.id));
    world.receiver.always("/in", Reply::Status(503, vec![("x-why".into(), "busy".into())], b"come back".to_vec()));
    for enabled in [true, false] {
        world.api.call(Call::new("PATCH", &path).json(&json!({"enabled": enabled}))).await.expect(200);
        // More than it takes to disable an endpoint.
        for _ in 0..if enabled { 55 } else { 1 } {
            let result = sent(&organization, &endpoint.id, &json!({"type": "deal.won"})).await;
            assert_eq!((&result["succeeded"], &result["status_code"]), (&json!(false), &json!(503)), "{result}");
            assert_eq!(
                (&result["response_body"], &result["response_headers"]["x-why"]),
                (&json!("come back"), &json!("busy"))
            );
            assert!(result["response_time_ms"].is_u64());
            assert_eq!(result["error"]["kind"], "status");
        }
        let shown = world.api.get(&path).await.expect(200);
        assert_eq!(shown["status"], if enabled { "active" } else { "paused" }, "tests count towards nothing");
    }
    let before = world.receiver.count();
    for delivery in organization.deliveries("test=true").await {
        assert_eq!((&delivery["status"], &delivery["attempts_count"]), (&json!("failed"), &json!(1)));
        assert_eq!(delivery["next_attempt_at"], Value::Null);
    }
    world.advance_ms(3 * 86_400_000).await;
    // An event that comes after them shows that the lane went on, and nothing else.
    world.api.call(Call::new("PATCH", &path).json(&json!({"enabled": true}))).await.expect(200);
    let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    organization.attempted(&organization.delivery_of(&event).await, 1).await;
    assert_eq!(world.receiver.count(), before + 1, "no test was sent again");
}
