//! What goes into a store and comes out of it about endpoints that keep failing.

use postrider_domain::{AuditEntry, EndpointId, Millis, Notice, OperationalEventId, OrganizationId, Streak};

use crate::error::Result;
use crate::rows::{AuditRow, Sealer, seal_audit};

/// A step against an endpoint that keeps failing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingStep {
    /// What the operator's event of it is called, where there is one.
    pub id: OperationalEventId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The step is taken only while its streak has at least so many failures.
    pub failures_min: u32,
    /// When the attempt began that it follows from: an endpoint that was resumed since is let be, for that attempt tells nothing of it.
    pub began_at: Millis,
    /// What is done.
    pub act: FailingAct,
    /// When.
    pub at: Millis,
    /// What its owner is told of it.
    pub notice: Option<Notice>,
}

/// What is done about an endpoint that keeps failing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailingAct {
    /// It is noted that its owner was warned, unless that was done after this moment.
    Warn {
        /// The moment.
        unless_after: Millis,
    },
    /// It becomes disabled.
    Disable {
        /// Shown to its owner.
        reason: String,
        /// What the audit trail tells of it.
        audit: Box<AuditEntry>,
    },
}

impl FailingStep {
    /// The audit trail's entry, where there is one, sealed as it is stored.
    pub(crate) fn seal_entry(&self, sealer: Sealer<'_>) -> Result<Option<AuditRow>> {
        match &self.act {
            FailingAct::Warn { .. } => Ok(None),
            FailingAct::Disable { audit, .. } => seal_audit(sealer, audit).map(Some),
        }
    }
}

/// A notice that is the caller's to send until a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedNotice {
    /// The notice.
    pub notice: Notice,
    /// How often it was claimed, this time included.
    pub tries: u32,
    /// From then on others may claim it.
    pub until: Millis,
}

/// A streak with its endpoint, as an export has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortableStreak {
    /// Whose it is.
    pub organization: OrganizationId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its streak.
    pub streak: Streak,
}

/// A notice that was not sent yet, as an export has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortableNotice {
    /// The notice.
    pub notice: Notice,
    /// When it is to be sent.
    pub due_at: Millis,
    /// How often that was tried.
    pub tries: u32,
}
