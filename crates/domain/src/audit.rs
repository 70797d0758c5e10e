//! The audit trail: who changed what, when, and how it was before and after.
//!
//! An *entry* is written in the transaction of the change that it tells of. *Facts* are what may be told of an object: of a secret, only that there is
//! one; of an URL, nothing that could be a credential.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::endpoint::{Endpoint, EndpointStatus};
use crate::ids::{AuditId, KeyId};
use crate::key::{Key, Role};
use crate::organization::Organization;
use crate::secret::Secret;
use crate::time::Millis;

/// Told instead of a secret.
const MASK: &str = "********";
/// Follows the mask of what was changed into something that looks alike.
const CHANGED: &str = " (changed)";

/// Who changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever has the operator key, or works on the server's own machine.
    Operator,
    /// An organisation key.
    Key(KeyId),
    /// A person, or a program, whom the CRM vouches for with a token.
    Token {
        /// The token's `sub`: who it was issued to.
        subject: Option<String>,
        /// What it was allowed.
        role: Role,
    },
    /// The server itself.
    System,
}

impl Actor {
    /// What kind of actor it is, in the API and the store.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Actor::Operator => "operator",
            Actor::Key(_) => "key",
            Actor::Token { .. } => "jwt",
            Actor::System => "system",
        }
    }

    /// Which one of its kind.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Actor::Key(id) => Some(id.to_string()),
            Actor::Token { subject, .. } => subject.clone(),
            Actor::Operator | Actor::System => None,
        }
    }

    /// Whether a filter means it: `operator`, `system`, a key's id, or `jwt:` and a subject.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        match self {
            Actor::Operator | Actor::System => text == self.kind(),
            Actor::Key(id) => id.to_string() == text,
            Actor::Token { subject, .. } => text.strip_prefix("jwt:") == Some(subject.as_deref().unwrap_or_default()),
        }
    }
}

/// What was done, by its name in the API. A newer server may have written one that this one does not know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Action(pub Cow<'static, str>);

macro_rules! actions {
    ($($name:ident = $text:literal;)*) => {
        impl Action {
            $(#[doc = concat!("`", $text, "`")]
            pub const $name: Action = Action(Cow::Borrowed($text));)*
            /// Every action that this program writes.
            pub const ALL: &[Action] = &[$(Action::$name),*];
        }
    };
}

actions! {
    ORGANIZATION_CREATED = "organization.created";
    ORGANIZATION_CHANGED = "organization.changed";
    ORGANIZATION_DELETED = "organization.deleted";
    ORGANIZATION_SET_ASIDE = "organization.set_aside";
    ORGANIZATION_TAKEN_BACK = "organization.taken_back";
    ENDPOINT_CREATED = "endpoint.created";
    ENDPOINT_CHANGED = "endpoint.changed";
    ENDPOINT_DELETED = "endpoint.deleted";
    ENDPOINT_DISABLED = "endpoint.disabled";
    ENDPOINT_TESTED = "endpoint.tested";
    ENDPOINT_DIAGNOSED = "endpoint.diagnosed";
    SECRET_ROTATED = "secret.rotated";
    ROTATION_CONFIRMED = "rotation.confirmed";
    KEY_CREATED = "key.created";
    KEY_DELETED = "key.deleted";
    DELIVERY_RETRIED = "delivery.retried";
    RECOVERY_BEGUN = "recovery.begun";
    ERASURE_BEGUN = "erasure.begun";
    OPERATOR_KEY_REPLACED = "operator_key.replaced";
}

/// What is told of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is empty.
    Nothing,
    /// A text; of what is secret, a mask.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// A time.
    Moment(Millis),
}

impl Told {
    fn text(text: impl Into<String>) -> Self {
        Told::Text(text.into())
    }

    fn optional(text: Option<&str>) -> Self {
        text.map_or(Told::Nothing, Told::text)
    }
}

/// A field with what is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, as the API has it.
    pub name: Cow<'static, str>,
    /// What is told.
    pub told: Told,
}

/// An object's fields, before they are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(Vec<Fact>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    field: Field,
    /// What is compared beside what is told.
    hidden: Option<Secret>,
}

impl Facts {
    fn add(&mut self, name: impl Into<Cow<'static, str>>, told: Told) {
        self.0.push(Fact { field: Field { name: name.into(), told }, hidden: None });
    }

    fn add_hidden(&mut self, name: impl Into<Cow<'static, str>>, told: Told, hidden: &str) {
        let hidden = Some(Secret::new(hidden.to_owned()));
        self.0.push(Fact { field: Field { name: name.into(), told }, hidden });
    }

