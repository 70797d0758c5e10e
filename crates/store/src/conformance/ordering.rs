//! Deliveries in order: of those about one record to one endpoint, one after another is due.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use postrider_domain::{DeliveryId, FailReason, Millis, Resume, Transition, Trigger};

use super::samples::{DAY, HOUR, World, at, event, outcome, resource};
use super::{Subject, T0};
use crate::model::{DeliveryFilter, Event, NewEvent, OpenDelivery};

/// An event about these records, or about none, with a delivery in order to this world's endpoint.
fn about(world: &World, accepted_at: Millis, records: &[&str]) -> NewEvent {
    let resource = (!records.is_empty()).then(|| resource("deal", records));
    let mut delivery = world.delivery(accepted_at);
    delivery.in_order = true;
    let event = Arc::new(Event { resource, ..event(accepted_at) });
    NewEvent { event, fingerprint: None, test: false, is_derived: false, deliveries: vec![delivery] }
}

/// Commits them one after another; their deliveries.
async fn commit(world: &World, events: &[&[&str]]) -> Vec<DeliveryId> {
    let mut ids = Vec::new();
    for records in events {
        let new = about(world, T0, records);
        ids.push(new.deliveries[0].id);
        world.commit(vec![new]).await;
    }
    ids
}

async fn due(world: &World, now: Millis) -> HashSet<DeliveryId> {
    world.claim(now).await.into_iter().map(|open| open.id).collect()
}

async fn record(world: &World, delivery: &Arc<OpenDelivery>, ended_at: Millis, transition: Transition) {
    world.store.record_outcomes(&[outcome(delivery, ended_at, transition)]).await.unwrap();
}

/// Succeeded or failed for good, but not while it is retried. Other records, events about none and other endpoints do not wait.
pub async fn the_next_about_a_record_is_due_once_the_one_before_has_ended(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let made = commit(&world, &[&["a"], &["a"], &["b"], &["a"], &[], &[], &["b"]]).await;
    let other = world.another_endpoint().await;
    let mut elsewhere = about(&world, T0, &["a"]);
    elsewhere.deliveries[0].endpoint = other;
    world.commit(vec![elsewhere]).await;
    assert_eq!(world.store.claim_due(&world.org, other, at(1), 9, vec![]).await.unwrap().len(), 1);
    let of = |places: &[usize]| places.iter().map(|place| made[*place]).collect::<HashSet<_>>();
    assert_eq!(due(&world, at(1)).await, of(&[0, 2, 4, 5]));
    assert_eq!(world.store.lane_due(&world.org, world.endpoint, at(1)).await.unwrap(), None);
    assert_eq!(world.status_of(made[1]).await.next_attempt_at, None, "nobody knows when");
    let first = world.claimed(made[0], at(1)).await;
    record(&world, &first, at(2), Transition::RetryAt(at(50))).await;
    assert_eq!(due(&world, at(49)).await, of(&[2, 4, 5]));
    let first = world.claimed(made[0], at(50)).await;
    record(&world, &first, at(51), Transition::Succeed).await;
    assert_eq!(due(&world, at(50)).await, of(&[2, 4, 5]));
    assert_eq!(due(&world, at(51)).await, of(&[1, 2, 4, 5]));
    assert_eq!(world.status_of(made[1]).await.next_attempt_at, Some(at(51)));
    let second = world.claimed(made[1], at(51)).await;
    record(&world, &second, at(52), Transition::Fail(FailReason::Exhausted)).await;
    assert_eq!(due(&world, at(52)).await, of(&[2, 3, 4, 5]));
    let left = world.store.deliveries(&world.org, &DeliveryFilter::default(), super::samples::all()).await.unwrap();
    assert_eq!(left.rows.len(), 8);
}

/// And those about any of them wait for it.
pub async fn an_event_about_several_records_waits_for_all_of_them(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let made = commit(&world, &[&["a"], &["b"], &["a", "b", "b", "c"], &["c"], &["b"]]).await;
    let of = |places: &[usize]| places.iter().map(|place| made[*place]).collect::<HashSet<_>>();
    assert_eq!(due(&world, at(1)).await, of(&[0, 1]));
    for (ended, expected) in [(1, &[0][..]), (0, &[2]), (2, &[3, 4])] {
        let open = world.claimed(made[ended], at(9)).await;
        world.succeed(&open, at(9)).await;
        assert_eq!(due(&world, at(9)).await, of(expected));
    }
}

/// However many wait, a claim reads what is due alone.
pub async fn a_stuck_record_holds_back_its_own_deliveries_alone(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let stuck: Vec<_> = (0..2_000).map(|_| about(&world, T0, &["stuck"])).collect();
    let ids: Vec<_> = stuck.iter().map(|new| new.deliveries[0].id).collect();
    world.commit(stuck).await;
    let first = world.claimed(ids[0], at(1)).await;
    record(&world, &first, at(2), Transition::RetryAt(at(DAY))).await;
    let others = commit(&world, &[&["x"], &["y"], &["z"]]).await;
    let claimed = world.store.claim_due(&world.org, world.endpoint, at(3), 3, vec![]).await.unwrap();
    assert_eq!(claimed.iter().map(|open| open.id).collect::<Vec<_>>(), others);
    let first = world.claimed(ids[0], at(DAY)).await;
    world.succeed(&first, at(DAY)).await;
    let next: HashSet<_> = others.iter().copied().chain([ids[1]]).collect();
    assert_eq!(due(&world, at(DAY)).await, next);
}

