//! Installing: what is made, once and again, for another role, and beside writers.

use postrider_source::catalogue::Catalogue;
use postrider_source::install::{self, Plan, Wish};
use serde_json::json;

use crate::crm::{ACME, Crm, MAPPING, mapping, mapping_of};

#[tokio::test]
async fn a_second_run_has_nothing_to_do_and_keeps_the_installation() {
    let crm = Crm::captured().await;
    let id = "SELECT id::text FROM postrider_source.installation";
    let first: String = crm.admin.query_one(id, &[]).await.unwrap().get(0);
    assert_eq!(crm.plan().await.steps, []);
    crm.admin.batch_execute("ALTER TABLE deals ADD COLUMN region text").await.unwrap();
    let plan = crm.plan().await;
    let steps: Vec<_> = plan.steps.iter().map(|step| &step.locks).collect();
    assert_eq!(steps, [&None], "a column needs another function and no lock");
    crm.install().await;
    assert_eq!(crm.plan().await.steps, []);
    let second: String = crm.admin.query_one(id, &[]).await.unwrap().get(0);
    assert_eq!(first, second);
    crm.app()
        .await
        .batch_execute(&format!("INSERT INTO deals (organization_id, title, region) VALUES ('{ACME}', 'a', 'EU')"))
        .await
        .unwrap();
    assert_eq!(crm.take().await[0].values("region").1, json!("EU"));
}

#[tokio::test]
async fn another_mapping_takes_triggers_away_adds_some_and_keeps_what_waits() {
    let mut crm = Crm::captured().await;
    let app = crm.app().await;
    let deal = format!("INSERT INTO deals (organization_id, title) VALUES ('{ACME}', 'a')");
    app.batch_execute(&deal).await.unwrap();
    crm.mapping = mapping(&format!(
        "[[tables]]\ntable = \"public.visits\"\nresource = \"visit\"\nkey = [\"contact_id\", \"seen_at\"]\norganization = \"acme\"\n\n{}",
        "[[tables]]\ntable = \"public.contacts\"\nresource = \"contact\"\nomit = [\"api_token\"]\norganization = \"acme\"\n"
    ));
    crm.install().await;
    app.batch_execute(&deal).await.unwrap();
    app.batch_execute(&format!("INSERT INTO visits (organization_id, contact_id) VALUES ('{ACME}', 1)")).await.unwrap();
    let tables: Vec<_> = crm.outbox().await.into_iter().map(|row| row.table).collect();
    assert_eq!(tables, ["public.deals", "public.visits"]);
    let functions = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'postrider_source'::regnamespace AND proname ~ '^capture_[0-9]+$'";
    assert_eq!(crm.number(functions).await, 2);
    crm.mapping = mapping(MAPPING);
    crm.install().await;
    crm.admin.batch_execute("ALTER TABLE deals DISABLE TRIGGER postrider_capture").await.unwrap();
    crm.install().await;
    crm.take().await;
    app.batch_execute(&deal).await.unwrap();
    assert_eq!(crm.take().await.len(), 1, "a disabled trigger is enabled again");
}

