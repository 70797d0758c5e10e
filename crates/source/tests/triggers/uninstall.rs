//! Uninstalling: everything of ours goes, and nothing else.

use postrider_source::install::{self, Plan, Wish, removal};

use crate::crm::{ACME, Crm};

/// Everything in the database that has a name, rights included.
const EVERYTHING: &str = "SELECT coalesce(string_agg(what, chr(10) ORDER BY what), '') FROM (
    SELECT 'relation ' || c.oid::regclass || ' ' || coalesce(c.relacl::text, '') AS what FROM pg_class c
      WHERE c.relnamespace::regnamespace::text NOT LIKE 'pg\\_%' AND c.relnamespace <> 'information_schema'::regnamespace
    UNION ALL SELECT 'column ' || a.attrelid::regclass || a.attname || a.attacl::text FROM pg_attribute a WHERE a.attacl IS NOT NULL AND a.attrelid > 16384
    UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_proc p WHERE p.oid > 16384
    UNION ALL SELECT 'trigger ' || t.tgname || t.tgrelid::regclass FROM pg_trigger t
    UNION ALL SELECT 'schema ' || n.nspname || coalesce(n.nspacl::text, '') FROM pg_namespace n WHERE n.oid > 16384 OR n.nspname = 'public') AS all_of_it";

async fn everything(crm: &Crm) -> String {
    crm.admin.query_one(EVERYTHING, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn everything_of_ours_goes_and_nothing_else() {
    let crm = Crm::bare().await;
    crm.admin
        .batch_execute(
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
        CREATE TRIGGER postrider_capture_not_ours BEFORE UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION touch()",
        )
        .await
        .unwrap();
    crm.admin.batch_execute(&format!("GRANT SELECT (title) ON deals TO {}", crm.reader())).await.unwrap();
    let before = everything(&crm).await;
    let wish = Wish { role: Some(crm.reader()), ..Wish::default() };
    let plan = Plan::of(&crm.mapping, &crm.catalogue(Some(&crm.reader())).await, &wish);
    install::run(&crm.admin, &plan, |_| {}).await.unwrap();
    assert_ne!(everything(&crm).await, before);
    let removal = removal("postrider_source", &crm.catalogue(None).await, false);
    assert_eq!((removal.waiting, removal.others.len()), (0, 0));
    install::run(&crm.admin, &removal.plan, |_| {}).await.unwrap();
    assert_eq!(everything(&crm).await, before);
    let none = install::removal("postrider_source", &crm.catalogue(None).await, false);
    assert_eq!(none.plan.steps, []);
}

#[tokio::test]
async fn what_waits_is_told_and_is_lost_only_on_purpose() {
    let crm = Crm::captured().await;
    let unaware = removal("postrider_source", &crm.catalogue(None).await, false);
    crm.app()
        .await
        .batch_execute(&format!("INSERT INTO deals (organization_id, title) VALUES ('{ACME}', 'a')"))
        .await
        .unwrap();
    let aware = removal("postrider_source", &crm.catalogue(None).await, false);
    assert_eq!(aware.waiting, 1);
    let refused = install::run(&crm.admin, &unaware.plan, |_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("wait in the outbox"), "{refused}");
    assert_eq!(crm.outbox().await.len(), 1, "it came after the look and before the end");
    let discarding = removal("postrider_source", &crm.catalogue(None).await, true);
    install::run(&crm.admin, &discarding.plan, |_| {}).await.unwrap();
    assert!(crm.catalogue(None).await.installed.is_none());
}

#[tokio::test]
async fn what_others_keep_in_the_schema_stays_and_so_does_the_schema() {
    let crm = Crm::captured().await;
    crm.admin.batch_execute("CREATE TABLE postrider_source.notes (id int)").await.unwrap();
    let removal = removal("postrider_source", &crm.catalogue(None).await, false);
    assert_eq!(removal.others, ["notes"]);
    install::run(&crm.admin, &removal.plan, |_| {}).await.unwrap();
    assert_eq!(crm.number("SELECT count(*) FROM postrider_source.notes").await, 0);
}
