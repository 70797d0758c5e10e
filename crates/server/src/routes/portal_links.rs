//! Portal links: the CRM makes one for a person, who is let in with it for a while.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use zeroize::Zeroizing;

use crate::call::{Call, json};
use crate::code::Code;
use crate::pass::{Member, Pass, PassKind};
use crate::problem::{Kind, Problem};
use crate::state::App;
use crate::time::Moment;
use crate::token::Token;
use crate::wire::session::{NewPortalLink, PortalLinkBody};

/// What the audit trail calls whoever came by a portal link.
const SUBJECT: &str = "portal";

/// Make a portal link
///
/// Opens the dashboard for this one organisation, on its own or in a frame (see the organisation's `frame_ancestors`), until it ends. Give it to one person and make it
/// when they ask for it. It cannot be taken back, but ends at once when the organisation is deleted. Needs the operator key, a session of the operator, or an admin's JWT;
/// a portal token and any other session cannot make one.
#[utoipa::path(post, path = "/v1/organizations/{org}/portal-links", operation_id = "createPortalLink", tag = "Dashboard",
    params(("org" = String, Path, description = "The organisation's id")),
    request_body = NewPortalLink,
    responses((status = 201, description = "Made", body = PortalLinkBody)))]
pub(crate) async fn create(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let id = call.organization_for_admin()?;
    // An operator's session belongs to no organisation, and does what the operator key does.
    if call.shown.pass().is_some_and(|(pass, _)| pass.member.is_some()) {
        let detail = "what was let in by a portal link or a token cannot make a portal link; use the operator key, an operator's session, or an admin's JWT";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    let new = call.read(NewPortalLink::FIELDS, NewPortalLink::read)?;
    let role = new.role.ok_or_else(|| Problem::internal("a link was read without a role"))?;
    let organization = app.organization(&id).await?;
    if let Some(endpoint) = new.endpoint
        && app.store().endpoint(&id, endpoint).await?.is_none()
    {
        return Err(Problem::field(
            Kind::InvalidFields,
            "/endpoint",
            Code::EndpointUnknown.says("is no endpoint of this organization"),
        ));
    }
    let expires_at = app.now() + new.expires_in;
    let token = Token { organization: id.clone(), role, system: None, subject: Some(SUBJECT.to_owned()), expires_at };
    let member = Member { token: Arc::new(token), organization_made_at: organization.created_at };
    let (locale, endpoint) = (new.locale, new.endpoint);
    let pass = Pass { kind: PassKind::Portal, member: Some(member), locale, endpoint, expires_at };
    let text = app.give_out(&pass).await?;
    let url = Zeroizing::new(format!("{}/portal/{id}#{}", app.given.public_url, *text));
    json(StatusCode::CREATED, &PortalLinkBody { url: &url, expires_at: Moment(expires_at) })
}
