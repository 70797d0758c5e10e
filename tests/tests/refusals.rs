//! When the program must not start: one clear line says why, and the exit status is 1; 2 when the command itself was wrong.

use postrider_tests::files;
use postrider_tests::program::{Ended, Setup};
use postrider_tests::world::{Data, World};
use serde_json::json;

/// A stopped program's data, with something in it.
async fn used_data() -> (Setup, Data) {
    let world = World::start().await;
    world.organization("standard").await;
    let (ended, setup, data) = world.stop().await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    (setup, data)
}

/// The one line that says why.
#[track_caller]
fn reason(ended: &Ended) -> String {
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "", "results alone go to stdout");
    let lines: Vec<_> = ended.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let errors: Vec<_> = lines.iter().filter(|line| !line.contains(" INFO ") && !line.contains(" WARN ")).collect();
    assert_eq!(errors.len(), 1, "one clear line: {}", ended.stderr);
    assert!(!ended.stderr.contains("panicked") && !ended.stderr.contains("RUST_BACKTRACE"), "{}", ended.stderr);
    (*errors[0]).to_string()
}

#[track_caller]
fn assert_names(ended: &Ended, words: &[&str]) {
    let reason = reason(ended);
    for word in words {
        assert!(reason.to_lowercase().contains(&word.to_lowercase()), "does not say {word:?}: {reason}");
    }
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let (setup, _data) = used_data().await;
    let database = files::database(setup.data());
    let mut bytes = std::fs::read(&database).unwrap();
    assert!(bytes.len() > 4096, "after a stop in good order, everything is in the one file that people back up");
    // Every page but the first, whose header still says that this is a database.
    bytes[4096..].fill(0xa5);
    std::fs::write(&database, bytes).unwrap();
    let name = database.file_name().unwrap().to_string_lossy().into_owned();
    assert_names(&setup.run(&["serve"]).await, &[&name]);
}

#[tokio::test]
async fn a_database_cut_short_is_refused() {
    let (setup, _data) = used_data().await;
    let database = files::database(setup.data());
    let bytes = std::fs::read(&database).unwrap();
    std::fs::write(&database, &bytes[..bytes.len() / 2]).unwrap();
    reason(&setup.run(&["serve"]).await);
}

#[tokio::test]
async fn something_else_in_the_databases_place_is_refused_and_left_alone() {
    let (setup, _data) = used_data().await;
    let database = files::database(setup.data());
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", database.display()));
    }
    std::fs::write(&database, "somebody's letters, kept for years\n".repeat(500)).unwrap();
    let name = database.file_name().unwrap().to_string_lossy().into_owned();
    assert_names(&setup.run(&["serve"]).await, &[&name]);
    assert!(std::fs::read(&database).unwrap().starts_with(b"somebody's letters"));

    std::fs::remove_file(&database).unwrap();
    let foreign = rusqlite::Connection::open(&database).unwrap();
    foreign.execute_batch("CREATE TABLE albums (title TEXT); INSERT INTO albums VALUES ('Blue');").unwrap();
    foreign.close().unwrap();
    assert_names(&setup.run(&["serve"]).await, &[&name]);
    let foreign = rusqlite::Connection::open(&database).unwrap();
    let tables: i64 = foreign.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1, "a foreign database was written to");
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused_and_the_first_goes_on() {
    let world = World::start().await;
    let ended = world.setup.run(&["serve"]).await;
    assert_names(&ended, &[&world.setup.data().to_string_lossy()]);
    world.organization("standard").await;
}

#[tokio::test]
async fn another_encryption_key_is_refused() {
    let (setup, _data) = used_data().await;
    let other = data_encoding::BASE64.encode(&[7; 32]);
    assert_names(&setup.clone().env("POSTRIDER_ENCRYPTION_KEY", &other).run(&["serve"]).await, &["key"]);
    let file = setup.data().with_file_name("other.key");
    std::fs::write(&file, &other).unwrap();
    let with_file = setup.clone().env("POSTRIDER_ENCRYPTION_KEY_FILE", &file.to_string_lossy());
    assert_names(&with_file.run(&["serve"]).await, &["key"]);
    // The right key still opens it.
    setup.start().await.stop().await;
}

