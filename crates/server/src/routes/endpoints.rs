//! Endpoints: made, listed, changed, deleted, tried out.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use postrider_contract::{Contract, SecretRules};
use postrider_domain::{
    Action, Endpoint, EndpointId, EndpointStatus, Facts, Organization, OrganizationId, Scope, Streak,
};
use postrider_store::{Edit, EndpointLimits, StoreError, search_endpoints};

use crate::auth::random_bytes;
use crate::call::{Call, json, no_content};
use crate::changing::Changing;
use crate::code::Code;
use crate::fields::{Fields, Text};
use crate::limits::{EDIT_TRIES_MAX, NAME_CHARS_MAX};
use crate::paging::{Page, Query};
use crate::problem::Problem;
use crate::state::{App, Running};
use crate::system_limit;
use crate::wire::endpoint::{EndpointBody, EndpointChange, NewEndpoint, ReadEndpoint, Rules};
use crate::wire::organization::known_contract;
use crate::wire::test::{TestRequest, TestResult};

/// Make an endpoint
///
/// The answer holds `secret`, here and never again. Needs `endpoints:write`.
#[utoipa::path(post, path = "/v1/organizations/{org}/endpoints", operation_id = "createEndpoint", tag = "Endpoints",
    params(("org" = String, Path, description = "The organisation's id")),
    request_body = NewEndpoint,
    responses((status = 201, description = "Made", body = EndpointBody)))]
pub(crate) async fn create(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EndpointsWrite)?;
    let endpoint = make(&app, &call, &organization).await?;
    json(StatusCode::CREATED, &EndpointBody::with_secret(&endpoint, app.contracts(), app.now()))
}

/// Makes what the body says. What is counted must be true when it is written, so it is decided again while other nodes are faster with changes of the same
/// organisation.
pub(crate) async fn make(app: &Running, call: &Call, id: &OrganizationId) -> Result<Endpoint, Problem> {
    let _edit = app.edit(id).await;
    let random = random_bytes()?;
    let mut tries = 0;
    loop {
        let missing = || Problem::missing("organization");
        let seen = app.store().configuration(id).await?.ok_or_else(missing)?;
        let (endpoint, contract) = read_new(app, call, &seen.organization, &random)?;
        check_system_limit(&seen.endpoints, contract, &endpoint)?;
        let plans = app.contracts().get(&seen.organization.contract);
        let plan = seen.organization.plan.as_deref();
        let endpoints_max = plans.and_then(|contract| contract.limits().endpoints_max(plan));
        let audit = call.audit_made(app, Action::ENDPOINT_CREATED, endpoint.id, &Facts::of_endpoint(&endpoint));
        let edit = Edit { audit, basis: Some(seen.version) };
        tries += 1;
        match app.store().create_endpoint(&endpoint, &EndpointLimits { endpoints_max }, &edit).await {
            Err(StoreError::Outdated) if tries < EDIT_TRIES_MAX => {}
            made => {
                made?;
                app.engine().changed(id);
                return Ok(endpoint);
            }
        }
    }
}

fn read_new<'c>(
    app: &'c Running,
    call: &Call,
    organization: &Organization,
    random: &[u8; SecretRules::RANDOM_BYTES],
) -> Result<(Endpoint, &'c Contract), Problem> {
    let read = call.read(NewEndpoint::FIELDS, |fields| read_parts(app, fields, organization, random))?;
    let (Some(contract), parts) = read else {
        return Err(Problem::internal("an endpoint was read without a contract"));
    };
    Ok((assembled(app, &organization.id, contract, parts), contract))
}

/// What an endpoint is made of, and the contract that it follows, if that exists.
pub(crate) fn read_parts<'a>(
    app: &'a Running,
    fields: &mut Fields<'_, '_>,
    organization: &Organization,
    random: &[u8; SecretRules::RANDOM_BYTES],
) -> (Option<&'a Contract>, ReadEndpoint) {
    let named = fields.text("contract", Text::line(1, NAME_CHARS_MAX));
    let named = named.as_ref().unwrap_or(&organization.contract);
    let contract = known_contract(fields, app.contracts(), Some(named));
    let rules = Rules { contract, urls: &app.given.url_rules };
    (contract, NewEndpoint::read(fields, rules, random))
}

