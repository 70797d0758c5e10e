//! The audit trail.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Who changed something.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Actor {
    pub(crate) kind: String,
    pub(crate) id: Option<String>,
}

/// One change.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AuditEntry {
    pub(crate) id: String,
    pub(crate) at: String,
    pub(crate) actor: Actor,
    pub(crate) action: String,
    pub(crate) object: String,
    pub(crate) before: Map<String, Value>,
    pub(crate) after: Map<String, Value>,
    pub(crate) source: Option<String>,
}
