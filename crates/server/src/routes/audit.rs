//! The audit trail: an organisation's, and the operator's own.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::OrganizationId;
use postrider_store::AuditFilter;

use crate::call::{Call, json};
use crate::paging::{Page, Query};
use crate::problem::Problem;
use crate::state::{App, Running};
use crate::wire::audit::AuditEntryBody;

const FILTERS: &[&str] = &["actor", "object", "action", "since", "until", "limit", "cursor"];

/// List an organisation's audit trail
///
/// Every change of it, of its endpoints and keys, and what was sent by hand: who, what, when, before and after. Newest first. Needs the operator
/// key, or an admin's token.
#[utoipa::path(get, path = "/v1/organizations/{org}/audit", operation_id = "listAudit", tag = "Audit",
    params(
        ("org" = String, Path, description = "The organisation's id"),
        ("actor" = Option<String>, Query, description = "By `operator`, `system`, a key's id, or `jwt:` and a token's `sub`"),
        ("object" = Option<String>, Query, description = "To the object with this id"),
        ("action" = Option<String>, Query, description = "Of this kind", example = "endpoint.changed"),
        ("since" = Option<String>, Query, description = "At or after this moment (RFC 3339)"),
        ("until" = Option<String>, Query, description = "Before this moment (RFC 3339)"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = Page<AuditEntryBody>)))]
pub(crate) async fn list(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization_for_admin()?;
    page(&app, &call, Some(&organization)).await
}

/// List the operator's audit trail
///
/// What no organisation's own trail can tell: organisations that were deleted, and the operator key. Newest first. Needs the operator key.
#[utoipa::path(get, path = "/v1/audit", operation_id = "listOperatorAudit", tag = "Audit",
    params(
        ("actor" = Option<String>, Query, description = "By `operator` or `system`"),
        ("object" = Option<String>, Query, description = "To the object with this id"),
        ("action" = Option<String>, Query, description = "Of this kind", example = "organization.deleted"),
        ("since" = Option<String>, Query, description = "At or after this moment (RFC 3339)"),
        ("until" = Option<String>, Query, description = "Before this moment (RFC 3339)"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = Page<AuditEntryBody>)))]
pub(crate) async fn list_operators(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    call.caller.operator()?;
    page(&app, &call, None).await
}

async fn page(app: &Running, call: &Call, organization: Option<&OrganizationId>) -> Result<Response, Problem> {
    let mut query = Query::read(call.query(), FILTERS);
    let filter = AuditFilter {
        actor: query.text("actor"),
        object: query.text("object"),
        action: query.text("action"),
        since: query.moment("since"),
        until: query.moment("until"),
    };
    let place = query.place("audit");
    query.finish()?;
    let request = place.request()?;
    if let Some(id) = organization {
        app.organization(id).await?;
    }
    let page = app.store().audit(organization, &filter, request).await?;
    json(StatusCode::OK, &place.page(&page, AuditEntryBody::new))
}
