//! Accept: check events against the catalogue, find who subscribed, commit, hand over to the lanes.

use std::sync::Arc;

use postrider_contract::{changes_from_previous, check_changes};
use postrider_domain::{DeliveryId, EventId, EventValidation, Millis, OrganizationId, Progress, Trigger};
use postrider_store::{Basis, Committed, Event, NewDelivery, NewEvent, OpenDelivery, StoreError};

use crate::directory::{OrganizationView, Route};
use crate::engine::{Engine, Inner};
use crate::error::{AcceptError, EngineError, EventMistake};
use crate::held::held_bytes;
use crate::json_depth::is_deeper_than;
use crate::lane::{Lane, Reservation};
use crate::model::{Accepted, IncomingEvent};
use crate::revisions::revision_of;

/// What the lanes are handed once an event is committed.
struct Prepared {
    id: EventId,
    handovers: Vec<Handover>,
}

/// A delivery on its way into a lane.
struct Handover {
    lane: Arc<Lane>,
    delivery: Arc<OpenDelivery>,
    is_reserved: bool,
}

impl Engine {
    /// Accepts events of one organisation, all or none. When it returns `Ok`, they and their deliveries are on disk.
    ///
    /// # Errors
    /// See [`AcceptError`]; nothing was stored.
    pub async fn accept(
        &self,
        organization: &OrganizationId,
        events: Vec<IncomingEvent>,
    ) -> Result<Vec<Accepted>, AcceptError> {
        let inner = &self.inner;
        if inner.is_stopping() {
            return Err(AcceptError::Unavailable("the server is stopping".to_owned()));
        }
        let view = inner.directory.view(organization).await?.ok_or(AcceptError::UnknownOrganization)?;
        let events = inner.check_all(&view, events)?;
        let (news, prepared): (Vec<_>, Vec<_>) = events.into_iter().map(|event| inner.prepare(&view, event)).unzip();
        match inner.store.commit_events(inner.basis(), organization, news).await {
            Ok(committed) => Ok(inner.hand_over_all(prepared, &committed)),
            Err(error) => {
                inner.let_go_all(prepared);
                Err(accept_error(error))
            }
        }
    }
}

fn accept_error(error: StoreError) -> AcceptError {
    match error {
        StoreError::EventDiffers { id, index } => AcceptError::EventDiffers { id, index },
        StoreError::Unavailable { reason } => AcceptError::Unavailable(reason),
        StoreError::NotFound { .. } => AcceptError::UnknownOrganization,
        other => AcceptError::Engine(EngineError::Store(other)),
    }
}

impl Inner {
    pub(crate) fn basis(&self) -> Basis {
        Basis { lease: self.lease, version: None }
    }

    /// Every mistake of every event, or the events with their `changes`.
    fn check_all(
        &self,
        view: &OrganizationView,
        events: Vec<IncomingEvent>,
    ) -> Result<Vec<IncomingEvent>, AcceptError> {
        let mut mistakes = Vec::new();
        let mut checked = Vec::with_capacity(events.len());
        for (index, mut event) in events.into_iter().enumerate() {
            let mut mistake = |pointer: &str, detail: String| {
                mistakes.push(EventMistake { index, pointer: pointer.to_owned(), detail });
            };
            self.check(view, &mut event, &mut mistake);
            checked.push(event);
        }
        if mistakes.is_empty() { Ok(checked) } else { Err(AcceptError::Invalid(mistakes)) }
    }

    fn check(&self, view: &OrganizationView, event: &mut IncomingEvent, mistake: &mut impl FnMut(&str, String)) {
        let depth_max = self.limits.json_depth_max;
        for (pointer, text) in
            [("/data", Some(&event.data)), ("/previous", event.previous.as_ref()), ("/changes", event.changes.as_ref())]
        {
            if text.is_some_and(|text| is_deeper_than(text, depth_max)) {
                return mistake(pointer, format!("is nested more than {depth_max} deep"));
            }
        }
        settle_changes(event, mistake);
        let Some(event_type) = view.contract.resolve_type(&event.event_type) else {
            let name = view.contract.name();
            let detail = format!("is not an event type of the contract {name:?}; GET …/event-types lists them");
            return mistake("/type", detail);
        };
        self.check_data(view, event_type, &event.data, mistake);
    }

