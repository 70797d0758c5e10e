//! Looking into what happened: where an event went, and which deliveries a search finds.

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::world::{World, until};

const ENDPOINTS: &str = "/v1/organizations/acme/endpoints";
const EVENTS: &str = "/v1/organizations/acme/events";
const DELIVERIES: &str = "/v1/organizations/acme/deliveries";

fn answer(status: u16) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

async fn endpoint(world: &World, name: &str, url: &str, more: Value) -> String {
    let mut body = json!({"name": name, "url": url, "events": ["*"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.post(ENDPOINTS, body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// The outcome of each endpoint by its name, newest first, with whether it was changed since.
async fn routing(world: &World, event: &str) -> Vec<(String, String, bool)> {
    let page = world.get(&format!("{EVENTS}/{event}/routing")).await.expect(200);
    assert_eq!(page["next_cursor"], Value::Null);
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = page["data"].as_array().unwrap();
    for row in rows {
        assert_eq!(row["delivery"].is_string(), row["outcome"] == "delivered", "{row}");
    }
    rows.iter().map(|row| (word(row, "name"), word(row, "outcome"), row["since_changed"] == true)).collect()
}

#[tokio::test]
async fn every_endpoint_says_why_it_received_an_event_or_did_not() {
    let world = World::new().await;
    world.organization("acme").await;
    let receiver = Receiver::new(|| answer(200)).await;
    let gone = Receiver::new(|| answer(410)).await;
    endpoint(&world, "delivered", &receiver.url, json!({})).await;
    endpoint(&world, "not_subscribed", &receiver.url, json!({"events": ["contact.*"]})).await;
    endpoint(&world, "filtered", &receiver.url, json!({"filter": "data.amount > 100"})).await;
    endpoint(&world, "paused", &receiver.url, json!({"enabled": false})).await;
    let disabled = endpoint(&world, "disabled", &gone.url, json!({})).await;
    let dropped = endpoint(&world, "dropped", &receiver.url, json!({"enabled": false})).await;
    world.post(EVENTS, json!({"type": "deal.lost", "data": {"amount": 1}})).await.expect(202);
    until("end of the endpoint that is gone", async || {
        let found = world.get(&format!("{ENDPOINTS}/{disabled}")).await.expect(200);
        Some(()).filter(|()| found["status"] == "disabled")
    })
    .await;
    world.clock.advance(std::time::Duration::from_secs(60));
    world.post(EVENTS, json!({"id": "won", "type": "deal.won", "data": {"amount": 1}})).await.expect(202);
    world.clock.advance(std::time::Duration::from_secs(60));
    endpoint(&world, "made_later", &receiver.url, json!({})).await;
    world.patch(&format!("{ENDPOINTS}/{dropped}"), json!({"enabled": true})).await.expect(200);

    let rows = routing(&world, "won").await;
    let names: Vec<_> = rows.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["made_later", "dropped", "disabled", "paused", "filtered", "not_subscribed", "delivered"]);
    for (name, outcome, since_changed) in &rows {
        assert_eq!((outcome, *since_changed), (name, matches!(name.as_str(), "made_later" | "dropped")), "{name}");
    }
    let first = world.get(&format!("{EVENTS}/won/routing?limit=4")).await.expect(200);
    let rest = format!("{EVENTS}/won/routing?cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(world.get(&rest).await.expect(200)["data"].as_array().unwrap().len(), 3);
    assert_eq!(world.get(&format!("{EVENTS}/unknown/routing")).await.problem(404), "not-found");

    let test = world.post(&format!("{ENDPOINTS}/{dropped}/test"), json!({})).await.expect(200);
    let test = world.get(&format!("{DELIVERIES}/{}", test["delivery"].as_str().unwrap())).await.expect(200);
    let rows = routing(&world, test["event"].as_str().unwrap()).await;
    assert!(
        rows.iter().all(|(name, outcome, _)| outcome == if name == "dropped" { "delivered" } else { "test" }),
        "{rows:?}"
    );
}

async fn found(world: &World, query: &str) -> Vec<String> {
    let page = world.get(&format!("{DELIVERIES}?{query}")).await.expect(200);
    assert_eq!(page["next_cursor"], Value::Null, "{query}");
    page["data"].as_array().unwrap().iter().map(|row| row["event"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_search_finds_ids_and_what_the_last_attempt_tells() {
    let world = World::new().await;
    world.organization("acme").await;
    let receiver = Receiver::new(|| answer(200)).await;
    let failing = Receiver::new(|| answer(503)).await;
    let alpha = endpoint(&world, "a", &receiver.url.replace("/in", "/alpha"), json!({"events": ["deal.*"]})).await;
    endpoint(&world, "b", &failing.url.replace("/in", "/beta"), json!({"events": ["contact.*"]})).await;
    for (id, event_type) in [("one", "deal.won"), ("two", "deal.won"), ("three", "contact.created")] {
        world.post(EVENTS, json!({"id": id, "type": event_type, "data": {}})).await.expect(202);
        until("first attempt", async || {
            let rows = world.get(&format!("{DELIVERIES}?event={id}")).await.expect(200);
            Some(()).filter(|()| rows["data"][0]["attempts_count"] == 1)
        })
        .await;
    }
    let one = world.get(&format!("{DELIVERIES}?event=one")).await.expect(200)["data"][0]["id"].clone();
    let one = one.as_str().unwrap();
    let cases: [(String, &[&str]); 12] = [
        ("search=ALPHA".into(), &["two", "one"]),
        ("search=beta".into(), &["three"]),
        (format!("search={one}"), &["one"]),
        (format!("search={one}&status_code=503"), &[]),
        ("search=three".into(), &["three"]),
        ("search=three&event=one".into(), &[]),
        ("search=503".into(), &["three"]),
        ("status_code=503".into(), &["three"]),
        ("status_code=200".into(), &["two", "one"]),
        (format!("search=127.0.0.1&endpoint={alpha}"), &["two", "one"]),
        ("search=beta&status_code=200".into(), &[]),
        ("search=nowhere".into(), &[]),
    ];
    for (query, events) in cases {
        assert_eq!(found(&world, &query).await, events, "{query}");
    }
    let first = world.get(&format!("{DELIVERIES}?search=alpha&limit=1")).await.expect(200);
    let rest = format!("search=alpha&limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(found(&world, &rest).await, ["one"]);
    for query in ["search=", "status_code=99", "status_code=600", &format!("search={}", "x".repeat(201))] {
        assert_eq!(world.get(&format!("{DELIVERIES}?{query}")).await.problem(400), "invalid-query", "{query}");
    }
    world.organization("other").await;
    let others = world.get("/v1/organizations/other/deliveries?search=alpha").await.expect(200);
    assert_eq!(others["data"], json!([]));
}

#[tokio::test]
async fn a_search_that_reached_its_bound_says_where_it_goes_on() {
    let world = World::new().await;
    world.organization("acme").await;
    let receiver = Receiver::new(|| answer(200)).await;
    let id = endpoint(&world, "e", &receiver.url.replace("/in", "/before"), json!({})).await;
    world.post(EVENTS, json!({"id": "oldest", "type": "deal.won", "data": {}})).await.expect(202);
    let pending = async || {
        let rows = world.get(&format!("{DELIVERIES}?status=pending&limit=1")).await.expect(200);
        Some(()).filter(|()| rows["data"] == json!([]))
    };
    until("end of the first delivery", pending).await;
    world.patch(&format!("{ENDPOINTS}/{id}"), json!({"url": receiver.url})).await.expect(200);
    for _ in 0..2 {
        let events = vec![json!({"type": "deal.won", "data": {}}); 600];
        world.post(&format!("{EVENTS}/batch"), json!({"events": events})).await.expect(202);
    }
    until("end of all deliveries", pending).await;
    let page = world.get(&format!("{DELIVERIES}?search=/before")).await.expect(200);
    assert_eq!(page["data"], json!([]), "a thousand were looked at");
    let rest = format!("search=/before&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(found(&world, &rest).await, ["oldest"]);
}
