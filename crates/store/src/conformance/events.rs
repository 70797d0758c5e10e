//! Commits, and the events they store.

use std::sync::Arc;

use postrider_domain::{EndpointId, EventId, Millis};

use super::samples::{HOUR, STORED, World, all, at, event, id_at, org_id, resource};
use super::{Subject, T0};
use crate::error::StoreError;
use crate::model::{Committed, DeliveryFilter, Event, EventDetail, EventFilter, NewEvent, RevisionId};

/// Numbers, order and spaces of the JSON included; the largest that the API takes.
pub async fn everything_about_one_comes_back_byte_for_byte(subject: &mut impl Subject) {
    let mut world = World::new(subject).await;
    let mut large = event(at(1));
    large.data = format!("{{\"text\":\"{}\"}}", "ÿ\\u0000".repeat(32_000)).into();
    large.resource = Some(resource("contact", &["1", "ü:2", ""]));
    let mut bare = event(at(2));
    bare.data = "1.10e+2".into();
    (bare.changes, bare.resource) = (None, None);
    bare.id = "crm-17/a".parse().unwrap();
    bare.occurred_at = Millis(-1);
    let events = [event(T0), large, bare].map(Arc::new);
    for event in &events {
        let deliveries = vec![world.delivery(event.accepted_at), world.delivery(event.accepted_at)];
        let fingerprint = (event.id != EventId::made(event.key)).then_some([1; 32]);
        world
            .commit(vec![NewEvent {
                event: Arc::clone(event),
                fingerprint,
                test: false,
                is_derived: false,
                deliveries,
            }])
            .await;
        let expected = EventDetail { event: Arc::clone(event), deliveries_count: 2 };
        assert_eq!(world.store.event(&world.org, &event.id).await.unwrap(), Some(expected));
    }
    for _ in 0..2 {
        let claimed = world.claim(at(9)).await;
        for open in &claimed {
            assert_eq!(world.store.event_of(&world.org, open.id).await.unwrap().as_ref(), Some(&open.event));
            assert_eq!(world.store.event_of(&org_id("nobody"), open.id).await.unwrap(), None);
        }
        let claimed: Vec<_> = claimed.iter().step_by(2).map(|open| Arc::clone(&open.event)).collect();
        assert_eq!(claimed, events);
        // Once more from the disk, whatever was in memory.
        subject.reopen().await;
        world.store = subject.store();
    }
    let unknown = world.store.event(&world.org, &EventId::made(id_at(T0))).await.unwrap();
    assert_eq!(unknown, None);
}

/// A refused event at the end leaves nothing of those before it.
pub async fn a_batch_is_stored_whole_or_not_at_all(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    world.commit(vec![chosen(&world, "used", T0, 1)]).await;
    let mut batch: Vec<_> = (0..10).map(|i| world.event(at(i))).collect();
    batch.push(chosen(&world, "fresh", at(10), 1));
    batch.push(chosen(&world, "used", at(11), 2));
    let refused = world.store.commit_events(&world.org, batch).await;
    assert!(matches!(refused, Err(StoreError::EventDiffers { index: 11, .. })), "{refused:?}");
    let events = world.store.events(&world.org, &EventFilter::default(), all()).await.unwrap();
    assert_eq!(events.rows.len(), 1);
    assert_eq!(world.claim(at(99)).await.len(), 1);
    let fresh = world.store.event(&world.org, &"fresh".parse().unwrap()).await.unwrap();
    assert_eq!(fresh, None);
    assert_eq!(world.store.commit_events(&world.org, vec![]).await.unwrap(), []);
}

fn chosen(world: &World, id: &str, accepted_at: Millis, content: u8) -> NewEvent {
    let event = Event { id: id.parse().unwrap(), ..event(accepted_at) };
    let deliveries = vec![world.delivery(accepted_at)];
    NewEvent { event: Arc::new(event), fingerprint: Some([content; 32]), test: false, is_derived: false, deliveries }
}

