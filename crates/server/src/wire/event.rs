//! Events: published, answered, listed.

use postrider_domain::EventId;
use postrider_engine::{Accepted, IncomingEvent};
use postrider_store::{Event, EventDetail};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::fields::{Fields, Text, json_kind};
use crate::time::Moment;
use crate::wire::resource::{PublishedResource, ResourceBody};
use crate::wrong::Wrong;

/// An event as a CRM publishes it.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says how the object looks; it is read into the engine's type")]
pub(crate) struct PublishedEvent {
    /// The event type: a name of the organisation's contract, or one that the contract maps to such a name.
    #[schema(example = "deal.won")]
    r#type: String,
    /// What happened: kept, and passed on, with its numbers and order exactly as sent. Nested at most 64 deep.
    #[schema(value_type = Object)]
    data: serde_json::Value,
    /// The CRM's own id, of 1 to 128 visible ASCII characters. The same id again within 72 hours stores nothing new and is answered as the
    /// first was; 422 when its content differs.
    id: Option<String>,
    /// When it happened; now when left out.
    occurred_at: Option<Moment>,
    /// What it is about.
    resource: Option<PublishedResource>,
    /// Earlier values of the fields that an update modified, from which `changes` are made. Not beside `changes`.
    #[schema(value_type = Option<Object>)]
    previous: Option<serde_json::Value>,
    /// What an update modified: `{"<field>": {"previous": …, "current": …}}`.
    #[schema(value_type = Option<Object>)]
    changes: Option<serde_json::Value>,
}

impl PublishedEvent {
    pub(crate) const FIELDS: &[&str] = &["type", "data", "id", "occurred_at", "resource", "previous", "changes"];

    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> IncomingEvent {
        let event_type = fields.required_text("type", Text::line(1, postrider_domain::Subscription::BYTES_MAX));
        fields.require("data");
        IncomingEvent {
            event_type,
            data: object_text(fields, "data").unwrap_or_default(),
            id: fields.parsed::<EventId>("id"),
            occurred_at: fields.moment("occurred_at"),
            resource: fields.object("resource", PublishedResource::FIELDS, PublishedResource::read),
            previous: object_text(fields, "previous"),
            changes: object_text(fields, "changes"),
        }
    }
}

/// A member that is an object, byte for byte.
fn object_text(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<Box<str>> {
    let text = fields.raw(name)?;
    if !text.starts_with('{') {
        fields.wrong(name, Wrong::json_type("an object", json_kind(text)));
        return None;
    }
    Some(text.into())
}

/// Several events, all stored or none.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says how the object looks; it is read event by event")]
pub(crate) struct EventBatch {
    /// The events, at most 1,000 and 8 MiB together.
    #[schema(min_items = 1, max_items = 1000)]
    events: Vec<PublishedEvent>,
}

impl EventBatch {
    pub(crate) const FIELDS: &[&str] = &["events"];
}

/// An accepted event: it and its deliveries are on disk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AcceptedEvent {
    /// Its id.
    #[schema(example = "evt_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    id: String,
    /// How many endpoints it goes to.
    #[schema(example = 1)]
    deliveries_count: u32,
}

impl From<Accepted> for AcceptedEvent {
    fn from(accepted: Accepted) -> Self {
        AcceptedEvent { id: accepted.id.to_string(), deliveries_count: accepted.deliveries_count }
    }
}

/// Accepted events, in the order in which they were sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AcceptedBatch {
    pub(crate) data: Vec<AcceptedEvent>,
}

/// An event as lists show it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventBody {
    /// Its id.
    id: String,
    /// Its type, as the CRM published it.
    #[serde(rename = "type")]
    event_type: String,
    /// When it happened.
    occurred_at: Moment,
    /// When it was accepted.
    accepted_at: Moment,
    /// What it is about.
    #[schema(required = true, value_type = Option<ResourceBody>)]
    resource: Option<Box<RawValue>>,
    /// How many deliveries it made at once.
    deliveries_count: u32,
}

impl EventBody {
    pub(crate) fn new(detail: &EventDetail) -> Self {
        let event = &detail.event;
        EventBody {
            id: event.id.to_string(),
            event_type: event.event_type.to_string(),
            occurred_at: Moment(event.occurred_at),
            accepted_at: Moment(event.accepted_at),
            resource: resource_json(event.resource.as_ref()),
            deliveries_count: detail.deliveries_count,
        }
    }
}

/// A resource as finished JSON, so that a row does not borrow from what it was made of.
pub(crate) fn resource_json(resource: Option<&postrider_domain::Resource>) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(&ResourceBody::from(resource?)).ok()
}

/// An event with what it holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventWithData)]
pub(crate) struct EventDetailBody<'a> {
    #[serde(flatten)]
    event: EventBody,
    /// What happened, exactly as it was sent.
    #[schema(required = true, value_type = Object)]
    data: Option<&'a RawValue>,
    /// What an update modified.
    #[schema(required = true, value_type = Option<Object>)]
    changes: Option<&'a RawValue>,
}

impl<'a> EventDetailBody<'a> {
    pub(crate) fn new(detail: &'a EventDetail) -> Self {
        let Event { data, changes, .. } = detail.event.as_ref();
        let as_it_is = |text: &'a str| serde_json::from_str::<&RawValue>(text).ok();
        EventDetailBody {
            event: EventBody::new(detail),
            data: as_it_is(data),
            changes: changes.as_deref().and_then(as_it_is),
        }
    }
}
