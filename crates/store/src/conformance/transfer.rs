//! Moving what a store holds into another one. Not in the suite's list: each case takes a pair of stores.

use std::sync::Arc;

use postrider_domain::{Endpoint, EndpointId, Key, Millis, OrganizationId, Streak, Transition};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Leased;
use super::failing;
use super::operational;
use super::operations;
use super::random::Run;
use super::samples::{DAY, HOUR, World, all, at, entry, key, org_id, organization, outcome};
use super::statistics;
use crate::error::StoreError;
use crate::failing::ClaimedNotice;
use crate::model::{
    Configuration, Delivery, DeliveryDetail, DeliveryFilter, EventDetail, EventFilter, Idempotency, LaneDue, NewEvent,
    OpenDelivery, PageRequest, StoredAnswer,
};
use crate::operational::ClaimedOperationalEvent;
use crate::operations::Operation;
use crate::postgres::PostgresStore;
use crate::sqlite::SqliteStore;
use crate::statistics::EndpointHour;
use crate::store::Store;
use crate::transfer::{ExportId, Extent, ImportState, Portable, Transfer};

const OPERATIONS: usize = 400;
const KEY_HASH: [u8; 32] = [3; 32];
const REQUEST: [u8; 32] = [4; 32];

/// A store that can be moved.
pub trait Movable: Store + Transfer {
    /// See [`super::Subject::drops_whole_days`].
    const DROPS_WHOLE_DAYS: bool;
}

impl Movable for SqliteStore {
    const DROPS_WHOLE_DAYS: bool = false;
}

impl Movable for PostgresStore {
    const DROPS_WHOLE_DAYS: bool = true;
}

/// Everything that the trait shows of an organisation.
#[derive(Debug, PartialEq)]
struct Picture {
    configuration: Option<Configuration>,
    keys: Vec<Key>,
    endpoints: Vec<Endpoint>,
    events: Vec<Arc<EventDetail>>,
    deliveries: Vec<Delivery>,
    of_record: Vec<Delivery>,
    of_endpoints: Vec<Vec<Delivery>>,
    of_events: Vec<Vec<Delivery>>,
    details: Vec<Option<DeliveryDetail>>,
    test_events: Vec<Option<EventDetail>>,
    lanes: Vec<LaneDue>,
    claims: Vec<OpenDelivery>,
    answer: Idempotency,
    streaks: Vec<(EndpointId, Streak)>,
    notices: Vec<ClaimedNotice>,
    operational: Vec<ClaimedOperationalEvent>,
    operations: Vec<Operation>,
    hours: Vec<EndpointHour>,
}

async fn deliveries(store: &Leased, org: &OrganizationId, filter: &DeliveryFilter) -> Vec<Delivery> {
    let (mut rows, mut before) = (vec![], None);
    loop {
        let page = store.deliveries(org, filter, PageRequest { limit: 300, before }).await.unwrap();
        rows.extend(page.rows);
        before = page.next;
        if before.is_none() {
            return rows;
        }
    }
}

