//! What `serve` and `serve --check` say about settings and the files that they name, told by the built program.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use postrider_contract::Contracts;
use postrider_domain::{Action, Actor, AuditEntry, AuditId, EventValidation, Millis, Organization};
use postrider_store::{MasterKey, SqliteOptions, SqliteStore, Store};
use tempfile::TempDir;

fn made(id: &str) -> AuditEntry {
    let entry = AuditId(uuid::Uuid::new_v4());
    AuditEntry::new(entry, Millis(0), Actor::System, Action::ORGANIZATION_CREATED, id)
}

/// Runs the program in a folder with these variables alone: its exit status, and what it printed on both outputs.
#[track_caller]
fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.env_clear().envs(variables.iter().copied()).current_dir(folder).args(arguments);
    let ended = command.output().unwrap();
    let printed = [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (ended.status.code(), printed)
}

#[track_caller]
fn assert_right(folder: &Path, variables: &[(&str, &str)]) {
    let (status, printed) = run(folder, &["serve", "--check"], variables);
    assert_eq!((status, printed.as_str()), (Some(0), "the settings are right\n"));
}

/// What the check has to say against these variables, a mistake a line.
#[track_caller]
fn mistakes(folder: &Path, variables: &[(&str, &str)]) -> Vec<String> {
    let (status, printed) = run(folder, &["serve", "--check"], variables);
    assert_eq!(status, Some(1), "{printed}");
    printed.lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_one_for_each(mistakes: &[String], expected: &[&[&str]]) {
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
    for words in expected {
        let is_it = |mistake: &String| words.iter().all(|word| mistake.contains(word));
        assert!(mistakes.iter().any(is_it), "nothing says {words:?}: {mistakes:#?}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A file of this name and content.
fn file(folder: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

/// Every name in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn open_store(data: &Path) -> SqliteStore {
    let key = MasterKey::load_or_create_file(&data.join("encryption.key"), data).unwrap();
    SqliteStore::open(data, key, &SqliteOptions::default()).unwrap()
}

#[test]
fn data_where_no_directory_can_be_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let letter = file(&folder, "letter", "Dear Ada");
    let below = letter.join("data");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for data in [text(&letter), text(&below), text(&link), "/proc/postrider/data"] {
        let found = mistakes(folder.path(), &[("POSTRIDER_DATA", data)]);
        assert_one_for_each(&found, &[&["data (POSTRIDER_DATA): ", data]]);
    }
    assert_eq!(names(folder.path()), ["letter", "link"]);
}

#[test]
fn mistakes_in_settings_and_in_files_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let letter = file(&folder, "letter", "Dear Ada");
    let key = file(&folder, "key", "a word");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let contracts = folder.path().join("contracts");
    fs::create_dir(&contracts).unwrap();
    fs::write(contracts.join("ours.toml"), "name = 5").unwrap();
    let authorities = format!("/no/ca.pem,{}", letter.display());
    let variables = [
        ("POSTRIDER_LISTEN", "nowhere"),
        ("POSTRIDER_DATA", text(&letter)),
        ("POSTRIDER_ENCRYPTION_KEY_FILE", text(&key)),
        ("POSTRIDER_EXTRA_CA", authorities.as_str()),
        ("POSTRIDER_CONTRACTS", text(&contracts)),
    ];
    let expected: [&[&str]; 6] = [
        &["listen (POSTRIDER_LISTEN): "],
        &["data (POSTRIDER_DATA): ", "letter"],
        &["encryption_key_file (POSTRIDER_ENCRYPTION_KEY_FILE): ", "32 random bytes"],
        &["extra_ca (POSTRIDER_EXTRA_CA): ", "/no/ca.pem cannot be read"],
        &["extra_ca (POSTRIDER_EXTRA_CA): ", "letter", "PEM"],
        &["ours.toml:1:8: name: "],
    ];
    let found = mistakes(folder.path(), &variables);
    let found: Vec<_> = found.into_iter().filter(|mistake| !is_about_another_key(mistake)).collect();
    assert_one_for_each(&found, &expected);
    assert_eq!(names(folder.path()), ["contracts", "key", "letter"]);
}

/// Whether it is about another key of the broken contract.
fn is_about_another_key(mistake: &str) -> bool {
    mistake.contains("ours.toml") && !mistake.contains("ours.toml:1:8: name: ")
}

#[test]
fn a_settings_file_that_cannot_be_read_hides_no_other_mistake_and_no_default_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    // The default of `data`: the settings file may name another.
    file(&folder, "data", "Dear Ada");
    let broken = file(&folder, "broken.toml", "data = ");
    for config in ["/no/settings.toml", text(&broken)] {
        let found = mistakes(folder.path(), &[("POSTRIDER_CONFIG", config), ("POSTRIDER_EXTRA_CA", "/no/ca.pem")]);
        assert_one_for_each(&found, &[&[config], &["extra_ca (POSTRIDER_EXTRA_CA): ", "/no/ca.pem"]]);
    }
}

#[test]
fn a_check_makes_nothing_and_goes_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new/data");
    let variables = [("POSTRIDER_DATA", text(&data))];
    assert_right(folder.path(), &variables);
    assert_right(folder.path(), &[]);
    assert_eq!(names(folder.path()), Vec::<String>::new());

    let store = open_store(&data);
    let (before, written) = (names(&data), fs::metadata(&data).unwrap().modified().unwrap());
    assert_right(folder.path(), &variables);
    assert_eq!((names(&data), fs::metadata(&data).unwrap().modified().unwrap()), (before, written));
    drop(store);
}

