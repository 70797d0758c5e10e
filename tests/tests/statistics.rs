//! Statistics: what receivers really answered is what they say, after a stop, and summed over nodes.

use postrider_tests::cluster::Cluster;
use postrider_tests::receiver::Reply;
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    statistics_say_what_receivers_answered,
    statistics_are_there_after_a_stop_and_go_with_their_endpoint,
    what_is_older_than_retention_is_not_told,
);

const HOUR_MS: i64 = 3_600_000;

/// A contract that retries once, and whose attempts are over after a second.
const HASTY: &str = r#"
name = "hasty"
title = "Hasty"
envelope = '{"type":"$type","data":"$data"}'

[signature]
header = "X-Hasty-Signature"

[response]
timeout = "1s"

[retry]
kind = "after"
steps = ["1h"]

[types."deal.won"]
description = "A deal was won"
resource = "deal"
schema = '{"type":"object"}'
sample = '{"id":1}'
"#;

async fn read(organization: &Organization, query: &str) -> Value {
    organization.api.get(&organization.path(&format!("/statistics?{query}"))).await.expect(200)
}

/// Of one endpoint.
async fn of(organization: &Organization, endpoint: &str) -> Value {
    let found = read(organization, &format!("endpoint={endpoint}")).await;
    let data = items(&found["data"]);
    assert_eq!((data.len(), &data[0]["endpoint"]), (1, &json!(endpoint)), "{found}");
    data[0].clone()
}

/// Attempts, those that failed, deliveries that succeeded, and those that failed.
fn counts(statistics: &Value) -> [u64; 4] {
    ["attempts", "failed_attempts", "succeeded_deliveries", "failed_deliveries"]
        .map(|field| statistics[field].as_u64().unwrap_or_else(|| panic!("no {field}: {statistics}")))
}

/// Attempts of each bucket in which there were some.
fn in_buckets(statistics: &Value) -> Vec<(u64, u64)> {
    let buckets = items(&statistics["buckets"]);
    let counts = buckets
        .iter()
        .map(|bucket| (bucket["attempts"].as_u64().unwrap(), bucket["failed_attempts"].as_u64().unwrap()));
    counts.filter(|(attempts, _)| *attempts > 0).collect()
}

async fn publish(organization: &Organization) -> String {
    let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    organization.delivery_of(&event).await
}

async fn hasty(world: &World) -> Organization {
    world.organization("hasty").await
}

async fn start(store: Store) -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hasty.toml"), HASTY).unwrap();
    let contracts = folder.path().display().to_string();
    (World::with_on(store, |setup| setup.env("POSTRIDER_CONTRACTS", &contracts)).await, folder)
}