    fn check_data(
        &self,
        view: &OrganizationView,
        event_type: &str,
        data: &str,
        mistake: &mut impl FnMut(&str, String),
    ) {
        let validation = view.organization.event_validation;
        if validation == EventValidation::Off {
            return;
        }
        for misfit in view.contract.misfits(event_type, data) {
            if validation == EventValidation::Enforce {
                mistake(&format!("/data{}", misfit.pointer), misfit.detail);
            } else {
                let organization = &view.organization.id;
                tracing::warn!(%organization, event_type, pointer = misfit.pointer, "data does not fit its JSON Schema");
            }
        }
    }

    fn prepare(&self, view: &OrganizationView, incoming: IncomingEvent) -> (NewEvent, Prepared) {
        let now = self.clock.now();
        let key = self.ids.next(now);
        let routes = view.routes(&incoming.event_type);
        let fingerprint = incoming.id.is_some().then(|| fingerprint(&incoming));
        let event = Arc::new(Event {
            id: incoming.id.unwrap_or_else(|| EventId::made(key)),
            key,
            event_type: incoming.event_type.into(),
            occurred_at: incoming.occurred_at.unwrap_or(now),
            accepted_at: now,
            resource: incoming.resource,
            data: incoming.data,
            changes: incoming.changes,
        });
        let (deliveries, handovers) =
            routes.iter().map(|route| self.prepare_delivery(&view.organization.id, &event, route, now)).unzip();
        let id = event.id.clone();
        (NewEvent { event, fingerprint, test: false, deliveries }, Prepared { id, handovers })
    }

    fn prepare_delivery(
        &self,
        organization: &OrganizationId,
        event: &Arc<Event>,
        route: &Route,
        now: Millis,
    ) -> (NewDelivery, Handover) {
        let endpoint = route.endpoint.endpoint.id;
        let new = NewDelivery {
            id: DeliveryId(self.ids.next(now)),
            endpoint,
            event_type: Arc::clone(&route.event_type),
            revision: revision_of(&route.endpoint.contract),
            due_at: now,
        };
        let delivery = Arc::new(open_delivery(organization, event, &new, false));
        let (lane, is_reserved) = self.reserve(organization, &delivery);
        (new, Handover { lane, delivery, is_reserved })
    }

    fn reserve(&self, organization: &OrganizationId, delivery: &OpenDelivery) -> (Arc<Lane>, bool) {
        let bytes = held_bytes(&delivery.event);
        loop {
            let lane = self.lanes.lane(organization, delivery.endpoint, &self.limits);
            match lane.reserve(delivery.id, bytes) {
                Reservation::Held => return (lane, true),
                Reservation::Full => return (lane, false),
                Reservation::Closed => {}
            }
        }
    }

    fn hand_over_all(self: &Arc<Self>, prepared: Vec<Prepared>, committed: &[Committed]) -> Vec<Accepted> {
        let mut accepted = Vec::with_capacity(prepared.len());
        for (one, committed) in prepared.into_iter().zip(committed) {
            let id = one.id.clone();
            let deliveries_count = match committed {
                Committed::Stored { .. } => {
                    let count = u32::try_from(one.handovers.len()).unwrap_or(u32::MAX);
                    one.handovers.into_iter().for_each(|handover| self.hand_over(handover));
                    count
                }
                Committed::Repeated { deliveries_count } => {
                    self.let_go_all(vec![one]);
                    *deliveries_count
                }
            };
            accepted.push(Accepted { id, deliveries_count });
        }
        metrics::counter!("postrider_events_accepted_total").increment(accepted.len() as u64);
        accepted
    }

