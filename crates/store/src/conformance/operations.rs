//! Operations: recoveries and erasures, step by step.

use std::sync::Arc;

use postrider_domain::{
    DeliveryId, DeliveryStatus, FailReason, Millis, OperationId, OperationStatus, Progress, Transition, Trigger,
};

use super::samples::{DAY, World, all, at, entry, event, id_at, outcome, resource};
use super::{Subject, T0};
use crate::error::StoreError;
use crate::model::{DeliveryFilter, Event, EventFilter, NewDelivery, NewEvent, OpenDelivery, Recorded, StoredAnswer};
use crate::operations::{
    EraseStep, FormerDelivery, Operation, OperationNote, RecoverStep, Recovery, Removed, Stepped, Work,
};

/// A recovery that nobody has begun.
pub(super) fn recovery(world: &World, created_at: Millis) -> Operation {
    let recovery = Recovery { endpoint: world.endpoint, since: T0, until: at(DAY) };
    operation(world, Work::Recover(recovery), created_at)
}

/// An erasure that nobody has begun.
pub(super) fn erasure(world: &World, created_at: Millis) -> Operation {
    operation(world, Work::Erase { record: Some(("contact".to_owned(), "42".to_owned())) }, created_at)
}

fn operation(world: &World, work: Work, created_at: Millis) -> Operation {
    Operation {
        id: OperationId(id_at(created_at)),
        organization: world.org.clone(),
        work,
        status: OperationStatus::Running,
        fail_reason: None,
        done: 0,
        total: None,
        cursor: None,
        removed: Removed::default(),
        created_at,
        ended_at: None,
    }
}

async fn found(world: &World, made: &Operation) -> Operation {
    world.store.operation(&world.org, made.id).await.unwrap().unwrap()
}

async fn note(world: &World, made: &Operation, note: OperationNote, now: Millis) -> bool {
    world.store.note_operation(world.store.lease(), &world.org, made.id, &note, now).await.unwrap()
}

/// Listed from the newest on, worked on until it ends, and forgotten when its time has come.
pub async fn one_is_kept_from_its_beginning_to_its_end(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let lease = world.store.lease();
    let (first, second) = (recovery(&world, at(1)), erasure(&world, at(2)));
    for made in [&first, &second] {
        world.store.create_operation(made, &entry()).await.unwrap();
        assert_eq!(found(&world, made).await, *made);
    }
    let again = world.store.create_operation(&recovery(&world, at(3)), &entry()).await;
    assert!(matches!(again, Err(StoreError::Exists { .. })), "{again:?}");
    let listed = world.store.operations(&world.org, all()).await.unwrap().rows;
    assert_eq!(listed, [second.clone(), first.clone()]);
    assert_eq!(world.store.take_operations(lease, 9).await.unwrap(), [first.clone(), second.clone()]);
    assert!(note(&world, &first, OperationNote::Total(7), at(4)).await);
    assert_eq!(found(&world, &first).await.total, Some(7));
    assert!(note(&world, &first, OperationNote::Failed("paused".to_owned()), at(5)).await);
    assert!(note(&world, &second, OperationNote::Succeeded, at(6)).await);
    let failed = Operation {
        status: OperationStatus::Failed,
        fail_reason: Some("paused".to_owned()),
        total: Some(7),
        ended_at: Some(at(5)),
        ..first.clone()
    };
    let succeeded = Operation {
        status: OperationStatus::Succeeded,
        work: Work::Erase { record: None },
        total: Some(0),
        ended_at: Some(at(6)),
        ..second.clone()
    };
    assert_eq!((found(&world, &first).await, found(&world, &second).await), (failed, succeeded));
    assert!(!note(&world, &first, OperationNote::Succeeded, at(7)).await);
    assert_eq!(world.store.take_operations(lease, 9).await.unwrap(), []);
    world.store.create_operation(&recovery(&world, at(8)), &entry()).await.unwrap();
    while world.store.retain(at(90 * DAY), at(60 * DAY), 100).await.unwrap().more {}
    assert_eq!(world.store.operations(&world.org, all()).await.unwrap().rows.len(), 1, "what runs stays");
}

