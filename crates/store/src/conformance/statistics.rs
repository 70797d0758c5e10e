//! What is counted of endpoints, hour by hour.

use postrider_domain::{Buckets, EndpointId, Hour, Millis, OrganizationId, ResponseTimes, Tally};

use super::samples::{HOUR, World, at, endpoint, organization};
use super::{Leased, Subject, T0};
use crate::model::EndpointLimits;
use crate::statistics::EndpointHour;

/// Some counts, each another one.
fn tally(number: u64, last_attempt_at: Millis) -> Tally {
    let response_times = ResponseTimes(std::array::from_fn(|span| number * 100 + span as u64));
    Tally {
        attempts: number * 10 + 4,
        failed_attempts: number * 10 + 3,
        succeeded_deliveries: number * 10 + 2,
        failed_deliveries: number * 10 + 1,
        last_attempt_at: Some(last_attempt_at),
        response_times,
    }
}

fn row(world: &World, endpoint: EndpointId, hour: Hour, tally: Tally) -> EndpointHour {
    EndpointHour { organization: world.org.clone(), endpoint, hour, tally }
}

fn sum(tallies: &[Tally]) -> Tally {
    let mut sum = Tally::default();
    tallies.iter().for_each(|tally| sum.add(tally));
    sum
}

fn hours_from(first: Hour, behind: Hour) -> Buckets {
    Buckets { from: first, until: behind, hours: 1 }
}

async fn read(world: &World, endpoints: &[EndpointId], buckets: Buckets) -> Vec<EndpointHour> {
    let mut found = world.store.hours(&world.org, endpoints, buckets).await.unwrap();
    found.sort_by_key(|row| (row.endpoint, row.hour));
    found
}

/// Everything that is kept of these endpoints.
pub(super) async fn kept(store: &Leased, org: &OrganizationId, endpoints: &[EndpointId]) -> Vec<EndpointHour> {
    let mut found = store.hours(org, endpoints, hours_from(Hour(i32::MIN), Hour(i32::MAX))).await.unwrap();
    found.sort_by_key(|row| (row.endpoint, row.hour));
    found
}

/// More hours than a page of an export has.
pub(super) async fn fill(world: &World, endpoints: &[EndpointId]) {
    for endpoint in endpoints {
        let hour = |number: u64| Hour(Hour::of(T0).0 + i32::try_from(number).unwrap());
        let rows: Vec<_> = (0..510)
            .map(|number| row(world, *endpoint, hour(number), tally(number, hour(number).begins_at())))
            .collect();
        world.store.add_hours(&rows).await.unwrap();
    }
}

/// In one call or in several, and whether it comes in order or not.
pub async fn what_is_added_is_summed_by_endpoint_and_hour(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let (one, other) = (world.endpoint, world.another_endpoint().await);
    let (first, next) = (Hour::of(T0), Hour(Hour::of(T0).0 + 1));
    world.store.add_hours(&[]).await.unwrap();
    let added = [
        row(&world, other, next, tally(5, at(HOUR + 5))),
        row(&world, one, next, tally(2, at(HOUR + 2))),
        row(&world, one, first, tally(1, at(9))),
        row(&world, one, first, tally(3, at(3))),
    ];
    world.store.add_hours(&added).await.unwrap();
    world.store.add_hours(&[row(&world, one, first, tally(4, at(4)))]).await.unwrap();
    world.store.add_hours(&[row(&world, one, next, Tally { last_attempt_at: None, ..tally(6, T0) })]).await.unwrap();
    let mut expected = vec![
        row(&world, one, first, sum(&[tally(1, at(9)), tally(3, at(3)), tally(4, at(4))])),
        row(&world, one, next, sum(&[tally(2, at(HOUR + 2)), Tally { last_attempt_at: None, ..tally(6, T0) }])),
        row(&world, other, next, tally(5, at(HOUR + 5))),
    ];
    expected.sort_by_key(|row| (row.endpoint, row.hour));
    assert_eq!(kept(&world.store, &world.org, &[one, other]).await, expected);
    assert_eq!(kept(&world.store, &world.org, &[other]).await.len(), 1);
}

/// Of days, each begins at midnight, UTC; also before 1970.
pub async fn hours_are_read_in_buckets_of_their_span_alone(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let one = world.endpoint;
    let of = |hour: i32| row(&world, one, Hour(hour), tally(u64::from(hour.unsigned_abs()), Hour(hour).begins_at()));
    world.store.add_hours(&[of(-25), of(-1), of(47), of(48), of(49), of(71), of(72)]).await.unwrap();
    let days = Buckets { from: Hour(48), until: Hour(72), hours: 24 };
    let sums = row(&world, one, Hour(48), sum(&[of(48).tally, of(49).tally, of(71).tally]));
    assert_eq!(read(&world, &[one], days).await, [sums]);
    let days = Buckets { from: Hour(-48), until: Hour(48), hours: 24 };
    let begins: Vec<_> = read(&world, &[one], days).await.iter().map(|row| row.hour).collect();
    assert_eq!(begins, [Hour(-48), Hour(-24), Hour(24)]);
    assert_eq!(read(&world, &[one], hours_from(Hour(48), Hour(50))).await, [of(48), of(49)]);
    assert_eq!(read(&world, &[one], hours_from(Hour(50), Hour(71))).await, []);
}

