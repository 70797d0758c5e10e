//! The audit trail: an organisation's, and the operator's own.

mod changes;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::{StatusCode, Uri};
use jiff::civil::Date;

use crate::api::{Actor, AuditEntry, List};
use crate::app::App;
use crate::form::Form;
use crate::page::{Page, Place, html};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::{Viewer, segment};

use changes::{Change, changes};

/// What can have been done in an organisation, as the API calls it.
const ACTIONS: [&str; 15] = [
    "organization.created",
    "organization.changed",
    "endpoint.created",
    "endpoint.changed",
    "endpoint.deleted",
    "endpoint.disabled",
    "endpoint.tested",
    "endpoint.diagnosed",
    "secret.rotated",
    "rotation.confirmed",
    "key.created",
    "key.deleted",
    "delivery.retried",
    "recovery.begun",
    "erasure.begun",
];
/// What stands in the operator's own trail.
const OPERATOR_ACTIONS: [&str; 4] =
    ["organization.deleted", "organization.set_aside", "organization.taken_back", "operator_key.replaced"];
/// How the API calls whoever came by a portal link.
const PORTAL: &str = "jwt:portal";

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/o/{organization}/audit", get(of_organization)).route("/operator/audit", get(of_operator))
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Trail {
    page: Page,
    /// Where this screen is, without its filters.
    path: String,
    rows: Vec<Row>,
    next: Option<String>,
    filters: Filters,
    actors: Vec<Choice>,
    actions: Vec<Choice>,
}

/// A value that can be chosen, in words.
struct Choice {
    value: String,
    text: String,
    is_chosen: bool,
}

/// One change, in words.
struct Row {
    id: String,
    at: String,
    actor: String,
    of_actor: String,
    action: String,
    object: String,
    /// The screen of the webhook or the delivery, where it is about one.
    opens: Option<String>,
    of_object: String,
    source: Option<String>,
    changes: Vec<Change>,
}

/// What is looked for.
#[derive(Default)]
struct Filters {
    actor: Option<String>,
    object: Option<String>,
    action: Option<String>,
    /// The first day and the last one, in UTC.
    since: Option<String>,
    until: Option<String>,
}

impl Filters {
    fn read(query: &Form) -> Self {
        let text = |name: &str| query.text(name).map(str::to_owned);
        Filters {
            actor: text("actor"),
            object: text("object"),
            action: text("action"),
            since: text("since"),
            until: text("until"),
        }
    }

    fn are_set(&self) -> bool {
        self.for_pages().next().is_some()
    }

