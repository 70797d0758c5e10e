//! Outcomes, and what they make of deliveries.

use std::sync::Arc;

use postrider_domain::{
    AttemptFailure, DeliveryStatus, FailReason, Millis, OrganizationId, Progress, Transition, Trigger,
};

use super::samples::{SECOND, World, at, attempt, outcome};
use super::{Subject, T0};
use crate::model::{DeliveryDetail, NewEvent, OpenDelivery, Recorded, RefusedExchange, Response};

/// With all that the list shows of it.
pub async fn success_moves_a_delivery_into_history(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let open = world.one_open(T0).await;
    let done = outcome(&open, at(20), Transition::Succeed);
    let recorded = world.store.record_outcomes(std::slice::from_ref(&done)).await.unwrap();
    assert_eq!(recorded, [Recorded::Recorded]);
    let DeliveryDetail { delivery, event, attempts } =
        world.store.delivery(&world.org, open.id).await.unwrap().unwrap();
    assert_eq!(
        (delivery.id, delivery.endpoint, delivery.event.clone()),
        (open.id, world.endpoint, open.event.id.clone())
    );
    assert_eq!((&*delivery.event_type, delivery.revision, delivery.test), ("dealWon", world.revision, false));
    assert_eq!((delivery.status, delivery.fail_reason), (DeliveryStatus::Succeeded, None));
    assert_eq!((delivery.created_at, delivery.next_attempt_at, delivery.ended_at), (T0, None, Some(at(20))));
    assert_eq!((delivery.attempts_count, delivery.last_status_code), (1, Some(204)));
    assert_eq!((delivery.resource, event), (open.event.resource.clone(), Some(Arc::clone(&open.event))));
    assert_eq!(attempts, [done.attempt]);
    assert_eq!(world.claim(at(999)).await, []);
}

/// With its progress, once and again.
pub async fn a_retry_keeps_it_open_and_due_later(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let mut open = world.one_open(T0).await;
    let mut attempts = vec![];
    for due in [60, 300, 1_800] {
        let again = outcome(&open, at(due * SECOND - 50), Transition::RetryAt(at(due * SECOND)));
        assert_eq!(world.store.record_outcomes(std::slice::from_ref(&again)).await.unwrap(), [Recorded::Recorded]);
        attempts.push(again.attempt.clone());
        assert_eq!(world.claim(at(due * SECOND - 1)).await, []);
        let expected = OpenDelivery { progress: again.progress, due_at: at(due * SECOND), ..(*open).clone() };
        open = world.claimed(open.id, at(due * SECOND)).await;
        assert_eq!(*open, expected);
        let shown = world.status_of(open.id).await;
        assert_eq!((shown.status, shown.next_attempt_at), (DeliveryStatus::Pending, Some(at(due * SECOND))));
        assert_eq!(
            (shown.attempts_count, shown.last_status_code, shown.ended_at),
            (open.progress.attempts_count, Some(500), None)
        );
    }
    world.succeed(&open, at(2_000 * SECOND)).await;
    let detail = world.store.delivery(&world.org, open.id).await.unwrap().unwrap();
    assert_eq!(detail.delivery.status, DeliveryStatus::Succeeded);
    assert_eq!((detail.delivery.attempts_count, &detail.attempts[..3]), (4, &attempts[..]));
}

/// Whatever the reason.
pub async fn a_failure_ends_it_with_its_reason(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    for (i, reason) in [FailReason::Exhausted, FailReason::Gone, FailReason::Expired].into_iter().enumerate() {
        let made_at = at(i64::try_from(i).unwrap());
        let open = world.one_open(made_at).await;
        world.store.record_outcomes(&[outcome(&open, at(50), Transition::Fail(reason))]).await.unwrap();
        let shown = world.status_of(open.id).await;
        assert_eq!((shown.status, shown.fail_reason), (DeliveryStatus::Failed, Some(reason)));
        assert_eq!((shown.next_attempt_at, shown.ended_at), (None, Some(at(50))));
    }
    assert_eq!(world.claim(at(999)).await, []);
}

