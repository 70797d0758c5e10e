//! What must hold for the whole: no code names a contract, every key is documented, the documents' promises are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postrider_contract::{Contract, Contracts, KEYS, references};
use postrider_domain::ScheduleKind;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Whether a file is a test, by its name or its directory.
fn is_test(path: &Path) -> bool {
    path.components().any(|c| c.as_os_str() == "tests") || path.file_stem().is_some_and(|stem| stem == "tests")
}

/// What differs between contracts is data: outside of tests, and of the binary, which sets up a demo, no source names one.
#[test]
fn no_code_names_a_contract() {
    let contracts = Contracts::built_in().unwrap();
    let mut files = Vec::new();
    for krate in ["domain", "contract", "egress", "store", "engine", "server", "source"] {
        rust_files(&repository().join("crates").join(krate).join("src"), &mut files);
    }
    assert!(files.len() > 20, "only {} sources found", files.len());
    for file in files.iter().filter(|file| !is_test(file)) {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        // An example in the API's documentation decides nothing.
        let is_code = |line: &&str| !line.trim_start().starts_with("//") && !line.contains("example = ");
        for line in code.lines().filter(is_code) {
            let named = contracts.iter().find(|contract| line.contains(&format!("\"{}\"", contract.name())));
            assert!(named.is_none(), "{} names a contract: {line}", file.display());
        }
    }
}

#[test]
fn every_key_and_every_reference_is_documented() {
    let document = fs::read_to_string(repository().join("docs/contracts.md")).unwrap();
    for (table, keys) in KEYS {
        for key in *keys {
            let path = if table.is_empty() { (*key).to_owned() } else { format!("{table}.{key}") };
            assert!(document.contains(&format!("`{path}`")), "docs/contracts.md does not explain `{path}`");
        }
    }
    for reference in references() {
        assert!(document.contains(&format!("`{reference}`")), "docs/contracts.md does not explain `{reference}`");
    }
}

#[test]
fn the_documents_contract_is_one() {
    let document = fs::read_to_string(repository().join("docs/contracts.md")).unwrap();
    let mut examples = document.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let whole = examples.find(|example| example.contains("name = \"acme\"")).unwrap();
    let shown =
        |mistakes: Vec<postrider_contract::Mistake>| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let acme = Contract::parse(whole, "acme.toml").map_err(shown).unwrap();
    let files = [("acme.toml".to_owned(), whole.to_owned())];
    let contracts = Contracts::load(&files).map_err(shown).unwrap();
    assert_eq!(contracts.get("acme").unwrap().revision(), acme.revision());
    assert_eq!(contracts.by_revision(acme.revision()).unwrap().name(), "acme");
}

#[test]
fn two_files_with_one_name_and_two_defaults_are_mistakes() {
    let contracts = Contracts::built_in().unwrap();
    let text = contracts.get(contracts.default_name()).unwrap().text().to_string();
    let twice = [("again.toml".to_owned(), text.clone())];
    let mistakes = Contracts::load(&twice).unwrap_err();
    assert!(mistakes[0].to_string().contains("names a contract that exists already"), "{}", mistakes[0]);
    assert_eq!((mistakes[0].file.as_str(), mistakes[0].key.as_str()), ("again.toml", "name"));
    let other = |name: &str| text.replacen("name = \"standard\"", &format!("name = \"{name}\""), 1);
    let own = [("a.toml".to_owned(), other("a"))];
    assert_eq!(
        Contracts::load(&own).unwrap().default_name(),
        "a",
        "an operator's default goes before the built-in one"
    );
    let two = [("a.toml".to_owned(), other("a")), ("b.toml".to_owned(), other("b"))];
    assert!(Contracts::load(&two).unwrap_err()[0].to_string().contains("is a second default beside a.toml"));
}

/// The documents' own numbers, apart from the files that state them a second time.
#[test]
fn the_built_in_contracts_promise_what_their_documents_say() {
    let contracts = Contracts::built_in().unwrap();
    let get = |name: &str| contracts.get(name).unwrap();
    let counts = [
        ("salessheet", 12),
        ("salesos", 20),
        ("sendpilot", 2),
        ("webhook-system", 17),
        ("suresend", 3),
        ("operational", 4),
    ];
    for (name, types) in counts {
        assert_eq!(get(name).event_types().len(), types, "{name}");
    }
    let open: Vec<_> = contracts.iter().filter(|c| c.is_open()).map(|c| c.name()).collect();
    assert_eq!(open, ["sendpilot", "standard", "suresend"]);
    let timeouts = contracts.iter().map(|c| (c.name(), c.response().timeout.as_secs())).collect::<Vec<_>>();
    let expected = [
        ("operational", 30),
        ("salesos", 30),
        ("salessheet", 10),
        ("sendpilot", 30),
        ("standard", 30),
        ("suresend", 30),
        ("webhook-system", 5),
    ];
    assert_eq!(timeouts, expected);
    assert_eq!(get("operational").schedule(), get("standard").schedule());
    for contract in contracts.iter().filter(|c| !["standard", "operational"].contains(&c.name())) {
        let steps: Vec<_> = contract.schedule().steps.iter().map(Duration::as_secs).collect();
        assert_eq!(steps, [60, 300, 1_800, 7_200, 86_400], "{}", contract.name());
        let kind = if contract.name() == "salessheet" { ScheduleKind::At } else { ScheduleKind::After };
        assert_eq!(contract.schedule().kind, kind, "{}", contract.name());
        assert_eq!(contract.disable().map(|d| d.consecutive_failures), (contract.name() == "salessheet").then_some(50));
    }
    let optional: Vec<_> = contracts.iter().filter(|c| !c.secret().required).map(|c| c.name()).collect();
    assert_eq!(optional, ["salessheet", "webhook-system"]);
    let plans = get("salessheet").limits();
    assert_eq!([Some("pro"), Some("enterprise"), None].map(|p| plans.endpoints_max(p)), [Some(10), Some(50), Some(0)]);
    assert_eq!(get("suresend").limits().endpoints_per_event_and_system_max, Some(2));
    let categories = |name: &str| {
        let mut categories: Vec<_> = get(name).event_types().iter().map(|t| t.category.as_str()).collect();
        categories.dedup();
        categories.len()
    };
    assert_eq!(categories("webhook-system"), 6);
    assert_eq!(get("standard").disable().map(|d| d.minimum_span), Some(Duration::from_secs(5 * 86_400)));
}
