//! Reading endpoints: every field under the rules of the contract that the endpoint follows.

use std::num::NonZeroU32;

use postrider_contract::{Contract, Filter, SecretRules};
use postrider_domain::{Endpoint, EndpointOrdering, EndpointStatus, Millis, Secret, Subscription};
use postrider_egress::{UrlRules, judge_url};

use super::{EndpointChange, NewEndpoint};
use crate::code::Code;
use crate::fields::{Fields, Text, choices, json_kind, refuse, string_of};
use crate::limits::{
    DESCRIPTION_CHARS_MAX, HEADERS_MAX, NAME_CHARS_MAX, RATE_LIMIT_PER_S_MAX, SUBSCRIPTIONS_MAX, SYSTEM_CHARS_MAX,
    URI_CHARS_MAX,
};
use crate::problem::quoted;
use crate::wrong::Wrong;

const NAME: Text = Text::line(1, NAME_CHARS_MAX);
const DESCRIPTION: Text = Text::lines(DESCRIPTION_CHARS_MAX);
const SYSTEM: Text = Text::line(1, SYSTEM_CHARS_MAX);

/// What an endpoint is judged by.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// The contract that it follows; none when it names one that does not exist, so that its other mistakes are found all the same.
    pub(crate) contract: Option<&'a Contract>,
    /// What the operator allows of URLs.
    pub(crate) urls: &'a UrlRules,
}

/// What an endpoint is made of, apart from what the server itself knows.
pub(crate) struct ReadEndpoint {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) events: Vec<Subscription>,
    pub(crate) filter: Option<String>,
    pub(crate) secret: Option<Secret>,
    pub(crate) headers: Vec<(String, Secret)>,
    pub(crate) status: EndpointStatus,
    pub(crate) description: Option<String>,
    pub(crate) system: Option<String>,
    pub(crate) rate_limit: Option<NonZeroU32>,
    pub(crate) ordering: EndpointOrdering,
}

impl NewEndpoint {
    /// Reads everything but the contract; `random` is what a secret is made of.
    pub(crate) fn read(
        fields: &mut Fields<'_, '_>,
        rules: Rules<'_>,
        random: &[u8; SecretRules::RANDOM_BYTES],
    ) -> ReadEndpoint {
        fields.require("url");
        fields.require("events");
        ReadEndpoint {
            name: fields.required_text("name", NAME),
            url: url(fields, rules).unwrap_or_default(),
            events: events(fields, rules.contract).unwrap_or_default(),
            filter: filter(fields).map(|filter| filter.to_string()),
            secret: rules.contract.and_then(|contract| secret(fields, contract, random)),
            headers: headers(fields, rules.contract, Vec::new()).unwrap_or_default(),
            status: status(fields.boolean("enabled").unwrap_or(true)),
            description: fields.text("description", DESCRIPTION),
            system: fields.text("system", SYSTEM),
            rate_limit: fields.count("rate_limit", RATE_LIMIT_PER_S_MAX),
            ordering: ordering(fields).unwrap_or_default(),
        }
    }
}

impl EndpointChange {
    pub(crate) fn apply(fields: &mut Fields<'_, '_>, rules: Rules<'_>, endpoint: &mut Endpoint, now: Millis) {
        for name in ["name", "url", "events", "enabled"] {
            fields.refuse_null(name);
        }
        remove_secret(fields, rules.contract, endpoint);
        refuse(
            fields,
            "contract",
            "cannot be changed: the receiver reads this contract's format; make another endpoint",
        );
        if let Some(name) = fields.text("name", NAME) {
            endpoint.name = name;
        }
        if let Some(url) = url(fields, rules) {
            endpoint.url = url;
        }
        if let Some(events) = events(fields, rules.contract) {
            endpoint.events = events;
        }
        if fields.has("filter") {
            endpoint.filter = filter(fields).map(|filter| filter.to_string());
        }
        if fields.has("headers") {
            let kept = if fields.raw("headers").is_none() { Vec::new() } else { std::mem::take(&mut endpoint.headers) };
            endpoint.headers = headers(fields, rules.contract, kept).unwrap_or_default();
        }
        if let Some(enabled) = fields.boolean("enabled") {
            endpoint.set_enabled(enabled, now);
        }
        fields.change_text("description", DESCRIPTION).apply(&mut endpoint.description);
        fields.change_text("system", SYSTEM).apply(&mut endpoint.system);
        fields.change_count("rate_limit", RATE_LIMIT_PER_S_MAX).apply(&mut endpoint.rate_limit);
        if fields.has("ordering") {
            endpoint.ordering = ordering(fields).unwrap_or_default();
        }
    }
}

fn ordering(fields: &mut Fields<'_, '_>) -> Option<EndpointOrdering> {
    let words = [EndpointOrdering::None, EndpointOrdering::Resource].map(EndpointOrdering::as_str);
    let refusal =
        |text: &str| Code::none_of(words, format!("{} is not known; it is one of {}", quoted(text), choices(words)));
    fields.chosen("ordering", |text| EndpointOrdering::parse(text).ok_or_else(|| refusal(text)))
}

fn status(enabled: bool) -> EndpointStatus {
    if enabled { EndpointStatus::Active } else { EndpointStatus::Paused }
}

fn url(fields: &mut Fields<'_, '_>, rules: Rules<'_>) -> Option<String> {
    let url = fields.text("url", Text::line(1, URI_CHARS_MAX))?;
    // That only https is accepted is every contract's wish and the operator's to lift.
    match judge_url(&url, rules.urls) {
        Ok(_) => Some(url),
        Err(refusal) => {
            fields.wrong("url", refusal);
            None
        }
    }
}

