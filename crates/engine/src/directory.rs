//! Who subscribes to what: organisations with their endpoints and contracts, read from the store once and kept until they change.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use postrider_contract::{Contract, Contracts, Filter, FilterEvent};
use postrider_domain::{Endpoint, EndpointId, EndpointStatus, Organization, OrganizationId};
use postrider_egress::{Client, UrlRefusal, VettedUrl};
use postrider_store::{Configuration, Event, Store, Version};

use crate::derive::filter_event;
use crate::error::EngineError;

/// Event types whose subscribers are remembered for one organisation.
const ROUTES_MAX: usize = 1_000;

/// An organisation as it is at the moment.
#[derive(Debug)]
pub(crate) struct OrganizationView {
    pub(crate) version: Version,
    pub(crate) organization: Organization,
    pub(crate) contract: Arc<Contract>,
    pub(crate) endpoints: HashMap<EndpointId, Arc<EndpointView>>,
    routes: RwLock<HashMap<Box<str>, Arc<[Route]>>>,
}

/// An endpoint with the contract it follows.
#[derive(Debug)]
pub(crate) struct EndpointView {
    pub(crate) endpoint: Endpoint,
    pub(crate) contract: Arc<Contract>,
    /// The guard's verdict on its URL; each attempt judges again.
    pub(crate) url: Result<VettedUrl, UrlRefusal>,
    filter: Option<Filter>,
}

impl EndpointView {
    fn new(endpoint: Endpoint, contract: Arc<Contract>, url: Result<VettedUrl, UrlRefusal>) -> Self {
        let filter = endpoint.filter.as_deref().and_then(|text| filter(&endpoint, text));
        EndpointView { endpoint, contract, url, filter }
    }

    /// Whether its filter lets an event pass that it is subscribed to; `event_type` is in its contract's words.
    pub(crate) fn lets_pass(&self, event_type: &str, event: &FilterEvent<'_>) -> bool {
        let Some(filter) = &self.filter else { return true };
        let judged = filter.judge(event_type, event);
        if judged.is_too_costly {
            metrics::counter!("postrider_filters_too_costly_total").increment(1);
        }
        judged.passes
    }

    pub(crate) fn is_active(&self) -> bool {
        self.endpoint.status == EndpointStatus::Active
    }
}

/// A filter was read before it was saved. One that cannot be read all the same, as after a step back to an older program, lets everything
/// pass: a receiver can do without an event that it gets, and not with one that it never got.
fn filter(endpoint: &Endpoint, text: &str) -> Option<Filter> {
    let read = Filter::parse(text);
    if let Err(error) = &read {
        tracing::warn!(endpoint = %endpoint.id, %error, "a filter cannot be read and lets everything pass; save it again");
    }
    read.ok()
}

/// An endpoint that wants an event type, and what it calls it.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) endpoint: Arc<EndpointView>,
    pub(crate) event_type: Arc<str>,
}

impl OrganizationView {
    /// The active endpoints that want events published under this name.
    pub(crate) fn routes(&self, published: &str) -> Arc<[Route]> {
        if let Some(routes) = self.routes.read().get(published) {
            return Arc::clone(routes);
        }
        let mut routes: Vec<_> =
            self.endpoints.values().filter_map(|endpoint| self.route(endpoint, published)).collect();
        routes.sort_by_key(|route| route.endpoint.endpoint.id);
        let routes: Arc<[Route]> = routes.into();
        let mut known = self.routes.write();
        if known.len() < ROUTES_MAX {
            known.insert(published.into(), Arc::clone(&routes));
        }
        routes
    }

    /// How an event goes to one endpoint, if it is active and wants it.
    pub(crate) fn route_to(&self, endpoint: EndpointId, event: &Event) -> Option<Route> {
        let routes = self.routes(&event.event_type);
        let route = routes.iter().find(|route| route.endpoint.endpoint.id == endpoint)?;
        route.endpoint.lets_pass(&route.event_type, &filter_event(event)).then(|| route.clone())
    }

