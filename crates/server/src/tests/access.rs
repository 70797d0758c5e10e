//! Who may do what: credentials, scopes, and the wall between organisations.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use serde_json::json;

use super::world::{Answer, OPERATOR, World, closed_url};
use crate::openapi::documented;

const ALL_SCOPES: [&str; 5] =
    ["events:write", "endpoints:read", "endpoints:write", "deliveries:read", "deliveries:write"];

fn in_organization(path: &str, organization: &str) -> String {
    path.replace("{org}", organization)
        .replace("{endpoint}", "ep_00000000000000000000000001")
        .replace("{delivery}", "dlv_00000000000000000000000001")
        .replace("{key}", "key_00000000000000000000000001")
        .replace("{event}", "evt_00000000000000000000000001")
}

fn of_one_organization() -> Vec<(Method, String)> {
    documented().into_iter().filter(|(_, path)| path.contains("{org}")).collect()
}

#[tokio::test]
async fn nobody_gets_in_without_a_valid_credential() {
    let world = World::new().await;
    let bare = |value: Option<&str>| {
        let mut request = Request::builder().uri("/v1/contracts");
        if let Some(value) = value {
            request = request.header("authorization", value);
        }
        request.body(Body::empty()).unwrap()
    };
    for value in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic b3A6"), Some("Bearer prk_unknown")] {
        let answer = world.send(bare(value)).await;
        assert_eq!(answer.problem(401), "unauthenticated", "{value:?}");
        assert!(answer.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")));
    }
    let right = format!("Bearer {OPERATOR}");
    world.send(bare(Some(&right))).await.expect(200);
}

#[tokio::test]
async fn another_organisation_is_exactly_like_one_that_does_not_exist() {
    let world = World::new().await;
    for id in ["acme", "globex"] {
        world.organization(id).await;
    }
    let key = world.key("acme", &ALL_SCOPES).await;
    for (method, path) in of_one_organization() {
        let [existing, missing] = ["globex", "nowhere"].map(|id| in_organization(&path, id));
        let existing: Answer = world.ask(&key, method.clone(), &existing, "{}").await;
        let missing: Answer = world.ask(&key, method.clone(), &missing, "{}").await;
        assert_eq!((existing.status, &existing.body), (404, &missing.body), "{method} {path}: {}", existing.text());
    }
}

