//! Making a webhook, and changing one.

mod condition;
mod draft;
mod headers;
mod judge;
mod picker;
mod wrong;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use http::{Method, StatusCode};
use serde_json::Value;

use self::draft::{Draft, RATE_LIMIT_PER_S_MAX, SecretChoice, choices};
use self::judge::{Previewed, preview};
use self::picker::Picker;
use self::wrong::Wrongs;
use super::{Head, Tab, created};
use crate::api::{ApiError, Checked, Contract, Endpoint};
use crate::app::App;
use crate::edge::HoldsSecret;
use crate::form::Form;
use crate::page::{Page, Place, html};
use crate::refusal::{Refusal, onward};
use crate::viewer::{Viewer, segment};

#[derive(Template)]
#[template(path = "webhook/form.html")]
struct FormPage {
    page: Page,
    /// What stands above it when it is about a webhook that is there.
    head: Option<Head>,
    contract: Contract,
    draft: Draft,
    picker: Picker,
    wrongs: Wrongs,
    preview: Option<Previewed>,
}

impl FormPage {
    fn new(page: Page, head: Option<Head>, contract: Contract, draft: Draft) -> Self {
        let picker = Picker::new(&contract, &draft.events, draft.others.as_deref());
        FormPage { page, head, contract, draft, picker, wrongs: Wrongs::default(), preview: None }
    }

    /// Where the form is sent to.
    fn action(&self) -> String {
        let base = self.page.base();
        match &self.head {
            Some(head) => format!("{base}/webhooks/{}/edit", head.endpoint.id),
            None => format!("{base}/webhooks/new"),
        }
    }

    /// Where one leaves it to.
    fn back(&self) -> String {
        let base = self.page.base();
        match &self.head {
            Some(head) => format!("{base}/webhooks/{}", head.endpoint.id),
            None => format!("{base}/webhooks"),
        }
    }

    /// What is said of a field while it is filled in is asked about this webhook.
    fn about(&self) -> String {
        self.head.as_ref().map(|head| format!("&endpoint={}", segment(&head.endpoint.id))).unwrap_or_default()
    }

    fn secrets(&self) -> Vec<SecretChoice> {
        if self.head.is_some() { Vec::new() } else { choices(&self.contract) }
    }

    /// The form as it was sent, which may hold a secret.
    fn sent(self, status: StatusCode) -> Response {
        let mut response = html(status, &self);
        response.extensions_mut().insert(HoldsSecret);
        response
    }

    fn refused(self, wrongs: Wrongs) -> Response {
        FormPage { wrongs, draft: self.draft.clone().again(), ..self }.sent(StatusCode::UNPROCESSABLE_ENTITY)
    }

    /// The form with what its filter would have let pass.
    async fn previewed(self, viewer: &Viewer, organization: &str) -> Result<Response, Refusal> {
        let preview = preview(viewer, organization, &self.draft, &self.contract.name).await?;
        Ok(FormPage { preview: Some(preview), ..self }.sent(StatusCode::OK))
    }
}

/// All that is about the form.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/o/{organization}/webhooks/new", get(new).post(create))
        .route("/o/{organization}/webhooks/check", post(judge::field))
        .route("/o/{organization}/webhooks/filter", post(judge::filter))
        .route("/o/{organization}/webhooks/{endpoint}/edit", get(edit).post(change))
}

/// A contract by its name.
pub(super) async fn contract(viewer: &Viewer, name: &str) -> Result<Contract, ApiError> {
    viewer.asker.get(&format!("/v1/contracts/{}", segment(name))).await
}

fn endpoints(organization: &str) -> String {
    format!("/v1/organizations/{}/endpoints", segment(organization))
}

async fn begin(viewer: &Viewer, organization: &str) -> Result<(Page, Contract), Refusal> {
    viewer.may_change()?;
    let page = viewer.enter(organization, Place::Webhooks, "webhooks-create").await?;
    let name = page.organization.as_ref().map(|organization| organization.contract.clone()).unwrap_or_default();
    Ok((page, contract(viewer, &name).await?))
}

/// `GET /o/{organization}/webhooks/new`
async fn new(viewer: Viewer, Path(organization): Path<String>) -> Result<Response, Refusal> {
    let (page, contract) = begin(&viewer, &organization).await?;
    let draft = Draft::new(&contract);
    Ok(html(StatusCode::OK, &FormPage::new(page, None, contract, draft)))
}