    /// What may be told of an organisation.
    #[must_use]
    pub fn of_organization(organization: &Organization) -> Self {
        let mut facts = Facts::default();
        facts.add("name", Told::text(&organization.name));
        facts.add("contract", Told::text(&organization.contract));
        facts.add("plan", Told::optional(organization.plan.as_deref()));
        facts.add("owner_email", Told::optional(organization.owner_email.as_deref()));
        facts.add("locale", Told::optional(organization.locale.as_deref()));
        facts.add("event_validation", Told::text(organization.event_validation.as_str()));
        facts.add("frame_ancestors", Told::Texts(organization.frame_ancestors.clone()));
        facts
    }

    /// What may be told of an endpoint where its status is all that changes.
    #[must_use]
    pub fn of_status(status: &EndpointStatus) -> Self {
        let mut facts = Facts::default();
        facts.add_status(status);
        facts
    }

    fn add_status(&mut self, status: &EndpointStatus) {
        self.add("status", Told::text(status.as_str()));
        if let EndpointStatus::Disabled { reason } = status {
            self.add("disabled_reason", Told::text(reason));
        }
    }

    /// What may be told of an endpoint.
    #[must_use]
    pub fn of_endpoint(endpoint: &Endpoint) -> Self {
        let mut facts = Facts::default();
        facts.add("name", Told::text(&endpoint.name));
        facts.add("description", Told::optional(endpoint.description.as_deref()));
        facts.add_hidden("url", Told::Text(masked_url(&endpoint.url)), &endpoint.url);
        facts.add("events", Told::Texts(endpoint.events.iter().map(ToString::to_string).collect()));
        facts.add("contract", Told::text(&endpoint.contract));
        facts.add("system", Told::optional(endpoint.system.as_deref()));
        facts.add_status(&endpoint.status);
        if let Some(secret) = &endpoint.secret {
            facts.add_hidden("secret", Told::text(MASK), secret.reveal());
        }
        if let Some(overlap) = &endpoint.overlap {
            facts.add_hidden("overlap.old", Told::text(MASK), overlap.old.reveal());
            facts.add("overlap.ends_at", Told::Moment(overlap.ends_at));
            facts.add("overlap.confirmed", Told::text(if overlap.is_confirmed { "true" } else { "false" }));
        }
        facts.add("filter", Told::optional(endpoint.filter.as_deref()));
        facts.add("rate_limit", endpoint.rate_limit.map_or(Told::Nothing, |rate| Told::text(rate.to_string())));
        facts.add("ordering", Told::text(endpoint.ordering.as_str()));
        for (name, value) in &endpoint.headers {
            facts.add_hidden(format!("headers.{name}"), Told::text(MASK), value.reveal());
        }
        facts
    }

    /// What may be told of a key.
    #[must_use]
    pub fn of_key(key: &Key) -> Self {
        let mut facts = Facts::default();
        facts.add("name", Told::text(&key.name));
        facts.add("scopes", Told::Texts(key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect()));
        facts.add("hint", Told::text(&key.hint));
        facts.add("expires_at", key.expires_at.map_or(Told::Nothing, Told::Moment));
        facts
    }

    fn find(&self, name: &str) -> Option<&Fact> {
        self.0.iter().find(|fact| fact.field.name == name)
    }

    /// The fields that are not the same in the other.
    fn without_what_is_in(&self, other: &Facts) -> Vec<Field> {
        let differs = |fact: &&Fact| other.find(&fact.field.name) != Some(*fact);
        self.0.iter().filter(differs).map(|fact| fact.field.clone()).collect()
    }
}

/// Without user, password, query and fragment, each of which may hold a credential.
fn masked_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return MASK.to_owned() };
    let path_at = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(path_at);
    let (credentials, host) = match authority.rsplit_once('@') {
        Some((_, host)) => (format!("{MASK}@"), host),
        None => (String::new(), authority),
    };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let query = if path.len() < rest.len() { format!("?{MASK}") } else { String::new() };
    format!("{scheme}://{credentials}{host}{path}{query}")
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id, made when it was written.
    pub id: AuditId,
    /// When it happened.
    pub at: Millis,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// To what: an id.
    pub object: String,
    /// What was changed, as it was; empty for what was made.
    pub before: Vec<Field>,
    /// What was changed, as it is; empty for what was deleted.
    pub after: Vec<Field>,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// Where that came from.
    pub source: Option<IpAddr>,
}

