//! What goes on after its request was answered: recoveries, erasures, and how far they have come.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::{Action, EndpointId, OperationId, Scope};

use crate::call::{Call, json};
use crate::paging::{Page, Query};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::operation::{ErasureRequest, OperationBody, OperationMade, RecoverRequest, RecoveryPreview};

/// Recover what an endpoint missed
///
/// Sends again, from now on, everything of a span that did not succeed: deliveries that failed, with their schedule from its beginning, and events
/// that made no delivery because the endpoint was paused, disabled or not there yet, by the subscription that it has now. What is pending is left
/// alone, and nothing is made twice. It goes beside what comes in, and waits where that has much to do. With `dry_run` nothing is sent: the
/// answer tells how much that would be. 409 when the endpoint is not active, or is being recovered already. Needs `deliveries:write`.
#[utoipa::path(post, path = "/v1/organizations/{org}/endpoints/{endpoint}/recover", operation_id = "recoverEndpoint", tag = "Deliveries",
    params(("org" = String, Path, description = "The organisation's id"), ("endpoint" = String, Path, description = "The endpoint's id")),
    request_body = RecoverRequest,
    responses((status = 202, description = "It has begun", body = OperationMade),
        (status = 200, description = "How much that would be, for a `dry_run`", body = RecoveryPreview)))]
pub(crate) async fn recover(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesWrite)?;
    let endpoint: EndpointId = call.id("endpoint", "endpoint")?;
    app.store().endpoint(&organization, endpoint).await?.ok_or_else(|| Problem::missing("endpoint"))?;
    let now = app.now();
    let request = call.read(RecoverRequest::FIELDS, |fields| RecoverRequest::read(fields, now))?;
    let (since, until) = (request.since, request.until);
    if request.dry_run {
        let preview = app.engine().preview_recovery(&organization, endpoint, since, until).await?;
        return json(StatusCode::OK, &RecoveryPreview::new(&preview));
    }
    let audit = call.audit(&app, Action::RECOVERY_BEGUN, endpoint);
    let operation = app.engine().recover(&organization, endpoint, since, until, audit).await?;
    json(StatusCode::ACCEPTED, &OperationMade::new(&operation))
}

/// Erase a record
///
/// Removes everything about one record, `contact:42` say, that was accepted up to now: its events with their data, what is pending of them, and
/// what was sent and answered in their attempts; that deliveries were made, when, and how they ended stays listed. An event about
/// several records goes as a whole. Once the operation has succeeded nothing of it is sent any more. It cannot be undone. Needs `deliveries:write`.
#[utoipa::path(post, path = "/v1/organizations/{org}/erasures", operation_id = "eraseRecord", tag = "Events",
    params(("org" = String, Path, description = "The organisation's id")),
    request_body = ErasureRequest,
    responses((status = 202, description = "It has begun", body = OperationMade)))]
pub(crate) async fn erase(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesWrite)?;
    app.organization(&organization).await?;
    let request = call.read(ErasureRequest::FIELDS, ErasureRequest::read)?;
    let audit = |id| call.audit(&app, Action::ERASURE_BEGUN, id);
    let operation = app.engine().erase(&organization, request.record, audit).await?;
    json(StatusCode::ACCEPTED, &OperationMade::new(&operation))
}

/// List operations
///
/// Recoveries and erasures, newest first. Needs `deliveries:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/operations", operation_id = "listOperations", tag = "Deliveries",
    params(("org" = String, Path, description = "The organisation's id"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = Page<OperationBody>)))]
pub(crate) async fn list(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesRead)?;
    let mut query = Query::read(call.query(), &["limit", "cursor"]);
    let place = query.place("operations");
    query.finish()?;
    let request = place.request()?;
    app.organization(&organization).await?;
    let page = app.store().operations(&organization, request).await?;
    json(StatusCode::OK, &place.page(&page, OperationBody::new))
}

/// Read an operation
///
/// How far it has come. Needs `deliveries:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/operations/{operation}", operation_id = "readOperation", tag = "Deliveries",
    params(("org" = String, Path, description = "The organisation's id"), ("operation" = String, Path, description = "The operation's id")),
    responses((status = 200, description = "The operation", body = OperationBody)))]
pub(crate) async fn read(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesRead)?;
    Query::read(call.query(), &[]).finish()?;
    let id: OperationId = call.id("operation", "operation")?;
    let operation = app.store().operation(&organization, id).await?.ok_or_else(|| Problem::missing("operation"))?;
    json(StatusCode::OK, &OperationBody::new(&operation))
}
