//! Sessions: of whoever looks at the dashboard, or has another credential and wants one that ends by itself.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::auth::{Caller, Shown, Standing};
use crate::call::{Call, json};
use crate::limits::SESSION_S_MAX;
use crate::paging::Query;
use crate::pass::{Member, Pass, PassKind};
use crate::problem::{Kind, Problem};
use crate::state::{App, Running};
use crate::token::Token;
use crate::wire::session::{NewSession, SessionBody};

/// Begin a session
///
/// The answer holds `token`, here and never again. It is accepted wherever the credential is that asked for it and may do the same; it ends with that credential, and
/// after 8 hours at the latest. Needs the operator key, a token (JWT), or the token of a portal link or of another session.
#[utoipa::path(post, path = "/v1/sessions", operation_id = "createSession", tag = "Dashboard",
    request_body(content = Option<NewSession>),
    responses((status = 201, description = "Begun", body = SessionBody)))]
pub(crate) async fn create(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let mut standing = standing(&call)?;
    let asked = call.read_optional(NewSession::FIELDS, NewSession::read)?;
    let latest = app.now() + Duration::from_secs(SESSION_S_MAX);
    let expires_at = standing.expires_at.map_or(latest, |end| end.min(latest));
    standing.expires_at = Some(expires_at);
    standing.locale = asked.locale.or(standing.locale);
    let member = match &standing.token {
        Some(token) => Some(member(&app, &call.shown, token).await?),
        None => None,
    };
    let (locale, endpoint) = (standing.locale.clone(), standing.endpoint);
    let pass = Pass { kind: PassKind::Session, member, locale, endpoint, expires_at };
    let text = app.give_out(&pass).await?;
    json(StatusCode::CREATED, &SessionBody::new(&standing, Some(&text)))
}

/// Read one's own session
///
/// Who the credential of this request lets in, and until when. Needs any credential but an organisation key.
#[utoipa::path(get, path = "/v1/session", operation_id = "readSession", tag = "Dashboard",
    responses((status = 200, description = "Who is looking", body = SessionBody)))]
pub(crate) async fn read(State(_): State<App>, call: Call) -> Result<Response, Problem> {
    let standing = standing(&call)?;
    Query::read(call.query(), &[]).finish()?;
    json(StatusCode::OK, &SessionBody::new(&standing, None))
}

/// Who the caller is to a person's eyes; an organisation key is a program's.
fn standing(call: &Call) -> Result<Standing, Problem> {
    let token = match &call.caller {
        Caller::Operator => None,
        Caller::Token(token) => Some(Arc::clone(token)),
        Caller::Key(_) => {
            let detail =
                "an organization key has no session; use the operator key, a JWT, or a portal or session token";
            return Err(Problem::new(Kind::Forbidden, detail));
        }
    };
    Ok(call.shown.standing(token))
}

/// The member whose the new session is: as the pass before it says, or of the organisation as it is there now.
async fn member(app: &Running, shown: &Shown, token: &Arc<Token>) -> Result<Member, Problem> {
    if let Some(member) = shown.pass().and_then(|(pass, _)| pass.member.clone()) {
        return Ok(member);
    }
    let organization_made_at = app.organization(&token.organization).await?.created_at;
    Ok(Member { token: Arc::clone(token), organization_made_at })
}