/// `POST /o/{organization}/webhooks/new`: the answer shows the secret, once.
async fn create(viewer: Viewer, Path(organization): Path<String>, form: Form) -> Result<Response, Refusal> {
    let (page, contract) = begin(&viewer, &organization).await?;
    let draft = Draft::read(&form, None);
    let shown = FormPage::new(page, None, contract, draft);
    if is_preview(&form) {
        return shown.previewed(&viewer, &organization).await;
    }
    let (body, key) = (shown.draft.creation(), shown.draft.idempotency_key.as_str());
    let key = Some(key).filter(|key| !key.is_empty());
    let path = endpoints(&organization);
    let made = match mistakes(&viewer, &organization, &shown.draft, &body).await? {
        Some(wrongs) => Err(wrongs),
        None => match viewer.asker.send::<Endpoint>(Method::POST, &path, &body, key).await {
            Ok(made) => Ok(made),
            Err(error) => Err(Wrongs::of_error(viewer.say, error, &shown.draft.events)?),
        },
    };
    match made {
        Ok(endpoint) => created::page(&viewer, shown.page, &shown.contract, endpoint).await,
        Err(wrongs) => Ok(shown.refused(wrongs)),
    }
}

async fn begin_edit(viewer: &Viewer, organization: &str, endpoint: &str) -> Result<(Page, Head, Contract), Refusal> {
    viewer.may_change()?;
    let (page, head) = Head::read(viewer, organization, endpoint, Tab::Edit).await?;
    let contract = contract(viewer, &head.endpoint.contract).await?;
    Ok((page, head, contract))
}

/// `GET /o/{organization}/webhooks/{endpoint}/edit`
async fn edit(viewer: Viewer, Path((organization, endpoint)): Path<(String, String)>) -> Result<Response, Refusal> {
    let (page, head, contract) = begin_edit(&viewer, &organization, &endpoint).await?;
    let draft = Draft::of(&head.endpoint);
    Ok(html(StatusCode::OK, &FormPage::new(page, Some(head), contract, draft)))
}

/// `POST /o/{organization}/webhooks/{endpoint}/edit`
async fn change(
    viewer: Viewer,
    Path((organization, endpoint)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Refusal> {
    let (page, head, contract) = begin_edit(&viewer, &organization, &endpoint).await?;
    let draft = Draft::read(&form, Some(&head.endpoint));
    let mut body = draft.change(&head.endpoint);
    let path = format!("{}/{}", endpoints(&organization), segment(&head.endpoint.id));
    let about = Value::from(head.endpoint.id.clone());
    let shown = FormPage::new(page, Some(head), contract, draft);
    if is_preview(&form) {
        return shown.previewed(&viewer, &organization).await;
    }
    if !shown.draft.mistakes().is_empty() {
        body["endpoint"] = about;
    }
    if let Some(wrongs) = mistakes(&viewer, &organization, &shown.draft, &body).await? {
        return Ok(shown.refused(wrongs));
    }
    match viewer.asker.tell(Method::PATCH, &path, Some(&body)).await {
        Ok(()) => Ok(onward(&shown.back())),
        Err(error) => Ok(shown.refused_by(viewer.say, error)?),
    }
}

impl FormPage {
    fn refused_by(self, say: crate::say::Say, error: ApiError) -> Result<Response, ApiError> {
        let wrongs = Wrongs::of_error(say, error, &self.draft.events)?;
        Ok(self.refused(wrongs))
    }
}

fn is_preview(form: &Form) -> bool {
    form.text("show") == Some("preview")
}

/// What is wrong that the API cannot be told, with everything else that is wrong; none when all of it can be told.
async fn mistakes(
    viewer: &Viewer,
    organization: &str,
    draft: &Draft,
    body: &Value,
) -> Result<Option<Wrongs>, ApiError> {
    let mut all = draft.mistakes();
    if all.is_empty() {
        return Ok(None);
    }
    let checked: Checked =
        viewer.asker.send(Method::POST, &format!("{}/check", endpoints(organization)), body, None).await?;
    all.extend(checked.errors);
    Ok(Some(Wrongs::new(viewer.say, &all, &draft.events)))
}