    /// As this screen's own address has them.
    fn for_pages(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("actor", &self.actor),
            ("object", &self.object),
            ("action", &self.action),
            ("since", &self.since),
            ("until", &self.until),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// As the API has them: days are moments there. One that cannot be read is left to the API to refuse.
    fn for_api(&self) -> Vec<(&'static str, String)> {
        let moment = |name: &str, text: &str| match text.parse::<Date>() {
            Ok(day) if name == "until" => {
                day.tomorrow().map_or_else(|_| text.to_owned(), |day| format!("{day}T00:00:00Z"))
            }
            Ok(day) => format!("{day}T00:00:00Z"),
            Err(_) => text.to_owned(),
        };
        let told = |(name, text)| match name {
            "since" | "until" => (name, moment(name, text)),
            _ => (name, str::to_owned(text)),
        };
        self.for_pages().map(told).collect()
    }
}

/// A query of these, beginning with `?`; empty without any.
fn query_of<'n, 'v>(pairs: impl IntoIterator<Item = (&'n str, &'v str)>) -> String {
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if text.is_empty() { text } else { format!("?{text}") }
}

async fn of_organization(viewer: Viewer, Path(organization): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    let page = viewer.enter(&organization, Place::Audit, "menu-audit").await?;
    let path = format!("{}/audit", page.base());
    show(&viewer, page, path, &format!("/v1/organizations/{}/audit", segment(&organization)), &ACTIONS, &uri).await
}

async fn of_operator(viewer: Viewer, uri: Uri) -> Result<Response, Refusal> {
    let page = viewer.enter_as_operator(Place::OperatorAudit, "menu-audit")?;
    show(&viewer, page, "/operator/audit".to_owned(), "/v1/audit", &OPERATOR_ACTIONS, &uri).await
}

async fn show(
    viewer: &Viewer,
    page: Page,
    path: String,
    api_path: &str,
    actions: &[&str],
    uri: &Uri,
) -> Result<Response, Refusal> {
    let query = Form::read(uri.query().unwrap_or_default().as_bytes());
    let filters = Filters::read(&query);
    let for_api = filters.for_api();
    let asked = for_api.iter().map(|(name, value)| (*name, value.as_str()));
    let cursor = query.text("cursor").map(|cursor| ("cursor", cursor));
    let found: List<AuditEntry> = viewer.asker.get(&format!("{api_path}{}", query_of(asked.chain(cursor)))).await?;
    let next = found.next_cursor.as_deref();
    let next = next.map(|next| format!("{path}{}", query_of(filters.for_pages().chain([("cursor", next)]))));
    let rows = found.data.into_iter().map(|entry| row(&page, &path, entry)).collect();
    let (actors, actions) = (actor_choices(page.say, &filters), action_choices(page.say, actions, &filters));
    Ok(html(StatusCode::OK, &Trail { page, path, rows, next, filters, actors, actions }))
}

fn row(page: &Page, path: &str, entry: AuditEntry) -> Row {
    let only = |name, value: &str| format!("{path}{}", query_of([(name, value)]));
    let screen = match entry.object.split_once('_') {
        Some(("ep", _)) if entry.action != "endpoint.deleted" => Some("webhooks"),
        Some(("dlv", _)) => Some("deliveries"),
        _ => None,
    };
    let opens = screen.filter(|_| page.organization.is_some());
    Row {
        actor: actor_words(page.say, &entry.actor),
        of_actor: only("actor", &actor_value(&entry.actor)),
        action: action_words(page.say, &entry.action),
        opens: opens.map(|screen| format!("{}/{screen}/{}", page.base(), segment(&entry.object))),
        of_object: only("object", &entry.object),
        changes: changes(page.say, &entry.before, &entry.after),
        id: entry.id,
        at: entry.at,
        object: entry.object,
        source: entry.source,
    }
}

/// `endpoint.created` is the message `audit-action-endpoint-created`.
fn action_words(say: Say, action: &str) -> String {
    let message = format!("audit-action-{}", action.replace(['.', '_'], "-"));
    say.maybe(&message).unwrap_or_else(|| action.to_owned())
}

/// What the API's filter calls them.
fn actor_value(actor: &Actor) -> String {
    match (actor.kind.as_str(), &actor.id) {
        ("jwt", id) => format!("jwt:{}", id.as_deref().unwrap_or_default()),
        (_, Some(id)) => id.clone(),
        (kind, None) => kind.to_owned(),
    }
}

fn actor_words(say: Say, actor: &Actor) -> String {
    match (actor.kind.as_str(), actor.id.as_deref()) {
        ("jwt", Some("portal")) => say.text("audit-actor-portal"),
        ("jwt", Some(subject)) => say.with("audit-actor-person", "subject", subject),
        ("jwt", None) => say.text("audit-actor-token"),
        ("key", Some(id)) => say.with("audit-actor-key", "key", id),
        ("system", _) => say.text("audit-actor-system"),
        ("operator", _) => say.text("audit-actor-operator"),
        (kind, _) => kind.to_owned(),
    }
}

fn actor_choices(say: Say, filters: &Filters) -> Vec<Choice> {
    let chosen = filters.actor.as_deref();
    let known =
        [("operator", "audit-actor-operator"), ("system", "audit-actor-system"), (PORTAL, "audit-actor-portal")];
    let is_other = |actor: &&str| known.iter().all(|(value, _)| value != actor);
    let other = chosen.filter(is_other).map(|value| (value, value.to_owned()));
    let known = known.map(|(value, text)| (value, say.text(text)));
    let all = known.into_iter().chain(other);
    all.map(|(value, text)| Choice { value: value.to_owned(), text, is_chosen: chosen == Some(value) }).collect()
}

fn action_choices(say: Say, actions: &[&str], filters: &Filters) -> Vec<Choice> {
    let chosen = filters.action.as_deref();
    let choice = |action: &&str| Choice {
        value: (*action).to_owned(),
        text: action_words(say, action),
        is_chosen: chosen == Some(*action),
    };
    actions.iter().map(choice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_and_what_is_no_day_is_left_to_the_api() {
        let asked = |query: &[u8]| Filters::read(&Form::read(query)).for_api();
        let days = asked(b"since=2026-02-28&until=2026-02-28&actor=&action=key.created");
        let expected =
            [("action", "key.created"), ("since", "2026-02-28T00:00:00Z"), ("until", "2026-03-01T00:00:00Z")];
        assert_eq!(days, expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(asked(b"since=then"), [("since", "then".to_owned())]);
    }

    #[test]
    fn every_action_has_words_in_every_language() {
        for say in ["en", "pt-BR", "es"].map(Say::new) {
            for action in ACTIONS.iter().chain(&OPERATOR_ACTIONS) {
                assert_ne!(action_words(say, action), *action, "{}", say.language());
            }
        }
    }

    #[test]
    fn whoever_did_it_is_found_again_by_the_filter() {
        let actor = |kind: &str, id: Option<&str>| Actor { kind: kind.to_owned(), id: id.map(str::to_owned) };
        assert_eq!(actor_value(&actor("jwt", Some("portal"))), PORTAL);
        assert_eq!(actor_value(&actor("jwt", None)), "jwt:");
        assert_eq!(actor_value(&actor("key", Some("key_1"))), "key_1");
        assert_eq!(actor_value(&actor("system", None)), "system");
    }
}
