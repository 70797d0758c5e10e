//! Stream: one endpoint's deliveries as a receiver reads them that was away, oldest first, each with the request as it would be sent now.
//!
//! A delivery's id says when it was accepted, and it can be read once it is committed, a moment later and perhaps after younger ones. Whatever is older than
//! [`SETTLED_AFTER`] is *settled*: nothing older comes any more, because no commit takes that long. A reader's *position* is a settled id, and marks of
//! the younger ones that were read already. So nothing is skipped, nothing comes twice, and what is new need not wait to be read.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use postrider_contract::SignInput;
use postrider_domain::{DeliveryId, EndpointId, Millis, OrganizationId};
use postrider_store::{Delivery, PageOf};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use crate::attempt::render;
use crate::directory::EndpointView;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::exchange::USER_AGENT;

/// Longer than a commit may take: waiting for a lease, for a writer and for the database, and nodes' clocks that differ.
const SETTLED_AFTER: Duration = Duration::from_secs(30);
/// Deliveries that are not settled and were read already; one more is read once it is settled.
const MARKS_MAX: usize = 100;
/// How often a waiting reader looks for what other nodes have committed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long new deliveries are gathered before a waiting reader is given them.
const GATHER_FOR: Duration = Duration::from_millis(20);
/// Readers that wait at once on this node; one more is answered at once.
const WAITING_MAX: usize = 512;

/// How far a reader has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    settled: Uuid,
    marks: Vec<u64>,
}

/// What a reader is given.
#[derive(Debug)]
pub struct StreamPage {
    /// Deliveries with their requests, oldest first.
    pub rows: Vec<Streamed>,
    /// Behind them.
    pub position: StreamPosition,
}

/// One delivery, and its request as it would be sent now.
#[derive(Debug)]
pub struct Streamed {
    /// Where it stands.
    pub delivery: Delivery,
    /// None once its event's retention has ended.
    pub request: Option<StreamedRequest>,
}

/// A request signed for the moment of reading, without what only the connection adds and without the endpoint's custom headers, which are secrets.
#[derive(Debug)]
pub struct StreamedRequest {
    /// The endpoint's URL.
    pub url: String,
    /// In the order of the contract.
    pub headers: Vec<(String, String)>,
    /// Byte for byte as every attempt sends it.
    pub body: Bytes,
}

impl StreamPosition {
    /// Before everything that is kept.
    #[must_use]
    pub fn oldest() -> Self {
        StreamPosition { settled: Uuid::nil(), marks: Vec::new() }
    }

    /// Behind everything that was accepted before this moment.
    #[must_use]
    pub fn at(now: Millis) -> Self {
        StreamPosition { settled: first_of(now), marks: Vec::new() }
    }

    /// Behind a delivery.
    #[must_use]
    pub fn behind(delivery: DeliveryId) -> Self {
        StreamPosition { settled: delivery.0, marks: Vec::new() }
    }

    /// In the form that [`StreamPosition::from_bytes`] reads.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let marks = self.marks.iter().flat_map(|mark| mark.to_be_bytes());
        self.settled.as_bytes().iter().copied().chain(marks).collect()
    }

    /// None when these are not the bytes of a position.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (settled, marks) = bytes.split_first_chunk::<16>()?;
        let (marks, []) = marks.as_chunks::<8>() else { return None };
        let marks: Vec<_> = marks.iter().map(|mark| u64::from_be_bytes(*mark)).collect();
        (marks.len() <= MARKS_MAX).then_some(StreamPosition { settled: Uuid::from_bytes(*settled), marks })
    }

    /// What of a page that was found behind this position is new, and the position behind that.
    fn read(&self, found: PageOf<Delivery>, settled_upto: Uuid, limit: usize) -> (Vec<Delivery>, StreamPosition) {
        let mut unmet: HashSet<u64> = self.marks.iter().copied().collect();
        let mut next = StreamPosition { settled: self.settled, marks: Vec::new() };
        let (mut rows, mut is_cut) = (Vec::new(), false);
        for delivery in found.rows {
            let (id, mark) = (delivery.id.0, mark(delivery.id));
            let is_settled = id <= settled_upto;
            if unmet.remove(&mark) {
                if !is_settled {
                    next.marks.push(mark);
                }
            } else if rows.len() == limit || (!is_settled && next.marks.len() + unmet.len() >= MARKS_MAX) {
                is_cut = true;
                break;
            } else {
                if !is_settled {
                    next.marks.push(mark);
                }
                rows.push(delivery);
            }
            if is_settled {
                next.settled = next.settled.max(id);
            }
        }
        if is_cut || found.next.is_some() {
            next.marks.extend(unmet);
        }
        if !is_cut {
            next.settled = next.settled.max(found.next.unwrap_or(Uuid::max()).min(settled_upto));
        }
        (rows, next)
    }
}

