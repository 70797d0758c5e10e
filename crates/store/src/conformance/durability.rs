//! What survives, and what a store says about itself.

use postrider_domain::Transition;

use super::samples::{DAY, World, all, at, key, outcome};
use super::{Subject, T0};
use crate::error::StoreError;
use crate::model::{DeliveryFilter, EventFilter};

/// Everything, as it was.
pub async fn everything_is_there_after_opening_again(subject: &mut impl Subject) {
    let mut world = World::new(subject).await;
    let ours = key(&world.org, T0);
    world.store.create_key(&ours, [5; 32]).await.unwrap();
    world.store.set_operator_key_hash([6; 32]).await.unwrap();
    for i in 0..9 {
        let open = world.one_open(at(i)).await;
        match i % 3 {
            0 => world.succeed(&open, at(100)).await,
            1 => drop(world.store.record_outcomes(&[outcome(&open, at(i), Transition::RetryAt(at(200)))]).await),
            _ => {}
        }
    }
    let org = world.store.organization(&world.org).await.unwrap();
    let endpoint = world.store.endpoint(&world.org, world.endpoint).await.unwrap();
    let deliveries = world.store.deliveries(&world.org, &DeliveryFilter::default(), all()).await.unwrap();
    let events = world.store.events(&world.org, &EventFilter::default(), all()).await.unwrap();
    let (claimed, lanes) = (world.claim(at(DAY)).await, world.store.lanes_due(None, 9).await.unwrap());
    let detail = world.store.delivery(&world.org, deliveries.rows[8].id).await.unwrap();
    for _ in 0..2 {
        subject.reopen().await;
        world.store = subject.store();
        assert_eq!(world.store.organization(&world.org).await.unwrap(), org);
        assert_eq!(world.store.endpoint(&world.org, world.endpoint).await.unwrap(), endpoint);
        assert_eq!(world.store.deliveries(&world.org, &DeliveryFilter::default(), all()).await.unwrap(), deliveries);
        assert_eq!(world.store.events(&world.org, &EventFilter::default(), all()).await.unwrap(), events);
        assert_eq!(world.claim(at(DAY)).await, claimed);
        assert_eq!(world.store.lanes_due(None, 9).await.unwrap(), lanes);
        assert_eq!(world.store.delivery(&world.org, deliveries.rows[8].id).await.unwrap(), detail);
        assert_eq!(world.store.key_by_hash([5; 32]).await.unwrap().as_ref(), Some(&ours));
        assert_eq!(world.store.operator_key_hash().await.unwrap(), Some([6; 32]));
        assert_eq!(world.store.stats().await.unwrap().open_deliveries, 6);
    }
}

/// History keeps pointing at its own attempts when the store begins empty again.
pub async fn numbers_are_not_given_twice_after_everything_was_dropped(subject: &mut impl Subject) {
    let mut world = World::new(subject).await;
    let old = world.one_open(T0).await;
    world.succeed(&old, at(9 * DAY)).await;
    let reopened = world.store.retry_delivery(&world.org, old.id, at(9 * DAY)).await.unwrap();
    assert!(reopened.is_some());
    let mut early = outcome(&std::sync::Arc::new(reopened.unwrap()), at(9 * DAY), Transition::Succeed);
    early.attempt.started_at = at(1);
    world.store.record_outcomes(&[early]).await.unwrap();
    while world.store.retain(at(9 * DAY), at(9 * DAY), 100).await.unwrap().more {}
    while world.store.retain(at(9 * DAY + 1), at(9 * DAY + 1), 1).await.unwrap().more {}
    subject.reopen().await;
    world.store = subject.store();
    let new = world.one_open(at(10 * DAY)).await;
    world.succeed(&new, at(10 * DAY)).await;
    let detail = world.store.delivery(&world.org, new.id).await.unwrap().unwrap();
    assert_eq!((detail.attempts.len(), detail.event), (1, Some(new.event.clone())));
    assert_eq!(world.store.delivery(&world.org, old.id).await.unwrap(), None);
}

/// Reads and writes, without hanging.
pub async fn a_closed_store_refuses_at_once(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    world.store.close().await.unwrap();
    let write = world.store.commit_events(&world.org, vec![world.event(T0)]).await;
    assert!(matches!(write, Err(StoreError::Unavailable { .. })), "{write:?}");
    let read = world.store.endpoints(&world.org, all()).await;
    assert!(matches!(read, Err(StoreError::Unavailable { .. })), "{read:?}");
    world.store.close().await.unwrap();
    subject.reopen().await;
    assert_eq!(subject.store().organizations(None, 9).await.unwrap().len(), 1);
}

/// And says so.
pub async fn a_check_writes(subject: &mut impl Subject) {
    let store = subject.store();
    store.check(T0).await.unwrap();
    store.check(at(1)).await.unwrap();
    assert!(store.stats().await.unwrap().bytes > 0);
}

/// Through every move, and after opening again.
pub async fn the_count_of_open_deliveries_is_right(subject: &mut impl Subject) {
    let mut world = World::new(subject).await;
    let deliveries = (0..5).map(|_| world.delivery(T0)).collect();
    world.commit(vec![world.event_with(T0, deliveries)]).await;
    let open: Vec<_> = world.claim(T0).await.into_iter().map(std::sync::Arc::new).collect();
    world.succeed(&open[0], at(1)).await;
    world.succeed(&open[0], at(1)).await;
    world.store.record_outcomes(&[outcome(&open[1], at(1), Transition::RetryAt(at(60)))]).await.unwrap();
    assert_eq!(world.store.stats().await.unwrap().open_deliveries, 4);
    world.store.retry_delivery(&world.org, open[0].id, at(2)).await.unwrap();
    world.store.retry_delivery(&world.org, open[1].id, at(2)).await.unwrap();
    assert_eq!(world.store.stats().await.unwrap().open_deliveries, 5);
    subject.reopen().await;
    world.store = subject.store();
    assert_eq!(world.store.stats().await.unwrap().open_deliveries, 5);
}
