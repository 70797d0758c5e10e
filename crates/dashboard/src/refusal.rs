//! Answers that are not the screen that was asked for.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;

use crate::api::ApiError;
use crate::page::html;
use crate::say::Say;

/// Why there is no screen.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// Nobody is known, or not any more.
    SignedOut {
        /// Where to go on afterwards.
        next: String,
    },
    /// Another site made the browser send it.
    OtherSite,
    /// It is for people who may change things.
    ViewerOnly,
    /// There is no such thing, or it is somebody else's.
    Missing,
    /// The API said no.
    Api(ApiError),
    /// A template could not be filled in.
    Unwritable(String),
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Refusal::Api(error)
    }
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    say: Say,
    title: String,
    text: String,
    detail: Option<String>,
    is_signed_out: bool,
    next: String,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::SignedOut { .. } => StatusCode::UNAUTHORIZED,
            Refusal::OtherSite | Refusal::ViewerOnly => StatusCode::FORBIDDEN,
            Refusal::Missing => StatusCode::NOT_FOUND,
            Refusal::Api(error) => error.status(),
            Refusal::Unwritable(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The part of the messages' names that tells kinds apart.
    fn name(&self) -> &'static str {
        match (self, self.status().as_u16()) {
            (Refusal::SignedOut { .. }, _) => "signed-out",
            (Refusal::OtherSite, _) => "other-site",
            (Refusal::ViewerOnly, _) => "viewer-only",
            (_, 404) => "missing",
            (_, 403) => "forbidden",
            (_, 409) => "conflict",
            (_, 429 | 503) => "busy",
            (_, 400..=499) => "wrong",
            _ => "fault",
        }
    }

    /// In words.
    pub(crate) fn page(self, say: Say) -> Response {
        let status = self.status();
        if status.is_server_error() {
            let cause = match &self {
                Refusal::Api(error) => error.to_string(),
                Refusal::Unwritable(error) => error.clone(),
                _ => String::new(),
            };
            tracing::error!(status = status.as_u16(), cause, "a screen could not be shown");
        }
        let name = self.name();
        let detail = match &self {
            Refusal::Api(ApiError::Problem { problem, .. }) if name == "wrong" || name == "conflict" => {
                Some(problem.detail.clone())
            }
            _ => None,
        };
        let next = if let Refusal::SignedOut { next } = &self { next.clone() } else { String::new() };
        html(
            status,
            &RefusalPage {
                say,
                title: say.text(&format!("refused-{name}-title")),
                text: say.text(&format!("refused-{name}")),
                detail,
                is_signed_out: matches!(self, Refusal::SignedOut { .. }),
                next,
            },
        )
    }
}

impl IntoResponse for Refusal {
    /// The words are put in by the layer, which knows the language.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// On to another screen after something was done.
pub(crate) fn onward(path: &str) -> Response {
    Redirect::to(path).into_response()
}
