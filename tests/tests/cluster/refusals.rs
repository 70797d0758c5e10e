//! Nodes that do not belong to the cluster do not start, and the others go on.

use postrider_tests::cluster::Cluster;
use postrider_tests::postgres::Database;
use postrider_tests::program::{Ended, Setup};
use postrider_tests::world::text;
use serde_json::json;

/// A log line that says what went wrong, if it did.
#[track_caller]
fn assert_refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "", "results alone go to stdout");
    let lines: Vec<_> = ended.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let reason: Vec<_> = lines.iter().filter(|line| !line.contains(" INFO ") && !line.contains(" WARN ")).collect();
    assert_eq!(reason.len(), 1, "one clear line: {}", ended.stderr);
    for word in words {
        assert!(reason[0].to_lowercase().contains(word), "does not say {word:?}: {}", reason[0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_key_is_refused_and_says_which() {
    let cluster = Cluster::start(1).await;
    let tenant = cluster.tenant(1).await;
    let scratch = tempfile::tempdir().unwrap();
    let usual = Setup::new(&scratch.path().join("data")).on_database(&cluster.database.url());
    let other_master = data_encoding::BASE64.encode(&[7; 32]);
    let cases = [
        (usual.clone().env("POSTRIDER_ENCRYPTION_KEY", &other_master), "encryption"),
        (usual.clone().env("POSTRIDER_OPERATOR_KEY", "another operator's key, just as long"), "operator_key"),
        (usual.clone().without("POSTRIDER_ENCRYPTION_KEY"), "encryption_key"),
        (usual.clone().without("POSTRIDER_OPERATOR_KEY"), "operator_key"),
    ];
    for (setup, said) in cases {
        let ended = setup.run(&["serve"]).await;
        assert_refused(&ended, &[said]);
        assert!(!ended.stderr.contains(&other_master), "a key is in the log");
    }
    // Nothing was changed by them.
    let event = tenant.at(cluster.any()).publish(&json!({"type": "deal.won", "data": {}})).await;
    let delivery = tenant.at(cluster.any()).delivery_of(&event).await;
    tenant.at(cluster.any()).ended(&delivery, "succeeded").await;
    usual.start().await.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_used_is_named_without_its_password() {
    let cluster = Cluster::start(1).await;
    let scratch = tempfile::tempdir().unwrap();
    let setup = Setup::new(&scratch.path().join("data")).on_database(&cluster.database.url());
    let nowhere = "postgres://somebody:pass-marker-8d1@127.0.0.1:9/nowhere";
    let no_such = format!("{}_that_is_not_there", cluster.database.url());
    for (url, said) in
        [(nowhere, "127.0.0.1"), (no_such.as_str(), "not_there"), ("mysql://127.0.0.1/x", "database_url")]
    {
        let ended = setup.clone().env("POSTRIDER_DATABASE_URL", url).run(&["serve"]).await;
        assert_refused(&ended, &[said]);
        assert!(!ended.stderr.contains("pass-marker"), "{}", ended.stderr);
    }
    // A data directory besides is a mistake: nobody could tell where the data is.
    let both = setup.clone().env("POSTRIDER_DATA", &scratch.path().join("data").to_string_lossy());
    assert_refused(&both.run(&["serve"]).await, &["database_url"]);
}

#[tokio::test]
async fn a_start_that_fails_on_a_contract_makes_nothing_in_an_empty_database() {
    let database = Database::create();
    let scratch = tempfile::tempdir().unwrap();
    let contracts = scratch.path().join("contracts");
    std::fs::create_dir(&contracts).unwrap();
    std::fs::write(contracts.join("broken.toml"), "format = 1\nname = \"broken\"\n").unwrap();
    let setup = Setup::new(&scratch.path().join("data")).on_database(&database.url());
    let ended = setup.env("POSTRIDER_CONTRACTS", &contracts.to_string_lossy()).run(&["serve"]).await;
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("broken.toml"), "{}", ended.stderr);
    assert_eq!(database.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'postrider'"), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_the_same_moment_on_an_empty_database_make_it_once() {
    let cluster = Cluster::start(4).await;
    let tenant = cluster.tenant(1).await;
    for node in 0..cluster.size() {
        let shown = cluster.api(node).get(&tenant.at(cluster.api(node)).path("")).await.expect(200);
        assert_eq!(text(&shown["id"]), tenant.id);
        let event = tenant.at(cluster.api(node)).publish(&json!({"type": "deal.won", "data": {}})).await;
        let delivery = tenant.at(cluster.any()).delivery_of(&event).await;
        tenant.at(cluster.any()).ended(&delivery, "succeeded").await;
    }
}
