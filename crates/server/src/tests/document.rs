//! The OpenAPI document: complete, in step with what is read, and unchanged unless somebody means it.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::world::World;
use crate::openapi::documented;
use crate::wire::endpoint::{EndpointChange, NewEndpoint};
use crate::wire::endpoint_check::EndpointCheck;
use crate::wire::event::{EventBatch, PublishedEvent};
use crate::wire::key::NewKey;
use crate::wire::notifications::NotificationsChange;
use crate::wire::organization::{NewOrganization, OrganizationChange};
use crate::wire::resource::PublishedResource;
use crate::wire::secret::{ConfirmRequest, RotateRequest};
use crate::wire::session::{NewPortalLink, NewSession};
use crate::wire::test::TestRequest;

/// The routes of the API's specification that there are so far.
const ROUTES: &str = "
    DELETE /compat/{contract}/webhooks/{webhook}
    GET /compat/{contract}/webhooks
    GET /compat/{contract}/webhooks/events
    GET /compat/{contract}/webhooks/{webhook}
    POST /compat/{contract}/webhooks
    PUT /compat/{contract}/webhooks/{webhook}
    DELETE /v1/organizations/{org}
    DELETE /v1/organizations/{org}/endpoints/{endpoint}
    DELETE /v1/organizations/{org}/keys/{key}
    GET /docs
    GET /docs/problems
    GET /docs/style.css
    GET /healthz
    GET /metrics
    GET /openapi.json
    GET /readyz
    GET /v1/audit
    GET /v1/status
    GET /v1/contracts
    GET /v1/contracts/{name}
    GET /v1/contracts/{name}/verification
    GET /v1/egress-addresses
    GET /v1/session
    POST /v1/sessions
    POST /v1/organizations/{org}/portal-links
    GET /v1/organizations
    GET /v1/organizations/{org}
    GET /v1/organizations/{org}/audit
    GET /v1/organizations/{org}/deliveries
    GET /v1/organizations/{org}/deliveries/{delivery}
    GET /v1/organizations/{org}/endpoints
    GET /v1/organizations/{org}/endpoints/{endpoint}
    GET /v1/organizations/{org}/endpoints/{endpoint}/stream
    GET /v1/organizations/{org}/event-types
    GET /v1/organizations/{org}/events
    GET /v1/organizations/{org}/events/{event}
    GET /v1/organizations/{org}/events/{event}/routing
    GET /v1/organizations/{org}/statistics
    GET /v1/organizations/{org}/keys
    GET /v1/organizations/{org}/notifications
    PATCH /v1/organizations/{org}/notifications
    PATCH /v1/organizations/{org}
    PATCH /v1/organizations/{org}/endpoints/{endpoint}
    POST /v1/organizations
    POST /v1/organizations/{org}/deliveries/{delivery}/retry
    POST /v1/organizations/{org}/endpoints/{endpoint}/recover
    POST /v1/organizations/{org}/erasures
    GET /v1/organizations/{org}/operations
    GET /v1/organizations/{org}/operations/{operation}
    POST /v1/organizations/{org}/endpoints
    POST /v1/organizations/{org}/endpoints/check
    POST /v1/organizations/{org}/endpoints/{endpoint}/diagnose
    POST /v1/organizations/{org}/endpoints/{endpoint}/secret/confirm
    POST /v1/organizations/{org}/endpoints/{endpoint}/secret/rotate
    POST /v1/organizations/{org}/endpoints/{endpoint}/test
    POST /v1/organizations/{org}/events
    POST /v1/organizations/{org}/events/batch
    POST /v1/organizations/{org}/filters/preview
    POST /v1/organizations/{org}/keys
    PUT /v1/organizations/{org}";

fn document() -> Value {
    serde_json::from_str(&crate::openapi_json()).unwrap()
}

#[test]
fn the_document_changes_only_when_somebody_means_it() {
    insta::assert_snapshot!("openapi", crate::openapi_json());
}

#[test]
fn the_document_has_the_specifications_routes_and_no_other() {
    let found: BTreeSet<_> = documented().iter().map(|(method, path)| format!("{method} {path}")).collect();
    let expected: BTreeSet<_> =
        ROUTES.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    assert_eq!(found, expected);
}

