//! What every answer passes: the language is chosen before it is made, refusals are put into words, and headers keep it harmless.

use std::io::Write as _;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderName, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue};
use postrider_texts::{LANGUAGES, choose, choose_of_header};

use crate::app::App;
use crate::origin::is_our_own;
use crate::refusal::Refusal;
use crate::say::Say;
use crate::session::cookie;
use crate::viewer::in_memory;

/// What a page in a frame says its language with; it has no cookies.
pub(crate) const LANGUAGE_HEADER: &str = "x-postrider-language";
/// Where the dashboard's own pages keep the language that was chosen.
pub(crate) const LANGUAGE_COOKIE: &str = "postrider-language";

/// What htmx says of itself in its requests, and is told of where to put an answer.
const BY_SCRIPT: HeaderName = HeaderName::from_static("hx-request");
const PUT_INTO: HeaderName = HeaderName::from_static("hx-retarget");
const PUT_HOW: HeaderName = HeaderName::from_static("hx-reswap");

/// Nothing but our own files, and no script or style within a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'";

/// Who may show a page in a frame; nobody, unless a page says otherwise with this beside its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct FramedBy(pub(crate) Vec<String>);

/// An answer that holds a secret is not compressed: its length would tell of it (the BREACH attack).
#[derive(Clone, Copy, Debug)]
pub(crate) struct HoldsSecret;

/// The layer of pages.
pub(crate) async fn edge(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let say = Say::new(language(request.headers()));
    let is_by_script = request.headers().contains_key(BY_SCRIPT);
    request.extensions_mut().insert(say);
    let mut response =
        if is_forged(&app, &request) { Refusal::OtherSite.into_response() } else { next.run(request).await };
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        response = refusal.page(say);
        if is_by_script {
            // Whatever piece was asked for: a refusal takes the place of the whole page.
            response.headers_mut().insert(PUT_INTO, HeaderValue::from_static("body"));
            response.headers_mut().insert(PUT_HOW, HeaderValue::from_static("innerHTML show:top"));
        }
    }
    put_headers(&app, &mut response);
    response
}

/// Whether another site made the browser send it: the one place where that is asked, before any route. With a session that is held in memory there is nothing to forge.
fn is_forged(app: &App, request: &Request) -> bool {
    let headers = request.headers();
    in_memory(headers).is_none() && !is_our_own(request.method(), headers, app.public_origin())
}

fn language(headers: &HeaderMap) -> &'static str {
    let known = |wanted: &str| LANGUAGES.contains(&wanted).then(|| choose(Some(wanted)));
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let held = text(LANGUAGE_HEADER).and_then(known);
    let chosen = || cookie(headers, LANGUAGE_COOKIE).and_then(known);
    let wished = || text(ACCEPT_LANGUAGE.as_str()).and_then(choose_of_header);
    held.or_else(chosen).or_else(wished).unwrap_or(LANGUAGES[0])
}

fn put_headers(app: &App, response: &mut Response) {
    let framed_by = response.extensions_mut().remove::<FramedBy>().unwrap_or_default().0;
    let ancestors = if framed_by.is_empty() { "'none'".to_owned() } else { framed_by.join(" ") };
    let policy = format!("{POLICY}; frame-ancestors {ancestors}");
    let headers = response.headers_mut();
    // Origins are checked when they are saved; one that is no header text frames nothing.
    let strict = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap_or(strict));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.append(VARY, HeaderValue::from_static("accept-language, cookie"));
    if app.is_secure() {
        headers.insert("strict-transport-security", HeaderValue::from_static("max-age=31536000"));
    }
}

/// The largest answer that is compressed, in bytes; pages are a fraction of it.
const COMPRESSED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The smallest that is worth it.
const COMPRESSED_BYTES_MIN: usize = 512;

/// Whether a browser takes what [`gzip`] makes.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let takes =
        |value: &HeaderValue| value.to_str().is_ok_and(|text| text.split(',').any(|part| part.trim() == "gzip"));
    headers.get(ACCEPT_ENCODING).is_some_and(takes)
}

/// Compressed.
pub(crate) fn gzip(plain: &[u8], how: Compression) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 3), how);
    encoder.write_all(plain)?;
    encoder.finish()
}

/// The layer that sends pages compressed to browsers that take it.
pub(crate) async fn compress(request: Request, next: Next) -> Response {
    let is_taken = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    let holds_secret = response.extensions_mut().remove::<HoldsSecret>().is_some();
    let of_text = |value: &HeaderValue| {
        value.to_str().is_ok_and(|kind| kind.starts_with("text/") || kind.starts_with("application/json"))
    };
    let is_text = response.headers().get(CONTENT_TYPE).is_some_and(of_text);
    if !is_taken || holds_secret || !is_text {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // Bodies are made in memory and smaller than this; one that is not is a fault of ours.
    let Ok(plain) = to_bytes(body, COMPRESSED_BYTES_MAX).await else {
        return http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if plain.len() < COMPRESSED_BYTES_MIN {
        return Response::from_parts(head, Body::from(plain));
    }
    let Ok(compressed) = gzip(&plain, Compression::default()) else {
        return Response::from_parts(head, Body::from(plain));
    };
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(compressed))
}
