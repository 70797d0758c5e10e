//! The command line: exit statuses, results on stdout, everything else on stderr.

use std::process::Stdio;

use postrider_tests::postgres::{Database, PrivateServer};
use postrider_tests::program::{Ended, OPERATOR_KEY, Setup, program_path};
use postrider_tests::wait::{until, within};
use postrider_tests::world::{World, items, text};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

fn setup() -> (Setup, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Setup::new(&folder.path().join("data")), folder)
}

#[tokio::test]
async fn every_command_has_a_help_page() {
    let (setup, _folder) = setup();
    let commands = [
        "serve",
        "demo",
        "send",
        "listen",
        "verify",
        "contracts",
        "keys",
        "openapi",
        "health",
        "bench",
        "diagnose",
        "source",
    ];
    for command in commands {
        let ended = setup.run(&[command, "--help"]).await;
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{command}");
        assert!(ended.stdout.contains("Usage: postrider"), "{command}: {}", ended.stdout);
    }
    let version = setup.run(&["--version"]).await;
    assert!(version.stdout.starts_with("postrider "), "{version:?}");
}

#[tokio::test]
async fn send_publishes_an_event_to_a_running_server() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let setup = world.setup.clone().env("POSTRIDER_URL", &world.api.url());
    let data = r#"{"id": 7, "amount": 1.50}"#;
    let arguments = ["send", "--org", &organization.id, "--type", "deal.won", "--data", data, "--json"];
    let ended = setup.run(&arguments).await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(answer["deliveries_count"], 1);
    let arrived = &world.receiver.wait_for("/in", 1).await[0];
    assert!(arrived.text().contains(data), "{}", arrived.text());

    let wrong = setup.run(&["send", "--org", "no-such", "--type", "deal.won", "--data", "{}"]).await;
    assert_eq!((wrong.status, wrong.stdout.as_str()), (Some(1), ""), "{wrong:?}");
    assert!(!wrong.stderr.is_empty() && !wrong.stderr.contains(OPERATOR_KEY), "{wrong:?}");
}

#[tokio::test]
async fn health_ends_with_0_or_1_as_the_server_it_asks_is() {
    let server = PrivateServer::start().await;
    let database = Database::create_on(&server.url());
    let (setup, _folder) = setup();
    let setup = setup.on_database(&database.url());
    let program = setup.start().await;
    // It finds the server by the settings that it was started with.
    let setup = setup.env("POSTRIDER_LISTEN", &program.address.to_string());
    let ask = async |flags: &[&str]| setup.run(&[&["health"], flags].concat()).await;
    let well = ask(&[]).await;
    assert_eq!((well.status, well.stderr.as_str()), (Some(0), ""), "{well:?}");
    assert_eq!(ask(&["--live"]).await.status, Some(0));
    let url = format!("http://{}", program.address);
    assert_eq!(setup.clone().without("POSTRIDER_LISTEN").run(&["health", "--url", &url]).await.status, Some(0));
    // The database hangs: the process lives, and could store nothing.
    server.pause();
    until("it is not ready", async || (ask(&[]).await.status == Some(1)).then_some(())).await;
    let ill = ask(&[]).await;
    assert!(ill.stdout.is_empty() && ill.stderr.contains("503") && ill.stderr.contains("answer"), "{ill:?}");
    assert_eq!(ask(&["--live"]).await.status, Some(0));
    server.resume();
    until("it is ready again", async || (ask(&[]).await.status == Some(0)).then_some(())).await;
    program.stop().await;
    let gone = ask(&["--live"]).await;
    assert_eq!(gone.status, Some(1), "{gone:?}");
    assert!(gone.stderr.contains("is the server running?") && !gone.stderr.contains(OPERATOR_KEY), "{gone:?}");
}

#[tokio::test]
async fn contracts_are_listed_shown_and_checked() {
    let (setup, folder) = setup();
    let listed = setup.run(&["contracts", "list"]).await;
    for name in ["salessheet", "salesos", "sendpilot", "webhook-system", "suresend", "standard"] {
        assert!(listed.stdout.contains(name), "{listed:?}");
        let shown = setup.run(&["contracts", "show", name]).await;
        let file = folder.path().join(format!("{name}.toml"));
        std::fs::write(&file, &shown.stdout).unwrap();
        let checked = setup.run(&["contracts", "check", &file.to_string_lossy()]).await;
        assert_eq!(checked.status, Some(0), "{checked:?}");
    }
    let file = folder.path().join("broken.toml");
    std::fs::write(&file, "format = 1\nname = \"broken\"\nenvelope = '''{\"a\":\"$nothing\"}'''\ntimeout = 3\n")
        .unwrap();
    let checked = setup.run(&["contracts", "check", &file.to_string_lossy()]).await;
    assert_eq!(checked.status, Some(1), "{checked:?}");
    for said in ["broken.toml:3", "$nothing", "broken.toml:4", "timeout"] {
        assert!(checked.stdout.contains(said), "{said}: {}", checked.stdout);
    }
}

#[tokio::test]
async fn a_receivers_code_is_printed_as_the_api_gives_it() {
    let world = World::start().await;
    let given = world.api.get("/v1/contracts/standard/verification?secret_kind=whsk_").await.expect(200);
    for one in items(&given["data"]) {
        let language = text(&one["language"]);
        let flags = ["--language", &language, "--secret-kind", "whsk_"];
        let printed = world.setup.run(&[&["contracts", "verification", "standard"], &flags[..]].concat()).await;
        assert_eq!((printed.status, printed.stdout.as_str()), (Some(0), one["code"].as_str().unwrap()), "{language}");
    }
    let wrong = ["contracts", "verification", "standard", "--language", "go", "--secret-kind", "sk_"];
    let wrong = world.setup.run(&wrong).await;
    assert!(wrong.status == Some(2) && wrong.stderr.contains("whsec_"), "{wrong:?}");
}

