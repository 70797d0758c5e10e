//! What replication needs is installed, looked at and taken away again; what stands against it is found before.

use postrider_scratch::Database;
use postrider_source::catalogue::Catalogue;
use postrider_source::finding::{Finding, Severity};
use postrider_source::install::{self, Plan, Wish};
use postrider_source::mapping::{CaptureKind, Mapping};
use postrider_source::preflight;
use postrider_source::status::Status;
use tokio_postgres::Client;

use crate::crm::{install, mapping, session, table};

const TABLES: &str = "CREATE TABLE deals (id int PRIMARY KEY, stage text); CREATE TABLE members (deal int, person int); \
                      CREATE TABLE notes (id int PRIMARY KEY, body text); ALTER TABLE notes REPLICA IDENTITY FULL";

async fn crm() -> (Client, Mapping, Database) {
    let database = Database::create();
    let client = session(&database).await;
    client.batch_execute(TABLES).await.unwrap();
    let tables = [table("deals", &["id"]), table("members", &["deal", "person"]), table("notes", &["id"])];
    let mapping = mapping(database.name(), CaptureKind::Replication, &tables);
    (client, mapping, database)
}

async fn catalogue(client: &Client, mapping: &Mapping) -> Catalogue {
    Catalogue::read(client, mapping, None).await.unwrap()
}

async fn run(client: &Client, mapping: &Mapping) {
    let plan = Plan::of(mapping, &catalogue(client, mapping).await, &Wish::default());
    install::run(client, &plan, |_| {}).await.unwrap();
}

/// Severity, place and the beginning of what was found, but for notes.
fn told(findings: &[Finding]) -> Vec<(Severity, &str, String)> {
    let worth = findings.iter().filter(|finding| {
        finding.severity > Severity::Note
            && !finding.what.contains("unique index")
            && !finding.what.contains("may have null")
    });
    worth.map(|finding| (finding.severity, &*finding.place, finding.what.chars().take(22).collect())).collect()
}

#[tokio::test]
async fn preflight_tells_whose_old_rows_are_not_told() {
    let (client, mapping, _database) = crm().await;
    let catalogue = catalogue(&client, &mapping).await;
    let found = preflight::findings(&mapping, &catalogue, &Wish::default());
    let expected = [
        (Severity::Warning, "public.deals", "tells the key alone of".to_owned()),
        (Severity::Error, "public.members", "cannot be published: P".to_owned()),
    ];
    assert_eq!(told(&found), expected);
    let wish = Wish { replica_identity_full: true, ..Wish::default() };
    assert_eq!(told(&preflight::findings(&mapping, &catalogue, &wish)), [], "it will be mended");
}

#[tokio::test]
async fn a_table_whose_updates_postgres_would_refuse_is_not_published() {
    let (client, mapping, _database) = crm().await;
    run(&client, &mapping).await;
    client
        .batch_execute("INSERT INTO members VALUES (1, 1); UPDATE members SET person = 2; DELETE FROM members")
        .await
        .unwrap();
    let status = Status::of(&mapping, &catalogue(&client, &mapping).await);
    assert!(!status.is_well());
    let unpublished = (Severity::Error, "public.members", "is mapped and not publ".to_owned());
    assert!(told(&status.findings).contains(&unpublished), "{:?}", status.findings);
}

#[tokio::test]
async fn partitions_that_come_later_can_be_written_to() {
    let database = Database::create();
    let client = session(&database).await;
    let logs = "CREATE TABLE logs (at date NOT NULL, id int, note text) PARTITION BY RANGE (at); \
                CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')";
    client.batch_execute(logs).await.unwrap();
    let mapping = mapping(database.name(), CaptureKind::Replication, &[table("logs", &["at", "id"])]);
    let wish = Wish { replica_identity_full: true, ..Wish::default() };
    let found = preflight::findings(&mapping, &catalogue(&client, &mapping).await, &wish);
    assert!(found.iter().any(|found| found.what.contains("partitions that are added later")), "{found:#?}");
    install(&client, &mapping).await;
    let later = "CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM ('2026-02-01') TO ('2026-03-01'); \
                 INSERT INTO logs VALUES ('2026-02-02', 1, 'a'); UPDATE logs SET note = 'b'; DELETE FROM logs";
    client.batch_execute(later).await.unwrap();
}

#[tokio::test]
async fn what_is_installed_is_all_that_is_needed_and_goes_again() {
    let (client, mapping, _database) = crm().await;
    let schema = &mapping.schema;
    install(&client, &mapping).await;
    let there = catalogue(&client, &mapping).await;
    assert_eq!(Plan::of(&mapping, &there, &Wish::default()).steps, [], "a second time there is nothing to do");
    let ours = there.installed.as_ref().unwrap();
    assert!(ours.has("backfills") && ours.has("installation") && !ours.has("outbox"));
    assert_eq!(ours.triggers, []);
    let status = Status::of(&mapping, &there);
    assert!(status.is_well(), "{:?}", status.findings);
    assert!(status.slot.is_some());
    let removal = install::removal(schema, &there, false);
    install::run(&client, &removal.plan, |_| {}).await.unwrap();
    let sql = "SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1) + (SELECT count(*) FROM pg_publication WHERE pubname = $1) + \
               (SELECT count(*) FROM pg_namespace WHERE nspname = $1)";
    assert_eq!(client.query_one(sql, &[schema]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_table_that_is_mapped_later_is_published_and_status_tells_until_then() {
    let (client, mapping, _database) = crm().await;
    let fewer = crate::crm::mapping(&mapping.schema, CaptureKind::Replication, &[table("deals", &["id"])]);
    install(&client, &fewer).await;
    let status = Status::of(&mapping, &catalogue(&client, &mapping).await);
    let unpublished = (Severity::Error, "public.notes", "is mapped and not publ".to_owned());
    assert!(told(&status.findings).contains(&unpublished), "{:?}", status.findings);
    install(&client, &mapping).await;
    assert!(Status::of(&mapping, &catalogue(&client, &mapping).await).is_well());
}

#[tokio::test]
async fn when_triggers_capture_again_no_slot_is_left_to_grow() {
    let (client, mapping, _database) = crm().await;
    install(&client, &mapping).await;
    let triggers = crate::crm::mapping(&mapping.schema, CaptureKind::Triggers, &[table("notes", &["id"])]);
    let found = preflight::findings(&triggers, &catalogue(&client, &triggers).await, &Wish::default());
    assert!(found.iter().any(|finding| finding.what.contains("will be removed")), "{found:?}");
    run(&client, &triggers).await;
    let there = catalogue(&client, &triggers).await;
    assert_eq!((there.replication.slot, there.replication.publication), (None, None));
    assert!(there.installed.unwrap().has("outbox"));
}

#[tokio::test]
async fn a_slot_over_its_limit_is_wrong() {
    let (client, mut mapping, _database) = crm().await;
    mapping.slot_bytes_max = 100_000;
    install(&client, &mapping).await;
    client
        .batch_execute("INSERT INTO deals SELECT n, repeat('x', 1000) FROM generate_series(1, 1000) n")
        .await
        .unwrap();
    let status = Status::of(&mapping, &catalogue(&client, &mapping).await);
    assert!(!status.is_well() && status.fullness > 1.0, "{status:?}");
}
