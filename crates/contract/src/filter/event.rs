//! An event as filters see it. Its JSON is taken apart when a filter first looks at it, and at most once however many filters do.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use postrider_domain::{Millis, Resource};

use super::Part;
use crate::same::Shape;
use crate::time::Rfc3339;

/// An event that filters judge.
#[derive(Debug)]
pub struct FilterEvent<'e> {
    data: &'e str,
    changes: Option<&'e str>,
    resource: Option<&'e Resource>,
    occurred_at: Millis,
    data_shape: OnceCell<Option<Shape<'e>>>,
    changes_shape: OnceCell<Option<Shape<'e>>>,
    resource_shape: OnceCell<Option<Shape<'e>>>,
    occurred_at_shape: OnceCell<Shape<'e>>,
}

/// JSON that is nested too deep to be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooDeep;

impl<'e> FilterEvent<'e> {
    /// An event; `data` and `changes` are JSON text.
    #[must_use]
    pub fn new(data: &'e str, changes: Option<&'e str>, resource: Option<&'e Resource>, occurred_at: Millis) -> Self {
        FilterEvent {
            data,
            changes,
            resource,
            occurred_at,
            data_shape: OnceCell::new(),
            changes_shape: OnceCell::new(),
            resource_shape: OnceCell::new(),
            occurred_at_shape: OnceCell::new(),
        }
    }

    /// Whether any of its JSON was taken apart yet.
    #[cfg(test)]
    pub(super) fn is_read(&self) -> bool {
        self.data_shape.get().is_some() || self.changes_shape.get().is_some()
    }

    /// A part of it, where it has that. The type is not asked for here: each receiver has its own word for it.
    pub(super) fn part(&self, part: Part) -> Result<Option<&Shape<'e>>, TooDeep> {
        match part {
            Part::Type => Ok(None),
            Part::Data => self.data_shape.get_or_init(|| Shape::of(self.data)).as_ref().map(Some).ok_or(TooDeep),
            Part::Changes => {
                let Some(changes) = self.changes else { return Ok(None) };
                self.changes_shape.get_or_init(|| Shape::of(changes)).as_ref().map(Some).ok_or(TooDeep)
            }
            Part::Resource => Ok(self.resource_shape.get_or_init(|| self.resource.map(resource)).as_ref()),
            Part::OccurredAt => {
                // Whole seconds, so that texts are ordered as moments are.
                let second = Millis(self.occurred_at.0.div_euclid(1_000) * 1_000);
                let text = || Shape::Text(Cow::Owned(Rfc3339(second).to_string()));
                Ok(Some(self.occurred_at_shape.get_or_init(text)))
            }
        }
    }
}

/// `{"type", "id", "ids", "uri"?}`: `id` is the first of `ids`.
fn resource(about: &Resource) -> Shape<'_> {
    let text = |text: &str| Shape::Text(Cow::Owned(text.to_owned()));
    let mut members = BTreeMap::from([
        (Cow::Borrowed("type"), text(&about.kind)),
        (Cow::Borrowed("ids"), Shape::List(about.ids.iter().map(|id| text(id)).collect())),
    ]);
    members.extend(about.ids.first().map(|id| (Cow::Borrowed("id"), text(id))));
    members.extend(about.uri.as_ref().map(|uri| (Cow::Borrowed("uri"), text(uri))));
    Shape::Object(members)
}
