//! Preview: what a filter would have let pass of the events that an organisation has published lately. Nothing is made or sent.
//!
//! Bounded in what it reads (events, bytes) and how long it takes; what is told then is told of that much, and that it is not all.

use std::sync::Arc;

use postrider_contract::{Contract, Filter};
use postrider_domain::{EventId, Millis, OrganizationId, Resource, Subscription};
use postrider_store::{Event, EventDetail, EventFilter, PageRequest, StoreError};
use tokio::time::Instant;

use crate::derive::filter_event;
use crate::directory::receivers_word;
use crate::engine::Engine;
use crate::error::{EngineError, PreviewError};

/// What is to be previewed.
#[derive(Debug)]
pub struct PreviewRequest {
    /// The filter.
    pub filter: Filter,
    /// Which events are looked at, in the contract's words.
    pub subscriptions: Vec<Subscription>,
    /// The contract of the endpoint that the filter is for; the organisation's own when none is named.
    pub contract: Option<String>,
}

/// How it went.
#[derive(Debug, Default)]
pub struct FilterPreview {
    /// Events that were subscribed to and looked at.
    pub events_count: u64,
    /// Those that passed.
    pub passed_count: u64,
    /// Those where a value that was to be compared was not there.
    pub missing: Noted,
    /// Those where values of different kinds were compared.
    pub differing_in_kind: Noted,
    /// Those that passed because judging them would have cost too much.
    pub too_costly: Noted,
    /// Some that passed, newest first.
    pub passed: Vec<PreviewedEvent>,
    /// Some that did not, newest first.
    pub held_back: Vec<PreviewedEvent>,
    /// When the oldest event was accepted that was looked at, whatever its type.
    pub since: Option<Millis>,
    /// Whether every event that is kept was looked at.
    pub is_complete: bool,
}

/// How many events something was noted of, and one of them.
#[derive(Debug, Default)]
pub struct Noted {
    /// How many.
    pub events_count: u64,
    /// The newest.
    pub example: Option<EventId>,
}

/// One event of a preview.
#[derive(Debug)]
pub struct PreviewedEvent {
    /// Its id.
    pub id: EventId,
    /// Its type, in the receiver's words.
    pub event_type: String,
    /// When it was accepted.
    pub accepted_at: Millis,
    /// What it is about.
    pub resource: Option<Resource>,
}

impl FilterPreview {
    /// How many events are shown of each kind.
    pub const SHOWN_MAX: usize = 5;
}

impl Engine {
    /// Judges recent events, newest first.
    ///
    /// # Errors
    /// When there is no such organisation, there are as many previews at once as there may be, or the store cannot be read.
    pub async fn preview(
        &self,
        organization: &OrganizationId,
        request: PreviewRequest,
    ) -> Result<FilterPreview, PreviewError> {
        let inner = &self.inner;
        let _place = inner.previews.try_acquire().map_err(|_| PreviewError::Busy)?;
        let view = inner.directory.view(organization).await?.ok_or(PreviewError::UnknownOrganization)?;
        let contract = match &request.contract {
            None => Arc::clone(&view.contract),
            Some(name) => {
                let missing = || EngineError::ContractMissing { name: name.clone() };
                inner.contracts.get(name).cloned().ok_or_else(missing)?
            }
        };
        let mut judging = Judging {
            request,
            contract,
            own: Arc::clone(&view.contract),
            preview: FilterPreview::default(),
            read: Read::default(),
        };
        let over_at = Instant::now() + inner.limits.preview_time_max;
        let mut before = None;
        loop {
            let page = PageRequest { limit: inner.limits.preview_page_rows, before };
            let page =
                inner.store.events(organization, &EventFilter::default(), page).await.map_err(EngineError::Store)?;
            before = page.next;
            // A page may take a while; other tasks go on beside it.
            let judged = tokio::task::spawn_blocking(move || judging.page(&page.rows)).await;
            let ended = |_| StoreError::Unavailable { reason: "the server is stopping".to_owned() };
            judging = judged.map_err(ended).map_err(EngineError::Store)?;
            if before.is_none() {
                judging.preview.is_complete = true;
                return Ok(judging.preview);
            }
            let Read { events, bytes } = judging.read;
            let limits = &inner.limits;
            if events >= limits.preview_events_max || bytes >= limits.preview_bytes_max || Instant::now() >= over_at {
                return Ok(judging.preview);
            }
        }
    }
}

/// What was read so far.
#[derive(Clone, Copy, Default)]
struct Read {
    events: usize,
    bytes: usize,
}

struct Judging {
    request: PreviewRequest,
    contract: Arc<Contract>,
    own: Arc<Contract>,
    preview: FilterPreview,
    read: Read,
}

impl Judging {
    fn page(mut self, rows: &[Arc<EventDetail>]) -> Self {
        for row in rows {
            self.event(&row.event);
        }
        self
    }

    fn event(&mut self, event: &Event) {
        self.read.events += 1;
        self.read.bytes += event.data.len() + event.changes.as_ref().map_or(0, |changes| changes.len());
        let preview = &mut self.preview;
        preview.since = Some(event.accepted_at);
        let Some(event_type) = receivers_word(&self.contract, &self.own, &event.event_type) else { return };
        if !self.request.subscriptions.iter().any(|subscription| subscription.matches(event_type)) {
            return;
        }
        let judged = self.request.filter.judge(event_type, &filter_event(event));
        preview.events_count += 1;
        preview.passed_count += u64::from(judged.passes);
        preview.missing.note(judged.is_missing, event);
        preview.differing_in_kind.note(judged.differs_in_kind, event);
        preview.too_costly.note(judged.is_too_costly, event);
        let shown = if judged.passes { &mut preview.passed } else { &mut preview.held_back };
        if shown.len() < FilterPreview::SHOWN_MAX {
            shown.push(PreviewedEvent {
                id: event.id.clone(),
                event_type: event_type.to_owned(),
                accepted_at: event.accepted_at,
                resource: event.resource.clone(),
            });
        }
    }
}

impl Noted {
    fn note(&mut self, is_so: bool, event: &Event) {
        if is_so {
            self.events_count += 1;
            self.example.get_or_insert_with(|| event.id.clone());
        }
    }
}