/// What stands for a delivery among those read within a few seconds: the random half of its id.
fn mark(id: DeliveryId) -> u64 {
    id.0.as_u64_pair().1
}

/// The smallest UUIDv7 of a millisecond (RFC 9562, section 5.7).
fn first_of(at: Millis) -> Uuid {
    Uuid::from_u128(u128::from(at.0.clamp(0, (1 << 48) - 1).unsigned_abs()) << 80)
}

/// Readers that wait, and how they are told.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    waiting: AtomicUsize,
    committed: Notify,
}

impl Streams {
    /// Something was committed on this node.
    pub(crate) fn tell(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.committed.notify_waiters();
        }
    }

    fn wait(&self) -> Option<Waiting<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        (before < WAITING_MAX).then_some(waiting)
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Engine {
    /// At most `limit` of an endpoint's deliveries behind a position, tests left out; where there is none, the next ones that come within `wait`. None when
    /// there is no such endpoint. Reading changes nothing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn stream(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        mut position: StreamPosition,
        limit: usize,
        wait: Duration,
    ) -> Result<Option<StreamPage>, EngineError> {
        let inner = &self.inner;
        let until = Instant::now() + wait;
        let waiting = inner.streams.wait();
        loop {
            let mut told = std::pin::pin!(inner.streams.committed.notified());
            told.as_mut().enable();
            let Some(page) = inner.read_stream(organization, endpoint, &position, limit).await? else {
                return Ok(None);
            };
            let now = Instant::now();
            if !page.rows.is_empty() || now >= until || waiting.is_none() {
                return Ok(Some(page));
            }
            position = page.position.clone();
            tokio::select! {
                () = told => tokio::time::sleep(GATHER_FOR).await,
                () = tokio::time::sleep_until(until.min(now + LOOK_EVERY)) => {}
                () = inner.stopping.cancelled() => return Ok(Some(page)),
            }
        }
    }
}

impl Inner {
    async fn read_stream(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        position: &StreamPosition,
        limit: usize,
    ) -> Result<Option<StreamPage>, EngineError> {
        let Some(view) = self.directory.view(organization).await? else { return Ok(None) };
        let Some(endpoint) = view.endpoints.get(&endpoint) else { return Ok(None) };
        let now = self.clock.now();
        let most = limit + MARKS_MAX;
        let found = self.store.deliveries_after(organization, endpoint.endpoint.id, position.settled, most).await?;
        let settled_upto = first_of(Millis(now.0.saturating_sub(SETTLED_AFTER.as_millis() as i64)));
        let (deliveries, position) = position.read(found, settled_upto, limit);
        let mut rows = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            rows.push(self.streamed(organization, endpoint, delivery, now).await?);
        }
        Ok(Some(StreamPage { rows, position }))
    }

    async fn streamed(
        &self,
        organization: &OrganizationId,
        view: &EndpointView,
        delivery: Delivery,
        now: Millis,
    ) -> Result<Streamed, EngineError> {
        let Some(event) = self.store.event_of(organization, delivery.id).await? else {
            return Ok(Streamed { delivery, request: None });
        };
        let contract = self.revisions.contract(delivery.revision).await?;
        let body = render(&contract, organization, delivery.id, &delivery.event_type, delivery.test, &event);
        let secrets = view.endpoint.signing_secrets(now);
        let signed = contract.sign(&SignInput {
            primary: secrets.primary,
            secondary: secrets.secondary,
            attempt_at: now,
            event_type: &delivery.event_type,
            event_id: &event.id,
            delivery_id: delivery.id,
            body: &body,
        });
        // A delivery that cannot be signed cannot be sent either: its attempts say why.
        let Ok(signed) = signed else { return Ok(Streamed { delivery, request: None }) };
        let own = ("User-Agent".to_owned(), USER_AGENT.to_owned());
        let of_contract = signed.iter().map(|header| (header.name.to_string(), header.value.to_string()));
        let headers = std::iter::once(own).chain(of_contract).collect();
        let url = view.endpoint.url.clone();
        Ok(Streamed { delivery, request: Some(StreamedRequest { url, headers, body }) })
    }
}

#[cfg(test)]
mod tests;
