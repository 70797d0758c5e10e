//! Retention.

use std::sync::Arc;

use postrider_domain::{DeliveryStatus, FailReason, Millis, Overlap, Secret, Transition};

use super::samples::{DAY, HOUR, STORED, World, all, at, event, outcome};
use super::{Leased, Subject, T0};
use crate::error::StoreError;
use crate::model::{Committed, DeliveryFilter, Event, EventFilter, NewEvent, Recorded, RetentionStep};

/// Steps until there is nothing more to do; all that they did.
async fn retain(store: &Leased, now: Millis, before: Millis) -> RetentionStep {
    let mut done = RetentionStep::default();
    for _ in 0..10_000 {
        let step = store.retain(now, before, 100).await.unwrap();
        done.deliveries_expired += step.deliveries_expired;
        done.rows_dropped += step.rows_dropped;
        if !step.more {
            return done;
        }
    }
    panic!("retention does not end");
}

/// Its attempts stay until their own time, its event goes, and its late outcome is stale.
pub async fn what_is_open_too_long_fails_as_expired(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let old = world.one_open(T0).await;
    world.store.record_outcomes(&[outcome(&old, at(DAY), Transition::RetryAt(at(40 * DAY)))]).await.unwrap();
    let young = world.one_open(at(2 * DAY)).await;
    // Within the first day, where that would take all of it.
    let before = if subject.drops_whole_days() { at(HOUR) } else { at(DAY) };
    let done = retain(&world.store, at(31 * DAY), before).await;
    assert_eq!(done.deliveries_expired, 1);
    let detail = world.store.delivery(&world.org, old.id).await.unwrap().unwrap();
    assert_eq!(detail.delivery.status, DeliveryStatus::Failed);
    assert_eq!(detail.delivery.fail_reason, Some(FailReason::Expired));
    assert_eq!((detail.delivery.ended_at, detail.delivery.next_attempt_at), (Some(at(31 * DAY)), None));
    assert_eq!((detail.event.is_some(), detail.attempts.len()), (subject.drops_whole_days(), 1));
    assert_eq!(detail.delivery.event, old.event.id);
    let late = outcome(&old, at(31 * DAY), Transition::Succeed);
    assert_eq!(world.store.record_outcomes(&[late]).await.unwrap(), [Recorded::Stale]);
    assert_eq!(world.claim(at(99 * DAY)).await, [(*young).clone()]);
    assert_eq!(retain(&world.store, at(31 * DAY), before).await, RetentionStep::default());
}

/// Not before, and not what still has time.
pub async fn events_attempts_and_history_go_when_their_time_has_come(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let mut ended = vec![];
    for day in 0..10 {
        let open = world.one_open(at(day * DAY)).await;
        world.succeed(&open, at(day * DAY + HOUR)).await;
        ended.push(open);
    }
    assert_eq!(retain(&world.store, at(30 * DAY), T0).await, RetentionStep::default());
    // The fourth event is old, its attempt and its end are not; nor is its day over.
    let done = retain(&world.store, at(33 * DAY), at(3 * DAY + 1)).await;
    let (events_gone, rows_dropped) = if subject.drops_whole_days() { (3, 0) } else { (4, 4 + 3 + 3) };
    assert_eq!(done, RetentionStep { deliveries_expired: 0, rows_dropped, more: false });
    for (day, open) in ended.iter().enumerate() {
        let detail = world.store.delivery(&world.org, open.id).await.unwrap();
        assert_eq!(detail.is_some(), day >= 3);
        assert_eq!(
            detail.is_some_and(|detail| detail.event.is_some() && detail.attempts.len() == 1),
            day >= events_gone
        );
        assert_eq!(world.store.event(&world.org, &open.event.id).await.unwrap().is_some(), day >= events_gone);
    }
    assert_eq!(
        world.store.events(&world.org, &EventFilter::default(), all()).await.unwrap().rows.len(),
        10 - events_gone
    );
    let about = Some(("deal".to_owned(), "42".to_owned()));
    let about = DeliveryFilter { resource: about, ..DeliveryFilter::default() };
    assert_eq!(world.store.deliveries(&world.org, &about, all()).await.unwrap().rows.len(), 10 - events_gone);
    let rows_dropped = if subject.drops_whole_days() { 0 } else { 6 + 7 + 7 };
    assert_eq!(retain(&world.store, at(99 * DAY), at(60 * DAY)).await.rows_dropped, rows_dropped);
    assert_eq!(world.store.deliveries(&world.org, &DeliveryFilter::default(), all()).await.unwrap().rows, []);
}

/// However many deliveries one event has.
pub async fn a_step_is_small_and_says_whether_there_is_more(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let deliveries: Vec<_> = (0..95).map(|_| world.delivery(T0)).collect();
    world.commit(vec![world.event_with(T0, deliveries)]).await;
    let (mut expired, mut steps) = (0, 0);
    loop {
        let step = world.store.retain(at(99 * DAY), at(DAY), 10).await.unwrap();
        assert!(step.deliveries_expired + step.rows_dropped <= 10, "{step:?}");
        expired += step.deliveries_expired;
        steps += 1;
        if !step.more {
            break;
        }
        assert!(steps < 50);
    }
    assert_eq!(expired, 95);
    assert_eq!(world.store.events(&world.org, &EventFilter::default(), all()).await.unwrap().rows, []);
    assert_eq!(world.store.stats().await.unwrap().open_deliveries, 0);
}

