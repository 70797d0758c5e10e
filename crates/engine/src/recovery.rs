//! Recovering: what did not succeed in a span of time is sent again, beside what comes in live.
//!
//! A recovery first *counts* what there is to do, then *feeds* it to the endpoint's lane, oldest first, a few deliveries at a time: never more
//! than its *share*, which grows while the lane takes what it was fed within a moment and shrinks when it does not. So a live
//! delivery waits for no more recovered ones than the endpoint takes in about that moment, however many there are.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{DeliveryId, EndpointId, EndpointStatus, Millis, OrganizationId};
use postrider_store::{
    FormerDelivery, NewDelivery, Operation, OperationNote, RecoverStep, Recoverable, Recovery, Stepped, StoreError,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::directory::OrganizationView;
use crate::engine::Inner;
use crate::error::{EngineError, RecoverError};
use crate::limits::EngineLimits;
use crate::model::Missed;
use crate::operating::Turn;
use crate::revisions::revision_of;

/// What one recovery has under way on this node. Nothing in it must survive: after a restart it begins small.
#[derive(Debug)]
pub(crate) struct Feeding {
    /// How far it has counted, and to what; none once that is noted.
    counting: Option<Counting>,
    share: Share,
    /// What was read and not yet fed.
    page: Page,
}

#[derive(Debug, Default)]
struct Counting {
    after: Option<Uuid>,
    preview: Missed,
}

/// Events that are to be sent, oldest first, and how far what was read goes.
#[derive(Debug, Default)]
struct Page {
    wanted: VecDeque<Recoverable>,
    upto: Option<Uuid>,
    is_last: bool,
}

/// How many deliveries of a recovery may wait at once.
#[derive(Debug)]
struct Share {
    now: usize,
    max: usize,
    fed: Vec<DeliveryId>,
    fed_at: Instant,
    /// As many were fed as there was room for.
    is_used_up: bool,
}

impl Share {
    const AT_FIRST: usize = 4;

    fn new(max: usize) -> Self {
        Share { now: Self::AT_FIRST.min(max), max, fed: Vec::new(), fed_at: Instant::now(), is_used_up: false }
    }

    /// What was fed has been tried but for these: says how many more may be fed.
    fn room(&mut self, untried: Vec<DeliveryId>, moment: Duration, now: Instant) -> usize {
        let is_in_time = now.saturating_duration_since(self.fed_at) <= moment;
        // A few that hang must not keep the others from being sent.
        let are_few_left = untried.len() * 4 <= self.now;
        if are_few_left && is_in_time && self.is_used_up {
            self.now = (self.now * 2).min(self.max);
        } else if !are_few_left && !is_in_time {
            self.now = (self.now / 2).max(1);
            self.fed_at = now;
        }
        // What was fed counts once, and not at all when it took too long.
        self.is_used_up &= !are_few_left && is_in_time;
        self.fed = untried;
        if are_few_left { self.now.saturating_sub(self.fed.len()) } else { 0 }
    }

    fn note_fed(&mut self, made: Vec<DeliveryId>, now: Instant) {
        if !made.is_empty() {
            self.fed.extend(made);
            self.is_used_up = self.fed.len() >= self.now;
            self.fed_at = now;
        }
    }
}

impl Feeding {
    pub(crate) fn new(operation: &Operation, limits: &EngineLimits) -> Self {
        let is_counted = operation.total.is_some() || operation.cursor.is_some();
        Feeding {
            counting: (!is_counted).then(Counting::default),
            share: Share::new(limits.recover_share_max),
            page: Page::default(),
        }
    }
}

/// Why a recovery cannot go on, if it cannot.
fn obstacle(view: Option<&OrganizationView>, endpoint: EndpointId) -> Option<&'static str> {
    let found = view.and_then(|view| view.endpoints.get(&endpoint));
    match found.map(|found| &found.endpoint.status) {
        Some(EndpointStatus::Active) => None,
        Some(EndpointStatus::Paused) => Some("the endpoint was paused; recover again once it is enabled"),
        Some(EndpointStatus::Disabled { .. }) => Some("the endpoint was disabled; recover again once it is enabled"),
        None => Some("the endpoint was deleted"),
    }
}

impl Inner {
    /// Whether an event of a span is to be sent to the endpoint.
    fn is_wanted(view: &OrganizationView, endpoint: EndpointId, row: &Recoverable) -> bool {
        match row.former {
            FormerDelivery::Failed(_) => true,
            FormerDelivery::None => view.route_to(endpoint, &row.event).is_some(),
            FormerDelivery::Other => false,
        }
    }

