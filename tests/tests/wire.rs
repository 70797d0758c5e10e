//! Each built-in contract's requests, byte for byte, against what its document says; computed here without the program's code.

use std::collections::BTreeMap;

use postrider_tests::receiver::Request;
use postrider_tests::sign::{hmac_hex, sendpilot, standard_v1};
use postrider_tests::world::{Endpoint, World, text};
use serde_json::{Value, json};

/// Odd numbers, odd order, odd characters: all of it must come out as it went in.
const DATA: &str = r#"{"z":1.50,"id":"r_1","big":123456789012345678901234567890,"tiny":1e-7,"name":"Zoë \u00e9 <&>","organization_id":"o_9"}"#;
const OCCURRED_AT: &str = "2025-10-16T12:00:00Z";

/// What one event looks like under one contract.
struct Expected {
    body: String,
    headers: Vec<(&'static str, String)>,
}

/// Sends one event of this type under this contract, and checks what arrives against what `expect` makes of it.
async fn check(
    contract: &str,
    fields: Value,
    event: &str,
    expect: impl Fn(&Request, &Endpoint, &str, &str) -> Expected,
) {
    let world = World::start().await;
    let organization = world.organization(contract).await;
    let endpoint = organization.endpoint(&world.receiver.url("/in?x=1"), fields).await;
    let path = organization.path("/events");
    let call = postrider_tests::api::Call::new("POST", &path).body(event.to_owned());
    let event_id = text(&world.api.call(call).await.expect(202)["id"]);
    let delivery_id = organization.delivery_of(&event_id).await;

    let arrived = world.receiver.wait_for("/in?x=1", 1).await.remove(0);
    let expected = expect(&arrived, &endpoint, &event_id, &delivery_id);
    assert_eq!(arrived.method, "POST");
    assert_eq!(arrived.text(), expected.body, "{contract}: the body");
    assert_eq!(headers_of(&arrived), with_usual(&arrived, expected.headers), "{contract}: the headers");
}

/// Every header with its value, names in lower case (HTTP's names have none), but for those that only the connection needs.
fn headers_of(request: &Request) -> BTreeMap<String, String> {
    request.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect()
}

fn with_usual(request: &Request, own: Vec<(&'static str, String)>) -> BTreeMap<String, String> {
    let agent = request.header("user-agent").unwrap_or_default().to_owned();
    assert!(agent.starts_with("Postrider/"), "{agent}");
    let usual = [
        ("host", request.header("host").unwrap_or_default().to_owned()),
        ("content-type", "application/json".to_owned()),
        ("content-length", request.body.len().to_string()),
        ("user-agent", agent),
    ];
    usual.into_iter().chain(own).map(|(name, value)| (name.to_lowercase(), value)).collect()
}

fn event(event_type: &str, more: &str) -> String {
    format!(r#"{{"type":"{event_type}","data":{DATA},"occurred_at":"{OCCURRED_AT}"{more}}}"#)
}

#[tokio::test]
async fn standard_is_what_standard_webhooks_says() {
    let published = event("deal.updated", r#","previous":{"name":"Zoe"}"#);
    check("standard", json!({"headers": {"X-Token": "t-1"}}), &published, |arrived, endpoint, event_id, _| {
        let changes = r#"{"name":{"previous":"Zoe","current":"Zoë \u00e9 <&>"}}"#;
        let body =
            format!(r#"{{"type":"deal.updated","timestamp":"{OCCURRED_AT}","data":{DATA},"changes":{changes}}}"#);
        let timestamp = arrived.header("webhook-timestamp").unwrap_or_default().to_owned();
        assert!(timestamp.parse::<u64>().is_ok(), "{timestamp}");
        let signature = standard_v1(&endpoint.secret, event_id, &timestamp, body.as_bytes());
        let headers = vec![
            ("webhook-id", event_id.to_owned()),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
            ("x-token", "t-1".to_owned()),
        ];
        Expected { body, headers }
    })
    .await;
}

#[tokio::test]
async fn salessheet_is_what_its_document_says() {
    let secret = "typed by the user, ümlaut included";
    let published = event("deal.updated", r#","previous":{"z":1.20,"name":"Zoe"}"#);
    let fields = json!({"secret": secret, "headers": {"X-Api-Key": "k 1"}});
    check("salessheet", fields, &published, |_, _, _, delivery_id| {
        let changes = r#"{"z":{"previous":1.20,"current":1.50},"name":{"previous":"Zoe","current":"Zoë \u00e9 <&>"}}"#;
        let body = format!(
            r#"{{"event":"deal.updated","timestamp":"{OCCURRED_AT}","delivery_id":"{delivery_id}","data":{DATA},"changes":{changes}}}"#
        );
        let signature = hmac_hex(secret, body.as_bytes());
        Expected { body, headers: vec![("X-SalesSheet-Signature", signature), ("x-api-key", "k 1".to_owned())] }
    })
    .await;
}

#[tokio::test]
async fn salessheet_without_a_secret_is_not_signed() {
    check("salessheet", json!({}), &event("task.created", ""), |_, endpoint, _, delivery_id| {
        assert_eq!(endpoint.secret, "");
        let body = format!(
            r#"{{"event":"task.created","timestamp":"{OCCURRED_AT}","delivery_id":"{delivery_id}","data":{DATA}}}"#
        );
        Expected { body, headers: vec![] }
    })
    .await;
}

#[tokio::test]
async fn salesos_is_what_its_document_says() {
    check("salesos", json!({}), &event("opportunity.won", ""), |_, endpoint, event_id, _| {
        let body =
            format!(r#"{{"id":"{event_id}","type":"opportunity.won","created_at":"{OCCURRED_AT}","data":{DATA}}}"#);
        let signature = hmac_hex(&endpoint.secret, body.as_bytes());
        Expected { body, headers: vec![("X-Webhook-Signature", signature)] }
    })
    .await;
}

#[tokio::test]
async fn sendpilot_is_what_its_document_says() {
    check("sendpilot", json!({}), &event("message.received", ""), |arrived, endpoint, event_id, _| {
        let body = format!(r#"{{"eventId":"{event_id}","eventType":"message.received","data":{DATA}}}"#);
        let signature = arrived.header("webhook-signature").unwrap_or_default();
        let seconds = signature.strip_prefix("t=").and_then(|rest| rest.split(',').next()).unwrap_or_default();
        assert!(seconds.parse::<u64>().is_ok(), "{signature}");
        let expected = sendpilot(&endpoint.secret, seconds, body.as_bytes());
        Expected { body, headers: vec![("Webhook-Signature", expected)] }
    })
    .await;
}

#[tokio::test]
async fn webhook_system_is_what_its_document_says() {
    let fields = json!({"secret": "optional secret"});
    check("webhook-system", fields, &event("contact.created", ""), |arrived, _, _, _| {
        let body = format!(r#"{{"event":"contact.created","timestamp":"{OCCURRED_AT}","data":{DATA}}}"#);
        let timestamp = arrived.header("x-webhook-timestamp").unwrap_or_default().to_owned();
        assert!(timestamp.parse::<jiff::Timestamp>().is_ok() && timestamp.ends_with('Z'), "{timestamp}");
        let signature = hmac_hex("optional secret", body.as_bytes());
        let headers = vec![
            ("X-Webhook-Event", "contact.created".to_owned()),
            ("X-Webhook-Timestamp", timestamp),
            ("X-Webhook-Signature", signature),
        ];
        Expected { body, headers }
    })
    .await;
}

#[tokio::test]
async fn suresend_is_what_its_document_says() {
    let id = "0199eb6c-0a2f-7bbb-8000-0123456789ab";
    let more = format!(
        r#","id":"{id}","resource":{{"type":"people","ids":["p_1","p_2"],"uri":"https://crm.example/people/p_1"}}"#
    );
    check("suresend", json!({}), &event("peopleCreated", &more), |_, endpoint, _, _| {
        let body = format!(
            r#"{{"eventId":"{id}","eventCreated":"{OCCURRED_AT}","event":"peopleCreated","resourceIds":["p_1","p_2"],"uri":"https://crm.example/people/p_1","data":{DATA}}}"#
        );
        let signature = hmac_hex(&endpoint.secret, body.as_bytes());
        Expected { body, headers: vec![("X-Webhook-Signature", signature)] }
    })
    .await;
}

#[tokio::test]
async fn an_id_made_here_is_shown_as_a_uuid_where_the_document_shows_one() {
    let world = World::start().await;
    let organization = world.organization("suresend").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    organization
        .publish(&json!({"type": "peopleUpdated", "data": {}, "resource": {"type": "people", "id": "p_1"}}))
        .await;
    let arrived = world.receiver.wait_for("/in", 1).await.remove(0).json();
    let id: uuid::Uuid = text(&arrived["eventId"]).parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
}
