//! One event's way, as the API shows it.

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::world::{World, closed_url, until};

async fn ended(world: &World, id: &str) -> Value {
    let path = format!("/v1/organizations/acme/deliveries/{id}");
    let read = async || Some(world.get(&path).await.expect(200)).filter(|delivery| delivery["status"] != "pending");
    until("end of the delivery", read).await
}

fn answer(status: u16, body: &'static [u8]) -> Response {
    Response::builder().status(status).header("x-answer", "1").header("X-Answer", "2").body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn an_event_is_accepted_delivered_and_shown_with_what_was_sent_and_answered() {
    let world = World::new().await;
    world.organization("acme").await;
    let mut receiver = Receiver::new(|| answer(200, b"thank \xff you")).await;
    let path = "/v1/organizations/acme/endpoints";
    let body = json!({"name": "e", "url": receiver.url, "events": ["deal.*"], "headers": {"X-Token": "t0ken"}});
    let endpoint = world.post(path, body).await.expect(201);

    let event = r#"{"type":"deal.won","data":{ "amount":1.50 },"resource":{"type":"deal","id":42},"occurred_at":"2026-01-02T03:04:05Z"}"#;
    let accepted = world.ask(super::world::OPERATOR, http::Method::POST, "/v1/organizations/acme/events", event).await;
    assert_eq!(accepted.expect(202)["deliveries_count"], 1);
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    let (headers, sent) = receiver.came.recv().await.unwrap();
    assert_eq!(headers["x-token"], "t0ken");

    let listed = world.get(&format!("/v1/organizations/acme/deliveries?event={id}&resource=deal:42")).await.expect(200);
    let delivery = ended(&world, listed["data"][0]["id"].as_str().unwrap()).await;
    assert_eq!((&delivery["event"], &delivery["endpoint"]), (&json!(id), &endpoint["id"]));
    assert_eq!(delivery["resource"], json!({"type": "deal", "id": "42", "ids": ["42"], "uri": null}));
    assert_eq!((&delivery["status"], &delivery["last_status_code"]), (&json!("succeeded"), &json!(200)));
    let request = &delivery["request"];
    assert_eq!((&request["method"], &request["url"]), (&json!("POST"), &json!(receiver.url)));
    assert_eq!(request["body"].as_str().unwrap().as_bytes(), sent);
    assert_eq!(request["headers"]["X-Token"], "********");
    let attempt = &delivery["attempts"][0];
    assert_eq!(attempt["response_body"], "thank \u{fffd} you");
    assert_eq!(attempt["response_body_base64"], "dGhhbmsg/yB5b3U=");
    assert_eq!(attempt["response_headers"]["x-answer"], "1, 2");
    assert_eq!(attempt["error"], Value::Null);

    let shown = world.get(&format!("/v1/organizations/acme/events/{id}")).await;
    assert!(shown.text().contains(r#""data":{ "amount":1.50 }"#), "{}", shown.text());
    assert_eq!(shown.json()["occurred_at"], "2026-01-02T03:04:05.000Z");
    assert_eq!(shown.json()["deliveries_count"], 1);
}

#[tokio::test]
async fn a_failure_comes_with_kind_message_and_advice_and_can_be_retried() {
    let world = World::new().await;
    world.organization("acme").await;
    let mut receiver = Receiver::new(|| answer(410, b"gone")).await;
    world.endpoint("acme", &receiver.url).await;
    world.post("/v1/organizations/acme/events", json!({"type": "deal.won", "data": {}})).await.expect(202);
    let (_, first) = receiver.came.recv().await.unwrap();
    let listed = world.get("/v1/organizations/acme/deliveries").await.expect(200);
    let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
    let delivery = ended(&world, &id).await;
    assert_eq!((&delivery["status"], &delivery["fail_reason"]), (&json!("failed"), &json!("gone")));
    let error = &delivery["attempts"][0]["error"];
    assert_eq!(error["kind"], "status");
    assert!(error["message"].as_str().unwrap().contains("410") && error["advice"].is_string());
    assert_eq!(error["advice_code"], "gone");

    let path = format!("/v1/organizations/acme/deliveries/{id}/retry");
    assert_eq!(world.post(&path, json!({})).await.expect(202)["id"], json!(id));
    let (_, second) = receiver.came.recv().await.unwrap();
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_test_event_says_how_it_went_without_an_answer_too() {
    let world = World::new().await;
    world.organization("acme").await;
    let path = "/v1/organizations/acme/endpoints";
    let body = json!({"name": "e", "url": closed_url(), "events": ["*"], "enabled": false});
    let id = world.post(path, body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let test = format!("{path}/{id}/test");
    let outcome = world.ask(super::world::OPERATOR, http::Method::POST, &test, "").await.expect(200);
    assert_eq!((&outcome["succeeded"], &outcome["status_code"]), (&json!(false), &Value::Null));
    assert!(outcome["error"]["kind"].is_string() && outcome["error"]["advice"].is_string(), "{outcome}");
    let listed = world.get("/v1/organizations/acme/deliveries?test=true").await.expect(200);
    assert_eq!(listed["data"][0]["id"], outcome["delivery"]);
    assert_eq!(world.post(&test, json!({"type": "a b"})).await.pointers(422), ["/type"]);
    assert_eq!(world.post(&test, json!({"typ": "deal.won"})).await.pointers(422), ["/typ"]);
}

#[tokio::test]
async fn the_same_event_id_is_accepted_once_and_other_content_under_it_refused() {
    let world = World::new().await;
    world.organization("acme").await;
    let path = "/v1/organizations/acme/events";
    let event = json!({"type": "deal.won", "data": {"n": 1}, "id": "crm-1"});
    let first = world.post(path, event.clone()).await.expect(202);
    assert_eq!(world.post(path, event.clone()).await.expect(202), first);
    let other = json!({"type": "deal.won", "data": {"n": 2}, "id": "crm-1"});
    let refused = world.post(path, other.clone()).await;
    assert_eq!((refused.problem(422), refused.pointers(422)), ("event-id-reused".to_owned(), vec!["/id".to_owned()]));
    let batch = json!({"events": [{"type": "deal.won", "data": {}}, other]});
    assert_eq!(world.post(&format!("{path}/batch"), batch).await.pointers(422), ["/events/1/id"]);
    assert_eq!(world.get(path).await.expect(200)["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_paused_endpoint_gets_nothing_and_a_deleted_one_is_gone_at_once() {
    let world = World::new().await;
    world.organization("acme").await;
    let id = world.endpoint("acme", &closed_url()).await["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/organizations/acme/endpoints/{id}");
    let event = json!({"type": "deal.won", "data": {}});
    let count = async || {
        world.post("/v1/organizations/acme/events", event.clone()).await.expect(202)["deliveries_count"].clone()
    };
    assert_eq!(count().await, 1);
    world.patch(&path, json!({"enabled": false})).await.expect(200);
    assert_eq!(count().await, 0);
    world.patch(&path, json!({"enabled": true})).await.expect(200);
    assert_eq!(count().await, 1);
    world.delete(&path).await.expect(204);
    assert_eq!(count().await, 0);
    world.get(&path).await.problem(404);
}