impl Picture {
    async fn of(store: &Leased, org: &OrganizationId) -> Self {
        let configuration = store.configuration(org).await.unwrap();
        let all_deliveries = deliveries(store, org, &DeliveryFilter::default()).await;
        let (mut details, mut of_events, mut test_events) = (vec![], vec![], vec![]);
        for delivery in &all_deliveries {
            details.push(store.delivery(org, delivery.id).await.unwrap());
            if of_events.len() < 60 {
                let filter = DeliveryFilter { event: Some(delivery.event.clone()), ..DeliveryFilter::default() };
                of_events.push(deliveries(store, org, &filter).await);
            }
            if delivery.test {
                test_events.push(store.event(org, &delivery.event).await.unwrap());
            }
        }
        let about = Some(("deal".to_owned(), "42".to_owned()));
        let record = DeliveryFilter { resource: about, ..DeliveryFilter::default() };
        let (mut of_endpoints, mut claims) = (vec![], vec![]);
        for endpoint in configuration.iter().flat_map(|found| &found.endpoints) {
            let filter = DeliveryFilter { endpoint: Some(endpoint.id), ..DeliveryFilter::default() };
            of_endpoints.push(deliveries(store, org, &filter).await);
            claims.extend(store.claim_due(org, endpoint.id, at(1_000 * DAY), 5_000, vec![]).await.unwrap());
        }
        let mut lanes = store.lanes_due(None, 1_000).await.unwrap();
        lanes.retain(|due| due.lane.organization == *org);
        let answer = store.begin_idempotent(Some(org), "k", REQUEST, at(2)).await.unwrap();
        let endpoints: Vec<_> = configuration.iter().flat_map(|found| &found.endpoints).map(|e| e.id).collect();
        let mut streaks = store.streaks(org, &endpoints).await.unwrap();
        streaks.sort_by_key(|(endpoint, _)| *endpoint);
        Picture {
            configuration,
            keys: store.keys(org, all()).await.unwrap().rows,
            endpoints: store.endpoints(org, all()).await.unwrap().rows,
            events: store.events(org, &EventFilter::default(), all()).await.unwrap().rows,
            of_record: deliveries(store, org, &record).await,
            deliveries: all_deliveries,
            of_endpoints,
            of_events,
            details,
            test_events,
            lanes,
            claims,
            answer,
            streaks,
            notices: notices(store, org).await,
            operational: operational_events(store, org).await,
            operations: store.operations(org, all()).await.unwrap().rows,
            hours: statistics::kept(store, org, &endpoints).await,
        }
    }
}

/// Claimed one after the other, each until another moment, and left as they were found.
async fn notices(store: &Leased, org: &OrganizationId) -> Vec<ClaimedNotice> {
    let mut claimed = store.claim_notices(at(999 * DAY), at(1_000 * DAY), 1_000).await.unwrap();
    for notice in &claimed {
        store.settle_notice(notice, Some(at(998 * DAY))).await.unwrap();
    }
    claimed.retain(|claimed| claimed.notice.organization == *org);
    claimed.iter_mut().for_each(|claimed| claimed.tries = 0);
    claimed.sort_by_key(|claimed| claimed.notice.id);
    claimed
}

/// The same.
async fn operational_events(store: &Leased, org: &OrganizationId) -> Vec<ClaimedOperationalEvent> {
    let mut claimed = store.claim_operational_events(at(999 * DAY), at(1_000 * DAY), 1_000).await.unwrap();
    for one in &claimed {
        store.settle_operational_event(one, Some(at(998 * DAY))).await.unwrap();
    }
    claimed.retain(|claimed| claimed.event.organization == *org);
    claimed.iter_mut().for_each(|claimed| claimed.tries = 0);
    claimed.sort_by_key(|claimed| claimed.event.id);
    claimed
}

/// The store as a node that holds every lane sees it.
async fn node(store: &Arc<dyn Store>) -> Leased {
    let leased = Leased::new(Arc::clone(store)).await;
    while !store.take_lanes(leased.lease, Millis(i64::MAX), 1_000).await.unwrap().is_empty() {}
    leased
}

