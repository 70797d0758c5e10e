//! The schema that has everything which makes capturing hard, read by a role that may do no more than it needs.

use std::collections::BTreeSet;

use postrider_tests::postgres::PrivateServer;
use postrider_tests::world::{Store, World};
use serde_json::{Value, json};

use super::crm::{By, Crm, LOGICAL, by_each_way};
use super::{of_type, organization};

const ACME: &str = "00000000-0000-4000-8000-00000000000a";

by_each_way!(on_each_store: a_difficult_schema_arrives_by_a_role_with_the_least_rights;);

async fn a_difficult_schema_arrives_by_a_role_with_the_least_rights(store: Store, by: By) {
    let server = PrivateServer::with(&[LOGICAL]).await;
    let crm = Crm::difficult(&server, by, "reader").await;
    let world = World::with_on(store, |setup| crm.used_by(setup)).await;
    let acme = organization(&world, "acme", "standard").await;
    acme.endpoint(&world.receiver.url("/in"), json!({})).await;
    crm.run(&format!(
        r#"INSERT INTO contacts (id, organization_id, first_name, last_name, tags, address, raw, score, api_token)
               VALUES (1, '{ACME}', 'Ann', 'Lee', '{{a,b}}', ROW('1 High St', 'York', 'YO1'), '{{"b": 1, "a": 2}}', 'NaN', 'hidden');
           INSERT INTO deals (id, organization_id, title, amount, contract, notes) VALUES (1, '{ACME}', 'Big', 0.10, '\xff', repeat('x', 20000));
           INSERT INTO preferences VALUES ('{ACME}', 'colour', 'red');
           INSERT INTO messages VALUES (1, '2025-12-31 23:00:00Z', '{ACME}', 'Hello')"#
    ));
    crm.run("INSERT INTO contact_owners VALUES (1, 1, '2026-01-01')");
    crm.run("UPDATE deals SET stage = 'won', amount = 12345678901.10 WHERE id = 1");
    crm.run("UPDATE messages SET sent_at = '2026-01-01 01:00:00Z' WHERE id = 1");
    // Of a contact that is gone nobody is told that it was assigned.
    world.receiver.wait_for("/in", 9).await;
    crm.run("UPDATE contacts SET deleted_at = now() WHERE id = 1");
    let requests = world.receiver.wait_for("/in", 10).await;
    crm.handed_over().await;
    let types: BTreeSet<_> =
        requests.iter().map(|request| request.json()["type"].as_str().unwrap().to_owned()).collect();
    let wanted = "contact.assigned contact.created contact.deleted deal.created deal.stage_changed deal.updated message.created message.deleted \
                  preference.created";
    assert_eq!(types.into_iter().collect::<Vec<_>>().join(" "), wanted);
    assert!(requests.iter().all(|request| !request.text().contains("hidden")), "what is left out is never read");
    let one = |event_type: &str| -> Value { of_type(&requests, event_type).swap_remove(0) };
    let contact = &one("contact.created")["data"];
    assert_eq!(
        (&contact["full_name"], &contact["tags"], &contact["score"]),
        (&json!("Ann Lee"), &json!(["a", "b"]), &json!("NaN"))
    );
    assert_eq!(contact["address"], json!({"street": "1 High St", "city": "York", "zip": "YO1"}));
    let assigned = &one("contact.assigned")["data"];
    assert_eq!((&assigned["last_name"], &assigned["owner"]["since"]), (&json!("Lee"), &json!("2026-01-01")));
    let won = &one("deal.stage_changed");
    assert_eq!(won["changes"]["stage"], json!({"previous": "new", "current": "won"}));
    assert!(won.to_string().contains("12345678901.1"), "{won}");
    assert_eq!(one("deal.created")["data"]["notes"].as_str().map(str::len), Some(20_000));
    assert_eq!(of_type(&requests, "message.created").len(), 2, "its key has its time, so a moved one is another");
}
