//! Changes as receivers are told of them, and what an event also is by its contract's derived types.

use std::fs;

use postrider_tests::sign;
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    a_derived_event_arrives_signed_and_is_an_event_of_its_own,
    publishing_again_under_the_same_id_derives_nothing_twice,
    publishing_again_after_a_rule_was_edited_answers_as_the_first_time_and_derives_nothing,
    what_was_accepted_is_answered_alike_when_it_comes_again_under_a_stricter_validation,
);

/// A contract of the operator's: the CRM publishes updates alone.
const ACME: &str = r#"
name = "acme"
title = "Acme"
envelope = '{"id":"$event.id","type":"$type","at":"$occurred_at","about":"$resource.id?","data":"$data","changes":"$changes?"}'

[signature]
header = "X-Acme-Signature"

[types."deal.updated"]
description = "A deal was changed"
resource = "deal"
schema = '{"type":"object"}'
sample = '{"id":1}'

[types."deal.stage_changed"]
description = "A deal came to another stage"
resource = "deal"
schema = '{"type":"object"}'
sample = '{"id":1}'

[types."deal.won"]
description = "A deal was won"
resource = "deal"
schema = '{"type":"object","required":["amount"]}'
sample = '{"id":1,"amount":2}'

[names]
"opportunity.updated" = "deal.updated"

[[derived]]
from = "deal.updated"
when = "changes.stage"
type = "deal.stage_changed"

[[derived]]
from = "deal.updated"
when = 'changes.stage.current = "won"'
type = "deal.won"
"#;

/// A world with that contract, and the folder that it lies in.
async fn acme_on(store: Store) -> (World, Organization, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("acme.toml"), ACME).unwrap();
    let contracts = folder.path().to_string_lossy().into_owned();
    let world = World::with_on(store, |setup| setup.env("POSTRIDER_CONTRACTS", &contracts)).await;
    let organization = world.organization("acme").await;
    (world, organization, folder)
}

fn won(id: &str) -> Value {
    json!({
        "type": "opportunity.updated", "id": id, "occurred_at": "2026-03-18T08:02:41Z", "resource": {"type": "deal", "id": "42"},
        "data": {"id": "42", "stage": "won", "amount": 12.50}, "previous": {"stage": "offer"},
    })
}

async fn a_derived_event_arrives_signed_and_is_an_event_of_its_own(store: Store) {
    let (world, organization, _folder) = acme_on(store).await;
    let endpoint = organization.endpoint(&world.receiver.url("/won"), json!({"events": ["deal.won"]})).await;
    organization.endpoint(&world.receiver.url("/all"), json!({})).await;
    let mut event = won("unused");
    event.as_object_mut().unwrap().remove("id");

    let accepted = organization.try_publish(&event).await.expect(202);
    assert_eq!(accepted["deliveries_count"], 1, "the original's alone");
    let id = text(&accepted["id"]);
    let arrived = &world.receiver.wait_for("/won", 1).await[0];
    assert_eq!(arrived.header("x-acme-signature"), Some(&*sign::hmac_hex(&endpoint.secret, &arrived.body)));
    let expected = format!(
        r#"{{"id":"{id}~deal.won","type":"deal.won","at":"2026-03-18T08:02:41Z","about":"42","data":{},"changes":{}}}"#,
        event["data"], r#"{"stage":{"previous":"offer","current":"won"}}"#
    );
    assert_eq!(arrived.text(), expected);
    let all = world.receiver.wait_for("/all", 3).await;
    let mut types: Vec<_> = all.iter().map(|request| text(&request.json()["type"])).collect();
    types.sort();
    assert_eq!(types, ["deal.stage_changed", "deal.updated", "deal.won"]);

    let rules = items(&world.api.get("/v1/contracts/acme").await.expect(200)["derived"]);
    assert_eq!(rules[0], json!({"from": "deal.updated", "when": "changes.stage", "type": "deal.stage_changed"}));

    let listed = items(&world.api.get(&organization.path("/events")).await.expect(200)["data"]);
    let shown: Vec<_> = listed
        .iter()
        .map(|event| (text(&event["id"]), text(&event["type"]), event["deliveries_count"].clone()))
        .collect();
    let derived = |name: &str, count: u64| (format!("{id}~{name}"), name.to_owned(), json!(count));
    let original = (id.clone(), "opportunity.updated".to_owned(), json!(1));
    assert_eq!(shown, [derived("deal.won", 2), derived("deal.stage_changed", 1), original]);
    let about = items(&world.api.get(&organization.path("/events?resource=deal:42")).await.expect(200)["data"]);
    assert_eq!(about.len(), 3);
    let one = world.api.get(&organization.path(&format!("/events/{id}~deal.won"))).await.expect(200);
    assert_eq!((&one["data"], &one["type"]), (&event["data"], &json!("deal.won")));
}

