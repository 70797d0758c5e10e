//! What one transaction does to records in an order that is not the order of what is told.

use postrider_source::change::Change;
use postrider_source::mapping::CaptureKind;

use crate::by_each_way;
use crate::crm::{Crm, table, told};

by_each_way!(
    keys_that_are_swapped_are_a_change_of_each_record,
    keys_that_all_move_on_are_changes_and_one_creation,
    what_a_trigger_of_the_crms_own_does_to_the_same_row_is_part_of_its_change,
    what_a_trigger_of_the_crms_own_does_to_another_row_of_the_statement_is_part_of_that_ones_change,
    a_row_that_a_trigger_of_the_crms_own_deletes_again_is_gone,
);

const DEALS: &str = "CREATE TABLE deals (id int PRIMARY KEY DEFERRABLE, name text, path text)";

async fn deals(by: CaptureKind, more: &str) -> Crm {
    let mut crm = Crm::start(by, &format!("{DEALS}; {more}"), &[table("deals", &["id"])]).await;
    crm.run("INSERT INTO deals VALUES (1, 'one'), (2, 'two'), (3, 'three')").await;
    crm.changes().await;
    crm
}

/// Between records there is no order.
fn by_id(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_key(|change| {
        let row = change.after.as_ref().or(change.before.as_ref());
        row.and_then(|row| row.text("id"))
    });
    changes
}

async fn keys_that_are_swapped_are_a_change_of_each_record(by: CaptureKind) {
    let mut crm = deals(by, "").await;
    crm.run("UPDATE deals SET id = 3 - id WHERE id < 3").await;
    let changes = by_id(crm.changes().await);
    assert_eq!(
        told(&changes, "name"),
        [("deals", Some(r#""one""#), Some(r#""two""#)), ("deals", Some(r#""two""#), Some(r#""one""#))]
    );
    crm.run("BEGIN; UPDATE deals SET id = 3 - id WHERE id < 3; DELETE FROM deals WHERE id = 2; COMMIT").await;
    let changes = by_id(crm.changes().await);
    assert_eq!(
        told(&changes, "name"),
        [("deals", Some(r#""two""#), Some(r#""one""#)), ("deals", Some(r#""one""#), None)]
    );
}

async fn keys_that_all_move_on_are_changes_and_one_creation(by: CaptureKind) {
    let mut crm = deals(by, "").await;
    crm.run("UPDATE deals SET id = id + 1").await;
    let changes = by_id(crm.changes().await);
    assert_eq!(
        told(&changes, "name"),
        [
            ("deals", Some(r#""one""#), None),
            ("deals", Some(r#""two""#), Some(r#""one""#)),
            ("deals", Some(r#""three""#), Some(r#""two""#)),
            ("deals", None, Some(r#""three""#)),
        ]
    );
}

/// A trigger of the CRM's own, by a name that comes before ours or after.
fn trigger(name: &str, when: &str, body: &str) -> String {
    format!(
        "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$; \
         CREATE TRIGGER {name} AFTER {when} ON deals FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION {name}()"
    )
}

async fn what_a_trigger_of_the_crms_own_does_to_the_same_row_is_part_of_its_change(by: CaptureKind) {
    for name in ["a_numbering", "z_numbering"] {
        let numbering = "UPDATE deals SET path = name || '-' || id WHERE id = NEW.id";
        let mut crm = deals(by, &trigger(name, "INSERT OR UPDATE", numbering)).await;
        crm.run("INSERT INTO deals VALUES (4, 'four')").await;
        let changes = crm.changes().await;
        assert_eq!(told(&changes, "path"), [("deals", None, Some(r#""four-4""#))], "{name}");
        crm.run("UPDATE deals SET name = 'vier' WHERE id = 4").await;
        let changes = crm.changes().await;
        assert_eq!(told(&changes, "name"), [("deals", Some(r#""four""#), Some(r#""vier""#))], "{name}");
        assert_eq!(told(&changes, "path"), [("deals", Some(r#""four-4""#), Some(r#""vier-4""#))], "{name}");
    }
}

async fn what_a_trigger_of_the_crms_own_does_to_another_row_of_the_statement_is_part_of_that_ones_change(
    by: CaptureKind,
) {
    for name in ["a_numbering", "z_numbering"] {
        let numbering = "UPDATE deals SET path = coalesce(path, '') || NEW.id WHERE id <> NEW.id";
        let mut crm = deals(by, &trigger(name, "UPDATE", numbering)).await;
        crm.run("UPDATE deals SET name = upper(name) WHERE id < 3").await;
        let changes = by_id(crm.changes().await);
        assert_eq!(
            told(&changes, "name"),
            [
                ("deals", Some(r#""one""#), Some(r#""ONE""#)),
                ("deals", Some(r#""two""#), Some(r#""TWO""#)),
                ("deals", Some(r#""three""#), Some(r#""three""#))
            ],
            "{name}"
        );
        assert_eq!(
            told(&changes, "path"),
            [
                ("deals", Some("null"), Some(r#""2""#)),
                ("deals", Some("null"), Some(r#""1""#)),
                ("deals", Some("null"), Some(r#""12""#))
            ],
            "{name}"
        );
    }
}

async fn a_row_that_a_trigger_of_the_crms_own_deletes_again_is_gone(by: CaptureKind) {
    for name in ["a_removal", "z_removal"] {
        let removal = "IF NEW.name = 'spam' THEN DELETE FROM deals WHERE id = NEW.id; END IF";
        let mut crm = deals(by, &trigger(name, "INSERT OR UPDATE", removal)).await;
        crm.run("INSERT INTO deals VALUES (4, 'spam')").await;
        assert_eq!(crm.changes().await, [], "{name}");
        crm.run("UPDATE deals SET name = 'spam' WHERE id = 3").await;
        let changes = crm.changes().await;
        assert_eq!(told(&changes, "name"), [("deals", Some(r#""three""#), None)], "{name}");
    }
}
