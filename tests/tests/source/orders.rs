//! Backfill: rows that were there before, told while live changes go on.

use std::collections::BTreeMap;

use postrider_tests::postgres::{HeldStill, PrivateServer};
use postrider_tests::program::Setup;
use postrider_tests::receiver::Request;
use postrider_tests::wait::until;
use postrider_tests::world::{Store, World};
use serde_json::{Value, json};

use super::crm::{By, Crm, LOGICAL, by_each_way};
use super::{by_event, of_type, organization, world_of};

by_each_way!(
    on_each_store: a_backfill_goes_on_after_a_kill_while_live_changes_flow;
    on_one: a_backfill_tells_of_what_is_there_since_then;
);

fn arguments<'a>(crm_mapping: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["source", "backfill", "public.deals", "--mapping", crm_mapping], more].concat()
}

async fn backfill(setup: &Setup, crm: &Crm, more: &[&str]) -> (Option<i32>, String, String) {
    let mapping = crm.mapping();
    let ended = setup.run(&arguments(mapping.to_str().expect("plain letters"), more)).await;
    (ended.status, ended.stdout, ended.stderr)
}

/// Deals that were there before the source was.
fn old_deals(crm: &Crm, count: u32) {
    crm.deals(1, count);
    crm.discard();
}

async fn a_backfill_goes_on_after_a_kill_while_live_changes_flow(store: Store, by: By) {
    const ROWS: usize = 300;
    let crm = Crm::by(by).await;
    old_deals(&crm, 300);
    let world = world_of(&crm, store).await;
    let acme = organization(&world, "acme", "standard").await;
    let fields = json!({"events": ["deal.created", "deal.updated"], "ordering": "resource"});
    acme.endpoint(&world.receiver.url("/in"), fields).await;
    let created = |world: &World| of_type(&world.receiver.at("/in"), "deal.created").len();
    let mapping = crm.mapping();
    let begun = world.setup.begin(&arguments(mapping.to_str().expect("plain letters"), &["--rate", "150"]));
    world.receiver.wait_until("some rows", || created(&world) >= 30).await;
    crm.run("UPDATE deals SET number = number + 1 WHERE id % 2 = 0");
    let world = world.killed_and_started().await;
    crm.run("UPDATE deals SET number = number + 1 WHERE id % 3 = 0");
    let ended = begun.ended().await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    world.receiver.wait_until("every row", || created(&world) >= ROWS).await;
    crm.handed_over().await;
    let wanted = ROWS + ROWS / 2 + ROWS / 3;
    world.receiver.wait_until("every event", || by_event(&world.receiver.at("/in")).len() >= wanted).await;
    let requests = world.receiver.at("/in");
    assert_eq!(by_event(&requests).len(), wanted, "each row once, and each change");
    never_older(&requests);
}

/// What is told of a record is never older than what was told of it before.
fn never_older(requests: &[Request]) {
    let mut numbers = BTreeMap::<u64, u64>::new();
    for body in requests.iter().map(Request::json) {
        let number = |field: &str| body["data"][field].as_u64().expect("a number");
        let before = numbers.insert(number("id"), number("number")).unwrap_or_default();
        assert!(number("number") >= before, "deal {}: {} after {before}", number("id"), number("number"));
    }
}

async fn a_backfill_tells_of_what_is_there_since_then(by: By) {
    let crm = Crm::by(by).await;
    crm.run(
        "INSERT INTO deals (company_id, title, stage, created_at, deleted_at) VALUES
            (1, 'Old', 'won', '2025-12-31 23:59:59Z', NULL), (1, 'New', 'won', '2026-01-01 00:00:00Z', NULL),
            (1, 'Gone', 'won', '2026-02-01 00:00:00Z', now()), (3, 'Nobody', 'won', '2026-02-01 00:00:00Z', NULL)",
    );
    crm.discard();
    let world = world_of(&crm, Store::Sqlite).await;
    let acme = organization(&world, "acme", "standard").await;
    acme.endpoint(&world.receiver.url("/in"), json!({})).await;
    let (status, stdout, stderr) = backfill(&world.setup, &crm, &["--since", "2026-01-01", "--json"]).await;
    assert_eq!(status, Some(0), "{stderr}");
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((&told["done"], &told["total"], &told["error"]), (&json!(3), &json!(3), &Value::Null));
    crm.deals(1, 1);
    let requests = world.receiver.wait_for("/in", 2).await;
    let bodies: Vec<_> = requests.iter().map(Request::json).collect();
    assert_eq!((&bodies[0]["type"], &bodies[0]["data"]["title"]), (&json!("deal.created"), &json!("New")));
    assert_eq!(bodies[0]["timestamp"], "2026-01-01T00:00:00Z", "it happened when the record was made");
    assert_eq!(bodies[1]["data"]["title"], "Deal 1", "that it was won before is no news");
}

