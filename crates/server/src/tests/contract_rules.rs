//! What endpoints and organisations may be, as their contracts say.

use serde_json::{Value, json};

use super::world::World;

async fn organization(world: &World, contract: &str, plan: Option<&str>) -> String {
    let body = json!({"id": contract, "name": contract, "contract": contract, "plan": plan});
    world.post("/v1/organizations", body).await.expect(201);
    format!("/v1/organizations/{contract}/endpoints")
}

fn endpoint(events: &[&str], more: Value) -> Value {
    let mut body = json!({"name": "e", "url": "https://example.com/in", "events": events});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn a_plans_limit_is_kept_and_named() {
    let world = World::new().await;
    let path = organization(&world, "salessheet", None).await;
    let body = endpoint(&["deal.won"], json!({}));
    let refused = world.post(&path, body.clone()).await;
    assert_eq!(refused.problem(422), "limit-reached");
    assert!(refused.text().contains("limit of 0"), "{}", refused.text());

    world.patch("/v1/organizations/salessheet", json!({"plan": "pro"})).await.expect(200);
    for _ in 0..10 {
        world.post(&path, body.clone()).await.expect(201);
    }
    assert_eq!(world.post(&path, body.clone()).await.problem(422), "limit-reached");
    // A plan lowered below what exists keeps what exists.
    world.patch("/v1/organizations/salessheet", json!({"plan": null})).await.expect(200);
    assert_eq!(world.get(&path).await.expect(200)["data"].as_array().unwrap().len(), 10);
    assert_eq!(world.post(&path, body).await.problem(422), "limit-reached");
}

#[tokio::test]
async fn secrets_are_made_chosen_or_left_out_as_the_contract_says_and_shown_once() {
    let world = World::new().await;
    let optional = organization(&world, "salessheet", Some("enterprise")).await;
    let none = world.post(&optional, endpoint(&["deal.won"], json!({}))).await.expect(201);
    assert_eq!((none.get("secret"), &none["signed"]), (None, &json!(false)));
    let chosen = world.post(&optional, endpoint(&["deal.won"], json!({"secret": "my own secret"}))).await.expect(201);
    assert_eq!(chosen["secret"], "my own secret");
    let shown = world.get(&format!("{optional}/{}", chosen["id"].as_str().unwrap())).await;
    assert!(!shown.text().contains("my own secret") && shown.json()["signed"] == true);

    let generated = organization(&world, "suresend", None).await;
    let made = world.post(&generated, endpoint(&["peopleCreated"], json!({}))).await.expect(201);
    assert!(made["secret"].as_str().is_some_and(|secret| secret.len() >= 32), "{made}");

    let standard = organization(&world, "standard", None).await;
    let symmetric = world.post(&standard, endpoint(&["*"], json!({}))).await.expect(201);
    assert!(symmetric["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")));
    assert_eq!(symmetric["public_key"], Value::Null);
    let asymmetric = world.post(&standard, endpoint(&["*"], json!({"secret": "whsk_"}))).await.expect(201);
    assert!(asymmetric["secret"].as_str().is_some_and(|secret| secret.starts_with("whsk_") && secret.len() > 60));
    assert!(asymmetric["public_key"].as_str().is_some_and(|key| key.starts_with("whpk_")), "{asymmetric}");
    let list = world.get(&standard).await;
    assert!(list.text().contains("whpk_") && !list.text().contains("whsk_") && !list.text().contains("whsec_"));
}

#[tokio::test]
async fn events_are_names_as_the_endpoints_contract_knows_them() {
    let world = World::new().await;
    let closed = organization(&world, "salessheet", Some("pro")).await;
    let refused =
        world.post(&closed, endpoint(&["deal.won", "people.created", "no.such", "meeting.*"], json!({}))).await;
    assert_eq!(refused.pointers(422), ["/events/1", "/events/2", "/events/3"]);
    assert!(refused.text().contains("contact.created"), "it says what the contract calls it: {}", refused.text());
    let made = world.post(&closed, endpoint(&["deal.won", "contact.*", "*", "deal.won"], json!({}))).await.expect(201);
    assert_eq!(made["events"], json!(["deal.won", "contact.*", "*"]));

    let open = organization(&world, "standard", None).await;
    world.post(&open, endpoint(&["anything.at.all", "own.*"], json!({}))).await.expect(201);
    let other = endpoint(&["peopleCreated"], json!({"contract": "suresend"}));
    assert_eq!(world.post(&open, other).await.expect(201)["contract"], "suresend");
}