impl AuditEntry {
    /// One that tells of nothing but the action.
    #[must_use]
    pub fn new(id: AuditId, at: Millis, actor: Actor, action: Action, object: impl ToString) -> Self {
        AuditEntry {
            id,
            at,
            actor,
            action,
            object: object.to_string(),
            before: Vec::new(),
            after: Vec::new(),
            request_id: None,
            source: None,
        }
    }

    /// With the fields that differ.
    #[must_use]
    pub fn telling(mut self, before: &Facts, after: &Facts) -> Self {
        self.before = before.without_what_is_in(after);
        self.after = after.without_what_is_in(before);
        for field in &mut self.after {
            let looks_alike = self.before.iter().any(|old| old == field);
            if let (true, Told::Text(text)) = (looks_alike, &mut field.told) {
                text.push_str(CHANGED);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::EndpointOrdering;
    use crate::ids::EndpointId;
    use uuid::Uuid;

    fn endpoint(url: &str, secret: &str, header: &str) -> Endpoint {
        Endpoint {
            id: EndpointId(Uuid::nil()),
            organization: "acme".parse().unwrap(),
            name: "CRM".into(),
            description: None,
            url: url.into(),
            events: vec!["deal.won".parse().unwrap()],
            contract: "standard".into(),
            secret: Some(Secret::new(secret.into())),
            overlap: None,
            filter: None,
            rate_limit: None,
            ordering: EndpointOrdering::None,
            headers: vec![("X-Token".into(), Secret::new(header.into()))],
            system: None,
            status: EndpointStatus::Active,
            resumed_at: None,
            created_at: Millis(0),
            updated_at: Millis(0),
        }
    }

    fn told(before: &Facts, after: &Facts) -> AuditEntry {
        let entry = AuditEntry::new(AuditId(Uuid::nil()), Millis(0), Actor::System, Action::ENDPOINT_CHANGED, "ep_1");
        entry.telling(before, after)
    }

    #[test]
    fn what_differs_is_told_and_nothing_else() {
        let one = endpoint("https://a.example/in", "s", "h");
        let other = Endpoint { name: "ERP".into(), status: EndpointStatus::Paused, ..one.clone() };
        let entry = told(&Facts::of_endpoint(&one), &Facts::of_endpoint(&other));
        let names = |fields: &[Field]| fields.iter().map(|field| field.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&entry.before), ["name", "status"]);
        assert_eq!(names(&entry.after), ["name", "status"]);
        assert_eq!(entry.before[0].told, Told::Text("CRM".into()));
        assert_eq!(entry.after[1].told, Told::Text("paused".into()));
    }

    #[test]
    fn no_secret_is_told_but_that_it_was_changed() {
        let one = endpoint("https://user:pass@a.example/in?token=first#x", "secret-1", "header-1");
        let other = endpoint("https://user:word@a.example/in?token=second#x", "secret-2", "header-2");
        let entry = told(&Facts::of_endpoint(&one), &Facts::of_endpoint(&other));
        let shown = format!("{entry:?}");
        for secret in ["pass", "word", "first", "second", "secret-1", "secret-2", "header-1", "header-2"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert_eq!(entry.before[0].told, Told::Text("https://********@a.example/in?********".into()));
        assert_eq!(entry.after[0].told, Told::Text("https://********@a.example/in?******** (changed)".into()));
        assert_eq!((entry.before.len(), entry.after.len()), (3, 3));
        assert_eq!(entry.after[2].name, "headers.X-Token");
    }

    #[test]
    fn urls_lose_what_may_be_a_credential_and_nothing_else() {
        for (url, shown) in [
            ("https://a.example", "https://a.example"),
            ("https://a.example:8443/in/x", "https://a.example:8443/in/x"),
            ("https://a.example?q=1", "https://a.example?********"),
            ("https://t@a.example/@x", "https://********@a.example/@x"),
            ("no url", "********"),
        ] {
            assert_eq!(masked_url(url), shown);
        }
    }

    #[test]
    fn an_actor_is_found_by_what_the_filter_names() {
        let token = |subject: Option<&str>| Actor::Token { subject: subject.map(str::to_owned), role: Role::Admin };
        assert!(Actor::Operator.is("operator") && !Actor::System.is("operator"));
        assert!(token(Some("u1")).is("jwt:u1") && !token(Some("u1")).is("u1") && !token(None).is("jwt:u1"));
        let key = KeyId(Uuid::from_u128(5));
        assert!(Actor::Key(key).is(&key.to_string()));
    }

    #[test]
    fn every_action_has_a_name_of_its_own() {
        let mut names: Vec<_> = Action::ALL.iter().map(|action| action.0.clone()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Action::ALL.len());
    }
}
