use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{DeliveryId, EndpointId, EventId, Millis, Progress, Resume, Trigger};
use postrider_store::{Event, OpenDelivery, RevisionId};
use uuid::Uuid;

use super::*;

fn lane(limits: &EngineLimits) -> (Lane, Arc<HeldBytes>) {
    let bytes = Arc::new(HeldBytes::new(1 << 20));
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

fn slots_of(lane: &Lane) -> (usize, bool) {
    let slots = lane.state.lock().slots;
    (slots.now(), slots.is_prompt())
}

#[test]
fn no_more_workers_than_slots_are_started() {
    let (lane, _) = lane(&limits());
    let started: Vec<_> = (0..4).map(|n| reserve_and_push(&lane, n).workers).collect();
    assert_eq!(started.iter().sum::<usize>(), 2);
}

#[test]
fn prompt_answers_earn_slots_slow_ones_half_of_them_and_silence_costs_half() {
    let (lane, _) = lane(&limits());
    (0..10).for_each(|_| lane.note_answer(Answer::Slow));
    assert_eq!(slots_of(&lane), (2, false));
    (0..10).for_each(|_| lane.note_answer(Answer::Prompt));
    assert_eq!(slots_of(&lane), (4, true));
    (0..3).for_each(|_| lane.note_answer(Answer::Silence));
    assert_eq!(slots_of(&lane), (1, false));
}

#[test]
fn an_answer_that_trickles_to_the_deadline_is_silence() {
    let limits = limits();
    assert_eq!(Answer::after(Duration::ZERO, false, &limits), Answer::Prompt);
    assert_eq!(Answer::after(limits.prompt_max * 2, false, &limits), Answer::Slow);
    assert_eq!(Answer::after(Duration::ZERO, true, &limits), Answer::Silence);
}

#[test]
fn a_silent_endpoint_holds_little_in_memory() {
    let (lane, _) = lane(&EngineLimits { lane_window_deliveries: 100, ..limits() });
    lane.note_answer(Answer::Silence);
    for n in 0..2 {
        reserve_and_push(&lane, n);
    }
    assert_eq!(lane.reserve(DeliveryId(Uuid::from_u128(9)), 1), Reservation::Full);
}

#[test]
fn large_events_fill_a_lane_by_their_bytes_and_a_few_always_fit() {
    let (lane, _) = lane(&EngineLimits { lane_window_deliveries: 100, lane_window_bytes: 1_000, ..limits() });
    let fits = (0..10).take_while(|n| lane.reserve(DeliveryId(Uuid::from_u128(*n)), 900) == Reservation::Held).count();
    assert_eq!(fits, Held::ALWAYS);
}

#[test]
fn what_other_lanes_hold_leaves_each_lane_a_few() {
    let bytes = Arc::new(HeldBytes::new(1));
    let make =
        || Lane::new("acme".parse().unwrap(), EndpointId(Uuid::nil()), &EngineLimits::default(), Arc::clone(&bytes));
    for lane in [make(), make()] {
        let fits =
            (0..10).take_while(|n| lane.reserve(DeliveryId(Uuid::from_u128(*n)), 900) == Reservation::Held).count();
        assert_eq!(fits, Held::ALWAYS);
    }
}

#[test]
fn a_worker_ends_when_its_slot_is_gone() {
    let (lane, _) = lane(&limits());
    for n in 0..4 {
        reserve_and_push(&lane, n);
    }
    lane.note_answer(Answer::Silence);
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
    let starts = [0, 1, 2].map(|n| lane.release(DeliveryId(Uuid::from_u128(n))));
    assert!(starts.iter().any(|start| start.claim));
    let plan = lane.plan_claim(100);
    assert_eq!(plan.limit, 3);
    let (is_drained, _) = lane.end_claim(&plan, vec![delivery(9)]);
    assert!(is_drained);
    assert_eq!(lane.reserve(DeliveryId(Uuid::from_u128(10)), 1), Reservation::Held);
}

#[test]
fn work_found_during_a_claim_is_not_forgotten_by_it_and_new_work_need_not_wait_for_it() {
    let (lane, _) = lane(&limits());
    assert!(lane.mark_backlog().unwrap().claim);
    let plan = lane.plan_claim(100);
    assert!(!lane.mark_backlog().unwrap().claim, "one claim at a time");
    assert_eq!(lane.reserve(DeliveryId(Uuid::from_u128(9)), 1), Reservation::Full, "older work goes first");
    let (is_drained, start) = lane.end_claim(&plan, vec![]);
    assert!(is_drained && start.claim, "it looks again");
    assert_eq!(lane.reserve(DeliveryId(Uuid::from_u128(9)), 1), Reservation::Held);
}

#[test]
fn a_resting_lane_claims_nothing_and_keeps_what_a_person_asked_for() {
    let (lane, _) = lane(&limits());
    reserve_and_push(&lane, 1);
    let asked = OpenDelivery { trigger: Trigger::Person { resume: Resume::Succeeded }, ..delivery(2) };
    lane.push_first(Arc::new(asked)).unwrap();
    lane.rest();
    assert!(!lane.mark_backlog().unwrap().claim);
    let state = lane.state.lock();
    assert_eq!(state.queue.iter().map(|d| d.id.0.as_u128()).collect::<Vec<_>>(), [2]);
    drop(state);
    assert!(lane.wake().unwrap().claim);
}

#[test]
fn a_postponed_delivery_is_not_claimed_before_its_timer_rings() {
    let (lane, _) = lane(&limits());
    reserve_and_push(&lane, 1);
    let taken = lane.take().0.unwrap();
    lane.postpone(taken.id);
    lane.note_due(Millis(5));
    assert_eq!(lane.plan_claim(10).held, [taken.id]);
    assert!(lane.ring(Millis(5)));
    assert_eq!(lane.plan_claim(10).held, []);
}

#[test]
fn a_retry_asked_for_during_an_attempt_is_made_after_it() {
    let (lane, _) = lane(&limits());
    reserve_and_push(&lane, 1);
    let id = DeliveryId(Uuid::from_u128(1));
    assert!(lane.will_send_again(id));
    assert!(!lane.take_again(id), "it waits in the queue: that attempt is the one asked for");
    lane.take();
    assert!(lane.will_send_again(id));
    assert!(lane.take_again(id));
    assert!(!lane.take_again(id));
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
    let (lane, _) = lane(&limits());
    reserve_and_push(&lane, 1);
    let held = lane.state.lock().held.bytes();
    assert!(held > 0);
    lane.release(DeliveryId(Uuid::from_u128(1)));
    lane.release(DeliveryId(Uuid::from_u128(1)));
    assert_eq!(lane.state.lock().held.bytes(), 0);
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
