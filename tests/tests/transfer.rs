//! Backups of a running server, and moves of a stopped one onto Postgres: nothing that was accepted is lost, nothing is sent by two.

use std::path::{Path, PathBuf};

use postrider_tests::api::Api;
use postrider_tests::postgres::Database;
use postrider_tests::program::{Ended, OPERATOR_KEY, Setup};
use postrider_tests::receiver::{Receiver, Reply, Request};
use postrider_tests::sign::standard_v1;
use postrider_tests::wait::{until, within};
use postrider_tests::world::{Organization, World, text};
use serde_json::{Value, json};
use tempfile::TempDir;

const HOUR_MS: i64 = 3_600_000;

/// Another folder, with a path in it.
struct Elsewhere(TempDir);

impl Elsewhere {
    fn new() -> Self {
        Elsewhere(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

fn done(ended: Ended) -> String {
    assert_eq!(ended.status, Some(0), "{ended:?}");
    ended.stdout
}

/// What it said on standard error.
fn refused(ended: &Ended) -> &str {
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "");
    &ended.stderr
}

/// A setup for another data directory, which has the key of this one.
fn with_key_of(setup: &Setup, data: &Path) -> Setup {
    std::fs::create_dir(data).unwrap();
    std::fs::copy(setup.data().join("encryption.key"), data.join("encryption.key")).unwrap();
    Setup::new(data)
}

/// An answer after which nothing is sent before half an hour has passed.
fn not_now() -> Reply {
    Reply::with_header(503, "retry-after", "1800")
}

/// The identity and the bytes of what arrived.
fn sent(request: &Request) -> (String, String) {
    (request.header("webhook-id").unwrap().to_owned(), request.text())
}

/// Every delivery with its attempts, as the API shows them.
async fn seen(organization: &Organization) -> Vec<Value> {
    let mut seen = vec![];
    for delivery in organization.all_deliveries("").await {
        seen.push(organization.delivery(&text(&delivery["id"])).await);
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_busy_server_holds_what_was_accepted_before_it_and_sends_what_is_pending() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    world.receiver.always("/fails", Reply::status(500));
    for path in ["/in", "/fails"] {
        organization.endpoint(&world.receiver.url(path), json!({})).await;
    }
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (poster, is_over) = (organization.clone(), stop.clone());
    let posting = tokio::spawn(async move {
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            poster.publish(&json!({"type": "deal.updated", "data": {"text": "x".repeat(2_000)}})).await;
        }
    });
    world.receiver.wait_for("/in", 200).await;
    let before: Vec<_> = organization.all_deliveries("").await.iter().map(|row| text(&row["id"])).collect();

    let elsewhere = Elsewhere::new();
    let copy = elsewhere.name("copy");
    let made: Value = serde_json::from_str(&done(world.setup.run(&["backup", "--to", &copy, "--json"]).await)).unwrap();
    assert_eq!(made["bytes"].as_u64().unwrap(), std::fs::metadata(&copy).unwrap().len());
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    within("the poster", posting).await.unwrap();
    let again = world.setup.run(&["backup", "--to", &copy]).await;
    assert!(refused(&again).contains("it exists already"));
    let World { setup, program, receiver, .. } = world;
    program.kill().await;

    let restored = with_key_of(&setup, &elsewhere.path("restored"));
    done(restored.run(&["restore", "--from", &copy]).await);
    assert!(refused(&restored.run(&["restore", "--from", &copy]).await).contains("it is not empty"));
    let program = restored.start().await;
    let api = Api::new(program.address, Some(OPERATOR_KEY));
    let organization = Organization { api: api.clone(), id: organization.id };
    let after: std::collections::HashSet<_> =
        organization.all_deliveries("").await.iter().map(|row| text(&row["id"])).collect();
    let lost: Vec<_> = before.iter().filter(|id| !after.contains(*id)).collect();
    assert!(lost.is_empty(), "{} of {} are lost, {lost:?} first", lost.len(), before.len());
    // What had failed, and what was in the middle, is sent from the restored store.
    receiver.always("/fails", Reply::status(200));
    until("everything is delivered", async || {
        api.post("/test-clock/advance", &json!({"ms": HOUR_MS})).await.expect(200);
        organization.deliveries("status=pending").await.is_empty().then_some(())
    })
    .await;
    assert!(organization.deliveries("status=failed").await.is_empty());
    assert_eq!(program.stop().await.status, Some(0));
}

/// A world whose deliveries are some done, some in the middle of their retries.
async fn half_done() -> (World, Organization, String) {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.receiver.always("/later", not_now());
    let later = organization.endpoint(&world.receiver.url("/later"), json!({"headers": {"X-Token": "t-1"}})).await;
    for number in 0..40 {
        let event =
            json!({"type": "deal.won", "id": format!("crm-{number}"), "data": {"n": number, "x": "é".repeat(30_000)}});
        organization.publish(&event).await;
    }
    world.receiver.wait_for("/in", 40).await;
    world.receiver.wait_for("/later", 40).await;
    until("all attempts are recorded", async || {
        let all = organization.all_deliveries("").await;
        all.iter().all(|row| row["attempts_count"] == 1).then_some(())
    })
    .await;
    (world, organization, later.secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_from_its_directory_to_postgres_in_the_middle_of_its_retries() {
    let (world, organization, secret) = half_done().await;
    let before = seen(&organization).await;
    let first = world.receiver.at("/later");
    let World { setup, program, receiver, data, .. } = world;
    let elsewhere = Elsewhere::new();
    let file = elsewhere.name("move.export");
    let running = setup.run(&["export", "--final", "--out", &file]).await;
    assert!(refused(&running).contains("another process has this data directory"));
    assert_eq!(program.stop().await.status, Some(0));
    assert!(done(setup.run(&["export", "--final", "--out", &file]).await).contains("40 open deliveries, 40 ended"));
    assert!(refused(&setup.run(&["serve"]).await).contains("postrider export --undo-final"));
    let exists = setup.run(&["export", "--out", &file]).await;
    assert!(refused(&exists).contains("exists already"));

    let database = Database::create();
    let nodes = setup.clone().on_database(&database.url());
    let key = setup.data().join("encryption.key");
    let import = ["import", "--from", &file, "--source-encryption-key-file", key.to_str().unwrap(), "--json"];
    let imported: Value = serde_json::from_str(&done(nodes.run(&import).await)).unwrap();
    assert_eq!((&imported["organizations"], &imported["attempts"]), (&json!(1), &json!(80)));
    let again: Value = serde_json::from_str(&done(nodes.run(&import).await)).unwrap();
    assert_eq!(again["already_imported"], json!(true));

    let program = nodes.start().await;
    let api = Api::new(program.address, Some(OPERATOR_KEY));
    let organization = Organization { api: api.clone(), id: organization.id };
    assert_eq!(seen(&organization).await, before);
    receiver.always("/later", Reply::status(200));
    // Once, and far less than an id is remembered for.
    api.post("/test-clock/advance", &json!({"ms": HOUR_MS})).await.expect(200);
    until("everything is delivered", async || organization.deliveries("status=pending").await.is_empty().then_some(()))
        .await;
    let second = &receiver.at("/later")[40..];
    let mut ids: Vec<_> = first.iter().map(sent).collect();
    let mut sent_again: Vec<_> = second.iter().map(sent).collect();
    ids.sort();
    sent_again.sort();
    assert_eq!(sent_again, ids);
    assert_eq!(receiver.at("/in").len(), 40);
    for request in second {
        let (id, timestamp) = (request.header("webhook-id").unwrap(), request.header("webhook-timestamp").unwrap());
        let expected = standard_v1(&secret, id, timestamp, &request.body);
        assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
        assert_eq!(request.header("x-token"), Some("t-1"));
    }
    // An id that was used before the move is still known.
    let repeated = json!({"type": "deal.won", "id": "crm-7", "data": {"n": 7, "x": "é".repeat(30_000)}});
    let sent_so_far = receiver.count();
    organization.publish(&repeated).await;
    receiver.wait_quiet().await;
    assert_eq!(receiver.count(), sent_so_far);
    assert_eq!(program.stop().await.status, Some(0));
    drop(data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_export_is_refused_and_a_broken_off_import_goes_on() {
    let (world, organization, _) = half_done().await;
    let before = seen(&organization).await;
    let (ended, setup, _data) = world.stop().await;
    assert_eq!(ended.status, Some(0));
    let elsewhere = Elsewhere::new();
    let name = |name: &str| elsewhere.name(name);
    done(setup.run(&["export", "--out", &name("whole")]).await);
    let bytes = std::fs::read(name("whole")).unwrap();
    let mut altered = bytes.clone();
    altered[bytes.len() / 3] ^= 1;
    std::fs::write(name("altered"), altered).unwrap();
    std::fs::write(name("cut"), &bytes[..bytes.len() - bytes.len() / 3]).unwrap();
    std::fs::write(name("text"), "no export").unwrap();

    let other = Setup::new(&elsewhere.path("other"));
    let key = setup.data().join("encryption.key").to_str().unwrap().to_owned();
    let import = async |setup: &Setup, file: &str| {
        let file = elsewhere.name(file);
        setup.run(&["import", "--from", &file, "--source-encryption-key-file", &key]).await
    };
    let without_key = other.run(&["import", "--from", &name("whole")]).await;
    assert!(refused(&without_key).contains("name the file of the source's key with --source-encryption-key-file"));
    assert!(refused(&import(&other, "text").await).contains("this is no Postrider export"));
    let damaged = import(&Setup::new(&elsewhere.path("third")), "altered").await;
    assert!(refused(&damaged).contains("was altered, moved or repeated"), "{damaged:?}");
    assert!(refused(&import(&other, "cut").await).contains("the export is cut off"));
    // Nothing of it is seen yet.
    let program = other.start().await;
    let api = Api::new(program.address, Some(OPERATOR_KEY));
    api.get(&format!("/v1/organizations/{}", organization.id)).await.expect(404);
    assert_eq!(program.stop().await.status, Some(0));
    let resumed = import(&other, "whole").await;
    assert!(resumed.stderr.contains("this import was broken off; it goes on behind part"), "{resumed:?}");
    done(resumed);
    let program = other.start().await;
    let organization = Organization { api: Api::new(program.address, Some(OPERATOR_KEY)), id: organization.id };
    assert_eq!(seen(&organization).await, before);
    assert_eq!(program.stop().await.status, Some(0));
    // What is there is not imported a second time.
    done(setup.run(&["export", "--out", &name("another")]).await);
    assert!(refused(&import(&other, "another").await).contains("exists already in the store to import into"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_moves_between_databases_whose_nodes_run() {
    let (from, to) = (Database::create(), Database::create());
    let folder = Elsewhere::new();
    let (source, target) = (folder.path("source"), folder.path("target"));
    let source = Setup::new(&source).on_database(&from.url());
    let target = Setup::new(&target).on_database(&to.url());
    let receiver = Receiver::start().await;
    let (old, new) = (source.start().await, target.start().await);
    let at = |program: &postrider_tests::program::Program, id: &str| Organization {
        api: Api::new(program.address, Some(OPERATOR_KEY)),
        id: id.to_owned(),
    };
    let made = at(&old, "acme");
    for id in ["acme", "stays"] {
        made.api.post("/v1/organizations", &json!({"id": id, "name": id, "contract": "standard"})).await.expect(201);
    }
    receiver.always("/acme", not_now());
    made.endpoint(&receiver.url("/acme"), json!({})).await;
    at(&old, "stays").endpoint(&receiver.url("/stays"), json!({})).await;
    for number in 0..10 {
        made.publish(&json!({"type": "deal.won", "data": {"n": number}})).await;
    }
    until("all attempts are recorded", async || {
        let all = made.all_deliveries("").await;
        (all.len() == 10 && all.iter().all(|row| row["attempts_count"] == 1)).then_some(())
    })
    .await;
    let before = seen(&made).await;

    let file = folder.name("acme.export");
    done(source.run(&["export", "--org", "acme", "--final", "--out", &file]).await);
    // It is gone there at once, and its neighbour is not.
    until("the node has noticed", async || {
        let refused = made.try_publish(&json!({"type": "deal.won", "data": {}})).await;
        (refused.status == 404).then_some(())
    })
    .await;
    at(&old, "stays").publish(&json!({"type": "deal.won", "data": {}})).await;
    done(target.run(&["import", "--from", &file]).await);
    let moved = at(&new, "acme");
    assert_eq!(seen(&moved).await, before);
    receiver.always("/acme", Reply::status(200));
    until("everything is delivered", async || {
        moved.api.post("/test-clock/advance", &json!({"ms": HOUR_MS})).await.expect(200);
        moved.deliveries("status=pending").await.is_empty().then_some(())
    })
    .await;
    moved.publish(&json!({"type": "deal.won", "data": {}})).await;
    receiver.wait_for("/acme", 21).await;
    receiver.wait_for("/stays", 1).await;
    assert!(done(source.run(&["export", "--org", "acme", "--delete-final"]).await).contains("deleted"));
    assert!(refused(&source.run(&["export", "--org", "acme", "--undo-final"]).await).contains("is not set aside"));
    assert_eq!(old.stop().await.status, Some(0));
    assert_eq!(new.stop().await.status, Some(0));
}