/// It changes nothing, and others of its batch are recorded.
pub async fn an_outcome_of_what_is_no_longer_open_is_stale(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let gone = world.another_endpoint().await;
    let deleted = world.delivery_to(gone, T0);
    world.commit(vec![world.event_with(T0, vec![deleted.clone()])]).await;
    let claimed = world.store.claim_due(&world.org, gone, T0, 1, vec![]).await.unwrap().remove(0);
    world.store.delete_endpoint(&world.org, gone).await.unwrap();
    let ended = world.one_open(T0).await;
    world.succeed(&ended, at(1)).await;
    let open = world.one_open(at(2)).await;
    let batch = [
        outcome(&Arc::new(claimed), at(3), Transition::Succeed),
        outcome(&ended, at(3), Transition::Fail(FailReason::Gone)),
        outcome(&ended, at(3), Transition::RetryAt(at(9))),
        outcome(&open, at(3), Transition::Succeed),
        outcome(&open, at(4), Transition::Fail(FailReason::Gone)),
    ];
    let recorded = world.store.record_outcomes(&batch).await.unwrap();
    let stale = Recorded::Stale;
    assert_eq!(recorded, [stale, stale, stale, Recorded::Recorded, stale]);
    for id in [ended.id, open.id] {
        let detail = world.store.delivery(&world.org, id).await.unwrap().unwrap();
        assert_eq!((detail.delivery.status, detail.attempts.len()), (DeliveryStatus::Succeeded, 1));
    }
    world.store.delete_organization(&world.org).await.unwrap();
    let late = world.store.record_outcomes(&[outcome(&open, at(3), Transition::Succeed)]).await.unwrap();
    assert_eq!(late, [stale]);
    assert_eq!(world.store.record_outcomes(&[]).await.unwrap(), []);
}

/// A second report of the same attempt, or one by somebody whose claim is outdated.
pub async fn an_outcome_recorded_twice_is_stale(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let open = world.one_open(T0).await;
    let again = outcome(&open, at(1), Transition::RetryAt(at(60)));
    for expected in [Recorded::Recorded, Recorded::Stale] {
        assert_eq!(world.store.record_outcomes(std::slice::from_ref(&again)).await.unwrap(), [expected]);
    }
    let outdated = outcome(&open, at(1), Transition::Succeed);
    assert_eq!(world.store.record_outcomes(&[outdated]).await.unwrap(), [Recorded::Stale]);
    assert_eq!(world.status_of(open.id).await.attempts_count, 1);
}

/// Each finds its own.
pub async fn one_batch_may_hold_several_organizations(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let other = World::of(world.store.clone(), "other").await;
    let (ours, theirs) = (world.one_open(T0).await, other.one_open(T0).await);
    let batch = [outcome(&ours, at(1), Transition::Succeed), outcome(&theirs, at(1), Transition::RetryAt(at(9)))];
    assert_eq!(world.store.record_outcomes(&batch).await.unwrap(), [Recorded::Recorded; 2]);
    assert_eq!(world.status_of(ours.id).await.status, DeliveryStatus::Succeeded);
    assert_eq!(other.status_of(theirs.id).await.next_attempt_at, Some(at(9)));
}

/// What is not text, too.
pub async fn attempts_come_back_byte_for_byte(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let mut full = attempt(at(1), Some(599));
    full.by_hand = true;
    full.response_time_ms = u32::MAX;
    full.url = "https://example.com/ü?q=%00".to_owned();
    full.request_headers = vec![("a".to_owned(), String::new()), ("a".to_owned(), "Grüße".to_owned())];
    full.response = Some(Response {
        status_code: 599,
        headers: vec![(b"x".to_vec(), vec![0xff, 0, b'\n']), (b"X".to_vec(), vec![])],
        body: (0..=255).cycle().take(64 * 1024).collect(),
        note: Some("cut at 64 KiB".to_owned()),
    });
    full.failure = attempt(T0, None).failure;
    let silent = attempt(at(2), None);
    let mut empty = attempt(at(3), Some(204));
    empty.request_headers = vec![];
    empty.response = Some(Response { status_code: 204, headers: vec![], body: vec![], note: None });
    let mut refined = attempt(at(4), None);
    refined.failure = refined.failure.map(|failure| AttemptFailure { reason: Some("expired".into()), ..failure });
    refined.refused_first = Some(Box::new(RefusedExchange {
        request_headers: vec![("signature".to_owned(), "s=1".to_owned())],
        response_time_ms: 7,
        response: Response { status_code: 401, headers: vec![(b"a".to_vec(), vec![0xff])], body: vec![0], note: None },
    }));
    for expected in [full, silent, empty, refined] {
        let open = world.one_open(T0).await;
        let mut done = outcome(&open, at(9), Transition::Succeed);
        done.attempt = expected.clone();
        world.store.record_outcomes(&[done]).await.unwrap();
        let detail = world.store.delivery(&world.org, open.id).await.unwrap().unwrap();
        assert_eq!(detail.attempts, [expected]);
    }
}