/// And goes on where it was.
pub async fn what_a_revoked_lease_was_at_is_taken_by_the_next(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let made = recovery(&world, at(1));
    world.store.create_operation(&made, &entry()).await.unwrap();
    let old = world.store.lease();
    assert_eq!(world.store.take_operations(old, 9).await.unwrap().len(), 1);
    world.store.revoke_lease(old).await.unwrap();
    assert!(matches!(world.store.take_operations(old, 9).await, Err(StoreError::LeaseLost)));
    let step = step(&made, None, id_at(at(2)));
    let late = world.store.recover(old, &world.org, world.endpoint, &step).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    subject.reopen().await;
    let store = subject.store();
    assert_eq!(store.take_operations(store.lease(), 9).await.unwrap(), [made]);
}

fn step(made: &Operation, after: Option<uuid::Uuid>, upto: uuid::Uuid) -> RecoverStep {
    RecoverStep { operation: made.id, after, upto, reopen: vec![], deliver: vec![], now: at(500) }
}

async fn recover(world: &World, step: &RecoverStep) -> Stepped {
    world.store.recover(world.store.lease(), &world.org, world.endpoint, step).await.unwrap()
}

/// What reached an endpoint, what failed, what is on its way, and what never was for it are told apart.
pub async fn events_of_a_span_come_with_what_was_made_of_them(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let other = world.another_endpoint().await;
    let early = world.event_with(at(-70_000), vec![]);
    let failed = world.one_open(at(1)).await;
    let succeeded = world.one_open(at(2)).await;
    let pending = world.one_open(at(3)).await;
    let elsewhere = world.event_with(at(4), vec![world.delivery_to(other, at(4))]);
    let nowhere = world.event_with(at(5), vec![]);
    let mut test = world.event_with(at(6), vec![]);
    test.test = true;
    let late = world.event_with(at(DAY), vec![]);
    let missed = [elsewhere.event.clone(), nowhere.event.clone()];
    world.commit(vec![early, elsewhere, nowhere, test, late]).await;
    let ends = [
        outcome(&failed, at(9), Transition::Fail(FailReason::Exhausted)),
        outcome(&succeeded, at(9), Transition::Succeed),
    ];
    world.store.record_outcomes(&ends).await.unwrap();
    let expected = [
        (failed.event.clone(), FormerDelivery::Failed(failed.id)),
        (succeeded.event.clone(), FormerDelivery::Other),
        (pending.event.clone(), FormerDelivery::Other),
        (missed[0].clone(), FormerDelivery::None),
        (missed[1].clone(), FormerDelivery::None),
    ];
    let span = Recovery { endpoint: world.endpoint, since: T0, until: at(DAY) };
    for limit in [1, 2, 100] {
        let (mut seen, mut after) = (vec![], None);
        loop {
            let page = world.store.recoverable(&world.org, &span, after, limit).await.unwrap();
            assert!(page.events.len() <= limit);
            seen.extend(page.events.into_iter().map(|row| (row.event, row.former)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected);
    }
}

/// The failed ones with a schedule from its beginning, the others as if they had been made at once; each once.
pub async fn a_step_opens_failed_deliveries_and_makes_missed_ones(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let failed = world.one_open(at(1)).await;
    let first = outcome(&failed, at(9), Transition::Fail(FailReason::Exhausted));
    world.store.record_outcomes(std::slice::from_ref(&first)).await.unwrap();
    let missed = world.event_with(at(5), vec![]);
    let event = missed.event.clone();
    world.commit(vec![missed]).await;
    let made = recovery(&world, at(10));
    world.store.create_operation(&made, &entry()).await.unwrap();
    world.store.take_operations(world.store.lease(), 9).await.unwrap();
    let new = world.delivery(at(5));
    let mut step = step(&made, None, event.key);
    step.reopen = vec![(failed.event.key, failed.id), (failed.event.key, DeliveryId(id_at(at(1))))];
    step.deliver = vec![(event.clone(), new.clone()), (Arc::new(super::samples::event(at(6))), world.delivery(at(6)))];
    let done = Stepped::Done { made: vec![failed.id, new.id], is_elsewhere: false };
    assert_eq!(recover(&world, &step).await, done);
    assert_eq!(recover(&world, &step).await, Stepped::Stale, "twice");
    let now = found(&world, &made).await;
    assert_eq!((now.done, now.cursor), (2, Some(event.key)));
    let reopened = OpenDelivery {
        due_at: step.now,
        progress: Progress { attempts_count: 1, ..Progress::default() },
        trigger: Trigger::Schedule,
        ..(*failed).clone()
    };
    let delivered = opened(&world, &event, &new, step.now);
    let claimed = world.claim(step.now).await;
    assert_eq!(claimed, [reopened, delivered]);
    let waiting = world.store.waiting(&world.org, world.endpoint, &[failed.id, new.id], step.now).await.unwrap();
    let mut untried = waiting.untried;
    untried.sort_unstable();
    let mut both = vec![failed.id, new.id];
    both.sort_unstable();
    assert_eq!((untried, waiting.open), (both, 2));
    let outcomes = [
        outcome(&Arc::new(claimed[0].clone()), at(501), Transition::RetryAt(at(900))),
        outcome(&Arc::new(claimed[1].clone()), at(501), Transition::Succeed),
    ];
    assert_eq!(world.store.record_outcomes(&outcomes).await.unwrap(), [Recorded::Recorded; 2]);
    let waiting = world.store.waiting(&world.org, world.endpoint, &[failed.id, new.id], at(600)).await.unwrap();
    assert_eq!((waiting.untried, waiting.open), (vec![], 1));
    let detail = world.store.delivery(&world.org, failed.id).await.unwrap().unwrap();
    assert_eq!(detail.attempts, [first.attempt, outcomes[0].attempt.clone()]);
    let of_event = DeliveryFilter { event: Some(event.id.clone()), ..DeliveryFilter::default() };
    let rows = world.store.deliveries(&world.org, &of_event, all()).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| (row.id, row.created_at)).collect::<Vec<_>>(), [(new.id, at(5))]);
    // Both have a delivery now: another recovery leaves them alone.
    let span = Recovery { endpoint: world.endpoint, since: T0, until: at(DAY) };
    let page = world.store.recoverable(&world.org, &span, None, 9).await.unwrap();
    assert!(page.events.iter().all(|row| row.former == FormerDelivery::Other));
    // What was made later goes with its event like any other.
    while world.store.retain(at(60 * DAY), at(30 * DAY), 100).await.unwrap().more {}
    assert_eq!(world.store.stats().await.unwrap().open_deliveries, 0);
}

