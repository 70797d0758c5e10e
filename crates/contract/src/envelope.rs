//! Envelopes: the JSON around an event's `data`, as a template.
//!
//! A template is a JSON document in which a string that begins with `$` is a *reference*: `"$type"`. As a member's value or an
//! array's element it may end in `?` and is then left out when it is *absent*. `"$$x"` is the string `$x`. An object whose only member is `$data` adds members that the
//! data lacks: `{"$data": {"id": "$resource.id?"}}`. Read once into literal pieces and references; rendering copies them into
//! one buffer. `data` and `changes` are copied as the texts they are, byte for byte.

mod compile;

use postrider_domain::{DeliveryId, EventId, Millis, Resource};

use crate::json::{present, write_string};
use crate::time::Rfc3339;

/// What a delivery's body is made of. All of it is fixed when the delivery is made, so that its body never changes.
#[derive(Clone, Copy, Debug)]
pub struct RenderInput<'a> {
    /// The type, in the receiver's name (see [`crate::Contract::resolve_type`]).
    pub event_type: &'a str,
    /// The event's id.
    pub event_id: &'a EventId,
    /// The delivery's id.
    pub delivery_id: DeliveryId,
    /// The organisation's id.
    pub organization_id: &'a str,
    /// When it happened.
    pub occurred_at: Millis,
    /// The event's data: JSON text, copied as it is.
    pub data: &'a str,
    /// What an update modified: JSON text, copied as it is (see [`crate::changes_from_previous`]).
    pub changes: Option<&'a str>,
    /// The records that it is about.
    pub resource: Option<&'a Resource>,
    /// Whether this is a test delivery.
    pub test: bool,
}

/// What an envelope can refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    Type,
    EventId,
    EventUuid,
    DeliveryId,
    OccurredAt,
    Data,
    Changes,
    Test,
    ResourceType,
    ResourceId,
    ResourceIds,
    ResourceUri,
    OrganizationId,
}

impl Reference {
    pub(crate) const ALL: [(&'static str, Reference); 13] = [
        ("type", Reference::Type),
        ("event.id", Reference::EventId),
        ("event.id.uuid", Reference::EventUuid),
        ("delivery.id", Reference::DeliveryId),
        ("occurred_at", Reference::OccurredAt),
        ("data", Reference::Data),
        ("changes", Reference::Changes),
        ("test", Reference::Test),
        ("resource.type", Reference::ResourceType),
        ("resource.id", Reference::ResourceId),
        ("resource.ids", Reference::ResourceIds),
        ("resource.uri", Reference::ResourceUri),
        ("organization.id", Reference::OrganizationId),
    ];

    fn is_absent(self, input: &RenderInput<'_>) -> bool {
        match self {
            Reference::Changes => input.changes.is_none(),
            Reference::Test => !input.test,
            Reference::ResourceType | Reference::ResourceIds => input.resource.is_none(),
            Reference::ResourceId => input.resource.is_none_or(|r| r.ids.is_empty()),
            Reference::ResourceUri => input.resource.is_none_or(|r| r.uri.is_none()),
            _ => false,
        }
    }

    fn write(self, input: &RenderInput<'_>, out: &mut String) {
        let text = |text: &str, out: &mut String| write_string(text, out);
        match self {
            Reference::Type => text(input.event_type, out),
            Reference::EventId => text(input.event_id.as_str(), out),
            Reference::EventUuid => push_shown(input.event_id.as_uuid(), out),
            Reference::DeliveryId => push_shown(input.delivery_id, out),
            Reference::OccurredAt => push_shown(Rfc3339(input.occurred_at), out),
            Reference::Data => out.push_str(input.data),
            Reference::Changes => out.push_str(input.changes.unwrap_or("null")),
            Reference::Test => out.push_str(if input.test { "true" } else { "false" }),
            Reference::OrganizationId => text(input.organization_id, out),
            Reference::ResourceIds => write_ids(input.resource.map_or(&[], |r| r.ids.as_slice()), out),
            Reference::ResourceType => text_or_null(input.resource.map(|r| r.kind.as_str()), out),
            Reference::ResourceId => {
                text_or_null(input.resource.and_then(|r| r.ids.first()).map(String::as_str), out);
            }
            Reference::ResourceUri => text_or_null(input.resource.and_then(|r| r.uri.as_deref()), out),
        }
    }
}

fn text_or_null(text: Option<&str>, out: &mut String) {
    match text {
        Some(text) => write_string(text, out),
        None => out.push_str("null"),
    }
}

/// Appends a value whose text needs no escapes, in quotes.
fn push_shown(value: impl std::fmt::Display, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    // Writing into a String cannot fail.
    let _ = write!(out, "{value}");
    out.push('"');
}

fn write_ids(ids: &[String], out: &mut String) {
    out.push('[');
    for (index, id) in ids.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(id, out);
    }
    out.push(']');
}

