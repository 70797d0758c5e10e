//! Portal links, which let one person into one organisation.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::post;
use http::{Method, StatusCode};
use serde_json::json;

use super::organization::show;
use crate::api::PortalLink;
use crate::app::App;
use crate::edge::HoldsSecret;
use crate::form::Form;
use crate::mistakes::Mistakes;
use crate::page::{Page, Place, html};
use crate::refusal::Refusal;
use crate::viewer::{Viewer, segment};

const FIELDS: [&str; 3] = ["role", "expires_in", "locale"];

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/operator/organizations/{organization}/portal-links", post(create))
}

#[derive(Template)]
#[template(path = "operator/portal_link.html")]
struct Made {
    page: Page,
    organization: String,
    made: PortalLink,
}

/// Shows the link in the answer itself: a redirect would have to carry it.
async fn create(viewer: Viewer, Path(organization): Path<String>, form: Form) -> Result<Response, Refusal> {
    let page = viewer.enter_as_operator(Place::Organizations, "link-made-title")?;
    let path = format!("/v1/organizations/{}/portal-links", segment(&organization));
    let mut body = json!({"role": form.text("role"), "expires_in": form.text("expires_in")});
    if let Some(locale) = form.text("locale") {
        body["locale"] = locale.into();
    }
    match viewer.asker.send::<PortalLink>(Method::POST, &path, &body, form.text("idempotency_key")).await {
        Ok(made) => {
            let mut response = html(StatusCode::CREATED, &Made { page, organization, made });
            response.extensions_mut().insert(HoldsSecret);
            Ok(response)
        }
        Err(error) => {
            let mistakes = Mistakes::of(viewer.say, error, &FIELDS)?;
            show(&viewer, &organization, None, mistakes, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}
