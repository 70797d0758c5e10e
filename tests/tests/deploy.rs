//! What `deploy/`, the `Dockerfile` and `docs/operations.md` name is there: settings, flags, commands, routes, ports, metrics, alarms.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use postrider_tests::api::Api;
use postrider_tests::cluster::Cluster;
use postrider_tests::program::{Ended, Setup, program_path};
use postrider_tests::receiver::{Receiver, Reply};
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, World, items, text};
use serde_json::{Value, json};

use crate::source::crm::Crm;

/// How long `serve --help` says that a stop takes at most, in seconds.
const STOP_S: u64 = 10;
/// Where everything listens.
const PORT: &str = "8400";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a YAML file. Ruby reads them, which the tests need anyway; aliases and merges are resolved.
fn yaml(path: &str) -> Vec<Value> {
    let mut ruby = Command::new("ruby");
    ruby.args(["-ryaml", "-rjson", "-e", "puts JSON.generate(YAML.load_stream(File.read(ARGV[0])))"]);
    let output = ruby.arg(repository().join(path)).stdin(Stdio::null()).output().expect("ruby runs");
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    items(&serde_json::from_slice(&output.stdout).unwrap())
}

fn object(path: &str) -> Value {
    yaml(path).into_iter().next().unwrap_or_else(|| panic!("{path} is empty"))
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap_or_else(|| panic!("not an object: {value}")).keys().cloned().collect()
}

/// The longest runs of these characters.
fn runs(text: &str, is_in: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    text.split(move |c| !is_in(c)).filter(|run| !run.is_empty())
}

fn is_setting(variable: &str) -> bool {
    read("docs/settings.md").contains(&format!("- variable: `{variable}`"))
}

async fn run(arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    Setup::new(&folder.path().join("data")).run(arguments).await
}

async fn help(command: &[&str]) -> String {
    let ended = run(&[command, &["--help"]].concat()).await;
    assert_eq!(ended.status, Some(0), "{command:?}: {ended:?}");
    ended.stdout
}

/// The one container of the Deployment.
fn container() -> Value {
    let deployment = object("deploy/kubernetes/deployment.yaml");
    let containers = items(&deployment["spec"]["template"]["spec"]["containers"]);
    assert_eq!(containers.len(), 1);
    containers[0].clone()
}

/// The nodes of compose.yaml, by name.
fn nodes() -> Vec<(String, Value)> {
    let services = object("deploy/compose.yaml")["services"].clone();
    let is_node = |name: &String| name.starts_with("postrider-");
    keys(&services).into_iter().filter(is_node).map(|name| (name.clone(), services[&name].clone())).collect()
}

#[test]
fn every_variable_that_is_set_is_a_setting() {
    let mut set: Vec<String> = items(&container()["env"]).iter().map(|variable| text(&variable["name"])).collect();
    let nodes = nodes();
    assert!(nodes.len() >= 3);
    set.extend(nodes.iter().flat_map(|(_, node)| keys(&node["environment"])));
    let dockerfile = read("Dockerfile");
    let in_image = dockerfile.lines().filter_map(|line| line.strip_prefix("ENV ")?.split('=').next());
    set.extend(in_image.map(str::to_owned));
    assert!(set.len() > 10);
    for variable in set {
        assert!(is_setting(&variable), "{variable} is no setting of docs/settings.md");
    }
}

#[test]
fn a_compose_without_keys_does_not_start() {
    let compose = read("deploy/compose.yaml");
    let example = read("deploy/postrider.env.example");
    let mut demanded = BTreeSet::new();
    for part in compose.split("${").skip(1) {
        let (inside, _) = part.split_once('}').unwrap();
        if let Some((name, _)) = inside.split_once(":?") {
            demanded.insert(name);
        } else {
            let optional = ["POSTRIDER_IMAGE", "POSTRIDER_ENCRYPTION_KEYS_OLD"];
            assert!(inside.split_once(":-").is_some_and(|(name, _)| optional.contains(&name)), "{inside}");
        }
    }
    let asked: BTreeSet<_> = example.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let wanted: BTreeSet<_> = demanded.iter().map(|name| format!("{name}=")).collect();
    assert_eq!(asked, wanted.iter().map(String::as_str).collect(), "the example asks for each, and gives none");
}

