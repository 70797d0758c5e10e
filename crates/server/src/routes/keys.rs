//! Organisation keys: made, listed and deleted by the operator and by the organisation's admins.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::{Action, Facts, Key, KeyId};

use crate::auth::make_key;
use crate::call::{Call, json, no_content};
use crate::paging::{Page, Query};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::key::{KeyBody, NewKey};

/// Make a key
///
/// The answer holds `key`, here and never again. Needs the operator key, or an admin's token.
#[utoipa::path(post, path = "/v1/organizations/{org}/keys", operation_id = "createKey", tag = "Keys",
    params(("org" = String, Path, description = "The organisation's id")),
    request_body = NewKey,
    responses((status = 201, description = "Made", body = KeyBody)))]
pub(crate) async fn create(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization_for_admin()?;
    let now = app.now();
    let new = call.read(NewKey::FIELDS, |fields| NewKey::read(fields, now))?;
    app.organization(&organization).await?;
    let made = make_key()?;
    let key = Key {
        id: KeyId(app.engine().ids().next(now)),
        organization,
        name: new.name,
        scopes: new.scopes,
        hint: made.hint,
        created_at: now,
        expires_at: new.expires_at,
    };
    let audit = call.audit_made(&app, Action::KEY_CREATED, key.id, &Facts::of_key(&key));
    app.store().create_key(&key, made.hash, app.limits().organization_keys_max, &audit).await?;
    json(StatusCode::CREATED, &KeyBody::new(&key, Some(&made.text)))
}

/// List keys
///
/// Newest first, without the keys themselves. Needs the operator key, or an admin's token.
#[utoipa::path(get, path = "/v1/organizations/{org}/keys", operation_id = "listKeys", tag = "Keys",
    params(("org" = String, Path, description = "The organisation's id"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = Page<KeyBody>)))]
pub(crate) async fn list(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization_for_admin()?;
    let mut query = Query::read(call.query(), &["limit", "cursor"]);
    let place = query.place("keys");
    query.finish()?;
    let request = place.request()?;
    app.organization(&organization).await?;
    let page = app.store().keys(&organization, request).await?;
    json(StatusCode::OK, &place.page(&page, |key| KeyBody::new(key, None)))
}

/// Delete a key
///
/// It is refused from then on. Needs the operator key, or an admin's token.
#[utoipa::path(delete, path = "/v1/organizations/{org}/keys/{key}", operation_id = "deleteKey", tag = "Keys",
    params(("org" = String, Path, description = "The organisation's id"), ("key" = String, Path, description = "The key's id")),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization_for_admin()?;
    call.nothing_more()?;
    let id: KeyId = call.id("key", "key")?;
    let audit = call.audit(&app, Action::KEY_DELETED, id);
    if !app.store().delete_key(&organization, id, &audit).await? {
        return Err(Problem::missing("key"));
    }
    app.keys.forget();
    Ok(no_content())
}
