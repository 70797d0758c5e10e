//! Where deliveries come from, for receivers that keep a firewall.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::{Call, json};
use crate::paging::Query;
use crate::problem::Problem;
use crate::state::App;

/// The addresses that the operator names.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EgressAddresses)]
pub(crate) struct EgressAddressesBody<'a> {
    /// Addresses and CIDR ranges; empty when the operator names none.
    #[schema(example = json!(["203.0.113.10"]))]
    data: &'a [String],
}

/// List egress addresses
///
/// What a receiver's firewall has to let in. Any credential may.
#[utoipa::path(get, path = "/v1/egress-addresses", operation_id = "listEgressAddresses", tag = "Deliveries",
    responses((status = 200, description = "The addresses that deliveries come from", body = EgressAddressesBody)))]
pub(crate) async fn list(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    Query::read(call.query(), &[]).finish()?;
    json(StatusCode::OK, &EgressAddressesBody { data: &app.given.egress_addresses })
}
