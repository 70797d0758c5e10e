//! Endpoints, checked before they are made or changed.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::{EndpointId, Scope};
use postrider_store::Configuration;

use crate::auth::random_bytes;
use crate::call::{Call, json};
use crate::fields::Fields;
use crate::problem::{Mistake, Problem};
use crate::routes::endpoints::{assembled, check_system_limit, read_parts};
use crate::state::{App, Running};
use crate::system_limit;
use crate::wire::endpoint::{EndpointChange, Rules};
use crate::wire::endpoint_check::{EndpointCheck, EndpointCheckedBody};

/// Check an endpoint
///
/// Every mistake that its creation (or, with `endpoint`, its change) would find in the given fields. What is left out is no mistake, and
/// nothing is made: a form can ask while somebody fills it in. How many endpoints the plan allows is told when one is made. Needs
/// `endpoints:write`.
#[utoipa::path(post, path = "/v1/organizations/{org}/endpoints/check", operation_id = "checkEndpoint", tag = "Endpoints",
    params(("org" = String, Path, description = "The organisation's id")),
    request_body = EndpointCheck,
    responses((status = 200, description = "What would be refused", body = EndpointCheckedBody)))]
pub(crate) async fn check(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let id = call.organization(Scope::EndpointsWrite)?;
    let seen = app.store().configuration(&id).await?.ok_or_else(|| Problem::missing("organization"))?;
    let (meant, _) = call.check(EndpointCheck::FIELDS, EndpointCheck::read_endpoint)?;
    let checked = match meant {
        Some(endpoint) => checked_change(&app, &call, &seen, endpoint),
        None => checked_new(&app, &call, &seen),
    };
    json(StatusCode::OK, &EndpointCheckedBody { errors: checked? })
}

fn checked_new(app: &Running, call: &Call, seen: &Configuration) -> Result<Vec<Mistake>, Problem> {
    let random = random_bytes()?;
    let read = |fields: &mut Fields<'_, '_>| {
        EndpointCheck::read_endpoint(fields);
        read_parts(app, fields, &seen.organization, &random)
    };
    let ((contract, parts), mistakes) = call.check(EndpointCheck::FIELDS, read)?;
    let (Some(contract), true) = (contract, mistakes.is_empty()) else { return Ok(mistakes) };
    let endpoint = assembled(app, &seen.organization.id, contract, parts);
    Ok(check_system_limit(&seen.endpoints, contract, &endpoint).err().map_or(mistakes, |problem| problem.mistakes))
}

fn checked_change(app: &Running, call: &Call, seen: &Configuration, id: EndpointId) -> Result<Vec<Mistake>, Problem> {
    let before =
        seen.endpoints.iter().find(|endpoint| endpoint.id == id).ok_or_else(|| Problem::missing("endpoint"))?;
    let contract = app.contract_of(before)?;
    let rules = Rules { contract: Some(contract), urls: &app.given.url_rules };
    let mut after = before.clone();
    let read = |fields: &mut Fields<'_, '_>| {
        EndpointCheck::read_endpoint(fields);
        EndpointChange::apply(fields, rules, &mut after, app.now());
    };
    let ((), mistakes) = call.check(EndpointCheck::FIELDS, read)?;
    if !mistakes.is_empty() || !system_limit::takes_more(before, &after) {
        return Ok(mistakes);
    }
    Ok(check_system_limit(&seen.endpoints, contract, &after).err().map_or(mistakes, |problem| problem.mistakes))
}
