//! An organisation's API keys: listed, made, shown once, deleted.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::{Method, StatusCode, Uri};
use serde_json::{Value, json};

use crate::api::{Key, List, MadeKey};
use crate::app::App;
use crate::edge::HoldsSecret;
use crate::form::{Form, fresh_key};
use crate::mistakes::Mistakes;
use crate::page::{Page, Place, html};
use crate::refusal::{Refusal, onward};
use crate::viewer::{Viewer, segment};

/// What a key may be allowed, in the order in which it is offered.
const SCOPES: [&str; 5] = ["events:write", "endpoints:read", "endpoints:write", "deliveries:read", "deliveries:write"];
const FIELDS: [&str; 3] = ["name", "scopes", "expires_at"];
/// More than one organisation can have.
const KEYS_MAX: usize = 250;

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/o/{organization}/keys", get(list).post(create))
        .route("/o/{organization}/keys/new", get(new))
        .route("/o/{organization}/keys/{key}/delete", get(ask_delete).post(delete))
}

#[derive(Template)]
#[template(path = "keys.html")]
struct Keys {
    page: Page,
    rows: Vec<Key>,
    next: Option<String>,
    is_deleted: bool,
}

#[derive(Template)]
#[template(path = "key_new.html")]
struct NewKey {
    page: Page,
    form: Form,
    mistakes: Mistakes,
    idempotency_key: String,
}

#[derive(Template)]
#[template(path = "key_made.html")]
struct Made {
    page: Page,
    made: MadeKey,
}

#[derive(Template)]
#[template(path = "key_delete.html")]
struct Delete {
    page: Page,
    key: Key,
}

impl NewKey {
    fn scopes(&self) -> [&'static str; 5] {
        SCOPES
    }

    fn has_scope(&self, scope: &str) -> bool {
        self.form.all("scopes").any(|chosen| chosen == scope)
    }
}

/// The message about a scope: `events:write` is `scope-events-write`.
fn scope_words(page: &Page, scope: &str) -> String {
    let known = page.say.maybe(&format!("scope-{}", scope.replace(':', "-")));
    known.unwrap_or_else(|| scope.to_owned())
}

fn path_of(organization: &str) -> String {
    format!("/v1/organizations/{}/keys", segment(organization))
}

async fn list(viewer: Viewer, Path(organization): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    let page = viewer.enter(&organization, Place::Keys, "menu-keys").await?;
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let cursor = query.text("cursor").map(|cursor| format!("?cursor={}", segment(cursor))).unwrap_or_default();
    let found: List<Key> = viewer.asker.get(&format!("{}{cursor}", path_of(&organization))).await?;
    let next = found.next_cursor.map(|cursor| format!("{}/keys?cursor={}", page.base(), segment(&cursor)));
    Ok(html(StatusCode::OK, &Keys { page, rows: found.data, next, is_deleted: query.is_on("deleted") }))
}

async fn new(viewer: Viewer, Path(organization): Path<String>) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let page = viewer.enter(&organization, Place::Keys, "keys-new-title").await?;
    let (form, mistakes) = (Form::default(), Mistakes::default());
    Ok(html(StatusCode::OK, &NewKey { page, form, mistakes, idempotency_key: fresh_key() }))
}

/// Shows the key in the answer itself: a redirect would have to carry it.
async fn create(viewer: Viewer, Path(organization): Path<String>, form: Form) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let path = path_of(&organization);
    let made = viewer.asker.send::<MadeKey>(Method::POST, &path, &body_of(&form), form.text("idempotency_key")).await;
    match made {
        Ok(made) => {
            let page = viewer.enter(&organization, Place::Keys, "keys-made-title").await?;
            let mut response = html(StatusCode::CREATED, &Made { page, made });
            response.extensions_mut().insert(HoldsSecret);
            Ok(response)
        }
        Err(error) => {
            let mistakes = Mistakes::of(viewer.say, error, &FIELDS)?;
            let page = viewer.enter(&organization, Place::Keys, "keys-new-title").await?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(html(status, &NewKey { page, form, mistakes, idempotency_key: fresh_key() }))
        }
    }
}

/// What is left empty is left out, so that the API says what is missing.
fn body_of(form: &Form) -> Value {
    let mut body = json!({"scopes": form.all("scopes").collect::<Vec<_>>()});
    if let Some(name) = form.text("name") {
        body["name"] = name.into();
    }
    // The last moment of the day that was chosen.
    if let Some(day) = form.text("expires_at") {
        body["expires_at"] = format!("{day}T23:59:59.999Z").into();
    }
    body
}

async fn find(viewer: &Viewer, organization: &str, id: &str) -> Result<Key, Refusal> {
    let found: List<Key> = viewer.asker.get(&format!("{}?limit={KEYS_MAX}", path_of(organization))).await?;
    found.data.into_iter().find(|key| key.id == id).ok_or(Refusal::Missing)
}

async fn ask_delete(viewer: Viewer, Path((organization, key)): Path<(String, String)>) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let page = viewer.enter(&organization, Place::Keys, "keys-delete-title").await?;
    let key = find(&viewer, &organization, &key).await?;
    Ok(html(StatusCode::OK, &Delete { page, key }))
}

async fn delete(
    State(_): State<App>,
    viewer: Viewer,
    Path((organization, key)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    viewer.may_change()?;
    let path = format!("{}/{}", path_of(&organization), segment(&key));
    viewer.asker.tell(Method::DELETE, &path, None).await?;
    Ok(onward(&format!("/o/{}/keys?deleted=1", segment(&organization))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lasts_until_its_day_is_over_and_what_is_empty_is_left_out() {
        let form = Form::read(b"name=CRM&scopes=events%3Awrite&scopes=endpoints%3Aread&expires_at=2027-01-31");
        let expected = json!({"name": "CRM", "scopes": ["events:write", "endpoints:read"],
            "expires_at": "2027-01-31T23:59:59.999Z"});
        assert_eq!(body_of(&form), expected);
        assert_eq!(body_of(&Form::read(b"name=+&expires_at=")), json!({"scopes": []}));
    }
}
