//! Tokens at the door: what each role may do, and where.

use std::time::Duration;

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use super::world::{World, closed_url};

#[tokio::test]
async fn an_admin_does_everything_in_its_organisation_and_a_viewer_reads() {
    let world = World::new().await;
    world.organization("acme").await;
    let [admin, viewer] = ["admin", "viewer"].map(|role| world.token("acme", role, &Value::Null));
    let endpoint = world.endpoint("acme", &closed_url()).await["id"].as_str().unwrap().to_owned();
    let org = "/v1/organizations/acme";
    let event = json!({"type": "deal.won", "data": {}}).to_string();
    let new = json!({"name": "E", "url": closed_url(), "events": ["*"]}).to_string();
    let key = json!({"name": "K", "scopes": ["events:write"]}).to_string();
    for (method, path, body, for_admin, for_viewer) in [
        (Method::GET, String::new(), String::new(), 200, 200),
        (Method::GET, "/endpoints".into(), String::new(), 200, 200),
        (Method::GET, format!("/endpoints/{endpoint}"), String::new(), 200, 200),
        (Method::GET, "/event-types".into(), String::new(), 200, 200),
        (Method::GET, "/events".into(), String::new(), 200, 200),
        (Method::GET, "/deliveries".into(), String::new(), 200, 200),
        (Method::POST, "/events".into(), event, 202, 403),
        (Method::POST, "/endpoints".into(), new, 201, 403),
        (Method::PATCH, format!("/endpoints/{endpoint}"), r#"{"name": "F"}"#.into(), 200, 403),
        (Method::POST, format!("/endpoints/{endpoint}/test"), "{}".into(), 200, 403),
        (Method::POST, "/deliveries/dlv_00000000000000000000000001/retry".into(), String::new(), 404, 403),
        (Method::POST, "/keys".into(), key, 201, 403),
        (Method::GET, "/keys".into(), String::new(), 200, 403),
        (Method::GET, "/audit".into(), String::new(), 200, 403),
        // A tenant does not raise its own plan.
        (Method::PATCH, String::new(), r#"{"plan": null}"#.into(), 403, 403),
        (Method::PUT, String::new(), r#"{"name": "A"}"#.into(), 403, 403),
        (Method::DELETE, String::new(), String::new(), 403, 403),
    ] {
        let path = format!("{org}{path}");
        world.ask(&viewer, method.clone(), &path, body.clone()).await.expect(for_viewer);
        world.ask(&admin, method, &path, body).await.expect(for_admin);
    }
    for token in [&admin, &viewer] {
        world.ask(token, Method::GET, "/v1/contracts", Body::empty()).await.expect(200);
        world.ask(token, Method::GET, "/v1/organizations", Body::empty()).await.problem(403);
        world.ask(token, Method::POST, "/v1/organizations", r#"{"name": "x"}"#).await.problem(403);
    }
    world.ask(&admin, Method::DELETE, &format!("{org}/endpoints/{endpoint}"), Body::empty()).await.expect(204);
}

#[tokio::test]
async fn a_token_is_good_until_its_end_by_the_servers_time() {
    let world = World::new().await;
    world.organization("acme").await;
    let token = world.token("acme", "viewer", &Value::Null);
    let read = || world.ask(&token, Method::GET, "/v1/organizations/acme", Body::empty());
    read().await.expect(200);
    world.clock.advance(Duration::from_secs(300 + 59));
    read().await.expect(200);
    world.clock.advance(Duration::from_secs(2));
    let answer = read().await;
    assert_eq!(answer.problem(401), "unauthenticated");
    assert!(answer.text().contains("expired"), "{}", answer.text());
}

#[tokio::test]
async fn a_forged_token_is_told_why_and_finds_nothing_out() {
    let world = World::new().await;
    world.organization("acme").await;
    let token = world.token("acme", "viewer", &Value::Null);
    let (message, _) = token.rsplit_once('.').unwrap();
    for forged in [format!("{message}.AAAA"), format!("{message}."), format!("{token}A"), "a.b.c".to_owned()] {
        let answer = world.ask(&forged, Method::GET, "/v1/organizations/acme", Body::empty()).await;
        assert_eq!(answer.problem(401), "unauthenticated", "{forged}");
        assert!(!answer.text().contains("acme"), "{}", answer.text());
    }
}

#[tokio::test]
async fn two_bearers_of_one_organisation_do_not_share_an_idempotency_key() {
    let world = World::new().await;
    world.organization("acme").await;
    let [one, other] = ["u-1", "u-2"].map(|sub| world.token("acme", "admin", &json!({"sub": sub})));
    let make = async |token: &str| {
        let body = json!({"name": "E", "url": "https://example.com/in", "events": ["*"]}).to_string();
        let mut request = super::world::request(token, Method::POST, "/v1/organizations/acme/endpoints", body);
        request.headers_mut().insert("idempotency-key", "same".parse().unwrap());
        world.send(request).await
    };
    let first = make(&one).await.expect(201);
    assert_eq!(make(&one).await.expect(201), first);
    assert_eq!(make(&other).await.problem(422), "idempotency-key-reused");
}
