//! Publishes operational events: what happened to customers' endpoints becomes events of an organisation of the operator's, accepted and delivered like
//! any other.
//!
//! An operational event lies in the store from the moment at which what it tells of was decided. One node at a time claims it, publishes it under an id that
//! follows from its own, and forgets it. One that was published and not forgotten is published again, which its id turns into nothing.

use std::sync::Arc;

use postrider_contract::rfc3339;
use postrider_domain::{OperationalEvent, OperationalKind, OrganizationId, Resource};
use postrider_store::{ClaimedOperationalEvent, StoreError};
use serde_json::{Map, Value, json};

use crate::engine::Inner;
use crate::error::{AcceptError, EngineError};
use crate::model::IncomingEvent;

/// The type of the record that operational events are about.
const RESOURCE: &str = "endpoint";

impl Inner {
    /// Runs until the engine stops.
    pub(crate) async fn run_operational(self: Arc<Self>, operator: OrganizationId) {
        self.say_whether_it_is_there(&operator).await;
        let mut rounds = self.rounds(self.limits.notices_every, &self.operational_made);
        while rounds.begin().await {
            self.publish_due(&operator).await;
        }
    }

    /// The operator may make it later; until then what happens waits.
    async fn say_whether_it_is_there(&self, operator: &OrganizationId) {
        if let Ok(None) = self.directory.view(operator).await {
            tracing::warn!(organization = %operator, "operational events wait: there is no such organization yet; create it with POST /v1/organizations");
        }
    }

    async fn publish_due(self: &Arc<Self>, operator: &OrganizationId) {
        while !self.is_stopping() {
            let now = self.clock.now();
            let until = now + self.limits.notice_claim;
            match self.store.claim_operational_events(now, until, self.limits.operational_claim_max).await {
                Ok(claimed) if claimed.is_empty() => return,
                Ok(claimed) => {
                    for event in &claimed {
                        self.publish_one(operator, event).await;
                    }
                }
                Err(error) => {
                    return tracing::warn!(%error, "operational events could not be read; they are looked for again");
                }
            }
        }
    }

    async fn publish_one(self: &Arc<Self>, operator: &OrganizationId, claimed: &ClaimedOperationalEvent) {
        let event = &claimed.event;
        let (id, kind) = (event.id, event.kind.as_str());
        let again_at = match self.publish(operator, event).await {
            // With other content: what it is about was renamed in between.
            Ok(()) | Err(AcceptError::EventDiffers { .. }) => None,
            Err(error) => {
                let again_at = self.try_again_at(claimed.tries, event.last_at, false);
                let outcome = if again_at.is_some() { "it is published later" } else { "that is given up" };
                let error = reason(&error);
                tracing::warn!(%id, kind, organization = %operator, %error, "an operational event could not be published; {outcome}");
                again_at
            }
        };
        let result = if again_at.is_some() { "retry" } else { "settled" };
        metrics::counter!("postrider_operational_events_total", "result" => result).increment(1);
        if let Err(error) = self.store.settle_operational_event(claimed, again_at).await {
            tracing::warn!(%id, %error, "an operational event could not be put away; it is published once more under the same id");
        }
    }

    async fn publish(self: &Arc<Self>, operator: &OrganizationId, event: &OperationalEvent) -> Result<(), AcceptError> {
        let unread = |error| match error {
            EngineError::Store(StoreError::Unavailable { reason }) => AcceptError::Unavailable(reason),
            other => AcceptError::Engine(other),
        };
        let view = self.directory.view(&event.organization).await.map_err(unread)?;
        let endpoint = view.as_ref().and_then(|view| view.endpoints.get(&event.endpoint));
        let data = data(
            event,
            view.as_ref().map(|view| view.organization.name.as_str()),
            endpoint.map(|view| view.endpoint.name.as_str()),
        );
        let incoming = IncomingEvent {
            event_type: event.kind.as_str().to_owned(),
            data: data.to_string().into(),
            id: Some(event.event_id()),
            occurred_at: Some(event.last_at),
            resource: Some(Resource { kind: RESOURCE.to_owned(), ids: vec![event.endpoint.to_string()], uri: None }),
            previous: None,
            changes: None,
        };
        self.accept(operator, vec![incoming], None).await.map(|_| ())
    }
}

/// Every mistake in words: it is the operator's contract that does not take what this program says.
fn reason(error: &AcceptError) -> String {
    match error {
        AcceptError::Invalid(mistakes) => {
            let all = mistakes.iter().map(|mistake| format!("{} {}", mistake.pointer, mistake.detail));
            all.collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

/// Ids, names and numbers: no URL, no payload, nothing secret. A name is left out of what was deleted meanwhile.
fn data(event: &OperationalEvent, organization: Option<&str>, endpoint: Option<&str>) -> Value {
    let mut data = Map::new();
    data.insert("organization".to_owned(), named(event.organization.to_string(), organization));
    data.insert("endpoint".to_owned(), named(event.endpoint.to_string(), endpoint));
    match event.kind {
        OperationalKind::EndpointFailing | OperationalKind::EndpointDisabled => {
            data.insert("consecutive_failures".to_owned(), json!(event.count));
            if let Some(reason) = &event.reason {
                data.insert("reason".to_owned(), json!(reason));
            }
        }
        OperationalKind::DeliveryExhausted => {
            data.insert("count".to_owned(), json!(event.count));
            data.insert("first_at".to_owned(), json!(rfc3339(event.first_at)));
            data.insert("last_at".to_owned(), json!(rfc3339(event.last_at)));
            if let Some(delivery) = event.delivery {
                data.insert("last_delivery".to_owned(), json!(delivery.to_string()));
            }
        }
        OperationalKind::SecretRotated => {}
    }
    Value::Object(data)
}

fn named(id: String, name: Option<&str>) -> Value {
    match name {
        Some(name) => json!({"id": id, "name": name}),
        None => json!({"id": id}),
    }
}
