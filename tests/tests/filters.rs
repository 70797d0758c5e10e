//! Filters: an endpoint gets what its filter lets pass, a mistake is told with its place, and a preview tells beforehand.

use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    an_endpoint_gets_exactly_what_its_filter_lets_pass,
    a_filter_is_shown_changed_and_removed_and_holds_across_a_restart,
);

fn updated(id: &str, amount: i64, stage: Option<(&str, &str)>) -> Value {
    let mut event = json!({"type": "deal.updated", "id": id, "data": {"id": id, "amount": amount}});
    if let Some((was, is)) = stage {
        event["data"]["stage"] = json!(is);
        event["previous"] = json!({"stage": was});
    }
    event
}

/// Five updates: what they are called, how large, and which stage they came to.
async fn publish_updates(organization: &Organization) -> Vec<u64> {
    let mut counts = vec![];
    for event in [
        updated("small", 10, None),
        updated("large", 1001, None),
        updated("moved", 1000, Some(("new", "proposal"))),
        updated("won", 5, Some(("proposal", "won"))),
        updated("large-won", 5000, Some(("proposal", "won"))),
    ] {
        let accepted = organization.try_publish(&event).await.expect(202);
        counts.push(accepted["deliveries_count"].as_u64().unwrap());
    }
    counts
}

/// The ids of the events that arrived there, in any order.
async fn arrived(world: &World, path: &str, count: usize) -> Vec<String> {
    let requests = world.receiver.wait_for(path, count).await;
    let mut ids: Vec<_> = requests.iter().map(|request| text(&request.json()["data"]["id"])).collect();
    ids.sort();
    ids
}

async fn an_endpoint_gets_exactly_what_its_filter_lets_pass(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    for (path, filter) in [
        ("/changed", json!("changes.stage")),
        ("/large", json!("data.amount > 1000")),
        ("/won", json!("changes.stage.current = \"won\"")),
        ("/all", Value::Null),
    ] {
        organization.endpoint(&world.receiver.url(path), json!({"filter": filter})).await;
    }
    // Each is counted for the endpoints that it goes to.
    assert_eq!(publish_updates(&organization).await, [1, 2, 2, 3, 4]);
    assert_eq!(arrived(&world, "/all", 5).await, ["large", "large-won", "moved", "small", "won"]);
    assert_eq!(arrived(&world, "/changed", 3).await, ["large-won", "moved", "won"]);
    assert_eq!(arrived(&world, "/large", 2).await, ["large", "large-won"]);
    assert_eq!(arrived(&world, "/won", 2).await, ["large-won", "won"]);
    organization.drained().await;
    assert_eq!(organization.all_deliveries("").await.len(), 12, "and nothing else was made");
}

async fn a_filter_is_shown_changed_and_removed_and_holds_across_a_restart(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({"filter": "data.amount > 1000"})).await;
    let path = organization.path(&format!("/endpoints/{}", endpoint.id));
    assert_eq!(world.api.get(&path).await.expect(200)["filter"], "data.amount > 1000");

    let world = world.killed_and_started().await;
    let organization = Organization { api: world.api.clone(), ..organization };
    let count = async |event: Value| organization.try_publish(&event).await.expect(202)["deliveries_count"].clone();
    assert_eq!(count(updated("a", 1000, None)).await, 0);
    assert_eq!(count(updated("b", 1001, None)).await, 1);

    let changed = world.api.patch(&path, &json!({"filter": "changes.amount"})).await.expect(200);
    assert_eq!(changed["filter"], "changes.amount");
    assert_eq!(count(updated("c", 1001, None)).await, 0);
    assert_eq!(world.api.patch(&path, &json!({"filter": null})).await.expect(200)["filter"], Value::Null);
    assert_eq!(count(updated("d", 1, None)).await, 1);
    // A test is sent whatever the filter says.
    world.api.patch(&path, &json!({"filter": "data.nothing"})).await.expect(200);
    let test = world.api.post(&format!("{path}/test"), &json!({})).await.expect(200);
    assert_eq!(test["succeeded"], true);
}

#[tokio::test]
async fn a_mistake_in_a_filter_is_refused_with_its_place_and_what_to_write() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let path = organization.path(&format!("/endpoints/{}", endpoint.id));
    let refusal = async |filter: Value| {
        let problem = world.api.patch(&path, &json!({"filter": filter})).await.problem(422);
        let errors = items(&problem["errors"]);
        assert_eq!((errors.len(), &errors[0]["pointer"]), (1, &json!("/filter")), "{problem}");
        text(&errors[0]["detail"])
    };
    let detail = refusal(json!("data.amount > 1000 and stage = 'won'")).await;
    assert!(detail.contains("at character 24: `stage` is no part of an event; begin with"), "{detail}");
    let detail = refusal(json!("changes.stage.current = ")).await;
    assert!(detail.contains("at character 24: the filter does not go on as it may; write"), "{detail}");
    assert!(refusal(json!("")).await.contains("the filter is empty"));
    assert!(refusal(json!("!".repeat(1_001))).await.contains("at most 1000 are accepted"));
    assert!(refusal(json!(7)).await.contains("must be a string"));
    assert_eq!(world.api.get(&path).await.expect(200)["filter"], Value::Null, "nothing was changed");
}

#[tokio::test]
async fn a_filters_type_is_in_the_words_of_the_endpoints_own_contract() {
    let world = World::start().await;
    let organization = world.organization("salesos").await;
    // The CRM publishes deal.won; this organisation's receivers know it as opportunity.won.
    organization.endpoint(&world.receiver.url("/own"), json!({"filter": "type = 'opportunity.won'"})).await;
    organization.endpoint(&world.receiver.url("/crm"), json!({"filter": "type = 'deal.won'"})).await;
    let accepted = organization.try_publish(&json!({"type": "deal.won", "data": {"id": "d"}})).await.expect(202);
    assert_eq!(accepted["deliveries_count"], 1);
    assert_eq!(world.receiver.wait_for("/own", 1).await[0].json()["type"], "opportunity.won");
}

#[tokio::test]
async fn the_longest_event_under_the_worst_filter_is_answered_and_delivered() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let filter = "not data.rows[?data.rows[?data.rows[?@ = 2 and @ > 5] and @ = 2]]";
    organization.endpoint(&world.receiver.url("/in"), json!({"filter": filter})).await;
    let event = json!({"type": "deal.updated", "data": {"id": "d", "rows": vec![1; 100_000]}});
    assert_eq!(organization.try_publish(&event).await.expect(202)["deliveries_count"], 1, "what cannot be told passes");
    let metrics = world.api.with(None).get("/metrics").await.text();
    assert!(metrics.contains("postrider_filters_too_costly_total 1"), "{metrics}");
}
