//! Event types that follow from a change of one column.

use std::collections::BTreeMap;

use postrider_document::{Found, Section};

use super::contradictions::Part;
use super::table::{Columns, event_type};
use super::{Mapping, Rule};

pub(super) const RULE: &[&str] = &["event", "changed", "from", "to", "when", "on_create", "instead"];

/// Words by value, by column.
pub(super) type Labels = BTreeMap<String, BTreeMap<String, String>>;

pub(super) fn read(section: &Section<'_, '_>, columns: &mut Columns<'_>, labels: &Labels) -> Vec<Rule> {
    let sections = section.tables("rules", RULE).unwrap_or_default();
    if sections.len() > Mapping::RULES_MAX {
        section.about(
            "rules",
            format!("has {} rules", sections.len()),
            format!("write at most {}", Mapping::RULES_MAX),
        );
    }
    sections.iter().filter_map(|section| rule(section, columns, labels)).collect()
}

fn rule(section: &Section<'_, '_>, columns: &mut Columns<'_>, labels: &Labels) -> Option<Rule> {
    let event = section.required_text("event", "name what is said, e.g. event = \"deal.won\"");
    let event = event.and_then(|found| event_type(section, &found));
    let on_create = section.flag("on_create", false);
    let changed = section.required_text("changed", "name the column that must have changed, e.g. changed = \"stage\"");
    let part = if on_create { Part::ChangedOrCreated } else { Part::Changed };
    let changed = changed.and_then(|found| columns.one(section, part, &found));
    let words = changed.as_ref().and_then(|changed| labels.get(changed));
    let from = section.one_or_more("from").unwrap_or_default();
    let to = section.one_or_more("to").unwrap_or_default();
    values(section, "from", &from, words);
    values(section, "to", &to, words);
    refuse_what_never_holds(section, &from, &to, on_create);
    let mut when = BTreeMap::new();
    for (column, found) in section.named_one_or_more("when") {
        let Some(name) = columns.one(section, Part::When, &column) else { continue };
        values(section, "when", &found, labels.get(&name));
        if found.is_empty() {
            section.document().mistake(&column.place, "lists no value", "name one, or leave it out");
        }
        when.insert(name, texts(&found));
    }
    let instead = section.flag("instead", false);
    Some(Rule { event: event?, changed: changed?, from: texts(&from), to: texts(&to), when, on_create, instead })
}

pub(super) fn texts(found: &[Found<&str>]) -> Vec<String> {
    found.iter().map(|found| found.value.to_owned()).collect()
}

/// Where a column's values have words, what is neither a value nor a word of them would never hold.
pub(super) fn values(
    section: &Section<'_, '_>,
    key: &'static str,
    found: &[Found<&str>],
    words: Option<&BTreeMap<String, String>>,
) {
    if found.len() > Mapping::VALUES_MAX {
        section.about(key, format!("has {} values", found.len()), format!("write at most {}", Mapping::VALUES_MAX));
    }
    let Some(words) = words else { return };
    for found in found.iter().filter(|found| ![Rule::NULL, Rule::NOT_NULL].contains(&found.value)) {
        if !words.iter().any(|(value, word)| value == found.value || word == found.value) {
            let known: Vec<&str> = words.values().map(String::as_str).take(20).collect();
            let problem = format!("{:?} is neither a value nor a word of labels", found.value);
            section.document().mistake(&found.place, problem, format!("write one of these: {}", known.join(", ")));
        }
    }
}

fn refuse_what_never_holds(section: &Section<'_, '_>, from: &[Found<&str>], to: &[Found<&str>], on_create: bool) {
    if let ([from], [to]) = (from, to)
        && from.value == to.value
        && to.value != Rule::NOT_NULL
    {
        section.about("to", format!("is {:?}, as from is", to.value), "a change goes from one value to another");
    }
    if on_create && !from.is_empty() && !from.iter().any(|from| from.value == Rule::NULL) {
        let advice = "a record that is created has no earlier value: add \"null\" to from, or leave one of the two out";
        section.about("on_create", "contradicts from", advice);
    }
}