#[tokio::test]
async fn another_organisations_objects_are_exactly_like_those_that_do_not_exist() {
    let world = World::new().await;
    for id in ["acme", "globex"] {
        world.organization(id).await;
    }
    let key = world.key("acme", &ALL_SCOPES).await;
    let endpoint = world.endpoint("globex", &closed_url()).await["id"].as_str().unwrap().to_owned();
    let event = json!({"type": "deal.won", "data": {}, "id": "theirs"});
    world.post("/v1/organizations/globex/events", event).await.expect(202);
    let listed = world.get("/v1/organizations/globex/deliveries").await.expect(200);
    let delivery = listed["data"][0]["id"].as_str().unwrap().to_owned();
    let no_delivery = "dlv_00000000000000000000000001";
    for (method, theirs, nobodys, rest) in [
        (Method::GET, endpoint.as_str(), "ep_00000000000000000000000001", ""),
        (Method::PATCH, &endpoint, "ep_00000000000000000000000001", ""),
        (Method::DELETE, &endpoint, "ep_00000000000000000000000001", ""),
        (Method::POST, &endpoint, "no id at all", "/test"),
    ] {
        let path = |id: &str| format!("/v1/organizations/acme/endpoints/{}{rest}", id.replace(' ', "%20"));
        let [theirs, nobodys] = [
            world.ask(&key, method.clone(), &path(theirs), "{}").await,
            world.ask(&key, method, &path(nobodys), "{}").await,
        ];
        assert_eq!((theirs.status, &theirs.body), (404, &nobodys.body));
    }
    for (method, rest) in [(Method::GET, ""), (Method::POST, "/retry")] {
        let path = |id: &str| format!("/v1/organizations/acme/deliveries/{id}{rest}");
        let theirs = world.ask(&key, method.clone(), &path(&delivery), "").await;
        let nobodys = world.ask(&key, method, &path(no_delivery), "").await;
        assert_eq!((theirs.status, &theirs.body), (404, &nobodys.body));
    }
    world.ask(&key, Method::GET, "/v1/organizations/acme/events/theirs", "").await.problem(404);
    let filtered = format!("/v1/organizations/acme/deliveries?endpoint={endpoint}");
    assert_eq!(world.ask(&key, Method::GET, &filtered, "").await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn a_key_without_the_scope_is_told_which_one_it_lacks() {
    let world = World::new().await;
    world.organization("acme").await;
    for scope in ALL_SCOPES {
        let lacking: Vec<_> = ALL_SCOPES.into_iter().filter(|other| *other != scope).collect();
        let key = world.key("acme", &lacking).await;
        let (method, path) = match scope {
            "events:write" => (Method::POST, "events"),
            "endpoints:read" => (Method::GET, "endpoints"),
            "endpoints:write" => (Method::POST, "endpoints"),
            "deliveries:read" => (Method::GET, "deliveries"),
            _ => (Method::POST, "deliveries/dlv_00000000000000000000000001/retry"),
        };
        let answer = world.ask(&key, method, &format!("/v1/organizations/acme/{path}"), "{}").await;
        assert_eq!(answer.problem(403), "forbidden");
        assert!(answer.text().contains(scope), "{}", answer.text());
    }
}

#[tokio::test]
async fn what_is_the_operators_is_refused_to_every_key() {
    let world = World::new().await;
    world.organization("acme").await;
    let key = world.key("acme", &ALL_SCOPES).await;
    for (method, path) in [
        (Method::POST, "/v1/organizations"),
        (Method::GET, "/v1/organizations"),
        (Method::PUT, "/v1/organizations/acme"),
        (Method::PATCH, "/v1/organizations/acme"),
        (Method::DELETE, "/v1/organizations/acme"),
        (Method::POST, "/v1/organizations/acme/keys"),
        (Method::GET, "/v1/organizations/acme/keys"),
    ] {
        assert_eq!(world.ask(&key, method.clone(), path, "{}").await.problem(403), "forbidden", "{method} {path}");
    }
    world.ask(&key, Method::GET, "/v1/organizations/acme", "").await.expect(200);
    world.ask(&key, Method::GET, "/v1/contracts", "").await.expect(200);
}

#[tokio::test]
async fn a_key_is_shown_once_listed_without_itself_and_refused_once_deleted() {
    let world = World::new().await;
    world.organization("acme").await;
    let path = "/v1/organizations/acme/keys";
    let made = world.post(path, json!({"name": "CI", "scopes": ["endpoints:read"]})).await.expect(201);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("prk_") && key.starts_with(made["hint"].as_str().unwrap()));
    world.ask(key, Method::GET, "/v1/organizations/acme", "").await.expect(200);

    let listed = world.get(path).await;
    assert_eq!(listed.expect(200)["data"][0]["name"], "CI");
    assert!(!listed.text().contains(key));
    let id = made["id"].as_str().unwrap();
    world.delete(&format!("{path}/{id}")).await.expect(204);
    assert_eq!(world.ask(key, Method::GET, "/v1/organizations/acme", "").await.problem(401), "unauthenticated");
    world.delete(&format!("{path}/{id}")).await.problem(404);
}

#[tokio::test]
async fn a_key_is_refused_from_the_moment_it_expires() {
    let world = World::new().await;
    world.organization("acme").await;
    let end = crate::time::Moment(world.engine.now() + Duration::from_secs(60));
    let body = json!({"name": "short", "scopes": ["endpoints:read"], "expires_at": end});
    let made = world.post("/v1/organizations/acme/keys", body).await.expect(201);
    let key = made["key"].as_str().unwrap();
    world.ask(key, Method::GET, "/v1/organizations/acme", "").await.expect(200);
    world.clock.advance(Duration::from_secs(61));
    let answer = world.ask(key, Method::GET, "/v1/organizations/acme", "").await;
    assert_eq!(answer.problem(401), "unauthenticated");
}

#[tokio::test]
async fn the_keys_of_a_deleted_organisation_open_nothing_even_when_it_comes_back() {
    let world = World::new().await;
    world.organization("acme").await;
    let key = world.key("acme", &ALL_SCOPES).await;
    world.ask(&key, Method::GET, "/v1/organizations/acme", "").await.expect(200);
    world.delete("/v1/organizations/acme").await.expect(204);
    world.ask(&key, Method::GET, "/v1/organizations/acme", "").await.problem(401);
    world.organization("acme").await;
    world.ask(&key, Method::GET, "/v1/organizations/acme", "").await.problem(401);
}
