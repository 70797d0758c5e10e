//! Too much at once, and a store that cannot commit: answered at once, with when to come back.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt;
use postrider_store::SqliteOptions;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;

use super::receiver::Receiver;
use super::world::{Answer, OPERATOR, World, until};
use crate::edge::panicked;
use crate::{ServerLimits, serve};

async fn world(limits: ServerLimits) -> World {
    World::with(limits, SqliteOptions::default()).await
}

fn assert_asks_again(answer: &Answer, slug: &str) {
    assert_eq!(answer.problem(503), slug);
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn more_requests_than_are_taken_at_once_are_answered_at_once() {
    let world = world(ServerLimits { requests_in_work_max: 0, ..ServerLimits::default() }).await;
    assert_asks_again(&world.get("/v1/organizations").await, "overloaded");
    assert_asks_again(&world.post("/v1/organizations", json!({"name": "x"})).await, "overloaded");
    world.get("/healthz").await.expect(200);
    world.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn more_bodies_than_memory_is_given_for_are_answered_at_once() {
    let world = world(ServerLimits { bodies_bytes_max: 8, ..ServerLimits::default() }).await;
    for _ in 0..3 {
        assert_asks_again(&world.post("/v1/organizations", json!({"name": "x"})).await, "overloaded");
    }
    world.get("/v1/organizations").await.expect(200);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let world = world(ServerLimits { body_read_ms_max: 20, ..ServerLimits::default() }).await;
    let answer = world.ask(OPERATOR, Method::POST, "/v1/organizations", Body::new(Stuck)).await;
    assert_eq!(answer.problem(408), "body-timeout");
}

/// A body that never comes.
struct Stuck;

impl axum::body::HttpBody for Stuck {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_full_disk_is_answered_with_when_to_come_back_and_nothing_is_stored() {
    let world = World::with(ServerLimits::default(), SqliteOptions { pages_max: Some(200) }).await;
    world.organization("acme").await;
    let event = json!({"type": "deal.won", "data": {"text": "x".repeat(100_000)}});
    let mut stored = 0;
    let refused = loop {
        let answer = world.post("/v1/organizations/acme/events", event.clone()).await;
        if answer.status != 202 {
            break answer;
        }
        stored += 1;
        assert!(stored < 100, "the disk never filled");
    };
    assert_asks_again(&refused, "unavailable");
    let listed = world.get("/v1/organizations/acme/events").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), stored);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_and_still_done() {
    let mut world = World::new().await;
    world.organization("acme").await;
    let mut receiver = Receiver::with_permits(Response::default, 0).await;
    let id = world.endpoint("acme", &receiver.url).await["id"].as_str().unwrap().to_owned();
    world.limit(ServerLimits { request_ms_max: 20, ..ServerLimits::default() });
    let answer = world.post(&format!("/v1/organizations/acme/endpoints/{id}/test"), json!({})).await;
    assert_asks_again(&answer, "unavailable");
    receiver.came.recv().await.unwrap();
    receiver.answers.add_permits(1);
    world.limit(ServerLimits::default());
    let tests = "/v1/organizations/acme/deliveries?test=true&status=succeeded";
    let listed = async || (world.get(tests).await.expect(200)["data"] != json!([])).then_some(());
    until("test delivery", listed).await;
}

#[tokio::test]
async fn who_sends_a_large_body_in_vain_reads_the_answer_all_the_same() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = world.router.clone();
    tokio::spawn(async move { serve(listener, router, &ServerLimits::default(), std::future::pending()).await });
    let body = vec![b'x'; 10 * 1024 * 1024];
    let operator = format!("authorization: Bearer {OPERATOR}\r\n");
    for (line, credential, status) in [
        ("POST /v1/organizations", operator.as_str(), "413"),
        ("POST /v1/organizations", "", "401"),
        ("PUT /v1/organizations", "", "405"),
        ("POST /no/such/path", "", "404"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let head =
            format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{credential}content-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{line}: {answer}");
    }
}

#[tokio::test]
async fn a_panic_becomes_a_problem_that_says_nothing_of_it() {
    async fn broken() -> &'static str {
        panic!("secret inside")
    }
    let router: Router = Router::new().route("/", get(broken)).layer(CatchPanicLayer::custom(panicked));
    let response = router.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 500);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains("/docs/problems#internal") && !text.contains("secret"), "{text}");
}
