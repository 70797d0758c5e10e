//! Event types, as a contract's catalogue has them.

use serde::Deserialize;
use serde_json::Value;

/// One event type.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EventType {
    /// As receivers know it, such as `deal.won`.
    pub(crate) name: String,
    /// When it happens, in English.
    pub(crate) description: String,
    /// Under which heading it is listed, in English.
    pub(crate) category: String,
    /// Realistic data.
    pub(crate) sample: Option<Value>,
}
