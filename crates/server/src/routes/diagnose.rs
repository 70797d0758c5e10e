//! Diagnosis: the documents' troubleshooting as a request.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::{Action, EndpointId, Scope};

use crate::call::{Call, json};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::diagnosis::DiagnosisBody;
use crate::wire::test::TestRequest;

/// Diagnose an endpoint
///
/// Looks at everything that keeps it from receiving: its status, the rules for URLs, DNS with the guard's verdict on each address, a connection to each
/// that may be called, TLS and the certificate; and sends a test event where one can arrive, to look at its time, a redirect and whether the signature was
/// refused. Each check says what was found and what to do. Takes fifteen seconds and the contract's time for an attempt at most. Needs `endpoints:write`.
#[utoipa::path(post, path = "/v1/organizations/{org}/endpoints/{endpoint}/diagnose", operation_id = "diagnoseEndpoint", tag = "Endpoints",
    params(("org" = String, Path, description = "The organisation's id"), ("endpoint" = String, Path, description = "The endpoint's id")),
    request_body(content = Option<TestRequest>),
    responses((status = 200, description = "What was found", body = DiagnosisBody)))]
pub(crate) async fn diagnose(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EndpointsWrite)?;
    let id: EndpointId = call.id("endpoint", "endpoint")?;
    let request = call.read_optional(TestRequest::FIELDS, TestRequest::read)?;
    let audit = call.audit(&app, Action::ENDPOINT_DIAGNOSED, id);
    let diagnosis = app.engine().diagnose(&organization, id, request.r#type.as_deref(), audit).await?;
    json(StatusCode::OK, &DiagnosisBody::new(&diagnosis))
}
