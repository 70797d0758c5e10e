//! Events: published one by one or in batches, listed, read; and the catalogue that they are checked against.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::{EventId, OrganizationId, Scope};
use postrider_engine::{AcceptError, IncomingEvent};
use postrider_store::EventFilter;
use postrider_traces::Span;

use crate::call::{Call, json};
use crate::code::Code;
use crate::event_ids::{self, Source};
use crate::fields::list_size;
use crate::idempotency::key_reused;
use crate::paging::{Page, Query};
use crate::problem::{Kind, Problem, accept_problem};
use crate::state::{App, Running};
use crate::wire::contract::EventTypeBody;
use crate::wire::event::{AcceptedBatch, AcceptedEvent, EventBatch, EventBody, EventDetailBody, PublishedEvent};
use crate::wire::routing::RoutedBody;

/// Publish an event
///
/// When this is answered with 202, the event and its deliveries are on disk. Needs `events:write`.
#[utoipa::path(post, path = "/v1/organizations/{org}/events", operation_id = "publishEvent", tag = "Events",
    params(("org" = String, Path, description = "The organisation's id")),
    request_body = PublishedEvent,
    responses((status = 202, description = "Accepted", body = AcceptedEvent)))]
pub(crate) async fn publish(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let mut span =
        call.begin_span(&app, "POST /v1/organizations/{org}/events", "POST", "/v1/organizations/{org}/events");
    let answer = publish_one(&app, &call, span.as_mut()).await;
    Call::end_span(&app, span, &answer);
    answer
}

async fn publish_one(app: &Running, call: &Call, span: Option<&mut Span>) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EventsWrite)?;
    let event = call.read(PublishedEvent::FIELDS, PublishedEvent::read)?;
    let accepted = accept(app, call, &organization, vec![event], span, |_| String::new()).await?;
    let one = accepted.into_iter().next().ok_or_else(|| Problem::internal("the engine accepted no event of one"))?;
    json(StatusCode::ACCEPTED, &one)
}

/// Publish several events
///
/// All are stored, or none. Needs `events:write`.
#[utoipa::path(post, path = "/v1/organizations/{org}/events/batch", operation_id = "publishEvents", tag = "Events",
    params(("org" = String, Path, description = "The organisation's id")),
    request_body = EventBatch,
    responses((status = 202, description = "Accepted, in the order sent", body = AcceptedBatch)))]
pub(crate) async fn publish_batch(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let route = "/v1/organizations/{org}/events/batch";
    let mut span = call.begin_span(&app, "POST /v1/organizations/{org}/events/batch", "POST", route);
    let answer = publish_several(&app, &call, span.as_mut()).await;
    Call::end_span(&app, span, &answer);
    answer
}

async fn publish_several(app: &Running, call: &Call, span: Option<&mut Span>) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EventsWrite)?;
    let bytes_max = app.limits().event_bytes_max;
    let mut too_large = None;
    let read = call.read(EventBatch::FIELDS, |fields| {
        let count_max = app.limits().batch_events_max;
        let events = fields.objects("events", count_max, PublishedEvent::FIELDS, |index, text, fields| {
            if text.len() > bytes_max && too_large.is_none() {
                too_large = Some(index);
            }
            PublishedEvent::read(fields)
        });
        if events.is_empty() && fields.raw("events") == Some("[]") {
            fields.wrong("events", list_size("must not be empty".to_owned(), 1, count_max, 0));
        }
        events
    });
    if let Some(index) = too_large {
        let detail = format!("has more than {bytes_max} bytes, the most that one event may have");
        let wrong = Code::EventTooLarge.says(detail).with("max", bytes_max);
        return Err(Problem::field(Kind::TooLarge, format!("/events/{index}"), wrong));
    }
    let data = accept(app, call, &organization, read?, span, |index| format!("/events/{index}")).await?;
    json(StatusCode::ACCEPTED, &AcceptedBatch { data })
}