/// It answers as the first did, though more endpoints want it now.
pub async fn the_same_id_again_within_72_hours_stores_nothing_new(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let first = chosen(&world, "one", T0, 1);
    let stored = world.store.commit_events(&world.org, vec![first.clone()]).await.unwrap();
    assert_eq!(stored, [STORED]);
    let mut again = chosen(&world, "one", at(72 * HOUR - 1), 1);
    again.deliveries.push(world.delivery(T0));
    let repeated = world.store.commit_events(&world.org, vec![again, world.event(at(1))]).await.unwrap();
    assert_eq!(repeated, [Committed::Repeated { deliveries_count: 1 }, STORED]);
    let found = world.store.event(&world.org, &"one".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(found.event, first.event);
    assert_eq!(world.claim(at(99 * HOUR)).await.len(), 2);
    let other = World::of(world.store.clone(), "other").await;
    let elsewhere = other.store.commit_events(&other.org, vec![chosen(&other, "one", at(1), 2)]).await.unwrap();
    assert_eq!(elsewhere, [STORED], "ids belong to their organisation");
}

/// By its id and its fingerprint, as long as the id is remembered, and in its own organisation alone.
pub async fn a_repetition_is_known_before_it_is_committed(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    world.commit(vec![chosen(&world, "one", T0, 1), chosen(&world, "two", T0, 2), world.event(at(1))]).await;
    let asked = [("two", 2), ("one", 2), ("none", 1), ("one", 1)]
        .map(|(id, content)| (id.parse::<EventId>().unwrap(), [content; 32]));
    let ask = async |org, now| world.store.repetitions(org, &asked, now).await.unwrap();
    assert_eq!(ask(&world.org, at(5)).await, [true, false, false, true]);
    assert_eq!(ask(&world.org, at(72 * HOUR)).await, [false; 4]);
    let other = World::of(world.store.clone(), "other").await;
    assert_eq!(ask(&other.org, at(5)).await, [false; 4]);
    assert_eq!(ask(&org_id("nobody"), at(5)).await, [false; 4]);
    assert_eq!(world.store.repetitions(&world.org, &[], at(5)).await.unwrap(), [false; 0]);
}

/// And says which one.
pub async fn other_content_under_the_same_id_is_refused(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    world.commit(vec![chosen(&world, "one", T0, 1)]).await;
    let batch = vec![world.event(at(1)), chosen(&world, "one", at(2), 2)];
    match world.store.commit_events(&world.org, batch).await {
        Err(StoreError::EventDiffers { id, index }) => assert_eq!((id.as_str(), index), ("one", 1)),
        other => panic!("{other:?}"),
    }
}

/// The id then names the newer event; the older stays in the list.
pub async fn an_id_is_free_after_72_hours(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    world.commit(vec![chosen(&world, "one", T0, 1)]).await;
    let later = chosen(&world, "one", at(72 * HOUR), 2);
    let stored = world.store.commit_events(&world.org, vec![later.clone()]).await.unwrap();
    assert_eq!(stored, [STORED]);
    let found = world.store.event(&world.org, &"one".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(found.event, later.event);
    let events = world.store.events(&world.org, &EventFilter::default(), all()).await.unwrap();
    assert_eq!(events.rows.len(), 2);
}

/// The first stores, the second repeats it, a third that differs refuses all.
pub async fn ids_repeated_inside_a_batch_count_too(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let batch = vec![chosen(&world, "one", T0, 1), chosen(&world, "one", T0, 1)];
    let answers = world.store.commit_events(&world.org, batch).await.unwrap();
    assert_eq!(answers, [STORED, Committed::Repeated { deliveries_count: 1 }]);
    let batch = vec![chosen(&world, "two", T0, 1), chosen(&world, "two", T0, 2)];
    let refused = world.store.commit_events(&world.org, batch).await;
    assert!(matches!(refused, Err(StoreError::EventDiffers { index: 1, .. })), "{refused:?}");
    assert_eq!(world.claim(at(9)).await.len(), 1);
}

/// Whatever rules say today that it also is; and what it was derived from is not compared with what is derived now.
pub async fn what_is_derived_of_a_repetition_is_not_stored(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let derived = |id: &str, content: u8| NewEvent { is_derived: true, ..chosen(&world, id, T0, content) };
    let first = vec![chosen(&world, "one", T0, 1), derived("one~won", 11)];
    assert_eq!(world.store.commit_events(&world.org, first).await.unwrap(), [STORED, STORED]);
    let again = vec![
        chosen(&world, "one", T0, 1),
        derived("one~won", 12),
        derived("one~paid", 13),
        chosen(&world, "two", T0, 2),
        derived("two~paid", 23),
    ];
    let none = Committed::Repeated { deliveries_count: 0 };
    let answers = world.store.commit_events(&world.org, again).await.unwrap();
    assert_eq!(answers, [Committed::Repeated { deliveries_count: 1 }, none.clone(), none, STORED, STORED]);
    assert_eq!(world.store.event(&world.org, &"one~paid".parse().unwrap()).await.unwrap(), None);
    assert_eq!(world.claim(at(9)).await.len(), 4);
}

/// It was deleted between the match and the commit; the event is stored all the same.
pub async fn a_delivery_to_a_deleted_endpoint_is_left_out(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let gone = world.another_endpoint().await;
    world.store.delete_endpoint(&world.org, gone).await.unwrap();
    let never = EndpointId(id_at(T0));
    let deliveries = vec![world.delivery_to(gone, T0), world.delivery(T0), world.delivery_to(never, T0)];
    let kept = deliveries[1].id;
    let new = world.event_with(T0, deliveries);
    let id = new.event.id.clone();
    world.commit(vec![new]).await;
    let of_event = DeliveryFilter { event: Some(id), ..DeliveryFilter::default() };
    for filter in [DeliveryFilter::default(), of_event] {
        let rows = world.store.deliveries(&world.org, &filter, all()).await.unwrap().rows;
        assert_eq!(rows.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [kept]);
    }
}

/// And nothing is stored.
pub async fn an_unknown_revision_or_organization_is_refused(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let mut new = world.event(T0);
    new.deliveries[0].revision = RevisionId([3; 32]);
    let refused = world.store.commit_events(&world.org, vec![world.event(T0), new]).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    let nobody = world.store.commit_events(&org_id("nobody"), vec![world.event(T0)]).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");
    assert_eq!(world.claim(at(9)).await, []);
}

/// A unit that breaks a rule of the tables is undone alone, even when it shares a transaction.
pub async fn one_callers_mistake_fails_no_neighbour(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let taken = world.event(T0);
    world.commit(vec![taken.clone()]).await;
    let mut commits = vec![];
    for i in 0..60 {
        let (store, org) = (world.store.clone(), world.org.clone());
        let batch = if i % 3 == 0 { vec![world.event(at(i)), taken.clone()] } else { vec![world.event(at(i))] };
        commits.push((i, tokio::spawn(async move { store.commit_events(&org, batch).await })));
    }
    for (i, commit) in commits {
        let result = commit.await.unwrap();
        assert_eq!(result.is_ok(), i % 3 != 0, "{result:?}");
    }
    assert_eq!(world.claim(at(99)).await.len(), 41);
}

/// Each caller's own, and none mixed up.
pub async fn concurrent_commits_are_all_stored(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let other = World::of(world.store.clone(), "other").await;
    let mut commits = vec![];
    for i in 0..200 {
        let world = if i % 2 == 0 { &world } else { &other };
        let batch: Vec<_> = (0..3).map(|j| world.event(at(i * 10 + j))).collect();
        let (store, org) = (world.store.clone(), world.org.clone());
        commits.push(tokio::spawn(async move {
            let keys: Vec<_> = batch.iter().map(|new| new.event.key).collect();
            store.commit_events(&org, batch).await.unwrap();
            (org, keys)
        }));
    }
    let mut stored = std::collections::HashSet::new();
    for commit in commits {
        let (org, keys) = commit.await.unwrap();
        stored.extend(keys.into_iter().map(|key| (org.clone(), key)));
    }
    for world in [&world, &other] {
        let rows = world.store.events(&world.org, &EventFilter::default(), all()).await.unwrap().rows;
        assert_eq!(rows.len(), 300);
        assert!(rows.iter().all(|row| stored.contains(&(world.org.clone(), row.event.key))));
    }
}