/// Oldest of them first.
pub async fn only_the_newest_hundred_attempts_are_shown(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let mut open = world.one_open(T0).await;
    for i in 0..103 {
        let again = outcome(&open, at(i), Transition::RetryAt(at(i + 1)));
        world.store.record_outcomes(std::slice::from_ref(&again)).await.unwrap();
        open = Arc::new(OpenDelivery { progress: again.progress, due_at: at(i + 1), ..(*open).clone() });
    }
    let detail = world.store.delivery(&world.org, open.id).await.unwrap().unwrap();
    let shown: Vec<_> = detail.attempts.iter().map(|attempt| attempt.started_at).collect();
    let expected: Vec<Millis> = (3..103).map(at).collect();
    assert_eq!(shown, expected);
    assert_eq!(detail.delivery.attempts_count, 103);
}

/// An attempt without an answer does not wipe it out.
pub async fn the_last_status_code_is_the_last_answers(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let open = world.one_open(T0).await;
    world.store.record_outcomes(&[outcome(&open, at(1), Transition::RetryAt(at(5)))]).await.unwrap();
    let open = world.claimed(open.id, at(5)).await;
    let mut silent = outcome(&open, at(6), Transition::RetryAt(at(7)));
    silent.attempt = attempt(at(6), None);
    world.store.record_outcomes(&[silent]).await.unwrap();
    assert_eq!(world.status_of(open.id).await.last_status_code, Some(500));
    let open = world.claimed(open.id, at(7)).await;
    let mut silent = outcome(&open, at(8), Transition::Fail(FailReason::Exhausted));
    silent.attempt = attempt(at(8), None);
    world.store.record_outcomes(&[silent]).await.unwrap();
    assert_eq!(world.status_of(open.id).await.last_status_code, Some(500));
    let progress = Progress { attempts_count: 3, slots_used: 3, initial_failure_at: Some(at(1)) };
    let reopened = world.store.retry_delivery(&world.org, open.id, at(9)).await.unwrap().unwrap();
    assert_eq!(reopened.progress, progress);
    assert_ne!(reopened.trigger, Trigger::Schedule);
}

/// At once, whatever lease there is; and not at all when its endpoint or organisation is gone.
pub async fn a_test_is_recorded_whole_and_is_never_open(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let made = |world: &World| {
        let new = NewEvent { test: true, ..world.event(T0) };
        let open = Arc::new(open_test(&world.org, &new));
        (new, outcome(&open, at(20), Transition::Succeed))
    };
    let (new, done) = made(&world);
    assert_eq!(world.store.record_test(new.clone(), &done).await.unwrap(), Recorded::Recorded);
    let DeliveryDetail { delivery, event, attempts } =
        world.store.delivery(&world.org, done.delivery.id).await.unwrap().unwrap();
    assert_eq!((delivery.test, delivery.status, delivery.attempts_count), (true, DeliveryStatus::Succeeded, 1));
    assert_eq!((delivery.ended_at, delivery.last_status_code), (Some(at(20)), Some(204)));
    assert_eq!((event, attempts), (Some(new.event), vec![done.attempt]));
    assert_eq!(world.claim(at(999)).await, []);
    assert_eq!(world.store.lanes_due(None, 10).await.unwrap(), []);
    let (new, late) = made(&world);
    world.store.delete_endpoint(&world.org, world.endpoint).await.unwrap();
    assert_eq!(world.store.record_test(new.clone(), &late).await.unwrap(), Recorded::Stale);
    assert_eq!(world.store.delivery(&world.org, late.delivery.id).await.unwrap(), None);
    assert_eq!(world.store.event(&world.org, &new.event.id).await.unwrap(), None);
    world.store.delete_organization(&world.org).await.unwrap();
    assert_eq!(world.store.record_test(new, &late).await.unwrap(), Recorded::Stale);
}

fn open_test(org: &OrganizationId, new: &NewEvent) -> OpenDelivery {
    let delivery = &new.deliveries[0];
    OpenDelivery {
        id: delivery.id,
        organization: org.clone(),
        endpoint: delivery.endpoint,
        event_type: Arc::clone(&delivery.event_type),
        revision: delivery.revision,
        test: true,
        created_at: new.event.accepted_at,
        due_at: delivery.due_at,
        progress: Progress::default(),
        trigger: Trigger::Schedule,
        turn: None,
        event: Arc::clone(&new.event),
    }
}