/// One step of rendering.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// Text as it is.
    Literal(Box<str>),
    /// A reference's value.
    Value(Reference),
    /// Text (a comma where one is needed is part of neither) and value, unless the value is absent.
    Optional { comma: Comma, name: Box<str>, reference: Reference },
    /// A comma, unless the innermost object or array is still empty.
    Comma,
    /// The data, with what it lacks.
    DataWith(Vec<Addition>),
}

/// Whether an optional member is preceded by a comma.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Comma {
    Always,
    UnlessFirst,
}

/// A member added to data that lacks it.
#[derive(Clone, Debug, PartialEq)]
struct Addition {
    name: String,
    reference: Reference,
    optional: bool,
}

/// Why a text is no envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON.
    #[error("is not a JSON document: {0}")]
    Json(String),
    /// Not an object.
    #[error("is not a JSON object")]
    NotAnObject,
    /// A member named twice in one object.
    #[error("has the member `{0}` twice")]
    Twice(String),
    /// A reference that does not exist.
    #[error("refers to `${0}`, which does not exist")]
    Unknown(String),
    /// `$data` with additions that are no object of references.
    #[error("adds `{0}` to the data, which is not a reference such as \"$resource.id\"")]
    Addition(String),
    /// More additions than rendering looks at.
    #[error("adds more than {max} members to the data", max = ADDITIONS_MAX)]
    Additions,
    /// A member `test` of its own beside the mark of test deliveries.
    #[error("has a member `test` that is not `$test`, so test deliveries could not be marked")]
    TestTaken,
}

/// The most members that an envelope may add to the data.
const ADDITIONS_MAX: usize = 64;

/// An envelope, read once.
#[derive(Clone, Debug)]
pub struct Envelope {
    template: Box<str>,
    steps: Vec<Step>,
    literal_bytes: usize,
}

impl Envelope {
    /// Reads a template.
    ///
    /// # Errors
    /// When it is no JSON object or refers to something that does not exist.
    pub fn parse(template: &str) -> Result<Self, EnvelopeError> {
        let steps = compile::steps(template)?;
        let literal_bytes = steps.iter().map(|s| if let Step::Literal(t) = s { t.len() } else { 0 }).sum();
        Ok(Envelope { template: template.trim().into(), steps, literal_bytes })
    }

    /// The template as it was written: a JSON object.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The body, in a new buffer.
    #[must_use]
    pub fn render(&self, input: &RenderInput<'_>) -> String {
        /// Room for ids, times and names around the data, in bytes.
        const VALUES_BYTES: usize = 256;
        let room = self.literal_bytes + input.data.len() + input.changes.map_or(0, str::len) + VALUES_BYTES;
        let mut out = String::with_capacity(room);
        self.render_into(input, &mut out);
        out
    }

    /// Appends the body.
    pub fn render_into(&self, input: &RenderInput<'_>, out: &mut String) {
        for step in &self.steps {
            match step {
                Step::Literal(text) => out.push_str(text),
                Step::Value(reference) => reference.write(input, out),
                Step::Comma => comma_unless_first(out),
                Step::DataWith(additions) => write_data_with(additions, input, out),
                Step::Optional { reference, .. } if reference.is_absent(input) => {}
                Step::Optional { comma, name, reference } => {
                    match comma {
                        Comma::Always => out.push(','),
                        Comma::UnlessFirst => comma_unless_first(out),
                    }
                    out.push_str(name);
                    reference.write(input, out);
                }
            }
        }
    }
}

fn comma_unless_first(out: &mut String) {
    if !out.ends_with(['{', '[']) {
        out.push(',');
    }
}

/// Adds the members at the front, so that the data's own bytes follow untouched.
fn write_data_with(additions: &[Addition], input: &RenderInput<'_>, out: &mut String) {
    let names: Vec<&str> = additions.iter().map(|a| a.name.as_str()).collect();
    let Some(has) = present(input.data, &names) else {
        out.push_str(input.data);
        return;
    };
    let Some((_, own)) = input.data.split_once('{') else { return };
    out.push('{');
    for (index, addition) in additions.iter().enumerate() {
        let left_out = addition.optional && addition.reference.is_absent(input);
        if has & (1 << index) != 0 || left_out {
            continue;
        }
        comma_unless_first(out);
        write_string(&addition.name, out);
        out.push(':');
        addition.reference.write(input, out);
    }
    if !own.trim_start().starts_with('}') {
        comma_unless_first(out);
    }
    out.push_str(own);
}

#[cfg(test)]
mod tests;