/// Two organisations with a random history, keys, answers, chosen ids, a test, deleted endpoints; and one that was deleted.
async fn fill<S: Movable>(store: &Arc<S>, seed: u64) -> Vec<OrganizationId> {
    let store = &(Arc::clone(store) as Arc<dyn Store>);
    let leased = Leased::new(Arc::clone(store)).await;
    let mut run = Run::begin(leased.clone(), seed).await;
    run.drops_whole_days = S::DROPS_WHOLE_DAYS;
    for _ in 0..OPERATIONS {
        run.operate().await;
    }
    let later = at(20 * DAY);
    for (i, (world, endpoints)) in (0u8..).zip(&mut run.worlds) {
        // Its first one may have been deleted.
        world.endpoint = endpoints[0];
        let mut hash = KEY_HASH;
        hash[0] = i;
        store.create_key(&key(&world.org, at(1)), hash, u32::MAX, &entry()).await.unwrap();
        answer(store, Some(&world.org)).await;
        store.create_operation(&operations::recovery(world, at(1)), &entry()).await.unwrap();
        store.create_operation(&operations::erasure(world, at(2)), &entry()).await.unwrap();
        chosen(&*world, "crm-1", later).await;
        store.operational_for(Some(org_id("ops")));
        failing::fail(&*world, later).await;
        operational::exhaust(world, 2, later).await;
        operational::rotate(world, later).await;
        store.operational_for(None);
        statistics::fill(world, endpoints).await;
        let mut test = world.event(later);
        test.test = true;
        world.commit(vec![test]).await;
        // More pages and chunks than one, and due far apart.
        let later_ones = (0..1_510).map(|j| {
            let mut new = world.event(Millis(later.0 + 1 + j));
            // They wait for one another.
            new.deliveries[0].in_order = j >= 1_500;
            new.deliveries[0].due_at = Millis(later.0 + j % 7 * HOUR);
            new
        });
        for batch in later_ones.collect::<Vec<_>>().chunks(100) {
            world.commit(batch.to_vec()).await;
        }
    }
    answer(store, None).await;
    store.set_operator_key_hash([9; 32], &entry()).await.unwrap();
    let gone = World::of(leased.clone(), "gone").await;
    gone.commit(vec![gone.event(later)]).await;
    store.delete_organization(&gone.org, &entry()).await.unwrap();
    store.revoke_lease(leased.lease).await.unwrap();
    run.worlds.iter().map(|(world, _)| world.org.clone()).collect()
}

async fn answer(store: &Arc<dyn Store>, org: Option<&OrganizationId>) {
    assert_eq!(store.begin_idempotent(org, "k", REQUEST, at(1)).await.unwrap(), Idempotency::Started);
    let answer = StoredAnswer { status: 201, body: b"{\"id\":1}\0\xff".to_vec() };
    store.finish_idempotent(org, "k", answer).await.unwrap();
}

fn chosen_event(world: &World, id: &str, accepted_at: Millis) -> NewEvent {
    let mut new = world.event(accepted_at);
    let mut event = (*new.event).clone();
    event.id = id.parse().unwrap();
    (new.event, new.fingerprint) = (Arc::new(event), Some([5; 32]));
    new
}

async fn chosen(world: &World, id: &str, accepted_at: Millis) {
    world.commit(vec![chosen_event(world, id, accepted_at)]).await;
}

/// Takes an export's chunks.
async fn exported(store: &dyn Transfer, extent: Extent) -> Vec<Vec<Portable>> {
    let (sender, mut receiver) = mpsc::channel(2);
    let take = async {
        let mut chunks = vec![];
        while let Some(chunk) = receiver.recv().await {
            chunks.push(chunk);
        }
        chunks
    };
    let (done, chunks) = tokio::join!(store.export(extent, sender), take);
    done.unwrap();
    chunks
}

async fn import(store: &dyn Transfer, export: ExportId, chunks: &[Vec<Portable>], from: usize) {
    for (number, chunk) in chunks.iter().enumerate().skip(from) {
        store.import(export, number as u64, chunk.clone()).await.unwrap();
    }
}

fn some_export() -> ExportId {
    ExportId(Uuid::new_v4())
}

/// Every list, detail and claim is what it was; ids are still known, keys and answers, too.
pub async fn everything_comes_along<S: Movable, T: Movable>(source: Arc<S>, target: Arc<T>) {
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (source.clone(), target.clone());
    let orgs = fill(&source, 0x1234_5678_9abc_def1).await;
    let chunks = exported(source.as_ref(), Extent::Everything).await;
    let export = some_export();
    assert_eq!(target.import_state(export).await.unwrap(), ImportState::Applied(0));
    import(target.as_ref(), export, &chunks, 0).await;
    assert!(target.finish_import(export).await.unwrap());
    assert_eq!(target.import_state(export).await.unwrap(), ImportState::Finished);
    let (before, after) = (node(&from).await, node(&to).await);
    for org in &orgs {
        let (left, mut right) = (Picture::of(&before, org).await, Picture::of(&after, org).await);
        // A version counts the changes in its own store.
        right.configuration.as_mut().unwrap().version = left.configuration.as_ref().unwrap().version;
        assert!(left.deliveries.len() > 1_500 && left.claims.len() > 1_500 && left.test_events.len() == 1);
        assert!(left.hours.len() >= 300, "more than a page: {}", left.hours.len());
        assert_eq!(left, right);
    }
    assert_eq!(from.organizations(None, 10).await.unwrap(), to.organizations(None, 10).await.unwrap());
    assert_eq!(to.operator_key_hash().await.unwrap(), Some([9; 32]));
    let mut hash = KEY_HASH;
    hash[0] = 1;
    assert_eq!(to.key_by_hash(hash).await.unwrap(), from.key_by_hash(hash).await.unwrap());
    let operators = to.begin_idempotent(None, "k", REQUEST, at(2)).await.unwrap();
    assert!(matches!(operators, Idempotency::Done(_)), "{operators:?}");
    // What deleted endpoints and organisations had left stayed behind.
    while from.retain(at(20 * DAY), at(0), 500).await.unwrap().more {}
    assert_eq!(from.stats().await.unwrap().open_deliveries, to.stats().await.unwrap().open_deliveries);
    works_on(&after, &orgs[0]).await;
}

