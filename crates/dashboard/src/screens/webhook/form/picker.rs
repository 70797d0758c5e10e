//! The event picker: a catalogue in groups, with what is chosen of it.
//!
//! A *subscription* is an event type, all of a kind (`deal.*`), or everything (`*`).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::{Contract, EventType};
use crate::visible::in_lines;

/// Everything there is and will be.
pub(crate) const EVERYTHING: &str = "*";
/// What ends the subscription to all of a kind.
const ALL_OF_KIND: &str = ".*";
/// The most fields that are offered for "only when a field changed".
const FIELDS_OFFERED_MAX: usize = 200;

/// A catalogue with what is chosen.
#[derive(Clone, Debug)]
pub(crate) struct Picker {
    pub(crate) is_everything: bool,
    pub(crate) groups: Vec<Group>,
    /// Subscriptions that the catalogue does not name, as typed.
    pub(crate) others: String,
    /// Whether such can be typed.
    pub(crate) takes_others: bool,
    /// Names of fields that events have.
    pub(crate) fields: Vec<String>,
}

/// The types of one resource.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) title: String,
    /// The subscription to all of them, where their names begin alike.
    pub(crate) all: Option<String>,
    pub(crate) is_all: bool,
    pub(crate) types: Vec<Choice>,
}

/// One type.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) name: String,
    pub(crate) description: String,
    /// Realistic data, indented.
    pub(crate) sample: Option<String>,
    pub(crate) is_on: bool,
}

impl Picker {
    /// `typed` are the others as somebody typed them; without it they are what the catalogue does not name of `chosen`.
    pub(crate) fn new(contract: &Contract, chosen: &[String], typed: Option<&str>) -> Self {
        let is_chosen = |name: &str| chosen.iter().any(|one| one == name);
        let mut groups: Vec<Group> = Vec::new();
        for event_type in &contract.event_types {
            let choice = Choice::new(event_type, is_chosen(&event_type.name));
            match groups.iter_mut().find(|group| group.title == event_type.category) {
                Some(group) => group.types.push(choice),
                None => groups.push(Group::new(&event_type.category, choice)),
            }
        }
        for group in &mut groups {
            group.all = common_kind(&group.types);
            group.is_all = group.all.as_deref().is_some_and(is_chosen);
        }
        let is_offered = |name: &str| {
            name == EVERYTHING
                || groups
                    .iter()
                    .any(|group| group.all.as_deref() == Some(name) || group.types.iter().any(|one| one.name == name))
        };
        let unnamed: Vec<_> = chosen.iter().map(String::as_str).filter(|name| !is_offered(name)).collect();
        let others = typed.map_or_else(|| unnamed.join("\n"), str::to_owned);
        let takes_others = contract.open || !others.is_empty();
        Picker {
            is_everything: is_chosen(EVERYTHING),
            groups,
            others,
            takes_others,
            fields: fields_of(&contract.event_types),
        }
    }
}

impl Group {
    fn new(title: &str, first: Choice) -> Self {
        Group { title: title.to_owned(), all: None, is_all: false, types: vec![first] }
    }
}

impl Choice {
    fn new(event_type: &EventType, is_on: bool) -> Self {
        let sample = event_type.sample.as_ref().map(in_lines);
        Choice { name: event_type.name.clone(), description: event_type.description.clone(), sample, is_on }
    }
}

/// `deal.*` where every name begins with `deal.`.
fn common_kind(types: &[Choice]) -> Option<String> {
    let (kind, _) = types.first()?.name.split_once('.')?;
    let is_of_kind = |choice: &Choice| choice.name.split_once('.').is_some_and(|(other, _)| other == kind);
    types.iter().all(is_of_kind).then(|| format!("{kind}{ALL_OF_KIND}"))
}

fn fields_of(types: &[EventType]) -> Vec<String> {
    let objects = types.iter().filter_map(|event_type| event_type.sample.as_ref().and_then(Value::as_object));
    let names: BTreeSet<_> = objects.flat_map(|sample| sample.keys()).filter(|name| *name != "id").collect();
    names.into_iter().take(FIELDS_OFFERED_MAX).cloned().collect()
}

/// What is meant by everything that was ticked and typed: nothing twice, and nothing that another one covers.
pub(crate) fn subscriptions<'t>(ticked: impl Iterator<Item = &'t str>, typed: &'t str) -> Vec<String> {
    let typed = typed.split(|c: char| c.is_whitespace() || c == ',').filter(|name| !name.is_empty());
    let mut all: Vec<&str> = Vec::new();
    for name in ticked.chain(typed) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    if all.contains(&EVERYTHING) {
        return vec![EVERYTHING.to_owned()];
    }
    let is_covered = |name: &str| {
        all.iter().filter(|other| **other != name).any(|other| {
            let kind = other.strip_suffix('*').filter(|kind| kind.ends_with('.'));
            kind.is_some_and(|kind| name.starts_with(kind))
        })
    };
    all.iter().filter(|name| !is_covered(name)).map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::api::contract_with;
    use serde_json::json;

    pub(crate) fn contract(open: bool) -> Contract {
        let event_type = |name: &str, category: &str| json!({"name": name, "description": "When it happens.", "category": category, "sample": {"id": 1, "stage": "won"}});
        let types = [
            event_type("contact.created", "Contact"),
            event_type("deal.lost", "Deal"),
            event_type("deal.won", "Deal"),
            event_type("peopleCreated", "People"),
        ];
        let kinds = [json!({"prefix": "whsec_", "asymmetric": false})];
        contract_with(&json!({
            "open": open, "signed": true, "event_types": types,
            "secret": {"required": true, "generated": true, "chosen": true, "overlap_ms": 0, "kinds": kinds},
        }))
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn types_stand_in_groups_with_all_of_a_kind_where_their_names_begin_alike() {
        let picker = Picker::new(&contract(false), &names(&["deal.*", "contact.created"]), None);
        let shown: Vec<_> = picker.groups.iter().map(|group| (group.title.as_str(), group.all.as_deref())).collect();
        assert_eq!(shown, [("Contact", Some("contact.*")), ("Deal", Some("deal.*")), ("People", None)]);
        assert!(picker.groups[1].is_all && !picker.groups[0].is_all && picker.groups[0].types[0].is_on);
        assert_eq!(picker.fields, ["stage"]);
        assert!(!picker.takes_others);
    }

    #[test]
    fn subscriptions_that_the_catalogue_does_not_name_are_kept_as_text() {
        let chosen = names(&["deal.won", "invoice.*", "custom.thing"]);
        let picker = Picker::new(&contract(false), &chosen, None);
        assert!(picker.takes_others);
        assert_eq!(picker.others, "invoice.*\ncustom.thing");
        assert_eq!(Picker::new(&contract(true), &chosen, Some("as typed")).others, "as typed");
    }

    #[test]
    fn nothing_is_subscribed_twice_or_beside_what_covers_it() {
        let all = |ticked: &[&str], typed: &str| subscriptions(ticked.iter().copied(), typed);
        assert_eq!(all(&["deal.won", "deal.*", "contact.created"], ""), ["deal.*", "contact.created"]);
        assert_eq!(all(&["deal.won", "*", "deal.*"], "x.y"), ["*"]);
        assert_eq!(all(&["deal.won"], "deal.won, a.b\n c.d\ta.b"), ["deal.won", "a.b", "c.d"]);
        assert_eq!(all(&["deal.*", "deal.stage.*", "deals.won"], ""), ["deal.*", "deals.won"]);
        assert_eq!(all(&[], " \n,"), Vec::<String>::new());
    }
}