async fn statistics_say_what_receivers_answered(store: Store) {
    let (world, _contracts) = start(store).await;
    let organization = hasty(&world).await;
    let good = organization.endpoint(&world.receiver.url("/good"), json!({})).await.id;
    let nothing = json!({"attempts": 0, "failed_attempts": 0, "response_time_ms": null});
    let before = of(&organization, &good).await;
    assert_eq!(counts(&before), [0; 4]);
    assert_eq!(
        (&before["success_rate"], &before["response_time_ms"], &before["last_attempt_at"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    for bucket in items(&before["buckets"]) {
        assert!(nothing.as_object().unwrap().iter().all(|(field, value)| bucket[field] == *value), "{bucket}");
    }

    let hangs = organization.endpoint(&world.receiver.url("/hangs"), json!({})).await.id;
    let mended = organization.endpoint(&world.receiver.url("/mended"), json!({})).await.id;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
    let away = organization.endpoint(&format!("http://{nobody}/"), json!({})).await.id;
    world.receiver.always("/hangs", Reply::Hang);
    world.receiver.script("/mended", [Reply::status(500), Reply::status(200)]);
    let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    let all = organization.deliveries(&format!("event={event}")).await;
    for delivery in &all {
        organization.attempted(delivery["id"].as_str().unwrap(), 1).await;
    }
    let test = organization.path(&format!("/endpoints/{good}/test"));
    organization.api.post(&test, &json!({})).await.expect(200);
    assert_eq!(counts(&of(&organization, &good).await), [1, 0, 1, 0], "tests are not counted");
    for endpoint in [&hangs, &mended, &away] {
        assert_eq!(counts(&of(&organization, endpoint).await), [1, 1, 0, 0]);
    }
    world.advance_ms(HOUR_MS + 1_000).await;
    for delivery in &all {
        organization.delivery_when(delivery["id"].as_str().unwrap(), "its end", |d| d["status"] != "pending").await;
    }

    let found = of(&organization, &mended).await;
    assert_eq!(counts(&found), [2, 1, 1, 0]);
    assert_eq!((in_buckets(&found), found["success_rate"].as_f64()), (vec![(1, 1), (1, 0)], Some(0.5)));
    let found = of(&organization, &hangs).await;
    assert_eq!((counts(&found), in_buckets(&found)), ([2, 2, 0, 1], vec![(1, 1), (1, 1)]));
    let waited = found["response_time_ms"]["p50"].as_u64().unwrap();
    assert!((601..=2_500).contains(&waited), "a timeout of a second: {found}");
    let found = of(&organization, &away).await;
    assert_eq!((counts(&found), &found["response_time_ms"]), ([2, 2, 0, 1], &Value::Null), "nobody was reached");
    let found = of(&organization, &good).await;
    let (p50, p95) = (&found["response_time_ms"]["p50"], &found["response_time_ms"]["p95"]);
    assert!(p50.as_u64().unwrap() <= p95.as_u64().unwrap() && p95.as_u64().unwrap() <= 1_000, "{found}");
    let id = text(&organization.deliveries(&format!("endpoint={good}&test=false")).await[0]["id"]);
    let started_at = text(&organization.delivery(&id).await["attempts"][0]["started_at"]);
    assert!(text(&found["last_attempt_at"]) >= started_at, "{found}");

    let first = read(&organization, "limit=3").await;
    let rest = read(&organization, &format!("limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    let ids: Vec<_> =
        items(&first["data"]).into_iter().chain(items(&rest["data"])).map(|row| row["endpoint"].clone()).collect();
    assert_eq!(
        (ids, &rest["next_cursor"]),
        (vec![json!(away), json!(mended), json!(hangs), json!(good)], &Value::Null)
    );
    assert_eq!(first["bucket_seconds"], json!(3_600));
    let stranger = world.organization("hasty").await;
    assert_eq!(read(&stranger, &format!("endpoint={good}")).await["data"], json!([]));
    organization.with_scopes(&["endpoints:read"]).await.get(&organization.path("/statistics")).await.problem(403);
}

async fn statistics_are_there_after_a_stop_and_go_with_their_endpoint(store: Store) {
    let (world, _contracts) = start(store).await;
    let organization = hasty(&world).await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await.id;
    world.receiver.script("/in", [Reply::status(200), Reply::status(500)]);
    for _ in 0..2 {
        organization.attempted(&publish(&organization).await, 1).await;
    }
    let before = of(&organization, &endpoint).await;
    assert_eq!(counts(&before), [2, 1, 1, 0]);
    // A killed process loses what it had not added yet, one that is stopped in good order nothing.
    let world = world.stopped_and_started().await;
    let organization = Organization { api: world.api.clone(), id: organization.id };
    let after = of(&organization, &endpoint).await;
    assert_eq!((counts(&after), &after["response_time_ms"]), (counts(&before), &before["response_time_ms"]));
    world.advance_ms(10_000).await;
    organization.attempted(&publish(&organization).await, 1).await;
    assert_eq!(counts(&of(&organization, &endpoint).await), [3, 1, 2, 0], "added to what was there");
    let deleted = organization.api.delete(&organization.path(&format!("/endpoints/{endpoint}"))).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(read(&organization, &format!("endpoint={endpoint}")).await["data"], json!([]));
}

async fn what_is_older_than_retention_is_not_told(store: Store) {
    let world = World::with_on(store, |setup| setup.env("POSTRIDER_RETENTION", "2h")).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await.id;
    organization.ended(&publish(&organization).await, "succeeded").await;
    assert_eq!(counts(&of(&organization, &endpoint).await), [1, 0, 1, 0]);
    // So that it lies in the store.
    world.advance_ms(6_000).await;
    world.advance_ms(4 * HOUR_MS).await;
    let gone = async || {
        // Retention looks once a minute.
        world.advance_ms(61_000).await;
        (counts(&of(&organization, &endpoint).await) == [0; 4]).then_some(())
    };
    until("the hour is dropped", gone).await;
    let by_days = read(&organization, "since=2026-01-01T00:00:00Z&until=2026-01-20T00:00:00Z").await;
    assert_eq!((&by_days["bucket_seconds"], items(&by_days["data"][0]["buckets"]).len()), (&json!(86_400), 19));
    let path = organization.path("/statistics?since=2026-01-01T00:00:00Z&until=2026-03-01T00:00:00Z");
    let refused = world.api.get(&path).await.problem(400);
    assert!(refused.to_string().contains("31 days"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_add_to_the_same_hours() {
    let cluster = Cluster::start(2).await;
    let mut tenant = cluster.tenant(0).await;
    let mut endpoints = vec![];
    for number in 0..4 {
        endpoints.push(cluster.endpoint(&mut tenant, &format!("/in/{number}")).await.id);
    }
    let (one, other) = (tenant.at(cluster.api(0)), tenant.at(cluster.api(1)));
    for number in 0..40 {
        publish_everywhere(if number % 2 == 0 { &one } else { &other }).await;
    }
    one.drained().await;
    // What the other node counted is added within seconds; it is asked again until then, and never told twice.
    let sum = async |organization: &Organization| {
        let data = items(&read(organization, "").await["data"]);
        data.iter().map(counts).fold([0; 4], |sum, more| std::array::from_fn(|i| sum[i] + more[i]))
    };
    let all = [40 * endpoints.len() as u64, 0, 40 * endpoints.len() as u64, 0];
    for organization in [&one, &other] {
        until("both nodes' counts", async || {
            let found = sum(organization).await;
            assert!(found.iter().zip(all).all(|(found, all)| *found <= all), "{found:?}");
            (found == all).then_some(())
        })
        .await;
    }
}

async fn publish_everywhere(organization: &Organization) {
    organization.publish(&json!({"type": "deal.won", "data": {}})).await;
}
