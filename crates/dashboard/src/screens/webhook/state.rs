//! A webhook paused, and made active.

use axum::extract::Path;
use axum::response::Response;
use http::Method;
use serde_json::json;

use crate::refusal::{Refusal, onward};
use crate::viewer::{Viewer, segment};

/// `POST /o/{organization}/webhooks/{endpoint}/pause`
pub(crate) async fn pause(viewer: Viewer, Path(of): Path<(String, String)>) -> Result<Response, Refusal> {
    change(&viewer, &of, false).await
}

/// `POST /o/{organization}/webhooks/{endpoint}/activate`
pub(crate) async fn activate(viewer: Viewer, Path(of): Path<(String, String)>) -> Result<Response, Refusal> {
    change(&viewer, &of, true).await
}

async fn change(viewer: &Viewer, of: &(String, String), is_enabled: bool) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let (organization, endpoint) = (segment(&of.0), segment(&of.1));
    let path = format!("/v1/organizations/{organization}/endpoints/{endpoint}");
    viewer.asker.tell(Method::PATCH, &path, Some(&json!({ "enabled": is_enabled }))).await?;
    Ok(onward(&format!("/o/{organization}/webhooks/{endpoint}")))
}
