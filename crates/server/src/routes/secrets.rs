//! Signing secrets: rotated, and the rotation confirmed (002, "Rotate Secrets"; contracts.md, reading 6).

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::{Action, OverlapOpen, Scope};

use crate::auth::random_bytes;
use crate::call::{Call, json, no_content};
use crate::changing::Changing;
use crate::fields::Fields;
use crate::problem::{Kind, Problem};
use crate::state::App;
use crate::time::Moment;
use crate::wire::secret::{ConfirmRequest, RotateRequest, RotatedBody};

/// Rotate an endpoint's secret
///
/// From now on two secrets sign: the new one, and for 24 hours the old one, so that receivers can be updated meanwhile. A receiver that holds
/// either of them verifies at every moment. Confirm the rotation once the receivers have the new secret. Also sets the first secret of an
/// endpoint whose contract lets deliveries go unsigned.
///
/// While an overlap is open another rotation is refused with 409, except with `"overlap": "0s"`: that is for a secret that leaked, and the new
/// one signs alone at once. Needs `endpoints:write`.
#[utoipa::path(post, path = "/v1/organizations/{org}/endpoints/{endpoint}/secret/rotate", operation_id = "rotateSecret", tag = "Endpoints",
    params(("org" = String, Path, description = "The organisation's id"), ("endpoint" = String, Path, description = "The endpoint's id")),
    request_body(content = Option<RotateRequest>),
    responses((status = 200, description = "Rotated", body = RotatedBody)))]
pub(crate) async fn rotate(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EndpointsWrite)?;
    let _edit = app.edit(&organization).await;
    let random = random_bytes()?;
    let mut changing =
        Changing::of(&app, &call, (&organization, call.id("endpoint", "endpoint")?), Action::SECRET_ROTATED);
    loop {
        let before = changing.endpoint().await?;
        let contract = app.contract_of(&before)?;
        let read = |fields: &mut Fields<'_, '_>| RotateRequest::read(fields, contract, &before, &random);
        let asked = call.read_optional(RotateRequest::FIELDS, read)?;
        let secret = asked.secret.ok_or_else(|| Problem::internal("a rotation was read without a secret"))?;
        let mut after = before.clone();
        let expires_at = after.rotate(secret.clone(), asked.overlap, app.now()).map_err(still_open)?;
        if changing.is_written(&before, &mut after).await? {
            return json(StatusCode::OK, &RotatedBody::new(&secret, contract, expires_at));
        }
    }
}

/// Confirm a rotation
///
/// Says that the receivers verify with the new secret. It becomes the first of the two that sign; the old one goes on working until its 24 hours are
/// over, or shorter with `overlap`: `{"overlap": "0s"}` ends it at once. Confirming twice changes nothing. Needs `endpoints:write`.
#[utoipa::path(post, path = "/v1/organizations/{org}/endpoints/{endpoint}/secret/confirm", operation_id = "confirmRotation", tag = "Endpoints",
    params(("org" = String, Path, description = "The organisation's id"), ("endpoint" = String, Path, description = "The endpoint's id")),
    request_body(content = Option<ConfirmRequest>),
    responses((status = 204, description = "Confirmed")))]
pub(crate) async fn confirm(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EndpointsWrite)?;
    let _edit = app.edit(&organization).await;
    let mut changing =
        Changing::of(&app, &call, (&organization, call.id("endpoint", "endpoint")?), Action::ROTATION_CONFIRMED);
    loop {
        let before = changing.endpoint().await?;
        let asked = call.read_optional(ConfirmRequest::FIELDS, ConfirmRequest::read)?;
        let mut after = before.clone();
        if !after.confirm_rotation(asked.overlap, app.now()) {
            let detail = "no rotation is open: the endpoint's present secret signs alone; there is nothing to confirm";
            return Err(Problem::new(Kind::NoRotation, detail));
        }
        if changing.is_written(&before, &mut after).await? {
            return Ok(no_content());
        }
    }
}

fn still_open(open: OverlapOpen) -> Problem {
    let detail = format!(
        "the rotation before this one is open until {}: the secret before it still works; wait, or end it with \
         POST …/secret/confirm {{\"overlap\": \"0s\"}}, or, after a leak, rotate with \"overlap\": \"0s\"",
        Moment(open.ends_at)
    );
    Problem::new(Kind::RotationOpen, detail)
}
