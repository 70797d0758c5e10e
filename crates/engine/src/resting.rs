//! Lanes that rest: their endpoints are paused, disabled or gone, and what they have to send stays in the store, out of memory.

use std::collections::HashSet;
use std::sync::Arc;

use postrider_domain::{EndpointId, OrganizationId};
use postrider_store::OpenDelivery;

use crate::directory::OrganizationView;
use crate::engine::Inner;
use crate::lane::Lane;
use crate::lanes::Lanes;

impl Lanes {
    fn note_resting(&self, lane: &Lane) {
        self.resting.lock().insert(lane.endpoint, lane.organization.clone());
    }

    /// Whether its endpoint was found not to be active.
    pub(crate) fn is_resting(&self, endpoint: EndpointId) -> bool {
        self.resting.lock().contains_key(&endpoint)
    }

    /// Drops what is known of an endpoint that was deleted. Where there are many nodes its lane is given up like one without work.
    fn forget_gone(&self, endpoint: EndpointId) {
        self.resting.lock().remove(&endpoint);
        let mut lanes = self.by_endpoint.lock();
        let Some(lane) = lanes.get(&endpoint) else { return };
        lane.retire();
        if self.of_all.is_alone && lane.close_if_idle() {
            lanes.remove(&endpoint);
        }
    }

    /// Endpoints of an organisation whose lanes rest.
    fn resting_of(&self, organization: &OrganizationId) -> Vec<EndpointId> {
        self.resting.lock().iter().filter(|(_, of)| *of == organization).map(|(id, _)| *id).collect()
    }
}

impl Inner {
    /// The endpoint is paused, disabled or gone: its work stays open in the store, out of memory.
    pub(crate) async fn let_rest(self: &Arc<Self>, lane: &Arc<Lane>, delivery: &OpenDelivery) {
        self.lanes.note_resting(lane);
        lane.rest();
        let start = lane.release(delivery.id);
        self.start(lane, start);
        // It may have become active since this worker looked; whoever changed it did not find it resting then.
        self.wake_resting(&lane.organization).await;
    }

    /// After an endpoint or an organisation was deleted: what it had to send ends in the store, and its lanes have nothing to stay for.
    pub(crate) async fn let_deleted_rest(self: Arc<Self>, organization: OrganizationId) {
        match self.directory.view(&organization).await {
            Ok(view) => {
                let is_there = |id| view.as_ref().is_some_and(|view| view.endpoints.contains_key(&id));
                let of_it = |lane: &Arc<Lane>| lane.organization == organization && !is_there(lane.endpoint);
                for lane in self.lanes.all().into_iter().filter(of_it) {
                    self.lanes.note_resting(&lane);
                    lane.rest();
                }
            }
            Err(error) => {
                tracing::warn!(%organization, %error, "lanes of what was deleted could not be told; they stay in memory for a while")
            }
        }
        self.wake_resting(&organization).await;
    }

    /// Takes up the work of endpoints that rest and are active, and forgets those that were deleted.
    pub(crate) async fn wake_resting(self: &Arc<Self>, organization: &OrganizationId) {
        let mut is_read_anew = false;
        loop {
            let resting = self.lanes.resting_of(organization);
            if resting.is_empty() {
                return;
            }
            match self.directory.view(organization).await {
                Ok(view) => {
                    let unknown = self.wake_active(organization, resting, view.as_deref());
                    if unknown.is_empty() || is_read_anew {
                        return unknown.into_iter().for_each(|endpoint| self.lanes.forget_gone(endpoint));
                    }
                    // What is remembered may be older than the endpoint.
                    self.directory.forget(organization);
                    is_read_anew = true;
                    continue;
                }
                Err(error) => tracing::warn!(%organization, %error, "an organization could not be read; trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(self.limits.record_again_after) => {}
                () = self.stopping.cancelled() => return,
            }
        }
    }

    /// Takes up the work of those that are active; which there are not.
    fn wake_active(
        self: &Arc<Self>,
        organization: &OrganizationId,
        resting: Vec<EndpointId>,
        view: Option<&OrganizationView>,
    ) -> Vec<EndpointId> {
        let mut unknown = Vec::new();
        for id in resting {
            match view.and_then(|view| view.endpoints.get(&id)) {
                None => unknown.push(id),
                Some(endpoint) if endpoint.is_active() && self.lanes.resting.lock().remove(&id).is_some() => {
                    self.with_lane(organization, id, Lane::wake);
                }
                Some(_) => {}
            }
        }
        unknown
    }

    /// Takes up the work of all endpoints that rest and are active.
    pub(crate) async fn wake_all_resting(self: Arc<Self>) {
        let organizations: HashSet<_> = self.lanes.resting.lock().values().cloned().collect();
        for organization in organizations {
            self.wake_resting(&organization).await;
        }
    }
}
