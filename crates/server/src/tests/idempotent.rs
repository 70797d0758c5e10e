//! `Idempotency-Key`: done once, answered alike.

mod lost;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request};
use serde_json::json;

use super::receiver::Receiver;
use super::world::{Answer, OPERATOR, World, request, until};

fn keyed(credential: &str, path: &str, key: &str, body: &serde_json::Value) -> Request<Body> {
    let mut request = request(credential, Method::POST, path, body.to_string());
    request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    request
}

async fn ask(world: &World, path: &str, key: &str, body: &serde_json::Value) -> Answer {
    world.send(keyed(OPERATOR, path, key, body)).await
}

const ENDPOINTS: &str = "/v1/organizations/acme/endpoints";

#[tokio::test]
async fn the_same_request_is_done_once_and_answered_alike_with_its_secret() {
    let world = World::new().await;
    world.organization("acme").await;
    let body = json!({"name": "e", "url": "https://example.com", "events": ["*"]});
    let first = ask(&world, ENDPOINTS, "k-1", &body).await;
    let again = ask(&world, ENDPOINTS, "k-1", &body).await;
    assert!(first.expect(201)["secret"].is_string());
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), (None, Some("true")));
    assert_eq!(again.header("content-type"), Some("application/json"));
    assert_eq!(world.get(ENDPOINTS).await.expect(200)["data"].as_array().unwrap().len(), 1);
    assert_eq!(ask(&world, ENDPOINTS, "k-2", &body).await.status, 201);
}

#[tokio::test]
async fn another_request_or_another_caller_under_the_same_key_is_refused() {
    let world = World::new().await;
    world.organization("acme").await;
    let path = "/v1/organizations/acme/events";
    let event = json!({"type": "deal.won", "data": {}});
    ask(&world, path, "k", &event).await.expect(202);
    let other = json!({"type": "deal.lost", "data": {}});
    assert_eq!(ask(&world, path, "k", &other).await.problem(422), "idempotency-key-reused");
    let elsewhere = "/v1/organizations/acme/events/batch";
    assert_eq!(ask(&world, elsewhere, "k", &event).await.problem(422), "idempotency-key-reused");
    // Else a key without the scope could read an answer that holds a secret.
    let key = world.key("acme", &["deliveries:read"]).await;
    assert_eq!(world.send(keyed(&key, path, "k", &event)).await.problem(422), "idempotency-key-reused");
    assert_eq!(world.get(path).await.expect(200)["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_mistake_is_answered_alike_too() {
    let world = World::new().await;
    let first = ask(&world, "/v1/organizations", "k", &json!({})).await;
    let again = ask(&world, "/v1/organizations", "k", &json!({})).await;
    assert_eq!(first.pointers(422), again.pointers(422));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn organisations_are_made_and_deleted_under_a_key() {
    let world = World::new().await;
    let body = json!({"id": "acme", "name": "Acme"});
    let first = ask(&world, "/v1/organizations", "make", &body).await;
    assert_eq!(ask(&world, "/v1/organizations", "make", &body).await.body, first.body);
    let delete = || {
        let mut request = request(OPERATOR, Method::DELETE, "/v1/organizations/acme", "");
        request.headers_mut().insert("idempotency-key", "drop".parse().unwrap());
        request
    };
    world.send(delete()).await.expect(204);
    let again = world.send(delete()).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (204, Some("true")));
    assert_eq!(ask(&world, ENDPOINTS, "k", &json!({})).await.problem(404), "not-found");
}

#[tokio::test]
async fn while_the_first_is_in_work_the_second_is_told_to_wait_and_a_gone_client_changes_nothing() {
    let world = Arc::new(World::new().await);
    world.organization("acme").await;
    let mut receiver = Receiver::with_permits(Response::default, 0).await;
    let id = world.endpoint("acme", &receiver.url).await["id"].as_str().unwrap().to_owned();
    let path = format!("{ENDPOINTS}/{id}/test");
    let first = tokio::spawn({
        let (world, path) = (Arc::clone(&world), path.clone());
        async move { ask(&world, &path, "k", &json!({})).await }
    });
    receiver.came.recv().await.unwrap();
    let second = ask(&world, &path, "k", &json!({})).await;
    assert_eq!(second.problem(409), "idempotency-in-progress");
    assert_eq!(second.header("retry-after"), Some("1"));

    // The client goes away; what it asked for goes on.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    receiver.answers.add_permits(1);
    let again = async || Some(ask(&world, &path, "k", &json!({})).await).filter(|answer| answer.status != 409);
    let replayed = until("answer kept", again).await;
    assert_eq!(replayed.expect(200)["succeeded"], true);
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert!(receiver.came.try_recv().is_err(), "it was sent once");
}

#[tokio::test]
async fn keys_that_cannot_be_kept_are_refused() {
    let world = World::new().await;
    for key in ["a b", "\u{e9}", &"x".repeat(256)] {
        let mut asked = request(OPERATOR, Method::POST, "/v1/organizations", "{}");
        asked.headers_mut().insert("idempotency-key", http::HeaderValue::from_bytes(key.as_bytes()).unwrap());
        assert_eq!(world.send(asked).await.problem(400), "invalid-header", "{key}");
    }
}
