//! What the operator is told of a source, on every node.

use postrider_tests::cluster::Cluster;
use postrider_tests::postgres::Database;
use postrider_tests::wait::until;
use postrider_tests::world::{Store, World, items};
use serde_json::{Value, json};

use super::crm::{By, Crm};
use super::{organization, world_of};

async fn source(world: &World) -> Value {
    world.api.get("/v1/status").await.expect(200)["source"].clone()
}

/// What is told once it is so.
async fn told(world: &World, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    until(what, async || Some(source(world).await).filter(&is_so)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_source_nothing_is_told_of_one() {
    let world = World::start().await;
    assert_eq!(source(&world).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_what_waits_and_what_was_let_go_is_told() {
    let crm = Crm::new().await;
    let world = World::with(|setup| crm.used_by(setup).env("POSTRIDER_NODE_NAME", "node-a")).await;
    organization(&world, "acme", "standard").await;
    let reading = told(&world, "it reads", |source| source["state"] == "reading").await;
    assert_eq!(reading["node"], json!({"name": "node-a", "this": true}));
    assert_eq!(
        (&reading["capture"], &reading["slot"], &reading["reason"]),
        (&json!("triggers"), &Value::Null, &Value::Null)
    );
    assert_eq!(reading["outbox"], json!({"changes": 0, "changes_max": 1_000_000, "oldest_ms": null, "missed": 0}));
    assert_eq!((&reading["refused"], &reading["backfills"]), (&json!(0), &json!([])));
    assert!(!reading["database"].as_str().unwrap().contains("postgres://"), "{reading}");
    crm.deals(1, 3);
    // Company 3 belongs to an organisation that nobody made.
    crm.run("INSERT INTO deals (company_id, title) VALUES (3, 'Lost')");
    told(&world, "one is let go", |source| source["refused"] == 1 && source["outbox"]["changes"] == 0).await;
    // Whose a deal is cannot be looked up as long as this is held.
    let mut lock = crm.seat().await;
    lock.run("BEGIN; LOCK TABLE companies IN ACCESS EXCLUSIVE MODE").await.unwrap();
    crm.run("UPDATE deals SET number = number + 1");
    let waiting = told(&world, "four changes wait", |source| source["outbox"]["changes"] == 4).await;
    assert!(waiting["outbox"]["oldest_ms"].is_u64(), "{waiting}");
    lock.run("ROLLBACK").await.unwrap();
    let done = told(&world, "nothing waits", |source| source["outbox"]["changes"] == 0).await;
    assert_eq!((&done["refused"], &done["outbox"]["oldest_ms"]), (&json!(2), &Value::Null), "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backfills_under_way_are_told() {
    let crm = Crm::new().await;
    crm.deals(1, 500);
    crm.run("TRUNCATE postrider_source.outbox");
    let world = world_of(&crm, Store::Sqlite).await;
    organization(&world, "acme", "standard").await;
    let mapping = crm.mapping();
    let mapping = mapping.to_str().expect("plain letters");
    let begun = world.setup.begin(&["source", "backfill", "public.deals", "--mapping", mapping, "--rate", "10"]);
    let told = told(&world, "it is under way", |source| source["backfills"][0]["done"].as_u64() > Some(0)).await;
    let backfills = items(&told["backfills"]);
    let [backfill] = backfills.as_slice() else { panic!("{told}") };
    assert_eq!((&backfill["table"], &backfill["total"]), (&json!("public.deals"), &json!(500)));
    begun.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_it_cannot_be_captured_is_told() {
    let crm = Crm::new().await;
    let world = world_of(&crm, Store::Sqlite).await;
    told(&world, "it reads", |source| source["state"] == "reading").await;
    crm.run("DROP SCHEMA postrider_source CASCADE");
    let has_failed = |source: &Value| source["state"] == "failed" && source["outbox"].is_null();
    let failed = told(&world, "it failed", has_failed).await;
    assert!(failed["reason"].as_str().unwrap().contains("source install"), "{failed}");
    assert_eq!(failed["node"], Value::Null, "{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_replication_the_log_that_is_kept_is_told() {
    let crm = Crm::by(By::Replication).await;
    let world = world_of(&crm, Store::Sqlite).await;
    organization(&world, "acme", "standard").await;
    let reading = told(&world, "it reads", |source| source["state"] == "reading").await;
    assert_eq!((&reading["capture"], &reading["outbox"]), (&json!("replication"), &Value::Null));
    assert_eq!(reading["slot"]["log_bytes_max"], json!(10_u64 << 30));
    assert!(reading["slot"]["log_bytes"].is_u64(), "{reading}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_tells_which_one_reads() {
    let crm = Crm::new().await;
    let mut cluster = Cluster::none_on(Database::create()).await;
    for _ in 0..2 {
        cluster.add(|setup| crm.used_by(setup)).await;
    }
    let reader = async |node: usize| cluster.api(node).get("/v1/status").await.expect(200)["source"]["node"].clone();
    let agreed = async || {
        let told = [reader(0).await, reader(1).await];
        (told[0]["name"].is_string() && told[0]["name"] == told[1]["name"]).then_some(told)
    };
    let told = until("both know it", agreed).await;
    for (told, name) in told.iter().zip(["node-0", "node-1"]) {
        assert_eq!(told["this"], told["name"] == name, "{told}");
    }
}