#[test]
fn a_key_that_cannot_be_used_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    drop(open_store(&data));
    let key = data.join("encryption.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert_one_for_each(&mistakes(folder.path(), &[]), &[&["encryption_key_file", "data/encryption.key", "chmod 600"]]);
    fs::remove_file(&key).unwrap();
    assert_one_for_each(&mistakes(folder.path(), &[]), &[&["encryption_key_file", "put the key file back"]]);
    assert!(!key.exists(), "a check made a key");
    let other = [("POSTRIDER_DATA", "other"), ("POSTRIDER_ENCRYPTION_KEY_FILE", "/proc/postrider/key")];
    assert_one_for_each(&mistakes(folder.path(), &other), &[&["encryption_key_file", "/proc/postrider/key"]]);
}

/// An organisation that follows a contract.
fn organization(id: &str, contract: &str) -> Organization {
    Organization {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        contract: contract.to_owned(),
        plan: None,
        owner_email: None,
        locale: None,
        event_validation: EventValidation::default(),
        frame_ancestors: vec![],
        created_at: Millis(0),
        updated_at: Millis(0),
    }
}

#[tokio::test]
async fn a_broken_contract_is_told_with_the_organizations_that_use_it() {
    let built_in = Contracts::built_in().unwrap();
    let default = built_in.default_name();
    let good = built_in.get(default).unwrap().text().replacen(&format!("name = {default:?}"), "name = \"good\"", 1);
    let good = good.replacen("default = true", "default = false", 1);
    let folder = tempfile::tempdir().unwrap();
    let contracts = folder.path().join("contracts");
    fs::create_dir(&contracts).unwrap();
    fs::write(contracts.join("good.toml"), &good).unwrap();
    fs::write(contracts.join("broken.toml"), good.replacen("name = \"good\"", "name = \"broken\"\nheight = 5", 1))
        .unwrap();

    let data = folder.path().join("data");
    let store = open_store(&data);
    for (id, contract) in [("a", "broken"), ("b", "broken"), ("c", "good"), ("d", default)] {
        store.create_organization(&organization(id, contract), &made(id)).await.unwrap();
    }
    store.close().await.unwrap();

    let (status, printed) = run(folder.path(), &["serve"], &[("POSTRIDER_CONTRACTS", "contracts")]);
    assert_eq!(status, Some(1), "{printed}");
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    assert!(lines[0].contains("contracts/broken.toml:") && lines[0].contains("height"), "{printed}");
    assert!(lines[1].starts_with("postrider: contract \"broken\" is used by a, b "), "{printed}");
}

