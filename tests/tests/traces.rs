//! Traces by OTLP, from a request over a retry and a restart to the arrival.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use postrider_tests::api::Call;
use postrider_tests::on_each_store;
use postrider_tests::program::Setup;
use postrider_tests::receiver::{Receiver, Reply};
use postrider_tests::world::{Organization, Store, World, text};
use prost::Message;
use serde_json::json;

on_each_store![
    a_trace_goes_from_the_request_over_a_retry_and_a_restart_to_the_arrival,
    the_last_spans_are_sent_when_the_program_stops,
    a_test_event_and_a_probe_are_traced_and_marked,
];

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const PAYLOAD: &str = "payload-marker-7d01";
const TOKEN: &str = "otlp-token-marker-33ab";
const IN: &str = "/in/path-marker-90cc?token=query-marker-11d9";
const COLLECTED: &str = "/base/v1/traces";

fn traced(setup: Setup, collector: &Receiver) -> Setup {
    setup
        .env("POSTRIDER_OTLP_ENDPOINT", &collector.url("/base"))
        .env("POSTRIDER_OTLP_HEADERS", &format!("Authorization=Bearer%20{TOKEN}"))
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Every span that the collector was sent, with the one of another try left out.
fn spans(collector: &Receiver) -> Vec<Span> {
    let mut spans: Vec<Span> = vec![];
    for request in collector.at(COLLECTED) {
        let message = ExportTraceServiceRequest::decode(request.body.as_slice()).expect("OTLP");
        let scopes = message.resource_spans.into_iter().flat_map(|one| one.scope_spans);
        for span in scopes.flat_map(|scope| scope.spans) {
            if !spans.iter().any(|known| known.span_id == span.span_id) {
                spans.push(span);
            }
        }
    }
    spans
}

fn attribute(span: &Span, name: &str) -> String {
    let value = span.attributes.iter().find(|one| one.key == name).and_then(|one| one.value.clone()?.value);
    match value {
        None => String::new(),
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        Some(Any::BoolValue(truth)) => truth.to_string(),
        Some(other) => panic!("{name}: {other:?}"),
    }
}

/// The span of this name and with this attribute, once it has come.
async fn span(collector: &Receiver, name: &str, key: &str, value: &str) -> Span {
    let find = || spans(collector).into_iter().find(|span| span.name == name && attribute(span, key) == value);
    collector.wait_until(&format!("the span {name} with {key} {value}"), || find().is_some()).await;
    find().expect("just seen")
}

async fn publish_traced(organization: &Organization) -> String {
    let event = json!({"type": "deal.won", "data": {"note": PAYLOAD}});
    let call = Call::new("POST", &organization.path("/events")).json(&event);
    let call = call.header("traceparent", &format!("00-{TRACE}-{CALLER}-01")).header("tracestate", "crm=1");
    text(&organization.api.call(call).await.expect(202)["id"])
}

async fn a_trace_goes_from_the_request_over_a_retry_and_a_restart_to_the_arrival(store: Store) {
    let collector = Receiver::start().await;
    let world = World::with_on(store, |setup| traced(setup, &collector)).await;
    // Its first retry comes after a minute, long after the kill.
    let organization = world.organization("salessheet").await;
    let endpoint = organization.endpoint(&world.receiver.url(IN), json!({})).await;
    world.receiver.script(IN, [Reply::status(500)]);
    let event = publish_traced(&organization).await;
    let delivery = organization.delivery_of(&event).await;
    organization.attempted(&delivery, 1).await;

    let route = "/v1/organizations/{org}/events";
    let request = span(&collector, &format!("POST {route}"), "http.route", route).await;
    assert_eq!((hex(&request.trace_id), hex(&request.parent_span_id)), (TRACE.to_owned(), CALLER.to_owned()));
    assert_eq!((request.kind(), request.trace_state.as_str()), (SpanKind::Server, "crm=1"));
    assert_eq!(attribute(&request, "http.response.status_code"), "202");
    let commit = spans(&collector).into_iter().find(|span| span.name == "commit").expect("it ended before the request");
    assert_eq!((&commit.trace_id, &commit.parent_span_id), (&request.trace_id, &request.span_id));
    assert!(request.start_time_unix_nano <= commit.start_time_unix_nano);
    assert!(commit.end_time_unix_nano <= request.end_time_unix_nano);

    // The event has a trace of its own; the two name each other.
    let made = span(&collector, "event", "messaging.message.id", &event).await;
    assert_ne!(made.trace_id, request.trace_id);
    let links = |span: &Span| span.links.iter().map(|l| (l.trace_id.clone(), l.span_id.clone())).collect::<Vec<_>>();
    assert_eq!(links(&request), [(made.trace_id.clone(), made.span_id.clone())]);
    assert_eq!(links(&made), [(request.trace_id.clone(), request.span_id.clone())]);
    let first = span(&collector, "attempt", "postrider.attempt.number", "1").await;
    assert_eq!(attribute(&first, "error.type"), "status");

    // Nothing was stored for it, and what comes after a kill belongs to it.
    let world = world.killed_and_started().await;
    world.advance_ms(600_000).await;
    let arrived = world.receiver.wait_for(IN, 2).await;
    assert!(arrived.iter().all(|request| request.header("traceparent").is_none()), "headers are as the contract says");
    let second = span(&collector, "attempt", "postrider.attempt.number", "2").await;
    for attempt in [&first, &second] {
        assert_eq!((&attempt.trace_id, &attempt.parent_span_id), (&made.trace_id, &made.span_id));
        assert_eq!(attribute(attempt, "postrider.delivery.id"), delivery);
        assert_eq!(attribute(attempt, "postrider.endpoint.id"), endpoint.id);
        assert_eq!(attribute(attempt, "postrider.organization.id"), organization.id);
    }
    assert!(second.status.is_none());
    let posts: Vec<_> = spans(&collector).into_iter().filter(|span| span.kind() == SpanKind::Client).collect();
    let below = |attempt: &Span| {
        let found = posts.iter().find(|post| post.parent_span_id == attempt.span_id).expect("its request");
        attribute(found, "http.response.status_code")
    };
    assert_eq!((below(&first), below(&second)), ("500".to_owned(), "200".to_owned()));
    assert_collected_without_secrets(&collector);
    let metrics = world.api.get("/metrics").await.text();
    assert!(metrics.contains("postrider_spans_dropped_total{reason=\"queue_full\"} 0"), "{metrics}");
    let ended = world.program.stop().await;
    assert!(!ended.stderr.contains(TOKEN) && !ended.stdout.contains(TOKEN));
}

/// Nothing of the URL, the payload or the names that customers gave leaves with the spans.
fn assert_collected_without_secrets(collector: &Receiver) {
    for request in collector.at(COLLECTED) {
        assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        let body = request.text();
        for marker in ["path-marker", "query-marker", PAYLOAD, "127.0.0.1", "Organization on", TOKEN] {
            assert!(!body.contains(marker), "{marker}: {body}");
        }
    }
}

async fn the_last_spans_are_sent_when_the_program_stops(store: Store) {
    let collector = Receiver::start().await;
    let world = World::with_on(store, |setup| traced(setup, &collector)).await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let mut events = vec![];
    for n in 0..20 {
        events.push(organization.publish(&json!({"type": "deal.won", "data": {"n": n}})).await);
    }
    organization.drained().await;
    let (ended, ..) = world.stop().await;
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let attempts: Vec<_> = spans(&collector).into_iter().filter(|span| span.name == "attempt").collect();
    for event in events {
        assert!(attempts.iter().any(|span| attribute(span, "messaging.message.id") == event), "{event}");
    }
}

async fn a_test_event_and_a_probe_are_traced_and_marked(store: Store) {
    let collector = Receiver::start().await;
    let world = World::with_on(store, |setup| traced(setup, &collector)).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    for path in ["test", "diagnose"] {
        let path = organization.path(&format!("/endpoints/{}/{path}", endpoint.id));
        organization.api.post(&path, &json!({})).await.expect(200);
    }
    let sent = world.receiver.wait_for("/in", 2).await;
    for request in sent {
        let event = request.header("webhook-id").expect("an id");
        let made = span(&collector, "event", "messaging.message.id", event).await;
        let attempt = span(&collector, "attempt", "messaging.message.id", event).await;
        assert_eq!((&attempt.trace_id, &attempt.parent_span_id), (&made.trace_id, &made.span_id));
        assert_eq!(
            (attribute(&made, "postrider.test"), attribute(&attempt, "postrider.test")),
            ("true".to_owned(), "true".to_owned())
        );
        assert_eq!(attribute(&attempt, "postrider.endpoint.id"), endpoint.id);
    }
}