#[tokio::test]
async fn the_example_of_a_secret_is_refused() {
    let values = object("deploy/kubernetes/examples/secret.yaml")["stringData"].clone();
    let folder = tempfile::tempdir().unwrap();
    let mut setup = Setup::new(&folder.path().join("data")).without("POSTRIDER_DATA");
    let mut given = 0;
    for variable in items(&container()["env"]) {
        let key = &variable["valueFrom"]["secretKeyRef"]["key"];
        if let Some(value) = key.as_str().and_then(|key| values[key].as_str()) {
            setup = setup.env(&text(&variable["name"]), value);
            given += 1;
        } else {
            let optional = variable["valueFrom"]["secretKeyRef"]["optional"] == true;
            assert!(optional || variable["value"].is_string(), "{variable} is in no Secret");
        }
    }
    assert_eq!(given, keys(&values).len(), "every value of the Secret goes somewhere");
    let ended = setup.run(&["serve", "--check"]).await;
    assert_eq!(ended.status, Some(1), "{ended:?}");
    for setting in ["database_url", "operator_key", "encryption_key"] {
        assert!(ended.stderr.contains(setting), "{setting}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn probes_ports_and_paths_are_the_servers() {
    let document: Value = serde_json::from_str(&run(&["openapi"]).await.stdout).unwrap();
    let is_route = |path: &Value| assert!(document["paths"][text(path)].is_object(), "{path} is no route");
    let container = container();
    assert_eq!(container["ports"], json!([{"name": "http", "containerPort": PORT.parse::<u16>().unwrap()}]));
    for (probe, path) in [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "http"}));
        is_route(&container[probe]["httpGet"]["path"]);
    }
    is_route(&items(&object("deploy/kubernetes/monitoring/service-monitor.yaml")["spec"]["endpoints"])[0]["path"]);
    let service = object("deploy/kubernetes/service.yaml");
    assert_eq!(service["spec"]["ports"][0]["targetPort"], "http");

    let listen = format!("0.0.0.0:{PORT}");
    let in_pod = items(&container["env"]).into_iter().find(|variable| variable["name"] == "POSTRIDER_LISTEN");
    assert_eq!(in_pod.unwrap()["value"], listen);
    let caddy = read("deploy/caddy/Caddyfile");
    for (name, node) in nodes() {
        assert_eq!(node["environment"]["POSTRIDER_LISTEN"], listen);
        assert!(caddy.contains(&format!("{name}:{PORT}")), "Caddy does not know {name}");
    }
    assert!(caddy.contains("health_uri /readyz") && caddy.contains("@inside path /healthz /readyz /metrics"));
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains(&format!("EXPOSE {PORT}\n")) && dockerfile.contains(&listen));
}

/// The words of a check after the program, each of which its help has; a program that does not answer must be told before it is given up.
async fn is_health_check(command: &[String], timeout_s: u64) {
    assert_eq!(command[..2], ["/usr/local/bin/postrider", "health"]);
    let help = help(&["health"]).await;
    assert!(command[2..].iter().all(|word| word.starts_with("--") && help.contains(word)), "{command:?}");
    let (_, rest) = help.split_once("does not answer within ").expect("it says how long it waits");
    assert!(seconds(rest.split(' ').next().unwrap()) < timeout_s);
}

#[tokio::test]
async fn containers_are_checked_by_the_program_itself() {
    let dockerfile = read("Dockerfile");
    let check = dockerfile.lines().find_map(|line| line.strip_prefix("HEALTHCHECK ")).unwrap();
    let (options, command) = check.split_once(" CMD ").unwrap();
    let timeout = options.split(' ').find_map(|option| option.strip_prefix("--timeout=")).unwrap();
    is_health_check(&serde_json::from_str::<Vec<String>>(command).unwrap(), seconds(timeout)).await;
    for (_, node) in nodes() {
        let check = &node["healthcheck"];
        let command: Vec<_> = items(&check["test"]).iter().map(text).collect();
        assert_eq!(command[0], "CMD");
        is_health_check(&command[1..], seconds(&text(&check["timeout"]))).await;
    }
}

/// The number before `s`.
fn seconds(text: &str) -> u64 {
    text.trim_end_matches('s').parse().unwrap_or_else(|_| panic!("{text} is not in seconds"))
}