    /// Counts what a recovery would send, looking at so many events at most.
    pub(crate) async fn preview_recovery(
        &self,
        organization: &OrganizationId,
        recovery: &Recovery,
    ) -> Result<Missed, RecoverError> {
        let view = self.view_to_recover(organization, recovery.endpoint).await?;
        let mut counting = Counting::default();
        let pages = self.limits.recover_preview_events_max.div_ceil(self.limits.recover_events_page);
        for _ in 0..pages {
            if self.count_page(&view, organization, recovery, &mut counting).await? {
                return Ok(counting.preview);
            }
        }
        Ok(Missed { is_complete: false, ..counting.preview })
    }

    /// The organisation with an active endpoint.
    pub(crate) async fn view_to_recover(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
    ) -> Result<Arc<OrganizationView>, RecoverError> {
        // As it is in the store: what was enabled on another node a moment ago is enabled.
        let view = self.directory.read(organization).await?.ok_or(RecoverError::UnknownEndpoint)?;
        match view.endpoints.get(&endpoint).map(|found| found.is_active()) {
            Some(true) => Ok(Arc::new(view)),
            Some(false) => Err(RecoverError::NotActive),
            None => Err(RecoverError::UnknownEndpoint),
        }
    }

    /// True at the end.
    async fn count_page(
        &self,
        view: &OrganizationView,
        organization: &OrganizationId,
        recovery: &Recovery,
        counting: &mut Counting,
    ) -> Result<bool, StoreError> {
        let limit = self.limits.recover_events_page;
        let page = self.store.recoverable(organization, recovery, counting.after, limit).await?;
        for row in page.events.iter().filter(|row| Self::is_wanted(view, recovery.endpoint, row)) {
            match row.former {
                FormerDelivery::Failed(_) => counting.preview.failed += 1,
                _ => counting.preview.never_made += 1,
            }
        }
        counting.after = page.next;
        Ok(page.next.is_none())
    }

    /// One turn of a recovery: it counts a page, or feeds what there is room for.
    pub(crate) async fn recover_some(
        self: &Arc<Self>,
        operation: &Operation,
        recovery: &Recovery,
        feeding: &mut Feeding,
    ) -> Result<Turn, EngineError> {
        let organization = &operation.organization;
        let view = self.directory.view(organization).await?;
        if let Some(reason) = obstacle(view.as_deref(), recovery.endpoint) {
            return self.give_up_recovery(operation, recovery, reason).await;
        }
        let Some(view) = view else { return Ok(Turn::Over) };
        if let Some(counting) = &mut feeding.counting {
            if self.count_page(&view, organization, recovery, counting).await? {
                let note = OperationNote::Total(counting.preview.total());
                feeding.counting = None;
                return self.note_turn(operation, &note, Turn::More).await;
            }
            return Ok(Turn::More);
        }
        let now = self.clock.now();
        let waiting = self.store.waiting(organization, recovery.endpoint, &feeding.share.fed, now).await?;
        let room = feeding.share.room(waiting.untried, self.limits.recover_moment, Instant::now());
        if room == 0 || waiting.open >= self.limits.recover_open_max {
            return Ok(Turn::Wait);
        }
        if feeding.page.wanted.is_empty() && !feeding.page.is_last {
            self.read_page(operation, &view, recovery, &mut feeding.page).await?;
        }
        if feeding.page.wanted.is_empty() && feeding.page.upto.is_none() {
            return self.note_turn(operation, &OperationNote::Succeeded, Turn::Over).await;
        }
        self.feed(operation, &view, recovery, feeding, room, now).await
    }

    /// The endpoint is read once more, from the store: what this node remembers of it may be old.
    async fn give_up_recovery(
        &self,
        operation: &Operation,
        recovery: &Recovery,
        reason: &str,
    ) -> Result<Turn, EngineError> {
        let view = self.directory.read(&operation.organization).await?;
        if obstacle(view.as_ref(), recovery.endpoint).is_none() {
            self.directory.forget(&operation.organization);
            return Ok(Turn::More);
        }
        self.note_turn(operation, &OperationNote::Failed(reason.to_owned()), Turn::Over).await
    }

    async fn read_page(
        &self,
        operation: &Operation,
        view: &OrganizationView,
        recovery: &Recovery,
        page: &mut Page,
    ) -> Result<(), StoreError> {
        let limit = self.limits.recover_events_page;
        let found = self.store.recoverable(&operation.organization, recovery, operation.cursor, limit).await?;
        page.is_last = found.next.is_none();
        page.upto = found.next.or(found.events.last().map(|row| row.event.key));
        page.wanted = found.events.into_iter().filter(|row| Self::is_wanted(view, recovery.endpoint, row)).collect();
        Ok(())
    }