#[test]
fn routes_come_from_documented_handlers_alone() {
    let sources = [include_str!("../openapi.rs"), include_str!("../lib.rs")].concat();
    let undocumented: Vec<_> = sources.lines().filter(|line| line.contains(".route(")).collect();
    assert_eq!(undocumented.len(), 2, "the two of the movable clock: {undocumented:?}");
    assert!(undocumented.iter().all(|line| line.contains("/test-clock")));
}

#[tokio::test]
async fn every_route_of_the_document_answers() {
    let world = World::new().await;
    for (method, path) in documented() {
        let concrete = path.replace("{org}", "o").replace("{name}", "n").replace(['{', '}'], "");
        let answer = world.ask("nobody", method.clone(), &concrete, "{}").await;
        let is_open = !path.starts_with("/v1/") && !path.starts_with("/compat/");
        let expected = if is_open { 200 } else { 401 };
        assert_eq!(answer.status, expected, "{method} {path}: {}", answer.text());
    }
}

#[test]
fn requests_have_the_fields_that_the_document_says() {
    let described = |name: &str| -> BTreeSet<String> {
        let document = document();
        let properties = document["components"]["schemas"][name]["properties"].as_object().unwrap();
        properties.keys().cloned().collect()
    };
    let read = |fields: &[&str]| -> BTreeSet<String> { fields.iter().map(|field| (*field).to_owned()).collect() };
    let fixed: Vec<_> = EndpointChange::FIELDS.iter().filter(|f| !EndpointChange::FIXED.contains(f)).copied().collect();
    for (name, fields) in [
        ("NewOrganization", NewOrganization::FIELDS),
        ("OrganizationChange", OrganizationChange::FIELDS),
        ("PublishedEvent", PublishedEvent::FIELDS),
        ("PublishedResource", PublishedResource::FIELDS),
        ("EventBatch", EventBatch::FIELDS),
        ("NewEndpoint", NewEndpoint::FIELDS),
        ("EndpointChange", &fixed),
        ("EndpointCheck", EndpointCheck::FIELDS),
        ("TestRequest", TestRequest::FIELDS),
        ("RotateRequest", RotateRequest::FIELDS),
        ("ConfirmRequest", ConfirmRequest::FIELDS),
        ("NewKey", NewKey::FIELDS),
        ("NewPortalLink", NewPortalLink::FIELDS),
        ("NewSession", NewSession::FIELDS),
        ("NotificationsChange", NotificationsChange::FIELDS),
    ] {
        assert_eq!(described(name), read(fields), "{name}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = document();
    let mut names = BTreeSet::new();
    let mut left = vec![&document];
    while let Some(value) = left.pop() {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                if let Some(name) = members.get("operationId").and_then(Value::as_str) {
                    assert!(names.insert(name), "{name}");
                }
                left.extend(members.values());
            }
            Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
    assert_eq!(names.len(), documented().len());
    assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
}

#[tokio::test]
async fn the_document_and_its_pages_are_served_under_a_policy_without_scripts() {
    let world = World::new().await;
    assert_eq!(world.get("/openapi.json").await.expect(200), document());
    for path in ["/docs", "/docs/problems"] {
        let page = world.get(path).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("script"), "{policy}");
        assert!(!page.text().contains("<script"));
    }
    assert_eq!(world.get("/docs/style.css").await.header("content-type"), Some("text/css; charset=utf-8"));
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_browsers_out() {
    let world = World::new().await;
    world.organization("acme").await;
    let answers = [
        world.get("/v1/organizations/acme").await,
        world.get("/healthz").await,
        world.get("/no/such/path").await,
        world.ask("nobody", Method::GET, "/v1/organizations", "").await,
        world.ask(super::world::OPERATOR, Method::PATCH, "/healthz", "{}").await,
        world.post("/v1/organizations", json!({})).await,
    ];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 200, 404, 401, 405, 422]);
    for answer in &answers {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        assert!(
            answer.header("content-security-policy").is_some_and(|p| p.contains("default-src 'none'")),
            "{answer:?}"
        );
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{answer:?}");
    }
    assert_eq!(answers[2].problem(404), "not-found");
    assert_eq!(answers[4].problem(405), "method-not-allowed");
    assert_eq!(answers[4].header("allow"), Some("GET,HEAD"));
}

#[tokio::test]
async fn a_server_that_can_commit_is_ready_and_shows_numbers() {
    let world = World::new().await;
    assert_eq!(world.get("/readyz").await.expect(200), json!({"status": "ok"}));
    assert_eq!(world.get("/healthz").await.expect(200), json!({"status": "ok"}));
    assert!(world.get("/metrics").await.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
}
