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
    assert_eq!((contacts.resource.as_str(), contacts.soft_delete.as_deref()), ("contact", Some("deleted_at")));
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