fn opened(world: &World, event: &Arc<Event>, new: &NewDelivery, due_at: Millis) -> OpenDelivery {
    OpenDelivery {
        id: new.id,
        organization: world.org.clone(),
        endpoint: new.endpoint,
        event_type: Arc::clone(&new.event_type),
        revision: new.revision,
        test: false,
        created_at: event.accepted_at,
        due_at,
        progress: Progress::default(),
        trigger: Trigger::Schedule,
        turn: None,
        event: Arc::clone(event),
    }
}

/// Neither after it has ended nor without its endpoint.
pub async fn a_step_of_what_is_over_writes_nothing(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let (ended, running) = (recovery(&world, at(1)), recovery(&world, at(2)));
    let take = || world.store.take_operations(world.store.lease(), 9);
    world.store.create_operation(&ended, &entry()).await.unwrap();
    take().await.unwrap();
    assert!(note(&world, &ended, OperationNote::Succeeded, at(1)).await);
    let upto = id_at(at(3));
    assert_eq!(recover(&world, &step(&ended, None, upto)).await, Stepped::Stale);
    world.store.create_operation(&running, &entry()).await.unwrap();
    take().await.unwrap();
    world.store.delete_endpoint(&world.org, world.endpoint).await.unwrap();
    assert_eq!(recover(&world, &step(&running, None, upto)).await, Stepped::Stale);
    assert_eq!(found(&world, &running).await.cursor, None);
    world.store.delete_organization(&world.org).await.unwrap();
    assert_eq!(take().await.unwrap(), []);
    assert_eq!(world.store.operation(&world.org, running.id).await.unwrap(), None);
}

/// An event about these contacts, with a delivery.
fn about(world: &World, accepted_at: Millis, ids: &[&str]) -> NewEvent {
    let event = Event { resource: Some(resource("contact", ids)), ..event(accepted_at) };
    NewEvent { event: Arc::new(event), ..world.event(accepted_at) }
}

