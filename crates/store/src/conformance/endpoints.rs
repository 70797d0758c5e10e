//! Endpoints.

use postrider_domain::{
    DeliveryId, DeliveryStatus, Endpoint, EndpointId, EndpointStatus, FailReason, Secret, Transition,
};

use super::samples::{DAY, World, all, at, endpoint, id_at, org_id, organization, outcome, page};
use super::{Subject, T0};
use crate::error::StoreError;
use crate::model::{Attempt, DeliveryFilter, EndpointLimits, Response};
use crate::search::search_endpoints;

/// In every status, with and without what may be missing.
pub async fn everything_about_one_comes_back(subject: &mut impl Subject) {
    let store = subject.store();
    store.create_organization(&organization("acme")).await.unwrap();
    let full = endpoint(&org_id("acme"), T0);
    let mut bare = endpoint(&org_id("acme"), at(1));
    (bare.description, bare.secret, bare.system) = (None, None, None);
    bare.headers = vec![];
    bare.events = vec![];
    bare.status = EndpointStatus::Active;
    let mut paused = endpoint(&org_id("acme"), at(2));
    paused.status = EndpointStatus::Paused;
    for endpoint in [&full, &bare, &paused] {
        store.create_endpoint(endpoint, &EndpointLimits::default()).await.unwrap();
        let found = store.endpoint(&endpoint.organization, endpoint.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(endpoint));
    }
    let again = store.create_endpoint(&full, &EndpointLimits::default()).await;
    assert!(matches!(again, Err(StoreError::Exists { .. })), "{again:?}");
    let nowhere = store.create_endpoint(&endpoint(&org_id("nobody"), T0), &EndpointLimits::default()).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound { .. })), "{nowhere:?}");
}

