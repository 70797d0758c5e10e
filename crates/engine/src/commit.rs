//! Commit: route events to the endpoints that want them, reserve their lanes, store all of it at once, hand over to the lanes.
//!
//! Where there are many nodes, what a commit rests on may be gone by the time it comes to the store: the organisation has changed, or the lease
//! was lost. Then nothing was stored, and it is made again from what is so now, within limits.

use std::collections::HashSet;
use std::sync::Arc;

use postrider_contract::FilterEvent;
use postrider_domain::{DeliveryId, EndpointId, EndpointOrdering, EventId, OrganizationId};
use postrider_store::{Basis, Committed, Event, LeaseNo, NewDelivery, NewEvent, OpenDelivery, StoreError};
use tokio::time::Instant;
use uuid::Uuid;

use crate::accept::{Made, open_delivery};
use crate::derive::filter_event;
use crate::directory::{OrganizationView, Route};
use crate::engine::Inner;
use crate::error::{AcceptError, EngineError, count_store_error};
use crate::held::held_bytes;
use crate::lane::{Lane, Reservation};
use crate::model::Accepted;
use crate::revisions::revision_of;
use crate::spans::{Origin, Stored};

/// What the lanes are handed once an event is committed.
struct Prepared {
    id: EventId,
    key: Uuid,
    /// Made beside the event before it; not answered for.
    is_derived: bool,
    handovers: Vec<Handover>,
}

/// What one commit stores, and what the lanes are handed then, event by event.
struct Batch {
    news: Vec<NewEvent>,
    prepared: Vec<Prepared>,
}

/// A delivery on its way into a lane.
struct Handover {
    lane: Arc<Lane>,
    delivery: Arc<OpenDelivery>,
    is_held: bool,
}

/// Why a commit has to be made again.
enum Again {
    /// The organisation has changed.
    Outdated,
    /// This lease was lost.
    LeaseLost(LeaseNo),
    /// This lane is being given away.
    Leaving(Arc<Lane>),
}

enum NotCommitted {
    Again(Again),
    Refused(AcceptError),
}

impl From<Again> for NotCommitted {
    fn from(again: Again) -> Self {
        NotCommitted::Again(again)
    }
}

impl Inner {
    pub(crate) async fn commit(
        self: Arc<Self>,
        mut view: Arc<OrganizationView>,
        made: Vec<Made>,
        origin: Origin,
    ) -> Result<Vec<Accepted>, AcceptError> {
        let give_up_at = Instant::now() + self.limits.lease_wait_max;
        let mut routings = 1;
        loop {
            match self.commit_once(&view, &made, &origin).await {
                Ok(accepted) => return Ok(accepted),
                Err(NotCommitted::Refused(error)) => return Err(error),
                Err(NotCommitted::Again(Again::Outdated)) if routings < self.limits.routings_max => {
                    routings += 1;
                    view = self.view_anew(&view).await?;
                    self.check_again(&view, &made)?;
                }
                Err(NotCommitted::Again(Again::Outdated)) => {
                    return Err(unavailable("the organization is being changed too often to keep up with"));
                }
                Err(NotCommitted::Again(Again::LeaseLost(lease))) => self.wait_for_another(lease, give_up_at).await?,
                Err(NotCommitted::Again(Again::Leaving(lane))) => {
                    let wait = give_up_at.saturating_duration_since(Instant::now());
                    if !self.lanes.until_left(&lane, wait).await {
                        return Err(unavailable("a lane is being given to another node, which takes too long"));
                    }
                }
            }
        }
    }

    async fn view_anew(&self, outdated: &OrganizationView) -> Result<Arc<OrganizationView>, AcceptError> {
        let id = &outdated.organization.id;
        self.directory.forget_version(id, outdated.version);
        self.view_for_accept(id).await
    }

    /// Waits until this node has another lease than this one.
    pub(crate) async fn wait_for_another(&self, lost: LeaseNo, give_up_at: Instant) -> Result<(), AcceptError> {
        self.lease.want_renewal();
        let is_there = || self.lanes.lease() != lost && self.lease.is_good();
        let wait = give_up_at.saturating_duration_since(Instant::now());
        let has_come = tokio::select! {
            has_come = self.lease.until(is_there, wait) => has_come,
            () = self.stopping.cancelled() => false,
        };
        if has_come { Ok(()) } else { Err(unavailable("this node has lost its lease and has no other yet")) }
    }