/// A filter that can be read.
pub(crate) fn filter(fields: &mut Fields<'_, '_>) -> Option<Filter> {
    fields.chosen("filter", Filter::parse)
}

/// Subscriptions that can ever match under the contract.
pub(crate) fn events(fields: &mut Fields<'_, '_>, contract: Option<&Contract>) -> Option<Vec<Subscription>> {
    let read = |text: &str| {
        let subscription: Subscription = text
            .parse()
            .map_err(|_| format!("{} is no event type, no prefix such as contact.*, and not *", quoted(text)))
            .map_err(|detail| Code::EventsInvalid.says(detail))?;
        match contract {
            Some(contract) if !contract.knows_subscription(&subscription) => Err(unknown(contract, &subscription)),
            _ => Ok(subscription),
        }
    };
    let mut events = fields.list("events", SUBSCRIPTIONS_MAX, read)?;
    let mut seen = std::collections::HashSet::new();
    events.retain(|subscription| seen.insert(subscription.clone()));
    Some(events)
}

fn unknown(contract: &Contract, subscription: &Subscription) -> Wrong {
    let name = contract.name();
    let wrong = match subscription {
        Subscription::Type(text) => match contract.resolve_type(text) {
            Some(own) => {
                let detail = format!("the contract {name:?} calls this {own:?}; subscribe to that");
                Code::EventsRenamed.says(detail).with("name", own)
            }
            None => {
                let detail = format!("is not an event type of the contract {name:?}; GET …/event-types lists them");
                Code::EventsUnknown.says(detail)
            }
        },
        _ => {
            let detail = format!("no event type of the contract {name:?} begins so; GET …/event-types lists them");
            Code::EventsUnknownPrefix.says(detail)
        }
    };
    wrong.with("contract", name)
}

fn secret(
    fields: &mut Fields<'_, '_>,
    contract: &Contract,
    random: &[u8; SecretRules::RANDOM_BYTES],
) -> Option<Secret> {
    let rules = contract.secret();
    if fields.raw("secret").is_none() {
        if rules.generated && contract.is_signed() {
            return Some(contract.generate_secret(random));
        }
        if rules.required && !fields.is_yet_to_come("secret") {
            let detail = "is missing; this contract signs always, and its secrets are chosen";
            fields.wrong("secret", Code::SecretRequired.says(detail));
        }
        return None;
    }
    choose_secret(fields, contract, random)
}

/// `null` removes it. Another one comes with a rotation, so that receivers are not left behind with the old one.
fn remove_secret(fields: &mut Fields<'_, '_>, contract: Option<&Contract>, endpoint: &mut Endpoint) {
    if fields.raw("secret").is_some() {
        let detail = "cannot be set here; POST …/secret/rotate sets it, and lets the old one work for a while";
        fields.wrong("secret", Code::SecretRotate.says(detail));
    } else if fields.has("secret") && contract.is_some_and(|contract| contract.secret().required) {
        let detail = "cannot be removed: this contract signs every delivery; POST …/secret/rotate replaces it";
        fields.wrong("secret", Code::SecretKept.says(detail));
    } else if fields.has("secret") {
        endpoint.remove_secret();
    }
}

/// A secret that somebody brings along, or wants made of a certain kind.
pub(crate) fn choose_secret(
    fields: &mut Fields<'_, '_>,
    contract: &Contract,
    random: &[u8; SecretRules::RANDOM_BYTES],
) -> Option<Secret> {
    let chosen = string_of(fields.raw("secret")?).and_then(|text| choose(contract, text, random));
    chosen.map_err(|wrong| fields.wrong("secret", wrong)).ok()
}

fn choose(contract: &Contract, text: String, random: &[u8; SecretRules::RANDOM_BYTES]) -> Result<Secret, Wrong> {
    let is_prefix = contract.secret().generated && !text.is_empty();
    if let Some(made) = is_prefix.then(|| contract.generate_secret_of(&text, random)).flatten() {
        return Ok(made);
    }
    contract.check_secret(&text)?;
    Ok(Secret::new(text))
}

/// The headers there were, changed as the field says.
fn headers(
    fields: &mut Fields<'_, '_>,
    contract: Option<&Contract>,
    mut headers: Vec<(String, Secret)>,
) -> Option<Vec<(String, Secret)>> {
    let given = fields.members("headers", HEADERS_MAX)?;
    let is_change = !headers.is_empty();
    for (name, json) in given {
        let place = headers.iter().position(|(known, _)| known.eq_ignore_ascii_case(&name)).filter(|_| is_change);
        match (json, place) {
            ("null", Some(place)) => drop(headers.remove(place)),
            ("null", None) => {}
            (_, place) => match (string_of(json), place) {
                (Ok(value), Some(place)) => headers[place] = (name, Secret::new(value)),
                (Ok(value), None) => headers.push((name, Secret::new(value))),
                (Err(_), _) => {
                    fields.wrong_within("headers", &name, Wrong::json_type("a string", json_kind(json)));
                }
            },
        }
    }
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.reveal()));
    for (index, error) in contract.map(|contract| contract.check_custom_headers(pairs)).unwrap_or_default() {
        let name = headers.get(index).map_or("", |(name, _)| name);
        fields.wrong_within("headers", name, error);
    }
    Some(headers)
}
