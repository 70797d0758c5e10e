//! Operational events that were not published yet: written with what they tell of, claimed and forgotten as notices are.

use async_trait::async_trait;
use parking_lot::RwLock;
use postrider_domain::{
    AuditEntry, DeliveryId, EndpointId, FailReason, Millis, OperationalEvent, OperationalEventId, OperationalKind,
    OrganizationId, Transition,
};
use uuid::Uuid;

use crate::error::Result;
use crate::failing::{FailingAct, FailingStep};
use crate::model::Outcome;

/// The part of a store that operational events need.
///
/// They are written in the transaction of what they tell of: a step against an endpoint that keeps failing, a change of an endpoint whose audit entry says
/// that its secret was rotated, outcomes that exhaust a delivery which is no test.
#[async_trait]
pub trait OperationalEvents: Send + Sync + 'static {
    /// Which organisation they are for, from now on: this node writes them of all others, and none where it is none. A node says so before it works.
    fn operational_for(&self, organization: Option<OrganizationId>);
    /// Operational events that are due, of all organisations: the caller's to publish until `until`, after which others may. What is claimed grows no more.
    async fn claim_operational_events(
        &self,
        now: Millis,
        until: Millis,
        limit: usize,
    ) -> Result<Vec<ClaimedOperationalEvent>>;
    /// Forgets one, or has it published at `again_at`; nothing happens when it is another's by now.
    async fn settle_operational_event(&self, claimed: &ClaimedOperationalEvent, again_at: Option<Millis>)
    -> Result<()>;
}

/// An operational event that is the caller's to publish until a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedOperationalEvent {
    /// The event.
    pub event: OperationalEvent,
    /// How often it was claimed, this time included.
    pub tries: u32,
    /// From then on others may claim it.
    pub until: Millis,
}

/// An operational event that was not published yet, as an export has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortableOperationalEvent {
    /// The event.
    pub event: OperationalEvent,
    /// When it is to be published.
    pub due_at: Millis,
    /// How often that was tried.
    pub tries: u32,
}

/// Of whom operational events are written.
#[derive(Debug, Default)]
pub(crate) struct OperationalFor(RwLock<Option<OrganizationId>>);

impl OperationalFor {
    pub(crate) fn set(&self, organization: Option<OrganizationId>) {
        *self.0.write() = organization;
    }

    /// Of everybody but whom they are for: what befalls its own endpoints would lead to more and more of them.
    pub(crate) fn is_told_of(&self, organization: &OrganizationId) -> bool {
        self.0.read().as_ref().is_some_and(|told| told != organization)
    }

    /// What is told of a step, where it is.
    pub(crate) fn of_step(&self, step: &FailingStep) -> Option<OperationalEvent> {
        let (kind, reason) = match &step.act {
            FailingAct::Warn { .. } => (OperationalKind::EndpointFailing, None),
            FailingAct::Disable { reason, .. } => (OperationalKind::EndpointDisabled, Some(reason.clone())),
        };
        let made =
            OperationalEvent { count: step.failures_min, reason, ..plain(&step.organization, step.id.0, step.at) };
        let event = OperationalEvent { kind, endpoint: step.endpoint, ..made };
        self.is_told_of(&step.organization).then_some(event)
    }

    /// What is told of a change of an endpoint, where it is.
    pub(crate) fn of_change(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        entry: &AuditEntry,
    ) -> Option<OperationalEvent> {
        let is_told = entry.action == postrider_domain::Action::SECRET_ROTATED && self.is_told_of(organization);
        is_told.then(|| OperationalEvent { endpoint, ..plain(organization, entry.id.0, entry.at) })
    }

    /// What is told of an outcome, once it is recorded.
    pub(crate) fn of_outcome(&self, outcome: &Outcome) -> Option<OperationalEvent> {
        let delivery = &outcome.delivery;
        let is_exhausted = outcome.transition == Transition::Fail(FailReason::Exhausted) && !delivery.test;
        (is_exhausted && self.is_told_of(&delivery.organization)).then(|| OperationalEvent {
            kind: OperationalKind::DeliveryExhausted,
            endpoint: delivery.endpoint,
            delivery: Some(delivery.id),
            ..plain(&delivery.organization, outcome.attempt.id.0, outcome.ended_at)
        })
    }
}

fn plain(organization: &OrganizationId, id: Uuid, at: Millis) -> OperationalEvent {
    OperationalEvent {
        id: OperationalEventId(id),
        organization: organization.clone(),
        endpoint: EndpointId(Uuid::nil()),
        kind: OperationalKind::SecretRotated,
        count: 1,
        reason: None,
        delivery: None,
        first_at: at,
        last_at: at,
    }
}

/// A row of the table, in either store.
pub(crate) struct OperationalRow {
    pub(crate) id: Uuid,
    pub(crate) organization: String,
    pub(crate) endpoint: Uuid,
    pub(crate) kind: String,
    pub(crate) count: u32,
    pub(crate) reason: Option<String>,
    pub(crate) delivery: Option<Uuid>,
    pub(crate) first_at: Millis,
    pub(crate) last_at: Millis,
    /// A claim under way included.
    pub(crate) tries: u32,
}

impl OperationalRow {
    pub(crate) fn claimed(self, until: Millis) -> Result<ClaimedOperationalEvent> {
        let tries = self.tries;
        Ok(ClaimedOperationalEvent { event: self.event()?, tries, until })
    }

    pub(crate) fn portable(self, due_at: Millis) -> Result<PortableOperationalEvent> {
        let tries = self.tries;
        Ok(PortableOperationalEvent { event: self.event()?, due_at, tries })
    }

    fn event(self) -> Result<OperationalEvent> {
        let damaged = crate::rows::damaged;
        Ok(OperationalEvent {
            id: OperationalEventId(self.id),
            organization: self.organization.parse().map_err(|_| damaged("an organization's id"))?,
            endpoint: EndpointId(self.endpoint),
            kind: OperationalKind::parse(&self.kind).ok_or_else(|| damaged("an operational event's kind"))?,
            count: self.count,
            reason: self.reason,
            delivery: self.delivery.map(DeliveryId),
            first_at: self.first_at,
            last_at: self.last_at,
        })
    }
}
