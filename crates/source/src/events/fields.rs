//! Rows as receivers see them, as JSON text: numbers keep every digit that the database wrote.

use std::borrow::Cow;

use postrider_contract::is_same;

use super::reading::{Reading, quoted};
use crate::row::Row;

/// A JSON object of members whose values are JSON already, in their order.
pub(super) fn object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> Box<str> {
    let mut out = String::from("{");
    for (name, value) in members {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&quoted(name));
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out.into()
}

/// A row's fields.
pub(super) struct Fields<'a> {
    fields: Vec<(&'a str, Cow<'a, str>)>,
    /// The value of the key, where it is one column and no field is called `id`.
    id: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(reading: &'a Reading, row: &'a Row) -> Self {
        let field = |(column, value): (&'a str, &'a str)| (reading.field(column), reading.value(column, value));
        let fields: Vec<_> = reading.columns_of(row).map(field).collect();
        let has_id = fields.iter().any(|(name, _)| *name == "id");
        let key = reading.key_column().filter(|_| !has_id);
        let id = key.and_then(|column| Some(reading.value(column, row.get(column)?)));
        Fields { fields, id }
    }

    fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (*name, &**value))
    }

    fn with_id(&self) -> impl Iterator<Item = (&str, &str)> {
        self.id.iter().map(|id| ("id", &**id)).chain(self.members())
    }

    /// The fields alone.
    pub(super) fn plain(&self) -> Box<str> {
        object(self.members())
    }

    /// An event's data: with an `id`.
    pub(super) fn data(&self) -> Box<str> {
        object(self.with_id())
    }

    /// The same with one more member.
    pub(super) fn data_with(&self, member: &str, value: &str) -> Box<str> {
        object(self.with_id().filter(|(name, _)| *name != member).chain(std::iter::once((member, value))))
    }
}

/// Where two rows differ, as receivers see them.
pub(super) struct Differences<'a> {
    fields: Vec<(&'a str, Cow<'a, str>, Cow<'a, str>)>,
    /// Whether earlier values are not known that matter.
    is_partial: bool,
}

impl<'a> Differences<'a> {
    /// Columns that are ignored differ in nobody's eyes, unless one is what a rule is about.
    pub(super) fn new(reading: &'a Reading, before: &'a Row, after: &'a Row, about: Option<&str>) -> Self {
        let mut differences = Differences { fields: Vec::new(), is_partial: false };
        for (column, current) in reading.columns_of(after) {
            if reading.is_ignored(column) && about != Some(column) {
                continue;
            }
            let Some(previous) = before.get(column) else {
                differences.is_partial = true;
                continue;
            };
            if is_same(previous, current) {
                continue;
            }
            let (previous, current) = (reading.value(column, previous), reading.value(column, current));
            if previous != current {
                differences.fields.push((reading.field(column), previous, current));
            }
        }
        differences
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether there is something to tell: a difference, or earlier values that nobody knows.
    pub(super) fn is_news(&self) -> bool {
        self.is_partial || !self.is_empty()
    }

    /// `{"<field>":{"previous":…,"current":…}}`; nothing when no difference is known.
    pub(super) fn changes(&self) -> Option<Box<str>> {
        let change = |(name, previous, current): &(&'a str, Cow<'a, str>, Cow<'a, str>)| {
            (*name, object([("previous", &**previous), ("current", &**current)].into_iter()))
        };
        let changes: Vec<_> = self.fields.iter().map(change).collect();
        (!changes.is_empty()).then(|| object(changes.iter().map(|(name, change)| (*name, &**change))))
    }
}