/// What came along is sent, recorded, repeated and dropped like anything else.
async fn works_on(store: &Leased, org: &OrganizationId) {
    let endpoint = store.configuration(org).await.unwrap().unwrap().endpoints[0].id;
    let revision = store.deliveries(org, &DeliveryFilter::default(), all()).await.unwrap().rows[0].revision;
    let world = World { store: store.clone(), org: org.clone(), endpoint, revision };
    let repeated = store.commit_events(org, vec![chosen_event(&world, "crm-1", at(20 * DAY))]).await.unwrap();
    assert_eq!(repeated, [crate::model::Committed::Repeated { deliveries_count: 1 }]);
    loop {
        let claimed: Vec<_> = world.claim(at(30 * DAY)).await.into_iter().map(Arc::new).collect();
        if claimed.is_empty() {
            break;
        }
        let done: Vec<_> = claimed.iter().map(|open| outcome(open, at(30 * DAY), Transition::Succeed)).collect();
        store.record_outcomes(&done).await.unwrap();
    }
    chosen(&world, "crm-2", at(30 * DAY)).await;
    while store.retain(at(40 * DAY), at(35 * DAY), 500).await.unwrap().more {}
    assert!(store.events(org, &EventFilter::default(), all()).await.unwrap().rows.is_empty());
    assert!(
        deliveries(store, org, &DeliveryFilter::default()).await.iter().all(|row| row.ended_at == Some(at(40 * DAY)))
    );
}

/// It goes on behind the last chunk that was applied; until the end nothing is seen of it.
pub async fn an_import_that_broke_off_goes_on<S: Movable, T: Movable>(source: Arc<S>, target: Arc<T>) {
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (source.clone(), target.clone());
    let orgs = fill(&source, 0xfeed_5678_9abc_def1).await;
    let chunks = exported(source.as_ref(), Extent::Everything).await;
    assert!(chunks.len() > 3, "{}", chunks.len());
    let export = some_export();
    target.import(export, 0, chunks[0].clone()).await.unwrap();
    target.import(export, 1, chunks[1].clone()).await.unwrap();
    assert_eq!(target.import_state(export).await.unwrap(), ImportState::Applied(2));
    assert!(to.organizations(None, 10).await.unwrap().is_empty());
    // Once more, or out of turn: refused, with nothing of it applied.
    assert!(target.import(export, 1, chunks[1].clone()).await.is_err());
    assert!(target.import(export, 3, chunks[3].clone()).await.is_err());
    let other = target.import(some_export(), 0, chunks[0].clone()).await;
    assert!(matches!(other, Err(StoreError::Exists { .. })), "{other:?}");
    import(target.as_ref(), export, &chunks, 2).await;
    target.finish_import(export).await.unwrap();
    assert!(target.finish_import(export).await.unwrap());
    let (before, after) = (node(&from).await, node(&to).await);
    for org in &orgs {
        assert_eq!(Picture::of(&before, org).await, Picture::of(&after, org).await);
    }
}

