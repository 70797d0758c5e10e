//! How the whole is doing, for the operator.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::call::{Call, json};
use crate::paging::Query;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::status::StatusBody;

/// Read the status
///
/// The nodes that share the store, what waits to be delivered, and how the source is. It looks at a bounded number of rows, so it may be asked every few seconds; a source's
/// database that does not answer takes it two seconds. Needs the operator key.
#[utoipa::path(get, path = "/v1/status", operation_id = "readStatus", tag = "Operation",
    responses((status = 200, description = "The status", body = StatusBody)))]
pub(crate) async fn read(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    call.caller.operator()?;
    Query::read(call.query(), &[]).finish()?;
    let look = async {
        match &app.given.source {
            Some(source) => Some(source.look().await),
            None => None,
        }
    };
    let (status, source) = tokio::join!(app.engine().status(), look);
    json(StatusCode::OK, &StatusBody::new(&status?, source.as_ref()))
}
