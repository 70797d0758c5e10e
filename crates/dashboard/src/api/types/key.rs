//! Organisation keys.

use serde::Deserialize;

/// A key, without the key itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    /// Its first characters.
    pub(crate) hint: String,
    pub(crate) created_at: String,
    pub(crate) expires_at: Option<String>,
}

/// A key that was just made.
#[derive(Deserialize)]
pub(crate) struct MadeKey {
    /// Here, and never again.
    pub(crate) key: String,
    pub(crate) name: String,
}