    fn route(&self, endpoint: &Arc<EndpointView>, published: &str) -> Option<Route> {
        let event_type = receivers_word(&endpoint.contract, &self.contract, published)?;
        let wants = endpoint.endpoint.wants(event_type);
        wants.then(|| Route { endpoint: Arc::clone(endpoint), event_type: event_type.into() })
    }
}

/// What an endpoint's contract calls a published type: it may know it by that name, or by the one that the organisation's own contract has for it.
pub(crate) fn receivers_word<'a>(contract: &'a Contract, own: &'a Contract, published: &'a str) -> Option<&'a str> {
    contract.resolve_type(published).or_else(|| contract.resolve_type(own.resolve_type(published)?))
}

/// The organisations in use, in memory.
pub(crate) struct Directory {
    store: Arc<dyn Store>,
    contracts: Arc<Contracts>,
    egress: Client,
    organizations_max: usize,
    views: RwLock<HashMap<OrganizationId, Arc<OrganizationView>>>,
    /// Counts changes, so that what was read before one is not kept after it.
    changes: AtomicU64,
}

impl Directory {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        contracts: Arc<Contracts>,
        egress: Client,
        organizations_max: usize,
    ) -> Self {
        Directory { store, contracts, egress, organizations_max, views: RwLock::default(), changes: AtomicU64::new(0) }
    }

    /// The organisation as it is now; none when there is no such one.
    pub(crate) async fn view(&self, id: &OrganizationId) -> Result<Option<Arc<OrganizationView>>, EngineError> {
        if let Some(view) = self.views.read().get(id) {
            return Ok(Some(Arc::clone(view)));
        }
        let changes = self.changes.load(Ordering::Acquire);
        let Some(view) = self.read(id).await? else { return Ok(None) };
        let view = Arc::new(view);
        let mut views = self.views.write();
        if self.changes.load(Ordering::Acquire) == changes {
            if views.len() >= self.organizations_max {
                views.clear();
            }
            views.insert(id.clone(), Arc::clone(&view));
        }
        Ok(Some(view))
    }

    /// Forgets an organisation that changed.
    pub(crate) fn forget(&self, id: &OrganizationId) {
        let mut views = self.views.write();
        self.changes.fetch_add(1, Ordering::AcqRel);
        views.remove(id);
    }

    /// Forgets an organisation of which the store says that it is not at this version any more.
    pub(crate) fn forget_version(&self, id: &OrganizationId, version: Version) {
        let is_known = self.views.read().get(id).is_none_or(|view| view.version == version);
        if is_known {
            self.forget(id);
        }
    }

    /// Forgets everything: changes may have been missed.
    pub(crate) fn forget_all(&self) {
        let mut views = self.views.write();
        self.changes.fetch_add(1, Ordering::AcqRel);
        views.clear();
    }

    /// The organisation as it is in the store, whatever is remembered of it.
    pub(crate) async fn read(&self, id: &OrganizationId) -> Result<Option<OrganizationView>, EngineError> {
        let Some(Configuration { version, organization, endpoints: rows }) = self.store.configuration(id).await? else {
            return Ok(None);
        };
        let mut endpoints = HashMap::with_capacity(rows.len());
        for endpoint in rows {
            let contract = self.contract(&endpoint.contract)?;
            let url = self.egress.judge_url(&endpoint.url);
            endpoints.insert(endpoint.id, Arc::new(EndpointView::new(endpoint, contract, url)));
        }
        let contract = self.contract(&organization.contract)?;
        Ok(Some(OrganizationView { version, organization, contract, endpoints, routes: RwLock::default() }))
    }

    fn contract(&self, name: &str) -> Result<Arc<Contract>, EngineError> {
        self.contracts.get(name).cloned().ok_or_else(|| EngineError::ContractMissing { name: name.to_owned() })
    }
}