#[tokio::test]
async fn the_role_that_reads_gets_what_it_needs_and_no_more() {
    let crm = Crm::bare().await;
    let reader = crm.reader();
    let wish = Wish { role: Some(reader.clone()), ..Wish::default() };
    let plan = Plan::of(&crm.mapping, &crm.catalogue(Some(&reader)).await, &wish);
    install::run(&crm.admin, &plan, |_| {}).await.unwrap();
    assert_eq!(
        Plan::of(&crm.mapping, &crm.catalogue(None).await, &Wish::default()).steps,
        [],
        "the role is remembered"
    );
    let session = crm.session().await;
    session.batch_execute(&format!("SET ROLE {reader}")).await.unwrap();
    for allowed in [
        "SELECT id, before FROM postrider_source.outbox; DELETE FROM postrider_source.outbox",
        "SELECT id FROM postrider_source.installation",
        "SELECT last_value FROM postrider_source.handed; SELECT setval('postrider_source.handed', 1)",
        "SELECT last_value, is_called FROM postrider_source.missed; SELECT last_value FROM postrider_source.outbox_id_seq",
        "INSERT INTO postrider_source.backfills (id, \"table\", done, created_at) VALUES (gen_random_uuid(), 'x', 0, now()); \
         UPDATE postrider_source.backfills SET done = 1",
        "SELECT id, first_name, organization_id FROM contacts; SELECT id, slug FROM organizations",
    ] {
        session.batch_execute(allowed).await.unwrap();
    }
    for refused in [
        "SELECT api_token FROM contacts",
        "SELECT name FROM organizations",
        "SELECT * FROM users",
        "UPDATE deals SET title = ''",
        "INSERT INTO postrider_source.outbox SELECT",
        "DELETE FROM postrider_source.installation",
        "SELECT nextval('postrider_source.outbox_id_seq')",
        "CREATE TABLE postrider_source.mine ()",
    ] {
        let error = session.batch_execute(refused).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{refused}");
    }
    let mut crm = crm;
    crm.mapping = mapping(&MAPPING.replace("omit = [\"api_token\"]", "omit = [\"api_token\", \"email\"]"));
    crm.install().await;
    let error = session.batch_execute("SELECT email FROM contacts").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42501", "what is omitted now may not be read any more");
}

#[tokio::test]
async fn the_script_is_what_is_run() {
    let crm = Crm::bare().await;
    let script = crm.plan().await.script();
    crm.admin.batch_execute(&script).await.unwrap();
    assert_eq!(crm.plan().await.steps, []);
    assert!(crm.status().await.is_well());
    for table in ["contacts", "deals", "contact_owners", "preferences", "messages"] {
        assert!(script.contains(&format!("-- Triggers on public.{table}: ")), "{table}");
    }
}

#[tokio::test]
async fn a_table_that_becomes_a_partition_of_its_successor_goes_on_being_captured() {
    let mut crm = Crm::bare().await;
    crm.admin.batch_execute("CREATE TABLE logs (id int, at date, PRIMARY KEY (id, at))").await.unwrap();
    crm.mapping = mapping(&mapping_of("public.logs", ""));
    crm.install().await;
    let conversion = "ALTER TABLE logs RENAME TO logs_old; CREATE TABLE logs (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); \
        ALTER TABLE logs ATTACH PARTITION logs_old FOR VALUES FROM (MINVALUE) TO ('2026-01-01'); \
        CREATE TABLE logs_new PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)";
    crm.admin.batch_execute(conversion).await.unwrap();
    crm.install().await;
    crm.admin.batch_execute("INSERT INTO logs VALUES (1, '2025-05-05'), (2, '2026-05-05')").await.unwrap();
    let keys: Vec<_> = crm.take().await.into_iter().map(|waiting| (waiting.table, waiting.key)).collect();
    let of = |key: &str| ("public.logs".to_owned(), key.to_owned());
    assert_eq!(keys, [of("[1, \"2025-05-05\"]"), of("[2, \"2026-05-05\"]")]);
    assert_eq!(crm.plan().await.steps, []);
}

#[tokio::test]
async fn a_name_cannot_leave_the_comment_of_a_script() {
    let mut crm = Crm::bare().await;
    crm.admin.batch_execute("CREATE TABLE strange (\"id\nCREATE TABLE evil (); --\" int PRIMARY KEY)").await.unwrap();
    crm.mapping = mapping(&mapping_of("public.strange", ""));
    crm.admin.batch_execute(&crm.plan().await.script()).await.unwrap();
    assert!(crm.status().await.is_well());
    assert_eq!(crm.number("SELECT count(*) FROM pg_class WHERE relname = 'evil'").await, 0);
}

