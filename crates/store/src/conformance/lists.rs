//! Lists: order, pages and filters.

use std::sync::Arc;

use postrider_domain::{DeliveryId, DeliveryStatus, EndpointId, EventId, FailReason, Transition};
use uuid::Uuid;

use super::samples::{HOUR, World, all, at, event, outcome, page, resource};
use super::{Subject, T0};
use crate::model::{Delivery, DeliveryFilter, Event, EventFilter, NewEvent};

/// Every delivery that the filter finds, page by page. A page may be short and still have a next one.
async fn walk(world: &World, filter: &DeliveryFilter, limit: usize) -> Vec<Delivery> {
    let (mut rows, mut before) = (vec![], None);
    loop {
        let found = world.store.deliveries(&world.org, filter, page(limit, before)).await.unwrap();
        assert!(found.rows.len() <= limit);
        rows.extend(found.rows);
        before = found.next;
        if before.is_none() {
            return rows;
        }
    }
}

async fn walk_events(world: &World, filter: &EventFilter, limit: usize) -> Vec<Uuid> {
    let (mut keys, mut before) = (vec![], None);
    loop {
        let found = world.store.events(&world.org, filter, page(limit, before)).await.unwrap();
        assert!(found.rows.len() <= limit);
        keys.extend(found.rows.iter().map(|row| row.event.key));
        before = found.next;
        if before.is_none() {
            return keys;
        }
    }
}

/// Sixty deliveries of thirty events over thirty hours, to two endpoints, in every state.
async fn many(world: &World) -> Vec<Delivery> {
    let other = world.another_endpoint().await;
    for i in 0..30 {
        let made_at = at(i * HOUR);
        let event_type = if i % 5 == 0 { "deal.lost" } else { "deal.won" };
        let number = (i % 4).to_string();
        let event = Event {
            event_type: event_type.into(),
            resource: (i % 7 != 0).then(|| resource("deal", &[&number, "all"])),
            ..event(made_at)
        };
        let mut deliveries = vec![world.delivery(made_at), world.delivery_to(other, made_at)];
        deliveries[0].event_type = if i % 3 == 0 { "rare".into() } else { "common".into() };
        let new =
            NewEvent { event: Arc::new(event), fingerprint: None, test: i % 6 == 5, is_derived: false, deliveries };
        world.commit(vec![new]).await;
    }
    let open = world.claim(at(99 * HOUR)).await;
    let transitions = [Transition::Succeed, Transition::Fail(FailReason::Gone), Transition::RetryAt(at(50 * HOUR))];
    let ends: Vec<_> = open.into_iter().enumerate().filter(|(i, _)| i % 4 != 3).collect();
    let outcomes: Vec<_> =
        ends.into_iter().map(|(i, open)| outcome(&Arc::new(open), at(40 * HOUR), transitions[i % 4])).collect();
    // Ended in another order than they were made.
    for outcome in outcomes.iter().rev() {
        world.store.record_outcomes(std::slice::from_ref(outcome)).await.unwrap();
    }
    world.store.deliveries(&world.org, &DeliveryFilter::default(), all()).await.unwrap().rows
}

/// Each once, whatever the page's length.
pub async fn deliveries_go_from_newest_to_oldest_open_and_ended_together(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let rows = many(&world).await;
    assert_eq!(rows.len(), 60);
    assert!(rows.is_sorted_by(|a, b| a.id > b.id));
    for status in [DeliveryStatus::Pending, DeliveryStatus::Succeeded, DeliveryStatus::Failed] {
        assert!(rows.iter().any(|row| row.status == status));
    }
    for limit in [1, 7, 60] {
        assert_eq!(walk(&world, &DeliveryFilter::default(), limit).await, rows);
    }
}

fn filters(rows: &[Delivery]) -> Vec<DeliveryFilter> {
    let none = DeliveryFilter::default;
    vec![
        DeliveryFilter { endpoint: Some(rows[0].endpoint), ..none() },
        DeliveryFilter { endpoint: Some(rows[1].endpoint), ..none() },
        DeliveryFilter { event: Some(rows[17].event.clone()), ..none() },
        DeliveryFilter { event_type: Some("rare".to_owned()), ..none() },
        DeliveryFilter { event_type: Some("never seen".to_owned()), ..none() },
        DeliveryFilter { status: Some(DeliveryStatus::Pending), ..none() },
        DeliveryFilter { status: Some(DeliveryStatus::Succeeded), ..none() },
        DeliveryFilter { status: Some(DeliveryStatus::Failed), ..none() },
        DeliveryFilter { resource: Some(("deal".to_owned(), "2".to_owned())), ..none() },
        DeliveryFilter { resource: Some(("deal".to_owned(), "all".to_owned())), ..none() },
        DeliveryFilter { resource: Some(("contact".to_owned(), "2".to_owned())), ..none() },
        DeliveryFilter { since: Some(at(10 * HOUR)), ..none() },
        DeliveryFilter { until: Some(at(10 * HOUR)), ..none() },
        DeliveryFilter { since: Some(at(10 * HOUR)), until: Some(at(11 * HOUR)), ..none() },
        DeliveryFilter { test: Some(true), ..none() },
        DeliveryFilter { test: Some(false), ..none() },
        DeliveryFilter { status_code: Some(500), ..none() },
        DeliveryFilter { status_code: Some(404), ..none() },
    ]
}

