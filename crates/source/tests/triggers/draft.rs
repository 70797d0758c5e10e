//! What a draft guesses.

use postrider_source::draft::Found;
use postrider_source::finding::Severity;
use postrider_source::mapping::{Placing, TableName};

use crate::crm::{Crm, mapping};

#[tokio::test]
async fn a_draft_can_be_installed_as_it_is_and_guesses_what_names_and_references_say() {
    let mut crm = Crm::bare().await;
    let constraints = "ALTER TABLE contact_owners ADD FOREIGN KEY (contact_id) REFERENCES contacts, ADD FOREIGN KEY (user_id) REFERENCES users; \
        CREATE TABLE notes (id int PRIMARY KEY, deal_id bigint REFERENCES deals, text text); CREATE TABLE settings (key text PRIMARY KEY, value text); \
        CREATE TABLE currencies (code text PRIMARY KEY); CREATE TABLE schema_migrations (version text PRIMARY KEY)";
    crm.admin.batch_execute(constraints).await.unwrap();
    let found = Found::read(&crm.admin, &["public".to_owned(), "Sales Data".to_owned()]).await.unwrap();
    let text = found.draft();
    crm.mapping = mapping(&text);
    let errors: Vec<_> = crm.findings().await.into_iter().filter(|found| found.severity == Severity::Error).collect();
    assert_eq!(errors, [], "{text}");
    crm.install().await;
    let table = |name: &str| {
        let name = TableName { schema: "public".to_owned(), name: name.to_owned() };
        crm.mapping.table(&name).unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    let contacts = table("contacts");
    let soft_delete = contacts.soft_delete.as_ref().map(|soft_delete| soft_delete.column.as_str());
    assert_eq!((contacts.resource.as_str(), soft_delete), ("contact", Some("deleted_at")));
    assert_eq!(
        (contacts.created_at.as_deref(), &contacts.ignore, &contacts.omit),
        (Some("created_at"), &vec!["updated_at".to_owned()], &vec!["api_token".to_owned()])
    );
    assert!(
        matches!(&contacts.organization, Placing::By { column, joins, .. } if column == "organization_id" && joins.is_empty())
    );
    assert!(matches!(&table("organizations").organization, Placing::By { column, .. } if column == "id"));
    assert!(
        matches!(&table("notes").organization, Placing::By { column, joins, .. } if column == "deal_id" && joins.len() == 1)
    );
    assert_eq!(table("deals").rules[0].event, "deal.stage_changed");
    let owners = table("contact_owners");
    assert_eq!(owners.events.created.as_deref(), Some("contact.assigned"));
    assert_eq!(
        owners.via.as_ref().map(|via| (via.table.name.as_str(), via.column.as_str())),
        Some(("contacts", "contact_id"))
    );
    for left_out in ["visits", "settings", "currencies", "schema_migrations", "open_deals", "messages_2026"] {
        assert!(!crm.mapping.tables.iter().any(|table| table.table.name == left_out), "{left_out} in {text}");
    }
    assert!(text.contains("# public.visits has no key"), "{text}");
}

/// A help desk as a framework makes it that declares no foreign keys, keeps numbers for words and UTC without a time zone.
const DESK: &str = "CREATE SCHEMA desk; SET search_path = desk;
    CREATE TYPE task_state AS ENUM ('open', 'snoozed', 'done');
    CREATE TABLE ar_internal_metadata (key text PRIMARY KEY, value text);
    CREATE TABLE accounts (id serial PRIMARY KEY, name text, created_at timestamp, updated_at timestamp);
    CREATE TABLE users (id serial PRIMARY KEY, email text, encrypted_password text, otp_secret text, password_changed_at timestamp, sign_in_count int);
    CREATE TABLE channel_sms (id serial PRIMARY KEY, account_id int, auth_token text);
    CREATE TABLE webhooks (id serial PRIMARY KEY, account_id int, url text);
    CREATE TABLE access_tokens (id serial PRIMARY KEY, owner_type text, owner_id bigint, token text);
    CREATE TABLE contacts (id serial PRIMARY KEY, account_id int, name text, city text, state text, tokens_used int, messages_count int, employees_count int,
        last_activity_at timestamp, settings jsonb, search tsvector, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
    CREATE TABLE contact_inboxes (id bigserial PRIMARY KEY, contact_id bigint, source text);
    CREATE TABLE conversations (id serial PRIMARY KEY, account_id int NOT NULL, contact_id bigint, status int NOT NULL DEFAULT 0, assignee_id int, resolved_at timestamp);
    CREATE TABLE contact_notes (id serial PRIMARY KEY, contact_id bigint NOT NULL, user_id bigint, body text);
    CREATE TABLE crm_tasks (id serial PRIMARY KEY, account_id int, state task_state, active boolean);
    CREATE TABLE crm_stages (id serial PRIMARY KEY, account_id int, name text);
    CREATE TABLE crm_deals (id serial PRIMARY KEY, account_id int, stage text, is_deleted smallint);
    CREATE TABLE crm_tags (id serial PRIMARY KEY, name text);
    CREATE TABLE crm_deal_tags (crm_deal_id int, crm_tag_id int, PRIMARY KEY (crm_deal_id, crm_tag_id));
    CREATE TABLE crm_role_tags (webhook_id int, user_id int, PRIMARY KEY (webhook_id, user_id))";

/// The draft of some schemas, and what stands against it; nothing may.
async fn drafted(crm: &mut Crm, schemas: &[&str]) -> String {
    let schemas: Vec<_> = schemas.iter().map(|schema| (*schema).to_owned()).collect();
    let text = Found::read(&crm.admin, &schemas).await.unwrap().draft();
    crm.mapping = mapping(&text);
    let errors: Vec<_> = crm.findings().await.into_iter().filter(|found| found.severity == Severity::Error).collect();
    assert_eq!(errors, [], "{text}");
    text
}

#[tokio::test]
async fn a_draft_without_foreign_keys_goes_by_names_and_has_a_crms_records_in_force_alone() {
    let mut crm = Crm::bare().await;
    crm.admin.batch_execute(DESK).await.unwrap();
    let text = drafted(&mut crm, &["desk"]).await;
    let names: Vec<_> = crm.mapping.tables.iter().map(|table| table.table.name.as_str()).collect();
    let records = ["accounts", "contact_notes", "contacts", "conversations", "crm_deals", "crm_tasks", "crm_deal_tags"];
    assert_eq!(names, records, "{text}");
    let table = |name: &str| crm.mapping.tables.iter().find(|table| table.table.name == name).unwrap();
    let contacts = table("contacts");
    assert_eq!(
        (&contacts.omit, &contacts.rules),
        (&vec!["settings".to_owned(), "search".to_owned()], &vec![]),
        "{text}"
    );
    assert_eq!(contacts.ignore, ["messages_count", "last_activity_at", "updated_at"]);
    let Placing::By { column, joins, .. } = &table("contact_notes").organization else { panic!("{text}") };
    assert_eq!(
        (column.as_str(), joins[0].table.name.as_str(), joins[0].column.as_str()),
        ("contact_id", "contacts", "account_id")
    );
    assert_eq!((table("crm_deals").resource.as_str(), table("crm_tasks").resource.as_str()), ("deal", "task"));
    let deleted = table("crm_deals").soft_delete.clone().unwrap();
    assert_eq!((deleted.column.as_str(), deleted.is), ("is_deleted", vec!["1".to_owned()]));
    let rules =
        |name: &str| table(name).rules.iter().map(|rule| (rule.event.clone(), rule.to.clone())).collect::<Vec<_>>();
    let rule = |event: &str, to: &[&str]| (event.to_owned(), to.iter().map(|to| (*to).to_owned()).collect::<Vec<_>>());
    assert_eq!(
        rules("conversations"),
        [
            rule("conversation.status_changed", &[]),
            rule("conversation.assigned", &["not null"]),
            rule("conversation.resolved", &["not null"])
        ]
    );
    assert_eq!(rules("crm_tasks"), [rule("task.state_changed", &[]), rule("task.completed", &["done"])]);
    assert_eq!(table("crm_deal_tags").events.created.as_deref(), Some("deal.crm_tag_added"));
    assert!(crm.mapping.timestamps_are_utc, "{text}");
    for told in [
        "labels.status = { 0 =",
        "# event = \"deal.won\"",
        "# soft_delete = { column = \"active\", is = false }",
        "# omit = [\"encrypted_password\", \"otp_secret\"]",
        "# resource = \"channel_sms\"",
        "# Nothing says whose rows of desk.access_tokens are",
    ] {
        assert!(text.contains(told), "{told:?} is not in {text}");
    }
}

#[tokio::test]
async fn schemas_of_the_same_tables_are_each_an_organisation_of_its_own() {
    let mut crm = Crm::bare().await;
    for schema in ["tenant_a", "tenant b"] {
        let tables = "CREATE TABLE contacts (id int PRIMARY KEY, name text); CREATE TABLE deals (id int PRIMARY KEY, contact_id int)";
        crm.admin
            .batch_execute(&format!("CREATE SCHEMA \"{schema}\"; SET search_path = \"{schema}\"; {tables}"))
            .await
            .unwrap();
    }
    let text = drafted(&mut crm, &["tenant_a", "tenant b"]).await;
    let owners: Vec<_> = crm.mapping.tables.iter().map(|table| table.organization.clone()).collect();
    let fixed = |id: &str| Placing::Fixed(id.to_owned());
    assert_eq!(owners, [fixed("tenant-b"), fixed("tenant-b"), fixed("tenant_a"), fixed("tenant_a")], "{text}");
}

#[tokio::test]
async fn the_organisations_table_is_the_one_that_their_column_leads_to_and_one_organisation_is_offered_what_may_be_several()
 {
    let mut crm = Crm::bare().await;
    let tables = "CREATE SCHEMA own; SET search_path = own; CREATE TABLE organization (id uuid PRIMARY KEY, api_key text);
        CREATE TABLE leads (id int PRIMARY KEY, org_id uuid REFERENCES organization); CREATE TABLE quotes (id int PRIMARY KEY, org_id uuid REFERENCES organization);
        CREATE SCHEMA one; SET search_path = one; CREATE TABLE brands (id int PRIMARY KEY); CREATE TABLE deals (id int PRIMARY KEY, brand_id int);
        CREATE TABLE notes (id int PRIMARY KEY, brand_id int); CREATE TABLE tasks (id int PRIMARY KEY, brand_id int)";
    crm.admin.batch_execute(tables).await.unwrap();
    let text = drafted(&mut crm, &["own"]).await;
    let owner = crm.mapping.tables.iter().find(|table| table.table.name == "organization").unwrap();
    assert!(matches!(&owner.organization, Placing::By { column, .. } if column == "id"), "{text}");
    let apps = "CREATE SCHEMA apps; SET search_path = apps; CREATE TABLE contacts (id int PRIMARY KEY, app_id int NOT NULL, inserted_at timestamp); CREATE TABLE a (id int PRIMARY KEY);
        CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY); CREATE TABLE apps (id int PRIMARY KEY, token text);
        CREATE TABLE schema_migrations (version bigint PRIMARY KEY, inserted_at timestamp)";
    crm.admin.batch_execute(apps).await.unwrap();
    let text = drafted(&mut crm, &["apps"]).await;
    assert!(text.contains("column = \"app_id\"") && text.contains("Ecto keeps UTC"), "{text}");
    let text = drafted(&mut crm, &["one"]).await;
    assert!(text.contains("many tables have brand_id (in 3 of 4 tables)"), "{text}");
    let schemas = Found::schemas(&crm.admin).await.unwrap();
    assert!(schemas.contains(&("one".to_owned(), 4)), "{schemas:?}");
}