/// An organisation that is there is left as it is; an import that was given up leaves nothing.
pub async fn what_is_there_is_not_touched<S: Movable, T: Movable>(source: Arc<S>, target: Arc<T>) {
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (source.clone(), target.clone());
    fill(&source, 0xbeef_5678_9abc_def1).await;
    to.create_organization(&organization("other"), &entry()).await.unwrap();
    to.set_operator_key_hash([1; 32], &entry()).await.unwrap();
    let chunks = exported(source.as_ref(), Extent::Everything).await;
    let refused = target.import(some_export(), 0, chunks[0].clone()).await;
    let Err(StoreError::Exists { what }) = refused else { panic!("{refused:?}") };
    assert_eq!(what, "organization other");
    assert_eq!(to.organizations(None, 10).await.unwrap(), [organization("other")]);
    // One of them alone fits beside it.
    let acme = org_id("acme");
    let chunks = exported(source.as_ref(), Extent::Organization(acme.clone())).await;
    let given_up = some_export();
    import(target.as_ref(), given_up, &chunks[..1], 0).await;
    assert!(target.discard_import().await.unwrap());
    assert!(!target.discard_import().await.unwrap());
    while to.retain(at(30 * DAY), at(0), 500).await.unwrap().more {}
    let export = some_export();
    import(target.as_ref(), export, &chunks, 0).await;
    assert!(target.finish_import(export).await.unwrap());
    assert_eq!(to.operator_key_hash().await.unwrap(), Some([1; 32]));
    let (before, after) = (node(&from).await, node(&to).await);
    assert_eq!(Picture::of(&before, &acme).await, Picture::of(&after, &acme).await);
}

/// Nobody sees it and nothing of it is sent, until it is taken back; it can be exported all the while.
pub async fn what_is_set_aside_is_neither_seen_nor_sent<S: Movable, T: Movable>(source: Arc<S>, target: Arc<T>) {
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (source.clone(), target.clone());
    fill(&source, 0xabcd_5678_9abc_def1).await;
    let (acme, extent) = (org_id("acme"), Extent::Organization(org_id("acme")));
    let before = node(&from).await;
    let seen = Picture::of(&before, &acme).await;
    source.set_aside(&extent, at(0), &entry()).await.unwrap();
    source.set_aside(&extent, at(0), &entry()).await.unwrap();
    assert_eq!(from.organization(&acme).await.unwrap(), None);
    assert_eq!(from.configuration(&acme).await.unwrap(), None);
    assert!(from.keys(&acme, all()).await.unwrap().rows.is_empty());
    assert!(deliveries(&before, &acme, &DeliveryFilter::default()).await.is_empty());
    let claimed = before.claim_due(&acme, seen.endpoints[0].id, at(99 * DAY), 10, vec![]).await.unwrap();
    let lanes = before.lanes_due(None, 100).await.unwrap();
    assert!(claimed.is_empty() && lanes.iter().all(|due| due.lane.organization != acme));
    let chunks = exported(source.as_ref(), extent.clone()).await;
    let of_all = exported(source.as_ref(), Extent::Everything).await;
    let names_it = |row: &Portable| matches!(row, Portable::Organization(found, _) if found.id == acme);
    assert!(chunks.iter().flatten().any(names_it) && !of_all.iter().flatten().any(names_it));
    let export = some_export();
    import(target.as_ref(), export, &chunks, 0).await;
    target.finish_import(export).await.unwrap();
    let mut moved = Picture::of(&node(&to).await, &acme).await;
    assert!(source.take_back(&extent, &entry()).await.unwrap());
    assert!(!source.take_back(&extent, &entry()).await.unwrap());
    assert!(!source.delete_set_aside(&acme, &entry()).await.unwrap());
    let mut back = Picture::of(&before, &acme).await;
    for picture in [&mut moved, &mut back] {
        // A change by itself.
        picture.configuration.as_mut().unwrap().version = seen.configuration.as_ref().unwrap().version;
    }
    assert_eq!(moved, seen);
    assert_eq!(back, seen);
    source.set_aside(&extent, at(0), &entry()).await.unwrap();
    assert!(source.delete_set_aside(&acme, &entry()).await.unwrap());
    assert!(!source.take_back(&extent, &entry()).await.unwrap());
}
