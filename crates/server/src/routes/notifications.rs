//! Notifications: what an organisation's own admins may say about the e-mail that goes to them.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::Scope;

use crate::call::{Call, json};
use crate::changing::change_organization;
use crate::paging::Query;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::notifications::{NotificationsBody, NotificationsChange};

/// Read who is notified
///
/// Whom the server writes to when an endpoint is in trouble. Needs `endpoints:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/notifications", operation_id = "readNotifications", tag = "Organisations",
    params(("org" = String, Path, description = "The organisation's id")),
    responses((status = 200, description = "Who is notified", body = NotificationsBody)))]
pub(crate) async fn read(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let id = call.organization(Scope::EndpointsRead)?;
    Query::read(call.query(), &[]).finish()?;
    json(StatusCode::OK, &NotificationsBody::from(app.organization(&id).await?))
}

/// Change who is notified
///
/// What is left out stays. Needs the operator key, or an admin's token.
#[utoipa::path(patch, path = "/v1/organizations/{org}/notifications", operation_id = "changeNotifications", tag = "Organisations",
    params(("org" = String, Path, description = "The organisation's id")),
    request_body = NotificationsChange,
    responses((status = 200, description = "Changed", body = NotificationsBody)))]
pub(crate) async fn change(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let id = call.organization_for_admin()?;
    let changed = change_organization(&app, &call, &id, |organization| {
        call.read(NotificationsChange::FIELDS, |fields| NotificationsChange::apply(fields, organization))
    });
    json(StatusCode::OK, &NotificationsBody::from(changed.await?))
}
