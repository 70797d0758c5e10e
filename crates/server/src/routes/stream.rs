//! Streams: what a receiver missed, read instead of sent.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::{DeliveryId, EndpointId, Millis, Scope};
use postrider_engine::StreamPosition;

use crate::call::{Call, json};
use crate::code::Code;
use crate::limits::{PAGE_ROWS_DEFAULT, STREAM_ROWS_MAX, STREAM_WAIT_S_MAX};
use crate::paging::{Query, whole};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::stream::{StreamBody, read_position};
use crate::wrong::Wrong;

/// Read what an endpoint was or will be sent
///
/// All its deliveries but tests, oldest first, whatever became of them, each with its request: the same ids and body as every attempt, headers and signature
/// as the contract sends them, signed for this moment; without the endpoint's custom headers. Behind `after`: a page's `next_after`, a delivery's id, or
/// `now`; left out, from the oldest that is kept. When there is none, the answer waits for the next one, `wait` seconds at most. Each comes once to
/// who goes on with `next_after`, in the order in which they were accepted; one whose commit was overtaken comes a moment after its neighbours. Reading
/// changes nothing. Needs `deliveries:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/endpoints/{endpoint}/stream", operation_id = "streamEndpoint", tag = "Deliveries",
    params(("org" = String, Path, description = "The organisation's id"), ("endpoint" = String, Path, description = "The endpoint's id"),
        ("after" = Option<String>, Query, description = "`next_after` of a page, a delivery's id, or `now`"),
        ("wait" = Option<u32>, Query, minimum = 0, maximum = 30, description = "Seconds to wait when there is nothing"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100)),
    responses((status = 200, description = "A page", body = StreamBody)))]
pub(crate) async fn read(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::DeliveriesRead)?;
    let endpoint: EndpointId = call.id("endpoint", "endpoint")?;
    let mut query = Query::read(call.query(), &["after", "wait", "limit"]);
    let after = query.parsed("after", |text| place(text, app.now()));
    let wait_s = query.parsed("wait", |text| whole(text, 0, STREAM_WAIT_S_MAX)).unwrap_or(0);
    let limit = query.parsed("limit", |text| whole(text, 1, STREAM_ROWS_MAX)).unwrap_or(PAGE_ROWS_DEFAULT);
    query.finish()?;
    let after = after.unwrap_or_else(StreamPosition::oldest);
    let page = app.engine().stream(&organization, endpoint, after, limit, Duration::from_secs(wait_s)).await?;
    let page = page.ok_or_else(|| Problem::missing("endpoint"))?;
    json(StatusCode::OK, &StreamBody::new(&page))
}

fn place(text: &str, now: Millis) -> Result<StreamPosition, Wrong> {
    if text == "now" {
        return Ok(StreamPosition::at(now));
    }
    if let Ok(delivery) = text.parse::<DeliveryId>() {
        return Ok(StreamPosition::behind(delivery));
    }
    let wrong = || Code::PositionInvalid.says("must be `next_after` as it came, a delivery's id (dlv_…), or now");
    read_position(text).ok_or_else(wrong)
}
