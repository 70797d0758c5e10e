//! Whom the server writes to when a webhook is in trouble.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::{Method, StatusCode, Uri};
use serde_json::json;

use crate::api::Notifications;
use crate::app::App;
use crate::form::Form;
use crate::mistakes::Mistakes;
use crate::page::{Page, Place, html};
use crate::refusal::{Refusal, onward};
use crate::screens::locales::{Choice, choices};
use crate::viewer::{Viewer, segment};

const FIELDS: [&str; 2] = ["owner_email", "locale"];

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/o/{organization}/notifications", get(read).post(change))
}

#[derive(Template)]
#[template(path = "notifications.html")]
struct Screen {
    page: Page,
    form: Form,
    mistakes: Mistakes,
    locales: Vec<Choice>,
    is_saved: bool,
}

fn path_of(organization: &str) -> String {
    format!("/v1/organizations/{}/notifications", segment(organization))
}

async fn read(viewer: Viewer, Path(organization): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    let page = viewer.enter(&organization, Place::Notifications, "menu-notifications").await?;
    let now: Notifications = viewer.asker.get(&path_of(&organization)).await?;
    let form = Form::of([("owner_email", now.owner_email), ("locale", now.locale.clone())]);
    let is_saved = Form::read(uri.query().unwrap_or_default().as_bytes()).is_on("saved");
    let locales = choices(now.locale.as_deref());
    Ok(html(StatusCode::OK, &Screen { page, form, mistakes: Mistakes::default(), locales, is_saved }))
}

async fn change(viewer: Viewer, Path(organization): Path<String>, form: Form) -> Result<Response, Refusal> {
    viewer.may_change()?;
    // What is left empty is emptied.
    let body = json!({"owner_email": form.text("owner_email"), "locale": form.text("locale")});
    match viewer.asker.tell(Method::PATCH, &path_of(&organization), Some(&body)).await {
        Ok(()) => Ok(onward(&format!("/o/{}/notifications?saved=1", segment(&organization)))),
        Err(error) => {
            let mistakes = Mistakes::of(viewer.say, error, &FIELDS)?;
            let page = viewer.enter(&organization, Place::Notifications, "menu-notifications").await?;
            let locales = choices(form.text("locale"));
            let screen = Screen { page, form, mistakes, locales, is_saved: false };
            Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &screen))
        }
    }
}