fn passes(row: &Delivery, filter: &DeliveryFilter) -> bool {
    let is_about = |(kind, id): &(String, String)| {
        row.resource.as_ref().is_some_and(|about| about.kind == *kind && about.ids.contains(id))
    };
    filter.endpoint.is_none_or(|endpoint| row.endpoint == endpoint)
        && filter.event.as_ref().is_none_or(|event| row.event == *event)
        && filter.event_type.as_ref().is_none_or(|name| *row.event_type == **name)
        && filter.status.is_none_or(|status| row.status == status)
        && filter.resource.as_ref().is_none_or(is_about)
        && filter.since.is_none_or(|since| row.created_at >= since)
        && filter.until.is_none_or(|until| row.created_at < until)
        && filter.test.is_none_or(|test| row.test == test)
        && filter.status_code.is_none_or(|code| row.last_status_code == Some(code))
}

/// In order, page by page.
pub async fn every_filter_of_deliveries_finds_exactly_its_own(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let rows = many(&world).await;
    for filter in filters(&rows) {
        let expected: Vec<_> = rows.iter().filter(|row| passes(row, &filter)).cloned().collect();
        for limit in [1, 4, 100] {
            assert_eq!(walk(&world, &filter, limit).await, expected, "{filter:?}");
        }
    }
    let unknown = DeliveryFilter { event: Some("unknown".parse().unwrap()), ..DeliveryFilter::default() };
    assert_eq!(walk(&world, &unknown, 10).await, []);
}

/// Any two of them.
pub async fn filters_of_deliveries_hold_together(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let rows = many(&world).await;
    let all = filters(&rows);
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            let both = DeliveryFilter {
                endpoint: a.endpoint.or(b.endpoint),
                event: a.event.clone().or(b.event.clone()),
                event_type: a.event_type.clone().or(b.event_type.clone()),
                status: a.status.or(b.status),
                resource: a.resource.clone().or(b.resource.clone()),
                since: a.since.or(b.since),
                until: a.until.or(b.until),
                test: a.test.or(b.test),
                status_code: a.status_code.or(b.status_code),
            };
            let expected: Vec<_> = rows.iter().filter(|row| passes(row, &both)).cloned().collect();
            assert_eq!(walk(&world, &both, 5).await, expected, "{both:?}");
        }
    }
}

/// And a test event is found by its id all the same.
pub async fn events_go_from_newest_to_oldest_without_tests(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let rows = many(&world).await;
    let mut expected: Vec<EventId> = rows.iter().filter(|row| !row.test).map(|row| row.event.clone()).collect();
    expected.dedup();
    let found = world.store.events(&world.org, &EventFilter::default(), all()).await.unwrap();
    assert_eq!(found.rows.iter().map(|row| row.event.id.clone()).collect::<Vec<_>>(), expected);
    assert!(found.rows.iter().all(|row| row.deliveries_count == 2));
    let keys: Vec<_> = found.rows.iter().map(|row| row.event.key).collect();
    for limit in [1, 7] {
        assert_eq!(walk_events(&world, &EventFilter::default(), limit).await, keys);
    }
    let test = rows.iter().find(|row| row.test).unwrap();
    assert!(world.store.event(&world.org, &test.event).await.unwrap().is_some());
}

/// Alone and together.
pub async fn every_filter_of_events_finds_exactly_its_own(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    many(&world).await;
    let rows = world.store.events(&world.org, &EventFilter::default(), all()).await.unwrap().rows;
    let deal_2 = ("deal".to_owned(), "2".to_owned());
    let none = EventFilter::default;
    let filters = [
        EventFilter { event_type: Some("deal.lost".to_owned()), ..none() },
        EventFilter { event_type: Some("never seen".to_owned()), ..none() },
        EventFilter { resource: Some(deal_2.clone()), ..none() },
        EventFilter { resource: Some(("deal".to_owned(), "9".to_owned())), ..none() },
        EventFilter { since: Some(at(10 * HOUR)), ..none() },
        EventFilter { until: Some(at(10 * HOUR)), ..none() },
        EventFilter {
            since: Some(T0),
            until: Some(at(20 * HOUR)),
            event_type: Some("deal.won".to_owned()),
            resource: Some(deal_2),
        },
    ];
    for filter in filters {
        let is_about = |event: &Event, (kind, id): &(String, String)| {
            event.resource.as_ref().is_some_and(|about| about.kind == *kind && about.ids.contains(id))
        };
        let wanted = rows.iter().map(|row| &row.event).filter(|event| {
            filter.event_type.as_ref().is_none_or(|name| *event.event_type == **name)
                && filter.resource.as_ref().is_none_or(|about| is_about(event, about))
                && filter.since.is_none_or(|since| event.accepted_at >= since)
                && filter.until.is_none_or(|until| event.accepted_at < until)
        });
        let expected: Vec<_> = wanted.map(|event| event.key).collect();
        for limit in [1, 3, 100] {
            assert_eq!(walk_events(&world, &filter, limit).await, expected, "{filter:?}");
        }
    }
}

