//! What is in the form: as typed, as an endpoint has it, and as the API is asked for it.

use serde_json::{Map, Value, json};

use super::condition::Condition;
use super::headers::Headers;
use super::picker::subscriptions;
use crate::api::{Contract, Endpoint, Mistake};
use crate::form::{Form, fresh_key};

/// The most attempts in a second that a webhook can be limited to.
pub(crate) const RATE_LIMIT_PER_S_MAX: u32 = 10_000;

/// How a new webhook comes by its secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SecretChoice {
    #[default]
    Generated,
    Own,
    None,
}

/// Everything that is in the form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) description: String,
    pub(crate) events: Vec<String>,
    /// Event types beside the catalogue's, as typed; none in a form that nobody has sent yet.
    pub(crate) others: Option<String>,
    pub(crate) condition: Condition,
    pub(crate) secret: SecretChoice,
    /// Which kind of secret is generated; empty for the usual one.
    pub(crate) secret_kind: String,
    /// A secret of one's own, as typed.
    pub(crate) secret_own: String,
    pub(crate) headers: Headers,
    pub(crate) rate_limit: String,
    pub(crate) is_ordered: bool,
    /// Whether it is active at once, and not tested first.
    pub(crate) starts_now: bool,
    /// Makes sending the same form twice harmless.
    pub(crate) idempotency_key: String,
}

impl Draft {
    /// Of a webhook that is not there yet.
    pub(crate) fn new(contract: &Contract) -> Self {
        Draft {
            headers: Headers::none(),
            secret: choices(contract).first().copied().unwrap_or_default(),
            idempotency_key: fresh_key(),
            ..Draft::default()
        }
    }

    /// Of one that is to be changed.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        Draft {
            name: endpoint.name.clone(),
            url: endpoint.url.clone(),
            description: endpoint.description.clone().unwrap_or_default(),
            events: endpoint.events.clone(),
            condition: Condition::of(endpoint.filter.as_deref()),
            headers: Headers::of(endpoint),
            rate_limit: endpoint.rate_limit.map(|limit| limit.to_string()).unwrap_or_default(),
            is_ordered: endpoint.ordering == "resource",
            ..Draft::default()
        }
    }

    /// As a form was sent, about an endpoint if it is a change.
    pub(crate) fn read(form: &Form, endpoint: Option<&Endpoint>) -> Self {
        let text = |name| form.text(name).unwrap_or_default().to_owned();
        let others = text("others");
        Draft {
            name: text("name"),
            url: text("url"),
            description: text("description").replace("\r\n", "\n"),
            events: subscriptions(form.all("events"), &others),
            others: Some(others),
            condition: Condition::read(form),
            secret: match form.text("secret") {
                Some("own") => SecretChoice::Own,
                Some("none") => SecretChoice::None,
                _ => SecretChoice::Generated,
            },
            secret_kind: text("secret_kind"),
            secret_own: text("secret_own"),
            headers: Headers::read(form, endpoint),
            rate_limit: text("rate_limit"),
            is_ordered: form.is_on("ordering"),
            starts_now: form.text("start") == Some("now"),
            idempotency_key: text("idempotency_key"),
        }
    }

    /// The same form to be sent again: what was answered to its key is settled.
    pub(crate) fn again(self) -> Self {
        Draft { idempotency_key: fresh_key(), ..self }
    }

    /// What the API cannot be told, and so cannot say.
    pub(crate) fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = self.headers.mistakes();
        if !self.rate_limit.is_empty() && self.rate_limit.parse::<u64>().is_err() {
            let params =
                Map::from_iter([("min".to_owned(), json!(1)), ("max".to_owned(), json!(RATE_LIMIT_PER_S_MAX))]);
            mistakes.push(Mistake {
                pointer: "/rate_limit".into(),
                detail: format!("must be a whole number from 1 to {RATE_LIMIT_PER_S_MAX}"),
                code: "number.range".into(),
                params,
            });
        }
        mistakes
    }

    /// What makes it. Fields that must be there are there, empty where nothing was typed, so that each is told as wrong.
    pub(crate) fn creation(&self) -> Value {
        let mut body = Map::new();
        body.insert("name".into(), json!(self.name));
        body.insert("url".into(), json!(self.url));
        body.insert("events".into(), json!(self.events));
        body.insert("enabled".into(), json!(self.starts_now));
        let optional = [
            ("description", text_or_null(&self.description)),
            ("filter", json!(self.condition.filter())),
            ("rate_limit", self.rate()),
            ("ordering", if self.is_ordered { json!("resource") } else { Value::Null }),
            ("headers", self.headers.change().unwrap_or_default()),
            ("secret", self.secret()),
        ];
        for (name, value) in optional {
            if !value.is_null() {
                body.insert(name.into(), value);
            }
        }
        Value::Object(body)
    }

    fn secret(&self) -> Value {
        match self.secret {
            SecretChoice::Own => json!(self.secret_own),
            SecretChoice::Generated => text_or_null(&self.secret_kind),
            SecretChoice::None => Value::Null,
        }
    }

    fn rate(&self) -> Value {
        self.rate_limit.parse::<u64>().map_or(Value::Null, |rate| json!(rate))
    }

    /// What changes the endpoint: only what differs, so that what somebody else changed meanwhile stays.
    pub(crate) fn change(&self, endpoint: &Endpoint) -> Value {
        let before = Draft::of(endpoint);
        let fields = [
            ("name", json!(self.name), json!(before.name)),
            ("url", json!(self.url), json!(before.url)),
            ("description", text_or_null(&self.description), text_or_null(&before.description)),
            ("events", json!(self.events), json!(before.events)),
            ("filter", json!(self.condition.filter()), json!(endpoint.filter)),
            ("rate_limit", self.rate(), json!(endpoint.rate_limit)),
            ("ordering", json!(ordering(self.is_ordered)), json!(ordering(before.is_ordered))),
        ];
        let changed = fields.into_iter().filter(|(_, now, before)| now != before);
        let mut body: Map<_, _> = changed.map(|(name, now, _)| (name.to_owned(), now)).collect();
        body.extend(self.headers.change().map(|headers| ("headers".to_owned(), headers)));
        Value::Object(body)
    }
}

