//! Notices: what an organisation's owner is to be told, and was not told yet.

use crate::attempt::FailureKind;
use crate::ids::{EndpointId, NoticeId};
use crate::organization::OrganizationId;
use crate::time::Millis;

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// An endpoint has failed half as often as disables it.
    Failing,
    /// It has failed too often and was disabled.
    Disabled,
    /// It answered that it is gone for good (410) and was disabled.
    Gone,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [NoticeKind; 3] = [Self::Failing, Self::Disabled, Self::Gone];

    /// The word in the store and the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            NoticeKind::Failing => "failing",
            NoticeKind::Disabled => "disabled",
            NoticeKind::Gone => "gone",
        }
    }

    /// Reads what [`NoticeKind::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A notice about an endpoint: facts of the moment at which it was made. Whom it goes to, in which language, and what the endpoint is called is
/// looked up when it is sent, so that it holds nobody's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id: the same however often it is sent.
    pub id: NoticeId,
    /// Whose owner is told.
    pub organization: OrganizationId,
    /// Which endpoint it is about.
    pub endpoint: EndpointId,
    /// What happened.
    pub kind: NoticeKind,
    /// Failures on end.
    pub failures: u32,
    /// How many of them disable an endpoint; none where only its answer counted.
    pub failures_max: Option<u32>,
    /// When the first of them failed.
    pub failing_since: Millis,
    /// Why the latest attempt failed.
    pub last_failure: FailureKind,
    /// What it was answered with.
    pub last_status_code: Option<u16>,
    /// When it was made.
    pub made_at: Millis,
}
