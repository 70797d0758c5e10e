//! What the cases store: objects with every field set, and a small world to store them in.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use postrider_domain::{
    Action, Actor, AttemptFailure, AttemptId, AuditEntry, AuditId, DeliveryId, Endpoint, EndpointId, EndpointOrdering,
    EndpointStatus, EventId, EventValidation, FailureKind, Key, KeyId, Millis, Organization, OrganizationId, Overlap,
    Progress, Resource, Scope, Secret, StreakChange, Transition, Trigger,
};
use uuid::Uuid;

use super::{Leased, Subject};
use crate::edit::Edit;
use crate::model::{
    Attempt, Committed, ContractRevision, EndpointLimits, Event, LeaseNo, NewDelivery, NewEvent, OpenDelivery, Outcome,
    PageRequest, Response, RevisionId,
};

/// When the suite's time begins.
pub const T0: Millis = Millis(1_800_000_000_000);
pub(super) const SECOND: i64 = 1_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;
pub(super) const DAY: i64 = 24 * HOUR;

/// `ms` after [`T0`].
pub(super) fn at(ms: i64) -> Millis {
    Millis(T0.0 + ms)
}

/// A UUIDv7 of this moment; later calls give greater ones within a millisecond.
pub(super) fn id_at(moment: Millis) -> Uuid {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = u128::from(COUNT.fetch_add(1, Ordering::Relaxed));
    let ms = u128::from(moment.0.unsigned_abs());
    Uuid::from_u128(ms << 80 | 7 << 76 | (count >> 32 & 0xfff) << 64 | 1 << 63 | (count & 0xffff_ffff))
}

pub(super) fn org_id(text: &str) -> OrganizationId {
    text.parse().unwrap()
}

/// What the audit trail tells of a change of which a case does not ask.
pub(super) fn entry() -> AuditEntry {
    AuditEntry::new(AuditId(id_at(T0)), T0, Actor::System, Action::ENDPOINT_CHANGED, "sample")
}

/// The same with what was seen before: nothing.
pub(super) fn edit() -> Edit {
    Edit::of(entry())
}

/// Stored, for the one lease there is to send.
pub(super) const STORED: Committed = Committed::Stored { elsewhere: Vec::new() };

pub(super) fn organization(id: &str) -> Organization {
    Organization {
        id: org_id(id),
        name: format!("{id} & Söhne"),
        contract: "sample".to_owned(),
        plan: Some("gold".to_owned()),
        owner_email: Some("owner@example.com".to_owned()),
        locale: Some("pt-BR".to_owned()),
        event_validation: EventValidation::Warn,
        frame_ancestors: ["https://crm.example", "http://127.0.0.1:8080"].map(str::to_owned).to_vec(),
        created_at: T0,
        updated_at: at(1),
    }
}

pub(super) fn endpoint(organization: &OrganizationId, created_at: Millis) -> Endpoint {
    Endpoint {
        id: EndpointId(id_at(created_at)),
        organization: organization.clone(),
        name: "Lager 📦".to_owned(),
        description: Some("for the warehouse".to_owned()),
        url: "https://example.com/in?token=url-secret".to_owned(),
        events: vec!["deal.won".parse().unwrap(), "contact.*".parse().unwrap(), "*".parse().unwrap()],
        contract: "sample".to_owned(),
        secret: Some(Secret::new("whsec_signing-secret".to_owned())),
        overlap: Some(Overlap {
            old: Secret::new("whsec_old-secret".to_owned()),
            ends_at: Millis(4_102_444_800_000),
            is_confirmed: true,
        }),
        headers: vec![
            ("X-Token".to_owned(), Secret::new("header-secret".to_owned())),
            ("x-empty".to_owned(), Secret::new(String::new())),
        ],
        filter: Some("data.amount > 1000".to_owned()),
        rate_limit: NonZeroU32::new(20),
        ordering: EndpointOrdering::Resource,
        system: Some("erp".to_owned()),
        status: EndpointStatus::Disabled { reason: "failed for 5 days".to_owned() },
        resumed_at: Some(at(3)),
        created_at,
        updated_at: created_at,
    }
}

pub(super) fn key(organization: &OrganizationId, created_at: Millis) -> Key {
    Key {
        id: KeyId(id_at(created_at)),
        organization: organization.clone(),
        name: "ci".to_owned(),
        scopes: Scope::ALL.to_vec(),
        hint: "pr_live_ab".to_owned(),
        created_at,
        expires_at: Some(at(DAY)),
    }
}

pub(super) fn revision(text: &str) -> ContractRevision {
    let mut id = [0; 32];
    id.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref());
    ContractRevision { id: RevisionId(id), name: "sample".to_owned(), text: text.to_owned() }
}

/// An organisation with an endpoint and a contract revision in an empty store.
pub(super) struct World {
    pub(super) store: Leased,
    pub(super) org: OrganizationId,
    pub(super) endpoint: EndpointId,
    pub(super) revision: RevisionId,
}

impl World {
    pub(super) async fn new(subject: &impl Subject) -> World {
        World::of(subject.store(), "acme").await
    }

    pub(super) async fn of(store: Leased, org: &str) -> World {
        store.create_organization(&organization(org)).await.unwrap();
        let org = org_id(org);
        let endpoint = endpoint(&org, T0);
        store.create_endpoint(&endpoint, &EndpointLimits::default()).await.unwrap();
        let revision = revision("name = \"standard\"");
        store.save_contract_revision(&revision).await.unwrap();
        World { store, org, endpoint: endpoint.id, revision: revision.id }
    }

