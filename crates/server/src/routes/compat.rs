//! The API that the fifth document describes ("Create a webhook"): its *webhooks* are endpoints that follow the contract in the path, in other words. Nothing is
//! decided here: a request is put into the words of the endpoints' own routes, and their answer into the document's.

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use postrider_domain::{Endpoint, OrganizationId, Scope};
use postrider_store::PageRequest;

use crate::call::{Call, json};
use crate::code::Code;
use crate::fields::{Fields, Text};
use crate::limits::{PAGE_ROWS_MAX, SYSTEM_CHARS_MAX};
use crate::paging::Query;
use crate::problem::{Kind, Problem};
use crate::routes::endpoints;
use crate::state::{App, Running};
use crate::wire::compat::{WebhookAnswer, WebhookBody, WebhookEvents, WebhookList, WebhookRequest};

/// Create a webhook
///
/// `secret_key` is in this answer and never again. Needs `endpoints:write`.
#[utoipa::path(post, path = "/compat/{contract}/webhooks", operation_id = "createWebhook", tag = "Compatibility",
    params(("contract" = String, Path, description = "The contract that its deliveries follow"),
        ("system" = Option<String>, Query, description = "System identifier (defaults to the token's system)", max_length = 200)),
    request_body = WebhookRequest,
    responses((status = 201, description = "Created", body = WebhookAnswer)))]
pub(crate) async fn create(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.own_organization(Scope::EndpointsWrite)?;
    let contract = contract(&app, &call)?;
    let system = system(&call)?;
    let said = Said::read(&call)?;
    let body = said.body(&[("contract", Some(contract)), ("system", system.in_effect)]);
    let made = endpoints::make(&app, &call.translated(body), &organization).await;
    let made = made.map_err(|problem| said.in_their_words(problem))?;
    json(StatusCode::CREATED, &WebhookAnswer { webhook: WebhookBody::with_secret(&made) })
}

/// List webhooks
///
/// Those of the contract, newest first; of one system where the parameter or the token names one. Needs `endpoints:read`.
#[utoipa::path(get, path = "/compat/{contract}/webhooks", operation_id = "listWebhooks", tag = "Compatibility",
    params(("contract" = String, Path, description = "The contract that their deliveries follow"),
        ("system" = Option<String>, Query, description = "System identifier (defaults to the token's system)", max_length = 200)),
    responses((status = 200, description = "All of them", body = WebhookList)))]
pub(crate) async fn list(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.own_organization(Scope::EndpointsRead)?;
    let contract = contract(&app, &call)?;
    let system = system(&call)?.in_effect;
    app.organization(&organization).await?;
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let page = app.store().endpoints(&organization, PageRequest { limit: PAGE_ROWS_MAX, before }).await?;
        found.extend(page.rows);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    found.retain(|endpoint| endpoint.contract == contract && (system.is_none() || endpoint.system == system));
    json(StatusCode::OK, &WebhookList { webhooks: found.iter().map(WebhookBody::new).collect() })
}

/// List the events that webhooks may subscribe to
///
/// Needs `endpoints:read`.
#[utoipa::path(get, path = "/compat/{contract}/webhooks/events", operation_id = "listWebhookEvents", tag = "Compatibility",
    params(("contract" = String, Path, description = "The contract that deliveries follow"),
        ("system" = Option<String>, Query, description = "Changes nothing here", max_length = 200)),
    responses((status = 200, description = "Their names", body = WebhookEvents)))]
pub(crate) async fn events(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    call.own_organization(Scope::EndpointsRead)?;
    system(&call)?;
    let found = app.contracts().get(&contract(&app, &call)?).ok_or_else(|| Problem::missing("contract"))?;
    let events = found.event_types().iter().map(|event_type| event_type.name.clone()).collect();
    json(StatusCode::OK, &WebhookEvents { events })
}

/// Read a webhook
///
/// Needs `endpoints:read`.
#[utoipa::path(get, path = "/compat/{contract}/webhooks/{webhook}", operation_id = "readWebhook", tag = "Compatibility",
    params(("contract" = String, Path, description = "The contract that its deliveries follow"),
        ("webhook" = String, Path, description = "Its id"),
        ("system" = Option<String>, Query, description = "The system that it must be of", max_length = 200)),
    responses((status = 200, description = "The webhook", body = WebhookAnswer)))]
pub(crate) async fn read(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.own_organization(Scope::EndpointsRead)?;
    let found = find(&app, &call, &organization).await?;
    json(StatusCode::OK, &WebhookAnswer { webhook: WebhookBody::new(&found) })
}

/// Change a webhook
///
/// What is left out stays. Needs `endpoints:write`.
#[utoipa::path(put, path = "/compat/{contract}/webhooks/{webhook}", operation_id = "changeWebhook", tag = "Compatibility",
    params(("contract" = String, Path, description = "The contract that its deliveries follow"),
        ("webhook" = String, Path, description = "Its id"),
        ("system" = Option<String>, Query, description = "The system that it must be of", max_length = 200)),
    request_body = WebhookRequest,
    responses((status = 200, description = "Changed", body = WebhookAnswer)))]
pub(crate) async fn change(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.own_organization(Scope::EndpointsWrite)?;
    let found = find(&app, &call, &organization).await?;
    let said = Said::read(&call)?;
    let changed = endpoints::alter(&app, &call.translated(said.body(&[])), &organization, found.id).await;
    let changed = changed.map_err(|problem| said.in_their_words(problem))?;
    json(StatusCode::OK, &WebhookAnswer { webhook: WebhookBody::new(&changed) })
}

