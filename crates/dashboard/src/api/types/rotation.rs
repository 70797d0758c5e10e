//! Signing secrets: what a contract says of them, and what a rotation gives.

use serde::Deserialize;

/// What a contract says about signing.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Signing {
    /// Whether requests are signed.
    pub(crate) signed: bool,
    pub(crate) secret: SigningSecret,
}

/// What a contract says about secrets.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SigningSecret {
    /// Whether one is made when none is given.
    pub(crate) generated: bool,
    /// Whether people may bring their own.
    pub(crate) chosen: bool,
    /// How long old and new both work after a rotation, in milliseconds.
    pub(crate) overlap_ms: u64,
}

/// A secret that was just rotated: here, and never again.
#[derive(Deserialize)]
pub(crate) struct Rotated {
    pub(crate) secret: String,
    /// What receivers verify with, where the secret is an asymmetric key.
    pub(crate) public_key: Option<String>,
}
