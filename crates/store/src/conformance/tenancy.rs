//! Tenancy: what is another organisation's does not exist.

use std::sync::Arc;

use super::samples::{World, all, at, endpoint, key, outcome};
use super::{Subject, T0};
use crate::error::StoreError;
use crate::model::{DeliveryFilter, EventFilter, OpenDelivery, Recorded};
use postrider_domain::Transition;

/// Asked for by its right id, by every method that takes one.
pub async fn another_organizations_objects_are_like_those_that_do_not_exist(subject: &mut impl Subject) {
    let ours = World::new(subject).await;
    let theirs = World::of(ours.store.clone(), "theirs").await;
    let store = &ours.store;
    let open = theirs.one_open(T0).await;
    let ended = theirs.one_open(at(1)).await;
    theirs.succeed(&ended, at(2)).await;
    let their_key = key(&theirs.org, T0);
    store.create_key(&their_key, [5; 32]).await.unwrap();

    assert_eq!(store.endpoint(&ours.org, theirs.endpoint).await.unwrap(), None);
    let mut stolen = endpoint(&ours.org, T0);
    stolen.id = theirs.endpoint;
    let update = store.update_endpoint(&stolen).await;
    assert!(matches!(update, Err(StoreError::NotFound { .. })), "{update:?}");
    assert!(!store.delete_endpoint(&ours.org, theirs.endpoint).await.unwrap());
    assert!(!store.delete_key(&ours.org, their_key.id).await.unwrap());
    assert_eq!(store.keys(&ours.org, all()).await.unwrap().rows, []);
    assert_eq!(store.lane_due(&ours.org, theirs.endpoint, at(-1)).await.unwrap(), None);
    assert_eq!(store.claim_due(&ours.org, theirs.endpoint, at(9), 9, vec![]).await.unwrap(), []);
    assert_eq!(store.event(&ours.org, &open.event.id).await.unwrap(), None);
    assert_eq!(store.events(&ours.org, &EventFilter::default(), all()).await.unwrap().rows, []);
    for id in [open.id, ended.id] {
        assert_eq!(store.delivery(&ours.org, id).await.unwrap(), None);
        assert_eq!(store.retry_delivery(&ours.org, id, at(9)).await.unwrap(), None);
    }
    let about = Some(("deal".to_owned(), "42".to_owned()));
    let filters = [
        DeliveryFilter::default(),
        DeliveryFilter { endpoint: Some(theirs.endpoint), ..DeliveryFilter::default() },
        DeliveryFilter { event: Some(open.event.id.clone()), ..DeliveryFilter::default() },
        DeliveryFilter { resource: about, ..DeliveryFilter::default() },
    ];
    for filter in filters {
        assert_eq!(store.deliveries(&ours.org, &filter, all()).await.unwrap().rows, []);
    }
    let posing = Arc::new(OpenDelivery { organization: ours.org.clone(), ..(*open).clone() });
    let recorded = store.record_outcomes(&[outcome(&posing, at(5), Transition::Succeed)]).await.unwrap();
    assert_eq!(recorded, [Recorded::Stale]);

    assert!(store.endpoint(&theirs.org, theirs.endpoint).await.unwrap().is_some());
    assert_eq!(theirs.claim(at(9)).await, [(*open).clone()]);
    assert_eq!(store.keys(&theirs.org, all()).await.unwrap().rows, [their_key]);
}

/// Though the caller names it.
pub async fn another_organizations_endpoint_gets_no_delivery(subject: &mut impl Subject) {
    let ours = World::new(subject).await;
    let theirs = World::of(ours.store.clone(), "theirs").await;
    let deliveries = vec![ours.delivery_to(theirs.endpoint, T0), ours.delivery(T0)];
    ours.commit(vec![ours.event_with(T0, deliveries)]).await;
    assert_eq!(theirs.claim(at(9)).await, []);
    assert_eq!(ours.claim(at(9)).await.len(), 1);
}
