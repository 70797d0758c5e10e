//! The audit trail as it is shown.

use postrider_domain::{Actor, AuditEntry, Field, Told};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::time::Moment;

/// Who changed something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Actor)]
pub(crate) struct ActorBody {
    /// `operator`, `key`, `jwt` or `system` (the server itself).
    #[schema(example = "jwt")]
    kind: &'static str,
    /// The key's id, or the token's `sub`.
    #[schema(required = true)]
    id: Option<String>,
    /// The token's role.
    #[schema(required = true)]
    role: Option<&'static str>,
}

impl ActorBody {
    fn new(actor: &Actor) -> Self {
        let role = match actor {
            Actor::Token { role, .. } => Some(role.as_str()),
            Actor::Operator | Actor::Key(_) | Actor::System => None,
        };
        ActorBody { kind: actor.kind(), id: actor.id(), role }
    }
}

/// Fields by name.
#[derive(Debug)]
pub(crate) struct FieldsBody<'a>(&'a [Field]);

impl Serialize for FieldsBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for field in self.0 {
            match &field.told {
                Told::Nothing => map.serialize_entry(&field.name, &None::<()>)?,
                Told::Text(text) => map.serialize_entry(&field.name, text)?,
                Told::Texts(texts) => map.serialize_entry(&field.name, texts)?,
                Told::Moment(at) => map.serialize_entry(&field.name, &Moment(*at))?,
            }
        }
        map.end()
    }
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct AuditEntryBody<'a> {
    #[schema(example = "aud_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    id: String,
    /// When it happened.
    at: Moment,
    actor: ActorBody,
    /// What was done.
    #[schema(example = "endpoint.changed")]
    action: &'a str,
    /// To what: its id.
    #[schema(example = "ep_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    object: &'a str,
    /// What was changed, as it was; empty when it was not there. Secrets are masked, and so is what may be one in an URL.
    #[schema(value_type = Object)]
    before: FieldsBody<'a>,
    /// The same as it is since; empty when it is gone.
    #[schema(value_type = Object)]
    after: FieldsBody<'a>,
    /// The `X-Request-Id` of the request.
    #[schema(required = true)]
    request_id: Option<&'a str>,
    /// The address that the request came from, as this server saw it: behind a proxy that is not a trusted one, the proxy's.
    #[schema(required = true)]
    source: Option<String>,
}

impl<'a> AuditEntryBody<'a> {
    pub(crate) fn new(entry: &'a AuditEntry) -> Self {
        AuditEntryBody {
            id: entry.id.to_string(),
            at: Moment(entry.at),
            actor: ActorBody::new(&entry.actor),
            action: &entry.action.0,
            object: &entry.object,
            before: FieldsBody(&entry.before),
            after: FieldsBody(&entry.after),
            request_id: entry.request_id.as_deref(),
            source: entry.source.map(|source| source.to_string()),
        }
    }
}
