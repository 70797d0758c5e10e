//! What the preflight finds.

use postrider_source::finding::{Finding, Severity};
use postrider_source::install::Wish;
use postrider_source::preflight::findings;

use crate::crm::{Crm, MAPPING, mapping, mapping_of};

fn has(findings: &[Finding], severity: Severity, place: &str, what: &str) -> bool {
    findings.iter().any(|found| found.severity == severity && found.place.contains(place) && found.what.contains(what))
}

#[track_caller]
fn assert_found(findings: &[Finding], severity: Severity, place: &str, what: &str) {
    assert!(has(findings, severity, place, what), "no {severity} about {place} with {what:?} in {findings:#?}");
}

async fn found_of(table: &str, more: &str) -> Vec<Finding> {
    let mut crm = Crm::bare().await;
    crm.mapping = mapping(&mapping_of(table, more));
    crm.findings().await
}

#[tokio::test]
async fn a_sound_mapping_has_no_errors_and_notes_what_is_special() {
    let crm = Crm::bare().await;
    let findings = crm.findings().await;
    assert!(findings.iter().all(|found| found.severity < Severity::Error), "{findings:#?}");
    assert_found(&findings, Severity::Note, "public.contacts", "json as text in raw");
    assert_found(&findings, Severity::Note, "public.contacts", "computes full_name");
    assert_found(&findings, Severity::Note, "public.messages", "partitioned");
    assert_found(&findings, Severity::Note, "public.deals", "binary data in contract");
    assert_found(&findings, Severity::Warning, "database", "superuser");
}

#[tokio::test]
async fn what_cannot_be_captured_is_an_error() {
    assert_found(
        &found_of("public.open_deals", "key = [\"id\"]").await,
        Severity::Error,
        "public.open_deals",
        "is a view",
    );
    assert_found(
        &found_of("public.messages_2026", "").await,
        Severity::Error,
        "public.messages_2026",
        "partition of public.messages",
    );
    assert_found(&found_of("public.visits", "").await, Severity::Error, "public.visits", "no primary key");
    let named = found_of("public.visits", "key = [\"contact_id\", \"seen_at\"]").await;
    assert_found(&named, Severity::Warning, "public.visits", "no unique index");
    assert_found(&named, Severity::Warning, "public.visits", "may have null in contact_id");
    assert_found(&found_of("public.contacts", "").await, Severity::Error, "source.toml", "looks like a secret");
    let missing = found_of("public.contcats", "").await;
    assert_found(&missing, Severity::Error, "source.toml", "no table of this database");
    assert!(missing.iter().any(|found| found.advice.starts_with("did you mean public.contacts ")), "{missing:#?}");
}

#[tokio::test]
async fn row_level_security_that_would_hide_rows_from_whoever_reads_is_told() {
    let crm = Crm::bare().await;
    let reader = crm.reader();
    let wish = Wish { role: Some(reader.clone()), ..Wish::default() };
    let found = findings(&crm.mapping, &crm.catalogue(Some(&reader)).await, &wish);
    assert_found(&found, Severity::Error, "public.contacts", "would hide rows from");
    crm.admin.batch_execute(&format!("ALTER ROLE {reader} BYPASSRLS")).await.unwrap();
    let found = findings(&crm.mapping, &crm.catalogue(Some(&reader)).await, &wish);
    assert!(!has(&found, Severity::Error, "", ""), "{found:#?}");
}

#[tokio::test]
async fn rights_that_are_missing_are_told_with_what_grants_them() {
    let crm = Crm::bare().await;
    crm.admin.batch_execute(&format!("REVOKE TRIGGER ON deals FROM {}", crm.app_role())).await.unwrap();
    let app = crm.app().await;
    let catalogue = postrider_source::catalogue::Catalogue::read(&app, &crm.mapping, None).await.unwrap();
    let found = findings(&crm.mapping, &catalogue, &Wish::default());
    assert_found(&found, Severity::Error, "database", "may not make the schema");
    let about_deals =
        found.iter().find(|found| found.place == "public.deals" && found.severity == Severity::Error).unwrap();
    assert!(
        about_deals.advice.contains(&format!("GRANT TRIGGER ON \"public\".\"deals\" TO \"{}\"", crm.app_role())),
        "{about_deals:?}"
    );
    let wish = Wish { role: Some("nobody_of_this_name".to_owned()), ..Wish::default() };
    let catalogue = crm.catalogue(Some("nobody_of_this_name")).await;
    assert_found(&findings(&mapping(MAPPING), &catalogue, &wish), Severity::Error, "database", "does not exist");
}

#[tokio::test]
async fn whom_what_is_installed_shall_belong_to_is_looked_at() {
    let crm = Crm::bare().await;
    let wish = |owner: &str| Wish { owner: Some(owner.to_owned()), ..Wish::default() };
    let owner = crm.owner();
    let found = findings(&crm.mapping, &crm.owned_catalogue(&crm.admin, Some(&owner)).await, &wish(&owner));
    assert!(!has(&found, Severity::Warning, "database", "superuser"), "{found:#?}");
    let found = findings(&crm.mapping, &crm.owned_catalogue(&crm.admin, Some("nobody")).await, &wish("nobody"));
    assert_found(&found, Severity::Error, "database", "the role nobody does not exist");
    let found = findings(&crm.mapping, &crm.owned_catalogue(&crm.admin, Some("postgres")).await, &wish("postgres"));
    assert_found(&found, Severity::Warning, "database", "postgres is a superuser");
    let app = crm.app().await;
    let found = findings(&crm.mapping, &crm.owned_catalogue(&app, Some(&owner)).await, &wish(&owner));
    assert_found(&found, Severity::Error, "database", "may not give");
    crm.admin.batch_execute(&format!("GRANT {owner} TO {}", crm.app_role())).await.unwrap();
    let found = findings(&crm.mapping, &crm.owned_catalogue(&app, Some(&owner)).await, &wish(&owner));
    assert!(!has(&found, Severity::Error, "database", "may not give"), "{found:#?}");
}