/// The endpoint that is made of it, now.
pub(crate) fn assembled(
    app: &Running,
    organization: &OrganizationId,
    contract: &Contract,
    read: ReadEndpoint,
) -> Endpoint {
    let now = app.now();
    Endpoint {
        id: EndpointId(app.engine().ids().next(now)),
        organization: organization.clone(),
        name: read.name,
        description: read.description,
        url: read.url,
        events: read.events,
        contract: contract.name().to_owned(),
        secret: read.secret,
        overlap: None,
        headers: read.headers,
        filter: read.filter,
        rate_limit: read.rate_limit,
        ordering: read.ordering,
        system: read.system,
        status: read.status,
        resumed_at: None,
        created_at: now,
        updated_at: now,
    }
}

/// List endpoints
///
/// Newest first. A `search` looks at a bounded number of endpoints: a page may hold few or none and still have a `next_cursor`.
/// Needs `endpoints:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/endpoints", operation_id = "listEndpoints", tag = "Endpoints",
    params(("org" = String, Path, description = "The organisation's id"),
        ("search" = Option<String>, Query, description = "Of this id, or with this text in the name or URL; at most 200 characters"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 250), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "A page", body = Page<EndpointBody>)))]
pub(crate) async fn list(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EndpointsRead)?;
    let mut query = Query::read(call.query(), &["search", "limit", "cursor"]);
    let text = query.searched();
    let place = query.place("endpoints");
    query.finish()?;
    let request = place.request()?;
    app.organization(&organization).await?;
    let page = match text {
        Some(text) => search_endpoints(app.store(), &organization, &text, request).await?,
        None => app.store().endpoints(&organization, request).await?,
    };
    let ids: Vec<_> = page.rows.iter().map(|row| row.id).collect();
    let streaks: HashMap<_, _> = app.store().streaks(&organization, &ids).await?.into_iter().collect();
    let streak_of = |row: &Endpoint| streaks.get(&row.id).copied().unwrap_or_default();
    json(StatusCode::OK, &place.page(&page, |row| EndpointBody::new(row, streak_of(row), app.contracts(), app.now())))
}

/// Read an endpoint
///
/// Needs `endpoints:read`.
#[utoipa::path(get, path = "/v1/organizations/{org}/endpoints/{endpoint}", operation_id = "readEndpoint", tag = "Endpoints",
    params(("org" = String, Path, description = "The organisation's id"), ("endpoint" = String, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The endpoint", body = EndpointBody)))]
pub(crate) async fn read(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EndpointsRead)?;
    Query::read(call.query(), &[]).finish()?;
    let endpoint = endpoint(&app, &organization, &call).await?;
    let streak = streak(&app, &endpoint).await?;
    json(StatusCode::OK, &EndpointBody::new(&endpoint, streak, app.contracts(), app.now()))
}

/// Change an endpoint
///
/// What is left out stays. `{"enabled": false}` pauses it, `{"enabled": true}` makes it active again, also after the system
/// disabled it. Needs `endpoints:write`.
#[utoipa::path(patch, path = "/v1/organizations/{org}/endpoints/{endpoint}", operation_id = "changeEndpoint", tag = "Endpoints",
    params(("org" = String, Path, description = "The organisation's id"), ("endpoint" = String, Path, description = "The endpoint's id")),
    request_body = EndpointChange,
    responses((status = 200, description = "Changed", body = EndpointBody)))]
pub(crate) async fn change(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EndpointsWrite)?;
    let endpoint = alter(&app, &call, &organization, call.id("endpoint", "endpoint")?).await?;
    let streak = streak(&app, &endpoint).await?;
    json(StatusCode::OK, &EndpointBody::new(&endpoint, streak, app.contracts(), app.now()))
}

/// Changes what the body says.
pub(crate) async fn alter(
    app: &Running,
    call: &Call,
    organization: &OrganizationId,
    id: EndpointId,
) -> Result<Endpoint, Problem> {
    let _edit = app.edit(organization).await;
    let mut changing = Changing::of(app, call, (organization, id), Action::ENDPOINT_CHANGED);
    loop {
        let before = changing.endpoint().await?;
        let contract = app.contract_of(&before)?;
        let rules = Rules { contract: Some(contract), urls: &app.given.url_rules };
        let mut after = before.clone();
        call.read(EndpointChange::FIELDS, |fields| EndpointChange::apply(fields, rules, &mut after, app.now()))?;
        if system_limit::takes_more(&before, &after) {
            check_system_limit(changing.all(), contract, &after)?;
        }
        if changing.is_written(&before, &mut after).await? {
            return Ok(after);
        }
    }
}

