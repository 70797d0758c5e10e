//! Test events: one attempt with sample data, in every status of the endpoint, never retried, listed apart.

use std::sync::Arc;

use postrider_domain::{
    AuditEntry, DeliveryId, EndpointId, EventId, FailReason, Millis, OrganizationId, Progress, StreakChange,
    Transition, Verdict,
};
use postrider_store::{Event, NewDelivery, NewEvent, OpenDelivery, Outcome, Recorded, StoreError};

use crate::accept::open_delivery;
use crate::directory::EndpointView;
use crate::engine::{Engine, Inner};
use crate::error::{EngineError, TestError};
use crate::model::TestOutcome;
use crate::revisions::revision_of;
use crate::spans::{Origin, Stored, tell_attempt};
use crate::to_its_end::to_its_end;

impl Engine {
    /// Sends an endpoint a test event of this type (the first that it subscribes to when none is named) and waits for the answer. It
    /// is listed as a test, in the state it ended in.
    ///
    /// # Errors
    /// When there is no such endpoint or type, or the store cannot commit.
    pub async fn send_test(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        event_type: Option<&str>,
        audit: AuditEntry,
    ) -> Result<TestOutcome, TestError> {
        let inner = &self.inner;
        let under_way = inner.attempts.token();
        if inner.is_stopping() {
            let reason = "the server is stopping".to_owned();
            return Err(EngineError::Store(StoreError::Unavailable { reason }).into());
        }
        // As it is in the store: it may have been made on another node just now.
        let view = inner.directory.read(organization).await?.ok_or(TestError::UnknownEndpoint)?;
        let endpoint = Arc::clone(view.endpoints.get(&endpoint).ok_or(TestError::UnknownEndpoint)?);
        let (new, open) = inner.prepare_test(organization, &endpoint, event_type)?;
        let inner = Arc::clone(inner);
        to_its_end(async move {
            let _under_way = under_way;
            inner.send_test(&endpoint, new, Arc::new(open), &audit).await
        })
        .await
    }
}

impl Inner {
    async fn send_test(
        &self,
        endpoint: &EndpointView,
        new: NewEvent,
        open: Arc<OpenDelivery>,
        audit: &AuditEntry,
    ) -> Result<TestOutcome, TestError> {
        let (origin, began) = (Origin::of(&self.tracer, None, &[]), self.tracer.now());
        let judged = self.send(endpoint, &open, &endpoint.contract).await;
        if let Some(began) = began {
            tell_attempt(&self.tracer, &open, &judged, began);
        }
        let succeeded = judged.verdict == Verdict::Delivered;
        let transition = if succeeded { Transition::Succeed } else { Transition::Fail(FailReason::Exhausted) };
        let progress = Progress { attempts_count: 1, ..Progress::default() };
        let attempt = judged.attempt.clone();
        let outcome = Outcome {
            lease: self.lanes.lease(),
            delivery: Arc::clone(&open),
            attempt: judged.attempt,
            progress,
            transition,
            ended_at: judged.ended_at,
            streak: StreakChange::None,
        };
        match self.store.record_test(new, &outcome, audit).await.map_err(EngineError::Store)? {
            Recorded::Recorded | Recorded::Counted(_) => {
                let stored = Stored { id: &open.event.id, key: open.event.key, deliveries_count: 1, test: true };
                origin.tell_event(&self.tracer, &open.organization, stored);
                Ok(TestOutcome { delivery: open.id, succeeded, attempt })
            }
            Recorded::Stale => Err(TestError::UnknownEndpoint),
        }
    }

    fn prepare_test(
        &self,
        organization: &OrganizationId,
        view: &EndpointView,
        event_type: Option<&str>,
    ) -> Result<(NewEvent, OpenDelivery), TestError> {
        let contract = &view.contract;
        let event_type: Arc<str> = match event_type {
            Some(name) => contract.resolve_type(name),
            None => contract.first_type(&view.endpoint.events),
        }
        .ok_or_else(|| TestError::UnknownType { contract: contract.name().to_owned() })?
        .into();
        let sample = contract.sample(&event_type);
        let now = self.clock.now();
        let key = self.ids.next(now);
        let event = Arc::new(Event {
            id: EventId::made(key),
            key,
            event_type: Arc::clone(&event_type),
            occurred_at: now,
            accepted_at: now,
            resource: Some(sample.resource),
            data: sample.data.into(),
            changes: sample.changes.map(Into::into),
        });
        // It is recorded together with its outcome, so the due time is never looked at.
        let delivery = NewDelivery {
            in_order: false,
            id: DeliveryId(self.ids.next(now)),
            endpoint: view.endpoint.id,
            event_type,
            revision: revision_of(contract),
            due_at: Millis(i64::MAX),
        };
        let open = open_delivery(organization, &event, &delivery, true);
        Ok((NewEvent { event, fingerprint: None, test: true, is_derived: false, deliveries: vec![delivery] }, open))
    }
}
