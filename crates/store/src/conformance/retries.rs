//! Retries by hand.

use postrider_domain::{DeliveryId, DeliveryStatus, FailReason, Resume, Transition, Trigger};

use super::samples::{DAY, World, at, id_at, outcome};
use super::{Subject, T0};
use crate::model::OpenDelivery;
use std::sync::Arc;

/// And returns it as a claim would.
pub async fn a_pending_delivery_becomes_due_now_and_keeps_its_schedule(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let open = world.one_open(T0).await;
    let again = outcome(&open, at(1), Transition::RetryAt(at(60)));
    world.store.record_outcomes(std::slice::from_ref(&again)).await.unwrap();
    let by_hand = world.store.retry_delivery(&world.org, open.id, at(20)).await.unwrap().unwrap();
    let trigger = Trigger::Person { resume: Resume::At(at(60)) };
    let expected = OpenDelivery { progress: again.progress, due_at: at(20), trigger, ..(*open).clone() };
    assert_eq!(by_hand, expected);
    assert_eq!(world.claim(at(20)).await, [expected]);
    assert_eq!(world.status_of(open.id).await.next_attempt_at, Some(at(20)));
    let failed = outcome(&Arc::new(by_hand), at(21), Transition::RetryAt(at(60)));
    world.store.record_outcomes(&[failed]).await.unwrap();
    let scheduled = world.claimed(open.id, at(60)).await;
    assert_eq!((scheduled.trigger, scheduled.progress.attempts_count), (Trigger::Schedule, 2));
}

/// It is in one place at a time, and its earlier attempts stay.
pub async fn an_ended_delivery_opens_again(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let cases = [
        (Transition::Succeed, Resume::Succeeded),
        (Transition::Fail(FailReason::Exhausted), Resume::Failed(FailReason::Exhausted)),
        (Transition::Fail(FailReason::Gone), Resume::Failed(FailReason::Gone)),
        (Transition::Fail(FailReason::Expired), Resume::Failed(FailReason::Expired)),
    ];
    for (end, resume) in cases {
        let open = world.one_open(T0).await;
        let ended = outcome(&open, at(1), end);
        world.store.record_outcomes(std::slice::from_ref(&ended)).await.unwrap();
        let again = world.store.retry_delivery(&world.org, open.id, at(9)).await.unwrap().unwrap();
        let trigger = Trigger::Person { resume };
        let expected = OpenDelivery { progress: ended.progress, due_at: at(9), trigger, ..(*open).clone() };
        assert_eq!(again, expected);
        let shown = world.status_of(open.id).await;
        assert_eq!((shown.status, shown.ended_at), (DeliveryStatus::Pending, None));
        let second = outcome(&Arc::new(again), at(10), end);
        world.store.record_outcomes(std::slice::from_ref(&second)).await.unwrap();
        let detail = world.store.delivery(&world.org, open.id).await.unwrap().unwrap();
        assert_eq!(detail.attempts, [ended.attempt, second.attempt]);
        assert_eq!((detail.delivery.attempts_count, detail.delivery.ended_at), (2, Some(at(10))));
    }
}

/// A second request before the first was answered does not take the schedule's place.
pub async fn asking_twice_keeps_the_first_schedule(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let open = world.one_open(at(60)).await;
    let first = world.store.retry_delivery(&world.org, open.id, at(61)).await.unwrap().unwrap();
    let second = world.store.retry_delivery(&world.org, open.id, at(62)).await.unwrap().unwrap();
    assert_eq!(first.trigger, Trigger::Person { resume: Resume::At(at(60)) });
    assert_eq!((second.trigger, second.due_at), (first.trigger, at(62)));
    // An attempt claimed before the request counts all the same.
    world.succeed(&open, at(63)).await;
    assert_eq!(world.status_of(open.id).await.status, DeliveryStatus::Succeeded);
}

/// None is an answer, not an error.
pub async fn there_is_nothing_to_retry_without_delivery_endpoint_or_event(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let unknown = world.store.retry_delivery(&world.org, DeliveryId(id_at(T0)), T0).await.unwrap();
    assert_eq!(unknown, None);
    let open = world.one_open(T0).await;
    world.succeed(&open, at(5 * DAY)).await;
    while world.store.retain(at(5 * DAY), at(DAY), 100).await.unwrap().more {}
    assert_eq!(world.store.event(&world.org, &open.event.id).await.unwrap(), None);
    assert_eq!(world.store.retry_delivery(&world.org, open.id, at(6 * DAY)).await.unwrap(), None);
    let detail = world.store.delivery(&world.org, open.id).await.unwrap();
    if subject.drops_whole_days() {
        assert_eq!(detail, None);
    } else {
        let detail = detail.unwrap();
        assert_eq!((detail.event, detail.delivery.event), (None, open.event.id.clone()));
        assert_eq!(detail.delivery.status, DeliveryStatus::Succeeded);
    }
}