#[tokio::test]
async fn the_third_endpoint_of_a_system_for_one_event_is_refused() {
    let world = World::new().await;
    let path = organization(&world, "suresend", None).await;
    let crm = |events: &[&str]| endpoint(events, json!({"system": "crm"}));
    world.post(&path, crm(&["peopleCreated"])).await.expect(201);
    let second = world.post(&path, crm(&["*"])).await.expect(201);
    let refused = world.post(&path, crm(&["peopleUpdated", "peopleCreated"])).await;
    assert_eq!(refused.problem(422), "limit-reached");
    assert!(refused.text().contains("peopleCreated"), "{}", refused.text());
    world.post(&path, endpoint(&["peopleCreated"], json!({"system": "other"}))).await.expect(201);
    let third = world.post(&path, crm(&["peopleUpdated"])).await.expect(201);
    let third = format!("{path}/{}", third["id"].as_str().unwrap());
    assert_eq!(world.patch(&third, json!({"events": ["peopleCreated"]})).await.problem(422), "limit-reached");
    world.patch(&third, json!({"name": "renamed"})).await.expect(200);
    world.delete(&format!("{path}/{}", second["id"].as_str().unwrap())).await.expect(204);
    world.patch(&third, json!({"events": ["peopleCreated"]})).await.expect(200);
}

#[tokio::test]
async fn headers_go_in_and_their_values_do_not_come_out() {
    let world = World::new().await;
    let path = organization(&world, "standard", None).await;
    let made = world.post(&path, endpoint(&["*"], json!({"headers": {"X-Token": "t0ken", "X-Zone": "eu"}}))).await;
    assert_eq!(made.expect(201)["headers"], json!({"X-Token": "********", "X-Zone": "********"}));
    let one = format!("{path}/{}", made.json()["id"].as_str().unwrap());
    let changed = world.patch(&one, json!({"headers": {"x-zone": null, "X-New": "n"}})).await;
    assert_eq!(changed.expect(200)["headers"], json!({"X-Token": "********", "X-New": "********"}));
    for answer in [&made, &changed, &world.get(&one).await, &world.get(&path).await] {
        assert!(!answer.text().contains("t0ken"));
    }
    assert_eq!(world.patch(&one, json!({"headers": {"webhook-id": "x"}})).await.pointers(422), ["/headers/webhook-id"]);
    assert_eq!(world.patch(&one, json!({"headers": null})).await.expect(200)["headers"], json!({}));
}

