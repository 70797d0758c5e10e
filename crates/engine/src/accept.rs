//! Accept: check events against the catalogue, find who subscribed, commit, hand over to the lanes.

use std::sync::Arc;

use postrider_contract::{FilterEvent, changes_from_previous, check_changes};
use postrider_domain::{EventId, EventValidation, OrganizationId, Progress, Trigger};
use postrider_store::{Event, NewDelivery, OpenDelivery, StoreError};
use postrider_traces::Span;

use crate::derive::filter_event;
use crate::directory::OrganizationView;
use crate::engine::{Engine, Inner};
use crate::error::{AcceptError, EngineError, EventMistake, EventMistakeKind};
use crate::json_depth::is_deeper_than;
use crate::model::{Accepted, AcceptedSound, IncomingEvent};
use crate::spans::Origin;
use crate::to_its_end::to_its_end;

/// An event that is to be committed, as it will be kept.
pub(crate) struct Made {
    pub(crate) event: Arc<Event>,
    pub(crate) fingerprint: Option<[u8; 32]>,
}

impl Engine {
    /// Accepts events of one organisation, all or none. When it returns `Ok`, they and their deliveries are on disk. A caller who goes away
    /// leaves it to end by itself.
    ///
    /// # Errors
    /// See [`AcceptError`]; nothing was stored.
    pub async fn accept(
        &self,
        organization: &OrganizationId,
        events: Vec<IncomingEvent>,
    ) -> Result<Vec<Accepted>, AcceptError> {
        self.accept_for(organization, events, None).await
    }

    /// The same for a request that is traced.
    ///
    /// # Errors
    /// See [`AcceptError`]; nothing was stored.
    pub async fn accept_for(
        &self,
        organization: &OrganizationId,
        events: Vec<IncomingEvent>,
        request: Option<&mut Span>,
    ) -> Result<Vec<Accepted>, AcceptError> {
        self.inner.accept(organization, events, request).await
    }

    /// The same for events of which some may be wrong: those are left out and told, all others are accepted, in order and in one commit.
    ///
    /// # Errors
    /// See [`AcceptError`]; nothing was stored. What is wrong is an error only where the organisation was changed meanwhile: ask again.
    pub async fn accept_sound(
        &self,
        organization: &OrganizationId,
        events: Vec<IncomingEvent>,
    ) -> Result<AcceptedSound, AcceptError> {
        self.inner.accept_sound(organization, events).await
    }
}

impl Inner {
    pub(crate) async fn accept(
        self: &Arc<Self>,
        organization: &OrganizationId,
        events: Vec<IncomingEvent>,
        request: Option<&mut Span>,
    ) -> Result<Vec<Accepted>, AcceptError> {
        let view = self.view_to_accept(organization).await?;
        let (sound, mistakes) = self.check_all(&view, events);
        if !mistakes.is_empty() {
            return Err(AcceptError::Invalid(mistakes));
        }
        self.accept_checked(view, sound, request).await
    }

    async fn accept_sound(
        self: &Arc<Self>,
        organization: &OrganizationId,
        events: Vec<IncomingEvent>,
    ) -> Result<AcceptedSound, AcceptError> {
        let view = self.view_to_accept(organization).await?;
        let (sound, mistakes) = self.check_all(&view, events);
        let accepted = if sound.is_empty() { Vec::new() } else { self.accept_checked(view, sound, None).await? };
        Ok(AcceptedSound { accepted, mistakes })
    }

    async fn view_to_accept(&self, organization: &OrganizationId) -> Result<Arc<OrganizationView>, AcceptError> {
        if self.is_stopping() {
            return Err(AcceptError::Unavailable("the server is stopping".to_owned()));
        }
        self.view_for_accept(organization).await
    }

    async fn accept_checked(
        self: &Arc<Self>,
        view: Arc<OrganizationView>,
        events: Vec<IncomingEvent>,
        request: Option<&mut Span>,
    ) -> Result<Vec<Accepted>, AcceptError> {
        let made: Vec<_> = events.into_iter().map(|event| self.make(event)).collect();
        let origin = Origin::of(&self.tracer, request, &made);
        to_its_end(Arc::clone(self).commit(view, made, origin)).await
    }

    pub(crate) async fn view_for_accept(&self, id: &OrganizationId) -> Result<Arc<OrganizationView>, AcceptError> {
        match self.directory.view(id).await {
            Ok(view) => view.ok_or(AcceptError::UnknownOrganization),
            Err(EngineError::Store(StoreError::Unavailable { reason })) => Err(AcceptError::Unavailable(reason)),
            Err(error) => Err(error.into()),
        }
    }

    /// The events without mistakes, with their `changes`, and every mistake of the others.
    fn check_all(
        &self,
        view: &OrganizationView,
        events: Vec<IncomingEvent>,
    ) -> (Vec<IncomingEvent>, Vec<EventMistake>) {
        let mut mistakes = Vec::new();
        let mut sound = Vec::with_capacity(events.len());
        for (index, mut event) in events.into_iter().enumerate() {
            let mut mistake = |pointer: &str, kind, detail: String| {
                mistakes.push(EventMistake { index, pointer: pointer.to_owned(), detail, kind });
            };
            self.check(view, &mut event, &mut mistake);
            if mistakes.last().is_none_or(|last: &EventMistake| last.index != index) {
                sound.push(event);
            }
        }
        (sound, mistakes)
    }

