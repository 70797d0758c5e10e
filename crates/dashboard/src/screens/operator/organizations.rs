//! The organisations there are, and making one.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use form_urlencoded::Serializer;
use http::{Method, StatusCode, Uri};
use serde_json::{Map, Value};

use super::plans;
use crate::api::{ApiError, Contract, List, OrganizationDetail};
use crate::app::App;
use crate::form::{Form, fresh_key};
use crate::mistakes::Mistakes;
use crate::page::{Page, Place, html};
use crate::refusal::{Refusal, onward};
use crate::screens::locales::{self, choices};
use crate::screens::webhooks::searchable;
use crate::viewer::{Viewer, segment};

const FIELDS: [&str; 6] = ["id", "name", "contract", "plan", "owner_email", "locale"];

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/operator/organizations", get(list).post(create))
        .route("/operator/organizations/new", get(new))
}

#[derive(Template)]
#[template(path = "operator/organizations.html")]
struct Organizations {
    page: Page,
    rows: Vec<OrganizationDetail>,
    next: Option<String>,
    search: String,
    deleted: Option<String>,
}

#[derive(Template)]
#[template(path = "operator/organization_new.html")]
struct NewOrganization {
    page: Page,
    form: Form,
    mistakes: Mistakes,
    contracts: Vec<Contract>,
    locales: Vec<locales::Choice>,
    idempotency_key: String,
}

async fn list(viewer: Viewer, uri: Uri) -> Result<Response, Refusal> {
    let page = viewer.enter_as_operator(Place::Organizations, "menu-organizations")?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let deleted = query.text("deleted").map(str::to_owned);
    let search = searchable(query.text("search").unwrap_or_default());
    let asked = query_of(&search, query.text("cursor"));
    let found: List<OrganizationDetail> = viewer.asker.get(&format!("/v1/organizations?{asked}")).await?;
    let mut rows = found.data;
    rows.retain(|row| row.id != search);
    if query.text("cursor").is_none() && !search.is_empty() {
        rows.splice(0..0, of_id(&viewer, &search).await?);
    }
    let next = found.next_cursor.map(|cursor| format!("/operator/organizations?{}", query_of(&search, Some(&cursor))));
    Ok(html(StatusCode::OK, &Organizations { page, rows, next, search, deleted }))
}

/// The one with exactly this id, which stands before all others, however old it is.
async fn of_id(viewer: &Viewer, id: &str) -> Result<Option<OrganizationDetail>, ApiError> {
    match viewer.asker.get(&format!("/v1/organizations/{}", segment(id))).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.status().is_client_error() => Ok(None),
        Err(error) => Err(error),
    }
}

fn query_of(search: &str, cursor: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    if !search.is_empty() {
        query.append_pair("search", search);
    }
    query.extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
    query.finish()
}

async fn new(viewer: Viewer) -> Result<Response, Refusal> {
    let (form, mistakes) = (Form::default(), Mistakes::default());
    show_new(&viewer, form, mistakes, StatusCode::OK).await
}

async fn show_new(viewer: &Viewer, form: Form, mistakes: Mistakes, status: StatusCode) -> Result<Response, Refusal> {
    let page = viewer.enter_as_operator(Place::Organizations, "organizations-new-title")?;
    let contracts = plans::all(viewer).await?;
    let locales = choices(form.text("locale"));
    let idempotency_key = fresh_key();
    Ok(html(status, &NewOrganization { page, form, mistakes, contracts, locales, idempotency_key }))
}

async fn create(viewer: Viewer, form: Form) -> Result<Response, Refusal> {
    viewer.enter_as_operator(Place::Organizations, "organizations-new-title")?;
    let sent = viewer
        .asker
        .send::<OrganizationDetail>(Method::POST, "/v1/organizations", &body_of(&form), form.text("idempotency_key"))
        .await;
    match sent {
        Ok(made) => Ok(onward(&format!("/operator/organizations/{}?made=1", segment(&made.id)))),
        Err(error) => {
            let mistakes = mistakes_of(&viewer, error)?;
            show_new(&viewer, form, mistakes, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// That an id is taken is about that field, though the API says it of the whole.
fn mistakes_of(viewer: &Viewer, error: ApiError) -> Result<Mistakes, ApiError> {
    if matches!(&error, ApiError::Problem { problem, .. } if problem.slug() == "exists") {
        return Ok(Mistakes::one("id", viewer.say.text("organizations-exists")));
    }
    Mistakes::of(viewer.say, error, &FIELDS)
}

/// What is left empty is left out. A plan is chosen as `contract:plan`, since each contract has its own.
fn body_of(form: &Form) -> Value {
    let texts = FIELDS.into_iter().filter(|name| *name != "plan");
    let mut body: Map<String, Value> =
        texts.filter_map(|name| Some((name.to_owned(), form.text(name)?.into()))).collect();
    let chosen = form.all("plan").find_map(|plan| plan.split_once(':'));
    if let Some((contract, plan)) = chosen {
        // A plan of another contract is the API's to refuse, in words.
        let plan = if form.text("contract").is_none_or(|named| named == contract) {
            plan.to_owned()
        } else {
            format!("{contract}:{plan}")
        };
        body.insert("plan".to_owned(), plan.into());
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_empty_is_left_out_and_a_plan_goes_with_its_own_contract() {
        assert_eq!(
            body_of(&Form::read(b"name=Acme&id=&plan=&contract=standard")),
            json!({"name": "Acme", "contract": "standard"})
        );
        let own = body_of(&Form::read(b"name=A&contract=standard&plan=standard%3Apro"));
        assert_eq!(own["plan"], "pro");
        let others = body_of(&Form::read(b"name=A&contract=standard&plan=leadbox%3Apro"));
        assert_eq!(others["plan"], "leadbox:pro");
    }
}
