//! Test events: one attempt with sample data, in every status of the endpoint, never retried, listed apart.

use std::sync::Arc;

use postrider_domain::{
    DeliveryId, EndpointId, EventId, FailReason, Millis, OrganizationId, Progress, Transition, Verdict,
};
use postrider_store::{Event, NewDelivery, NewEvent, Outcome, StoreError};

use crate::accept::open_delivery;
use crate::directory::EndpointView;
use crate::engine::{Engine, Inner};
use crate::error::{EngineError, TestError};
use crate::model::TestOutcome;
use crate::revisions::revision_of;

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
    ) -> Result<TestOutcome, TestError> {
        let inner = &self.inner;
        let _under_way = inner.attempts.token();
        if inner.is_stopping() {
            let reason = "the server is stopping".to_owned();
            return Err(EngineError::Store(StoreError::Unavailable { reason }).into());
        }
        let view = inner.directory.view(organization).await?.ok_or(TestError::UnknownEndpoint)?;
        let endpoint = view.endpoints.get(&endpoint).ok_or(TestError::UnknownEndpoint)?;
        let (new, open) = inner.prepare_test(organization, endpoint, event_type)?;
        let open = Arc::new(open);
        let judged = inner.send(endpoint, &open, &endpoint.contract).await;
        let succeeded = judged.verdict == Verdict::Delivered;
        let transition = if succeeded { Transition::Succeed } else { Transition::Fail(FailReason::Exhausted) };
        let progress = Progress { attempts_count: 1, ..Progress::default() };
        let attempt = judged.attempt.clone();
        let outcome = Outcome {
            lease: inner.lease,
            delivery: Arc::clone(&open),
            attempt: judged.attempt,
            progress,
            transition,
            ended_at: judged.ended_at,
        };
        inner.store.commit_events(inner.basis(), organization, vec![new]).await.map_err(EngineError::Store)?;
        inner.store.record_outcomes(&[outcome]).await.map_err(EngineError::Store)?;
        Ok(TestOutcome { delivery: open.id, succeeded, attempt })
    }
}

impl Inner {
    fn prepare_test(
        &self,
        organization: &OrganizationId,
        view: &EndpointView,
        event_type: Option<&str>,
    ) -> Result<(NewEvent, postrider_store::OpenDelivery), TestError> {
        let contract = &view.contract;
        let event_type: Arc<str> = match event_type {
            Some(name) => contract.resolve_type(name),
            None => contract.first_type(&view.endpoint.events),
        }
        .ok_or_else(|| {
            TestError::UnknownType("the contract has no such event type; GET …/event-types lists them".to_owned())
        })?
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
        // It is committed together with its outcome, so the due time is never looked at.
        let delivery = NewDelivery {
            id: DeliveryId(self.ids.next(now)),
            endpoint: view.endpoint.id,
            event_type,
            revision: revision_of(contract),
            due_at: Millis(i64::MAX),
        };
        let open = open_delivery(organization, &event, &delivery, true);
        Ok((NewEvent { event, fingerprint: None, test: true, deliveries: vec![delivery] }, open))
    }
}
