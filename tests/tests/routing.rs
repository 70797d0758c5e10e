//! Where an event went: each endpoint with why it received it, or did not.

use std::collections::BTreeMap;

use postrider_tests::receiver::Reply;
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    every_endpoint_says_why_it_received_an_event_or_did_not,
    a_test_goes_to_one_endpoint_alone,
);

/// Every endpoint's row by its name, read in short pages.
async fn routing(organization: &Organization, event: &str) -> BTreeMap<String, Value> {
    let path = organization.path(&format!("/events/{event}/routing?limit=2"));
    let (mut rows, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = organization.api.get(&format!("{path}{cursor}")).await.expect(200);
        assert!(items(&page["data"]).len() <= 2);
        for row in items(&page["data"]) {
            assert!(rows.insert(text(&row["name"]), row).is_none(), "an endpoint is listed twice");
        }
        if page["next_cursor"].is_null() {
            return rows;
        }
        cursor = format!("&cursor={}", text(&page["next_cursor"]));
    }
}

async fn every_endpoint_says_why_it_received_an_event_or_did_not(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let url = world.receiver.url("/in");
    let make = async |name: &str, more: Value| {
        let mut fields = json!({"name": name});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let url = if name == "disabled" { world.receiver.url("/gone") } else { url.clone() };
        organization.endpoint(&url, fields).await.id
    };
    world.receiver.script("/gone", [Reply::status(410)]);
    make("delivered", json!({})).await;
    make("not_subscribed", json!({"events": ["contact.*"]})).await;
    make("filtered", json!({"filter": "data.amount > 100"})).await;
    make("paused", json!({"enabled": false})).await;
    let disabled = make("disabled", json!({"events": ["deal.*"]})).await;
    let dropped = make("dropped", json!({"enabled": false})).await;
    organization.publish(&json!({"type": "deal.lost", "data": {"amount": 1000}})).await;
    until("the end of the endpoint that is gone", async || {
        let path = organization.path(&format!("/endpoints/{disabled}"));
        Some(organization.api.get(&path).await.expect(200)).filter(|found| found["status"] == "disabled")
    })
    .await;
    world.advance_ms(60_000).await;
    let event = organization.publish(&json!({"type": "deal.won", "data": {"amount": 1}})).await;
    let delivery = organization.delivery_of(&event).await;
    world.advance_ms(60_000).await;
    make("made_later", json!({})).await;
    let path = organization.path(&format!("/endpoints/{dropped}"));
    organization.api.patch(&path, &json!({"enabled": true})).await.expect(200);

    let rows = routing(&organization, &event).await;
    assert_eq!(rows.len(), 7);
    for (name, row) in &rows {
        assert_eq!(row["outcome"], json!(name), "{row}");
        let expected = if name == "delivered" { json!(delivery) } else { Value::Null };
        assert_eq!(row["delivery"], expected, "{row}");
        assert_eq!(row["since_changed"], json!(matches!(name.as_str(), "made_later" | "dropped")), "{row}");
    }
    let missing = organization.api.get(&organization.path("/events/evt_00000000000000000000000001/routing")).await;
    missing.problem(404);
}

async fn a_test_goes_to_one_endpoint_alone(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let tested = organization.endpoint(&world.receiver.url("/in"), json!({"name": "tested"})).await;
    organization.endpoint(&world.receiver.url("/other"), json!({"name": "other"})).await;
    let path = organization.path(&format!("/endpoints/{}/test", tested.id));
    let delivery = text(&organization.api.post(&path, &json!({})).await.expect(200)["delivery"]);
    let event = text(&organization.delivery(&delivery).await["event"]);
    let rows = routing(&organization, &event).await;
    assert_eq!((&rows["tested"]["outcome"], &rows["tested"]["delivery"]), (&json!("delivered"), &json!(delivery)));
    assert_eq!(rows["other"]["outcome"], "test");
}