#[tokio::test]
async fn whoever_stops_a_node_leaves_it_the_time_that_it_says() {
    assert!(help(&["serve"]).await.contains(&format!("within {STOP_S} seconds")));
    let pod = object("deploy/kubernetes/deployment.yaml")["spec"]["template"]["spec"].clone();
    let before = container()["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() >= before + STOP_S + 5);
    for (_, node) in nodes() {
        assert!(seconds(&text(&node["stop_grace_period"])) >= STOP_S + 5);
    }
    let unit = read("deploy/systemd/postrider.service");
    let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
    assert!(seconds(stop) >= STOP_S + 5);
}

#[tokio::test]
async fn no_deployment_runs_as_root_or_writes_where_it_need_not() {
    let container = container();
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
    let pod = object("deploy/kubernetes/deployment.yaml")["spec"]["template"]["spec"].clone();
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let user = pod["securityContext"]["runAsUser"].as_u64().unwrap();
    assert!(read("Dockerfile").contains(&format!("\nUSER {user}:{user}\n")), "the image has another user");
    for (_, node) in nodes() {
        assert!(node["read_only"] == true && node["cap_drop"] == json!(["ALL"]));
    }
    let unit = read("deploy/systemd/postrider.service");
    assert!(unit.contains("\nUser=postrider\n") && unit.contains("\nProtectSystem=strict\n"));
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    assert_eq!(start, "/usr/local/bin/postrider serve --config /etc/postrider/postrider.toml");
}

#[tokio::test]
async fn the_settings_for_systemd_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Its own places are another machine's.
    let key = data.join("encryption.key");
    let file = repository().join("deploy/systemd/postrider.toml");
    let arguments = ["serve", "--check", "--config", file.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let ended =
        Setup::new(&data).run(&[&arguments[..], &["--encryption-key-file", key.to_str().unwrap()]].concat()).await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

#[test]
fn the_image_is_made_of_what_is_there() {
    let dockerfile = read("Dockerfile");
    let ignore = read(".dockerignore");
    let mut copied = 0;
    for line in dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with('-')) {
        let names: Vec<_> = line.split(' ').collect();
        for name in &names[..names.len() - 1] {
            copied += 1;
            assert!(repository().join(name).exists(), "{name} is not there");
            assert!(ignore.lines().any(|line| line == format!("!{name}")), ".dockerignore keeps {name} back");
        }
    }
    assert!(copied >= 6, "{copied}");
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert!(
        dockerfile.contains(&format!("FROM rust:{channel}-slim-bookworm AS build")),
        "not the compiler of {channel}"
    );
    assert!(dockerfile.contains("RUN cargo build --release --locked -p postrider\n"));
    assert!(dockerfile.contains("ENTRYPOINT [\"/usr/local/bin/postrider\"]\nCMD [\"serve\"]\n"));
}

/// The image has glibc and libgcc, and nothing else.
#[test]
fn the_program_needs_no_library_that_the_image_does_not_have() {
    let output = Command::new("ldd").arg(program_path()).stdin(Stdio::null()).output().expect("ldd runs");
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let there =
        ["linux-vdso.so", "libgcc_s.so", "libm.so", "libc.so", "libdl.so", "libpthread.so", "librt.so", "ld-linux"];
    for line in listed.lines() {
        assert!(there.iter().any(|name| line.trim().trim_start_matches("/lib64/").starts_with(name)), "{line}");
    }
    assert!(listed.contains("libc.so"), "{listed}");
}

/// Names of metrics in PromQL, those of a histogram's parts as the histogram's.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = runs(expression, is_name).filter(|name| name.starts_with("postrider_") || name.starts_with("process_"));
    names.map(|name| name.trim_end_matches("_bucket").to_owned()).collect()
}

fn watched() -> BTreeSet<String> {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/postrider.json")).unwrap();
    let mut watched = BTreeSet::new();
    for panel in items(&dashboard["panels"]) {
        for target in panel["targets"].as_array().into_iter().flatten() {
            watched.append(&mut metrics_of(&text(&target["expr"])));
        }
    }
    for rule in alarms() {
        watched.append(&mut metrics_of(&text(&rule["expr"])));
    }
    assert!(watched.len() > 15, "{watched:?}");
    watched
}

fn alarms() -> Vec<Value> {
    let groups = items(&object("deploy/prometheus/alerts.yaml")["groups"]);
    groups.iter().flat_map(|group| items(&group["rules"])).collect()
}

/// The names of all metrics.
async fn told_by(api: &Api) -> BTreeSet<String> {
    let told = api.get("/metrics").await.text();
    told.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).map(str::to_owned).collect()
}