#[tokio::test]
async fn a_table_in_use_is_tried_again_and_its_writers_do_not_queue_for_long() {
    let crm = Crm::bare().await;
    let (user, app) = (crm.app().await, crm.app().await);
    user.batch_execute("BEGIN; LOCK TABLE deals IN ROW EXCLUSIVE MODE").await.unwrap();
    let installer = crm.session().await;
    let plan = crm.plan().await;
    let mut done = Vec::new();
    let write = async {
        let waits = "SELECT FROM pg_locks WHERE relation = 'deals'::regclass AND NOT granted";
        while crm.admin.query_opt(waits, &[]).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        // It queues behind the installer, which gives up soon.
        app.batch_execute(&format!("INSERT INTO deals (organization_id, title) VALUES ('{ACME}', 'a')")).await.unwrap();
        user.batch_execute("COMMIT").await.unwrap();
    };
    let run = install::run(&installer, &plan, |step| done.push(step.what.clone()));
    let (run, ()) = tokio::join!(run, write);
    run.unwrap();
    assert_eq!(done.len(), plan.steps.len());
    assert_eq!(crm.plan().await.steps, []);
}

#[tokio::test]
async fn the_catalogue_tells_keys_types_and_what_is_computed() {
    let crm = Crm::bare().await;
    let catalogue: Catalogue = crm.catalogue(None).await;
    let contacts = catalogue.tables.iter().find(|table| table.known.table.name == "contacts").unwrap();
    let types: Vec<_> = contacts.known.columns.iter().map(|column| column.type_name.as_str()).collect();
    assert_eq!(&types[..6], ["bigint", "uuid", "text", "text", "text", "text"], "a domain is what is under it");
    assert_eq!((types[6], types[13]), ("text[]", "timestamp with time zone"));
    assert!(contacts.columns[4].is_generated && contacts.known.primary_key == ["id"]);
    let deals = catalogue.tables.iter().find(|table| table.known.table.name == "deals").unwrap();
    assert_eq!(deals.columns[4].words, ["new", "qualified", "proposal", "won", "lost"]);
}

#[tokio::test]
async fn the_owner_of_the_tables_installs_without_being_a_superuser_and_takes_it_away_again() {
    let crm = Crm::bare().await;
    let owner = crm.app_role();
    let owned = format!(
        "CREATE SCHEMA postrider_source AUTHORIZATION {owner}; ALTER TABLE organizations OWNER TO {owner}; ALTER TABLE contacts OWNER TO {owner};
         ALTER TABLE deals OWNER TO {owner}; ALTER TABLE contact_owners OWNER TO {owner}; ALTER TABLE preferences OWNER TO {owner};
         ALTER TABLE messages OWNER TO {owner}; ALTER TABLE messages_2025 OWNER TO {owner}; ALTER TABLE messages_2026 OWNER TO {owner};
         ALTER SCHEMA public OWNER TO {owner}"
    );
    crm.admin.batch_execute(&owned).await.unwrap();
    let session = crm.session().await;
    session.batch_execute(&format!("SET ROLE {owner}")).await.unwrap();
    let (reader, mapping) = (crm.reader(), &crm.mapping);
    let catalogue = async || Catalogue::read(&session, mapping, Some(&reader)).await.unwrap();
    let wish = Wish { role: Some(reader.clone()), ..Wish::default() };
    let plan = Plan::of(mapping, &catalogue().await, &wish);
    install::run(&session, &plan, |_| {}).await.unwrap();
    assert!(postrider_source::status::Status::of(mapping, &catalogue().await).is_well());
    // Policies hold for the owner, too; what is captured does not depend on them.
    let insert = format!(
        "SET crm.organization = '{ACME}'; INSERT INTO contacts (organization_id, first_name) VALUES ('{ACME}', 'Ann')"
    );
    session.batch_execute(&insert).await.unwrap();
    assert_eq!(crm.take().await.len(), 1);
    let reads = crm.session().await;
    reads.batch_execute(&format!("SET ROLE {reader}")).await.unwrap();
    let seen = Catalogue::read(&reads, mapping, None).await.unwrap();
    assert!(postrider_source::status::Status::of(mapping, &seen).is_well(), "the role that reads can look at it, too");
    let removal = install::removal("postrider_source", &catalogue().await, false);
    install::run(&session, &removal.plan, |_| {}).await.unwrap();
    assert!(catalogue().await.installed.is_none());
}

/// Who has what lies in our schema, the schema itself included.
const OWNERS: &str = "SELECT string_agg(DISTINCT owner::regrole::text, ', ') FROM (
    SELECT relowner AS owner FROM pg_class WHERE relnamespace = 'postrider_source'::regnamespace
    UNION ALL SELECT proowner FROM pg_proc WHERE pronamespace = 'postrider_source'::regnamespace
    UNION ALL SELECT nspowner FROM pg_namespace WHERE nspname = 'postrider_source') AS owners";

