//! What a store should hold, as simply as it can be said.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use postrider_domain::{
    DeliveryId, DeliveryStatus, EndpointId, FailReason, Millis, OrganizationId, Progress, Resume, Transition, Trigger,
};

use super::samples::DAY;
use crate::model::{Delivery, Event, OpenDelivery, Outcome, Recorded, RevisionId};

/// A delivery as the model sees it.
#[derive(Clone)]
pub(super) struct Modelled {
    pub(super) organization: OrganizationId,
    pub(super) endpoint: EndpointId,
    event: Arc<Event>,
    event_is_kept: bool,
    revision: RevisionId,
    state: State,
    progress: Progress,
    trigger: Trigger,
    last_status_code: Option<u16>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open { due_at: Millis },
    Ended { at: Millis, reason: Option<FailReason> },
}

/// All deliveries by id.
#[derive(Default)]
pub(super) struct Model {
    pub(super) deliveries: BTreeMap<DeliveryId, Modelled>,
    /// Endpoints that were deleted; what was open to them is hidden until it is failed.
    deleted: HashSet<EndpointId>,
}

impl Model {
    pub(super) fn add(&mut self, organization: &OrganizationId, new: &crate::model::NewEvent) {
        for delivery in &new.deliveries {
            let modelled = Modelled {
                organization: organization.clone(),
                endpoint: delivery.endpoint,
                event: Arc::clone(&new.event),
                event_is_kept: true,
                revision: delivery.revision,
                state: State::Open { due_at: delivery.due_at },
                progress: Progress::default(),
                trigger: Trigger::Schedule,
                last_status_code: None,
            };
            self.deliveries.insert(delivery.id, modelled);
        }
    }

    pub(super) fn record(&mut self, outcome: &Outcome) -> Recorded {
        let Some(found) = self.deliveries.get_mut(&outcome.delivery.id) else { return Recorded::Stale };
        let is_open = matches!(found.state, State::Open { .. }) && !self.deleted.contains(&found.endpoint);
        if !is_open || found.progress.attempts_count != outcome.delivery.progress.attempts_count {
            return Recorded::Stale;
        }
        found.progress = outcome.progress;
        found.trigger = Trigger::Schedule;
        found.last_status_code =
            outcome.attempt.response.as_ref().map(|answer| answer.status_code).or(found.last_status_code);
        found.state = match outcome.transition {
            Transition::Succeed => State::Ended { at: outcome.ended_at, reason: None },
            Transition::Fail(reason) => State::Ended { at: outcome.ended_at, reason: Some(reason) },
            Transition::RetryAt(due_at) => State::Open { due_at },
        };
        Recorded::Recorded
    }

    pub(super) fn retry(&mut self, id: DeliveryId, now: Millis) -> Option<OpenDelivery> {
        let found = self.deliveries.get_mut(&id)?;
        let resume = match (found.state, found.trigger) {
            (State::Open { due_at }, Trigger::Schedule) => Resume::At(due_at),
            (State::Open { .. }, Trigger::Person { resume }) => resume,
            (State::Ended { .. }, _) if !found.event_is_kept => return None,
            (State::Ended { reason: None, .. }, _) => Resume::Succeeded,
            (State::Ended { reason: Some(reason), .. }, _) => Resume::Failed(reason),
        };
        found.trigger = Trigger::Person { resume };
        found.state = State::Open { due_at: now };
        found.as_open(id)
    }

    /// An endpoint is deleted: its open deliveries are hidden, and fail with the next retention.
    pub(super) fn delete_endpoint(&mut self, endpoint: EndpointId) {
        self.deleted.insert(endpoint);
    }

    pub(super) fn retain(&mut self, now: Millis, before: Millis, drops_whole_days: bool) {
        for found in self.deliveries.values_mut() {
            if matches!(found.state, State::Open { .. }) && self.deleted.contains(&found.endpoint) {
                found.state = State::Ended { at: now, reason: Some(FailReason::EndpointDeleted) };
            }
            if found.event.accepted_at >= before {
                continue;
            }
            found.event_is_kept = drops_whole_days;
            if let State::Open { .. } = found.state {
                found.state = State::Ended { at: now, reason: Some(FailReason::Expired) };
            }
        }
        let day_of = |at: Millis| at.0.div_euclid(DAY);
        match drops_whole_days {
            true => self.deliveries.retain(|_, found| day_of(found.event.accepted_at) >= day_of(before)),
            false => self.deliveries.retain(|_, found| !matches!(found.state, State::Ended { at, .. } if at < before)),
        }
    }

    pub(super) fn claim(&self, endpoint: EndpointId, now: Millis) -> Vec<OpenDelivery> {
        let is_there = !self.deleted.contains(&endpoint);
        let of_endpoint = self.deliveries.iter().filter(|(_, found)| is_there && found.endpoint == endpoint);
        let mut open: Vec<_> = of_endpoint.filter_map(|(id, found)| found.as_open(*id)).collect();
        open.retain(|open| open.due_at <= now);
        open.sort_by_key(|open| (open.due_at, open.id));
        open
    }

    /// An organisation's deliveries, newest first.
    pub(super) fn list(&self, organization: &OrganizationId) -> Vec<Delivery> {
        let ours = self.deliveries.iter().rev().filter(|(_, found)| found.organization == *organization);
        let shown = ours
            .filter(|(_, found)| !matches!(found.state, State::Open { .. }) || !self.deleted.contains(&found.endpoint));
        shown.map(|(id, found)| found.as_row(*id)).collect()
    }
}

impl Modelled {
    fn as_open(&self, id: DeliveryId) -> Option<OpenDelivery> {
        let State::Open { due_at } = self.state else { return None };
        Some(OpenDelivery {
            id,
            organization: self.organization.clone(),
            endpoint: self.endpoint,
            event_type: "dealWon".into(),
            revision: self.revision,
            test: false,
            created_at: self.event.accepted_at,
            due_at,
            progress: self.progress,
            trigger: self.trigger,
            turn: None,
            event: Arc::clone(&self.event),
        })
    }

    fn as_row(&self, id: DeliveryId) -> Delivery {
        let (status, fail_reason, next_attempt_at, ended_at) = match self.state {
            State::Open { due_at } => (DeliveryStatus::Pending, None, Some(due_at), None),
            State::Ended { at, reason: None } => (DeliveryStatus::Succeeded, None, None, Some(at)),
            State::Ended { at, reason } => (DeliveryStatus::Failed, reason, None, Some(at)),
        };
        Delivery {
            id,
            event: self.event.id.clone(),
            endpoint: self.endpoint,
            event_type: "dealWon".into(),
            resource: self.event.resource.clone().filter(|_| self.event_is_kept),
            revision: self.revision,
            test: false,
            status,
            fail_reason,
            created_at: self.event.accepted_at,
            next_attempt_at,
            ended_at,
            attempts_count: self.progress.attempts_count,
            last_status_code: self.last_status_code,
        }
    }
}
