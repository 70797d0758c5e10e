//! Endpoints checked before they are made: the same mistakes, and nothing made.

use serde_json::{Value, json};

use super::world::World;

const ENDPOINTS: &str = "/v1/organizations/acme/endpoints";
const CHECK: &str = "/v1/organizations/acme/endpoints/check";

async fn acme() -> World {
    let world = World::new().await;
    world.organization("acme").await;
    world
}

#[tokio::test]
async fn a_check_finds_what_creation_would_refuse_but_for_what_is_missing() {
    let world = acme().await;
    assert_eq!(world.post(CHECK, json!({})).await.expect(200), json!({"errors": []}));
    assert_eq!(
        world.post(CHECK, json!({"name": "e", "events": ["deal.won"]})).await.expect(200),
        json!({"errors": []})
    );
    let wrong = json!({"name": "", "url": "https://10.0.0.1/", "events": ["deal.won", "a b"], "headers": {"Host": "x"},
        "secret": "password", "filter": "(", "rate_limit": 0, "enabled": 1, "nam": 1, "ordering": "x", "contract": "none"});
    for body in [wrong.clone(), {
        let mut known = wrong.clone();
        known["contract"] = json!("standard");
        known
    }] {
        let checked = world.post(CHECK, body.clone()).await.expect(200);
        let refused = world.post(ENDPOINTS, body.clone()).await;
        refused.problem(422);
        let same = |errors: &Value| {
            let known = |error: &&Value| error["pointer"] != "/nam";
            errors.as_array().unwrap().iter().filter(known).cloned().collect::<Vec<_>>()
        };
        assert_eq!(same(&checked["errors"]), same(&refused.json()["errors"]), "{body}");
        assert!(checked["errors"].as_array().unwrap().iter().any(|error| error["pointer"] == "/nam"), "{checked}");
    }
    let private = world.post(CHECK, json!({"url": "https://10.0.0.1/"})).await.expect(200);
    assert_eq!(private["errors"][0]["code"], "url.private_address");
    assert_eq!(private["errors"][0]["params"], json!({"address": "10.0.0.1"}));
    assert_eq!(world.post(CHECK, json!({"name": null})).await.expect(200)["errors"][0]["code"], "field.null");
    assert_eq!(world.get(ENDPOINTS).await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn a_check_of_a_change_follows_the_endpoints_own_contract_and_changes_nothing() {
    let world = acme().await;
    let body = json!({"name": "e", "url": "https://example.com", "events": ["deal.won"], "contract": "salessheet"});
    let made = world.post(ENDPOINTS, body).await.expect(201);
    let one = format!("{ENDPOINTS}/{}", made["id"].as_str().unwrap());
    let before = world.get(&one).await.expect(200);
    let codes = async |mut change: Value| {
        change["endpoint"] = made["id"].clone();
        let checked = world.post(CHECK, change).await.expect(200);
        checked["errors"].as_array().unwrap().iter().map(|error| error["code"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(codes(json!({"events": ["deal.*"], "name": "new"})).await, [""; 0]);
    assert_eq!(codes(json!({"events": ["no.such"]})).await, ["events.unknown"]);
    assert_eq!(codes(json!({"secret": "x", "contract": "standard"})).await, ["secret.rotate", "field.fixed"]);
    assert_eq!(world.get(&one).await.expect(200), before);
    let nobody = world.post(CHECK, json!({"endpoint": "ep_00000000000000000000000001"})).await;
    assert_eq!(nobody.problem(404), "not-found");
    assert_eq!(world.post(CHECK, json!({"endpoint": "x"})).await.expect(200)["errors"][0]["code"], "id.invalid");
}

#[tokio::test]
async fn a_check_knows_the_limit_of_a_system() {
    let world = acme().await;
    let body = json!({"name": "e", "url": "https://example.com", "events": ["peopleCreated"], "contract": "suresend", "system": "crm"});
    for _ in 0..2 {
        assert_eq!(world.post(CHECK, body.clone()).await.expect(200), json!({"errors": []}));
        world.post(ENDPOINTS, body.clone()).await.expect(201);
    }
    let checked = world.post(CHECK, body).await.expect(200);
    assert_eq!(
        (&checked["errors"][0]["code"], &checked["errors"][0]["pointer"]),
        (&json!("limit.system"), &json!("/events"))
    );
}

#[tokio::test]
async fn whoever_may_only_read_cannot_check_and_what_is_no_json_is_a_problem() {
    let world = acme().await;
    let reader = world.key("acme", &["endpoints:read"]).await;
    assert_eq!(world.ask(&reader, http::Method::POST, CHECK, "{}").await.problem(403), "forbidden");
    assert_eq!(world.ask(super::world::OPERATOR, http::Method::POST, CHECK, "{").await.problem(400), "malformed-json");
}
