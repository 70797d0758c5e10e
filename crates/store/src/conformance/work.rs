//! Claims, and what lanes ask.

use std::sync::Arc;

use postrider_domain::{DeliveryId, EndpointId, Progress, Trigger};

use super::samples::{World, at, id_at};
use super::{Subject, T0};
use crate::model::{LaneDue, LaneId, OpenDelivery};

fn ids(open: &[OpenDelivery]) -> Vec<DeliveryId> {
    open.iter().map(|delivery| delivery.id).collect()
}

/// Not what is due later, and not more than asked for.
pub async fn due_work_is_claimed_earliest_first(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let mut made = vec![];
    for due in [30, 10, 20, 10, 40] {
        let mut delivery = world.delivery(T0);
        delivery.due_at = at(due);
        made.push(delivery.id);
        world.commit(vec![world.event_with(T0, vec![delivery])]).await;
    }
    let all_due = [made[1], made[3], made[2], made[0]];
    assert_eq!(ids(&world.claim(at(30)).await), all_due);
    assert_eq!(ids(&world.claim(at(9)).await), []);
    let two = world.store.claim_due(&world.org, world.endpoint, at(100), 2, vec![]).await.unwrap();
    assert_eq!(ids(&two), all_due[..2]);
    assert_eq!(ids(&world.claim(at(30)).await), all_due, "claiming writes nothing");
    let unknown = EndpointId(id_at(T0));
    assert_eq!(world.store.claim_due(&world.org, unknown, at(100), 2, vec![]).await.unwrap(), []);
}

/// However many they are, and though they are due first.
pub async fn held_deliveries_are_left_alone(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let events: Vec<_> = (0..30).map(|i| world.event(at(i))).collect();
    let made: Vec<_> = events.iter().map(|event| event.deliveries[0].id).collect();
    world.commit(events).await;
    let mut held = made[..20].to_vec();
    held.push(made[25]);
    held.extend((0..5_000).map(|_| DeliveryId(id_at(T0))));
    let claimed = world.store.claim_due(&world.org, world.endpoint, at(100), 7, held).await.unwrap();
    let expected = [20, 21, 22, 23, 24, 26, 27].map(|i| made[i]);
    assert_eq!(ids(&claimed), expected);
}

/// Every endpoint with open work once, whoever's it is; page by page.
pub async fn lanes_are_listed_by_endpoint_with_their_first_due_time(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let other = World::of(world.store.clone(), "other").await;
    let idle = world.another_endpoint().await;
    let busy = world.another_endpoint().await;
    let deliveries = vec![world.delivery(at(3)), world.delivery(at(2)), world.delivery_to(busy, at(9))];
    world.commit(vec![world.event_with(T0, deliveries)]).await;
    other.commit(vec![other.event(at(4))]).await;
    let lane = |world: &World, endpoint, due| LaneDue {
        lane: LaneId { organization: world.org.clone(), endpoint },
        due_at: at(due),
    };
    let mut expected = vec![lane(&world, world.endpoint, 2), lane(&other, other.endpoint, 4), lane(&world, busy, 9)];
    expected.sort_by_key(|lane| lane.lane.endpoint);
    assert_eq!(world.store.lanes_due(None, 10).await.unwrap(), expected);
    let first = world.store.lanes_due(None, 2).await.unwrap();
    assert_eq!(first, expected[..2]);
    let rest = world.store.lanes_due(Some(first[1].lane.endpoint), 2).await.unwrap();
    assert_eq!(rest, expected[2..]);
    assert!(expected.iter().all(|lane| lane.lane.endpoint != idle));
}

/// What was due at `after` is no longer asked for.
pub async fn a_lane_is_asked_for_what_is_due_later(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    world.commit(vec![world.event_with(T0, vec![world.delivery(at(5)), world.delivery(at(8))])]).await;
    let due = async |after| world.store.lane_due(&world.org, world.endpoint, at(after)).await.unwrap();
    assert_eq!(due(4).await, Some(at(5)));
    assert_eq!(due(5).await, Some(at(8)));
    assert_eq!(due(8).await, None);
    assert_eq!(world.store.lane_due(&world.org, EndpointId(id_at(T0)), T0).await.unwrap(), None);
}

/// With the type in the receiver's words and the event as it was published.
pub async fn a_claim_holds_all_that_an_attempt_needs(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let mut new = world.event(T0);
    new.test = true;
    let mut second = world.delivery(at(2));
    second.event_type = "another".into();
    new.deliveries.push(second);
    let expected: Vec<_> = new
        .deliveries
        .iter()
        .map(|delivery| OpenDelivery {
            id: delivery.id,
            organization: world.org.clone(),
            endpoint: world.endpoint,
            event_type: Arc::clone(&delivery.event_type),
            revision: world.revision,
            test: true,
            created_at: T0,
            due_at: delivery.due_at,
            progress: Progress::default(),
            trigger: Trigger::Schedule,
            turn: None,
            event: Arc::clone(&new.event),
        })
        .collect();
    world.commit(vec![new]).await;
    assert_eq!(world.claim(at(2)).await, expected);
}