fn ordering(is_ordered: bool) -> &'static str {
    if is_ordered { "resource" } else { "none" }
}

fn text_or_null(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

/// How a contract lets new webhooks come by a secret, the usual way first; none where nothing is signed. Where secrets are made unless one is given, there is no
/// way to ask for none.
pub(crate) fn choices(contract: &Contract) -> Vec<SecretChoice> {
    let rules = &contract.secret;
    let all = [
        (SecretChoice::Generated, rules.generated),
        (SecretChoice::Own, rules.chosen),
        (SecretChoice::None, !rules.required && !rules.generated),
    ];
    all.into_iter().filter(|(_, is_possible)| contract.signed && *is_possible).map(|(choice, _)| choice).collect()
}

#[cfg(test)]
mod tests {
    use super::super::picker::tests::contract;
    use super::*;

    fn endpoint() -> Endpoint {
        let told = json!({
            "id": "ep_1", "name": "Ours", "url": "https://example.com", "description": "One\nTwo", "events": ["deal.won"],
            "filter": "changes.stage", "contract": "own", "rate_limit": 5, "ordering": "resource", "status": "active",
            "consecutive_failures": 0, "headers": {}, "signed": true, "updated_at": "2026-01-01T00:00:00Z",
        });
        serde_json::from_value(told).unwrap()
    }

    #[test]
    fn a_new_webhook_is_paused_and_has_what_was_filled_in() {
        let form = Form::read(
            b"name=Ours&url=https://example.com&events=deal.won&filter_kind=changed&filter_fields=stage&secret=generated&start=test",
        );
        let expected = json!({
            "name": "Ours", "url": "https://example.com", "events": ["deal.won"], "enabled": false, "filter": "changes.stage",
        });
        assert_eq!(Draft::read(&form, None).creation(), expected);
    }

    #[test]
    fn everything_that_can_be_chosen_goes_to_the_api() {
        let form = Form::read(
            b"events=*&description=a%0D%0Ab&rate_limit=20&ordering=on&secret=own&secret_own=whsec_x&start=now&header_name_0=X-A&header_value_0=1",
        );
        let expected = json!({
            "name": "", "url": "", "events": ["*"], "enabled": true, "description": "a\nb", "rate_limit": 20, "ordering": "resource",
            "headers": {"X-A": "1"}, "secret": "whsec_x",
        });
        assert_eq!(Draft::read(&form, None).creation(), expected);
        let kind = Form::read(b"secret=generated&secret_kind=whsk_");
        assert_eq!(Draft::read(&kind, None).creation()["secret"], "whsk_");
        assert_eq!(Draft::read(&Form::read(b"secret=own"), None).creation()["secret"], "");
    }

    #[test]
    fn a_change_holds_what_differs_and_nothing_else() {
        let endpoint = endpoint();
        assert_eq!(Draft::of(&endpoint).change(&endpoint), json!({}));
        let form = Form::read(
            b"name=Ours&url=https://example.com&description=One%0D%0ATwo&events=deal.won&filter_kind=changed&filter_fields=stage&rate_limit=5&ordering=on",
        );
        assert_eq!(Draft::read(&form, Some(&endpoint)).change(&endpoint), json!({}));
        let emptied = Draft::read(&Form::read(b"name=New"), Some(&endpoint)).change(&endpoint);
        let expected = json!({
            "name": "New", "url": "", "description": null, "events": [], "filter": null, "rate_limit": null, "ordering": "none",
        });
        assert_eq!(emptied, expected);
    }

    #[test]
    fn a_rate_that_is_no_number_is_a_mistake() {
        let mistakes = |form: &[u8]| Draft::read(&Form::read(form), None).mistakes();
        assert_eq!(mistakes(b"rate_limit=ten")[0].pointer, "/rate_limit");
        assert_eq!(mistakes(b"rate_limit=1.5").len(), 1);
        assert!(mistakes(b"rate_limit=10").is_empty() && mistakes(b"rate_limit=").is_empty());
    }

    #[test]
    fn secrets_are_had_as_the_contract_allows() {
        use SecretChoice::{Generated, None, Own};
        let with = |signed, required, generated, chosen| {
            let mut contract = contract(false);
            contract.signed = signed;
            (contract.secret.required, contract.secret.generated, contract.secret.chosen) =
                (required, generated, chosen);
            choices(&contract)
        };
        assert_eq!(with(true, true, true, true), [Generated, Own]);
        assert_eq!(with(true, false, false, true), [Own, None]);
        assert_eq!(with(true, true, true, false), [Generated]);
        assert_eq!(with(false, true, true, true), []);
    }
}
