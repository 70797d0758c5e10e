//! Operational events: what befalls customers' endpoints arrives at the operator's own receiver, signed, once.

use std::collections::BTreeSet;

use postrider_tests::receiver::{Reply, Request};
use postrider_tests::sign::standard_v1;
use postrider_tests::wait::until;
use postrider_tests::world::{Endpoint, Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store![
    what_befell_endpoints_before_a_kill_arrives_signed_and_once,
    nothing_is_told_where_the_operator_has_not_asked,
];

const SETTING: &str = "POSTRIDER_OPERATIONAL_ORGANIZATION";
/// The offsets of document 000's retries, from one to the next.
const RETRIES_MS: [i64; 5] = [60_000, 300_000, 1_800_000, 7_200_000, 86_400_000];
const TEN_MINUTES_MS: i64 = 600_000;

/// The operator's organisation, with an endpoint at `/ops`.
pub(crate) async fn operator(api: &postrider_tests::api::Api, url: &str) -> (Organization, Endpoint) {
    let body = json!({"id": "ops", "name": "Operator", "contract": "operational", "event_validation": "enforce"});
    api.post("/v1/organizations", &body).await.expect(201);
    let organization = Organization { api: api.clone(), id: "ops".to_owned() };
    let endpoint = organization.endpoint(url, json!({})).await;
    (organization, endpoint)
}

pub(crate) async fn rotate(organization: &Organization, endpoint: &Endpoint, secret: Option<&str>) {
    let path = organization.path(&format!("/endpoints/{}/secret/rotate", endpoint.id));
    let mut body = json!({"overlap": "0s"});
    if let Some(secret) = secret {
        body["secret"] = json!(secret);
    }
    organization.api.post(&path, &body).await.expect(200);
}

async fn publish(organization: &Organization, count: usize) {
    for n in 0..count {
        let data = json!({"id": n.to_string(), "note": "payload-text"});
        organization.publish(&json!({"type": "deal.won", "data": data})).await;
    }
}

async fn shown_when(organization: &Organization, id: &str, is_so: impl Fn(&Value) -> bool) {
    let path = organization.path(&format!("/endpoints/{id}"));
    until("the endpoint", async || is_so(&organization.api.get(&path).await.expect(200)).then_some(())).await;
}

/// An endpoint that fails until it is disabled, by 50 failures on end.
async fn disabled_endpoint(world: &World) -> (Organization, String) {
    let organization = world.organization("salessheet").await;
    let url = world.receiver.url("/bad?token=url-secret");
    let endpoint = organization.endpoint(&url, json!({"name": "ERP"})).await.id;
    world.receiver.always("/bad?token=url-secret", Reply::status(500));
    for (count, in_all) in [(24, 24), (1, 25), (24, 49)] {
        publish(&organization, count).await;
        shown_when(&organization, &endpoint, |shown| shown["consecutive_failures"] == in_all).await;
    }
    publish(&organization, 1).await;
    shown_when(&organization, &endpoint, |shown| shown["status"] == "disabled").await;
    (organization, endpoint)
}

/// Two deliveries that fail at every attempt of their schedule; the later one's id.
async fn exhausted_deliveries(world: &World, organization: &Organization) -> Vec<String> {
    publish(organization, 2).await;
    let ids: Vec<_> = organization.deliveries("").await.iter().map(|one| text(&one["id"])).collect();
    for (made, step) in (1..).zip(RETRIES_MS) {
        for id in &ids {
            organization.attempted(id, made).await;
        }
        // Attempts take their time: with a little more every next one is due.
        world.advance_ms(step + 30_000).await;
    }
    for id in &ids {
        organization.ended(id, "failed").await;
    }
    ids
}

fn verify(arrived: &Request, endpoint: &Endpoint) {
    let header = |name: &str| arrived.header(name).unwrap_or_default().to_owned();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    assert_eq!(header("webhook-signature"), standard_v1(&endpoint.secret, &id, &timestamp, &arrived.body));
    let all = arrived.text();
    assert!(!all.contains("url-secret") && !all.contains("payload-text") && !all.contains("whsec_"), "{all}");
    assert!(!all.contains("chosen-secret"), "{all}");
}

fn data_of(arrived: &[Request], kind: &str) -> Value {
    let found: Vec<_> = arrived.iter().map(Request::json).filter(|body| body["type"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}: {found:?}");
    found[0]["data"].clone()
}

async fn what_befell_endpoints_before_a_kill_arrives_signed_and_once(store: Store) {
    let world = World::with_on(store, |setup| setup.env(SETTING, "ops")).await;
    let customer = world.organization("salessheet").await;
    let endpoint = customer.endpoint(&world.receiver.url("/out"), json!({"name": "Billing"})).await;
    world.receiver.always("/out", Reply::status(503));
    let exhausted = exhausted_deliveries(&world, &customer).await;
    rotate(&customer, &endpoint, Some("chosen-secret-one")).await;
    let (other, erp) = disabled_endpoint(&world).await;

    // The operator's organisation is not there yet, so nothing was published before the kill.
    let world = world.killed_and_started().await;
    let (ops, receiving) = operator(&world.api, &world.receiver.url("/ops")).await;
    // A program that starts again knows nothing of how far the clock was moved.
    world.advance_ms(RETRIES_MS.iter().sum::<i64>() + TEN_MINUTES_MS).await;
    let arrived = world.receiver.wait_for("/ops", 4).await;
    arrived.iter().for_each(|one| verify(one, &receiving));

    let billing = json!({"id": endpoint.id, "name": "Billing"});
    let data = data_of(&arrived, "delivery.exhausted");
    assert_eq!(
        (&data["endpoint"], &data["count"], &data["organization"]["id"]),
        (&billing, &json!(2), &json!(customer.id))
    );
    assert!(exhausted.contains(&text(&data["last_delivery"])), "{data}");
    assert_eq!(data_of(&arrived, "secret.rotated")["endpoint"], billing);
    let erp = json!({"id": erp, "name": "ERP"});
    let data = data_of(&arrived, "endpoint.disabled");
    assert_eq!((&data["endpoint"], &data["consecutive_failures"]), (&erp, &json!(50)));
    assert_eq!(data["reason"], "50 attempts in a row failed; the latest was answered with status 500");
    assert_eq!(data["organization"], json!({"id": other.id, "name": "Organization on salessheet"}));
    assert_eq!(data_of(&arrived, "endpoint.failing")["consecutive_failures"], 25);

    // Each once: long after claims have run out, what comes next is about something else.
    world.advance_ms(6 * TEN_MINUTES_MS).await;
    let customer = Organization { api: world.api.clone(), id: customer.id };
    rotate(&customer, &endpoint, Some("chosen-secret-two")).await;
    let arrived = world.receiver.wait_for("/ops", 5).await;
    assert_eq!(arrived.len(), 5, "{arrived:?}");
    assert_eq!(arrived[4].json()["type"], "secret.rotated");
    let ids: BTreeSet<_> = arrived.iter().filter_map(|one| one.header("webhook-id")).collect();
    let stored = items(&world.api.get(&ops.path("/events")).await.expect(200)["data"]);
    let stored: BTreeSet<_> = stored.iter().map(|event| text(&event["id"])).collect();
    assert_eq!(stored.iter().map(String::as_str).collect::<BTreeSet<_>>(), ids);
    assert_eq!(ids.len(), 5);
}

async fn nothing_is_told_where_the_operator_has_not_asked(store: Store) {
    let mut world = World::start_on(store).await;
    let (_, receiving) = operator(&world.api, &world.receiver.url("/ops")).await;
    let customer = world.organization("standard").await;
    let endpoint = customer.endpoint(&world.receiver.url("/in"), json!({})).await;
    rotate(&customer, &endpoint, None).await;
    world.data.setup = world.data.setup.clone().env(SETTING, "ops");
    let world = world.stopped_and_started().await;
    // From now on it is told.
    rotate(&Organization { api: world.api.clone(), id: customer.id }, &endpoint, None).await;
    let arrived = world.receiver.wait_for("/ops", 1).await;
    verify(&arrived[0], &receiving);
    let stored = items(&world.api.get("/v1/organizations/ops/events").await.expect(200)["data"]);
    assert_eq!(stored.len(), 1, "{stored:?}");
}
