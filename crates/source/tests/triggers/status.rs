//! What the status tells.

use postrider_source::finding::Severity;

use crate::crm::{ACME, Crm, MAPPING};

impl Crm {
    #[track_caller]
    fn told(status: &postrider_source::status::Status, severity: Severity, what: &str) {
        let has = status.findings.iter().any(|found| found.severity == severity && found.what.contains(what));
        assert!(has, "no {severity} with {what:?} in {:#?}", status.findings);
    }
}

#[tokio::test]
async fn nothing_is_installed_then_all_is_well() {
    let crm = Crm::bare().await;
    let status = crm.status().await;
    assert!(!status.is_installed && !status.is_well());
    crm.install().await;
    let status = crm.status().await;
    assert!(status.is_installed && status.is_well() && status.reader.is_none(), "{:#?}", status.findings);
}

#[tokio::test]
async fn what_differs_from_the_mapping_is_told() {
    let crm = Crm::captured().await;
    crm.admin
        .batch_execute(
            "ALTER TABLE deals ADD COLUMN region text; ALTER TABLE deals DROP COLUMN notes; ALTER TABLE deals ALTER COLUMN amount TYPE text; \
             ALTER TABLE contacts DISABLE TRIGGER postrider_capture; DROP TRIGGER postrider_capture_truncate ON preferences",
        )
        .await
        .unwrap();
    let status = crm.status().await;
    Crm::told(&status, Severity::Warning, "not captured yet: region");
    Crm::told(&status, Severity::Warning, "lost or omits columns that are captured: notes");
    Crm::told(&status, Severity::Warning, "amount (numeric before, text now)");
    Crm::told(&status, Severity::Error, "postrider_capture disabled");
    Crm::told(&status, Severity::Error, "no trigger postrider_capture_truncate");
    crm.install().await;
    assert!(crm.status().await.is_well());
}

#[tokio::test]
async fn what_waits_how_full_it_is_and_what_was_missed() {
    let crm = Crm::captured_as(&format!("outbox_rows_max = 1000\n{MAPPING}")).await;
    let app = crm.app().await;
    let insert = |count: u32| {
        format!("INSERT INTO deals (organization_id, title) SELECT '{ACME}', 'x' FROM generate_series(1, {count})")
    };
    app.batch_execute(&insert(600)).await.unwrap();
    let status = crm.status().await;
    let outbox = status.outbox.unwrap();
    assert_eq!((outbox.waiting, outbox.drawn, outbox.missed), (600, 600, 0));
    assert!(outbox.oldest_ms.is_some() && (status.fullness - 0.6).abs() < 1e-9);
    Crm::told(&status, Severity::Warning, "over half full: 600 of 1000");
    app.batch_execute(&insert(500)).await.unwrap();
    let status = crm.status().await;
    Crm::told(&status, Severity::Error, "is full");
    Crm::told(&status, Severity::Warning, "100 changes were missed");
}

#[tokio::test]
async fn a_node_that_reads_is_seen() {
    let crm = Crm::captured().await;
    let node = crm.session().await;
    node.batch_execute("SET application_name = 'postrider node-a'; SELECT pg_advisory_lock(hashtextextended('postrider source postrider_source', 0))")
        .await
        .unwrap();
    assert_eq!(crm.status().await.reader.as_deref(), Some("node-a"));
}
