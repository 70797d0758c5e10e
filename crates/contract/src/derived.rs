//! Derived types: what an event of one type also is, under a condition. `deal.updated` with another stage is also
//! `deal.stage_changed`. Whether a contract says so is its file's to decide; nothing is derived unless it does.

use crate::filter::{Filter, FilterEvent};

/// One rule.
#[derive(Debug)]
pub struct Derived {
    /// The type of the event that was published.
    pub from: String,
    /// What must hold for it.
    pub when: Filter,
    /// What it then also is.
    pub event_type: String,
}

/// What an event of this type also is, in the order of the rules. An event whose condition is too costly to judge is nothing else: what is
/// derived says that something happened, and that must not be said on a guess.
pub(crate) fn types_of<'c>(
    rules: &'c [Derived],
    event_type: &str,
    event: &FilterEvent<'_>,
) -> impl Iterator<Item = &'c str> {
    rules.iter().filter(move |rule| rule.from == event_type).filter_map(move |rule| {
        let judged = rule.when.judge(event_type, event);
        (judged.passes && !judged.is_too_costly).then_some(rule.event_type.as_str())
    })
}
