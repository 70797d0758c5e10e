//! Golden cases: an event in, the exact request out. `contracts/golden/<contract>/<case>.event.json` is the event with its ids,
//! secrets and times; `<case>.request` is every header line, an empty line, and the body to its last byte.
//!
//! With the environment variable `UPDATE_GOLDEN` set, the requests are written instead of compared.

use std::fs;
use std::path::{Path, PathBuf};

use postrider_contract::{Contracts, RenderInput, SignInput, changes_from_previous};
use postrider_domain::{Millis, Resource, Secret};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case<'a> {
    /// The name that the CRM published.
    r#type: String,
    id: String,
    delivery_id: String,
    organization_id: String,
    occurred_at: String,
    attempt_at: String,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow)]
    previous: Option<&'a RawValue>,
    #[serde(borrow)]
    changes: Option<&'a RawValue>,
    resource: Option<CaseResource>,
    #[serde(default)]
    test: bool,
    secret: Option<String>,
    secondary_secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseResource {
    r#type: String,
    ids: Vec<String>,
    uri: Option<String>,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/golden")
}

fn millis(text: &str) -> Millis {
    Millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn request(contracts: &Contracts, contract: &str, event: &str) -> String {
    let contract = contracts.get(contract).unwrap();
    let case: Case<'_> = serde_json::from_str(event).unwrap();
    let event_type = contract.resolve_type(&case.r#type).unwrap();
    let event_id = case.id.parse().unwrap();
    let delivery_id = case.delivery_id.parse().unwrap();
    let resource = case.resource.map(|r| Resource { kind: r.r#type, ids: r.ids, uri: r.uri });
    let built = case.previous.map(|previous| changes_from_previous(previous.get(), case.data.get()).unwrap());
    let body = contract.render(&RenderInput {
        event_type,
        event_id: &event_id,
        delivery_id,
        organization_id: &case.organization_id,
        occurred_at: millis(&case.occurred_at),
        data: case.data.get(),
        changes: built.as_deref().or(case.changes.map(RawValue::get)),
        resource: resource.as_ref(),
        test: case.test,
    });
    let (primary, secondary) = (case.secret.map(Secret::new), case.secondary_secret.map(Secret::new));
    let headers = contract
        .sign(&SignInput {
            primary: primary.as_ref(),
            secondary: secondary.as_ref(),
            attempt_at: millis(&case.attempt_at),
            event_type,
            event_id: &event_id,
            delivery_id,
            body: body.as_bytes(),
        })
        .unwrap();
    serde_json::from_str::<&RawValue>(&body).unwrap();
    let shown: Vec<(&str, &str)> = headers.iter().map(|h| (h.name, h.value.as_ref())).collect();
    for secret in primary.iter().chain(&secondary).filter(|_| contract.is_signed()) {
        let verified = contract.verify(secret, &shown, body.as_bytes(), millis(&case.attempt_at));
        // A header of one value holds the primary's signature alone.
        assert!(verified.is_ok() || Some(secret) != primary.as_ref(), "{verified:?}");
    }
    let lines: String = headers.iter().map(|h| format!("{}: {}\n", h.name, h.value)).collect();
    format!("{lines}\n{body}")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn stem<'p>(path: &'p Path, suffix: &str) -> Option<&'p str> {
    path.file_name()?.to_str()?.strip_suffix(suffix)
}

#[test]
fn every_golden_event_becomes_its_golden_request_byte_for_byte() {
    let contracts = Contracts::built_in().unwrap();
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differing = Vec::new();
    for contract in files(&directory()) {
        let name = contract.file_name().unwrap().to_str().unwrap().to_owned();
        for path in files(&contract) {
            let Some(case) = stem(&path, ".event.json") else { continue };
            let is = request(&contracts, &name, &fs::read_to_string(&path).unwrap());
            let golden = contract.join(format!("{case}.request"));
            if update {
                fs::write(&golden, &is).unwrap();
            } else if fs::read_to_string(&golden).unwrap_or_default() != is {
                differing.push(format!("{}:\n{is}\n", golden.display()));
            }
        }
    }
    assert!(differing.is_empty(), "these differ; UPDATE_GOLDEN=1 writes them anew:\n{}", differing.join("\n"));
}

#[test]
fn every_golden_file_belongs_to_a_case_of_a_contract_and_every_contract_has_cases() {
    let contracts = Contracts::built_in().unwrap();
    for contract in files(&directory()) {
        let name = contract.file_name().unwrap().to_str().unwrap();
        assert!(contracts.get(name).is_some(), "{name} is no contract");
        for path in files(&contract) {
            let event = stem(&path, ".event.json").map(|case| contract.join(format!("{case}.request")));
            let request = stem(&path, ".request").map(|case| contract.join(format!("{case}.event.json")));
            let other = event.or(request).unwrap_or_else(|| panic!("{} is part of no case", path.display()));
            assert!(other.exists(), "{} is missing", other.display());
        }
    }
    for contract in contracts.iter() {
        assert!(directory().join(contract.name()).is_dir(), "{} has no golden cases", contract.name());
    }
}
