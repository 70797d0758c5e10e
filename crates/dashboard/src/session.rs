//! How people come in and leave.
//!
//! A portal link ends in `#token`, which browsers send to nobody. Its page takes the token out of the address bar at once and exchanges it for a session: on
//! the dashboard's own pages one in a cookie that no script can read, in a frame one that lives in the page's memory. Where scripts are off, people paste the
//! link, or a key, into a form.

mod cookies;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::request::Parts;
use http::{Method, StatusCode, Uri};
use postrider_texts::LANGUAGES;
use serde_json::{Value, json};

use crate::api::{ApiError, Asker, BegunSession, Session};
use crate::app::App;
use crate::edge::{FramedBy, LANGUAGE_COOKIE};
use crate::form::Form;
use crate::page::html;
use crate::refusal::{Refusal, onward};
use crate::say::Say;
use crate::viewer::{Viewer, segment};

pub(crate) use cookies::{cookie, session_cookie_name};
use cookies::{ended, kept};

#[derive(Template)]
#[template(path = "entrance.html")]
struct Entrance {
    say: Say,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    say: Say,
    next: String,
    is_refused: bool,
}

/// `GET /`: where somebody with a session begins.
pub(crate) async fn home(viewer: Viewer) -> Response {
    onward(&first_screen(&viewer.session))
}

fn first_screen(session: &Session) -> String {
    let Some(organization) = &session.organization else { return "/operator/organizations".to_owned() };
    let organization = segment(organization);
    match &session.endpoint {
        Some(endpoint) => format!("/o/{organization}/webhooks/{}", segment(endpoint)),
        None => format!("/o/{organization}/webhooks"),
    }
}

/// `GET /portal/{organization}`: what a portal link opens. The one page that may be in a frame.
pub(crate) async fn entrance(
    State(app): State<App>,
    Path(organization): Path<String>,
    axum::Extension(say): axum::Extension<Say>,
) -> Response {
    let mut response = html(StatusCode::OK, &Entrance { say });
    response.extensions_mut().insert(FramedBy(app.frames.ancestors(&organization).await));
    response
}

/// `GET /portal`: what the operator's link opens; never in a frame.
pub(crate) async fn operator_entrance(axum::Extension(say): axum::Extension<Say>) -> Response {
    html(StatusCode::OK, &Entrance { say })
}

/// `GET /sign-in`
pub(crate) async fn sign_in(uri: Uri, axum::Extension(say): axum::Extension<Say>) -> Response {
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    html(StatusCode::OK, &SignIn { say, next: own_path(query.text("next")), is_refused: false })
}

/// A path of ours, or none: never another site's.
fn own_path(wanted: Option<&str>) -> String {
    let is_own =
        |path: &&str| path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n', '\t']);
    wanted.filter(is_own).unwrap_or_default().to_owned()
}

/// `POST /session`: exchanges a credential for a session. `held=memory` asks for it in the answer, for a page in a frame.
pub(crate) async fn begin(
    State(app): State<App>,
    axum::Extension(say): axum::Extension<Say>,
    parts: Parts,
    form: Form,
) -> Result<Response, Response> {
    // Somebody may paste the whole link.
    let given = form.text("token").unwrap_or_default();
    let credential = given.rsplit('#').next().unwrap_or(given);
    let begun = match Asker::new(&app.api, &parts.extensions, &parts.headers, credential) {
        Some(asker) => asker.send::<BegunSession>(Method::POST, "/v1/sessions", &json!({}), None).await,
        None => return Ok(refused(say, &form)),
    };
    let begun = match begun {
        Ok(begun) => begun,
        Err(ApiError::Problem { status, .. }) if status.is_client_error() => return Ok(refused(say, &form)),
        Err(error) => return Err(Refusal::from(error).into_response()),
    };
    let wanted = own_path(form.text("next"));
    let next = if wanted.is_empty() { first_screen(&begun.session) } else { wanted };
    let language = begun.session.locale.as_deref();
    if form.text("held") == Some("memory") {
        return Ok(told(&json!({"token": begun.token, "next": next, "language": language})));
    }
    let mut response = match form.text("held") {
        Some("cookie") => told(&json!({"next": next})),
        _ => onward(&next),
    };
    let headers = response.headers_mut();
    headers.extend(kept(session_cookie_name(&app), &begun.token, &app).map(|value| (SET_COOKIE, value)));
    if let Some(language) = language.filter(|language| LANGUAGES.contains(language)) {
        headers.extend(kept(LANGUAGE_COOKIE, language, &app).map(|value| (SET_COOKIE, value)));
    }
    Ok(response)
}

/// An answer to our own script.
fn told(value: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn refused(say: Say, form: &Form) -> Response {
    if form.text("held").is_some() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    html(StatusCode::UNAUTHORIZED, &SignIn { say, next: own_path(form.text("next")), is_refused: true })
}

/// `POST /session/end`
pub(crate) async fn end(State(app): State<App>) -> Response {
    let mut response = onward("/sign-in");
    response.headers_mut().extend(ended(session_cookie_name(&app), &app).map(|value| (SET_COOKIE, value)));
    response
}

/// `POST /language`: for the dashboard's own pages; in a frame the page itself remembers.
pub(crate) async fn language(State(app): State<App>, form: Form) -> Response {
    let next = own_path(form.text("next"));
    let mut response = onward(if next.is_empty() { "/" } else { &next });
    if let Some(language) = form.text("language").filter(|language| LANGUAGES.contains(language)) {
        response.headers_mut().extend(kept(LANGUAGE_COOKIE, language, &app).map(|value| (SET_COOKIE, value)));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_to_our_own_pages_alone() {
        for path in ["/", "/o/acme/webhooks?status=failed"] {
            assert_eq!(own_path(Some(path)), path);
        }
        for path in ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\r\nb"]
        {
            assert_eq!(own_path(Some(path)), "", "{path}");
        }
    }
}
