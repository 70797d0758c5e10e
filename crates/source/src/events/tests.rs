use postrider_domain::Millis;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::mapping::KnownColumn;

const MAPPING: &str = r#"
organization = { column = "org_id" }

[[tables]]
table = "deals"
resource = "deal"
omit = ["notes"]
ignore = ["updated_at"]
soft_delete = "deleted_at"
uri = "https://crm.example/deals/{}"
rename = { amount_cents = "amount" }
labels.stage = { 1 = "new", 2 = "won", 3 = "won" }

[[tables.rules]]
event = "deal.won"
changed = "stage"
to = "won"
on_create = true

[[tables.rules]]
event = "deal.stage_changed"
changed = "stage"
from = ["new", "null"]

[[tables.rules]]
event = "deal.repriced"
changed = "amount_cents"
when = { stage = ["new"] }
instead = true

[[tables]]
table = "deal_users"
events = { created = "deal.assigned", updated = "deal.reassigned", deleted = "deal.unassigned" }
via = { table = "deals", column = "deal_id", member = "assignment" }
"#;

fn table(name: &str, key: &[&str], columns: &[(&str, &str)]) -> KnownTable {
    let column = |(name, kind): &(&str, &str)| KnownColumn { name: (*name).to_owned(), type_name: (*kind).to_owned() };
    KnownTable {
        table: name.parse().unwrap(),
        columns: columns.iter().map(column).collect(),
        primary_key: key.iter().map(|key| (*key).to_owned()).collect(),
    }
}

fn known() -> Vec<KnownTable> {
    let moment = "timestamp with time zone";
    vec![
        table(
            "deals",
            &["id"],
            &[
                ("org_id", "bigint"),
                ("id", "bigint"),
                ("stage", "integer"),
                ("amount_cents", "numeric"),
                ("notes", "text"),
                ("updated_at", moment),
                ("deleted_at", "timestamp(3) with time zone"),
            ],
        ),
        table("deal_users", &["deal_id", "user_id"], &[("deal_id", "bigint"), ("user_id", "bigint"), ("role", "text")]),
    ]
}

fn reader() -> Events {
    let mapping = Mapping::parse(MAPPING, "source.toml").unwrap();
    assert_eq!(mapping.check_columns(&known(), &[]), []);
    Events::new(&mapping, &known())
}

/// A row of deals as the outbox has it: `jsonb` keeps no order.
fn deal(members: &str) -> Row {
    let text =
        r#"{"id":42,"notes":"secret","stage":1,"org_id":7,"amount_cents":100.10,"deleted_at":null,"updated_at":null}"#;
    let mut row: Row = serde_json::from_str(text).unwrap();
    for (name, value) in serde_json::from_str::<Row>(members).unwrap().iter() {
        row.set(name, value.to_owned());
    }
    row
}

fn change(before: Option<&Row>, after: Option<&Row>) -> Change {
    Change {
        id: Uuid::from_u128(1),
        table: "deals".parse().unwrap(),
        at: Millis(1_700_000_000_000),
        transaction: None,
        before: before.cloned(),
        after: after.cloned(),
    }
}

fn found(before: Option<&str>, after: Option<&str>) -> Found {
    let side = |id: Option<&str>| Side { organization: id.map(|id| id.parse().unwrap()), record: None };
    Found { before: side(before), after: side(after) }
}

/// Types, data and changes of what is told, in order, each behind its organisation.
fn told(before: Option<&Row>, after: Option<&Row>, found: &Found) -> Vec<(String, Value, Value)> {
    show(&reader().of(&change(before, after), found))
}

fn show(told: &[Told]) -> Vec<(String, Value, Value)> {
    let json = |text: &str| serde_json::from_str(text).unwrap();
    let one = |told: &Told| {
        let changes = told.event.changes.as_deref().map_or(Value::Null, json);
        (format!("{} {}", told.organization, told.event.event_type), json(&told.event.data), changes)
    };
    told.iter().map(one).collect()
}

fn types(before: Option<&Row>, after: Option<&Row>, found: &Found) -> Vec<String> {
    told(before, after, found).into_iter().map(|(told, ..)| told).collect()
}

fn inside(before: Option<&Row>, after: Option<&Row>) -> Vec<String> {
    types(before, after, &found(Some("7"), Some("7")))
}

