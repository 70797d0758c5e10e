//! A webhook paused, and made active.

use axum::extract::Path;
use axum::response::Response;
use http::Method;
use serde_json::json;

use super::api_path;
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
    let (organization, endpoint) = of;
    let change = json!({ "enabled": is_enabled });
    viewer.asker.tell(Method::PATCH, &api_path(organization, endpoint), Some(&change)).await?;
    Ok(onward(&format!("/o/{}/webhooks/{}", segment(organization), segment(endpoint))))
}