async fn accept(
    app: &Running,
    call: &Call,
    organization: &OrganizationId,
    mut events: Vec<IncomingEvent>,
    mut span: Option<&mut Span>,
    at: impl Fn(usize) -> String,
) -> Result<Vec<AcceptedEvent>, Problem> {
    if let Some(span) = &mut span {
        span.set("postrider.organization.id", organization.as_str());
    }
    let given = match &call.idempotency_key {
        Some(key) => {
            let source = Source { organization, identity: call.caller.identity(), key };
            event_ids::give(app, source, &mut events).await?
        }
        None => Vec::new(),
    };
    match app.engine().accept_for(organization, events, span).await {
        Ok(accepted) => Ok(accepted.into_iter().map(AcceptedEvent::from).collect()),
        // The caller does not know the id: it is the key that was used before.
        Err(AcceptError::EventDiffers { index, .. }) if given.get(index) == Some(&true) => Err(key_reused()),
        Err(error) => Err(accept_problem(error, at)),
    }
}

/// List events
///
/// Newest first, without their data. Needs `deliveries:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/events", operation_id = "listEvents", tag = "Events",
    params(
        ("org" = String, Path, description = "The organisation's id"),
        ("type" = Option<String>, Query, description = "Of this type, as it was published"),
        ("resource" = Option<String>, Query, description = "About this record", example = "deal:42"),
        ("since" = Option<String>, Query, description = "Accepted at or after this moment (RFC 3339)"),
        ("until" = Option<String>, Query, description = "Accepted before this moment (RFC 3339)"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = Page<EventBody>)))]
pub(crate) async fn list(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesRead)?;
    let mut query = Query::read(call.query(), &["type", "resource", "since", "until", "limit", "cursor"]);
    let filter = EventFilter {
        event_type: query.text("type"),
        resource: query.resource("resource"),
        since: query.moment("since"),
        until: query.moment("until"),
    };
    let place = query.place("events");
    query.finish()?;
    let request = place.request()?;
    app.organization(&organization).await?;
    let page = app.store().events(&organization, &filter, request).await?;
    json(StatusCode::OK, &place.page(&page, |row| EventBody::new(row)))
}

/// Read an event
///
/// Needs `deliveries:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/events/{event}", operation_id = "readEvent", tag = "Events",
    params(("org" = String, Path, description = "The organisation's id"), ("event" = String, Path, description = "The event's id")),
    responses((status = 200, description = "The event, with its data exactly as it was sent", body = EventDetailBody)))]
pub(crate) async fn read(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesRead)?;
    let id: EventId = call.id("event", "event")?;
    Query::read(call.query(), &[]).finish()?;
    let found = app.store().event(&organization, &id).await?.ok_or_else(|| Problem::missing("event"))?;
    json(StatusCode::OK, &EventDetailBody::new(&found))
}

/// See where an event went
///
/// Every endpoint that there is, newest first, with why it received the event or did not, decided with today's configuration; `since_changed`
/// says that the endpoint was changed after the event was accepted. Needs `deliveries:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/events/{event}/routing", operation_id = "readEventRouting", tag = "Events",
    params(("org" = String, Path, description = "The organisation's id"), ("event" = String, Path, description = "The event's id"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = Page<RoutedBody>)))]
pub(crate) async fn routing(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesRead)?;
    let id: EventId = call.id("event", "event")?;
    let mut query = Query::read(call.query(), &["limit", "cursor"]);
    let place = query.place(&format!("routing of {id}"));
    query.finish()?;
    let page = app.engine().routing(&organization, &id, place.request()?).await?;
    let page = page.ok_or_else(|| Problem::missing("event"))?;
    json(StatusCode::OK, &place.page(&page, RoutedBody::new))
}

/// List event types
///
/// The catalogue of the organisation's contract. Needs `endpoints:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/event-types", operation_id = "listEventTypes", tag = "Events",
    params(("org" = String, Path, description = "The organisation's id"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page of the catalogue, by name", body = Page<EventTypeBody>)))]
pub(crate) async fn event_types(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EndpointsRead)?;
    let mut query = Query::read(call.query(), &["limit", "cursor"]);
    let place = query.place("event-types");
    query.finish()?;
    let after = place.after_name()?;
    let organization = app.organization(&organization).await?;
    let missing = || Problem::internal(format!("contract {:?} is not loaded", organization.contract));
    let contract = app.contracts().get(&organization.contract).ok_or_else(missing)?;
    let mut types: Vec<_> = contract.event_types().iter().collect();
    types.sort_by(|a, b| a.name.cmp(&b.name));
    types.retain(|event_type| after.as_ref().is_none_or(|after| event_type.name > *after));
    json(StatusCode::OK, &place.page_by_name(types, |event_type| &event_type.name, EventTypeBody::new))
}