/// Nor does it keep what is there from being counted.
pub async fn what_is_gone_counts_nothing(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let (gone, stays) = (world.endpoint, world.another_endpoint().await);
    let hour = Hour::of(T0);
    let all = [row(&world, gone, hour, tally(1, T0)), row(&world, stays, hour, tally(2, T0))];
    world.store.add_hours(&all).await.unwrap();
    assert!(world.store.delete_endpoint(&world.org, gone).await.unwrap());
    assert_eq!(kept(&world.store, &world.org, &[gone, stays]).await, [all[1].clone()]);
    let nobodys = EndpointHour { organization: "nobody".parse().unwrap(), ..all[1].clone() };
    world.store.add_hours(&[all[0].clone(), nobodys, all[1].clone()]).await.unwrap();
    let twice = row(&world, stays, hour, sum(&[tally(2, T0), tally(2, T0)]));
    assert_eq!(kept(&world.store, &world.org, &[gone, stays]).await, [twice]);
    world.store.delete_organization(&world.org).await.unwrap();
    world.store.add_hours(&all).await.unwrap();
    assert_eq!(kept(&world.store, &world.org, &[stays]).await, []);
    world.store.create_organization(&organization("acme")).await.unwrap();
    assert_eq!(kept(&world.store, &world.org, &[stays]).await, []);
}

/// An hour goes once all of it is older; rows of what was deleted are dropped and counted as dropped.
pub async fn old_hours_go_with_retention_and_the_rest_with_its_endpoint(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let (one, deleted) = (world.endpoint, world.another_endpoint().await);
    let hour = |number: i64| Hour::of(at(number * HOUR));
    for endpoint in [one, deleted] {
        let rows: Vec<_> = (0..4).map(|number| row(&world, endpoint, hour(number), tally(1, T0))).collect();
        world.store.add_hours(&rows).await.unwrap();
    }
    let hour_begins = hour(2).begins_at();
    let step = world.store.retain(at(4 * HOUR), hour_begins, 100).await.unwrap();
    assert_eq!((step.rows_dropped, step.more), (4, false));
    let left: Vec<_> = kept(&world.store, &world.org, &[one]).await.iter().map(|row| row.hour).collect();
    assert_eq!(left, [hour(2), hour(3)]);
    let step = world.store.retain(at(4 * HOUR), Millis(hour(3).begins_at().0 - 1), 100).await.unwrap();
    assert_eq!(step.rows_dropped, 0, "a part of the hour is younger");
    world.store.delete_endpoint(&world.org, deleted).await.unwrap();
    let mut dropped = 0;
    loop {
        let step = world.store.retain(at(4 * HOUR), T0, 1).await.unwrap();
        dropped += step.rows_dropped;
        if !step.more {
            break;
        }
    }
    assert!(dropped >= 2, "its two hours, in steps of one row: {dropped}");
    assert_eq!(kept(&world.store, &world.org, &[one]).await.len(), 2);
}

/// Nothing of an endpoint that is another's, and nothing is added to one in another's name.
pub async fn another_organization_finds_nothing(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let other = World::of(world.store.clone(), "other").await;
    let hour = Hour::of(T0);
    let theirs = row(&other, other.endpoint, hour, tally(1, T0));
    world.store.add_hours(&[theirs.clone(), row(&world, other.endpoint, hour, tally(7, T0))]).await.unwrap();
    assert_eq!(kept(&world.store, &world.org, &[other.endpoint]).await, []);
    assert_eq!(kept(&world.store, &other.org, &[other.endpoint, world.endpoint]).await, [theirs]);
}

/// As several nodes do, each a number of endpoints in an order of its own; it is there after opening again.
pub async fn what_is_added_at_once_is_all_there(subject: &mut impl Subject) {
    let mut world = World::new(subject).await;
    let mut endpoints = vec![world.endpoint];
    for number in 0..9 {
        let more = endpoint(&world.org, at(number));
        world.store.create_endpoint(&more, &EndpointLimits::default()).await.unwrap();
        endpoints.push(more.id);
    }
    let hour = Hour::of(T0);
    let add = |store: Leased, is_backwards: bool| {
        let mut rows: Vec<_> = endpoints.iter().map(|id| row(&world, *id, hour, tally(1, T0))).collect();
        if is_backwards {
            rows.reverse();
        }
        async move {
            for _ in 0..25 {
                store.add_hours(&rows).await.unwrap();
            }
        }
    };
    let store = || world.store.clone();
    tokio::join!(add(store(), false), add(store(), true), add(store(), false), add(store(), true));
    let all = sum(&vec![tally(1, T0); 100]);
    subject.reopen().await;
    world.store = subject.store();
    let found = kept(&world.store, &world.org, &endpoints).await;
    assert_eq!(found.len(), endpoints.len());
    assert!(found.iter().all(|row| row.tally == all), "{found:?}");
}