/// Nothing of others.
pub async fn what_deleted_organizations_left_goes(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let kept = World::of(world.store.clone(), "kept").await;
    for world in [&world, &kept] {
        for i in 0..20 {
            let open = world.one_open(at(i)).await;
            match i % 3 {
                0 => world.succeed(&open, at(100)).await,
                1 => drop(world.store.record_outcomes(&[outcome(&open, at(i), Transition::RetryAt(at(200)))]).await),
                _ => {}
            }
        }
    }
    world.store.delete_organization(&world.org).await.unwrap();
    let done = retain(&world.store, at(DAY), at(-DAY)).await;
    // Events, deliveries and attempts at least; how many rows the rest takes is the store's own.
    assert!(done.rows_dropped >= 20 + 20 + 14, "{done:?}");
    assert_eq!(done.deliveries_expired, 0);
    assert_eq!(retain(&world.store, at(DAY), at(-DAY)).await, RetentionStep::default());
    assert_eq!(kept.store.deliveries(&kept.org, &DeliveryFilter::default(), all()).await.unwrap().rows.len(), 20);
    assert_eq!(kept.claim(at(DAY)).await.len(), 13);
    assert_eq!(world.store.stats().await.unwrap().open_deliveries, 13);
}

/// Its history stays until its time.
pub async fn what_deleted_endpoints_left_goes(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let other = world.another_endpoint().await;
    let mut ended = None;
    for i in 0..250 {
        let deliveries = vec![world.delivery(at(i)), world.delivery_to(other, at(i))];
        world.commit(vec![world.event_with(at(i), deliveries)]).await;
    }
    for open in world.store.claim_due(&world.org, world.endpoint, at(DAY), 10, vec![]).await.unwrap() {
        let open = Arc::new(open);
        world.succeed(&open, at(DAY)).await;
        ended = Some(open.id);
    }
    world.store.delete_endpoint(&world.org, world.endpoint).await.unwrap();
    let done = retain(&world.store, at(DAY), at(-DAY)).await;
    assert_eq!((done.deliveries_expired, done.rows_dropped), (0, 0));
    assert_eq!(world.store.stats().await.unwrap().open_deliveries, 250);
    let detail = world.store.delivery(&world.org, ended.unwrap()).await.unwrap().unwrap();
    assert_eq!(detail.delivery.endpoint, world.endpoint);
    assert_eq!(world.store.lanes_due(None, 9).await.unwrap().len(), 1);
    // The other endpoint's deliveries expire, the deleted one's history goes, and nothing is left of it.
    retain(&world.store, at(60 * DAY), at(30 * DAY)).await;
    assert_eq!(world.store.delivery(&world.org, ended.unwrap()).await.unwrap(), None);
    assert_eq!(retain(&world.store, at(60 * DAY), at(30 * DAY)).await, RetentionStep::default());
}

/// Where events are kept for less than 72 hours.
pub async fn an_id_is_remembered_though_its_event_is_gone(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let published = |accepted_at, content| {
        let event = Event { id: "one".parse().unwrap(), ..event(accepted_at) };
        let (event, fingerprint) = (Arc::new(event), Some([content; 32]));
        vec![NewEvent { event, fingerprint, test: false, is_derived: false, deliveries: vec![] }]
    };
    world.commit(published(T0, 1)).await;
    let before = if subject.drops_whole_days() { at(DAY) } else { at(HOUR) };
    retain(&world.store, at(DAY), before).await;
    assert_eq!(world.store.event(&world.org, &"one".parse().unwrap()).await.unwrap(), None);
    let again = world.store.commit_events(&world.org, published(at(2 * DAY), 1)).await.unwrap();
    assert_eq!(again, [Committed::Repeated { deliveries_count: 0 }]);
    let other = world.store.commit_events(&world.org, published(at(2 * DAY), 2)).await;
    assert!(matches!(other, Err(StoreError::EventDiffers { .. })), "{other:?}");
    retain(&world.store, at(3 * DAY), at(2 * DAY)).await;
    let free = world.store.commit_events(&world.org, published(at(3 * DAY), 2)).await.unwrap();
    assert_eq!(free, [STORED]);
    retain(&world.store, at(4 * DAY), at(2 * DAY)).await;
    assert!(world.store.event(&world.org, &"one".parse().unwrap()).await.unwrap().is_some());
}

/// Not before, and nothing else of the endpoint changes with it, nor when it was last changed.
pub async fn a_replaced_secret_goes_when_its_overlap_is_over(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let stored = async || world.store.endpoint(&world.org, world.endpoint).await.unwrap().unwrap();
    let mut endpoint = stored().await;
    let overlap = Overlap { old: Secret::new("replaced".to_owned()), ends_at: at(DAY), is_confirmed: false };
    endpoint.overlap = Some(overlap);
    world.store.update_endpoint(&endpoint).await.unwrap();
    let version = async || world.store.configuration(&world.org).await.unwrap().unwrap().version;
    let before = version().await;
    assert_eq!(retain(&world.store, at(DAY - 1), T0).await, RetentionStep::default());
    assert_eq!((stored().await, version().await), (endpoint.clone(), before));
    assert_eq!(retain(&world.store, at(DAY), T0).await, RetentionStep::default());
    endpoint.overlap = None;
    assert_eq!(stored().await, endpoint);
    assert_ne!(version().await, before, "nodes that have it in memory read again");
    let after = version().await;
    retain(&world.store, at(2 * DAY), T0).await;
    assert_eq!(version().await, after, "it is looked at once");
}
