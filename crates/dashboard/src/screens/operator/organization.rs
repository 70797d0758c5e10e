//! One organisation, as the operator sees it: opened, let people into, changed, deleted.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use http::{Method, StatusCode, Uri};
use serde_json::{Value, json};

use super::plans;
use crate::api::{Contract, OrganizationDetail};
use crate::app::App;
use crate::form::{Form, fresh_key};
use crate::mistakes::Mistakes;
use crate::page::{Page, Place, html};
use crate::refusal::{Refusal, onward};
use crate::screens::locales::{self, choices};
use crate::viewer::{Viewer, segment};

const FIELDS: [&str; 4] = ["name", "plan", "frame_ancestors", "event_validation"];
/// Whether events are checked, in the API's words.
const VALIDATIONS: [&str; 3] = ["off", "warn", "enforce"];

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/operator/organizations/{organization}", get(read).post(change))
        .route("/operator/organizations/{organization}/delete", post(delete))
}

#[derive(Template)]
#[template(path = "operator/organization.html")]
struct Screen {
    page: Page,
    organization: OrganizationDetail,
    contract: Contract,
    locales: Vec<locales::Choice>,
    form: Form,
    mistakes: Mistakes,
    idempotency_key: String,
    done: Option<&'static str>,
}

impl Screen {
    /// Where this screen is.
    fn base(&self) -> String {
        format!("/operator/organizations/{}", self.organization.id)
    }

    fn validations(&self) -> [&'static str; 3] {
        VALIDATIONS
    }
}

fn path_of(organization: &str) -> String {
    format!("/v1/organizations/{}", segment(organization))
}

async fn read(viewer: Viewer, Path(organization): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let done = [("made", "organization-made"), ("saved", "organization-saved")];
    let done = done.into_iter().find(|(name, _)| query.is_on(name)).map(|(_, text)| text);
    let screen = Screen { done, ..screen(&viewer, &organization, None, Mistakes::default()).await? };
    Ok(html(StatusCode::OK, &screen))
}

/// The screen, with the form as it was sent where it was refused.
pub(super) async fn show(
    viewer: &Viewer,
    organization: &str,
    form: Option<Form>,
    mistakes: Mistakes,
    status: StatusCode,
) -> Result<Response, Refusal> {
    Ok(html(status, &screen(viewer, organization, form, mistakes).await?))
}

async fn screen(
    viewer: &Viewer,
    organization: &str,
    form: Option<Form>,
    mistakes: Mistakes,
) -> Result<Screen, Refusal> {
    let page = viewer.enter_as_operator(Place::Organizations, "menu-organizations")?;
    let organization: OrganizationDetail = viewer.asker.get(&path_of(organization)).await?;
    let contract = plans::of(viewer, &organization.contract).await?;
    let form = form.unwrap_or_else(|| form_of(&organization));
    let (page, locales) = (page.titled(organization.name.clone()), choices(None));
    Ok(Screen { page, organization, contract, locales, form, mistakes, idempotency_key: fresh_key(), done: None })
}

fn form_of(organization: &OrganizationDetail) -> Form {
    Form::of([
        ("name", Some(organization.name.clone())),
        ("plan", organization.plan.clone()),
        ("frame_ancestors", Some(organization.frame_ancestors.join("\n"))),
        ("event_validation", Some(organization.event_validation.clone())),
    ])
}

async fn change(viewer: Viewer, Path(organization): Path<String>, form: Form) -> Result<Response, Refusal> {
    viewer.enter_as_operator(Place::Organizations, "menu-organizations")?;
    match viewer.asker.tell(Method::PATCH, &path_of(&organization), Some(&body_of(&form))).await {
        Ok(()) => Ok(onward(&format!("/operator/organizations/{}?saved=1", segment(&organization)))),
        Err(error) => {
            let mistakes = Mistakes::of(viewer.say, error, &FIELDS)?;
            show(&viewer, &organization, Some(form), mistakes, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// All that the form is about; an empty name is the API's to refuse.
fn body_of(form: &Form) -> Value {
    let origins: Vec<_> = form.value("frame_ancestors").split_whitespace().collect();
    json!({
        "name": form.text("name").unwrap_or_default(),
        "plan": form.text("plan"),
        "frame_ancestors": origins,
        "event_validation": form.text("event_validation").unwrap_or("off"),
    })
}

/// Whoever deletes one types its id.
async fn delete(viewer: Viewer, Path(organization): Path<String>, form: Form) -> Result<Response, Refusal> {
    viewer.enter_as_operator(Place::Organizations, "menu-organizations")?;
    if form.text("confirm") != Some(organization.as_str()) {
        let mistakes = Mistakes::one("confirm", viewer.say.text("organization-delete-differs"));
        return show(&viewer, &organization, None, mistakes, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    viewer.asker.tell(Method::DELETE, &path_of(&organization), None).await?;
    Ok(onward(&format!("/operator/organizations?deleted={}", segment(&organization))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_stand_in_lines_and_no_plan_is_none() {
        let form = Form::read(
            b"name=Acme&plan=&event_validation=warn&frame_ancestors=https://a.example%0D%0A%0D%0Ahttps://b.example",
        );
        let expected = json!({"name": "Acme", "plan": null, "event_validation": "warn",
            "frame_ancestors": ["https://a.example", "https://b.example"]});
        assert_eq!(body_of(&form), expected);
    }
}
