//! Moving the clock, in builds for tests alone.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::body;
use crate::call::json;
use crate::code::Code;
use crate::fields::read_body;
use crate::problem::Problem;
use crate::state::App;

#[derive(Debug, Serialize)]
struct Now {
    now_ms: i64,
}

/// The time.
pub(crate) async fn read(State(app): State<App>) -> Result<Response, Problem> {
    json(StatusCode::OK, &Now { now_ms: app.now().0 })
}

/// Moves the clock forward by `ms` milliseconds.
pub(crate) async fn advance(State(app): State<App>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let (bytes, _share) = body::read(&app, &headers, body, app.limits().request_bytes_max).await?;
    let ms = read_body(&bytes, &["ms"], |fields| {
        fields.require("ms");
        let ms = fields.raw("ms").and_then(|text| text.parse::<u64>().ok());
        if ms.is_none() && fields.raw("ms").is_some() {
            fields.wrong("ms", Code::NumberRange.says("must be a whole number of milliseconds").with("min", 0_u32));
        }
        ms
    })?;
    app.given.clock.advance(Duration::from_millis(ms.unwrap_or_default()));
    json(StatusCode::OK, &Now { now_ms: app.now().0 })
}
