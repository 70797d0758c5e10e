//! Organisation keys: made, listed; the key itself is shown once.

use postrider_domain::{Key, Millis, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use crate::code::Code;
use crate::fields::{Fields, Text};
use crate::limits::NAME_CHARS_MAX;
use crate::time::Moment;

/// What an organisation key allows.
#[derive(Debug, ToSchema)]
#[schema(as = Scope)]
#[expect(dead_code, reason = "says which words there are; they are the domain's")]
pub(crate) enum ScopeWord {
    /// Publish events.
    #[schema(rename = "events:write")]
    EventsWrite,
    /// Read endpoints, event types and the organisation.
    #[schema(rename = "endpoints:read")]
    EndpointsRead,
    /// Create, change, test and delete endpoints.
    #[schema(rename = "endpoints:write")]
    EndpointsWrite,
    /// Read events and deliveries.
    #[schema(rename = "deliveries:read")]
    DeliveriesRead,
    /// Retry deliveries.
    #[schema(rename = "deliveries:write")]
    DeliveriesWrite,
}

/// A key to make.
#[derive(Debug, ToSchema)]
pub(crate) struct NewKey {
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) name: String,
    /// At least one.
    #[schema(value_type = Vec<ScopeWord>, min_items = 1, max_items = 10)]
    pub(crate) scopes: Vec<Scope>,
    /// From when it is refused; never when left out.
    #[schema(value_type = Option<Moment>)]
    pub(crate) expires_at: Option<Millis>,
}

impl NewKey {
    pub(crate) const FIELDS: &[&str] = &["name", "scopes", "expires_at"];

    pub(crate) fn read(fields: &mut Fields<'_, '_>, now: Millis) -> Self {
        let name = fields.required_text("name", Text::line(1, NAME_CHARS_MAX));
        let read_scope = |text: &str| Ok(text.parse::<Scope>()?);
        let mut scopes = fields.required_list("scopes", Scope::ALL.len() * 2, read_scope);
        scopes.sort_unstable();
        scopes.dedup();
        let expires_at = fields.moment("expires_at");
        if expires_at.is_some_and(|end| end <= now) {
            fields.wrong("expires_at", Code::TimeNotFuture.says("must be in the future"));
        }
        NewKey { name, scopes, expires_at }
    }
}

/// An organisation key, without the key itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyBody<'a> {
    /// Its id (not the key itself).
    #[schema(example = "key_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    id: String,
    name: &'a str,
    #[schema(value_type = Vec<ScopeWord>)]
    scopes: Vec<&'static str>,
    /// The key's first characters, to recognise it by.
    #[schema(example = "prk_mfrggz")]
    hint: &'a str,
    created_at: Moment,
    /// From when it is refused.
    #[schema(required = true)]
    expires_at: Option<Moment>,
    /// The key itself: in the answer to its making, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    key: Option<&'a str>,
}

impl<'a> KeyBody<'a> {
    pub(crate) fn new(key: &'a Key, text: Option<&'a str>) -> Self {
        KeyBody {
            id: key.id.to_string(),
            name: &key.name,
            scopes: key.scopes.iter().map(|scope| scope.as_str()).collect(),
            hint: &key.hint,
            created_at: Moment(key.created_at),
            expires_at: key.expires_at.map(Moment),
            key: text,
        }
    }
}
