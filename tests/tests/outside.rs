//! The API as somebody sees it who has nothing but its document: Schemathesis (<https://schemathesis.readthedocs.io>) makes requests from the document
//! that the program serves, right ones and wrong ones, and holds every answer against it. Each finding is a defect of the document or of the server.
//!
//! The seed is fixed and one request is made at a time, so that a finding comes again. `tests/receivers/python/schemathesis_checks.py` says what a
//! schema cannot say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use postrider_tests::program::test_needs;
use postrider_tests::world::{Organization, World, text};
use serde_json::json;
use tokio::process::Command;

const SEED: &str = "20261121";
/// Requests for one operation in each phase that makes random ones.
const EXAMPLES_MAX: &str = "12";
/// When a run is given up: five times what it takes on two cores.
const RUN_BOUND: Duration = Duration::from_secs(540);
const SCOPES: [&str; 5] = ["events:write", "endpoints:read", "endpoints:write", "deliveries:read", "deliveries:write"];
const CONTRACT: &str = "suresend";
const CHECK: &str = "POST /v1/organizations/{org}/endpoints/check";

/// What the paths of the document name.
struct Things {
    organization: Organization,
    endpoint: String,
    event: String,
    delivery: String,
    key: String,
    operation: String,
}

impl Things {
    async fn make(world: &World) -> Self {
        let organization = world.organization(CONTRACT).await;
        let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await.id;
        let event = json!({"type": "peopleCreated", "data": {"a": 1}, "resource": {"type": "people", "id": "42"}});
        let event = organization.publish(&event).await;
        let delivery = organization.delivery_of(&event).await;
        organization.ended(&delivery, "succeeded").await;
        let key = json!({"name": "K", "scopes": ["events:write"]});
        let key = text(&organization.api.post(&organization.path("/keys"), &key).await.expect(201)["id"]);
        let span = json!({"since": "2020-01-01T00:00:00Z"});
        let recover = organization.path(&format!("/endpoints/{endpoint}/recover"));
        let operation = text(&organization.api.post(&recover, &span).await.expect(202)["operation"]);
        Things { organization, endpoint, event, delivery, key, operation }
    }

    /// As the parameters of paths.
    fn parameters(&self) -> String {
        let Things { organization, endpoint, event, delivery, key, operation } = self;
        let values = [
            ("org", &organization.id),
            ("endpoint", endpoint),
            ("webhook", endpoint),
            ("event", event),
            ("delivery", delivery),
            ("key", key),
            ("operation", operation),
            ("name", &CONTRACT.to_owned()),
            ("contract", &CONTRACT.to_owned()),
        ];
        values.map(|(name, value)| format!("\"path.{name}\" = {}\n", json!(value))).concat()
    }
}

/// What is deleted is not what the other requests are about.
async fn settings(world: &World, credential_of: &Things) -> String {
    let mut settings = format!(
        "hooks = {}\n[checks]\npositive_data_acceptance.enabled = false\n[parameters]\n{}",
        json!(checks_file()),
        credential_of.parameters()
    );
    for operation in [
        "DELETE /v1/organizations/{org}",
        "DELETE /v1/organizations/{org}/endpoints/{endpoint}",
        "DELETE /v1/organizations/{org}/keys/{key}",
        "DELETE /compat/{contract}/webhooks/{webhook}",
    ] {
        let other = Things::make(world).await;
        settings.push_str(&format!("[[operations]]\ninclude-name = {}\n", json!(operation)));
        settings.push_str(&format!("[operations.parameters]\n{}", other.parameters()));
    }
    // Its very answer is what is wrong with the body: 200 with the mistakes, whatever they are.
    settings.push_str(&format!("[[operations]]\ninclude-name = {}\n", json!(CHECK)));
    settings.push_str("[operations.checks]\nnegative_data_rejection.enabled = false\n");
    settings
}

fn checks_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("receivers/python/schemathesis_checks.py")
}

async fn find_nothing(world: &World, credential: &str, settings: &str) {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    std::fs::write(folder.path().join("schemathesis.toml"), settings).expect("it can be written");
    let mut command = Command::new(test_needs().join("python/bin/schemathesis"));
    command.args(["run", &format!("{}/openapi.json", world.api.url())]);
    command.args(["--header", &format!("Authorization: Bearer {credential}")]);
    command.args(["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", EXAMPLES_MAX, "--seed", SEED]);
    command.args(["--workers", "1", "--generation-database", "none", "--continue-on-failure"]);
    command.args(["--output-sanitize", "false", "--no-color"]);
    command.current_dir(folder.path()).kill_on_drop(true);
    let run = tokio::time::timeout(RUN_BOUND, command.output()).await.expect("schemathesis ends in time");
    let run = run.unwrap_or_else(|error| panic!("{command:?}: {error}; `./dev test` installs what is missing"));
    let (said, complained) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    let findings = said.find("= FAILURES =").or_else(|| said.find("= ERRORS =")).map_or(&*said, |at| &said[at..]);
    assert!(run.status.success(), "{findings}\n{complained}");
    assert!(said.contains("Test cases:"), "nothing was asked: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_operator_may_ask_is_answered_as_the_document_says() {
    let world = World::start().await;
    let things = Things::make(&world).await;
    let settings = settings(&world, &things).await;
    find_nothing(&world, postrider_tests::program::OPERATOR_KEY, &settings).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_of_an_organisation_may_ask_is_answered_as_the_document_says() {
    let world = World::start().await;
    let things = Things::make(&world).await;
    let body = json!({"name": "All", "scopes": SCOPES});
    let made = things.organization.api.post(&things.organization.path("/keys"), &body).await.expect(201);
    let settings = settings(&world, &things).await;
    find_nothing(&world, &text(&made["key"]), &settings).await;
}