    /// Makes one step of as many deliveries as there is room for, and notes how far it came.
    async fn feed(
        self: &Arc<Self>,
        operation: &Operation,
        view: &OrganizationView,
        recovery: &Recovery,
        feeding: &mut Feeding,
        room: usize,
        now: Millis,
    ) -> Result<Turn, EngineError> {
        let page = &mut feeding.page;
        let some: Vec<_> = page.wanted.drain(..room.min(page.wanted.len())).collect();
        let reached = if page.wanted.is_empty() { page.upto.take() } else { some.last().map(|row| row.event.key) };
        let Some(upto) = reached else { return Ok(Turn::More) };
        let step = self.step(operation, upto, view, recovery.endpoint, some, now);
        let (organization, endpoint) = (&operation.organization, recovery.endpoint);
        let lease = self.lanes.lease();
        match self.store.recover(lease, organization, endpoint, &step).await? {
            Stepped::Done { made, is_elsewhere } => {
                if !made.is_empty() && !is_elsewhere {
                    self.tell_lane(organization, endpoint);
                }
                feeding.share.note_fed(made, Instant::now());
                Ok(Turn::More)
            }
            // It is read again, as it is now.
            Stepped::Stale => {
                feeding.page = Page::default();
                Ok(Turn::Wait)
            }
        }
    }

    fn step(
        &self,
        operation: &Operation,
        upto: Uuid,
        view: &OrganizationView,
        endpoint: EndpointId,
        some: Vec<Recoverable>,
        now: Millis,
    ) -> RecoverStep {
        let mut step = RecoverStep {
            operation: operation.id,
            after: operation.cursor,
            upto,
            reopen: Vec::new(),
            deliver: Vec::new(),
            now,
        };
        for Recoverable { event, former } in some {
            if let FormerDelivery::Failed(id) = former {
                step.reopen.push((event.key, id));
            } else if let Some(route) = view.route_to(endpoint, &event) {
                // Its id lies where its event's other deliveries do.
                let id = DeliveryId(self.ids.next(event.accepted_at));
                let revision = revision_of(&route.endpoint.contract);
                // Like one that is retried by hand, it takes no turn: newer ones about its record may have been sent long ago.
                let new =
                    NewDelivery { id, endpoint, event_type: route.event_type, revision, due_at: now, in_order: false };
                step.deliver.push((event, new));
            }
        }
        step
    }

    /// There is due work in the store for a lane of this node. What comes live meanwhile need not wait for that.
    fn tell_lane(self: &Arc<Self>, organization: &OrganizationId, endpoint: EndpointId) {
        let lane = self.lanes.lane(organization, endpoint, &self.limits);
        let start = lane.attach();
        self.start(&lane, start);
        let start = lane.hear_of_work();
        self.start(&lane, start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_secs(1);

    fn ids(count: usize) -> Vec<DeliveryId> {
        (0..count as u128).map(|number| DeliveryId(Uuid::from_u128(number))).collect()
    }

    #[test]
    fn a_share_grows_while_the_lane_keeps_up_and_shrinks_when_it_does_not() {
        let mut share = Share::new(16);
        let mut now = Instant::now();
        for expected in [4, 8, 16, 16] {
            assert_eq!(share.room(vec![], MOMENT, now), expected);
            share.note_fed(ids(expected), now);
            now += MOMENT / 2;
        }
        assert_eq!(share.room(ids(16), MOMENT, now), 0, "half a moment is no reason");
        for expected in [8, 4, 2, 1, 1] {
            now += MOMENT + Duration::from_millis(1);
            assert_eq!(share.room(ids(16), MOMENT, now), 0);
            assert_eq!(share.now, expected);
        }
        assert_eq!(share.room(vec![], MOMENT, now), 1);
    }

    #[test]
    fn a_share_that_was_not_used_up_does_not_grow() {
        let mut share = Share::new(16);
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(share.room(vec![], MOMENT, now), 4);
            share.note_fed(ids(1), now);
        }
    }

    #[test]
    fn one_that_hangs_does_not_keep_the_others() {
        let mut share = Share::new(16);
        let now = Instant::now();
        share.note_fed(ids(4), now);
        assert_eq!(share.room(ids(1), MOMENT, now + MOMENT * 9), 3);
    }
}
