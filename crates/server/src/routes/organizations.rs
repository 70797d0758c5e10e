//! Organisations: made, provisioned, changed and removed by the operator; read by their own keys too.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_domain::{Action, Facts, Organization, OrganizationId, Scope, encode_id};
use postrider_store::{StoreError, search_organizations};

use crate::call::{Call, json, no_content};
use crate::changing::{change_organization, write_change};
use crate::code::Code;
use crate::fields::Fields;
use crate::limits::EDIT_TRIES_MAX;
use crate::paging::{Page, Query};
use crate::problem::{Kind, Problem};
use crate::state::{App, Running};
use crate::wire::organization::{NewOrganization, OrganizationBody, OrganizationChange};

/// Make an organisation
///
/// Needs the operator key.
#[utoipa::path(post, path = "/v1/organizations", operation_id = "createOrganization", tag = "Organisations",
    request_body = NewOrganization,
    responses((status = 201, description = "Made", body = OrganizationBody)))]
pub(crate) async fn create(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    call.caller.operator()?;
    let new = call.read(NewOrganization::FIELDS, |fields| NewOrganization::read(fields, app.contracts()))?;
    let now = app.now();
    let made = || encode_id(OrganizationId::PREFIX, app.engine().ids().next(now)).parse();
    let id = match new.id.clone() {
        Some(id) => id,
        None => made().map_err(Problem::internal)?,
    };
    let organization = new.into_organization(id, app.contracts().default_name(), now);
    let _edit = app.edit(&organization.id).await;
    create_audited(&app, &call, &organization).await?;
    app.engine().changed(&organization.id);
    json(StatusCode::CREATED, &OrganizationBody::from(organization))
}

async fn create_audited(app: &Running, call: &Call, made: &Organization) -> Result<(), StoreError> {
    let facts = Facts::of_organization(made);
    let audit = call.audit_made(app, Action::ORGANIZATION_CREATED, &made.id, &facts);
    app.store().create_organization(made, &audit).await
}

/// Whether somebody else, perhaps on another node, made, changed or deleted it since it was read: the change is to be decided again from what
/// is there by now.
fn is_overtaken(written: &Result<(), StoreError>) -> bool {
    matches!(written, Err(StoreError::Outdated | StoreError::Exists { .. } | StoreError::NotFound { .. }))
}

/// List organisations
///
/// Newest first. A `search` looks at a bounded number of organisations: a page may hold few or none and still have a `next_cursor`. Needs the
/// operator key.
#[utoipa::path(get, path = "/v1/organizations", operation_id = "listOrganizations", tag = "Organisations",
    params(("search" = Option<String>, Query, description = "With this text in the name or id; at most 200 characters"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = Page<OrganizationBody>)))]
pub(crate) async fn list(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    call.caller.operator()?;
    let mut query = Query::read(call.query(), &["search", "limit", "cursor"]);
    let text = query.searched();
    let place = query.place("organizations");
    query.finish()?;
    let after = place.after_name()?.map(|id| id.parse::<OrganizationId>()).transpose();
    let after = after.map_err(|error| Problem::new(Kind::InvalidQuery, error.to_string()))?;
    if let Some(text) = text {
        let found = search_organizations(app.store(), &text, after.as_ref(), place.limit).await?;
        let next = found.next.as_ref().map(OrganizationId::as_str);
        return json(StatusCode::OK, &place.page_found(found.rows, next, OrganizationBody::from));
    }
    let rows = app.store().organizations(after.as_ref(), place.limit + 1).await?;
    json(StatusCode::OK, &place.page_by_name(rows, |row| row.id.as_str(), OrganizationBody::from))
}

/// Read an organisation
///
/// Needs `endpoints:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}", operation_id = "readOrganization", tag = "Organisations",
    params(("org" = String, Path, description = "The organisation's id")),
    responses((status = 200, description = "The organisation", body = OrganizationBody)))]
pub(crate) async fn read(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let id = call.organization(Scope::EndpointsRead)?;
    Query::read(call.query(), &[]).finish()?;
    json(StatusCode::OK, &OrganizationBody::from(app.organization(&id).await?))
}

/// Make an organisation, or replace what is there
///
/// For provisioning: what is left out is emptied. Needs the operator key.
#[utoipa::path(put, path = "/v1/organizations/{org}", operation_id = "putOrganization", tag = "Organisations",
    params(("org" = String, Path, description = "The organisation's id")),
    request_body = NewOrganization,
    responses(
        (status = 200, description = "Replaced", body = OrganizationBody),
        (status = 201, description = "Made", body = OrganizationBody)))]
pub(crate) async fn replace(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let id = call.organization_for_operator()?;
    let new = call.read(NewOrganization::FIELDS, |fields| {
        let new = NewOrganization::read(fields, app.contracts());
        if new.id.as_ref().is_some_and(|given| *given != id) {
            fields.wrong("id", Code::FieldIdOfPath.says("must be the id in the path, or left out"));
        }
        new
    })?;
    let _edit = app.edit(&id).await;
    let mut organization = new.into_organization(id, app.contracts().default_name(), app.now());
    let made_at = organization.created_at;
    let mut tries = 0;
    loop {
        tries += 1;
        let known = app.store().configuration(&organization.id).await?;
        organization.created_at = known.as_ref().map_or(made_at, |known| known.organization.created_at);
        let (status, written) = match &known {
            Some(known) => (StatusCode::OK, write_change(&app, &call, known, &organization).await),
            None => (StatusCode::CREATED, create_audited(&app, &call, &organization).await),
        };
        if is_overtaken(&written) && tries < EDIT_TRIES_MAX {
            continue;
        }
        written?;
        app.engine().changed(&organization.id);
        return json(status, &OrganizationBody::from(organization));
    }
}

/// Change an organisation
///
/// What is left out stays. Needs the operator key.
#[utoipa::path(patch, path = "/v1/organizations/{org}", operation_id = "changeOrganization", tag = "Organisations",
    params(("org" = String, Path, description = "The organisation's id")),
    request_body = OrganizationChange,
    responses((status = 200, description = "Changed", body = OrganizationBody)))]
pub(crate) async fn change(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let id = call.organization_for_operator()?;
    let changed = change_organization(&app, &call, &id, |organization| {
        let apply = |fields: &mut Fields<'_, '_>| OrganizationChange::apply(fields, app.contracts(), organization);
        call.read(OrganizationChange::FIELDS, apply)
    });
    json(StatusCode::OK, &OrganizationBody::from(changed.await?))
}

/// Delete an organisation
///
/// With everything it owns; its history cannot be read by anyone from then on. Needs the operator key.
#[utoipa::path(delete, path = "/v1/organizations/{org}", operation_id = "deleteOrganization", tag = "Organisations",
    params(("org" = String, Path, description = "The organisation's id")),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let id = call.organization_for_operator()?;
    call.nothing_more()?;
    let _edit = app.edit(&id).await;
    let audit = call.audit(&app, Action::ORGANIZATION_DELETED, &id);
    if !app.store().delete_organization(&id, &audit).await? {
        return Err(Problem::missing("organization"));
    }
    app.keys.forget();
    app.engine().deleted(&id);
    Ok(no_content())
}
