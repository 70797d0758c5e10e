//! Portal links and sessions at the door: who is let in, as what, and until when.

use std::time::Duration;

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use super::world::{Answer, OPERATOR, World, closed_url};

const ORG: &str = "/v1/organizations/acme";
const LINKS: &str = "/v1/organizations/acme/portal-links";

async fn link(world: &World, credential: &str, body: Value) -> Answer {
    world.ask(credential, Method::POST, LINKS, body.to_string()).await
}

/// The token of a new link.
async fn portal(world: &World, body: Value) -> String {
    let made = link(world, OPERATOR, body).await.expect(201);
    let (page, token) = made["url"].as_str().unwrap().split_once('#').unwrap();
    assert_eq!(page, "https://webhooks.example.com/portal/acme");
    token.to_owned()
}

async fn begin(world: &World, credential: &str) -> Value {
    world.ask(credential, Method::POST, "/v1/sessions", Body::empty()).await.expect(201)
}

async fn session(world: &World, credential: &str) -> String {
    begin(world, credential).await["token"].as_str().unwrap().to_owned()
}

async fn read(world: &World, credential: &str) -> Answer {
    world.ask(credential, Method::GET, ORG, Body::empty()).await
}

#[tokio::test]
async fn a_link_and_its_session_do_what_their_role_does_and_nothing_elsewhere() {
    let world = World::new().await;
    world.organization("acme").await;
    world.organization("globex").await;
    let new = || json!({"name": "E", "url": closed_url(), "events": ["*"]}).to_string();
    for (role, status) in [("admin", 201), ("viewer", 403)] {
        let portal = portal(&world, json!({"role": role})).await;
        for token in [session(&world, &portal).await, portal] {
            read(&world, &token).await.expect(200);
            world.ask(&token, Method::POST, &format!("{ORG}/endpoints"), new()).await.expect(status);
            for path in ["/keys", "/audit"] {
                let listed = world.ask(&token, Method::GET, &format!("{ORG}{path}"), Body::empty()).await;
                listed.expect(if role == "admin" { 200 } else { 403 });
            }
            for path in ["", "/endpoints", "/keys"] {
                let path = format!("/v1/organizations/globex{path}");
                world.ask(&token, Method::GET, &path, Body::empty()).await.problem(404);
            }
            world.ask(&token, Method::GET, "/v1/organizations", Body::empty()).await.problem(403);
            world.ask(&token, Method::DELETE, ORG, Body::empty()).await.problem(403);
        }
    }
    let told = world.get(&format!("{ORG}/audit?actor=jwt:portal")).await.expect(200);
    assert_eq!(told["data"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(told["data"][0]["actor"]["role"], "admin");
}

#[tokio::test]
async fn a_link_is_made_by_the_operator_their_session_or_an_admins_jwt_alone() {
    let world = World::new().await;
    world.organization("acme").await;
    let body = || json!({"role": "viewer"});
    let admin = world.token("acme", "admin", &Value::Null);
    let portal = portal(&world, json!({"role": "admin"})).await;
    link(&world, &admin, body()).await.expect(201);
    link(&world, &session(&world, OPERATOR).await, body()).await.expect(201);
    for refused in [
        world.token("acme", "viewer", &Value::Null),
        world.key("acme", &["endpoints:read", "endpoints:write"]).await,
        session(&world, &admin).await,
        session(&world, &portal).await,
        portal,
    ] {
        assert_eq!(link(&world, &refused, body()).await.problem(403), "forbidden");
    }
    link(&world, &world.token("globex", "admin", &Value::Null), body()).await.problem(404);
    world.post("/v1/organizations/nobody/portal-links", body()).await.problem(404);
}

#[tokio::test]
async fn a_link_says_every_wrong_field_and_opens_an_endpoint_of_its_own_organisation_alone() {
    let world = World::new().await;
    world.organization("acme").await;
    world.organization("globex").await;
    let [own, others] = [world.endpoint("acme", &closed_url()).await, world.endpoint("globex", &closed_url()).await];
    let wrong = json!({"role": "owner", "locale": "x", "expires_in": "25h", "endpoint": "one", "more": 1});
    let pointers = link(&world, OPERATOR, wrong).await.pointers(422);
    assert_eq!(pointers, ["/endpoint", "/expires_in", "/locale", "/more", "/role"]);
    assert_eq!(link(&world, OPERATOR, json!({})).await.pointers(422), ["/role"]);
    let of_others = json!({"role": "admin", "endpoint": others["id"]});
    assert_eq!(link(&world, OPERATOR, of_others).await.pointers(422), ["/endpoint"]);
    let portal = portal(&world, json!({"role": "admin", "endpoint": own["id"], "locale": "de"})).await;
    let seen = world.ask(&portal, Method::GET, "/v1/session", Body::empty()).await.expect(200);
    let expected = json!({"role": "admin", "organization": "acme", "locale": "de", "endpoint": own["id"],
        "expires_at": seen["expires_at"]});
    assert_eq!(seen, expected);
    let mut begun = begin(&world, &portal).await;
    assert!(begun.as_object_mut().unwrap().remove("token").is_some());
    assert_eq!(begun, expected);
    let asked = world.ask(&portal, Method::POST, "/v1/sessions", r#"{"locale": "fr"}"#).await.expect(201);
    assert_eq!(asked["locale"], "fr");
}

#[tokio::test]
async fn a_session_ends_with_what_it_came_from_and_after_eight_hours() {
    let world = World::new().await;
    world.organization("acme").await;
    let portal = portal(&world, json!({"role": "viewer", "expires_in": "10m"})).await;
    let of_portal = session(&world, &session(&world, &portal).await).await;
    let of_jwt = session(&world, &world.token("acme", "viewer", &Value::Null)).await;
    let of_operator = session(&world, OPERATOR).await;
    let statuses = async || {
        let mut statuses = vec![];
        for token in [&of_jwt, &portal, &of_portal, &of_operator] {
            statuses.push(read(&world, token).await.status);
        }
        statuses
    };
    assert_eq!(statuses().await, [200, 200, 200, 200]);
    // A JWT of five minutes has a minute of leeway.
    world.clock.advance(Duration::from_secs(360));
    assert_eq!(statuses().await, [401, 200, 200, 200]);
    world.clock.advance(Duration::from_secs(240));
    assert_eq!(statuses().await, [401, 401, 401, 200]);
    assert!(read(&world, &portal).await.text().contains("expired"));
    world.clock.advance(Duration::from_secs(8 * 3_600 - 600));
    assert_eq!(statuses().await, [401, 401, 401, 401]);
}

#[tokio::test]
async fn an_operators_session_acts_as_the_operator_and_an_organisation_key_has_none() {
    let world = World::new().await;
    let made = begin(&world, OPERATOR).await;
    let expected = json!({"token": made["token"], "role": "operator", "organization": null, "locale": null,
        "endpoint": null, "expires_at": made["expires_at"]});
    assert_eq!(made, expected);
    let token = made["token"].as_str().unwrap();
    world.ask(token, Method::POST, "/v1/organizations", r#"{"id": "acme", "name": "A"}"#).await.expect(201);
    let told = world.get(&format!("{ORG}/audit")).await.expect(200);
    assert_eq!(told["data"][0]["actor"]["kind"], "operator", "{told}");
    let key = world.key("acme", &["endpoints:read"]).await;
    for (method, path) in [(Method::POST, "/v1/sessions"), (Method::GET, "/v1/session")] {
        assert_eq!(world.ask(&key, method, path, Body::empty()).await.problem(403), "forbidden");
    }
    let seen = world.get("/v1/session").await.expect(200);
    assert_eq!((&seen["role"], &seen["expires_at"]), (&json!("operator"), &Value::Null));
}

#[tokio::test]
async fn a_link_ends_with_its_organisation_and_does_not_open_another_one_of_that_id() {
    let world = World::new().await;
    world.organization("acme").await;
    let portal = portal(&world, json!({"role": "admin"})).await;
    let tokens =
        [session(&world, &portal).await, session(&world, &world.token("acme", "admin", &Value::Null)).await, portal];
    world.put(ORG, json!({"name": "replaced"})).await.expect(200);
    for token in &tokens {
        read(&world, token).await.expect(200);
    }
    world.delete(ORG).await.expect(204);
    world.clock.advance(Duration::from_millis(1));
    for again in [false, true] {
        if again {
            world.organization("acme").await;
        }
        for token in &tokens {
            let answer = read(&world, token).await;
            assert_eq!(answer.problem(401), "unauthenticated");
            assert!(answer.text().contains("does not exist any more"), "{}", answer.text());
        }
    }
    let nobodys = world.token("nobody", "admin", &Value::Null);
    world.ask(&nobodys, Method::POST, "/v1/sessions", Body::empty()).await.problem(404);
}

#[tokio::test]
async fn the_sessions_of_two_links_do_not_share_an_idempotency_key() {
    let world = World::new().await;
    world.organization("acme").await;
    let short = portal(&world, json!({"role": "viewer", "expires_in": "1m"})).await;
    let long = portal(&world, json!({"role": "viewer", "expires_in": "24h"})).await;
    let begin = async |token: &str| {
        let mut request = super::world::request(token, Method::POST, "/v1/sessions", "{}");
        request.headers_mut().insert("idempotency-key", "same".parse().unwrap());
        world.send(request).await
    };
    let first = begin(&long).await.expect(201);
    assert_eq!(begin(&long).await.expect(201), first);
    assert_eq!(begin(&short).await.problem(422), "idempotency-key-reused");
}