async fn publishing_again_under_the_same_id_derives_nothing_twice(store: Store) {
    let (world, organization, _folder) = acme_on(store).await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let batch = json!({"events": [won("a"), won("b"), won("a")]});
    let path = organization.path("/events/batch");
    for _ in 0..2 {
        let accepted = items(&world.api.post(&path, &batch).await.expect(202)["data"]);
        let shown: Vec<_> = accepted.iter().map(|one| (text(&one["id"]), one["deliveries_count"].clone())).collect();
        assert_eq!(shown, ["a", "b", "a"].map(|id| (id.to_owned(), json!(1))));
    }
    assert_eq!(world.receiver.wait_for("/in", 6).await.len(), 6);
    organization.drained().await;
    assert_eq!(organization.all_deliveries("").await.len(), 6);
    // Another content under a derived event's id is told of the event that it would be derived from.
    let taken = json!({"type": "deal.updated", "id": "c~deal.won", "data": {}});
    organization.try_publish(&taken).await.expect(202);
    let refused = world.api.post(&path, &json!({"events": [won("d"), won("c")]})).await.problem(422);
    assert_eq!(refused["errors"][0]["pointer"], "/events/1/id", "{refused}");
    world.api.get(&organization.path("/events/d")).await.problem(404);
}

async fn publishing_again_after_a_rule_was_edited_answers_as_the_first_time_and_derives_nothing(store: Store) {
    let (world, organization, folder) = acme_on(store).await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let first = organization.try_publish(&won("a")).await.expect(202);
    world.receiver.wait_for("/in", 3).await;
    organization.drained().await;

    // One rule is gone, another one tells of the type that is new.
    let edited = ACME.replace(
        "when = \"changes.stage\"\ntype = \"deal.stage_changed\"",
        "when = \"changes.stage\"\ntype = \"deal.paid\"",
    ) + "\n[types.\"deal.paid\"]\ndescription = \"A deal was paid\"\nresource = \"deal\"\nschema = '{\"type\":\"object\"}'\nsample = '{\"id\":1}'\n";
    fs::write(folder.path().join("acme.toml"), edited).unwrap();
    let world = world.stopped_and_started().await;
    let organization = Organization { api: world.api.clone(), id: organization.id };
    assert_eq!(organization.try_publish(&won("a")).await.expect(202), first);
    world.api.get(&organization.path("/events/a~deal.paid")).await.problem(404);
    assert_eq!(organization.all_deliveries("").await.len(), 3);
    // What is published now is told by the rules of now.
    organization.try_publish(&won("b")).await.expect(202);
    organization.drained().await;
    let listed = items(&world.api.get(&organization.path("/events")).await.expect(200)["data"]);
    let mut ids: Vec<_> = listed.iter().map(|event| text(&event["id"])).collect();
    ids.sort();
    assert_eq!(ids, ["a", "a~deal.stage_changed", "a~deal.won", "b", "b~deal.paid", "b~deal.won"]);
}

