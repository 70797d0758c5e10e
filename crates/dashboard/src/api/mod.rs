//! The API, asked in the same process.

mod types;

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt as _;

pub(crate) use types::*;

/// The largest answer that is read, in bytes: a full page of deliveries is a fraction of it.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Travel from the browser's request to the API's, so that logs and the audit trail tell whose it is.
const PASSED_ON: [&str; 3] = ["x-request-id", "x-forwarded-for", "forwarded"];
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Why the API did not give what was asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// It said so.
    #[error("{status}: {}", problem.detail)]
    Problem { status: StatusCode, problem: Problem },
    /// Its answer is none that this program knows.
    #[error("the answer of {path} cannot be read: {reason}")]
    Unreadable { path: String, reason: String },
}

impl ApiError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            ApiError::Problem { status, .. } => *status,
            ApiError::Unreadable { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Asks the API for somebody.
#[derive(Clone)]
pub(crate) struct Asker {
    router: Router,
    extensions: Extensions,
    passed_on: HeaderMap,
    credential: HeaderValue,
}

impl Asker {
    /// For whom the credential stands; none when it cannot stand in a header.
    pub(crate) fn new(router: &Router, extensions: &Extensions, headers: &HeaderMap, credential: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {credential}")).ok()?;
        value.set_sensitive(true);
        let passed_on =
            PASSED_ON.into_iter().filter_map(|name| Some((HeaderName::from_static(name), headers.get(name)?.clone())));
        Some(Asker {
            router: router.clone(),
            extensions: extensions.clone(),
            passed_on: passed_on.collect(),
            credential: value,
        })
    }

    /// Reads.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        read(path, &self.ask(Method::GET, path, None, None).await?)
    }

    /// Sends a body and reads the answer.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        idempotency_key: Option<&str>,
    ) -> Result<T, ApiError> {
        read(path, &self.ask(method, path, Some(body), idempotency_key).await?)
    }

    /// Sends what has no answer but that it is done.
    pub(crate) async fn tell(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(), ApiError> {
        self.ask(method, path, body, None).await.map(|_| ())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        idempotency_key: Option<&str>,
    ) -> Result<Bytes, ApiError> {
        let unreadable = |reason: String| ApiError::Unreadable { path: path.to_owned(), reason };
        let text = body.map(Value::to_string).unwrap_or_default();
        let mut request = Request::builder().method(method).uri(path).body(Body::from(text));
        let request = request.as_mut().map_err(|error| unreadable(error.to_string()))?;
        *request.extensions_mut() = self.extensions.clone();
        let headers = request.headers_mut();
        headers.extend(self.passed_on.clone());
        headers.insert(AUTHORIZATION, self.credential.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(key) = idempotency_key.and_then(|key| HeaderValue::from_str(key).ok()) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        let request = std::mem::take(request);
        let response = self.router.clone().oneshot(request).await;
        let response = response.unwrap_or_else(|never| match never {});
        let status = response.status();
        let answer =
            to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.map_err(|error| unreadable(error.to_string()))?;
        if status.is_success() {
            return Ok(answer);
        }
        Err(ApiError::Problem { status, problem: read(path, &answer)? })
    }
}

fn read<T: DeserializeOwned>(path: &str, answer: &Bytes) -> Result<T, ApiError> {
    let text: &[u8] = if answer.is_empty() { b"null" } else { answer };
    serde_json::from_slice(text)
        .map_err(|error| ApiError::Unreadable { path: path.to_owned(), reason: error.to_string() })
}
