//! The demo with a CRM: an update in a database becomes a webhook, and nothing is left behind however it ends.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use postrider_tests::postgres::ask;
use postrider_tests::program::{Program, Setup};
use postrider_tests::wait::until;
use tokio::net::TcpStream;

/// A demo that puts what is temporary into a folder of the test's.
async fn demo() -> (Program, tempfile::TempDir, tempfile::TempDir) {
    let (folder, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Postgres runs as another user than root, who makes and removes what is his, as in /tmp.
    std::fs::set_permissions(temporary.path(), Permissions::from_mode(0o1777)).unwrap();
    let setup = Setup::new(&folder.path().join("data")).env("TMPDIR", &temporary.path().to_string_lossy());
    let names = ["DATA", "LISTEN", "OPERATOR_KEY", "ALLOW_HTTP", "ALLOW_CIDRS"];
    let setup = names.iter().fold(setup, |setup, name| setup.without(&format!("POSTRIDER_{name}")));
    (setup.start_demo(&["--crm", "--rate", "20"]).await, folder, temporary)
}

fn line<'a>(printed: &'a str, parts: &[&str]) -> Option<&'a str> {
    printed.lines().find(|line| parts.iter().all(|part| line.contains(part)))
}

/// Where the CRM's database is.
fn crm_url(printed: &str) -> &str {
    let row = line(printed, &["  CRM  "]).unwrap_or_else(|| panic!("{printed}"));
    row.split_whitespace().find(|word| word.starts_with("postgres://")).unwrap()
}

/// Waits until nothing of the CRM is there any more.
async fn all_is_gone(url: &str, temporary: &Path) {
    let address: SocketAddr = url.split(['@', '/']).nth(3).unwrap().parse().unwrap();
    until("the CRM's Postgres is gone", async || TcpStream::connect(address).await.is_err().then_some(())).await;
    let is_left = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().contains("crm");
    let left = || std::fs::read_dir(temporary).unwrap().map(Result::unwrap).find(is_left);
    until("its directory is gone", async || left().is_none().then_some(())).await;
}

#[tokio::test]
async fn a_change_in_the_crms_database_arrives_signed_with_what_changed_and_nothing_is_left() {
    let (program, _folder, temporary) = demo().await;
    let won = ["+ 204", "deal.won", "signed ok", r#"stage: "proposal" -> "won""#];
    let printed = program.wait_for_stdout("a deal that is won", |printed| line(printed, &won).is_some()).await;
    assert!(line(&printed, &["* sql", "UPDATE deals SET stage = 'won'"]).is_some(), "{printed}");
    assert!(line(&printed, &["deal.stage_changed", "signed ok"]).is_some(), "{printed}");

    // Whoever tries the demo changes something as well.
    let url = crm_url(&printed).to_owned();
    ask(&url, "UPDATE companies SET industry = 'tried by hand' WHERE id = 1").unwrap();
    let tried = ["company.updated", "signed ok", r#"-> "tried by hand""#];
    program.wait_for_stdout("the change made by hand", |printed| line(printed, &tried).is_some()).await;
    let forbidden = ask(&url, "SELECT * FROM postrider_source.outbox").unwrap_err();
    assert!(forbidden.contains("permission denied"), "{forbidden}");

    let ended = program.stop().await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    all_is_gone(&url, temporary.path()).await;
}

#[tokio::test]
async fn a_demo_that_is_killed_leaves_no_postgres_behind() {
    let (program, _folder, temporary) = demo().await;
    let printed = program.wait_for_stdout("the CRM", |printed| line(printed, &["  CRM  "]).is_some()).await;
    let url = crm_url(&printed).to_owned();
    ask(&url, "SELECT 1").unwrap();
    program.kill().await;
    all_is_gone(&url, temporary.path()).await;
}