/// Each of up to a hundred, and one that is named twice.
pub async fn a_record_is_found_among_several_of_an_event(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let ids: Vec<_> = (0..100).map(|i| (i % 99).to_string()).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let bulk = Event { resource: Some(resource("contact", &ids)), ..event(T0) };
    let delivery = world.delivery(T0);
    let id: DeliveryId = delivery.id;
    world
        .commit(vec![NewEvent {
            event: Arc::new(bulk),
            fingerprint: None,
            test: false,
            is_derived: false,
            deliveries: vec![delivery],
        }])
        .await;
    for (number, count) in [("0", 1), ("98", 1), ("99", 0)] {
        let about = Some(("contact".to_owned(), number.to_owned()));
        let filter = DeliveryFilter { resource: about.clone(), ..DeliveryFilter::default() };
        let found = walk(&world, &filter, 10).await;
        assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), vec![id; count]);
        let filter = EventFilter { resource: about, ..EventFilter::default() };
        assert_eq!(walk_events(&world, &filter, 10).await.len(), count);
    }
}

/// Open and ended together, each page behind the one before, tests and other endpoints' left out.
pub async fn deliveries_are_read_onwards_from_the_oldest(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let other = world.another_endpoint().await;
    let mut made = Vec::new();
    for i in 0..25 {
        let mut new = world.event(at(i));
        new.test = i == 7;
        new.deliveries.push(world.delivery_to(other, at(i)));
        if i != 7 {
            made.push(new.deliveries[0].id);
        }
        world.commit(vec![new]).await;
    }
    for id in made.iter().step_by(3) {
        let open = world.claimed(*id, at(100)).await;
        world.succeed(&open, at(100)).await;
    }
    let (mut read, mut after) = (Vec::new(), uuid::Uuid::nil());
    for _ in 0..10 {
        let page = world.store.deliveries_after(&world.org, world.endpoint, after, 4).await.unwrap();
        assert!(page.rows.len() <= 4);
        read.extend(page.rows.iter().map(|row| row.id));
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(read, made);
    let behind = world.store.deliveries_after(&world.org, world.endpoint, made[20].0, 100).await.unwrap();
    assert_eq!(behind.rows.iter().map(|row| row.id).collect::<Vec<_>>(), made[21..]);
    let of_nobody = World::of(world.store.clone(), "other").await;
    let foreign = world.store.deliveries_after(&of_nobody.org, world.endpoint, uuid::Uuid::nil(), 100).await.unwrap();
    assert!(foreign.rows.is_empty() && foreign.next.is_none());
}

/// Of several attempts the newest, and of another organisation none.
pub async fn last_attempts_come_with_their_text_until_it_is_removed(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let rows = many(&world).await;
    let named: Vec<_> = rows.iter().map(|row| (row.id, row.endpoint)).collect();
    let mut expected = vec![];
    for row in &rows {
        let detail = world.store.delivery(&world.org, row.id).await.unwrap().unwrap();
        expected.extend(detail.attempts.last().cloned().map(|last| (row.id, last)));
    }
    let last = async |named: &[(DeliveryId, EndpointId)]| {
        let mut found = world.store.last_attempts(&world.org, named).await.unwrap();
        found.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        found
    };
    assert!(expected.len() < rows.len() && expected.iter().all(|(_, attempt)| !attempt.is_erased()));
    assert_eq!(last(&named).await, expected);
    assert_eq!(last(&named[..0]).await, []);

    let again = world
        .claimed(
            rows.iter().find(|row| row.next_attempt_at.is_some() && row.attempts_count > 0).unwrap().id,
            at(99 * HOUR),
        )
        .await;
    let second = outcome(&again, at(98 * HOUR), Transition::Succeed);
    world.store.record_outcomes(std::slice::from_ref(&second)).await.unwrap();
    assert_eq!(last(&[(again.id, again.endpoint)]).await, [(again.id, second.attempt)]);

    let stranger = world.store.last_attempts(&"stranger".parse().unwrap(), &named).await.unwrap();
    assert_eq!(stranger, []);
    assert!(world.store.delete_endpoint(&world.org, world.endpoint).await.unwrap());
    let of_deleted: Vec<_> = named.iter().copied().filter(|(_, endpoint)| *endpoint == world.endpoint).collect();
    assert!(last(&of_deleted).await.iter().all(|(_, attempt)| attempt.is_erased()));
}