#[tokio::test]
async fn a_setting_that_makes_no_sense_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(&folder.path().join("data"));
    let cases = [
        ("POSTRIDER_LISTEN", "nowhere", "listen"),
        ("POSTRIDER_RETENTION", "a while", "retention"),
        ("POSTRIDER_ALLOW_HTTP", "perhaps", "allow_http"),
        ("POSTRIDER_ALLOW_CIDRS", "127.0.0.0/99", "allow_cidrs"),
        ("POSTRIDER_ENCRYPTION_KEY", "c2hvcnQ=", "encryption_key"),
        ("POSTRIDER_CONTRACTS", "/no/such/folder", "/no/such/folder"),
        ("POSTRIDER_PUBLIC_URL", "not a url", "public_url"),
        ("POSTRIDER_LOG_FORMAT", "xml", "log_format"),
    ];
    for (name, value, said) in cases {
        let wrong = setup.clone().env(name, value);
        assert_names(&wrong.run(&["serve"]).await, &[said]);
        assert_names(&wrong.run(&["serve", "--check"]).await, &[said]);
    }
    let checked = setup.run(&["serve", "--check"]).await;
    assert_eq!(checked.status, Some(0), "{checked:?}");
    assert!(!setup.data().exists(), "a check leaves nothing behind");
}

#[tokio::test]
async fn a_command_that_makes_no_sense_ends_with_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(&folder.path().join("data"));
    for arguments in [&["serve", "--no-such-flag"][..], &["no-such-command"], &["serve", "--listen"]] {
        let ended = setup.run(arguments).await;
        assert_eq!(ended.status, Some(2), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "");
    }
}

/// A contract that is as good as one can be: one of the built-in ones under another name.
async fn own_contract(setup: &Setup) -> String {
    let shown = setup.run(&["contracts", "show", "salesos"]).await;
    assert_eq!(shown.status, Some(0), "{shown:?}");
    shown.stdout.replace("name = \"salesos\"", "name = \"ours\"")
}

#[tokio::test]
async fn a_broken_contract_is_named_with_its_file_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let contracts = folder.path().join("contracts");
    std::fs::create_dir(&contracts).unwrap();
    let data = folder.path().join("data");
    let setup = Setup::new(&data).env("POSTRIDER_CONTRACTS", &contracts.to_string_lossy());
    let good = own_contract(&setup).await;
    let broken = good.replacen("timeout = \"30s\"", "timeout = \"soon\"", 1);
    let line = broken.lines().position(|line| line.contains("\"soon\"")).expect("salesos states its timeout") + 1;
    std::fs::write(contracts.join("ours.toml"), broken).unwrap();
    assert_names(&setup.run(&["serve"]).await, &["ours.toml", &format!(":{line}"), "timeout"]);
}

#[tokio::test]
async fn a_contract_that_is_in_use_and_gone_is_named_with_who_uses_it() {
    let folder = tempfile::tempdir().unwrap();
    let contracts = folder.path().join("contracts");
    std::fs::create_dir(&contracts).unwrap();
    let world = World::with(|setup| setup.env("POSTRIDER_CONTRACTS", &contracts.to_string_lossy())).await;
    let (_, setup, _data) = world.stop().await;
    std::fs::write(contracts.join("ours.toml"), own_contract(&setup).await).unwrap();

    let program = setup.start().await;
    let api = postrider_tests::api::Api::new(program.address, Some(postrider_tests::program::OPERATOR_KEY));
    let body = json!({"id": "org-on-ours", "name": "Acme", "contract": "ours"});
    api.post("/v1/organizations", &body).await.expect(201);
    program.stop().await;

    std::fs::remove_file(contracts.join("ours.toml")).unwrap();
    assert_names(&setup.run(&["serve"]).await, &["ours", "org-on-ours"]);
}