/// Delete an endpoint
///
/// With its secret, its pending deliveries, and the bodies in its history. Needs `endpoints:write`.
#[utoipa::path(delete, path = "/v1/organizations/{org}/endpoints/{endpoint}", operation_id = "deleteEndpoint", tag = "Endpoints",
    params(("org" = String, Path, description = "The organisation's id"), ("endpoint" = String, Path, description = "The endpoint's id")),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EndpointsWrite)?;
    remove(&app, &call, &organization, call.id("endpoint", "endpoint")?).await
}

/// Deletes it, and has nothing to say about it.
pub(crate) async fn remove(
    app: &Running,
    call: &Call,
    organization: &OrganizationId,
    id: EndpointId,
) -> Result<Response, Problem> {
    call.nothing_more()?;
    let _edit = app.edit(organization).await;
    let audit = call.audit(app, Action::ENDPOINT_DELETED, id);
    if !app.store().delete_endpoint(organization, id, &audit).await? {
        return Err(Problem::missing("endpoint"));
    }
    app.engine().deleted(organization);
    Ok(no_content())
}

/// Send a test event
///
/// With the catalogue's sample data; waits for the receiver's answer. Works whether the endpoint is active or not, and is never
/// retried. Needs `endpoints:write`.
#[utoipa::path(post, path = "/v1/organizations/{org}/endpoints/{endpoint}/test", operation_id = "testEndpoint", tag = "Endpoints",
    params(("org" = String, Path, description = "The organisation's id"), ("endpoint" = String, Path, description = "The endpoint's id")),
    request_body(content = Option<TestRequest>),
    responses((status = 200, description = "How it went", body = TestResult)))]
pub(crate) async fn test(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.organization(Scope::EndpointsWrite)?;
    let id: EndpointId = call.id("endpoint", "endpoint")?;
    let request = call.read_optional(TestRequest::FIELDS, TestRequest::read)?;
    let audit = call.audit(&app, Action::ENDPOINT_TESTED, id);
    let outcome = app.engine().send_test(&organization, id, request.r#type.as_deref(), audit).await?;
    json(StatusCode::OK, &TestResult::new(&outcome))
}

async fn streak(app: &Running, endpoint: &Endpoint) -> Result<Streak, Problem> {
    let found = app.store().streaks(&endpoint.organization, &[endpoint.id]).await?;
    Ok(found.first().map_or_else(Streak::default, |(_, streak)| *streak))
}

async fn endpoint(app: &Running, organization: &OrganizationId, call: &Call) -> Result<Endpoint, Problem> {
    find(app, organization, call.id("endpoint", "endpoint")?).await
}

/// The endpoint, or 404.
pub(crate) async fn find(app: &Running, organization: &OrganizationId, id: EndpointId) -> Result<Endpoint, Problem> {
    app.store().endpoint(organization, id).await?.ok_or_else(|| Problem::missing("endpoint"))
}

/// Refuses an endpoint with which its system would have more endpoints for one event than its contract allows.
pub(crate) fn check_system_limit(all: &[Endpoint], contract: &Contract, endpoint: &Endpoint) -> Result<(), Problem> {
    let Some(max) = contract.limits().endpoints_per_event_and_system_max else { return Ok(()) };
    if matches!(endpoint.status, EndpointStatus::Disabled { .. }) {
        return Ok(());
    }
    let others = system_limit::others(all, endpoint);
    match system_limit::overfull(&others, endpoint, contract, max) {
        None => Ok(()),
        Some(event) => {
            let detail = format!(
                "this system has {max} endpoints for the event {event} already, the most that the contract {:?} allows; \
                 delete one of them or leave this event out",
                contract.name()
            );
            let wrong =
                Code::LimitSystem.says(detail).with("max", max).with("event", event).with("contract", contract.name());
            Err(Problem::limit("/events", wrong))
        }
    }
}
