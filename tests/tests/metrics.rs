//! `docs/operations.md` lists what `/metrics` says, and `/metrics` says nothing of what belongs to an organisation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use postrider_tests::receiver::{Receiver, Reply};
use postrider_tests::tokens::Signer;
use postrider_tests::world::{Store, World};
use serde_json::json;

use crate::source::crm::Crm;

postrider_tests::on_each_store!(the_documented_metrics_are_those_that_are_told_with_the_labels_that_are_documented);

const IN: &str = "/in?token=hidden";

/// Labels that the format itself has.
const OF_THE_FORMAT: [&str; 2] = ["le", "quantile"];

/// Each documented metric with its row.
fn documented() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/operations.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `postrider_") || line.starts_with("| `process_"));
    let mut found = BTreeMap::new();
    for row in rows {
        let name = row.split('`').nth(1).unwrap().to_owned();
        assert!(found.insert(name, row.to_owned()).is_none(), "twice in the list: {row}");
    }
    assert!(found.len() > 30, "the list is not read: {found:?}");
    found
}

/// The labels of a sample, e.g. `name{a="1",b="2"} 3`.
fn labels(sample: &str) -> Vec<(&str, &str)> {
    let inner = sample.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(inner, _)| inner);
    let pairs = inner.split("\",").filter_map(|pair| pair.split_once("=\""));
    pairs.map(|(name, value)| (name, value.trim_end_matches('"'))).collect()
}

/// What the samples say, by the names of the `# TYPE` lines.
fn told(text: &str) -> BTreeMap<&str, BTreeSet<(&str, &str)>> {
    let mut told: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
    let mut name = "";
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            name = rest.split(' ').next().unwrap();
            told.entry(name).or_default();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(name), "{line} is not below its own name");
            told.entry(name).or_default().extend(labels(line));
        }
    }
    told
}

/// Real work of every kind that is counted; what belongs to the organisation that it was done for.
async fn work(world: &World) -> Vec<String> {
    let organization = world.organization("salessheet").await;
    let endpoint = organization.endpoint(&world.receiver.url(IN), json!({"name": "Named-7731"})).await;
    world.receiver.script(IN, [Reply::status(200), Reply::status(500), Reply::status(500)]);
    let mut ids = vec![];
    for n in 0..3 {
        let event = json!({"type": "deal.won", "data": {"id": n.to_string()}});
        let id = organization.publish(&event).await;
        organization.attempted(&organization.delivery_of(&id).await, 1).await;
        ids.push(id);
    }
    organization.try_publish(&json!({"type": "no.such-type", "data": {}})).await.problem(422);
    ids.extend([organization.id.clone(), endpoint.id, "deal.won".into(), "hidden".into(), "Named-7731".into()]);
    ids.push("127.0.0.1".to_owned());
    ids
}

async fn the_documented_metrics_are_those_that_are_told_with_the_labels_that_are_documented(store: Store) {
    let collector = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("jwks.json");
    std::fs::write(&keys, json!({"keys": [Signer::p256("one").jwk()]}).to_string()).unwrap();
    let crm = Crm::new().await;
    let world = World::with_on(store, |setup| {
        let setup = crm.used_by(setup).env("POSTRIDER_OTLP_ENDPOINT", &collector.url(""));
        setup.env("POSTRIDER_JWKS_FILE", keys.to_str().unwrap())
    })
    .await;
    let private = work(&world).await;
    // What is pending is claimed from the store, and measured so.
    let world = world.killed_and_started().await;
    world.advance_ms(120_000).await;
    world.receiver.wait_for(IN, 5).await;
    let private = [private, work(&world).await].concat();
    let text = world.api.get("/metrics").await.text();
    let (documented, all) = (documented(), told(&text));
    let missing: Vec<_> = documented.keys().filter(|name| !all.contains_key(name.as_str())).collect();
    assert!(missing.is_empty(), "in docs/operations.md and not told: {missing:?}");
    for (name, labels) in all {
        let row = documented.get(name).unwrap_or_else(|| panic!("{name} is told and not in docs/operations.md"));
        for (label, value) in labels.into_iter().filter(|(label, _)| !OF_THE_FORMAT.contains(label)) {
            assert!(row.contains(&format!("`{label}`")), "{name} has a label {label} that is not documented");
            for text in &private {
                assert!(!value.contains(text.as_str()), "{name}: {label}={value}");
            }
            assert!(!value.contains("://"), "{name}: {label}={value}");
        }
    }
}
