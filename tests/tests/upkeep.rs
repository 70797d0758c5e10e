//! Retention, health, readiness, metrics.

use postrider_tests::receiver::Reply;
use postrider_tests::wait::until;
use postrider_tests::world::{Store, World, items};
use serde_json::json;

postrider_tests::on_each_store!(
    what_is_older_than_the_retention_goes_and_what_was_pending_fails_as_expired,
    health_readiness_and_metrics_say_how_it_is,
    contracts_and_event_types_are_shown,
    a_plans_limit_on_endpoints_holds,
    the_metrics_tell_for_how_long_the_oldest_delivery_has_been_due,
);

const HOUR_MS: i64 = 3_600_000;

async fn what_is_older_than_the_retention_goes_and_what_was_pending_fails_as_expired(store: Store) {
    let world = World::with_on(store, |setup| setup.env("POSTRIDER_RETENTION", "2h")).await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/good"), json!({"events": ["deal.won"]})).await;
    organization.endpoint(&world.receiver.url("/bad"), json!({"events": ["deal.lost"]})).await;
    world.receiver.always("/bad", Reply::status(500));
    let done = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    let stuck = organization.publish(&json!({"type": "deal.lost", "data": {}})).await;
    let (done_id, stuck_id) = (organization.delivery_of(&done).await, organization.delivery_of(&stuck).await);
    organization.ended(&done_id, "succeeded").await;
    organization.attempted(&stuck_id, 1).await;

    // In Postgres, the history of a day goes as a whole, so the day has to be over for as long as the retention.
    let apart_ms = if store == Store::Postgres { 25 * HOUR_MS } else { HOUR_MS };
    world.advance_ms(apart_ms).await;
    let young = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    world.advance_ms(HOUR_MS + 120_000).await;
    for (path, what) in [(format!("/events/{done}"), "the event"), (format!("/deliveries/{done_id}"), "its delivery")] {
        let gone = async || (world.api.get(&organization.path(&path)).await.status == 404).then_some(());
        until(&format!("{what} is gone"), gone).await;
    }
    let none_pending = async || organization.deliveries("status=pending").await.is_empty().then_some(());
    until("nothing old is pending", none_pending).await;
    world.api.get(&organization.path(&format!("/events/{young}"))).await.expect(200);
}

async fn health_readiness_and_metrics_say_how_it_is(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.receiver.script("/in", [Reply::status(200), Reply::status(500)]);
    for _ in 0..2 {
        let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
        organization.attempted(&organization.delivery_of(&event).await, 1).await;
    }
    let open = world.api.with(None);
    assert_eq!(open.get("/healthz").await.status, 200);
    assert_eq!(open.get("/readyz").await.status, 200);
    let metrics = open.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    let media = metrics.header("content-type").unwrap_or_default().to_owned();
    assert!(media.starts_with("text/plain"), "{media}");
    // Prometheus text: a name, labels, and a number a line.
    for line in metrics.text().lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let number = line.rsplit(' ').next().unwrap_or_default();
        let named = line.starts_with("postrider_") || line.starts_with("process_");
        assert!(named && number.parse::<f64>().is_ok(), "{line}");
    }
    let docs = open.get("/docs").await;
    assert!(docs.status == 200 && docs.text().contains("<html"), "{}", docs.status);
}

async fn contracts_and_event_types_are_shown(store: Store) {
    let world = World::start_on(store).await;
    let listed = world.api.get("/v1/contracts").await.expect(200);
    let names: Vec<_> = items(&listed["data"]).iter().map(|contract| contract["name"].clone()).collect();
    for name in ["salessheet", "salesos", "sendpilot", "webhook-system", "suresend", "standard"] {
        assert!(names.contains(&json!(name)), "{names:?}");
    }
    // The documents' own counts.
    for (contract, count) in [("salessheet", 12), ("salesos", 20), ("webhook-system", 17)] {
        let organization = world.organization(contract).await;
        let types = world.api.get(&organization.path("/event-types")).await.expect(200);
        let types = items(&types["data"]);
        assert_eq!(types.len(), count, "{contract}");
        for event_type in types {
            for field in ["name", "description", "resource", "sample"] {
                assert!(!event_type[field].is_null(), "{contract}: no {field}: {event_type}");
            }
        }
    }
}

async fn a_plans_limit_on_endpoints_holds(store: Store) {
    let world = World::start_on(store).await;
    let made =
        world.api.post("/v1/organizations", &json!({"name": "No plan", "contract": "salessheet"})).await.expect(201);
    let path = format!("/v1/organizations/{}", made["id"].as_str().unwrap());
    let body = json!({"name": "E", "url": world.receiver.url("/in"), "events": ["*"]});
    world.api.post(&format!("{path}/endpoints"), &body).await.problem(422);
    world.api.patch(&path, &json!({"plan": "pro"})).await.expect(200);
    for _ in 0..10 {
        world.api.post(&format!("{path}/endpoints"), &body).await.expect(201);
    }
    let eleventh = world.api.post(&format!("{path}/endpoints"), &body).await.problem(422);
    assert!(eleventh.to_string().contains("10"), "{eleventh}");
    world.api.patch(&path, &json!({"plan": "enterprise"})).await.expect(200);
    world.api.post(&format!("{path}/endpoints"), &body).await.expect(201);
}

/// The value of a metric without labels.
async fn metric(world: &World, name: &str) -> Option<f64> {
    let metrics = world.api.get("/metrics").await.text();
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

async fn the_metrics_tell_for_how_long_the_oldest_delivery_has_been_due(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/hangs"), json!({})).await;
    world.receiver.always("/hangs", Reply::Hang);
    assert_eq!(metric(&world, "postrider_oldest_due_seconds").await, Some(0.0), "nothing is due");
    organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    world.receiver.wait_for("/hangs", 1).await;
    // The embedded store is looked at once a minute by its clock, the lanes of a node of many every ten seconds.
    world.advance_ms(61_000).await;
    until("it waits for a minute", async || {
        metric(&world, "postrider_oldest_due_seconds").await.filter(|seconds| *seconds >= 60.0)
    })
    .await;
    let errors = world.api.get("/metrics").await.text();
    assert!(errors.contains("postrider_store_errors_total{kind=\"unavailable\"} 0"), "told before there is one");
}