#[tokio::test]
async fn a_rate_limit_and_an_ordering_are_set_shown_changed_and_removed() {
    let world = World::new().await;
    let path = organization(&world, "standard", None).await;
    let plain = world.post(&path, endpoint(&["*"], json!({}))).await.expect(201);
    assert_eq!((&plain["rate_limit"], &plain["ordering"]), (&Value::Null, &json!("none")));
    let made = world.post(&path, endpoint(&["*"], json!({"rate_limit": 10_000, "ordering": "resource"}))).await;
    assert_eq!((&made.expect(201)["rate_limit"], &made.json()["ordering"]), (&json!(10_000), &json!("resource")));
    let one = format!("{path}/{}", made.json()["id"].as_str().unwrap());
    let kept = world.patch(&one, json!({"name": "other"})).await.expect(200);
    assert_eq!((&kept["rate_limit"], &kept["ordering"]), (&json!(10_000), &json!("resource")));
    let changed = world.patch(&one, json!({"rate_limit": 5})).await.expect(200);
    assert_eq!((&changed["rate_limit"], &changed["ordering"]), (&json!(5), &json!("resource")));
    for wrong in [json!(0), json!(10_001), json!(-1), json!(1.5), json!("5"), json!(true), json!([])] {
        assert_eq!(world.patch(&one, json!({"rate_limit": wrong})).await.pointers(422), ["/rate_limit"], "{wrong}");
    }
    assert_eq!(world.patch(&one, json!({"ordering": "Resource"})).await.pointers(422), ["/ordering"]);
    world.patch(&one, json!({"rate_limit": null, "ordering": null})).await.expect(200);
    let read = world.get(&one).await.expect(200);
    assert_eq!((&read["rate_limit"], &read["ordering"]), (&Value::Null, &json!("none")));
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name() {
    let world = World::new().await;
    let path = organization(&world, "standard", None).await;
    let made =
        world.post(&path, endpoint(&["deal.won"], json!({"description": "first", "system": "crm"}))).await.expect(201);
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    let renamed = world.patch(&one, json!({"name": "new", "description": null})).await.expect(200);
    assert_eq!(
        (&renamed["name"], &renamed["description"], &renamed["system"]),
        (&json!("new"), &Value::Null, &json!("crm"))
    );
    assert_eq!((&renamed["url"], &renamed["events"]), (&made["url"], &made["events"]));
    assert_eq!(world.patch(&one, json!({"enabled": false})).await.expect(200)["status"], "paused");
    assert_eq!(world.patch(&one, json!({})).await.expect(200)["status"], "paused");
    assert_eq!(world.patch(&one, json!({"enabled": true})).await.expect(200)["status"], "active");
    let fixed =
        json!({"secret": "x", "contract": "suresend", "name": null, "url": null, "events": null, "enabled": null});
    let refused = world.patch(&one, fixed).await.pointers(422);
    assert_eq!(refused, ["/contract", "/enabled", "/events", "/name", "/secret", "/url"]);
}

#[tokio::test]
async fn put_provisions_and_replaces_while_patch_keeps() {
    let world = World::new().await;
    let path = "/v1/organizations/acme";
    let full = json!({"id": "acme", "name": "Acme", "contract": "salessheet", "plan": "pro", "owner_email": "o@acme.example", "locale": "pt-BR"});
    let made = world.put(path, full).await.expect(201);
    assert_eq!((&made["plan"], &made["event_validation"]), (&json!("pro"), &json!("off")));
    let changed = world.patch(path, json!({"event_validation": "enforce", "locale": null})).await.expect(200);
    assert_eq!((&changed["owner_email"], &changed["locale"]), (&json!("o@acme.example"), &Value::Null));
    let replaced = world.put(path, json!({"name": "Acme 2"})).await.expect(200);
    assert_eq!((&replaced["contract"], &replaced["plan"]), (&json!("standard"), &Value::Null));
    assert_eq!(replaced["created_at"], made["created_at"]);
    // A plan that the new contract does not have cannot be kept.
    world.put(path, json!({"name": "Acme", "contract": "salessheet", "plan": "pro"})).await.expect(200);
    assert_eq!(world.patch(path, json!({"contract": "standard"})).await.pointers(422), ["/plan"]);
    world.patch(path, json!({"contract": "standard", "plan": null})).await.expect(200);
    assert_eq!(world.post("/v1/organizations", json!({"id": "acme", "name": "x"})).await.problem(409), "exists");
    let own = world.post("/v1/organizations", json!({"name": "no id"})).await.expect(201);
    assert!(own["id"].as_str().is_some_and(|id| id.starts_with("org_")));
    world.patch("/v1/organizations/nowhere", json!({"name": "x"})).await.problem(404);
    world.delete("/v1/organizations/nowhere").await.problem(404);
}

#[tokio::test]
async fn data_is_checked_against_the_catalogue_when_the_organisation_wants_it() {
    let world = World::new().await;
    world.organization("acme").await;
    let events = "/v1/organizations/acme/events";
    let bad = json!({"type": "deal.won", "data": {"id": {"not": "an id"}}});
    world.post(events, bad.clone()).await.expect(202);
    world.patch("/v1/organizations/acme", json!({"event_validation": "enforce"})).await.expect(200);
    let refused = world.post(events, bad.clone()).await;
    assert!(refused.pointers(422).iter().all(|pointer| pointer.starts_with("/data")), "{}", refused.text());
    world.patch("/v1/organizations/acme", json!({"event_validation": "warn"})).await.expect(200);
    world.post(events, bad).await.expect(202);
}