/// Delete a webhook
///
/// Needs `endpoints:write`.
#[utoipa::path(delete, path = "/compat/{contract}/webhooks/{webhook}", operation_id = "deleteWebhook", tag = "Compatibility",
    params(("contract" = String, Path, description = "The contract that its deliveries follow"),
        ("webhook" = String, Path, description = "Its id"),
        ("system" = Option<String>, Query, description = "The system that it must be of", max_length = 200)),
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete(State(app): State<App>, call: Call) -> Result<Response, Problem> {
    let organization = call.own_organization(Scope::EndpointsWrite)?;
    let found = find(&app, &call, &organization).await?;
    endpoints::remove(&app, &call.translated(Bytes::new()), &organization, found.id).await
}

/// The contract in the path, or 404.
fn contract(app: &Running, call: &Call) -> Result<String, Problem> {
    let named = call.name("contract");
    app.contracts().get(named).map(|found| found.name().to_owned()).ok_or_else(|| Problem::missing("contract"))
}

/// Which system is meant.
struct System {
    /// By the parameter.
    named: Option<String>,
    /// By the parameter, else by the token.
    in_effect: Option<String>,
}

fn system(call: &Call) -> Result<System, Problem> {
    let mut query = Query::read(call.query(), &["system"]);
    let rule = Text::line(1, SYSTEM_CHARS_MAX);
    let named = query.parsed("system", |text| rule.check(text).map(|()| text.to_owned()));
    query.finish()?;
    let in_effect = named.clone().or_else(|| call.caller.system().map(str::to_owned));
    Ok(System { named, in_effect })
}

/// The webhook in the path: an endpoint of the contract, and of the system where one is named.
async fn find(app: &Running, call: &Call, organization: &OrganizationId) -> Result<Endpoint, Problem> {
    let missing = || Problem::missing("webhook");
    let contract = contract(app, call)?;
    let system = system(call)?.named;
    let found = endpoints::find(app, organization, call.id("webhook", "webhook")?)
        .await
        .map_err(|problem| if problem.kind == Kind::NotFound { missing() } else { problem })?;
    let is_meant = found.contract == contract && (system.is_none() || found.system == system);
    if is_meant { Ok(found) } else { Err(missing()) }
}

/// A body, wrapped in `webhook` or flat.
struct Said {
    is_wrapped: bool,
    has_uri: bool,
    /// Members of the endpoints' own routes, with their values' text.
    members: Vec<(&'static str, String)>,
}

const WRAPPED: &str = "webhook";
const MEMBERS: &[&str] = &["webhook", "name", "url", "uri", "events", "status"];

impl Said {
    fn read(call: &Call) -> Result<Self, Problem> {
        call.read_beside_query(MEMBERS, |fields| {
            let is_wrapped = fields.has(WRAPPED);
            let within = fields.object(WRAPPED, &MEMBERS[1..], Self::read_members);
            if is_wrapped && MEMBERS[1..].iter().any(|name| fields.has(name)) {
                let detail = "holds all fields, or none of them: give them in one place";
                fields.wrong(WRAPPED, Code::FieldConflict.says(detail));
            }
            let said = if is_wrapped { within } else { Some(Self::read_members(fields)) };
            let nothing = Said { is_wrapped, has_uri: false, members: Vec::new() };
            said.map_or(nothing, |said| Said { is_wrapped, ..said })
        })
    }

    fn read_members(fields: &mut Fields<'_, '_>) -> Self {
        let has_uri = fields.has("uri");
        if has_uri && fields.has("url") {
            let detail = "is another word for `url`; give one of them";
            fields.wrong("uri", Code::FieldConflict.says(detail).with("other", "url"));
        }
        let mut members = Vec::new();
        for (theirs, ours) in [("name", "name"), ("url", "url"), ("uri", "url"), ("events", "events")] {
            members.extend(fields.raw(theirs).map(|text| (ours, text.to_owned())));
        }
        let status = fields.chosen("status", |text| match text {
            "active" => Ok("true"),
            "paused" => Ok("false"),
            _ => Err(Code::none_of(["active", "paused"], "must be active or paused")),
        });
        members.extend(status.map(|enabled| ("enabled", enabled.to_owned())));
        Said { is_wrapped: false, has_uri, members }
    }

    /// The same for the endpoints' own routes.
    fn body(&self, more: &[(&'static str, Option<String>)]) -> Bytes {
        let said = self.members.iter().map(|(name, text)| format!("\"{name}\":{text}"));
        let more = more.iter().filter_map(|(name, text)| {
            let text = serde_json::Value::from(text.as_deref()?);
            Some(format!("\"{name}\":{text}"))
        });
        format!("{{{}}}", said.chain(more).collect::<Vec<_>>().join(",")).into()
    }

    /// Mistakes point to where the caller wrote them.
    fn in_their_words(&self, mut problem: Problem) -> Problem {
        for mistake in &mut problem.mistakes {
            if self.has_uri && mistake.pointer == "/url" {
                mistake.pointer = "/uri".to_owned();
            }
            if mistake.pointer == "/enabled" {
                mistake.pointer = "/status".to_owned();
            }
            if self.is_wrapped {
                mistake.pointer.insert_str(0, "/webhook");
            }
        }
        problem
    }
}