/// It goes out of turn because a person wants it, and waits again when that fails, unless its turn has come meanwhile.
pub async fn what_a_person_hastens_waits_again_when_it_fails(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let made = commit(&world, &[&["a"], &["a"], &["a"]]).await;
    let hasten = async |id, now| Arc::new(world.store.retry_delivery(&world.org, id, at(now)).await.unwrap().unwrap());
    let fail = async |open: &Arc<OpenDelivery>, ended_at| {
        let Trigger::Person { resume: Resume::At(then) } = open.trigger else { panic!("a person asked") };
        record(&world, open, at(ended_at), Transition::RetryAt(then)).await;
    };
    let third = hasten(made[2], 5).await;
    assert_eq!(due(&world, at(5)).await, HashSet::from([made[0], made[2]]));
    fail(&third, 6).await;
    assert_eq!(due(&world, at(9)).await, HashSet::from([made[0]]));
    let second = hasten(made[1], 10).await;
    let first = world.claimed(made[0], at(10)).await;
    world.succeed(&first, at(11)).await;
    fail(&second, 12).await;
    assert_eq!(due(&world, at(12)).await, HashSet::from([made[1]]), "its turn came while it was on its way");
    let third = hasten(made[2], 13).await;
    world.succeed(&third, at(14)).await;
    let second = world.claimed(made[1], at(14)).await;
    world.succeed(&second, at(15)).await;
    assert_eq!(due(&world, at(DAY)).await, HashSet::new());
    let again = hasten(made[0], 20).await;
    let after = commit(&world, &[&["a"]]).await;
    assert_eq!(again.turn, None, "it has had its turn");
    assert!(due(&world, at(20)).await.contains(&after[0]), "nobody waits for what is sent once more");
}

/// And what is committed then goes behind it.
pub async fn the_order_is_there_after_opening_again(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let mut made = commit(&world, &[&["a"], &["a", "b"], &["b"]]).await;
    subject.reopen().await;
    let world = World { store: subject.store(), ..world };
    made.extend(commit(&world, &[&["a"], &["b"]]).await);
    let mut ended = Vec::new();
    for now in 1..=5 {
        let claimed = world.claim(at(now)).await;
        ended.extend(claimed.iter().map(|open| open.id));
        for open in claimed {
            world.succeed(&Arc::new(open), at(now)).await;
        }
    }
    let place = |nth: usize| ended.iter().position(|id| *id == made[nth]).unwrap();
    for (one, next) in [(0, 1), (1, 2), (1, 3), (2, 4)] {
        assert!(place(one) < place(next), "{next} went before {one}");
    }
    assert_eq!(ended.len(), 5);
}

/// Retention ends a delivery like any other.
pub async fn what_expires_lets_the_next_one_go(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let old = about(&world, T0, &["a"]);
    world.commit(vec![old]).await;
    let young = about(&world, at(2 * DAY), &["a"]);
    let id = young.deliveries[0].id;
    world.commit(vec![young]).await;
    let before = if subject.drops_whole_days() { at(HOUR) } else { at(DAY) };
    let mut expired = 0;
    for _ in 0..1_000 {
        let step = world.store.retain(at(31 * DAY), before, 100).await.unwrap();
        expired += step.deliveries_expired;
        if !step.more {
            break;
        }
    }
    assert_eq!(expired, 1);
    assert_eq!(due(&world, at(31 * DAY)).await, HashSet::from([id]));
}

/// Whatever is committed, ended and retried at the same time: no two about one record are ever due together, none comes before its turn, and all end.
pub async fn no_delivery_is_left_waiting_whatever_happens_at_once(subject: &mut impl Subject) {
    const RECORDS: [&str; 4] = ["a", "b", "c", "d"];
    const EVENTS: usize = 120;
    let world = Arc::new(World::new(subject).await);
    let committers: Vec<_> = (0..4)
        .map(|task| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                for step in 0..EVENTS / 4 {
                    let one = RECORDS[(task + step) % 4];
                    let another = RECORDS[(task * step + 1) % 4];
                    let records = [one, another];
                    let new = about(&world, T0, if step % 3 == 0 { &records } else { &records[..1] });
                    world.commit(vec![new]).await;
                }
            })
        })
        .collect();
    let mut begun: HashMap<String, i64> = HashMap::new();
    let (mut ended, mut idle) = (0, 0);
    while ended < EVENTS && idle < 10_000 {
        let claimed = world.claim(at(1)).await;
        idle = if claimed.is_empty() { idle + 1 } else { 0 };
        let mut at_once = HashSet::new();
        for open in &claimed {
            for record in &open.event.resource.as_ref().unwrap().ids.iter().collect::<HashSet<_>>() {
                assert!(at_once.insert((*record).clone()), "two about one record are due");
                let last = begun.insert((*record).clone(), open.turn.unwrap()).unwrap_or(0);
                assert!(last <= open.turn.unwrap(), "one came before its turn");
            }
        }
        // Each by itself, all at once: so that they meet in the store.
        let recorded = claimed.into_iter().enumerate().map(|(nth, open)| {
            let world = Arc::clone(&world);
            let again = open.progress.attempts_count == 0 && nth % 2 == 0;
            tokio::spawn(async move {
                let transition = if again { Transition::RetryAt(at(1)) } else { Transition::Succeed };
                record(&world, &Arc::new(open), at(1), transition).await;
                usize::from(!again)
            })
        });
        for task in recorded.collect::<Vec<_>>() {
            ended += task.await.unwrap();
        }
        tokio::task::yield_now().await;
    }
    for committer in committers {
        committer.await.unwrap();
    }
    assert_eq!(ended, EVENTS, "some wait for ever");
}
