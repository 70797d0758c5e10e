//! Filters: a condition on an event, such as `changes.stage.current = "won"`.
//!
//! The language is the one of filter selectors in JSONPath (RFC 9535, section 2.3.5), as [`jsonpath_rust`] reads it. In front of
//! it stands a small layer ([`words`]) by which a path begins with a *part* of an event instead of `$.`, a single `=` compares,
//! and `and`, `or` and `not` may be written as words. A path by itself asks whether the event has it. Left out are functions,
//! slices, `..` and several selectors in one bracket: what is left cannot take long, and is counted all the same.

mod compile;
mod event;
mod judge;
mod words;

use std::fmt;

pub use event::FilterEvent;
pub use judge::Judgement;

use compile::Condition;

/// A condition on an event, read once.
#[derive(Debug)]
pub struct Filter {
    text: Box<str>,
    condition: Condition,
}

/// What is wrong with a filter, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {problem}; {advice}")]
pub struct FilterError {
    /// Where: the character, counted from 1.
    pub at: usize,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub advice: String,
}

/// A part of an event: what a path may begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Type,
    Data,
    Changes,
    Resource,
    OccurredAt,
}

impl Part {
    const ALL: [(&'static str, Part); 5] = [
        ("type", Part::Type),
        ("data", Part::Data),
        ("changes", Part::Changes),
        ("resource", Part::Resource),
        ("occurred_at", Part::OccurredAt),
    ];

    fn named(name: &str) -> Option<Part> {
        Part::ALL.iter().find(|(known, _)| *known == name).map(|(_, part)| *part)
    }
}

/// For mistakes about what a path begins with.
const PARTS: &str = "begin with type, data, changes, resource or occurred_at; put text in quotes";

impl Filter {
    /// The longest filter, in bytes.
    pub const BYTES_MAX: usize = 1_000;
    /// The most words, numbers, texts and signs of one filter.
    pub const WORDS_MAX: usize = 200;
    /// How deep parentheses and brackets may stand inside one another.
    pub const DEPTH_MAX: usize = 8;
    /// What judging one event may cost: one for each value that is looked at, and one for every 64 bytes that are compared.
    pub const COST_MAX: u32 = 20_000;

    /// Reads a filter.
    ///
    /// # Errors
    /// The first thing that is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let read = words::read(text)?;
        Ok(Filter { text: text.into(), condition: compile::condition(&read)? })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether an event passes. `event_type` is the type in the receiver's words, as its subscriptions and payloads have it.
    ///
    /// Nothing that an event holds makes this fail: a comparison with what is not there, or is of another kind, is false as RFC
    /// 9535 has it (section 2.3.5.2.2). An event that would cost more than [`Filter::COST_MAX`] passes: a receiver can do without
    /// an event that it gets, and not with one that it never got.
    #[must_use]
    pub fn judge(&self, event_type: &str, event: &FilterEvent<'_>) -> Judgement {
        judge::judge(&self.condition, event_type, event)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
