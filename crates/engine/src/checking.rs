//! Check: what is published must be of the organisation's catalogue, and fit its schemas where they count.
//!
//! What was accepted stays accepted: an event that comes again under its id with the same content is answered as it was, whatever catalogue and schemas say
//! by now. Otherwise whoever did not hear the answer would be told that nothing was stored.

use postrider_contract::{FilterEvent, changes_from_previous, check_changes};
use postrider_domain::EventValidation;

use crate::accept::{Made, fingerprint};
use crate::commit::accept_error;
use crate::derive::filter_event;
use crate::directory::OrganizationView;
use crate::engine::Inner;
use crate::error::{AcceptError, EventMistake, EventMistakeKind};
use crate::json_depth::is_deeper_than;
use crate::model::IncomingEvent;

/// An event that may be committed.
pub(crate) struct Sound {
    /// With its `changes`.
    pub(crate) event: IncomingEvent,
    /// It was accepted before, and would not be now.
    pub(crate) is_repetition: bool,
}

/// An event with what is wrong with it.
struct Checked {
    event: IncomingEvent,
    mistakes: Vec<EventMistake>,
    is_repetition: bool,
}

impl Checked {
    /// Whether nothing is wrong but what today's configuration says, which may have been another when it was accepted.
    fn may_repeat(&self) -> bool {
        let is_of_today = |kind: &EventMistakeKind| {
            matches!(kind, EventMistakeKind::UnknownType { .. } | EventMistakeKind::Data { .. })
        };
        self.event.id.is_some()
            && !self.mistakes.is_empty()
            && self.mistakes.iter().all(|mistake| is_of_today(&mistake.kind))
    }
}

impl Inner {
    /// The events without mistakes, and every mistake of the others.
    pub(crate) async fn check_all(
        &self,
        view: &OrganizationView,
        events: Vec<IncomingEvent>,
    ) -> Result<(Vec<Sound>, Vec<EventMistake>), AcceptError> {
        let mut checked = Vec::with_capacity(events.len());
        for (index, mut event) in events.into_iter().enumerate() {
            let mut mistakes = Vec::new();
            self.check(view, &mut event, &mut |pointer: &str, kind, detail: String| {
                mistakes.push(EventMistake { index, pointer: pointer.to_owned(), detail, kind });
            });
            checked.push(Checked { event, mistakes, is_repetition: false });
        }
        self.let_repetitions_pass(view, &mut checked).await?;
        let (mut sound, mut mistakes) = (Vec::with_capacity(checked.len()), Vec::new());
        for one in checked {
            if one.mistakes.is_empty() {
                sound.push(Sound { event: one.event, is_repetition: one.is_repetition });
            }
            mistakes.extend(one.mistakes);
        }
        Ok((sound, mistakes))
    }

    async fn let_repetitions_pass(&self, view: &OrganizationView, checked: &mut [Checked]) -> Result<(), AcceptError> {
        let mut doubtful: Vec<_> = checked.iter_mut().filter(|one| one.may_repeat()).collect();
        let key = |one: &&mut Checked| Some((one.event.id.clone()?, fingerprint(&one.event)));
        let keys: Vec<_> = doubtful.iter().filter_map(key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let found = self.store.repetitions(&view.organization.id, &keys, self.clock.now()).await;
        for (one, is_repetition) in doubtful.iter_mut().zip(found.map_err(accept_error)?) {
            if is_repetition {
                one.mistakes.clear();
                one.is_repetition = true;
            }
        }
        Ok(())
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

    /// Checks events once more, against an organisation that has changed since they were checked.
    pub(crate) fn check_again(&self, view: &OrganizationView, made: &[Made]) -> Result<(), AcceptError> {
        let mut mistakes = Vec::new();
        for (index, Made { event, is_repetition, .. }) in made.iter().enumerate() {
            if *is_repetition {
                continue;
            }
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