/// Concurrent creations do not pass it together; a deletion makes room.
pub async fn the_limit_is_counted_in_the_transaction(subject: &mut impl Subject) {
    let store = subject.store();
    store.create_organization(&organization("acme")).await.unwrap();
    let limits = EndpointLimits { endpoints_max: Some(3) };
    let creations: Vec<_> = (0..8)
        .map(|_| {
            let (store, limits) = (store.clone(), limits.clone());
            tokio::spawn(async move { store.create_endpoint(&endpoint(&org_id("acme"), T0), &limits).await })
        })
        .collect();
    let mut refused = 0;
    for creation in creations {
        match creation.await.unwrap() {
            Ok(()) => {}
            Err(StoreError::LimitReached { max: 3, .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused, 5);
    let rows = store.endpoints(&org_id("acme"), all()).await.unwrap().rows;
    assert_eq!(rows.len(), 3);
    assert!(store.delete_endpoint(&org_id("acme"), rows[0].id).await.unwrap());
    store.create_endpoint(&endpoint(&org_id("acme"), T0), &limits).await.unwrap();
}

/// Each once, and a last page that says so.
pub async fn pages_go_from_newest_to_oldest(subject: &mut impl Subject) {
    let store = subject.store();
    store.create_organization(&organization("acme")).await.unwrap();
    let org = org_id("acme");
    let mut made = vec![];
    for i in 0..5 {
        let endpoint = endpoint(&org, at(i));
        made.push(endpoint.id);
        store.create_endpoint(&endpoint, &EndpointLimits::default()).await.unwrap();
    }
    made.reverse();
    let (mut seen, mut before) = (vec![], None);
    for expected in [2, 2, 1] {
        let found = store.endpoints(&org, page(2, before)).await.unwrap();
        assert_eq!(found.rows.len(), expected);
        seen.extend(found.rows.iter().map(|endpoint| endpoint.id));
        before = found.next;
    }
    assert_eq!((seen, before), (made, None));
}

/// In either case of letters of any script, page by page, and of this organisation alone; its whole id finds one too.
pub async fn they_are_found_by_a_part_of_their_name_or_url(subject: &mut impl Subject) {
    let store = subject.store();
    let (org, other) = (org_id("acme"), org_id("other"));
    store.create_organization(&organization("acme")).await.unwrap();
    store.create_organization(&organization("other")).await.unwrap();
    let names = [
        (&org, "ERP São Paulo", "https://a.example/in"),
        (&org, "Mail", "https://ERP.example/x"),
        (&org, "Chat", "https://b.example/y"),
        (&org, "erp 3", "https://c.example/z"),
        (&other, "ERP", "https://erp.example/"),
    ];
    let mut made = vec![];
    for (nth, (owner, name, url)) in (0..).zip(names) {
        let endpoint = Endpoint { name: name.to_owned(), url: url.to_owned(), ..endpoint(owner, at(nth)) };
        made.push(endpoint.id);
        store.create_endpoint(&endpoint, &EndpointLimits::default()).await.unwrap();
    }
    let (mut seen, mut before) = (vec![], None);
    loop {
        let found = search_endpoints(&*store, &org, "ErP", page(1, before)).await.unwrap();
        assert!(found.rows.len() <= 1);
        seen.extend(found.rows.iter().map(|endpoint| endpoint.id));
        before = found.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, [made[3], made[1], made[0]]);
    for (text, expected) in [("SÃO", vec![made[0]]), ("_", vec![]), ("example/y", vec![made[2]])] {
        let found = search_endpoints(&*store, &org, text, all()).await.unwrap();
        assert_eq!(
            (found.rows.iter().map(|endpoint| endpoint.id).collect::<Vec<_>>(), found.next),
            (expected, None),
            "{text}"
        );
    }
    let by_id =
        async |id: EndpointId| search_endpoints(&*store, &org, &id.to_string(), all()).await.unwrap().rows.len();
    assert_eq!((by_id(made[2]).await, by_id(made[4]).await), (1, 0), "another organisation's is not there");
}

/// An update of one that does not exist is refused.
pub async fn an_update_replaces_everything_but_id_and_creation(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let mut changed = endpoint(&world.org, at(9));
    changed.id = world.endpoint;
    changed.name = "other".to_owned();
    changed.url = "https://other.example.com/".to_owned();
    changed.secret = Some(Secret::new("another".to_owned()));
    changed.headers.pop();
    changed.events.pop();
    changed.contract = "another".to_owned();
    changed.status = EndpointStatus::Active;
    changed.resumed_at = Some(at(9));
    changed.updated_at = at(10);
    world.store.update_endpoint(&changed).await.unwrap();
    changed.created_at = T0;
    assert_eq!(world.store.endpoint(&world.org, world.endpoint).await.unwrap(), Some(changed.clone()));
    changed.id = EndpointId(id_at(T0));
    let missing = world.store.update_endpoint(&changed).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}

/// At once. That it was sent, when, and how that ended stays in the list; what was open is there again as failed.
pub async fn deleting_one_fails_its_open_work_and_removes_the_text_of_its_attempts(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let store = &world.store;
    let tried = world.one_open(T0).await;
    let ended = world.one_open(at(1)).await;
    let again = outcome(&tried, at(2), Transition::RetryAt(at(50)));
    let failed = outcome(&ended, at(2), Transition::Fail(FailReason::Gone));
    store.record_outcomes(&[again.clone(), failed.clone()]).await.unwrap();
    assert!(store.delete_endpoint(&world.org, world.endpoint).await.unwrap());
    assert!(!store.delete_endpoint(&world.org, world.endpoint).await.unwrap());
    assert_eq!(store.endpoint(&world.org, world.endpoint).await.unwrap(), None);
    assert_eq!(store.endpoints(&world.org, all()).await.unwrap().rows, []);
    assert_eq!(store.lanes_due(None, 10).await.unwrap(), []);
    assert_eq!(store.lane_due(&world.org, world.endpoint, at(-9)).await.unwrap(), None);
    assert_eq!(world.claim(at(100)).await, []);
    assert_eq!(store.delivery(&world.org, tried.id).await.unwrap(), None);
    for id in [tried.id, ended.id] {
        assert_eq!(store.retry_delivery(&world.org, id, at(3)).await.unwrap(), None);
    }
    assert_without_text(&world, ended.id, FailReason::Gone, &failed.attempt).await;
    while store.retain(at(60), at(-DAY), 100).await.unwrap().more {}
    assert_without_text(&world, tried.id, FailReason::EndpointDeleted, &again.attempt).await;
    assert_without_text(&world, ended.id, FailReason::Gone, &failed.attempt).await;
    assert_eq!(store.stats().await.unwrap().open_deliveries, 0);
    let of_endpoint = DeliveryFilter { endpoint: Some(world.endpoint), ..DeliveryFilter::default() };
    let of_status = DeliveryFilter { status: Some(DeliveryStatus::Failed), ..DeliveryFilter::default() };
    for filter in [DeliveryFilter::default(), of_endpoint, of_status] {
        let rows = store.deliveries(&world.org, &filter, all()).await.unwrap().rows;
        assert_eq!(rows.iter().map(|d| d.id).collect::<Vec<_>>(), [ended.id, tried.id]);
    }
    assert_eq!(store.retry_delivery(&world.org, tried.id, at(61)).await.unwrap(), None);
    let event = store.event(&world.org, &tried.event.id).await.unwrap();
    assert_eq!(event.map(|detail| detail.event), Some(tried.event.clone()));
}

/// A failed delivery shows its one attempt, and nothing of what was sent or answered.
async fn assert_without_text(world: &World, id: DeliveryId, reason: FailReason, made: &Attempt) {
    let detail = world.store.delivery(&world.org, id).await.unwrap().unwrap();
    assert_eq!((detail.delivery.fail_reason, detail.delivery.attempts_count), (Some(reason), 1));
    let response = made.response.clone().map(|response| Response { headers: vec![], body: vec![], ..response });
    let left = Attempt { url: String::new(), request_headers: vec![], response, refused_first: None, ..made.clone() };
    assert_eq!(detail.attempts, [left]);
    assert!(detail.attempts[0].is_erased());
}