    async fn commit_once(
        self: &Arc<Self>,
        view: &OrganizationView,
        made: &[Made],
        origin: &Origin,
    ) -> Result<Vec<Accepted>, NotCommitted> {
        let lease = self.lanes.lease();
        let (news, prepared) = self.prepare_all(view, made, lease)?;
        let basis = Basis { lease, version: Some(view.version) };
        let (asked, began) = (Instant::now(), self.tracer.now());
        let committed = self.store.commit_events(basis, &view.organization.id, news).await;
        origin.tell_commit(&self.tracer, began, prepared.len(), committed.is_ok());
        match committed {
            Ok(committed) => {
                metrics::histogram!("postrider_commit_seconds").record(asked.elapsed().as_secs_f64());
                Ok(self.hand_over_all(view, prepared, &committed, origin))
            }
            Err(error) => {
                let error = of_original(error, &prepared);
                self.let_go_all(prepared);
                Err(match error {
                    StoreError::Outdated => Again::Outdated.into(),
                    StoreError::LeaseLost => Again::LeaseLost(lease).into(),
                    other => NotCommitted::Refused(accept_error(other)),
                })
            }
        }
    }

    /// Every delivery with its reservation, all under one lease, or nothing reserved.
    fn prepare_all(
        self: &Arc<Self>,
        view: &OrganizationView,
        made: &[Made],
        lease: LeaseNo,
    ) -> Result<(Vec<NewEvent>, Vec<Prepared>), Again> {
        let mut batch = Batch { news: Vec::with_capacity(made.len()), prepared: Vec::with_capacity(made.len()) };
        for original in made {
            let facts = filter_event(&original.event);
            let derived = self.derive(view, original, &facts);
            let leaving = std::iter::once((original, false))
                .chain(derived.iter().map(|made| (made, true)))
                .find_map(|(one, is_derived)| self.prepare_event(view, one, is_derived, &facts, &mut batch).err());
            if let Some(leaving) = leaving {
                self.let_go_all(batch.prepared);
                return Err(Again::Leaving(leaving));
            }
        }
        // Numbers of leases grow: the same before and after says that every lane between is of this one.
        if self.lanes.lease() == lease {
            return Ok((batch.news, batch.prepared));
        }
        self.let_go_all(batch.prepared);
        Err(Again::LeaseLost(lease))
    }

    /// One event with its deliveries; what was reserved so far is in the batch, also when a lane is being given away.
    fn prepare_event(
        &self,
        view: &OrganizationView,
        one: &Made,
        is_derived: bool,
        facts: &FilterEvent<'_>,
        batch: &mut Batch,
    ) -> Result<(), Arc<Lane>> {
        let routes = view.routes(&one.event.event_type);
        let mut deliveries = Vec::with_capacity(routes.len());
        let mut handovers = Vec::with_capacity(routes.len());
        let mut leaving = None;
        for route in routes.iter().filter(|route| route.endpoint.lets_pass(&route.event_type, facts)) {
            match self.prepare_delivery(&view.organization.id, &one.event, route) {
                Ok((delivery, handover)) => {
                    deliveries.push(delivery);
                    handovers.push(handover);
                }
                Err(lane) => {
                    leaving = Some(lane);
                    break;
                }
            }
        }
        let (id, key) = (one.event.id.clone(), one.event.key);
        batch.prepared.push(Prepared { id, key, is_derived, handovers });
        let (event, fingerprint) = (Arc::clone(&one.event), one.fingerprint);
        batch.news.push(NewEvent { event, fingerprint, test: false, is_derived, deliveries });
        leaving.map_or(Ok(()), Err)
    }

    /// The lane, when it is being given away.
    fn prepare_delivery(
        &self,
        organization: &OrganizationId,
        event: &Arc<Event>,
        route: &Route,
    ) -> Result<(NewDelivery, Handover), Arc<Lane>> {
        let due_at = event.accepted_at;
        let endpoint = route.endpoint.endpoint.id;
        let id = DeliveryId(self.ids.next(due_at));
        let in_order = is_in_order(route, event);
        let (lane, is_held) = self.reserve(organization, endpoint, id, held_bytes(event), in_order)?;
        let new = NewDelivery {
            in_order,
            id,
            endpoint,
            event_type: Arc::clone(&route.event_type),
            revision: revision_of(&route.endpoint.contract),
            due_at,
        };
        let delivery = Arc::new(open_delivery(organization, event, &new, false));
        Ok((new, Handover { lane, delivery, is_held }))
    }

