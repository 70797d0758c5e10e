//! The receiver's page: embedded files, and headers that let them do nothing but show what arrived.

use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};

const HTML: &str = include_str!("page.html");
const JS: &str = include_str!("page.js");
const CSS: &str = include_str!("page.css");

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'",
);
const SAME_ORIGIN: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub(super) async fn html() -> Response {
    with_headers("text/html; charset=utf-8", HTML.into())
}

pub(super) async fn js() -> Response {
    with_headers("text/javascript; charset=utf-8", JS.into())
}

pub(super) async fn css() -> Response {
    with_headers("text/css; charset=utf-8", CSS.into())
}

/// An answer that is never kept, never read as another type, and never used by another site.
pub(super) fn with_headers(content_type: &'static str, body: Vec<u8>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (SAME_ORIGIN, HeaderValue::from_static("same-origin")),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_nothing_its_policy_refuses() {
        for (file, text) in [("page.html", HTML), ("page.js", JS), ("page.css", CSS)] {
            assert!(!text.contains("://"), "{file} names another place");
        }
        for refused in ["innerHTML", "insertAdjacentHTML", "document.write", "eval(", ".style"] {
            assert!(!JS.contains(refused), "{refused}");
        }
        for refused in [" style=", " onclick=", "<style", "<script>"] {
            assert!(!HTML.contains(refused), "{refused}");
        }
    }
}