#[test]
fn a_new_row_is_created_with_its_fields_in_the_tables_order_and_every_digit() {
    let row = deal(r#"{"updated_at":"2024-05-01T10:30:00.120+02:00"}"#);
    let events = reader().of(&change(None, Some(&row)), &found(None, Some("7")));
    let [told] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(
        &*told.event.data,
        r#"{"org_id":7,"id":42,"stage":"new","amount":100.10,"updated_at":"2024-05-01T08:30:00.12Z","deleted_at":null}"#
    );
    assert_eq!(told.event.changes, None);
    assert_eq!(told.event.occurred_at, Some(Millis(1_700_000_000_000)));
    let resource = told.event.resource.as_ref().unwrap();
    assert_eq!((resource.kind.as_str(), resource.ids.as_slice()), ("deal", &["42".to_owned()][..]));
    assert_eq!(resource.uri.as_deref(), Some("https://crm.example/deals/42"));
}

#[test]
fn an_update_says_what_differs_in_the_words_of_the_mapping() {
    let after = deal(r#"{"amount_cents":250,"stage":2,"updated_at":"2024-05-01T10:30:00Z"}"#);
    let told = told(Some(&deal("{}")), Some(&after), &found(Some("7"), Some("7")));
    assert_eq!(told[0].0, "7 deal.updated");
    let changes =
        json!({"stage": {"previous": "new", "current": "won"}, "amount": {"previous": 100.10, "current": 250}});
    assert_eq!(told[0].2, changes);
}

#[test]
fn a_rule_speaks_beside_the_update_and_one_can_speak_instead_of_it() {
    assert_eq!(
        inside(Some(&deal("{}")), Some(&deal(r#"{"stage":2}"#))),
        ["7 deal.updated", "7 deal.won", "7 deal.stage_changed"]
    );
    assert_eq!(inside(Some(&deal("{}")), Some(&deal(r#"{"amount_cents":1}"#))), ["7 deal.repriced"]);
    let won = |members: &str| deal(&members.replace('{', r#"{"stage":2,"#));
    assert_eq!(inside(Some(&won(r#"{"org_id":7}"#)), Some(&won(r#"{"amount_cents":1}"#))), ["7 deal.updated"]);
    let told = told(Some(&deal("{}")), Some(&deal(r#"{"stage":2}"#)), &found(Some("7"), Some("7")));
    assert!(told.iter().all(|(_, _, changes)| *changes == json!({"stage": {"previous": "new", "current": "won"}})));
}

#[test]
fn a_number_of_another_scale_does_not_differ_and_holds_no_rule() {
    let scaled = r#"{"amount_cents":100.1000}"#;
    assert_eq!(inside(Some(&deal("{}")), Some(&deal(scaled))), [""; 0]);
    let told =
        told(Some(&deal("{}")), Some(&deal(r#"{"amount_cents":100.1,"stage":2}"#)), &found(Some("7"), Some("7")));
    assert_eq!(told[0].2, json!({"stage": {"previous": "new", "current": "won"}}));
    assert!(told.iter().all(|(told, ..)| told != "7 deal.repriced"), "{told:?}");
}

#[test]
fn values_with_one_word_do_not_differ() {
    assert_eq!(inside(Some(&deal(r#"{"stage":2}"#)), Some(&deal(r#"{"stage":3}"#))), [""; 0]);
}

#[test]
fn what_is_ignored_is_no_event_alone_and_no_part_of_changes() {
    let later = r#"{"updated_at":"2024-05-01T10:30:00Z"}"#;
    assert_eq!(inside(Some(&deal("{}")), Some(&deal(later))), [""; 0]);
    let won = later.replace('{', r#"{"stage":2,"#);
    let told = told(Some(&deal("{}")), Some(&deal(&won)), &found(Some("7"), Some("7")));
    assert_eq!(told[0].2, json!({"stage": {"previous": "new", "current": "won"}}));
    assert_eq!(told[0].1["updated_at"], "2024-05-01T10:30:00Z");
}

#[test]
fn what_is_omitted_is_in_nothing_even_if_it_was_captured() {
    let told = told(Some(&deal("{}")), Some(&deal(r#"{"notes":"other","stage":2}"#)), &found(Some("7"), Some("7")));
    assert!(!format!("{told:?}").contains("notes"));
    assert_eq!(inside(Some(&deal("{}")), Some(&deal(r#"{"notes":"other"}"#))), [""; 0]);
}

#[test]
fn on_creation_the_rules_that_say_so_hold() {
    assert_eq!(types(None, Some(&deal(r#"{"stage":3}"#)), &found(None, Some("7"))), ["7 deal.created", "7 deal.won"]);
    assert_eq!(types(None, Some(&deal("{}")), &found(None, Some("7"))), ["7 deal.created"]);
}

#[test]
fn a_soft_deletion_is_a_deletion_and_its_end_a_creation_that_wins_nothing_twice() {
    let gone = r#"{"stage":2,"deleted_at":"2024-05-01T10:30:00+00:00"}"#;
    let told = told(Some(&deal(r#"{"stage":2}"#)), Some(&deal(gone)), &found(Some("7"), Some("7")));
    assert_eq!((told.len(), told[0].0.as_str()), (1, "7 deal.deleted"));
    assert_eq!(told[0].1["deleted_at"], "2024-05-01T10:30:00Z");
    assert_eq!(inside(Some(&deal(gone)), Some(&deal(r#"{"stage":2}"#))), ["7 deal.created"]);
    assert_eq!(inside(Some(&deal(gone)), Some(&deal(&gone.replace("24", "25")))), [""; 0]);
    assert_eq!(inside(Some(&deal(gone)), None), [""; 0]);
    assert_eq!(inside(Some(&deal("{}")), None), ["7 deal.deleted"]);
}

#[test]
fn a_record_whose_column_has_a_value_of_deleted_ones_is_deleted_and_others_change_as_any_does() {
    let text = "organization = \"acme\"\n[[tables]]\ntable = \"leads\"\nresource = \"lead\"\nlabels.state = { 1 = \"open\", 2 = \"lost\", 3 = \"spam\" }\n\
        soft_delete = { column = \"state\", is = [\"spam\", \"null\"] }\nrules = [{ event = \"lead.lost\", changed = \"state\", to = \"lost\" }]";
    let mapping = Mapping::parse(text, "source.toml").unwrap();
    let known = KnownTable {
        table: "leads".parse().unwrap(),
        columns: ["id", "state"]
            .map(|name| KnownColumn { name: name.to_owned(), type_name: "integer".to_owned() })
            .into(),
        primary_key: vec!["id".to_owned()],
    };
    let events = Events::new(&mapping, &[known]);
    let side = Side { organization: Some("acme".parse().unwrap()), record: None };
    let found = Found { before: side.clone(), after: side };
    let tell = |before: &str, after: &str| {
        let row = |state: &str| serde_json::from_str::<Row>(&format!(r#"{{"id":1,"state":{state}}}"#)).ok();
        let change =
            Change { table: "leads".parse().unwrap(), before: row(before), after: row(after), ..change(None, None) };
        events.of(&change, &found).into_iter().map(|told| told.event.event_type).collect::<Vec<_>>()
    };
    assert_eq!(tell("1", "2"), ["lead.updated", "lead.lost"]);
    assert_eq!(tell("1", "3"), ["lead.deleted"]);
    assert_eq!(tell("null", "1"), ["lead.created"]);
    assert_eq!(tell("null", "3"), [""; 0]);
}

#[test]
fn a_record_that_moves_is_deleted_here_and_created_there_and_no_value_crosses() {
    let (before, after) = (deal(r#"{"amount_cents":111}"#), deal(r#"{"org_id":8,"amount_cents":222,"stage":2}"#));
    let told = told(Some(&before), Some(&after), &found(Some("7"), Some("8")));
    let shown: Vec<_> = told.iter().map(|(told, ..)| told.as_str()).collect();
    assert_eq!(shown, ["7 deal.deleted", "8 deal.created", "8 deal.won"]);
    assert!(!told[0].1.to_string().contains("222"));
    assert!(!format!("{:?}", &told[1..]).contains("111"));
    let gone = deal(r#"{"org_id":8,"deleted_at":"2024-05-01T10:30:00+00:00"}"#);
    let told = super::tests::told(Some(&before), Some(&gone), &found(Some("7"), Some("8")));
    assert_eq!((told[0].0.as_str(), &told[0].1["org_id"]), ("7 deal.deleted", &json!(7)));
}

#[test]
fn what_is_nobodys_is_told_to_nobody() {
    assert_eq!(types(Some(&deal("{}")), Some(&deal(r#"{"stage":2}"#)), &Found::default()), [""; 0]);
    assert_eq!(types(Some(&deal("{}")), Some(&deal("{}")), &found(None, Some("7"))), ["7 deal.created"]);
    assert_eq!(types(Some(&deal("{}")), Some(&deal("{}")), &found(Some("7"), None)), ["7 deal.deleted"]);
}

#[test]
fn without_earlier_values_an_update_is_told_and_nothing_is_said_on_a_guess() {
    let before: Row = serde_json::from_str(r#"{"id":42}"#).unwrap();
    let told = told(Some(&before), Some(&deal(r#"{"stage":2}"#)), &found(Some("7"), Some("7")));
    assert_eq!((told.len(), told[0].0.as_str(), &told[0].2), (1, "7 deal.updated", &Value::Null));
}

#[test]
fn the_same_change_has_the_same_ids_and_no_two_events_share_one() {
    let (before, after) = (deal("{}"), deal(r#"{"stage":2}"#));
    let ids = |change: &Change| {
        let told = reader().of(change, &found(Some("7"), Some("7")));
        told.into_iter().map(|told| told.event.id.unwrap().to_string()).collect::<Vec<_>>()
    };
    let once = ids(&change(Some(&before), Some(&after)));
    assert_eq!(once, ids(&change(Some(&before), Some(&after))));
    let distinct: std::collections::HashSet<_> = once.iter().collect();
    assert_eq!(distinct.len(), 3);
    assert!(once.iter().all(|id| id.starts_with("src_") && id.len() == 36), "{once:?}");
    let other = Change { id: Uuid::from_u128(2), ..change(Some(&before), Some(&after)) };
    assert!(ids(&other).iter().all(|id| !once.contains(id)));
}

fn assignment(before: Option<&str>, after: Option<&str>) -> Change {
    let row = |text: &str| serde_json::from_str(text).unwrap();
    Change {
        table: "deal_users".parse().unwrap(),
        before: before.map(row),
        after: after.map(row),
        ..change(None, None)
    }
}

fn with_record(organization: &str, record: Option<Row>) -> Side {
    Side { organization: Some(organization.parse().unwrap()), record }
}

#[test]
fn an_assignment_is_an_event_of_the_record_with_the_row_beside_its_fields() {
    let side = with_record("7", Some(deal("{}")));
    let row = r#"{"deal_id":42,"user_id":5,"role":"owner"}"#;
    let made = reader().of(&assignment(None, Some(row)), &Found { after: side.clone(), ..Found::default() });
    let shown = show(&made);
    assert_eq!((shown.len(), shown[0].0.as_str()), (1, "7 deal.assigned"));
    assert_eq!(shown[0].1["assignment"], json!({"deal_id": 42, "user_id": 5, "role": "owner"}));
    assert_eq!((&shown[0].1["id"], &shown[0].1["stage"]), (&json!(42), &json!("new")));
    let resource = made[0].event.resource.as_ref().unwrap();
    assert_eq!((resource.kind.as_str(), resource.ids[0].as_str()), ("deal", "42"));

    let ended = reader().of(&assignment(Some(row), None), &Found { before: side.clone(), ..Found::default() });
    assert_eq!(show(&ended)[0].0, "7 deal.unassigned");

    let viewer = row.replace("owner", "viewer");
    let both = Found { before: side.clone(), after: side };
    let changed = show(&reader().of(&assignment(Some(row), Some(&viewer)), &both));
    assert_eq!(changed[0].0, "7 deal.reassigned");
    assert_eq!(changed[0].2["assignment"]["previous"]["role"], "owner");
    assert_eq!(changed[0].2["assignment"]["current"]["role"], "viewer");
}

#[test]
fn an_assignment_that_goes_to_another_record_ends_at_the_one_and_begins_at_the_other() {
    let found =
        Found { before: with_record("7", Some(deal("{}"))), after: with_record("7", Some(deal(r#"{"id":43}"#))) };
    let moved = assignment(Some(r#"{"deal_id":42,"user_id":5}"#), Some(r#"{"deal_id":43,"user_id":5}"#));
    let told = reader().of(&moved, &found);
    let shown: Vec<_> = told
        .iter()
        .map(|told| (told.event.event_type.as_str(), told.event.resource.as_ref().unwrap().ids[0].as_str()))
        .collect();
    assert_eq!(shown, [("deal.unassigned", "42"), ("deal.assigned", "43")]);
}

#[test]
fn an_assignment_of_a_deleted_record_is_no_event_and_of_one_that_cannot_be_found_names_it() {
    let row = r#"{"deal_id":42,"user_id":5}"#;
    let gone = with_record("7", Some(deal(r#"{"deleted_at":"2024-05-01T10:30:00+00:00"}"#)));
    assert_eq!(reader().of(&assignment(Some(row), None), &Found { before: gone, ..Found::default() }), []);
    let lost = Found { before: with_record("7", None), ..Found::default() };
    let told = reader().of(&assignment(Some(row), None), &lost);
    assert_eq!(show(&told)[0].1, json!({"id": 42, "assignment": {"deal_id": 42, "user_id": 5}}));
    assert_eq!(told[0].event.resource.as_ref().unwrap().ids, ["42"]);
}

#[test]
fn keys_of_several_columns_are_joined_and_long_ones_hashed() {
    let mapping = Mapping::parse("organization = \"a\"\n[[tables]]\ntable = \"t\"\nresource = \"r\"", "x").unwrap();
    let id = |key: &[&str], row: &str| {
        let events = Events::new(&mapping, &[table("t", key, &[("a", "text"), ("b", "text")])]);
        let row: Row = serde_json::from_str(row).unwrap();
        let change = Change { table: "t".parse().unwrap(), ..change(None, Some(&row)) };
        let told = events.of(&change, &found(None, Some("a"))).remove(0).event;
        (told.resource.unwrap().ids.remove(0), told.data)
    };
    assert_eq!(id(&["a", "b"], r#"{"a":"x","b":7}"#), ("x:7".to_owned(), r#"{"a":"x","b":7}"#.into()));
    assert_eq!(id(&["b"], r#"{"a":"x","b":7}"#), ("7".to_owned(), r#"{"id":7,"a":"x","b":7}"#.into()));
    assert!(id(&["a"], &format!(r#"{{"a":"{}"}}"#, "x".repeat(300))).0.starts_with("sha256-"));
}

#[test]
fn what_was_there_before_is_created_and_nothing_else() {
    let events = reader();
    let told = events.of_existing(&change(None, Some(&deal(r#"{"stage":2}"#))), &found(None, Some("7")));
    assert_eq!(show(&told)[0].0, "7 deal.created");
    assert_eq!(told.len(), 1);
    let gone = deal(r#"{"deleted_at":"2024-05-01T10:30:00+00:00"}"#);
    assert_eq!(events.of_existing(&change(None, Some(&gone)), &found(None, Some("7"))), []);
}

#[test]
fn a_moment_that_rfc_3339_cannot_say_stays_as_the_database_wrote_it() {
    let told = told(None, Some(&deal(r#"{"updated_at":"infinity"}"#)), &found(None, Some("7")));
    assert_eq!(told[0].1["updated_at"], "infinity");
}

#[test]
fn timestamps_without_a_zone_are_told_as_moments_where_the_mapping_says_that_they_are_utc() {
    let told = |first_line: &str| {
        let text = format!("organization = \"a\"\n{first_line}\n[[tables]]\ntable = \"t\"\nresource = \"r\"");
        let columns = [("id", "bigint"), ("at", "timestamp(6) without time zone"), ("day", "date")];
        let events = Events::new(&Mapping::parse(&text, "x").unwrap(), &[table("t", &["id"], &columns)]);
        let row: Row = serde_json::from_str(r#"{"id":1,"at":"2024-05-01T10:30:00.5","day":"2024-05-01"}"#).unwrap();
        let change = Change { table: "t".parse().unwrap(), ..change(None, Some(&row)) };
        events.of(&change, &found(None, Some("a"))).remove(0).event.data
    };
    assert_eq!(&*told(""), r#"{"id":1,"at":"2024-05-01T10:30:00.5","day":"2024-05-01"}"#);
    assert_eq!(&*told("timestamps_are_utc = true"), r#"{"id":1,"at":"2024-05-01T10:30:00.5Z","day":"2024-05-01"}"#);
}
