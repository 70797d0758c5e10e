//! Who is looking.

use serde::Deserialize;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Operator,
    Admin,
    Viewer,
}

impl Role {
    /// Whether they may change things.
    pub(crate) fn may_change(self) -> bool {
        self != Role::Viewer
    }
}

/// A session.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) role: Role,
    /// None for the operator.
    pub(crate) organization: Option<String>,
    pub(crate) locale: Option<String>,
    /// The endpoint that its link opens.
    pub(crate) endpoint: Option<String>,
}

/// A session that was just begun.
#[derive(Deserialize)]
pub(crate) struct BegunSession {
    pub(crate) token: String,
    #[serde(flatten)]
    pub(crate) session: Session,
}
