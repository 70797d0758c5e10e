//! Deliveries: listed, shown with every attempt, sent again.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::{Action, DeliveryId, EndpointId, EventId, OrganizationId, Scope};
use postrider_engine::Retry;
use postrider_store::{DeliveryDetail, DeliveryFilter};

use crate::call::{Call, json};
use crate::code::Code;
use crate::paging::{Page, Query, whole};
use crate::problem::{Kind, Problem};
use crate::search::search;
use crate::state::{App, Running};
use crate::wire::delivery::{DeliveryBody, DeliveryDetailBody, read_status};
use crate::wrong::Wrong;

const FILTERS: &[&str] = &[
    "endpoint",
    "event",
    "type",
    "status",
    "status_code",
    "resource",
    "since",
    "until",
    "test",
    "search",
    "limit",
    "cursor",
];

const ENDPOINT_DELETED: &str = "the endpoint of this delivery was deleted, so that it cannot be sent again; make an endpoint and recover what it missed";
const EVENT_GONE: &str =
    "the event of this delivery is not kept any more, so that it cannot be sent again; publish it once more";

/// List deliveries
///
/// Newest first. A `search` looks at a bounded number of deliveries, of those that the other filters leave: a page may hold few or none and
/// still have a `next_cursor`, which goes on where it ended. Needs `deliveries:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/deliveries", operation_id = "listDeliveries", tag = "Deliveries",
    params(
        ("org" = String, Path, description = "The organisation's id"),
        ("endpoint" = Option<String>, Query, description = "To this endpoint"),
        ("event" = Option<String>, Query, description = "Of this event"),
        ("type" = Option<String>, Query, description = "Of this type, as the endpoint's contract names it"),
        ("status" = Option<crate::wire::delivery::StatusWord>, Query, description = "In this state"),
        ("resource" = Option<String>, Query, description = "About this record", example = "deal:42"),
        ("since" = Option<String>, Query, description = "Made at or after this moment (RFC 3339)"),
        ("until" = Option<String>, Query, description = "Made before this moment (RFC 3339)"),
        ("status_code" = Option<u16>, Query, minimum = 100, maximum = 599, description = "With this status code as the last answer's"),
        ("search" = Option<String>, Query, description = "Of this id or event id, or with this text in the last attempt's URL, error or status code; at most 200 characters"),
        ("test" = Option<bool>, Query, description = "Tests alone, or none of them"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = Page<DeliveryBody>)))]
pub(crate) async fn list(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesRead)?;
    let mut query = Query::read(call.query(), FILTERS);
    let filter = DeliveryFilter {
        endpoint: query.parsed("endpoint", str::parse::<EndpointId>),
        event: query.parsed("event", str::parse::<EventId>),
        event_type: query.text("type"),
        status: query.parsed("status", read_status),
        resource: query.resource("resource"),
        since: query.moment("since"),
        until: query.moment("until"),
        test: query.parsed("test", read_bool),
        status_code: query.parsed("status_code", |text| whole(text, 100, 599)),
    };
    let text = query.searched();
    let place = query.place("deliveries");
    query.finish()?;
    let request = place.request()?;
    app.organization(&organization).await?;
    let page = match text {
        Some(text) => search(app.store(), &organization, filter, &text, request).await?,
        None => app.store().deliveries(&organization, &filter, request).await?,
    };
    json(StatusCode::OK, &place.page(&page, DeliveryBody::new))
}

/// Read a delivery
///
/// With the exact request that was sent, and every attempt. Needs `deliveries:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/deliveries/{delivery}", operation_id = "readDelivery", tag = "Deliveries",
    params(("org" = String, Path, description = "The organisation's id"), ("delivery" = String, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery", body = DeliveryDetailBody)))]
pub(crate) async fn read(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesRead)?;
    Query::read(call.query(), &[]).finish()?;
    let detail = detail(&app, &organization, call.id("delivery", "delivery")?).await?;
    let body = app.engine().request_body(&organization, &detail).await?;
    json(StatusCode::OK, &DeliveryDetailBody::new(&detail, body.as_ref()))
}

/// Retry a delivery
///
/// One more attempt now, whatever its state and its endpoint's; the schedule is kept. 409 when its endpoint was deleted, or when its event is
/// not kept any more. Needs `deliveries:write`.
#[utoipa::path(post, path = "/v1/organizations/{org}/deliveries/{delivery}/retry", operation_id = "retryDelivery", tag = "Deliveries",
    params(("org" = String, Path, description = "The organisation's id"), ("delivery" = String, Path, description = "The delivery's id")),
    responses((status = 202, description = "An attempt is under way", body = DeliveryBody)))]
pub(crate) async fn retry(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesWrite)?;
    call.nothing_more()?;
    let id: DeliveryId = call.id("delivery", "delivery")?;
    let audit = call.audit(&app, Action::DELIVERY_RETRIED, id);
    match app.engine().retry(&organization, id, audit).await? {
        Retry::Asked => {}
        Retry::UnknownDelivery => return Err(Problem::missing("delivery")),
        Retry::EndpointDeleted => return Err(Problem::new(Kind::WrongState, ENDPOINT_DELETED)),
        Retry::EventGone => return Err(Problem::new(Kind::WrongState, EVENT_GONE)),
    }
    let detail = detail(&app, &organization, id).await?;
    json(StatusCode::ACCEPTED, &DeliveryBody::new(&detail.delivery))
}

fn read_bool(text: &str) -> Result<bool, Wrong> {
    text.parse().map_err(|_| Code::none_of(["true", "false"], "must be true or false"))
}

async fn detail(app: &Running, organization: &OrganizationId, id: DeliveryId) -> Result<DeliveryDetail, Problem> {
    app.store().delivery(organization, id).await?.ok_or_else(|| Problem::missing("delivery"))
}
