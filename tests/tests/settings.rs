//! Settings: where they come from, which of them wins, and that some of them do what they say.

use postrider_tests::api::Api;
use postrider_tests::program::{OPERATOR_KEY, Program, Setup};
use postrider_tests::world::World;
use serde_json::{Value, json};

/// The operator's addresses, a setting that can be read back.
async fn egress_addresses(program: &Program) -> Value {
    let api = Api::new(program.address, Some(OPERATOR_KEY));
    api.get("/v1/egress-addresses").await.expect(200)["data"].clone()
}

#[tokio::test]
async fn a_flag_wins_over_a_variable_which_wins_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "egress_addresses = [\"192.0.2.1\"]\n").unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let setup = Setup::new(&folder.path().join("data"));

    let program = setup.start_with(&config).await;
    assert_eq!(egress_addresses(&program).await, json!(["192.0.2.1"]));
    program.stop().await;
    let setup = setup.env("POSTRIDER_EGRESS_ADDRESSES", "192.0.2.2");
    let program = setup.start_with(&config).await;
    assert_eq!(egress_addresses(&program).await, json!(["192.0.2.2"]));
    program.stop().await;
    let program = setup.start_with(&[&config[..], &["--egress-addresses", "192.0.2.3"]].concat()).await;
    assert_eq!(egress_addresses(&program).await, json!(["192.0.2.3"]));
}

#[tokio::test]
async fn an_unknown_setting_in_the_file_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "retention = \"30d\"\nretenshun = \"30d\"\n").unwrap();
    let setup = Setup::new(&folder.path().join("data"));
    let ended = setup.run(&["serve", "--config", file.to_str().unwrap()]).await;
    assert_eq!(ended.status, Some(1), "{ended:?}");
    for said in ["settings.toml", "2", "retenshun"] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn the_largest_payload_is_a_setting() {
    let world = World::with(|setup| setup.env("POSTRIDER_PAYLOAD_BYTES_MAX", "2000")).await;
    let organization = world.organization("standard").await;
    let event = |chars: usize| json!({"type": "deal.won", "data": {"x": "y".repeat(chars)}});
    organization.try_publish(&event(1_900)).await.expect(202);
    organization.try_publish(&event(2_000)).await.problem(413);
}

#[tokio::test]
async fn logs_are_json_lines_when_asked_for() {
    let world = World::with(|setup| setup.env("POSTRIDER_LOG_FORMAT", "json")).await;
    let (ended, ..) = world.stop().await;
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert!(!lines.is_empty());
    for line in lines {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line["level"].is_string()), "{line}");
    }
}
