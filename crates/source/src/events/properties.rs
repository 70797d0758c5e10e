//! What holds for every change.

use std::collections::BTreeMap;

use postrider_domain::Millis;
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::mapping::KnownColumn;

const MAPPING: &str = r#"
organization = { column = "org" }
[[tables]]
table = "records"
resource = "record"
ignore = ["seen"]
soft_delete = "gone"
[[tables.rules]]
event = "record.a_changed"
changed = "a"
on_create = true
[[tables.rules]]
event = "record.a_set"
changed = "a"
from = ["null"]
instead = true
"#;

const COLUMNS: [&str; 6] = ["id", "org", "a", "b", "seen", "gone"];

fn events() -> Events {
    let column = |name: &&str| KnownColumn { name: (*name).to_owned(), type_name: "text".to_owned() };
    let known = KnownTable {
        table: "records".parse().unwrap(),
        columns: COLUMNS.iter().map(column).collect(),
        primary_key: vec!["id".to_owned()],
    };
    Events::new(&Mapping::parse(MAPPING, "x.toml").unwrap(), &[known])
}

/// The columns of a state: each value says whose it is, so that one which crosses over is seen.
#[derive(Clone, Debug)]
struct State {
    org: u8,
    values: BTreeMap<&'static str, Option<u8>>,
    is_gone: bool,
}

fn state() -> impl Strategy<Value = State> {
    let value = || prop::option::of(0..3u8);
    (1..3u8, value(), value(), value(), any::<bool>()).prop_map(|(org, a, b, seen, is_gone)| State {
        org,
        values: BTreeMap::from([("a", a), ("b", b), ("seen", seen)]),
        is_gone,
    })
}

impl State {
    fn row(&self) -> Row {
        let value = |column: &str| match self.values[column] {
            Some(value) => format!("\"of-{}-{value}\"", self.org),
            None => "null".to_owned(),
        };
        let text = format!(
            r#"{{"id":1,"org":{},"a":{},"b":{},"seen":{},"gone":{}}}"#,
            self.org,
            value("a"),
            value("b"),
            value("seen"),
            self.is_gone
        );
        serde_json::from_str(&text).unwrap()
    }

    fn side(state: Option<&State>) -> Side {
        Side { organization: state.map(|state| format!("org-{}", state.org).parse().unwrap()), record: None }
    }
}

fn told(before: Option<&State>, after: Option<&State>) -> Vec<Told> {
    let change = Change {
        id: Uuid::from_u128(9),
        table: "records".parse().unwrap(),
        at: Millis(0),
        transaction: None,
        before: before.map(State::row),
        after: after.map(State::row),
    };
    events().of(&change, &Found { before: State::side(before), after: State::side(after) })
}

fn count(told: &[Told], organization: u8, event_type: &str) -> usize {
    let is = |told: &&Told| {
        told.organization.as_str() == format!("org-{organization}") && told.event.event_type == event_type
    };
    told.iter().filter(is).count()
}

/// What an organisation sees of a record: whether it has it.
fn has(state: Option<&State>, organization: u8) -> bool {
    state.is_some_and(|state| state.org == organization && !state.is_gone)
}

proptest! {
    /// Whoever counts creations and deletions knows which records there are.
    #[test]
    fn creations_and_deletions_add_up_to_what_each_organisation_has(states in prop::collection::vec(prop::option::of(state()), 1..6)) {
        for organization in 1..3u8 {
            let mut has_it = has(states[0].as_ref(), organization);
            for pair in states.windows(2) {
                let told = told(pair[0].as_ref(), pair[1].as_ref());
                match (count(&told, organization, "record.created"), count(&told, organization, "record.deleted")) {
                    (0, 0) => {}
                    (1, 0) => { prop_assert!(!has_it); has_it = true; }
                    (0, 1) => { prop_assert!(has_it); has_it = false; }
                    other => prop_assert!(false, "{:?}", other),
                }
                prop_assert_eq!(has_it, has(pair[1].as_ref(), organization));
            }
        }
    }

    #[test]
    fn no_organisation_sees_a_value_of_another(before in prop::option::of(state()), after in prop::option::of(state())) {
        for told in told(before.as_ref(), after.as_ref()) {
            let other = if told.organization.as_str() == "org-1" { "of-2" } else { "of-1" };
            let shown = format!("{}{:?}", told.event.data, told.event.changes);
            prop_assert!(!shown.contains(other), "{} is told {}", told.organization, shown);
        }
    }

    #[test]
    fn changes_are_exactly_the_columns_that_differ_and_are_not_ignored(before in state(), after in state()) {
        let before = State { is_gone: false, ..before };
        let after = State { org: before.org, is_gone: false, ..after };
        let differing: Vec<&str> = ["a", "b"].into_iter().filter(|column| before.values[column] != after.values[column]).collect();
        let told = told(Some(&before), Some(&after));
        prop_assert_eq!(told.is_empty(), differing.is_empty());
        for told in told {
            let changes: Value = serde_json::from_str(told.event.changes.as_deref().unwrap()).unwrap();
            let named: Vec<&str> = changes.as_object().unwrap().keys().map(String::as_str).collect();
            prop_assert_eq!(&named, &differing);
            let data: Value = serde_json::from_str(&told.event.data).unwrap();
            for column in named {
                prop_assert_eq!(&changes[column]["current"], &data[column]);
                prop_assert_ne!(&changes[column]["current"], &changes[column]["previous"]);
            }
        }
    }

    #[test]
    fn ids_are_all_different_and_an_event_is_told_once(before in prop::option::of(state()), after in prop::option::of(state())) {
        let told = told(before.as_ref(), after.as_ref());
        let ids: std::collections::HashSet<_> = told.iter().map(|told| told.event.id.clone()).collect();
        prop_assert_eq!(ids.len(), told.len());
    }

    #[test]
    fn data_is_the_row_in_the_tables_order(after in state()) {
        for told in told(None, Some(&State { is_gone: false, ..after })) {
            let data: Value = serde_json::from_str(&told.event.data).unwrap();
            let named: Vec<&str> = data.as_object().unwrap().keys().map(String::as_str).collect();
            prop_assert_eq!(named, COLUMNS);
        }
    }
}
