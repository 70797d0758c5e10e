//! Who changed what: one entry a change, readable by admins, without a secret in it.

use axum::body::Body;
use http::{Method, Request};
use postrider_store::SqliteOptions;
use serde_json::{Value, json};

use super::world::{OPERATOR, World, closed_url};
use crate::ServerLimits;

const ORG: &str = "/v1/organizations/acme";

async fn trail(world: &World, query: &str) -> Vec<Value> {
    let page = world.get(&format!("{ORG}/audit{query}")).await.expect(200);
    page["data"].as_array().unwrap().clone()
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_change_leaves_an_entry_with_who_and_what_and_a_refused_one_none() {
    let world = World::new().await;
    world.organization("acme").await;
    world.patch(ORG, json!({"name": "Acme, Inc."})).await.expect(200);
    let admin = world.token("acme", "admin", &json!({"sub": "ana@example.com"}));
    let made = world
        .ask(
            &admin,
            Method::POST,
            &format!("{ORG}/keys"),
            json!({"name": "CI", "scopes": ["endpoints:write"]}).to_string(),
        )
        .await
        .expect(201);
    let key = made["key"].as_str().unwrap();
    let url = "https://user:pass-word@example.com/in?token=in-query";
    let endpoint = json!({"name": "CRM", "url": url, "events": ["deal.won"], "headers": {"X-Api": "header-value"}});
    let endpoint = world.ask(key, Method::POST, &format!("{ORG}/endpoints"), endpoint.to_string()).await;
    let endpoint = if endpoint.status == 201 {
        endpoint.expect(201)
    } else {
        // A build whose guard refuses credentials in URLs.
        let endpoint = json!({"name": "CRM", "url": "https://example.com/in?token=in-query", "events": ["deal.won"],
            "headers": {"X-Api": "header-value"}});
        world.ask(key, Method::POST, &format!("{ORG}/endpoints"), endpoint.to_string()).await.expect(201)
    };
    let (id, secret) = (endpoint["id"].as_str().unwrap(), endpoint["secret"].as_str().unwrap());
    let path = format!("{ORG}/endpoints/{id}");
    world.ask(&admin, Method::PATCH, &path, r#"{"enabled": false}"#).await.expect(200);
    world.ask(&admin, Method::PATCH, &path, r#"{"headers": {"X-Api": "other-value"}}"#).await.expect(200);
    world.patch(&path, json!({"events": []})).await.pointers(422);
    world.patch(&path, json!({"url": closed_url()})).await.expect(200);
    world.post(&format!("{path}/test"), json!({})).await.expect(200);
    world.ask(&admin, Method::DELETE, &path, Body::empty()).await.expect(204);
    world.ask(&admin, Method::DELETE, &path, Body::empty()).await.problem(404);
    let key_id = made["id"].as_str().unwrap();
    world.delete(&format!("{ORG}/keys/{key_id}")).await.expect(204);

    let entries = trail(&world, "").await;
    let expected = [
        "key.deleted",
        "endpoint.deleted",
        "endpoint.tested",
        "endpoint.changed",
        "endpoint.changed",
        "endpoint.changed",
        "endpoint.created",
        "key.created",
        "organization.changed",
        "organization.created",
    ];
    assert_eq!(actions(&entries), expected);
    assert_eq!(entries[8]["before"], json!({"name": "acme"}));
    assert_eq!(entries[8]["after"], json!({"name": "Acme, Inc."}));
    let jwt = json!({"kind": "jwt", "id": "ana@example.com", "role": "admin"});
    assert_eq!(entries[7]["actor"], jwt);
    assert_eq!(entries[6]["actor"], json!({"kind": "key", "id": key_id, "role": null}));
    assert_eq!(entries[6]["object"], id);
    assert_eq!(entries[6]["after"]["secret"], "********");
    assert_eq!(
        (&entries[5]["before"], &entries[5]["after"]),
        (&json!({"status": "active"}), &json!({"status": "paused"}))
    );
    let changed = json!({"headers.X-Api": "******** (changed)"});
    assert_eq!((&entries[4]["before"], &entries[4]["after"]), (&json!({"headers.X-Api": "********"}), &changed));
    assert_eq!(entries[0]["actor"], json!({"kind": "operator", "id": null, "role": null}));
    let all = json!(entries).to_string();
    for hidden in [secret, key, "header-value", "other-value", "in-query", "pass-word"] {
        assert!(!all.contains(hidden), "{hidden} in {all}");
    }
}

#[tokio::test]
async fn entries_are_found_by_actor_object_action_and_time_and_carry_the_request() {
    let world = World::new().await;
    world.organization("acme").await;
    let request = Request::patch(ORG)
        .header("authorization", format!("Bearer {OPERATOR}"))
        .header("content-type", "application/json")
        .header("x-request-id", "crm-4711")
        .body(Body::from(r#"{"name": "Other"}"#))
        .unwrap();
    let answer = world.send(request).await;
    answer.expect(200);
    assert_eq!(answer.header("x-request-id"), Some("crm-4711"));
    let viewer = world.token("acme", "admin", &json!({"sub": "u-1"}));
    let key = json!({"name": "k", "scopes": ["events:write"]}).to_string();
    let key = world.ask(&viewer, Method::POST, &format!("{ORG}/keys"), key).await.expect(201);
    let id = key["id"].as_str().unwrap();
    assert_eq!(actions(&trail(&world, "?actor=jwt:u-1").await), ["key.created"]);
    assert_eq!(actions(&trail(&world, "?actor=operator&action=organization.changed").await), ["organization.changed"]);
    assert_eq!(actions(&trail(&world, &format!("?object={id}")).await), ["key.created"]);
    assert_eq!(trail(&world, "?action=organization.changed").await[0]["request_id"], "crm-4711");
    assert!(trail(&world, "?since=2999-01-01T00:00:00Z").await.is_empty());
    assert_eq!(trail(&world, "?until=2999-01-01T00:00:00Z").await.len(), 3);
    let first = world.get(&format!("{ORG}/audit?limit=2")).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = world.get(&format!("{ORG}/audit?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((rest["data"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &Value::Null));
    for wrong in ["?since=yesterday", "?who=me", "?limit=0"] {
        assert_eq!(world.get(&format!("{ORG}/audit{wrong}")).await.problem(400), "invalid-query", "{wrong}");
    }
}

#[tokio::test]
async fn an_organisation_has_so_many_keys_and_no_more() {
    let limits = ServerLimits { organization_keys_max: 1, ..ServerLimits::default() };
    let world = World::with(limits, SqliteOptions::default()).await;
    world.organization("acme").await;
    let key = json!({"name": "CI", "scopes": ["events:write"]});
    let made = world.post(&format!("{ORG}/keys"), key.clone()).await.expect(201);
    assert_eq!(world.post(&format!("{ORG}/keys"), key.clone()).await.problem(422), "limit-reached");
    assert_eq!(actions(&trail(&world, "?action=key.created").await), ["key.created"]);
    world.delete(&format!("{ORG}/keys/{}", made["id"].as_str().unwrap())).await.expect(204);
    world.post(&format!("{ORG}/keys"), key).await.expect(201);
}

#[tokio::test]
async fn admins_read_their_own_trail_and_the_operator_what_is_left_of_deleted_organisations() {
    let world = World::new().await;
    for id in ["acme", "globex"] {
        world.organization(id).await;
    }
    let path = format!("{ORG}/audit");
    let scopes = ["events:write", "endpoints:read", "endpoints:write", "deliveries:read", "deliveries:write"];
    let key = world.key("acme", &scopes).await;
    world.ask(&key, Method::GET, &path, Body::empty()).await.problem(403);
    for (role, organization, status) in
        [("admin", "acme", 200), ("viewer", "acme", 403), ("admin", "globex", 404), ("viewer", "globex", 404)]
    {
        let token = world.token(organization, role, &Value::Null);
        world.ask(&token, Method::GET, &path, Body::empty()).await.expect(status);
        world.ask(&token, Method::GET, "/v1/audit", Body::empty()).await.problem(403);
    }
    world.delete(ORG).await.expect(204);
    world.get(&path).await.problem(404);
    let left = world.get("/v1/audit").await.expect(200);
    assert_eq!(actions(left["data"].as_array().unwrap()), ["organization.deleted"]);
    assert_eq!((&left["data"][0]["object"], &left["data"][0]["before"]), (&json!("acme"), &json!({})));
    assert!(trail_of(&world, "globex").await == ["organization.created"]);
}

async fn trail_of(world: &World, organization: &str) -> Vec<String> {
    let page = world.get(&format!("/v1/organizations/{organization}/audit")).await.expect(200);
    page["data"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}
