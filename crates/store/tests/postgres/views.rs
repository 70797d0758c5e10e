//! The views for people who look with SQL tell what the API tells.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{
    AttemptFailure, AttemptId, DeliveryId, Endpoint, EndpointId, EndpointOrdering, EndpointStatus, EventId,
    EventValidation, FailureKind, Millis, Organization, OrganizationId, Progress, StreakChange, Transition,
};
use postrider_store::{
    Attempt, Basis, ContractRevision, EndpointLimits, Event, LeaseNo, NewDelivery, NewEvent, OpenDelivery, Outcome,
    PostgresStore, Response, RevisionId, Store,
};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::database::Database;
use crate::world::{audit, edit};

fn acme() -> OrganizationId {
    "acme".parse().unwrap()
}

/// A UUIDv7 of this moment.
fn id_at(at: Millis, number: u128) -> Uuid {
    Uuid::from_u128(u128::from(at.0.unsigned_abs()) << 80 | 7 << 76 | 1 << 63 | number)
}

struct World {
    _database: Database,
    store: PostgresStore,
    client: Client,
    lease: LeaseNo,
    now: Millis,
    endpoint: EndpointId,
    revision: RevisionId,
}

impl World {
    async fn new() -> Self {
        let database = Database::create();
        let store = database.open().await.unwrap();
        let client = database.client().await;
        let granted = store.grant_lease("a node", Duration::from_secs(600)).await.unwrap();
        let now = granted.now.unwrap();
        let endpoint = EndpointId(id_at(now, 1));
        let revision = ContractRevision { id: RevisionId([1; 32]), name: "sample".to_owned(), text: String::new() };
        store.create_organization(&organization(now), &audit()).await.unwrap();
        store.create_endpoint(&self::endpoint(endpoint, now), &EndpointLimits::default(), &edit()).await.unwrap();
        store.save_contract_revision(&revision).await.unwrap();
        World { _database: database, store, client, lease: granted.lease, now, endpoint, revision: revision.id }
    }

    async fn deliver(&self, number: u128) -> Arc<OpenDelivery> {
        let key = id_at(self.now, number);
        let event = Event {
            id: EventId::made(key),
            key,
            event_type: "deal.won".into(),
            occurred_at: self.now,
            accepted_at: self.now,
            resource: None,
            data: "{}".into(),
            changes: None,
        };
        let id = DeliveryId(id_at(self.now, number + 1));
        let (event_type, revision, due_at) = ("dealWon".into(), self.revision, self.now);
        let deliveries =
            vec![NewDelivery { id, endpoint: self.endpoint, event_type, revision, due_at, in_order: false }];
        let new = NewEvent { event: Arc::new(event), fingerprint: None, test: false, is_derived: false, deliveries };
        let basis = Basis { lease: self.lease, version: None };
        self.store.commit_events(basis, &acme(), vec![new]).await.unwrap();
        self.claim(id).await
    }

    async fn claim(&self, id: DeliveryId) -> Arc<OpenDelivery> {
        let due = self.store.claim_due(self.lease, &acme(), self.endpoint, self.now, 100, vec![]).await.unwrap();
        Arc::new(due.into_iter().find(|open| open.id == id).unwrap())
    }

    async fn record(&self, delivery: &Arc<OpenDelivery>, number: u128, transition: Transition) -> AttemptId {
        let id = AttemptId(id_at(self.now, number));
        let status_code = if transition == Transition::Succeed { 204 } else { 500 };
        let failure = AttemptFailure { kind: FailureKind::Status, reason: None, message: "it answered 500".to_owned() };
        let response = Response { status_code, headers: vec![], body: vec![], note: None };
        let attempts_count = delivery.progress.attempts_count + 1;
        let outcome = Outcome {
            lease: self.lease,
            delivery: Arc::clone(delivery),
            attempt: Attempt {
                id,
                started_at: self.now,
                response_time_ms: 12,
                by_hand: false,
                url: "https://example.com/in".to_owned(),
                request_headers: vec![],
                response: Some(response),
                failure: (status_code == 500).then_some(failure),
                refused_first: None,
            },
            progress: Progress { attempts_count, ..delivery.progress },
            transition,
            ended_at: self.now,
            streak: StreakChange::None,
        };
        self.store.record_outcomes(&[outcome]).await.unwrap();
        id
    }

    /// Every row of a view as the text of its columns, separated by bars.
    async fn rows(&self, columns: &str, rest: &str) -> Vec<String> {
        let sql = format!("SELECT concat_ws('|', {columns}) FROM postrider.{rest}");
        self.client.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }
}

fn organization(now: Millis) -> Organization {
    Organization {
        id: acme(),
        name: "Acme".to_owned(),
        contract: "sample".to_owned(),
        plan: None,
        owner_email: None,
        locale: None,
        event_validation: EventValidation::Off,
        frame_ancestors: vec![],
        created_at: now,
        updated_at: now,
    }
}

fn endpoint(id: EndpointId, now: Millis) -> Endpoint {
    Endpoint {
        id,
        organization: acme(),
        name: "in".to_owned(),
        description: None,
        url: "https://example.com/in".to_owned(),
        events: vec!["deal.won".parse().unwrap(), "contact.*".parse().unwrap()],
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
        created_at: now,
        updated_at: now,
    }
}

#[tokio::test]
async fn attempts_and_webhooks_are_told_under_the_ids_of_the_api() {
    let world = World::new().await;
    let first = world.deliver(10).await;
    let failed = world.record(&first, 12, Transition::RetryAt(world.now)).await;
    let succeeded = world.record(&world.claim(first.id).await, 13, Transition::Succeed).await;
    let second = world.deliver(20).await;
    let pending = world.record(&second, 22, Transition::RetryAt(world.now)).await;

    let columns =
        "id, webhook_id, delivery_id, event_type, status, delivery_status, attempt_number, response_status, error";
    let logs = world.rows(columns, "webhook_logs ORDER BY delivery_uuid, attempt_number").await;
    let (webhook, one, other) = (world.endpoint, first.id, second.id);
    let expected = [
        format!("{failed}|{webhook}|{one}|dealWon|failed|succeeded|1|500|status"),
        format!("{succeeded}|{webhook}|{one}|dealWon|success|succeeded|2|204"),
        format!("{pending}|{webhook}|{other}|dealWon|failed|pending|1|500|status"),
    ];
    assert_eq!(logs, expected);
    let of_one = format!("webhook_logs WHERE delivery_uuid = postrider.uuid_of('{one}') ORDER BY attempt_number");
    assert_eq!(world.rows("id", &of_one).await, [failed.to_string(), succeeded.to_string()]);
    let recent = "webhook_logs WHERE delivery_uuid >= postrider.first_uuid_at(now() - interval '1 hour')
                  AND created_at BETWEEN now() - interval '1 hour' AND now() + interval '1 minute'";
    assert_eq!(world.rows("id", recent).await.len(), 3);

    let columns = "id, organization_id, name, events::text, is_active, pending_count, success_count, failure_count";
    let webhooks = world.rows(columns, "webhook_configurations").await;
    assert_eq!(webhooks, [format!("{webhook}|acme|in|{{deal.won,contact.*}}|t|1|1|0")]);

    // What was deleted is told no more.
    assert!(world.store.delete_endpoint(&acme(), world.endpoint, &audit()).await.unwrap());
    assert_eq!(world.rows("id", "webhook_logs").await, [""; 0]);
    assert_eq!(world.rows("id", "webhook_configurations").await, [""; 0]);
}