    fn hand_over(self: &Arc<Self>, handover: Handover) {
        if handover.is_reserved {
            let start = handover.lane.push(handover.delivery);
            self.start(&handover.lane, start);
        } else {
            self.mark_backlog(&handover.delivery.organization, handover.delivery.endpoint);
        }
    }

    fn let_go_all(self: &Arc<Self>, prepared: Vec<Prepared>) {
        for handover in prepared.into_iter().flat_map(|p| p.handovers) {
            if handover.is_reserved {
                let start = handover.lane.release(handover.delivery.id);
                self.start(&handover.lane, start);
            }
        }
    }
}

/// The event's `changes`: as they were published, or made from `previous`.
fn settle_changes(event: &mut IncomingEvent, mistake: &mut impl FnMut(&str, String)) {
    match (&event.previous, &event.changes) {
        (Some(_), Some(_)) => mistake("/previous", "send `previous` or `changes`, not both".to_owned()),
        (Some(previous), None) => match changes_from_previous(previous, &event.data) {
            Ok(changes) => event.changes = Some(changes.into()),
            Err(error) => mistake("/previous", error.to_string()),
        },
        (None, Some(changes)) => {
            for misfit in check_changes(changes).err().unwrap_or_default() {
                mistake(&format!("/changes{}", misfit.pointer), misfit.detail);
            }
        }
        (None, None) => {}
    }
}

/// A delivery as it is when it has just been made.
pub(crate) fn open_delivery(
    organization: &OrganizationId,
    event: &Arc<Event>,
    new: &NewDelivery,
    test: bool,
) -> OpenDelivery {
    OpenDelivery {
        id: new.id,
        organization: organization.clone(),
        endpoint: new.endpoint,
        event_type: Arc::clone(&new.event_type),
        revision: new.revision,
        test,
        created_at: event.accepted_at,
        due_at: new.due_at,
        progress: Progress::default(),
        trigger: Trigger::Schedule,
        event: Arc::clone(event),
    }
}

/// The hash of what was published, to tell a repetition from another event under the same id.
fn fingerprint(event: &IncomingEvent) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut part = |bytes: Option<&[u8]>| {
        let length = bytes.map_or(u64::MAX, |b| b.len() as u64);
        context.update(&length.to_be_bytes());
        context.update(bytes.unwrap_or_default());
    };
    part(Some(event.event_type.as_bytes()));
    part(Some(event.data.as_bytes()));
    part(event.occurred_at.map(|at| at.0.to_be_bytes()).as_ref().map(|b| b.as_slice()));
    part(event.changes.as_deref().map(str::as_bytes));
    if let Some(resource) = &event.resource {
        part(Some(resource.kind.as_bytes()));
        part(resource.uri.as_deref().map(str::as_bytes));
        resource.ids.iter().for_each(|id| part(Some(id.as_bytes())));
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_another_form_are_refused_each_where_it_stands() {
        let places = |changes: &str| {
            let mut event = IncomingEvent {
                event_type: "deal.won".to_owned(),
                data: "{}".into(),
                id: None,
                occurred_at: None,
                resource: None,
                previous: None,
                changes: Some(changes.into()),
            };
            let mut places = Vec::new();
            settle_changes(&mut event, &mut |pointer: &str, _| places.push(pointer.to_owned()));
            assert_eq!(event.changes.as_deref(), Some(changes), "they stay byte for byte");
            places
        };
        let wrong = r#"{"a":1,"b":{"prev":2},"c":{"previous":1,"current":2,"extra":3}}"#;
        assert_eq!(places(wrong), ["/changes/a", "/changes/b", "/changes/c/extra"]);
        assert_eq!(places(r#"{ "a": {"current": 1.0, "previous": null} }"#), [""; 0]);
    }
}
