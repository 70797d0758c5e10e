//! Several hundred real webhook bodies that nobody here wrote, verified by public libraries and by receivers written as the documents say.
//!
//! Each foreign receiver answers 200 only when it accepted a request and refused the same request with one flipped bit, so that a delivery that
//! succeeded was verified both ways.

use std::collections::BTreeMap;

use postrider_tests::api::Call;
use postrider_tests::examples::{Example, octokit};
use postrider_tests::foreign::Foreign;
use postrider_tests::receiver::Request;
use postrider_tests::sign::{hmac_hex, standard_v1};
use postrider_tests::wait::until;
use postrider_tests::world::{Endpoint, Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(every_body_arrives_byte_for_byte_under_standard_and_salessheet);

const BATCH_EVENTS: usize = 100;

const SALESSHEET_TYPES: [&str; 12] = [
    "contact.created",
    "contact.updated",
    "contact.deleted",
    "deal.created",
    "deal.updated",
    "deal.stage_changed",
    "deal.won",
    "deal.lost",
    "task.created",
    "task.completed",
    "activity.created",
    "pipeline.updated",
];

fn id_of(number: usize) -> String {
    format!("example-{number}")
}

/// Publishes every example, its body's text untouched, in batches.
async fn publish_all(
    organization: &Organization,
    examples: &[Example],
    event_type: impl Fn(usize, &Example) -> String,
) {
    let path = organization.path("/events/batch");
    let indexed: Vec<_> = examples.iter().enumerate().collect();
    for batch in indexed.chunks(BATCH_EVENTS) {
        let events: Vec<_> = batch
            .iter()
            .map(|(number, example)| {
                let (id, kind) = (id_of(*number), event_type(*number, example));
                format!(r#"{{"id":"{id}","type":"{kind}","data":{}}}"#, example.body)
            })
            .collect();
        let body = format!(r#"{{"events":[{}]}}"#, events.join(","));
        let accepted = organization.api.call(Call::new("POST", &path).body(body)).await.expect(202);
        assert_eq!(items(&accepted["data"]).len(), batch.len());
    }
}

/// Waits until nothing is pending, and fails with what a receiver said when it refused one.
async fn all_succeed(organization: &Organization, expected: usize) {
    let outcome = async || {
        let failed = refused_one(organization).await;
        assert!(failed.is_none(), "{failed:?}");
        organization.deliveries("status=pending&limit=1").await.is_empty().then_some(())
    };
    until("every delivery has succeeded", outcome).await;
    assert_eq!(organization.all_deliveries("status=succeeded").await.len(), expected);
}

/// A pending delivery that was attempted, with what the receiver said.
async fn refused_one(organization: &Organization) -> Option<String> {
    let pending = organization.deliveries("status=pending&limit=250").await;
    let tried = pending.iter().find(|delivery| delivery["attempts_count"].as_u64() > Some(0))?;
    let detail = organization.delivery(&text(&tried["id"])).await;
    Some(format!("{} {}", detail["event"], detail["attempts"]))
}

/// An endpoint at a foreign receiver, which is told its secret.
async fn endpoint_at(organization: &Organization, receiver: &mut Foreign, path: &str) {
    let endpoint = organization.endpoint(&format!("{}{path}", receiver.url), json!({})).await;
    receiver.trust(path, &endpoint.secret).await;
}

#[tokio::test]
async fn the_public_libraries_of_standard_webhooks_accept_every_body_and_refuse_every_forgery() {
    let examples = octokit();
    assert!(examples.len() > 300, "{} examples", examples.len());
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let (mut node, mut python) = (Foreign::node().await, Foreign::python().await);
    endpoint_at(&organization, &mut node, "/standard").await;
    endpoint_at(&organization, &mut python, "/standard").await;
    endpoint_at(&organization, &mut python, "/svix").await;
    publish_all(&organization, &examples, |_, example| example.event_type.clone()).await;
    all_succeed(&organization, examples.len() * 3).await;
}

#[tokio::test]
async fn sendpilots_own_receivers_accept_every_body_and_refuse_every_forgery() {
    let examples = octokit();
    let world = World::start().await;
    let organization = world.organization("sendpilot").await;
    let (mut node, mut python) = (Foreign::node().await, Foreign::python().await);
    endpoint_at(&organization, &mut node, "/sendpilot").await;
    endpoint_at(&organization, &mut python, "/sendpilot").await;
    publish_all(&organization, &examples, |_, _| "message.received".to_owned()).await;
    all_succeed(&organization, examples.len() * 2).await;
}

#[tokio::test]
async fn suresends_own_receiver_accepts_every_body_and_refuses_every_forgery() {
    let examples = octokit();
    let world = World::start().await;
    let organization = world.organization("suresend").await;
    let mut ruby = Foreign::ruby().await;
    endpoint_at(&organization, &mut ruby, "/suresend").await;
    publish_all(&organization, &examples, |_, _| "peopleUpdated".to_owned()).await;
    all_succeed(&organization, examples.len()).await;
}

/// The one request of each event, by the number in its body or its id.
fn by_number(requests: Vec<Request>, number: impl Fn(&Request) -> usize) -> BTreeMap<usize, Request> {
    let count = requests.len();
    let found: BTreeMap<_, _> = requests.into_iter().map(|request| (number(&request), request)).collect();
    assert_eq!(found.len(), count, "an event arrived twice");
    found
}

async fn every_body_arrives_byte_for_byte_under_standard_and_salessheet(store: Store) {
    let examples = octokit();
    let world = World::start_on(store).await;
    let standard = world.organization("standard").await;
    let salessheet = world.organization("salessheet").await;
    let standard_endpoint = standard.endpoint(&world.receiver.url("/standard"), json!({})).await;
    let fields = json!({"secret": "typed by a user"});
    let sheet_endpoint = salessheet.endpoint(&world.receiver.url("/salessheet"), fields).await;
    publish_all(&standard, &examples, |_, example| example.event_type.clone()).await;
    publish_all(&salessheet, &examples, |number, _| SALESSHEET_TYPES[number % 12].to_owned()).await;

    let arrived = world.receiver.wait_for("/standard", examples.len()).await;
    let arrived = by_number(arrived, |r| r.header("webhook-id").unwrap()["example-".len()..].parse().unwrap());
    for (number, request) in &arrived {
        check_standard(&examples[*number], request, &standard_endpoint);
    }
    all_succeed(&salessheet, examples.len()).await;
    let number_of = |delivery: &Value| text(&delivery["event"])["example-".len()..].parse().unwrap();
    let deliveries = salessheet.all_deliveries("").await;
    let deliveries: BTreeMap<_, usize> = deliveries.iter().map(|d| (text(&d["id"]), number_of(d))).collect();
    let arrived = world.receiver.at("/salessheet");
    let arrived = by_number(arrived, |r| deliveries[&text(&r.json()["delivery_id"])]);
    assert_eq!(arrived.len(), examples.len());
    for (number, request) in &arrived {
        check_salessheet(*number, &examples[*number], request, &sheet_endpoint);
    }
}

fn check_standard(example: &Example, request: &Request, endpoint: &Endpoint) {
    let body = request.json();
    let (kind, time) = (&example.event_type, text(&body["timestamp"]));
    let expected = format!(r#"{{"type":"{kind}","timestamp":"{time}","data":{}}}"#, example.body);
    assert!(request.body == expected.as_bytes(), "{}: the body differs", example.name);
    let header = |name: &str| request.header(name).unwrap_or_default();
    let signature = standard_v1(&endpoint.secret, header("webhook-id"), header("webhook-timestamp"), &request.body);
    assert_eq!(header("webhook-signature"), signature, "{}", example.name);
}

fn check_salessheet(number: usize, example: &Example, request: &Request, endpoint: &Endpoint) {
    let body = request.json();
    let (kind, time, id) = (SALESSHEET_TYPES[number % 12], text(&body["timestamp"]), text(&body["delivery_id"]));
    let expected = format!(r#"{{"event":"{kind}","timestamp":"{time}","delivery_id":"{id}","data":{}}}"#, example.body);
    assert!(request.body == expected.as_bytes(), "{}: the body differs", example.name);
    let signature = hmac_hex(&endpoint.secret, &request.body);
    assert_eq!(request.header("x-salessheet-signature"), Some(signature.as_str()), "{}", example.name);
}
