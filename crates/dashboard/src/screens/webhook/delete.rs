//! A webhook's end, after its name was typed.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::{Method, StatusCode};

use super::{Head, Tab, api_path};
use crate::app::App;
use crate::form::Form;
use crate::mistakes::Mistakes;
use crate::page::{Page, html};
use crate::refusal::{Refusal, onward};
use crate::viewer::Viewer;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/o/{organization}/webhooks/{endpoint}/delete", get(show).post(delete))
}

#[derive(Template)]
#[template(path = "webhook/delete.html")]
struct Delete {
    page: Page,
    head: Head,
    form: Form,
    mistakes: Mistakes,
}

/// `GET …/delete`
async fn show(viewer: Viewer, Path((organization, endpoint)): Path<(String, String)>) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let (page, head) = Head::read(&viewer, &organization, &endpoint, Tab::Delete).await?;
    Ok(html(StatusCode::OK, &Delete { page, head, form: Form::default(), mistakes: Mistakes::default() }))
}

/// `POST …/delete`
async fn delete(
    viewer: Viewer,
    Path((organization, endpoint)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let (page, head) = Head::read(&viewer, &organization, &endpoint, Tab::Delete).await?;
    if !is_name(form.text("name").unwrap_or_default(), &head.endpoint.name) {
        let mistakes = Mistakes::one("name", viewer.say.text("delete-name-differs"));
        return Ok(html(StatusCode::UNPROCESSABLE_ENTITY, &Delete { page, head, form, mistakes }));
    }
    viewer.asker.tell(Method::DELETE, &api_path(&organization, &endpoint), None).await?;
    Ok(onward(&format!("{}/webhooks", page.base())))
}

/// Whether a webhook's name was typed. Browsers show a run of blanks as one, so that is how people type it.
fn is_name(typed: &str, name: &str) -> bool {
    !typed.is_empty() && typed.split_whitespace().eq(name.split_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_typed_as_it_is_shown() {
        assert!(is_name("Warehouse  sync", " Warehouse sync"));
        for typed in ["warehouse sync", "Warehouse", "", "Warehouse sync 2"] {
            assert!(!is_name(typed, "Warehouse sync"), "{typed}");
        }
        assert!(!is_name("", ""));
    }
}
