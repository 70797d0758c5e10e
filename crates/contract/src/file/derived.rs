//! The derived types of a contract file.

use std::collections::HashSet;

use postrider_document::Section;

use crate::catalogue::Catalogue;
use crate::derived::Derived;
use crate::filter::Filter;

pub(super) const DERIVED: &[&str] = &["from", "when", "type"];

const DERIVED_MAX: usize = 100;
/// An event is copied for each: a batch of the largest events stays bounded.
const DERIVED_FROM_ONE_MAX: usize = 8;

pub(super) fn derived(root: &Section<'_, '_>, catalogue: Option<&Catalogue>) -> Option<Vec<Derived>> {
    let sections = root.tables("derived", DERIVED)?;
    if sections.len() > DERIVED_MAX {
        root.about("derived", format!("has {} entries", sections.len()), format!("write at most {DERIVED_MAX}"));
    }
    let mut seen = HashSet::new();
    let rules: Vec<Option<Derived>> = sections.iter().map(|section| rule(section, catalogue, &mut seen)).collect();
    rules.into_iter().collect()
}

fn rule(
    section: &Section<'_, '_>,
    catalogue: Option<&Catalogue>,
    seen: &mut HashSet<(String, String)>,
) -> Option<Derived> {
    let from = a_type(section, "from", catalogue, "name the type that is published, e.g. from = \"deal.updated\"");
    let when = when(section);
    let also = a_type(section, "type", catalogue, "name what it also is, e.g. type = \"deal.stage_changed\"");
    let (from, event_type) = (from?, also?);
    if from == event_type {
        section.about("type", "is what it is derived from", "name another type");
    }
    if seen.iter().filter(|(other, _)| *other == from).count() == DERIVED_FROM_ONE_MAX {
        let problem = format!("{from:?} has more than {DERIVED_FROM_ONE_MAX} derived types");
        section.about("from", problem, "take some out");
    }
    if !seen.insert((from.clone(), event_type.clone())) {
        let problem = format!("{event_type:?} is derived from {from:?} a second time");
        section.about("type", problem, "join both conditions by `or` in one `when`");
    }
    Some(Derived { from, when: when?, event_type })
}

/// A type of this file's catalogue; whatever is named, where the catalogue itself could not be read.
fn a_type(section: &Section<'_, '_>, key: &'static str, catalogue: Option<&Catalogue>, advice: &str) -> Option<String> {
    let found = section.required_text(key, advice)?;
    if catalogue.is_some_and(|catalogue| catalogue.get(found.value).is_none()) {
        let problem = format!("{:?} is not a type of the catalogue", found.value);
        section.document().mistake(&found.place, problem, "name one of [types]");
        return None;
    }
    Some(found.value.to_owned())
}

fn when(section: &Section<'_, '_>) -> Option<Filter> {
    let found = section.required_text("when", "write a condition, e.g. when = \"changes.stage\"")?;
    match Filter::parse(found.value) {
        Ok(filter) => Some(filter),
        Err(error) => {
            let problem = format!("is wrong at character {}: {}", error.at, error.problem);
            section.document().mistake(&found.place, problem, error.advice);
            None
        }
    }
}