/// The log lags behind the rows: what a backfill reads is told where it belongs all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_that_reads_ahead_of_the_log_tells_nothing_older_than_was_told() {
    let server = PrivateServer::with(&[LOGICAL]).await;
    let crm = Crm::at(&server, By::Replication).await;
    old_deals(&crm, 2);
    let world = world_of(&crm, Store::Sqlite).await;
    let acme = organization(&world, "acme", "standard").await;
    let fields = json!({"events": ["deal.created", "deal.updated"], "ordering": "resource"});
    acme.endpoint(&world.receiver.url("/in"), fields).await;
    let sender = HeldStill::process(&crm.sender().await);
    crm.run("UPDATE deals SET number = 1");
    crm.run("UPDATE deals SET number = 2");
    crm.run("INSERT INTO deals (id, company_id, title, number) VALUES (9, 1, 'New', 2)");
    let mapping = crm.mapping();
    let begun = world.setup.begin(&arguments(mapping.to_str().expect("plain letters"), &["--rate", "5000"]));
    // Whose the rows are is looked up when they have been read; of live changes nothing is here yet.
    let looked_up = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                     AND query LIKE '%companies%'";
    let ahead = async || (crm.ask(looked_up) != "0" || world.receiver.count_at("/in") > 0).then_some(());
    until("the backfill has read ahead", ahead).await;
    crm.run("UPDATE deals SET number = 3");
    drop(sender);
    let ended = begun.ended().await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    world.receiver.wait_for("/in", 10).await;
    crm.handed_over().await;
    acme.drained().await;
    let requests = world.receiver.at("/in");
    never_older(&requests);
    let told = |deal: u64| {
        let of_deal = requests.iter().map(Request::json).filter(|body| body["data"]["id"] == deal);
        let words =
            of_deal.map(|body| format!("{} {}", body["type"].as_str().expect("a type"), body["data"]["number"]));
        words.collect::<Vec<_>>()
    };
    let old = ["deal.updated 1", "deal.updated 2", "deal.created 2", "deal.updated 3"];
    assert_eq!((told(1), told(2)), (old.map(str::to_owned).to_vec(), old.map(str::to_owned).to_vec()));
    assert_eq!(told(9), ["deal.created 2", "deal.updated 3"], "its creation is told once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_can_be_left_looked_at_and_cancelled() {
    let crm = Crm::new().await;
    old_deals(&crm, 500);
    let world = world_of(&crm, Store::Sqlite).await;
    organization(&world, "acme", "standard").await;
    let mapping = crm.mapping();
    let begun = world.setup.begin(&arguments(mapping.to_str().expect("plain letters"), &["--rate", "10"]));
    let open = "SELECT count(*) FROM postrider_source.backfills WHERE ended_at IS NULL AND done > 0";
    until("it is under way", async || (crm.ask(open) == "1").then_some(())).await;
    begun.interrupt();
    let left = begun.ended().await;
    assert!(left.stderr.contains("the server goes on") && left.stderr.contains("--cancel"), "{left:?}");
    assert_eq!((left.status, crm.ask(open).as_str()), (Some(0), "1"));
    let (status, _, stderr) = backfill(&world.setup, &crm, &["--rate", "20"]).await;
    assert!(status == Some(1) && stderr.contains("is under way"), "{stderr}");
    let (status, stdout, stderr) = backfill(&world.setup, &crm, &["--cancel"]).await;
    assert!(status == Some(0) && stdout.contains("cancelled"), "{stdout}{stderr}");
    assert_eq!(crm.ask(open), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_that_cannot_be_is_refused() {
    let crm = Crm::new().await;
    let setup = crm.used_by(Setup::new(&crm.mapping().with_file_name("data")));
    let mapping = crm.mapping();
    let mapping = mapping.to_str().expect("plain letters");
    for (table, more, wanted) in [
        ("public.nothing", vec![], "public.nothing"),
        ("public.companies", vec!["--since", "2026-01-01"], "created_at"),
        ("public.deals", vec!["--since", "yesterday"], "--since"),
        ("public.deals", vec!["--rate", "0"], "--rate"),
    ] {
        let ended = setup.run(&[&["source", "backfill", table, "--mapping", mapping], &*more].concat()).await;
        assert!(ended.status != Some(0) && ended.stderr.contains(wanted), "{table} {more:?}: {ended:?}");
    }
    assert_eq!(crm.ask("SELECT count(*) FROM postrider_source.backfills"), "0");
}
