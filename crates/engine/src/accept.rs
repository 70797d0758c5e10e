//! Accept: events are checked (`checking`), committed with their deliveries (`commit`), and handed over to the lanes.

use std::sync::Arc;

use postrider_domain::{EventId, OrganizationId, Progress, Trigger};
use postrider_store::{Event, NewDelivery, OpenDelivery, StoreError};
use postrider_traces::Span;

use crate::checking::Sound;
use crate::directory::OrganizationView;
use crate::engine::{Engine, Inner};
use crate::error::{AcceptError, EngineError};
use crate::model::{Accepted, AcceptedSound, IncomingEvent};
use crate::spans::Origin;
use crate::to_its_end::to_its_end;

/// An event that is to be committed, as it will be kept.
pub(crate) struct Made {
    pub(crate) event: Arc<Event>,
    pub(crate) fingerprint: Option<[u8; 32]>,
    /// It was accepted before: what today's configuration says of it does not matter.
    pub(crate) is_repetition: bool,
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
        let (sound, mistakes) = self.check_all(&view, events).await?;
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
        let (sound, mistakes) = self.check_all(&view, events).await?;
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
        events: Vec<Sound>,
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

    fn make(&self, Sound { event: incoming, is_repetition }: Sound) -> Made {
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
        Made { event, fingerprint, is_repetition }
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
pub(crate) fn fingerprint(event: &IncomingEvent) -> [u8; 32] {
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