#[tokio::test]
async fn the_openapi_document_is_the_servers_own() {
    let world = World::start().await;
    let printed = world.setup.run(&["openapi"]).await;
    let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(printed["paths"], world.api.get("/openapi.json").await.expect(200)["paths"]);
}

async fn verify(setup: &Setup, secret: &str, headers: &[(String, String)], body: &[u8]) -> Ended {
    let mut command = Command::new(program_path());
    command.args(["verify", "--contract", "standard", "--secret", secret]).env_clear();
    for (name, value) in headers {
        command.arg("--header").arg(format!("{name}: {value}"));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.current_dir(setup.data().parent().unwrap());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end before it has read everything, since it found something wrong.
    let _ = stdin.write_all(body).await;
    drop(stdin);
    let output = within("verify's end", child.wait_with_output()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[tokio::test]
async fn verify_says_whether_a_request_is_authentic_and_if_not_why() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let other = organization.endpoint(&world.receiver.url("/other"), json!({})).await;
    organization.publish(&json!({"type": "deal.won", "data": {"id": 1}})).await;
    let arrived = world.receiver.wait_for("/in", 1).await.remove(0);
    let (setup, headers) = (&world.setup, &arrived.headers);

    let good = verify(setup, &endpoint.secret, headers, &arrived.body).await;
    assert_eq!(good.status, Some(0), "{good:?}");
    let mut altered = arrived.body.clone();
    altered[10] ^= 1;
    let old = |(name, value): &(String, String)| {
        let value =
            if name.eq_ignore_ascii_case("webhook-timestamp") { "1600000000".to_owned() } else { value.clone() };
        (name.clone(), value)
    };
    let old: Vec<_> = headers.iter().map(old).collect();
    let unsigned: Vec<_> =
        headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("webhook-signature")).cloned().collect();
    for (what, ended) in [
        ("altered body", verify(setup, &endpoint.secret, headers, &altered).await),
        ("wrong secret", verify(setup, &other.secret, headers, &arrived.body).await),
        ("old timestamp", verify(setup, &endpoint.secret, &old, &arrived.body).await),
        ("no signature", verify(setup, &endpoint.secret, &unsigned, &arrived.body).await),
    ] {
        assert_eq!(ended.status, Some(1), "{what}: {ended:?}");
        assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(&endpoint.secret), "{what}: {ended:?}");
    }
}

#[tokio::test]
async fn keys_are_made_listed_and_deleted() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let setup = world.setup.clone().env("POSTRIDER_URL", &world.api.url());
    let org = organization.id.as_str();
    let made = setup.run(&["keys", "create", "--org", org, "--name", "K", "--scope", "endpoints:read", "--json"]).await;
    assert_eq!(made.status, Some(0), "{made:?}");
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let api = world.api.with(made["key"].as_str());
    api.get(&organization.path("/endpoints")).await.expect(200);
    let listed = setup.run(&["keys", "list", "--org", org]).await;
    assert!(listed.stdout.contains(&text(&made["id"])), "{listed:?}");
    let deleted = setup.run(&["keys", "delete", "--org", org, &text(&made["id"])]).await;
    assert_eq!(deleted.status, Some(0), "{deleted:?}");
    api.get(&organization.path("/endpoints")).await.problem(401);
}

/// The commands that the demo prints for its reader to try, each on one line.
fn suggestions(printed: &str) -> Vec<String> {
    let joined = printed.replace("\\\n", " ");
    joined.lines().filter(|line| line.starts_with("curl ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_demo_delivers_sample_events_of_every_contract_and_what_it_suggests_works() {
    let (setup, _folder) = setup();
    // The demo's settings are its own.
    let names = ["DATA", "LISTEN", "OPERATOR_KEY", "ALLOW_HTTP", "ALLOW_CIDRS"];
    let setup = names.iter().fold(setup, |setup, name| setup.without(&format!("POSTRIDER_{name}")));
    let program = setup.start_demo(&["--rate", "50"]).await;
    let delivered = |stdout: &str, contract: &str| {
        let of_contract =
            stdout.lines().find_map(|line| line.split_once("* event")?.1.split_once(&format!("({contract})")));
        let organization = of_contract.and_then(|(rest, _)| rest.trim().split_once("  ")).map(|(_, name)| name.trim());
        organization.is_some_and(|name| {
            stdout.lines().any(|l| l.contains("+ 2") && l.contains(name) && l.contains("signed ok"))
        })
    };
    let contracts = ["salessheet", "salesos", "sendpilot", "webhook-system", "suresend", "standard"];
    let all = |stdout: &str| contracts.iter().all(|contract| delivered(stdout, contract));
    let printed = program.wait_for_stdout("a delivery of every contract", all).await;
    let suggested = suggestions(&printed);
    assert!(suggested.len() >= 3, "{printed}");
    for line in suggested {
        let mut bash = Command::new("bash");
        let output = within(&line, bash.arg("-c").arg(&line).stdin(Stdio::null()).output()).await.unwrap();
        let answer: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{line}: {e}: {output:?}"));
        assert!(answer["id"].is_string() || answer["data"].is_array(), "{line}: {answer}");
    }
    let ended = program.stop().await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let data = printed.lines().find_map(|line| line.trim().strip_prefix("Data")).unwrap_or_default();
    let data = data.split_whitespace().next().unwrap_or_default();
    assert!(data.starts_with('/') && !std::path::Path::new(data).exists(), "the demo left {data:?} behind");
}