    fn reserve(
        &self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        id: DeliveryId,
        bytes: usize,
        in_order: bool,
    ) -> Result<(Arc<Lane>, bool), Arc<Lane>> {
        loop {
            let lane = self.lanes.lane(organization, endpoint, &self.limits);
            let reservation = if in_order { lane.reserve_unheld() } else { lane.reserve(id, bytes) };
            match reservation {
                Reservation::Held => return Ok((lane, true)),
                Reservation::Full => return Ok((lane, false)),
                Reservation::Leaving => return Err(lane),
                Reservation::Closed => {}
            }
        }
    }

    fn hand_over_all(
        self: &Arc<Self>,
        view: &OrganizationView,
        prepared: Vec<Prepared>,
        committed: &[Committed],
        origin: &Origin,
    ) -> Vec<Accepted> {
        let mut accepted = Vec::with_capacity(prepared.len());
        for (one, committed) in prepared.into_iter().zip(committed) {
            let (id, key, is_derived) = (one.id.clone(), one.key, one.is_derived);
            let deliveries_count = match committed {
                Committed::Stored { elsewhere } => {
                    let count = u32::try_from(one.handovers.len()).unwrap_or(u32::MAX);
                    let stored = Stored { id: &id, key, deliveries_count: count, test: false };
                    origin.tell_event(&self.tracer, &view.organization.id, stored);
                    let elsewhere: HashSet<EndpointId> = elsewhere.iter().copied().collect();
                    one.handovers.into_iter().for_each(|handover| self.hand_over(handover, &elsewhere));
                    count
                }
                Committed::Repeated { deliveries_count } => {
                    self.let_go_all(vec![one]);
                    *deliveries_count
                }
            };
            if !is_derived {
                accepted.push(Accepted { id, deliveries_count });
            }
        }
        self.streams.tell();
        metrics::counter!("postrider_events_accepted_total").increment(accepted.len() as u64);
        accepted
    }

    fn hand_over(self: &Arc<Self>, handover: Handover, elsewhere: &HashSet<EndpointId>) {
        let Handover { lane, delivery, is_held } = handover;
        let start = if elsewhere.contains(&delivery.endpoint) {
            lane.leave_elsewhere(delivery.id, is_held)
        } else if is_held {
            lane.push(delivery)
        } else {
            lane.push_unheld(delivery.id)
        };
        self.start(&lane, start);
    }

    fn let_go_all(self: &Arc<Self>, prepared: Vec<Prepared>) {
        for Handover { lane, delivery, is_held } in prepared.into_iter().flat_map(|p| p.handovers) {
            let start = lane.let_go(delivery.id, is_held);
            self.start(&lane, start);
        }
    }
}

/// Which of the published events an error is about: derived ones count as those that they were made beside.
fn of_original(error: StoreError, prepared: &[Prepared]) -> StoreError {
    match error {
        StoreError::EventDiffers { id, index } => {
            let originals = prepared.iter().take(index + 1).filter(|one| !one.is_derived).count();
            StoreError::EventDiffers { id, index: originals.saturating_sub(1) }
        }
        other => other,
    }
}

/// Whether a delivery has a turn among those about its records: the store alone knows whether it is the next one, so the lane claims it.
fn is_in_order(route: &Route, event: &Event) -> bool {
    route.endpoint.endpoint.ordering == EndpointOrdering::Resource && event.resource.is_some()
}

fn unavailable(reason: &str) -> AcceptError {
    AcceptError::Unavailable(reason.to_owned())
}

pub(crate) fn accept_error(error: StoreError) -> AcceptError {
    // What stays an error of the store's is counted by whoever answers with it.
    if matches!(error, StoreError::Unavailable { .. }) {
        count_store_error(&error);
    }
    match error {
        StoreError::EventDiffers { id, index } => AcceptError::EventDiffers { id, index },
        StoreError::Unavailable { reason } => AcceptError::Unavailable(reason),
        StoreError::NotFound { .. } => AcceptError::UnknownOrganization,
        other => AcceptError::Engine(EngineError::Store(other)),
    }
}
