//! From a database that nobody has seen to one that is captured, and back again, by the commands.

use std::path::{Path, PathBuf};

use postrider_tests::postgres::Database;
use postrider_tests::program::{Ended, Setup};
use serde_json::{Value, json};
use tempfile::TempDir;

const SCHEMA: &str = include_str!("../../crm/schema.sql");
const MAPPING: &str = include_str!("../../crm/source.toml");

struct Desk {
    folder: TempDir,
    database: Database,
}

impl Desk {
    fn new() -> Self {
        let desk = Desk { folder: tempfile::tempdir().expect("a folder"), database: Database::create() };
        let _ = desk.database.ask(SCHEMA);
        desk
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("source.toml");
        std::fs::write(&path, text).expect("the mapping");
        path
    }

    async fn run(&self, command: &str, mapping: Option<&Path>, more: &[&str]) -> Ended {
        let setup =
            Setup::new(&self.folder.path().join("data")).env("POSTRIDER_SOURCE_DATABASE_URL", &self.database.url());
        let mut arguments = vec!["source", command];
        if let Some(path) = mapping {
            arguments.extend(["--mapping", path.to_str().expect("a path of plain letters")]);
        }
        arguments.extend(more);
        setup.run(&arguments).await
    }
}

fn json_of(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[tokio::test]
async fn a_database_is_drafted_checked_installed_looked_at_and_left_as_it_was() {
    let desk = Desk::new();
    let draft = desk.run("draft", None, &[]).await;
    assert_eq!((draft.status, draft.stderr.as_str()), (Some(0), ""), "{draft:?}");
    let mapping = desk.file(&draft.stdout);
    let before = desk.run("status", Some(&mapping), &[]).await;
    assert_eq!(before.status, Some(1), "nothing is installed: {before:?}");
    let preflight = desk.run("preflight", Some(&mapping), &["--json"]).await;
    let told = json_of(&preflight);
    assert_eq!((preflight.status, &told["ready"]), (Some(0), &json!(true)), "{told:#}");
    let installed = desk.run("install", Some(&mapping), &[]).await;
    assert_eq!((installed.status, installed.stdout.as_str()), (Some(0), "installed\n"), "{installed:?}");
    let again = desk.run("install", Some(&mapping), &[]).await;
    assert_eq!(again.stdout, "everything is installed already\n");
    let acme = "00000000-0000-4000-8000-00000000000a";
    let _ = desk.database.ask(&format!("INSERT INTO deals (organization_id, title) VALUES ('{acme}', 'a')"));
    let status = desk.run("status", Some(&mapping), &["--json"]).await;
    let told = json_of(&status);
    assert_eq!(
        (status.status, &told["installed"], &told["waiting"], &told["missed"]),
        (Some(0), &json!(true), &json!(1), &json!(0)),
        "{told:#}"
    );
    let refused = desk.run("uninstall", Some(&mapping), &[]).await;
    assert_eq!(refused.status, Some(1));
    assert!(refused.stderr.contains("1 change waits in the outbox"), "{refused:?}");
    let uninstalled = desk.run("uninstall", Some(&mapping), &["--discard"]).await;
    assert_eq!((uninstalled.status, uninstalled.stdout.as_str()), (Some(0), "uninstalled\n"), "{uninstalled:?}");
    assert!(uninstalled.stderr.contains("1 change that waited was discarded"), "{uninstalled:?}");
    let left = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'postrider%' OR to_regnamespace('postrider_source') IS NOT NULL";
    assert_eq!(desk.database.ask(left), "0");
}

#[tokio::test]
async fn what_is_printed_is_a_script_that_installs_and_one_that_uninstalls() {
    let desk = Desk::new();
    let mapping = desk.file(MAPPING);
    let printed = desk.run("install", Some(&mapping), &["--print"]).await;
    assert_eq!(printed.status, Some(0), "{printed:?}");
    assert_eq!(desk.database.ask("SELECT to_regnamespace('postrider_source') IS NULL"), "t", "nothing was run");
    let _ = desk.database.ask(&printed.stdout);
    let status = desk.run("status", Some(&mapping), &[]).await;
    assert_eq!(status.status, Some(0), "{status:?}");
    assert!(status.stdout.ends_with("all is well\n"), "{status:?}");
    let printed = desk.run("uninstall", Some(&mapping), &["--print"]).await;
    let _ = desk.database.ask(&printed.stdout);
    assert_eq!(desk.database.ask("SELECT to_regnamespace('postrider_source') IS NULL"), "t");
}

#[tokio::test]
async fn what_stands_against_it_is_told_and_nothing_is_done() {
    let desk = Desk::new();
    let mapping = desk.file("organization = \"acme\"\n[[tables]]\ntable = \"public.visits\"\nresource = \"visit\"\n");
    let preflight = desk.run("preflight", Some(&mapping), &[]).await;
    assert_eq!(preflight.status, Some(1));
    assert!(preflight.stdout.contains("error    public.visits: has no primary key"), "{preflight:?}");
    let install = desk.run("install", Some(&mapping), &[]).await;
    assert_eq!((install.status, install.stdout.as_str()), (Some(1), ""), "{install:?}");
    assert_eq!(desk.database.ask("SELECT to_regnamespace('postrider_source') IS NULL"), "t");
    let unmapped = desk.run("preflight", None, &[]).await;
    assert!(unmapped.status != Some(0) && unmapped.stderr.contains("--mapping"), "{unmapped:?}");
}
