//! A small world for several nodes on one database: an organisation with endpoints, and events with a delivery to each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use postrider_domain::{
    Action, Actor, AttemptId, AuditEntry, AuditId, DeliveryId, Endpoint, EndpointId, EndpointOrdering, EndpointStatus,
    EventId, EventValidation, Millis, Organization, OrganizationId, Progress, StreakChange, Transition,
};
use postrider_store::{
    Attempt, Basis, Committed, ContractRevision, Edit, EndpointLimits, Event, Hint, LaneId, LeaseNo, NewDelivery,
    NewEvent, OpenDelivery, Outcome, PostgresStore, Recorded, Result, RevisionId, Store,
};
use uuid::Uuid;

use crate::database::Database;

pub(crate) const NOW: Millis = Millis(1_800_000_000_000);
pub(crate) const LATER: Millis = Millis(1_900_000_000_000);
/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(600);
const REVISION: RevisionId = RevisionId([7; 32]);

/// What the audit trail tells of changes that the tests do not ask about.
pub(crate) fn audit() -> AuditEntry {
    AuditEntry::new(AuditId(Uuid::new_v4()), Millis(0), Actor::System, Action::ENDPOINT_CHANGED, "sample")
}

pub(crate) fn edit() -> Edit {
    Edit::of(audit())
}

pub(crate) fn acme() -> OrganizationId {
    "acme".parse().unwrap()
}

/// A UUIDv7 of this moment; later calls give greater ones within a millisecond.
pub(crate) fn id_at(moment: Millis) -> Uuid {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = u128::from(COUNT.fetch_add(1, Ordering::Relaxed));
    Uuid::from_u128(u128::from(moment.0.unsigned_abs()) << 80 | 7 << 76 | 1 << 63 | count)
}

/// Waits for something that happens soon or never.
pub(crate) async fn soon<T>(happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), happens).await.unwrap()
}

/// A store with a lease, as one server uses it.
pub(crate) struct Node {
    pub(crate) store: PostgresStore,
    pub(crate) lease: LeaseNo,
}

impl Node {
    pub(crate) async fn start(database: &Database) -> Self {
        Node::with(database.open().await.unwrap(), LONG).await
    }

    pub(crate) async fn with(store: PostgresStore, lasts: Duration) -> Self {
        let lease = store.grant_lease("a node", lasts).await.unwrap().lease;
        Node { store, lease }
    }

    pub(crate) fn basis(&self) -> Basis {
        Basis { lease: self.lease, version: None }
    }

    /// Commits one event with a delivery to each endpoint, due when it is made.
    pub(crate) async fn commit(&self, endpoints: &[EndpointId]) -> Result<Committed> {
        self.commit_at(endpoints, NOW).await
    }

    pub(crate) async fn commit_at(&self, endpoints: &[EndpointId], at: Millis) -> Result<Committed> {
        let committed = self.store.commit_events(self.basis(), &acme(), vec![event(endpoints, at)]).await?;
        Ok(committed.into_iter().next().unwrap())
    }

    pub(crate) async fn claim(&self, endpoint: EndpointId) -> Vec<OpenDelivery> {
        self.store.claim_due(self.lease, &acme(), endpoint, LATER, 1_000, vec![]).await.unwrap()
    }

    /// Every endpoint of free lanes with work.
    pub(crate) async fn take(&self, limit: usize) -> Vec<EndpointId> {
        let taken = self.store.take_lanes(self.lease, LATER, limit).await.unwrap();
        taken.into_iter().map(|due| due.lane.endpoint).collect()
    }

    pub(crate) async fn release(&self, endpoints: &[EndpointId]) {
        let lanes = endpoints.iter().map(|endpoint| lane(*endpoint)).collect();
        self.store.release_lanes(self.lease, lanes).await.unwrap();
    }

    pub(crate) async fn succeed(&self, open: &OpenDelivery) -> Recorded {
        self.store.record_outcomes(&[succeeded(self.lease, open)]).await.unwrap()[0]
    }

    /// Waits until another node tells this.
    pub(crate) async fn hears(&self, wanted: &Hint) {
        soon(async { while !self.store.hear(self.lease).await.unwrap().contains(wanted) {} }).await;
    }

    /// Waits until it listens.
    pub(crate) async fn listens(&self) {
        self.hears(&Hint::Missed).await;
    }
}

pub(crate) const STORED: Committed = Committed::Stored { elsewhere: Vec::new() };

pub(crate) fn lane(endpoint: EndpointId) -> LaneId {
    LaneId { organization: acme(), endpoint }
}

pub(crate) fn event(endpoints: &[EndpointId], at: Millis) -> NewEvent {
    let key = id_at(at);
    let event = Event {
        id: EventId::made(key),
        key,
        event_type: "deal.won".into(),
        occurred_at: at,
        accepted_at: at,
        resource: None,
        data: "{}".into(),
        changes: None,
    };
    let deliveries = endpoints.iter().map(|endpoint| NewDelivery {
        in_order: false,
        id: DeliveryId(id_at(at)),
        endpoint: *endpoint,
        event_type: "deal.won".into(),
        revision: REVISION,
        due_at: at,
    });
    NewEvent {
        event: Arc::new(event),
        fingerprint: None,
        test: false,
        is_derived: false,
        deliveries: deliveries.collect(),
    }
}

pub(crate) fn succeeded(lease: LeaseNo, open: &OpenDelivery) -> Outcome {
    let attempt = Attempt {
        id: AttemptId(id_at(NOW)),
        started_at: NOW,
        response_time_ms: 1,
        by_hand: false,
        url: "https://example.com/in".to_owned(),
        request_headers: vec![],
        response: None,
        failure: None,
        refused_first: None,
    };
    Outcome {
        lease,
        delivery: Arc::new(open.clone()),
        attempt,
        progress: Progress {
            attempts_count: open.progress.attempts_count + 1,
            slots_used: 1,
            initial_failure_at: None,
        },
        transition: Transition::Succeed,
        ended_at: NOW,
        streak: StreakChange::None,
    }
}

/// Makes the organisation with so many endpoints.
pub(crate) async fn populate(store: &impl Store, endpoints: usize) -> Vec<EndpointId> {
    let organization = Organization {
        id: acme(),
        name: "Acme".to_owned(),
        contract: "sample".to_owned(),
        plan: None,
        owner_email: None,
        locale: None,
        event_validation: EventValidation::Off,
        frame_ancestors: vec![],
        created_at: NOW,
        updated_at: NOW,
    };
    store.create_organization(&organization, &audit()).await.unwrap();
    let revision = ContractRevision { id: REVISION, name: "sample".to_owned(), text: "x".to_owned() };
    store.save_contract_revision(&revision).await.unwrap();
    let mut made = Vec::new();
    for _ in 0..endpoints {
        let endpoint = endpoint();
        store.create_endpoint(&endpoint, &EndpointLimits::default(), &edit()).await.unwrap();
        made.push(endpoint.id);
    }
    made
}

pub(crate) fn endpoint() -> Endpoint {
    Endpoint {
        id: EndpointId(id_at(NOW)),
        organization: acme(),
        name: "in".to_owned(),
        description: None,
        url: "https://example.com/in".to_owned(),
        events: vec!["*".parse().unwrap()],
        contract: "sample".to_owned(),
        secret: None,
        overlap: None,
        headers: vec![],
        filter: None,
        rate_limit: None,
        ordering: EndpointOrdering::None,
        system: None,
        status: EndpointStatus::Active,
        resumed_at: None,
        created_at: NOW,
        updated_at: NOW,
    }
}
