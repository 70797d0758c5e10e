//! Who is looking.

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::api::{ApiError, Asker, Organization, Role, Session};
use crate::app::App;
use crate::page::{Page, Place};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::session::{cookie, session_cookie_name};

/// Somebody with a session, asking for a screen.
#[derive(Clone)]
pub(crate) struct Viewer {
    pub(crate) session: Session,
    pub(crate) asker: Asker,
    pub(crate) say: Say,
    /// The path that was asked for, with its query.
    pub(crate) path: String,
    /// When it was asked for, in the server's time.
    pub(crate) now: Timestamp,
}

impl Viewer {
    /// An organisation's screen: what surrounds it. Someone else's organisation is like one that does not exist.
    pub(crate) async fn enter(&self, organization: &str, place: Place, title: &str) -> Result<Page, Refusal> {
        let organization: Organization =
            self.asker.get(&format!("/v1/organizations/{}", segment(organization))).await?;
        Ok(Page::new(self, place, self.say.text(title)).of(organization))
    }

    /// A screen of the operator's.
    pub(crate) fn enter_as_operator(&self, place: Place, title: &str) -> Result<Page, Refusal> {
        if self.session.role != Role::Operator {
            return Err(Refusal::Missing);
        }
        Ok(Page::new(self, place, self.say.text(title)))
    }

    /// Refuses whoever may only look.
    pub(crate) fn may_change(&self) -> Result<(), Refusal> {
        if self.session.role.may_change() { Ok(()) } else { Err(Refusal::ViewerOnly) }
    }
}

/// A path's segment that comes from a browser, so that it stays one in the API's path.
pub(crate) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The session's token, wherever the browser keeps it.
fn held_credential(app: &App, headers: &HeaderMap) -> Option<String> {
    let held = in_memory(headers).or_else(|| cookie(headers, session_cookie_name(app)));
    held.map(str::to_owned)
}

/// A token that a page keeps in its memory: our own script alone sends it.
pub(crate) fn in_memory(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

impl FromRequestParts<App> for Viewer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let signed_out =
            || Refusal::SignedOut { next: if parts.method.is_safe() { path.clone() } else { "/".to_owned() } };
        let credential = held_credential(app, &parts.headers).ok_or_else(signed_out)?;
        let asker = Asker::new(&app.api, &parts.extensions, &parts.headers, &credential).ok_or_else(signed_out)?;
        let session = match asker.get("/v1/session").await {
            Err(ApiError::Problem { status: StatusCode::UNAUTHORIZED, .. }) => return Err(signed_out()),
            other => other?,
        };
        let say = parts.extensions.get::<Say>().copied().unwrap_or_else(|| Say::new(""));
        Ok(Viewer { session, asker, say, path, now: app.now() })
    }
}
