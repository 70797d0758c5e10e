//! Why each endpoint received an event, or did not, as its configuration is today.

use std::collections::HashMap;
use std::sync::Arc;

use postrider_domain::{DeliveryId, EndpointId, EndpointStatus, EventId, OrganizationId};
use postrider_store::{DeliveryFilter, Event, PageOf, PageRequest, StoreError};

use crate::derive::filter_event;
use crate::directory::{EndpointView, OrganizationView, receivers_word};
use crate::engine::{Engine, Inner};
use crate::error::EngineError;

/// Deliveries of the event that are read at once.
const DELIVERIES_PAGE: usize = 1_000;

/// What became of an event at one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutingOutcome {
    /// A delivery was made.
    Delivered,
    /// The event is a test of another endpoint.
    Test,
    /// The endpoint was made after the event was accepted.
    MadeLater,
    /// It is not subscribed to the event's type, or its contract has no name for that.
    NotSubscribed,
    /// Its filter does not let the event pass.
    Filtered,
    /// It is paused.
    Paused,
    /// The system disabled it.
    Disabled,
    /// It would receive the event today and has no delivery of it: it was changed since, was not active then, or the delivery is not kept any more.
    Dropped,
}

impl RoutingOutcome {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RoutingOutcome::Delivered => "delivered",
            RoutingOutcome::Test => "test",
            RoutingOutcome::MadeLater => "made_later",
            RoutingOutcome::NotSubscribed => "not_subscribed",
            RoutingOutcome::Filtered => "filtered",
            RoutingOutcome::Paused => "paused",
            RoutingOutcome::Disabled => "disabled",
            RoutingOutcome::Dropped => "dropped",
        }
    }
}

/// An endpoint, and what became of an event there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its name.
    pub name: String,
    /// What became of the event.
    pub outcome: RoutingOutcome,
    /// The newest delivery that was made of it.
    pub delivery: Option<DeliveryId>,
    /// Whether the endpoint was changed after the event was accepted, so that the outcome need not be what was decided then.
    pub is_changed_since: bool,
}

impl Engine {
    /// A page of the endpoints that there are, newest first, with what became of an event at each. None when there is no such event.
    ///
    /// # Errors
    /// When the store cannot be read, or a contract is not loaded.
    pub async fn routing(
        &self,
        organization: &OrganizationId,
        event: &EventId,
        page: PageRequest,
    ) -> Result<Option<PageOf<Routed>>, EngineError> {
        let inner = &self.inner;
        let Some(detail) = inner.store.event(organization, event).await? else { return Ok(None) };
        let Some(view) = inner.directory.read(organization).await? else { return Ok(None) };
        let made = inner.made_of(organization, event).await?;
        // Filters may take a while; other tasks go on beside them.
        let judged = tokio::task::spawn_blocking(move || judge_page(&view, &detail.event, &made, page)).await;
        let ended = |_| StoreError::Unavailable { reason: "the server is stopping".to_owned() };
        Ok(Some(judged.map_err(ended)?))
    }
}

/// The deliveries that were made of an event.
#[derive(Default)]
struct MadeOf {
    newest: HashMap<EndpointId, DeliveryId>,
    is_test: bool,
}

impl Inner {
    async fn made_of(&self, organization: &OrganizationId, event: &EventId) -> Result<MadeOf, EngineError> {
        let filter = DeliveryFilter { event: Some(event.clone()), ..DeliveryFilter::default() };
        let mut made = MadeOf::default();
        let mut before = None;
        loop {
            let page = PageRequest { limit: DELIVERIES_PAGE, before };
            let page = self.store.deliveries(organization, &filter, page).await?;
            for row in page.rows {
                made.is_test |= row.test;
                made.newest.entry(row.endpoint).or_insert(row.id);
            }
            before = page.next;
            if before.is_none() {
                return Ok(made);
            }
        }
    }
}

fn judge_page(view: &OrganizationView, event: &Event, made: &MadeOf, page: PageRequest) -> PageOf<Routed> {
    let is_after = |view: &&Arc<EndpointView>| page.before.is_none_or(|before| view.endpoint.id.0 < before);
    let mut endpoints: Vec<_> = view.endpoints.values().filter(is_after).collect();
    endpoints.sort_unstable_by_key(|view| std::cmp::Reverse(view.endpoint.id));
    let next = (endpoints.len() > page.limit).then(|| endpoints.get(page.limit.saturating_sub(1))).flatten();
    let next = next.map(|last| last.endpoint.id.0);
    endpoints.truncate(page.limit);
    PageOf { rows: endpoints.into_iter().map(|endpoint| routed(view, endpoint, event, made)).collect(), next }
}

fn routed(view: &OrganizationView, seen: &EndpointView, event: &Event, made: &MadeOf) -> Routed {
    let endpoint = &seen.endpoint;
    let delivery = made.newest.get(&endpoint.id).copied();
    let outcome = match delivery {
        Some(_) => RoutingOutcome::Delivered,
        None if made.is_test => RoutingOutcome::Test,
        None => why_not(view, seen, event),
    };
    let is_changed_since = endpoint.updated_at > event.accepted_at;
    Routed { endpoint: endpoint.id, name: endpoint.name.clone(), outcome, delivery, is_changed_since }
}

/// Why there is no delivery, the most lasting reason first: what is not subscribed to would not come from an active endpoint either.
fn why_not(view: &OrganizationView, seen: &EndpointView, event: &Event) -> RoutingOutcome {
    let endpoint = &seen.endpoint;
    if endpoint.created_at > event.accepted_at {
        return RoutingOutcome::MadeLater;
    }
    let event_type = receivers_word(&seen.contract, &view.contract, &event.event_type);
    let subscribed = event_type.filter(|name| endpoint.events.iter().any(|wanted| wanted.matches(name)));
    let Some(event_type) = subscribed else { return RoutingOutcome::NotSubscribed };
    if !seen.lets_pass(event_type, &filter_event(event)) {
        return RoutingOutcome::Filtered;
    }
    match endpoint.status {
        EndpointStatus::Paused => RoutingOutcome::Paused,
        EndpointStatus::Disabled { .. } => RoutingOutcome::Disabled,
        EndpointStatus::Active => RoutingOutcome::Dropped,
    }
}