#[tokio::test]
async fn what_is_installed_belongs_to_the_role_that_is_named_and_captures_with_its_rights() {
    let crm = Crm::bare().await;
    crm.install_for_owner().await;
    let owners = async || crm.admin.query_one(OWNERS, &[]).await.unwrap().get::<_, String>(0);
    assert_eq!(owners().await, crm.owner());
    assert_eq!(crm.plan().await.steps, [], "the role is remembered");
    assert!(crm.status().await.is_well());
    let app = crm.app().await;
    let insert = format!("INSERT INTO deals (id, organization_id, title) VALUES (1, '{ACME}', 'a')");
    app.batch_execute(&insert).await.unwrap();
    app.batch_execute("UPDATE deals SET title = 'b'; TRUNCATE messages").await.unwrap();
    // A value that cannot be JSON takes the long way round.
    app.batch_execute(&format!(
        "INSERT INTO contacts (organization_id, first_name, raw) VALUES ('{ACME}', 'Ann', '\"\\u0000\"')"
    ))
    .await
    .unwrap();
    assert_eq!((crm.take().await.len(), crm.missed().await), (4, 0));
    crm.admin.batch_execute("ALTER TABLE deals ADD COLUMN region text").await.unwrap();
    crm.install().await;
    assert_eq!(owners().await, crm.owner(), "another function is its, too");
    app.batch_execute("UPDATE deals SET region = 'EU'").await.unwrap();
    assert_eq!(crm.take().await[0].values("region").1, json!("EU"));
}

#[tokio::test]
async fn what_is_installed_is_given_to_another_role_while_it_is_used() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    let deal = format!("INSERT INTO deals (organization_id, title) VALUES ('{ACME}', 'a')");
    app.batch_execute(&deal).await.unwrap();
    crm.install_for_owner().await;
    assert_eq!(crm.admin.query_one(OWNERS, &[]).await.unwrap().get::<_, String>(0), crm.owner());
    assert_eq!(crm.plan().await.steps, []);
    app.batch_execute(&deal).await.unwrap();
    assert_eq!((crm.take().await.len(), crm.missed().await), (2, 0));
}

#[tokio::test]
async fn an_outbox_of_the_first_version_is_brought_up_to_date_and_keeps_what_waits() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    let deal = |title: &str| format!("INSERT INTO deals (organization_id, title) VALUES ('{ACME}', '{title}')");
    app.batch_execute(&deal("before")).await.unwrap();
    let many =
        format!("INSERT INTO deals (organization_id, title) SELECT '{ACME}', 'x' FROM generate_series(1, 10000)");
    app.batch_execute(&many).await.unwrap();
    let old = "ALTER TABLE postrider_source.outbox DROP COLUMN depth, ALTER COLUMN before TYPE jsonb USING before::jsonb, \
               ALTER COLUMN after TYPE jsonb USING after::jsonb; UPDATE postrider_source.installation SET version = 1";
    crm.admin.batch_execute(old).await.unwrap();
    let found = crm.status().await.findings;
    assert!(found.iter().any(|finding| finding.what.contains("version 1 is installed")), "{found:?}");
    let refused = install::run(&crm.admin, &crm.plan().await, |_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("let postrider serve hand them over"), "{refused}");
    crm.admin.batch_execute("DELETE FROM postrider_source.outbox WHERE after ->> 'title' = 'x'").await.unwrap();
    crm.install().await;
    assert_eq!(crm.plan().await.steps, []);
    assert!(crm.status().await.is_well());
    app.batch_execute(&deal("after")).await.unwrap();
    let titles: Vec<_> = crm.take().await.iter().map(|row| row.values("title").1).collect();
    assert_eq!((titles, crm.missed().await), (vec![json!("before"), json!("after")], 0));
    let types = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'postrider_source.outbox'::regclass AND atttypid = 'json'::regtype";
    assert_eq!(crm.number(types).await, 2);
}