#[tokio::test]
async fn data_that_must_fit_must_fit_the_derived_types_too() {
    let (world, organization, _folder) = acme_on(Store::Sqlite).await;
    world.api.patch(&organization.path(""), &json!({"event_validation": "enforce"})).await.expect(200);
    let mut event = won("a");
    organization.try_publish(&event).await.expect(202);
    event["id"] = json!("b");
    event["data"].as_object_mut().unwrap().remove("amount");
    let refused = organization.try_publish(&event).await.problem(422);
    let detail = text(&refused["errors"][0]["detail"]);
    assert!(detail.contains("deal.won") && detail.contains("amount"), "{refused}");
    event["previous"] = json!({});
    organization.try_publish(&event).await.expect(202);
}

/// Whoever did not hear the first answer asks again, and must not be told that nothing was stored.
async fn what_was_accepted_is_answered_alike_when_it_comes_again_under_a_stricter_validation(store: Store) {
    let (world, organization, _folder) = acme_on(store).await;
    let mut event = won("a");
    event["data"].as_object_mut().unwrap().remove("amount");
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let first = organization.try_publish(&event).await.expect(202);
    world.api.patch(&organization.path(""), &json!({"event_validation": "enforce"})).await.expect(200);
    assert_eq!(organization.try_publish(&event).await.expect(202), first);
    let batch = |events: [&Value; 2]| json!({"events": events});
    let path = organization.path("/events/batch");
    let answers = items(&world.api.post(&path, &batch([&event, &won("b")])).await.expect(202)["data"]);
    assert_eq!((answers.len(), &answers[0]["deliveries_count"]), (2, &first["deliveries_count"]));
    let mut other = event.clone();
    other["data"]["note"] = json!("other content is no repetition");
    organization.try_publish(&other).await.problem(422);
    let mut fresh = event.clone();
    fresh["id"] = json!("c");
    organization.try_publish(&fresh).await.problem(422);
    world.api.post(&path, &batch([&event, &fresh])).await.problem(422);
    let listed = items(&world.api.get(&organization.path("/events")).await.expect(200)["data"]);
    let ids: Vec<_> = listed.iter().map(|event| text(&event["id"])).filter(|id| !id.contains('~')).collect();
    assert_eq!(ids, ["b", "a"], "each was stored once");
}

#[tokio::test]
async fn built_in_contracts_derive_nothing_and_a_crm_that_publishes_the_type_itself_tells_of_it_once() {
    let world = World::start().await;
    for contract in ["standard", "salessheet", "webhook-system"] {
        let organization = world.organization(contract).await;
        let event = json!({"type": "deal.updated", "data": {"stage": "won"}, "previous": {"stage": "offer"}});
        organization.publish(&event).await;
        let listed = items(&world.api.get(&organization.path("/events")).await.expect(200)["data"]);
        assert_eq!(listed.len(), 1, "{contract}");
    }
}

#[tokio::test]
async fn updates_carry_their_changes_however_they_were_given_and_leave_them_out_when_there_are_none() {
    let world = World::start().await;
    let changes = json!({"stage": {"previous": "new", "current": "won"}});
    // Of the built-in contracts, two documents have room for changes.
    for (contract, has_changes) in
        [("standard", true), ("salessheet", true), ("salesos", false), ("webhook-system", false), ("suresend", false)]
    {
        let organization = world.organization(contract).await;
        let path = format!("/{contract}");
        organization.endpoint(&world.receiver.url(&path), json!({})).await;
        let data = json!({"id": "1", "stage": "won"});
        let update = |more: Value| {
            let mut event = json!({"type": "contact.updated", "data": data});
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            event
        };
        let cases = [
            (update(json!({"previous": {"stage": "new", "id": "1"}})), Some(&changes)),
            (update(json!({"changes": changes})), Some(&changes)),
            (update(json!({})), None),
        ];
        for (index, (event, expected)) in cases.iter().enumerate() {
            organization.publish(event).await;
            let body = world.receiver.wait_for(&path, index + 1).await[index].json();
            assert_eq!(body.get("changes"), expected.filter(|_| has_changes), "{contract}: {body}");
        }
    }
}
