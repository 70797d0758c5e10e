//! Filters, before they are saved.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::Scope;

use crate::call::{Call, json};
use crate::fields::Text;
use crate::limits::NAME_CHARS_MAX;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::organization::known_contract;
use crate::wire::preview::{FilterPreview, PreviewBody};

/// Preview a filter
///
/// How many of the organisation's recent events it would have let pass, with some of each. Nothing is sent. It tells of the data of events: needs
/// `deliveries:read`.
#[utoipa::path(post, path = "/v1/organizations/{org}/filters/preview", operation_id = "previewFilter", tag = "Endpoints",
    params(("org" = String, Path, description = "The organisation's id")),
    request_body = FilterPreview,
    responses((status = 200, description = "How it would have gone", body = PreviewBody)))]
pub(crate) async fn preview(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let id = call.organization(Scope::DeliveriesRead)?;
    let organization = app.organization(&id).await?;
    let request = call.read(FilterPreview::FIELDS, |fields| {
        let named = fields.text("contract", Text::line(1, NAME_CHARS_MAX));
        let named = named.as_ref().unwrap_or(&organization.contract);
        let contract = known_contract(fields, app.contracts(), Some(named));
        FilterPreview::read(fields, contract)
    })?;
    let request = request.ok_or_else(|| Problem::internal("a preview was read without its filter"))?;
    let preview = app.engine().preview(&id, request).await?;
    json(StatusCode::OK, &PreviewBody::new(&preview))
}
