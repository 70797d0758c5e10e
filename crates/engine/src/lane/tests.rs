use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use postrider_domain::{DeliveryId, EndpointId, EventId, Millis, Progress, Trigger};
use postrider_store::{Event, OpenDelivery, RevisionId};
use uuid::Uuid;

use super::*;

fn lane(limits: &EngineLimits) -> (Lane, Arc<AtomicUsize>) {
    let bytes = Arc::new(AtomicUsize::new(0));
    (Lane::new("acme".parse().unwrap(), EndpointId(Uuid::nil()), limits, Arc::clone(&bytes)), bytes)
}

fn limits() -> EngineLimits {
    EngineLimits { lane_slots_initial: 2, lane_slots_max: 4, lane_window_deliveries: 4, ..EngineLimits::default() }
}

fn delivery(n: u128) -> OpenDelivery {
    let event = Event {
        id: EventId::made(Uuid::from_u128(n)),
        key: Uuid::from_u128(n),
        event_type: "deal.won".into(),
        occurred_at: Millis(0),
        accepted_at: Millis(0),
        resource: None,
        data: "{}".into(),
        changes: None,
    };
    OpenDelivery {
        id: DeliveryId(Uuid::from_u128(n)),
        organization: "acme".parse().unwrap(),
        endpoint: EndpointId(Uuid::nil()),
        event_type: "deal.won".into(),
        revision: RevisionId([0; 32]),
        test: false,
        created_at: Millis(0),
        due_at: Millis(0),
        progress: Progress::default(),
        trigger: Trigger::Schedule,
        event: Arc::new(event),
    }
}

fn reserve_and_push(lane: &Lane, n: u128) -> Start {
    let delivery = Arc::new(delivery(n));
    assert_eq!(lane.reserve(delivery.id, held_bytes(&delivery.event)), Reservation::Held);
    lane.push(delivery)
}

#[test]
fn no_more_workers_than_slots_are_started() {
    let (lane, _) = lane(&limits());
    let started: Vec<_> = (0..4).map(|n| reserve_and_push(&lane, n).workers).collect();
    assert_eq!(started.iter().sum::<usize>(), 2);
}

#[test]
fn answers_earn_slots_and_silence_costs_half() {
    let (lane, _) = lane(&limits());
    for _ in 0..10 {
        lane.note_answer(true);
    }
    assert_eq!(lane.state.lock().slots.now, 4);
    assert!(lane.is_proven());
    lane.note_answer(false);
    lane.note_answer(false);
    lane.note_answer(false);
    assert_eq!(lane.state.lock().slots.now, 1);
    assert!(!lane.is_proven());
}

#[test]
fn a_worker_ends_when_its_slot_is_gone() {
    let (lane, _) = lane(&limits());
    for n in 0..4 {
        reserve_and_push(&lane, n);
    }
    lane.note_answer(false);
    assert!(lane.take().0.is_none(), "two workers, one slot: the first to ask ends");
    assert!(lane.take().0.is_some());
}

#[test]
fn a_full_window_turns_work_into_backlog_and_a_drained_claim_ends_it() {
    let (lane, _) = lane(&limits());
    for n in 0..4 {
        reserve_and_push(&lane, n);
    }
    assert_eq!(lane.reserve(DeliveryId(Uuid::from_u128(9)), 1), Reservation::Full);
    assert!(!lane.mark_backlog().unwrap().claim, "no claim while more than half of the window is held");
    let start = lane.release((0..3).map(|n| DeliveryId(Uuid::from_u128(n))));
    assert!(start.claim);
    let plan = lane.plan_claim(100);
    assert_eq!(plan.limit, 3);
    let (is_drained, _) = lane.end_claim(&plan, vec![delivery(9)]);
    assert!(is_drained);
    assert_eq!(lane.reserve(DeliveryId(Uuid::from_u128(10)), 1), Reservation::Held);
}

#[test]
fn work_found_during_a_claim_is_not_forgotten_by_it() {
    let (lane, _) = lane(&limits());
    assert!(lane.mark_backlog().unwrap().claim);
    let plan = lane.plan_claim(100);
    assert!(!lane.mark_backlog().unwrap().claim, "one claim at a time");
    let (is_drained, start) = lane.end_claim(&plan, vec![]);
    assert!(!is_drained);
    assert!(start.claim, "it looks again");
}

#[test]
fn what_is_held_is_not_taken_twice_from_a_claim() {
    let (lane, _) = lane(&limits());
    reserve_and_push(&lane, 1);
    lane.mark_backlog();
    let plan = lane.plan_claim(100);
    lane.end_claim(&plan, vec![delivery(1), delivery(2)]);
    assert_eq!(lane.state.lock().queue.len(), 2);
}

#[test]
fn released_deliveries_give_their_bytes_back() {
    let (lane, bytes) = lane(&limits());
    reserve_and_push(&lane, 1);
    assert!(bytes.load(Ordering::Relaxed) > 0);
    lane.release([DeliveryId(Uuid::from_u128(1))]);
    lane.release([DeliveryId(Uuid::from_u128(1))]);
    assert_eq!(bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn only_an_idle_lane_is_closed_and_a_closed_one_takes_nothing() {
    let (lane, _) = lane(&limits());
    assert_eq!(lane.note_due(Millis(5)), Some(true));
    assert_eq!(lane.note_due(Millis(7)), Some(false));
    assert!(!lane.close_if_idle());
    assert!(!lane.ring(Millis(4)));
    assert!(lane.ring(Millis(5)));
    assert!(lane.close_if_idle());
    assert_eq!(lane.reserve(DeliveryId(Uuid::nil()), 1), Reservation::Closed);
    assert_eq!(lane.mark_backlog(), None);
    assert_eq!(lane.note_due(Millis(9)), None);
}
