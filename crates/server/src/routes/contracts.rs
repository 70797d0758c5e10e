//! Contracts: listed, one shown with what it promises, and how its receivers verify. Every credential may read them.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_contract::SecretKind;

use crate::call::{Call, json};
use crate::code::Code;
use crate::paging::{Page, Query};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::contract::{ContractBody, ContractDetailBody};
use crate::wire::verification::VerificationsBody;

/// List contracts
///
/// By name. Any credential may.
#[utoipa::path(get, path = "/v1/contracts", operation_id = "listContracts", tag = "Contracts",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = Page<ContractBody>)))]
pub(crate) async fn list(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let mut query = Query::read(call.query(), &["limit", "cursor"]);
    let place = query.place("contracts");
    query.finish()?;
    let after = place.after_name()?.unwrap_or_default();
    let rows: Vec<_> = app.contracts().iter().filter(|contract| contract.name() > after.as_str()).collect();
    json(StatusCode::OK, &place.page_by_name(rows, |row| row.name(), |row| ContractBody::new(row)))
}

/// Read a contract
///
/// With its catalogue, plans, limits, schedule and rules. Any credential may.
#[utoipa::path(get, path = "/v1/contracts/{name}", operation_id = "readContract", tag = "Contracts",
    params(("name" = String, Path, description = "The contract's name")),
    responses((status = 200, description = "The contract", body = ContractDetailBody)))]
pub(crate) async fn read(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    Query::read(call.query(), &[]).finish()?;
    let contract = app.contracts().get(call.name("name")).ok_or_else(|| Problem::missing("contract"))?;
    json(StatusCode::OK, &ContractDetailBody::new(contract))
}

/// Read a contract's receivers
///
/// A short, whole program for each language that receives this contract's webhooks and verifies them. It reads the webhook's secret from its
/// environment. Any credential may.
#[utoipa::path(get, path = "/v1/contracts/{name}/verification", operation_id = "readContractVerification", tag = "Contracts",
    params(("name" = String, Path, description = "The contract's name"),
        ("secret_kind" = Option<String>, Query, description = "What secrets begin with, where the contract has several kinds, such as `whsk_`; the first kind when left out")),
    responses((status = 200, description = "One for each language", body = VerificationsBody)))]
pub(crate) async fn verification(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let mut query = Query::read(call.query(), &["secret_kind"]);
    let contract = app.contracts().get(call.name("name")).ok_or_else(|| Problem::missing("contract"))?;
    let kinds: Vec<_> = contract.secret_kinds().map(SecretKind::prefix).collect();
    let kind = query.parsed("secret_kind", |kind| {
        contract.secret_kind(kind).map_err(|error| Code::none_of(kinds.iter().copied(), error.to_string()))
    });
    query.finish()?;
    let body = VerificationsBody::new(contract, kind).map_err(Problem::internal)?;
    json(StatusCode::OK, &body)
}
