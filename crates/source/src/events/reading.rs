//! How the rows of one table are read.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postrider_contract::is_same;

use crate::mapping::{KnownTable, PlainEvents, Rule, SoftDelete, TableMapping, Via};
use crate::row::Row;

/// What the mapping says of a table, beside what the database says of it.
#[derive(Debug)]
pub(super) struct Reading {
    mapping: TableMapping,
    key: Vec<String>,
    /// Captured columns, in the table's order.
    columns: Vec<String>,
    omitted: HashSet<String>,
    ignored: HashSet<String>,
    /// Columns of moments, which are told in UTC.
    moments: HashSet<String>,
    /// Columns of moments that do not say that they are UTC.
    bare_moments: HashSet<String>,
}

impl Reading {
    pub(super) fn new(mapping: TableMapping, known: &KnownTable, timestamps_are_utc: bool) -> Self {
        let of_type = |end: &str| {
            let is = |kind: &str| kind.starts_with("timestamp") && kind.ends_with(end);
            let columns = known.columns.iter().filter(|column| is(&column.type_name));
            columns.map(|column| column.name.clone()).collect::<HashSet<_>>()
        };
        let bare_moments = if timestamps_are_utc { of_type(" without time zone") } else { HashSet::new() };
        Reading {
            key: mapping.key_in(known).to_vec(),
            columns: mapping.captured_in(known).map(|column| column.name.clone()).collect(),
            omitted: mapping.omit.iter().cloned().collect(),
            ignored: mapping.ignore.iter().cloned().collect(),
            moments: of_type(" with time zone"),
            bare_moments,
            mapping,
        }
    }

    pub(super) fn via(&self) -> Option<&Via> {
        self.mapping.via.as_ref()
    }

    pub(super) fn events(&self) -> &PlainEvents {
        &self.mapping.events
    }

    pub(super) fn rules(&self) -> &[Rule] {
        &self.mapping.rules
    }

    pub(super) fn resource(&self) -> &str {
        &self.mapping.resource
    }

    pub(super) fn uri(&self) -> Option<&str> {
        self.mapping.uri.as_deref()
    }

    pub(super) fn field<'a>(&'a self, column: &'a str) -> &'a str {
        self.mapping.field(column)
    }

    pub(super) fn is_ignored(&self, column: &str) -> bool {
        self.ignored.contains(column)
    }

    /// Whether something identifies a row, or the record that it concerns.
    pub(super) fn has_key(&self) -> bool {
        !self.key.is_empty() || self.via().is_some()
    }

    /// The column that identifies a row, where it is one alone.
    pub(super) fn key_column(&self) -> Option<&str> {
        match self.key.as_slice() {
            [column] => Some(column),
            _ => None,
        }
    }

    /// What identifies a row: the values of its key.
    pub(super) fn id_of(&self, row: &Row) -> String {
        let values: Vec<_> = self.key.iter().map(|column| row.text(column).unwrap_or_default()).collect();
        values.join(":")
    }

    pub(super) fn is_soft_deleted(&self, row: &Row) -> bool {
        let Some(SoftDelete { column, is }) = &self.mapping.soft_delete else { return false };
        row.get(column).is_some_and(|value| match is.as_slice() {
            [] => value != "null" && value != "false",
            is => self.is_one_of(is, column, value),
        })
    }

    /// The captured columns of a row in the table's order, then those that the table has had since it was looked at.
    pub(super) fn columns_of<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (&'a str, &'a str)> {
        let known = self.columns.iter().filter_map(|column| Some((column.as_str(), row.get(column)?)));
        let is_new = |name: &str| !self.omitted.contains(name) && !self.columns.iter().any(|column| column == name);
        let new = row.iter().filter(move |(name, _)| is_new(name)).map(|(name, value)| (name, value.get()));
        known.chain(new)
    }

    /// A column's value as receivers see it: a word where the mapping has one for it, a moment in UTC, else as the database wrote it.
    pub(super) fn value<'a>(&self, column: &str, json: &'a str) -> Cow<'a, str> {
        if let Some(words) = self.mapping.labels.get(column) {
            let word = plain(json).and_then(|text| words.get(text.as_ref()));
            return word.map_or(Cow::Borrowed(json), |word| Cow::Owned(quoted(word)));
        }
        let moment = if self.moments.contains(column) {
            plain(json).and_then(|text| text.parse::<Timestamp>().ok())
        } else if self.bare_moments.contains(column) {
            plain(json).and_then(|text| TimeZone::UTC.to_timestamp(text.parse().ok()?).ok())
        } else {
            None
        };
        moment.map_or(Cow::Borrowed(json), |moment| Cow::Owned(format!("\"{moment}\"")))
    }

    /// Whether a rule holds for a change; `before` is nothing for a record that was created. What an earlier value is not known of is not said.
    pub(super) fn holds(&self, rule: &Rule, before: Option<&Row>, after: &Row) -> bool {
        let Some(current) = after.get(&rule.changed) else { return false };
        let Some(previous) = before.map_or(Some("null"), |row| row.get(&rule.changed)) else { return false };
        !is_same(previous, current)
            && self.value(&rule.changed, previous) != self.value(&rule.changed, current)
            && self.is_one_of(&rule.from, &rule.changed, previous)
            && self.is_one_of(&rule.to, &rule.changed, current)
            && rule
                .when
                .iter()
                .all(|(column, values)| after.get(column).is_some_and(|value| self.is_one_of(values, column, value)))
    }

    /// Whether a value is one of those that a condition lists, by itself or by its word.
    fn is_one_of(&self, listed: &[String], column: &str, json: &str) -> bool {
        let text = plain(json);
        let word = text.as_ref().and_then(|text| self.mapping.labels.get(column)?.get(text.as_ref()));
        let is = |listed: &String| match listed.as_str() {
            Rule::NULL => text.is_none(),
            Rule::NOT_NULL => text.is_some(),
            listed => text.as_deref() == Some(listed) || word.is_some_and(|word| word == listed),
        };
        listed.is_empty() || listed.iter().any(is)
    }
}

/// A value as plain text: a string without its quotes, anything else as JSON. Nothing for null.
fn plain(json: &str) -> Option<Cow<'_, str>> {
    match json {
        "null" => None,
        _ if json.starts_with('"') => serde_json::from_str::<String>(json).ok().map(Cow::Owned),
        _ => Some(Cow::Borrowed(json)),
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