    fn check(
        &self,
        view: &OrganizationView,
        event: &mut IncomingEvent,
        mistake: &mut impl FnMut(&str, EventMistakeKind, String),
    ) {
        let depth_max = self.limits.json_depth_max;
        for (pointer, text) in
            [("/data", Some(&event.data)), ("/previous", event.previous.as_ref()), ("/changes", event.changes.as_ref())]
        {
            if text.is_some_and(|text| is_deeper_than(text, depth_max)) {
                let kind = EventMistakeKind::TooDeep { max: depth_max };
                return mistake(pointer, kind, format!("is nested more than {depth_max} deep"));
            }
        }
        settle_changes(event, mistake);
        self.check_type_and_data(view, &event.event_type, &event.data, mistake);
        if view.organization.event_validation != EventValidation::Off {
            let occurred_at = event.occurred_at.unwrap_or_else(|| self.clock.now());
            let facts = FilterEvent::new(&event.data, event.changes.as_deref(), event.resource.as_ref(), occurred_at);
            self.check_derived(view, &event.event_type, &event.data, &facts, mistake);
        }
    }

    /// The data must fit the schemas of what the event also is, too.
    fn check_derived(
        &self,
        view: &OrganizationView,
        published: &str,
        data: &str,
        facts: &FilterEvent<'_>,
        mistake: &mut impl FnMut(&str, EventMistakeKind, String),
    ) {
        for event_type in view.contract.derived_types(published, facts) {
            self.check_data(view, event_type, data, &mut |pointer: &str, kind, detail: String| {
                mistake(pointer, kind, format!("as {event_type:?}, which this event also is: {detail}"));
            });
        }
    }

    fn check_type_and_data(
        &self,
        view: &OrganizationView,
        published: &str,
        data: &str,
        mistake: &mut impl FnMut(&str, EventMistakeKind, String),
    ) {
        let Some(event_type) = view.contract.resolve_type(published) else {
            let name = view.contract.name();
            let detail = format!("is not an event type of the contract {name:?}; GET …/event-types lists them");
            let kind = EventMistakeKind::UnknownType { contract: name.to_owned() };
            return mistake("/type", kind, detail);
        };
        self.check_data(view, event_type, data, mistake);
    }

    fn check_data(
        &self,
        view: &OrganizationView,
        event_type: &str,
        data: &str,
        mistake: &mut impl FnMut(&str, EventMistakeKind, String),
    ) {
        let validation = view.organization.event_validation;
        if validation == EventValidation::Off {
            return;
        }
        for misfit in view.contract.misfits(event_type, data) {
            if validation == EventValidation::Enforce {
                let kind = EventMistakeKind::Data { event_type: event_type.to_owned() };
                mistake(&format!("/data{}", misfit.pointer), kind, misfit.detail);
            } else {
                let organization = &view.organization.id;
                tracing::warn!(%organization, event_type, pointer = misfit.pointer, "data does not fit its JSON Schema");
            }
        }
    }

    fn make(&self, incoming: IncomingEvent) -> Made {
        let now = self.clock.now();
        let key = self.ids.next(now);
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
        Made { event, fingerprint }
    }

    /// Checks events once more, against an organisation that has changed since they were checked.
    pub(crate) fn check_again(&self, view: &OrganizationView, made: &[Made]) -> Result<(), AcceptError> {
        let mut mistakes = Vec::new();
        for (index, Made { event, .. }) in made.iter().enumerate() {
            let mut mistake = |pointer: &str, kind, detail: String| {
                mistakes.push(EventMistake { index, pointer: pointer.to_owned(), detail, kind });
            };
            self.check_type_and_data(view, &event.event_type, &event.data, &mut mistake);
            if view.organization.event_validation != EventValidation::Off {
                self.check_derived(view, &event.event_type, &event.data, &filter_event(event), &mut mistake);
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(AcceptError::Invalid(mistakes)) }
    }
}

/// The event's `changes`: as they were published, or made from `previous`.
fn settle_changes(event: &mut IncomingEvent, mistake: &mut impl FnMut(&str, EventMistakeKind, String)) {
    match (&event.previous, &event.changes) {
        (Some(_), Some(_)) => {
            let detail = "send `previous` or `changes`, not both".to_owned();
            mistake("/previous", EventMistakeKind::PreviousAndChanges, detail);
        }
        (Some(previous), None) => match changes_from_previous(previous, &event.data) {
            Ok(changes) => event.changes = Some(changes.into()),
            Err(error) => mistake("/previous", EventMistakeKind::Changes, error.to_string()),
        },
        (None, Some(changes)) => {
            for misfit in check_changes(changes).err().unwrap_or_default() {
                mistake(&format!("/changes{}", misfit.pointer), EventMistakeKind::Changes, misfit.detail);
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
        turn: None,
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
            settle_changes(&mut event, &mut |pointer: &str, _, _| places.push(pointer.to_owned()));
            assert_eq!(event.changes.as_deref(), Some(changes), "they stay byte for byte");
            places
        };
        let wrong = r#"{"a":1,"b":{"prev":2},"c":{"previous":1,"current":2,"extra":3}}"#;
        assert_eq!(places(wrong), ["/changes/a", "/changes/b", "/changes/c/extra"]);
        assert_eq!(places(r#"{ "a": {"current": 1.0, "previous": null} }"#), [""; 0]);
    }
}