/// Their events, what is pending of them, and the text of their attempts; nobody else's.
pub async fn an_erasure_removes_everything_about_a_record(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let store = &world.store;
    let sent = about(&world, at(1), &["42"]);
    let pending = about(&world, at(2), &["41", "42"]);
    let [others, later] = [about(&world, at(3), &["41"]), about(&world, at(90), &["42"])];
    let events = [&sent, &pending, &others, &later].map(|new| new.event.clone());
    let ids = [&sent, &pending, &others, &later].map(|new| new.deliveries[0].id);
    world.commit(vec![sent, pending, others, later]).await;
    let mut claimed = Vec::new();
    for id in ids {
        claimed.push(world.claimed(id, at(100)).await);
    }
    let outcomes = [
        outcome(&claimed[0], at(5), Transition::Succeed),
        outcome(&claimed[1], at(5), Transition::RetryAt(at(900))),
        outcome(&claimed[2], at(5), Transition::Succeed),
    ];
    store.record_outcomes(&outcomes).await.unwrap();
    let made = erasure(&world, at(10));
    store.create_operation(&made, &entry()).await.unwrap();
    store.take_operations(store.lease(), 9).await.unwrap();
    let record = ("contact".to_owned(), "42".to_owned());
    assert_eq!(store.count_about(&world.org, &record, at(80_000), 9).await.unwrap(), 3);
    let mut step = EraseStep { operation: made.id, record, upto: at(10), below: None, limit: 1, now: at(11) };
    let mut removed = Removed::default();
    for _ in 0..9 {
        let erased = store.erase(store.lease(), &world.org, &step).await.unwrap().unwrap();
        removed.events += erased.removed.events;
        removed.deliveries += erased.removed.deliveries;
        removed.attempts += erased.removed.attempts;
        step.below = erased.next;
        if erased.next.is_none() {
            break;
        }
    }
    assert_eq!(removed, Removed { events: 2, deliveries: 1, attempts: 2 });
    assert_eq!(found(&world, &made).await.removed, removed);
    for gone in &events[..2] {
        assert_eq!(store.event(&world.org, &gone.id).await.unwrap(), None);
    }
    let kept = store.events(&world.org, &EventFilter::default(), all()).await.unwrap().rows;
    assert_eq!(kept.iter().map(|row| row.event.key).collect::<Vec<_>>(), [events[3].key, events[2].key]);
    let erased = [
        (ids[0], DeliveryStatus::Succeeded, None, &outcomes[0]),
        (ids[1], DeliveryStatus::Failed, Some(FailReason::Erased), &outcomes[1]),
    ];
    for (id, status, reason, sent) in erased {
        let detail = store.delivery(&world.org, id).await.unwrap().unwrap();
        assert_eq!((detail.delivery.status, detail.delivery.fail_reason), (status, reason));
        assert_eq!((detail.delivery.resource.clone(), detail.event), (None, None));
        assert_eq!(detail.attempts.len(), 1);
        assert!(detail.attempts[0].is_erased());
        assert_eq!(detail.attempts[0].started_at, sent.attempt.started_at);
        assert_eq!(store.retry_delivery(&world.org, id, at(12)).await.unwrap(), None);
    }
    let untouched = store.delivery(&world.org, ids[2]).await.unwrap().unwrap();
    assert_eq!(untouched.attempts, [outcomes[2].attempt.clone()]);
    // An attempt that was under way is not recorded.
    let late = outcome(&claimed[1], at(13), Transition::Succeed);
    assert_eq!(store.record_outcomes(&[late]).await.unwrap(), [Recorded::Stale]);
    assert_eq!(world.claim(at(1_000)).await.iter().map(|open| open.id).collect::<Vec<_>>(), [ids[3]]);
    assert!(note(&world, &made, OperationNote::Succeeded, at(14)).await);
    assert_eq!(store.erase(store.lease(), &world.org, &step).await.unwrap(), None);
}

/// One by one; what is forgotten is a new request again.
pub async fn answers_are_looked_through_and_forgotten(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let (store, org) = (&world.store, Some(&world.org));
    for key in ["a", "b", "c"] {
        store.begin_idempotent(org, key, [1; 32], T0).await.unwrap();
        let answer = StoredAnswer { status: 202, body: key.as_bytes().to_vec() };
        store.finish_idempotent(org, key, answer).await.unwrap();
    }
    let first = store.stored_answers(&world.org, None, 2).await.unwrap();
    assert_eq!(first.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(first[1].1, StoredAnswer { status: 202, body: b"b".to_vec() });
    store.forget_answer(&world.org, "b").await.unwrap();
    let rest = store.stored_answers(&world.org, Some("a"), 9).await.unwrap();
    assert_eq!(rest.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["c"]);
    let again = store.begin_idempotent(org, "b", [2; 32], at(1)).await.unwrap();
    assert_eq!(again, crate::model::Idempotency::Started);
}
