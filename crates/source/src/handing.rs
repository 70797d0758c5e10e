//! Events to the engine: each organisation's in their order, organisations side by side, until they are in the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{Millis, OrganizationId};
use postrider_engine::{AcceptError, Engine, EventMistake, EventMistakeKind, IncomingEvent};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::metrics::{EventResult, Telling, count_events};

/// Events that are committed together at most.
const EVENTS_AT_ONCE_MAX: usize = 1_000;
/// Bytes of them, unless a single one is larger.
const BYTES_AT_ONCE_MAX: usize = 4 * 1024 * 1024;
/// Organisations whose events are committed side by side.
const ORGANIZATIONS_AT_ONCE_MAX: usize = 32;
/// How long nothing is asked of a store that cannot commit, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The store refuses an id that it was given within 72 hours. A change that is older, less an hour for clocks that differ, may have been handed over before
/// that: whoever has its event is asked, in milliseconds.
const SURE_FOR_MS: i64 = 71 * 3_600_000;
/// How often events are checked again at once because their organisation changes all the time.
const CHECKS_MAX: u32 = 5;

/// Events by organisation, each organisation's in order.
pub(crate) type ByOrganization = BTreeMap<OrganizationId, Vec<IncomingEvent>>;

/// What hands events to the engine.
#[derive(Clone)]
pub(crate) struct Handing {
    pub(crate) engine: Engine,
    /// The largest event, in bytes of its `data` and `changes`.
    pub(crate) event_bytes_max: usize,
    pub(crate) telling: Arc<Telling>,
    pub(crate) stopping: CancellationToken,
}

/// The server stops: not everything was handed over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

impl Handing {
    /// Hands over all of it. What the engine refuses for good is told and let go.
    ///
    /// # Errors
    /// Only when the server stops.
    pub(crate) async fn hand(&self, events: ByOrganization) -> Result<(), Stopped> {
        let seats = Arc::new(Semaphore::new(ORGANIZATIONS_AT_ONCE_MAX));
        let mut parts = JoinSet::new();
        for (organization, events) in events {
            let (handing, seats) = (self.clone(), Arc::clone(&seats));
            parts.spawn(async move {
                let _seat = seats.acquire().await;
                handing.hand_all_of(&organization, events).await
            });
        }
        while let Some(part) = parts.join_next().await {
            part.unwrap_or(Err(Stopped))?;
        }
        Ok(())
    }

    async fn hand_all_of(&self, organization: &OrganizationId, events: Vec<IncomingEvent>) -> Result<(), Stopped> {
        let mut together = Vec::new();
        let mut bytes = 0;
        for event in events {
            let size = size(&event);
            if size > self.event_bytes_max {
                self.let_go(organization, EventResult::TooLarge, 1, &event.event_type);
                continue;
            }
            if self.is_handed_long_ago(organization, &event).await? {
                count_events(EventResult::Accepted, 1);
                continue;
            }
            if together.len() >= EVENTS_AT_ONCE_MAX || (bytes + size > BYTES_AT_ONCE_MAX && !together.is_empty()) {
                self.hand_together(organization, std::mem::take(&mut together)).await?;
                bytes = 0;
            }
            bytes += size;
            together.push(event);
        }
        self.hand_together(organization, together).await
    }

    /// Whether it is in the store already, for longer than the store refuses its id: a node that was killed between storing it and saying so, and
    /// that nobody started for days.
    async fn is_handed_long_ago(&self, organization: &OrganizationId, event: &IncomingEvent) -> Result<bool, Stopped> {
        let sure_from = Millis(self.engine.now().0.saturating_sub(SURE_FOR_MS));
        let (Some(id), Some(true)) = (&event.id, event.occurred_at.map(|at| at < sure_from)) else { return Ok(false) };
        let mut pause = PAUSE_MIN;
        loop {
            match self.engine.store().event(organization, id).await {
                Ok(found) => return Ok(found.is_some()),
                Err(error) => self.cannot_store(&error, &mut pause).await?,
            }
        }
    }

    /// In one commit, unless one of them was handed over before with other content: then one by one.
    async fn hand_together(&self, organization: &OrganizationId, events: Vec<IncomingEvent>) -> Result<(), Stopped> {
        if events.is_empty() || self.try_together(organization, &events).await? {
            return Ok(());
        }
        for event in events {
            let alone = [event];
            if !self.try_together(organization, &alone).await? {
                let [event] = alone;
                self.let_go(organization, EventResult::HandedBefore, 1, &event.event_type);
            }
        }
        Ok(())
    }

    /// False when nothing was stored because the content of one of them differs from what was handed over before.
    async fn try_together(&self, organization: &OrganizationId, events: &[IncomingEvent]) -> Result<bool, Stopped> {
        let (mut pause, mut checks) = (PAUSE_MIN, 0);
        loop {
            match self.engine.accept_sound(organization, events.to_vec()).await {
                Ok(outcome) => {
                    count_events(EventResult::Accepted, outcome.accepted.len() as u64);
                    self.refused(organization, events, &outcome.mistakes);
                    return Ok(true);
                }
                Err(AcceptError::UnknownOrganization) => {
                    let event_type = events.first().map_or("", |event| &event.event_type);
                    self.let_go(organization, EventResult::UnknownOrganization, events.len() as u64, event_type);
                    return Ok(true);
                }
                Err(AcceptError::EventDiffers { .. }) => return Ok(false),
                Err(AcceptError::Invalid(_)) if checks < CHECKS_MAX => checks += 1,
                Err(error) => self.cannot_store(&error, &mut pause).await?,
            }
        }
    }

    /// What is wrong with single events: the first mistake of each says what became of it.
    fn refused(&self, organization: &OrganizationId, events: &[IncomingEvent], mistakes: &[EventMistake]) {
        let mut told = None;
        for mistake in mistakes {
            if told.replace(mistake.index) == Some(mistake.index) {
                continue;
            }
            let event_type = events.get(mistake.index).map_or("", |event| event.event_type.as_str());
            match mistake.kind {
                // Not every contract promises every type: there is nothing wrong with that.
                EventMistakeKind::UnknownType { .. } => count_events(EventResult::UnknownType, 1),
                _ => self.let_go(organization, EventResult::Refused, 1, event_type),
            }
        }
    }

    fn let_go(&self, organization: &OrganizationId, result: EventResult, count: u64, event_type: &str) {
        count_events(result, count);
        self.telling.refuse(count);
        let why = match result {
            EventResult::UnknownOrganization => {
                "there is no such organization; create it, and tell of its records with `postrider source backfill`"
            }
            EventResult::TooLarge => {
                "it is larger than payload_bytes_max; omit large columns in the mapping, or raise the limit"
            }
            EventResult::HandedBefore => "it was handed over before, with other content: the mapping has changed since",
            _ => "its data breaks a rule of events or a schema of the contract",
        };
        self.telling.warn_of(result.name(), count, |count| {
            tracing::warn!(count, %organization, event_type, "an event of the source is let go: {why}");
        });
    }

    async fn cannot_store(&self, error: &(dyn std::fmt::Display + Sync), pause: &mut Duration) -> Result<(), Stopped> {
        self.telling.warn("store", || {
            tracing::warn!(%error, "events of the source cannot be stored at the moment; they wait in the CRM's database");
        });
        self.pause(*pause).await?;
        *pause = (*pause * 2).min(PAUSE_MAX);
        Ok(())
    }

    async fn pause(&self, pause: Duration) -> Result<(), Stopped> {
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Err(Stopped),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }
}

fn size(event: &IncomingEvent) -> usize {
    event.data.len() + event.changes.as_ref().map_or(0, |changes| changes.len())
}
