//! Previews of filters: the numbers are right, bounded, and of one organisation alone.

use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    a_preview_says_how_many_would_have_passed_and_shows_some,
    an_endpoint_then_gets_what_its_preview_said,
);

async fn preview(organization: &Organization, body: Value) -> Value {
    organization.api.post(&organization.path("/filters/preview"), &body).await.expect(200)
}

async fn publish_all(organization: &Organization, events: Vec<Value>) {
    let body = json!({"events": events});
    organization.api.post(&organization.path("/events/batch"), &body).await.expect(202);
}

/// Deals of 1 to so many, every third won.
fn deals(count: u32) -> Vec<Value> {
    let deal = |n: u32| {
        let stage = if n.is_multiple_of(3) { "won" } else { "proposal" };
        json!({
            "type": "deal.updated", "id": format!("deal-{n}"), "data": {"amount": n, "stage": stage},
            "previous": {"stage": "proposal"},
        })
    };
    (1..=count).map(deal).collect()
}

async fn a_preview_says_how_many_would_have_passed_and_shows_some(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let empty = preview(&organization, json!({"filter": "changes.stage"})).await;
    let nothing = json!({
        "events_count": 0, "passed_count": 0, "complete": true, "since": null, "passed": [], "held_back": [], "notes": [],
    });
    assert_eq!(empty, nothing);

    // More than one page of the store's.
    publish_all(&organization, deals(600)).await;
    publish_all(&organization, vec![json!({"type": "contact.created", "id": "c", "data": {"amount": "12"}})]).await;
    let other = world.organization("standard").await;
    publish_all(&other, deals(9)).await;

    let counts = async |body: Value| {
        let found = preview(&organization, body).await;
        assert_eq!(found["complete"], true);
        (found["passed_count"].as_u64().unwrap(), found["events_count"].as_u64().unwrap())
    };
    assert_eq!(counts(json!({"filter": "changes.stage.current = \"won\""})).await, (200, 601));
    assert_eq!(counts(json!({"filter": "changes.stage"})).await, (200, 601));
    assert_eq!(counts(json!({"filter": "changes.stage", "events": ["deal.*"]})).await, (200, 600));
    assert_eq!(counts(json!({"filter": "data.amount > 590", "events": ["deal.updated"]})).await, (10, 600));
    assert_eq!(counts(json!({"filter": "data.amount > 590", "events": ["contact.created"]})).await, (0, 1));

    let shown = preview(&organization, json!({"filter": "data.amount <= 598 and data.amount > 3"})).await;
    let ids = |list: &Value| items(list).iter().map(|event| text(&event["id"])).collect::<Vec<_>>();
    assert_eq!(ids(&shown["passed"]), ["deal-598", "deal-597", "deal-596", "deal-595", "deal-594"]);
    assert_eq!(ids(&shown["held_back"]), ["c", "deal-600", "deal-599", "deal-3", "deal-2"]);
    assert_eq!(shown["passed"][0]["type"], "deal.updated");
    let note = &shown["notes"][0];
    assert_eq!(
        (&note["kind"], &note["events_count"], &note["example"]),
        (&json!("differs_in_kind"), &json!(1), &json!("c"))
    );

    // An update that came to no other stage has changes, and no stage among them.
    let missing =
        preview(&organization, json!({"filter": "changes.stage.current = 'won'", "events": ["deal.*"]})).await;
    let note = &missing["notes"][0];
    assert_eq!(
        (&note["kind"], &note["events_count"], &note["example"]),
        (&json!("missing"), &json!(400), &json!("deal-599"))
    );
}

async fn an_endpoint_then_gets_what_its_preview_said(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let filter = "changes.stage.current = \"won\" and data.amount > 10";
    organization.endpoint(&world.receiver.url("/in"), json!({"events": ["deal.*"], "filter": filter})).await;
    publish_all(&organization, deals(30)).await;
    let previewed = preview(&organization, json!({"filter": filter, "events": ["deal.*"]})).await;
    assert_eq!(previewed["passed_count"], 7);
    world.receiver.wait_for("/in", 7).await;
    organization.drained().await;
    assert_eq!(organization.all_deliveries("").await.len(), 7);
}

#[tokio::test]
async fn a_preview_is_refused_with_every_mistake_and_to_whoever_may_not_read_events() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let path = organization.path("/filters/preview");
    let wrong = json!({"filter": "stage", "events": ["*", "a b"], "since": "now"});
    assert_eq!(world.api.post(&path, &wrong).await.pointers(422), ["/events/1", "/filter", "/since"]);
    assert_eq!(world.api.post(&path, &json!({})).await.pointers(422), ["/filter"]);
    let unknown = json!({"filter": "data.a", "contract": "none"});
    assert_eq!(world.api.post(&path, &unknown).await.pointers(422), ["/contract"]);
    let ask = json!({"filter": "data.a"});
    organization.with_scopes(&["endpoints:read", "endpoints:write"]).await.post(&path, &ask).await.problem(403);
    organization.with_scopes(&["deliveries:read"]).await.post(&path, &ask).await.expect(200);
    let other = world.organization("standard").await;
    other.with_scopes(&["deliveries:read"]).await.post(&path, &ask).await.problem(404);
}

#[tokio::test]
async fn a_previews_types_are_in_the_words_of_the_contract_that_is_asked_for() {
    let world = World::start().await;
    let organization = world.organization("salesos").await;
    publish_all(&organization, vec![json!({"type": "deal.won", "data": {}})]).await;
    let counts = async |body: Value| {
        let found = preview(&organization, body).await;
        (found["passed_count"].as_u64().unwrap(), found["events_count"].as_u64().unwrap())
    };
    assert_eq!(counts(json!({"filter": "type = 'opportunity.won'", "events": ["opportunity.won"]})).await, (1, 1));
    assert_eq!(
        counts(json!({"filter": "type = 'deal.won'", "contract": "salessheet", "events": ["deal.*"]})).await,
        (1, 1)
    );
}