    pub(super) async fn another_endpoint(&self) -> EndpointId {
        let endpoint = endpoint(&self.org, T0);
        self.store.create_endpoint(&endpoint, &EndpointLimits::default()).await.unwrap();
        endpoint.id
    }

    /// A delivery to this world's endpoint, due when it is made.
    pub(super) fn delivery(&self, made_at: Millis) -> NewDelivery {
        self.delivery_to(self.endpoint, made_at)
    }

    pub(super) fn delivery_to(&self, endpoint: EndpointId, made_at: Millis) -> NewDelivery {
        NewDelivery {
            in_order: false,
            id: DeliveryId(id_at(made_at)),
            endpoint,
            event_type: "dealWon".into(),
            revision: self.revision,
            due_at: made_at,
        }
    }

    /// An event accepted then, with one delivery.
    pub(super) fn event(&self, accepted_at: Millis) -> NewEvent {
        self.event_with(accepted_at, vec![self.delivery(accepted_at)])
    }

    pub(super) fn event_with(&self, accepted_at: Millis, deliveries: Vec<NewDelivery>) -> NewEvent {
        NewEvent { event: Arc::new(event(accepted_at)), fingerprint: None, test: false, is_derived: false, deliveries }
    }

    pub(super) async fn commit(&self, events: Vec<NewEvent>) {
        self.store.commit_events(&self.org, events).await.unwrap();
    }

    /// Commits one event with one delivery and claims it.
    pub(super) async fn one_open(&self, accepted_at: Millis) -> Arc<OpenDelivery> {
        let new = self.event(accepted_at);
        let id = new.deliveries[0].id;
        self.commit(vec![new]).await;
        self.claimed(id, accepted_at).await
    }

    /// The open delivery with this id, as a claim at `now` sees it.
    pub(super) async fn claimed(&self, id: DeliveryId, now: Millis) -> Arc<OpenDelivery> {
        let claimed = self.claim(now).await;
        Arc::new(claimed.into_iter().find(|open| open.id == id).unwrap())
    }

    pub(super) async fn claim(&self, now: Millis) -> Vec<OpenDelivery> {
        self.store.claim_due(&self.org, self.endpoint, now, 1_000, vec![]).await.unwrap()
    }

    pub(super) async fn status_of(&self, id: DeliveryId) -> crate::model::Delivery {
        self.store.delivery(&self.org, id).await.unwrap().unwrap().delivery
    }

    /// Ends a delivery as succeeded.
    pub(super) async fn succeed(&self, delivery: &Arc<OpenDelivery>, ended_at: Millis) {
        self.store.record_outcomes(&[outcome(delivery, ended_at, Transition::Succeed)]).await.unwrap();
    }
}

pub(super) fn event(accepted_at: Millis) -> Event {
    let key = id_at(accepted_at);
    Event {
        id: EventId::made(key),
        key,
        event_type: "deal.won".into(),
        occurred_at: Millis(accepted_at.0 - 5),
        accepted_at,
        resource: Some(resource("deal", &["42"])),
        data: "{\"amount\": 1.50, \"name\":\"Grüße\"}".into(),
        changes: Some("{\"stage\":{\"previous\":null,\"current\":\"won\"}}".into()),
    }
}

pub(super) fn resource(kind: &str, ids: &[&str]) -> Resource {
    Resource {
        kind: kind.to_owned(),
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        uri: Some("https://crm.example.com/deals/42".to_owned()),
    }
}

pub(super) fn attempt(started_at: Millis, status_code: Option<u16>) -> Attempt {
    let failure =
        AttemptFailure { kind: FailureKind::Timeout, reason: None, message: "no answer within 15 s".to_owned() };
    Attempt {
        id: AttemptId(id_at(started_at)),
        started_at,
        response_time_ms: 12,
        by_hand: false,
        url: "https://example.com/in".to_owned(),
        request_headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        response: status_code.map(|status_code| Response {
            status_code,
            headers: vec![(b"server".to_vec(), b"x".to_vec())],
            body: b"thanks".to_vec(),
            note: None,
        }),
        failure: status_code.is_none().then_some(failure),
        refused_first: None,
    }
}

/// An outcome that counts one more attempt; a success was answered with 204, anything else with 500.
pub(super) fn outcome(delivery: &Arc<OpenDelivery>, ended_at: Millis, transition: Transition) -> Outcome {
    let status_code = if transition == Transition::Succeed { 204 } else { 500 };
    let progress = Progress {
        attempts_count: delivery.progress.attempts_count + 1,
        slots_used: delivery.progress.slots_used + u32::from(delivery.trigger == Trigger::Schedule),
        initial_failure_at: delivery.progress.initial_failure_at.or(Some(ended_at)),
    };
    Outcome {
        lease: LeaseNo(0),
        delivery: Arc::clone(delivery),
        attempt: attempt(ended_at, Some(status_code)),
        progress,
        transition,
        ended_at,
        streak: StreakChange::None,
    }
}

pub(super) fn page(limit: usize, before: Option<Uuid>) -> PageRequest {
    PageRequest { limit, before }
}

pub(super) fn all() -> PageRequest {
    page(1_000, None)
}