/// Those that servers tell: an embedded one that has made a delivery and read it from its store, and one of many nodes.
async fn told() -> BTreeSet<String> {
    // The example of RFC 8037, appendix A.2: a public key that tokens may be signed under.
    let keys =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("jwks.json");
    fs::write(&file, keys).unwrap();
    let collector = Receiver::start().await;
    let crm = Crm::new().await;
    let world = World::with(|setup| {
        let setup = crm.used_by(setup).env("POSTRIDER_JWKS_FILE", &file.to_string_lossy());
        setup.env("POSTRIDER_OTLP_ENDPOINT", &collector.url(""))
    })
    .await;
    let made = world.organization("standard").await;
    made.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.receiver.script("/in", [Reply::status(500)]);
    let event = made.publish(&json!({"type": "deal.won", "data": {}})).await;
    let delivery = made.delivery_of(&event).await;
    made.attempted(&delivery, 1).await;
    let mut told = told_by(&world.api).await;
    let world = world.killed_and_started().await;
    world.advance_ms(24 * 3_600_000).await;
    let organization = Organization { api: world.api.clone(), id: made.id };
    organization.ended(&delivery, "succeeded").await;
    told.append(&mut told_by(&world.api).await);
    let cluster = Cluster::start(1).await;
    let held = async || cluster.metric(0, "postrider_lanes_held").await;
    until("the node tells how many lanes it holds", held).await;
    told.append(&mut told_by(&cluster.api(0)).await);
    told
}

#[tokio::test]
async fn every_metric_that_is_watched_or_explained_is_told_by_a_server() {
    let told = told().await;
    let manual = read("docs/operations.md");
    let rows = manual.lines().filter(|line| line.starts_with("| `postrider_") || line.starts_with("| `process_"));
    let explained: BTreeSet<_> = rows.flat_map(metrics_of).collect();
    let missing = |of: &BTreeSet<String>, from: &BTreeSet<String>| of.difference(from).cloned().collect::<Vec<_>>();
    let none = Vec::<String>::new();
    assert_eq!(missing(&told, &explained), none, "told and not explained in docs/operations.md");
    assert_eq!(missing(&explained, &told), none, "explained and not told");
    assert_eq!(missing(&watched(), &told), none, "watched and not told");
}

#[test]
fn every_alarm_is_explained_and_no_other() {
    let manual = read("docs/operations.md");
    let (_, section) = manual.split_once("\n## Alarms\n").expect("a section on alarms");
    let section = section.split("\n## ").next().unwrap_or_default();
    let explained: Vec<_> = section.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    let raised: Vec<_> = alarms().iter().map(|rule| text(&rule["alert"])).collect();
    assert_eq!(explained, raised, "the same, in the same order");
}

/// Commands of Postrider in code blocks, each without what goes before and after it, continued lines joined.
fn commands(manual: &str) -> Vec<Vec<String>> {
    let mut found = vec![];
    for block in manual.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        let joined = block.replace("\\\n", " ");
        for line in joined.lines().map(|line| line.split(" #").next().unwrap_or_default()) {
            let words: Vec<_> = line.split_whitespace().collect();
            let Some(at) = words.iter().position(|word| *word == "postrider" || word.ends_with("bin/postrider")) else {
                continue;
            };
            let after = words[at + 1..].iter().take_while(|word| !["|", ">", "&&", ";"].contains(word));
            found.push(after.map(|word| (*word).to_owned()).collect());
        }
    }
    found
}

#[tokio::test]
async fn every_command_in_the_manual_is_the_programs() {
    let top = help(&[]).await;
    let mut seen = 0;
    for command in commands(&read("docs/operations.md")) {
        let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
        let words: Vec<_> = command.iter().map(String::as_str).take_while(is_word).collect();
        // Words of other tools, such as the name of a user or of a folder.
        let Some(first) = words.first().filter(|word| top.contains(&format!("\n  {word} "))) else { continue };
        let is_group = help(&[first]).await.contains("<COMMAND>");
        let help = help(&words[..if is_group { 2 } else { 1 }]).await;
        for flag in command.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag.split('=').next().unwrap_or(flag)), "{command:?}: there is no {flag}");
        }
        seen += 1;
    }
    assert!(seen >= 5, "{seen}");
}

#[test]
fn every_setting_and_file_that_the_manual_names_is_there() {
    let manual = read("docs/operations.md");
    let others = read("docs/settings.md") + &read("deploy/postrider.env.example") + &read("deploy/compose.yaml");
    let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
    for name in runs(&manual, is_name).filter(|run| run.starts_with("POSTRIDER_") && run.len() > 10) {
        assert!(is_setting(name) || others.contains(name), "{name} is no variable");
    }
    let is_path = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    for path in runs(&manual, is_path).filter(|run| run.starts_with("deploy/")) {
        let path = path.trim_end_matches('.');
        let is_made = path == "deploy/postrider.env";
        assert!(is_made || repository().join(path).exists(), "{path} is not there");
    }
    for link in manual.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
        let is_file = !link.is_empty() && !link.contains("://");
        assert!(!is_file || repository().join("docs").join(link).exists(), "{link} is not there");
    }
}