#[test]
fn a_start_that_fails_on_its_contracts_makes_no_data() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "broken.toml", "name = 5");
    let (status, printed) = run(folder.path(), &["serve"], &[("POSTRIDER_CONTRACTS", ".")]);
    assert_eq!(status, Some(1), "{printed}");
    assert!(!printed.contains("is used by"), "{printed}");
    assert_eq!(names(folder.path()), ["broken.toml"]);
}

const DATABASE: [(&str, &str); 3] = [
    ("POSTRIDER_DATABASE_URL", "postgres://me:hush@127.0.0.1:1/postrider"),
    ("POSTRIDER_OPERATOR_KEY", "0123456789abcdef"),
    ("POSTRIDER_ENCRYPTION_KEY", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="),
];

#[test]
fn a_check_reaches_no_database_and_looks_at_the_files_that_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    // Where the store is a database, the default of `data` is nothing.
    file(&folder, "data", "Dear Ada");
    let letter = file(&folder, "letter", "Dear Ada");
    assert_right(folder.path(), &DATABASE);
    let variables = [
        DATABASE[0],
        DATABASE[1],
        ("POSTRIDER_ENCRYPTION_KEY_FILE", "no.key"),
        ("POSTRIDER_DATABASE_CA_FILE", text(&letter)),
    ];
    let expected: [&[&str]; 2] = [
        &["encryption_key_file (POSTRIDER_ENCRYPTION_KEY_FILE): ", "no.key", "cannot be read"],
        &["database_ca_file (POSTRIDER_DATABASE_CA_FILE): ", "letter", "PEM"],
    ];
    assert_one_for_each(&mistakes(folder.path(), &variables), &expected);
    assert_eq!(names(folder.path()), ["data", "letter"]);
}

#[test]
fn a_database_that_does_not_answer_is_named_without_its_password_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    for command in [&["serve"][..], &["keys", "operator"], &["keys", "rotate-encryption"]] {
        let (status, printed) = run(folder.path(), command, &DATABASE);
        assert_eq!(status, Some(1), "{printed}");
        assert!(printed.contains("127.0.0.1:1") && printed.contains("postrider"), "{printed}");
        assert!(!printed.contains("hush"), "{printed}");
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn the_keys_of_a_stopped_server_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    drop(open_store(&data));
    let key = data.join("encryption.key");
    let old = fs::read_to_string(&key).unwrap();
    let new = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=";
    let rotate = |variables: &[(&str, &str)]| run(folder.path(), &["keys", "rotate-encryption", "--json"], variables);

    let (status, printed) = rotate(&[("POSTRIDER_ENCRYPTION_KEY", new)]);
    assert_eq!(status, Some(1), "{printed}");
    assert!(printed.contains("give the right key"), "{printed}");
    let both = [("POSTRIDER_ENCRYPTION_KEY", new), ("POSTRIDER_ENCRYPTION_KEYS_OLD", old.trim())];
    let (status, printed) = rotate(&both);
    assert_eq!(status, Some(0), "{printed}");
    assert!(printed.starts_with("{\"rewrapped\":1,\"encryption_key\":\""), "{printed}");
    fs::remove_file(&key).unwrap();
    let (status, printed) = rotate(&[("POSTRIDER_ENCRYPTION_KEY", new)]);
    assert_eq!(status, Some(0), "{printed}");
    assert!(printed.starts_with("{\"rewrapped\":0,"), "{printed}");
}

#[test]
fn keys_are_not_replaced_under_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(&folder.path().join("data"));
    for command in ["operator", "rotate-encryption"] {
        let (status, printed) = run(folder.path(), &["keys", command], &[]);
        assert_eq!(status, Some(1), "{printed}");
        assert!(printed.contains("another process has this data directory; stop it"), "{printed}");
    }
    drop(store);
}
