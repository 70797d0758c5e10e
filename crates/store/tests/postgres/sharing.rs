//! What two nodes on one database see of each other's changes: at once, whatever they keep in memory.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{
    Endpoint, EndpointId, EndpointOrdering, EndpointStatus, EventId, EventValidation, Key, KeyId, Millis, Organization,
    OrganizationId, Scope,
};
use postrider_store::{
    Basis, EndpointLimits, Event, Idempotency, LeaseNo, NewEvent, PageRequest, PostgresStore, Store, StoreError,
    StoredAnswer,
};
use uuid::Uuid;

use crate::database::{Database, master_key, options};
use crate::world::{audit, edit};

const NOW: Millis = Millis(1_800_000_000_000);
const HASH: [u8; 32] = [1; 32];
const ALL: PageRequest = PageRequest { limit: 100, before: None };

fn acme() -> OrganizationId {
    "acme".parse().unwrap()
}

fn organization() -> Organization {
    Organization {
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
    }
}

fn endpoint(number: u128) -> Endpoint {
    Endpoint {
        id: EndpointId(Uuid::from_u128(number)),
        organization: acme(),
        name: "in".to_owned(),
        description: None,
        url: "https://example.com/in".to_owned(),
        events: vec![],
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

fn event() -> Arc<Event> {
    let key = Uuid::from_u128(u128::from(NOW.0.unsigned_abs()) << 80 | 7 << 76 | 1 << 63);
    Arc::new(Event {
        id: EventId::made(key),
        key,
        event_type: "deal.won".into(),
        occurred_at: NOW,
        accepted_at: NOW,
        resource: None,
        data: "{}".into(),
        changes: None,
    })
}

fn answer(text: &str) -> StoredAnswer {
    StoredAnswer { status: 201, body: text.as_bytes().to_vec() }
}

/// Two nodes with a lease each, on a database with an organisation that both have met.
struct World {
    database: Database,
    nodes: [PostgresStore; 2],
    leases: [LeaseNo; 2],
}

impl World {
    async fn new() -> Self {
        let database = Database::create();
        let nodes = [database.open().await.unwrap(), database.open().await.unwrap()];
        nodes[0].create_organization(&organization(), &audit()).await.unwrap();
        let mut leases = [LeaseNo(0); 2];
        for (node, lease) in nodes.iter().zip(&mut leases) {
            *lease = node.grant_lease("a node", Duration::from_secs(600)).await.unwrap().lease;
            assert!(node.configuration(&acme()).await.unwrap().is_some());
        }
        World { database, nodes, leases }
    }
}

#[tokio::test]
async fn an_organisation_deleted_on_one_node_is_gone_on_the_other_and_so_is_its_namesake() {
    let world = World::new().await;
    let [one, other] = &world.nodes;
    other.create_endpoint(&endpoint(1), &EndpointLimits::default(), &edit()).await.unwrap();
    assert!(one.delete_organization(&acme(), &audit()).await.unwrap());
    assert_eq!(other.organization(&acme()).await.unwrap(), None);
    assert_eq!(other.configuration(&acme()).await.unwrap(), None);
    assert_eq!(other.endpoints(&acme(), ALL).await.unwrap().rows, []);
    let refused = other.create_endpoint(&endpoint(2), &EndpointLimits::default(), &edit()).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    // The new one of the same id has a key of its own, which the other node gets.
    one.create_organization(&organization(), &audit()).await.unwrap();
    one.create_endpoint(&endpoint(3), &EndpointLimits::default(), &edit()).await.unwrap();
    assert_eq!(other.endpoints(&acme(), ALL).await.unwrap().rows, [endpoint(3)]);
    let client = world.database.client().await;
    let keys = client.query_one("SELECT count(*) FROM postrider.data_keys", &[]).await.unwrap();
    assert_eq!(keys.get::<_, i64>(0), 2, "the operator's and the new one's");
}

#[tokio::test]
async fn what_is_committed_for_a_namesake_made_elsewhere_is_the_namesakes() {
    let world = World::new().await;
    let [one, other] = &world.nodes;
    assert!(one.delete_organization(&acme(), &audit()).await.unwrap());
    one.create_organization(&organization(), &audit()).await.unwrap();
    let event = event();
    let commit = async || {
        let new = NewEvent {
            event: Arc::clone(&event),
            fingerprint: None,
            test: false,
            is_derived: false,
            deliveries: vec![],
        };
        other.commit_events(Basis { lease: world.leases[1], version: None }, &acme(), vec![new]).await
    };
    // The one that this node knew is gone; asked again, it has met the new one.
    let first = commit().await;
    assert!(matches!(first, Err(StoreError::NotFound { .. })), "{first:?}");
    commit().await.unwrap();
    let found = one.event(&acme(), &event.id).await.unwrap().unwrap();
    assert_eq!(found.event, event);
}

#[tokio::test]
async fn each_change_makes_the_configuration_a_newer_one_and_is_told_to_every_node() {
    let world = World::new().await;
    let [one, other] = &world.nodes;
    let mut seen = other.configuration(&acme()).await.unwrap().unwrap().version;
    let mut changed = endpoint(1);
    changed.name = "out".to_owned();
    for step in 0..4 {
        match step {
            0 => one.create_endpoint(&endpoint(1), &EndpointLimits::default(), &edit()).await.unwrap(),
            1 => one.update_endpoint(&changed, &edit()).await.unwrap(),
            2 => one.update_organization(&organization(), &edit()).await.unwrap(),
            _ => assert!(one.delete_endpoint(&acme(), endpoint(1).id, &audit()).await.unwrap()),
        }
        let now = other.configuration(&acme()).await.unwrap().unwrap().version;
        assert!(now > seen, "step {step} made no newer configuration");
        seen = now;
        let renewal = other.renew_lease(world.leases[1], Duration::from_secs(600)).await.unwrap();
        let postrider_store::Renewal::Renewed(standing) = renewal else { panic!("{renewal:?}") };
        assert_eq!(standing.changed, [acme()], "step {step} was not told");
    }
}

#[tokio::test]
async fn nodes_do_not_pass_a_limit_together() {
    let world = World::new().await;
    let limits = EndpointLimits { endpoints_max: Some(3) };
    let [one, other] = &world.nodes;
    let (first, second) = tokio::join!(
        async {
            [
                one.create_endpoint(&endpoint(1), &limits, &edit()).await,
                one.create_endpoint(&endpoint(2), &limits, &edit()).await,
            ]
        },
        async {
            [
                other.create_endpoint(&endpoint(3), &limits, &edit()).await,
                other.create_endpoint(&endpoint(4), &limits, &edit()).await,
            ]
        },
    );
    let refused: Vec<_> = first.into_iter().chain(second).filter_map(Result::err).collect();
    assert!(matches!(refused[..], [StoreError::LimitReached { max: 3, .. }]), "{refused:?}");
}

#[tokio::test]
async fn a_request_under_way_on_one_node_is_running_on_the_other_until_that_nodes_lease_is_revoked() {
    let world = World::new().await;
    let [one, other] = &world.nodes;
    for owner in [None, Some(&acme())] {
        assert_eq!(one.begin_idempotent(owner, "k", HASH, NOW).await.unwrap(), Idempotency::Started);
        assert_eq!(other.begin_idempotent(owner, "k", HASH, NOW).await.unwrap(), Idempotency::Running);
        assert_eq!(other.begin_idempotent(owner, "k", [2; 32], NOW).await.unwrap(), Idempotency::Differs);
        // What another node is at, is not this one's to let go.
        other.abandon_idempotent(owner, "k").await.unwrap();
        assert_eq!(other.begin_idempotent(owner, "k", HASH, NOW).await.unwrap(), Idempotency::Running);
    }
    other.revoke_lease(world.leases[0]).await.unwrap();
    for owner in [None, Some(&acme())] {
        assert_eq!(other.begin_idempotent(owner, "k", [2; 32], NOW).await.unwrap(), Idempotency::Started);
        // The first comes back from the dead: its answer is nobody's any more.
        one.finish_idempotent(owner, "k", answer("late")).await.unwrap();
        assert_eq!(other.begin_idempotent(owner, "k", [2; 32], NOW).await.unwrap(), Idempotency::Running);
        other.finish_idempotent(owner, "k", answer("in time")).await.unwrap();
        let again = one.begin_idempotent(owner, "k", [2; 32], NOW).await.unwrap();
        assert_eq!(again, Idempotency::Done(answer("in time")));
    }
}

#[tokio::test]
async fn one_of_many_that_begin_the_same_request_at_once_does_it() {
    let world = World::new().await;
    let [one, other] = &world.nodes;
    let org = acme();
    let begun = tokio::join!(
        one.begin_idempotent(Some(&org), "k", HASH, NOW),
        other.begin_idempotent(Some(&org), "k", HASH, NOW),
        one.begin_idempotent(Some(&org), "k", HASH, NOW),
        other.begin_idempotent(Some(&org), "k", HASH, NOW),
    );
    let begun = [begun.0, begun.1, begun.2, begun.3].map(Result::unwrap);
    let started = begun.iter().filter(|begun| **begun == Idempotency::Started).count();
    let running = begun.iter().filter(|begun| **begun == Idempotency::Running).count();
    assert_eq!((started, running), (1, 3), "{begun:?}");
}

#[tokio::test]
async fn a_key_made_on_one_node_is_known_on_the_other_until_its_organisation_goes() {
    let world = World::new().await;
    let [one, other] = &world.nodes;
    let key = Key {
        id: KeyId(Uuid::from_u128(1)),
        organization: acme(),
        name: "ci".to_owned(),
        scopes: Scope::ALL.to_vec(),
        hint: "pr_live".to_owned(),
        created_at: NOW,
        expires_at: None,
    };
    one.create_key(&key, HASH, u32::MAX, &audit()).await.unwrap();
    assert_eq!(other.key_by_hash(HASH).await.unwrap(), Some(key));
    assert!(other.delete_organization(&acme(), &audit()).await.unwrap());
    assert_eq!(one.key_by_hash(HASH).await.unwrap(), None);
}

#[tokio::test]
async fn rewrapped_data_keys_need_the_old_master_key_no_more() {
    let world = World::new().await;
    world.nodes[0].create_endpoint(&endpoint(1), &EndpointLimits::default(), &edit()).await.unwrap();
    let keys = postrider_store::MasterKeys { current: master_key(8), others: vec![master_key(7)] };
    let next = PostgresStore::open(&world.database.url(), keys, &options()).await.unwrap();
    assert_eq!(next.rewrap().await.unwrap(), 2, "the operator's and the organisation's");
    assert_eq!(next.rewrap().await.unwrap(), 0);
    let alone = PostgresStore::open(&world.database.url(), master_key(8), &options()).await.unwrap();
    assert_eq!(alone.endpoint(&acme(), endpoint(1).id).await.unwrap(), Some(endpoint(1)));
    let old = PostgresStore::open(&world.database.url(), master_key(7), &options()).await.err().unwrap();
    assert!(matches!(old, StoreError::Unusable { .. }), "{old}");
}
