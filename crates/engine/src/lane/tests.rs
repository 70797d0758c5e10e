use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use postrider_domain::{
    Action, Actor, AuditEntry, AuditId, DeliveryId, EndpointId, EventId, Millis, Progress, Resume, Trigger,
};
use postrider_store::{Event, OpenDelivery, RevisionId};
use uuid::Uuid;

use super::*;

const LEASE: LeaseNo = LeaseNo(1);

fn of_all(held_bytes_max: usize, is_alone: bool) -> OfAllLanes {
    OfAllLanes { held_bytes: Arc::new(HeldBytes::new(held_bytes_max)), ours: Arc::default(), is_alone }
}

fn lane_of(limits: &EngineLimits, of_all: &OfAllLanes) -> Lane {
    Lane::new("acme".parse().unwrap(), EndpointId(Uuid::nil()), LEASE, limits, of_all.clone())
}

/// A lane of a store with one node alone.
fn lane(limits: &EngineLimits) -> Lane {
    lane_of(limits, &of_all(1 << 20, true))
}

/// A lane that many nodes may have, and how many are ours.
fn shared_lane() -> (Lane, Arc<AtomicUsize>) {
    let of_all = of_all(1 << 20, false);
    (lane_of(&limits(), &of_all), Arc::clone(&of_all.ours))
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
        turn: None,
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

fn by_hand() -> AuditEntry {
    AuditEntry::new(AuditId(Uuid::nil()), Millis(0), Actor::Operator, Action::DELIVERY_RETRIED, "sample")
}

#[test]
fn no_more_workers_than_slots_are_started() {
    let lane = lane(&limits());
    let started: Vec<_> = (0..4).map(|n| reserve_and_push(&lane, n).workers).collect();
    assert_eq!(started.iter().sum::<usize>(), 2);
}

#[test]
fn prompt_answers_earn_slots_slow_ones_half_of_them_and_silence_costs_half() {
    let lane = lane(&limits());
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
    let lane = lane(&EngineLimits { lane_window_deliveries: 100, ..limits() });
    lane.note_answer(Answer::Silence);
    for n in 0..2 {
        reserve_and_push(&lane, n);
    }
    assert_eq!(lane.reserve(DeliveryId(Uuid::from_u128(9)), 1), Reservation::Full);
}

#[test]
fn large_events_fill_a_lane_by_their_bytes_and_a_few_always_fit() {
    let lane = lane(&EngineLimits { lane_window_deliveries: 100, lane_window_bytes: 1_000, ..limits() });
    let fits = (0..10).take_while(|n| lane.reserve(DeliveryId(Uuid::from_u128(*n)), 900) == Reservation::Held).count();
    assert_eq!(fits, Held::ALWAYS);
}

#[test]
fn what_other_lanes_hold_leaves_each_lane_a_few() {
    let of_all = of_all(1, true);
    for lane in [(); 2].map(|()| lane_of(&EngineLimits::default(), &of_all)) {
        let fits =
            (0..10).take_while(|n| lane.reserve(DeliveryId(Uuid::from_u128(*n)), 900) == Reservation::Held).count();
        assert_eq!(fits, Held::ALWAYS);
    }
}

#[test]
fn a_worker_ends_when_its_slot_is_gone() {
    let lane = lane(&limits());
    for n in 0..4 {
        reserve_and_push(&lane, n);
    }
    lane.note_answer(Answer::Silence);
    assert!(lane.take().0.is_none(), "two workers, one slot: the first to ask ends");
    assert!(lane.take().0.is_some());
}

#[test]
fn a_full_window_turns_work_into_backlog_and_a_drained_claim_ends_it() {
    let lane = lane(&limits());
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
    let lane = lane(&limits());
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
    let lane = lane(&limits());
    reserve_and_push(&lane, 1);
    let asked = OpenDelivery { trigger: Trigger::Person { resume: Resume::Succeeded }, ..delivery(2) };
    assert_eq!(lane.ask_again(asked.id, 1, &by_hand()), Asked::ToMake(Reservation::Held));
    lane.push_first(Arc::new(asked));
    lane.rest();
    assert!(!lane.mark_backlog().unwrap().claim);
    let state = lane.state.lock();
    assert_eq!(state.queue.iter().map(|d| d.id.0.as_u128()).collect::<Vec<_>>(), [2]);
    drop(state);
    assert!(lane.wake().unwrap().claim);
}

#[test]
fn a_resting_lane_is_given_up_once_its_endpoint_was_deleted_whatever_was_due() {
    let (lane, ours) = shared_lane();
    lane.attach();
    assert!(lane.end_claim(&lane.plan_claim(10), vec![]).0);
    lane.note_due(Millis(5));
    lane.rest();
    let now = Instant::now();
    let is_given_up = || {
        lane.is_idle_for(Duration::ZERO, now);
        lane.is_idle_for(Duration::ZERO, now)
    };
    assert!(!is_given_up(), "its endpoint may become active");
    lane.retire();
    assert!(is_given_up());
    assert!(lane.close_if_idle());
    assert_eq!(ours.load(Ordering::Relaxed), 0);
}

#[test]
fn a_postponed_delivery_is_not_claimed_before_its_timer_rings() {
    let lane = lane(&limits());
    reserve_and_push(&lane, 1);
    let taken = lane.take().0.unwrap();
    lane.postpone(taken.id);
    lane.note_due(Millis(5));
    assert_eq!(lane.plan_claim(10).held, [taken.id]);
    assert!(lane.ring(Millis(5)).0);
    assert_eq!(lane.plan_claim(10).held, []);
}

#[test]
fn a_retry_asked_for_during_an_attempt_is_made_after_it() {
    let lane = lane(&limits());
    reserve_and_push(&lane, 1);
    let id = DeliveryId(Uuid::from_u128(1));
    assert_eq!(lane.ask_again(id, 1, &by_hand()), Asked::WillSend);
    assert!(lane.take_again(id).is_none(), "it waits in the queue: that attempt is the one asked for");
    lane.take();
    assert_eq!(lane.ask_again(id, 1, &by_hand()), Asked::Noted);
    assert_eq!(lane.ask_again(id, 1, &by_hand()), Asked::WillSend, "one more is made, for both");
    assert!(lane.take_again(id).is_some());
    assert!(lane.take_again(id).is_none());
}

#[test]
fn what_was_sent_and_recorded_during_a_claim_is_not_sent_again_by_it() {
    let lane = lane(&limits());
    assert!(lane.mark_backlog().unwrap().claim);
    assert!(lane.end_claim(&lane.plan_claim(10), vec![]).0);
    lane.state.lock().is_claiming = true;
    let plan = lane.plan_claim(10);
    reserve_and_push(&lane, 1);
    assert!(lane.take().0.is_some());
    lane.release(delivery(1).id);
    let (_, start) = lane.end_claim(&plan, vec![delivery(1), delivery(2)]);
    assert_eq!(start.workers, 1);
    assert_eq!(lane.take().0.unwrap().id, delivery(2).id);
    assert!(lane.take().0.is_none());
}

#[test]
fn what_is_held_is_not_taken_twice_from_a_claim() {
    let lane = lane(&limits());
    reserve_and_push(&lane, 1);
    lane.mark_backlog();
    let plan = lane.plan_claim(100);
    lane.end_claim(&plan, vec![delivery(1), delivery(2)]);
    assert_eq!(lane.state.lock().queue.len(), 2);
}

#[test]
fn released_deliveries_give_their_bytes_back() {
    let lane = lane(&limits());
    reserve_and_push(&lane, 1);
    let held = lane.state.lock().held.bytes();
    assert!(held > 0);
    lane.release(DeliveryId(Uuid::from_u128(1)));
    lane.release(DeliveryId(Uuid::from_u128(1)));
    assert_eq!(lane.state.lock().held.bytes(), 0);
}

#[test]
fn only_an_idle_lane_is_closed_and_a_closed_one_takes_nothing() {
    let lane = lane(&limits());
    assert_eq!(lane.note_due(Millis(5)), Some(true));
    assert_eq!(lane.note_due(Millis(7)), Some(false));
    assert!(!lane.close_if_idle());
    assert!(!lane.ring(Millis(4)).0);
    assert!(lane.ring(Millis(5)).0);
    assert!(lane.close_if_idle());
    assert_eq!(lane.reserve(DeliveryId(Uuid::nil()), 1), Reservation::Closed);
    assert_eq!(lane.mark_backlog(), None);
    assert_eq!(lane.note_due(Millis(9)), None);
}

#[test]
fn two_persons_who_ask_at_once_ask_for_one_attempt() {
    let lane = lane(&limits());
    let asked = OpenDelivery { trigger: Trigger::Person { resume: Resume::Succeeded }, ..delivery(1) };
    assert_eq!(lane.ask_again(asked.id, 1, &by_hand()), Asked::ToMake(Reservation::Held));
    assert_eq!(lane.ask_again(asked.id, 1, &by_hand()), Asked::Noted);
    let id = asked.id;
    let (start, asked_since) = lane.push_first(Arc::new(asked));
    assert_eq!((start.workers, asked_since), (1, Some(by_hand())), "who asked since is told of");
    assert!(lane.take_again(id).is_none());
}

#[test]
fn a_lane_sends_and_claims_nothing_before_it_is_ours() {
    let (lane, ours) = shared_lane();
    assert!(!lane.mark_backlog().unwrap().claim, "its work is another node's");
    assert_eq!(lane.reserve(DeliveryId(Uuid::from_u128(1)), 1), Reservation::Held);
    assert_eq!(lane.leave_elsewhere(DeliveryId(Uuid::from_u128(1)), true), Start::default());
    assert_eq!((lane.is_ours(), ours.load(Ordering::Relaxed)), (false, 0));
    let start = reserve_and_push(&lane, 2);
    assert_eq!(start, Start { workers: 1, claim: true }, "older work may be in the store");
    assert_eq!((lane.is_ours(), ours.load(Ordering::Relaxed)), (true, 1));
    lane.close();
    assert_eq!(ours.load(Ordering::Relaxed), 0);
}

#[test]
fn what_was_committed_elsewhere_while_the_lane_became_ours_is_claimed() {
    let (lane, _) = shared_lane();
    let id = DeliveryId(Uuid::from_u128(1));
    assert_eq!(lane.reserve(id, 1), Reservation::Held);
    assert!(lane.attach().claim);
    let plan = lane.plan_claim(100);
    assert_eq!(plan.held, [id], "the claim leaves out what is reserved");
    lane.end_claim(&plan, vec![]);
    assert!(lane.leave_elsewhere(id, true).claim);
}

#[test]
fn a_lane_that_drains_gives_up_what_waits_and_leaves_when_nothing_is_under_way() {
    let (lane, ours) = shared_lane();
    lane.attach();
    let (_, start) = lane.end_claim(&lane.plan_claim(100), vec![delivery(1), delivery(2)]);
    assert_eq!(start.workers, 2);
    let taken = lane.take().0.unwrap();
    assert!(lane.mark_backlog().unwrap().claim);
    let plan = lane.plan_claim(100);
    lane.drain();
    assert_eq!(lane.plan_claim(100).held, [taken.id], "what waits is given up");
    assert_eq!(lane.leave(), Leave::NotYet, "a claim, two workers and an attempt are under way");
    lane.end_claim(&plan, vec![delivery(9)]);
    assert_eq!(lane.plan_claim(100).held, [taken.id]);
    assert_eq!(lane.take(), (None, Start::default()));
    assert_eq!(lane.take(), (None, Start::default()));
    assert_eq!(lane.leave(), Leave::NotYet, "an attempt is not recorded");
    assert_eq!(lane.release(taken.id), Start::default());
    assert_eq!(lane.leave(), Leave::Now);
    assert_eq!(lane.reserve(DeliveryId(Uuid::from_u128(5)), 1), Reservation::Leaving);
    lane.close();
    assert_eq!((lane.leave(), ours.load(Ordering::Relaxed)), (Leave::Never, 0));
    assert_eq!(lane.reserve(DeliveryId(Uuid::from_u128(5)), 1), Reservation::Closed);
}

#[test]
fn a_lane_does_not_leave_while_a_commit_for_it_is_under_way() {
    let (lane, _) = shared_lane();
    lane.attach();
    lane.end_claim(&lane.plan_claim(100), vec![]);
    let [held, full, late] = [1, 2, 3].map(|n| DeliveryId(Uuid::from_u128(n)));
    assert_eq!(lane.reserve(held, 1), Reservation::Held);
    lane.drain();
    assert_eq!(lane.reserve(full, 1), Reservation::Full);
    assert_eq!(lane.leave(), Leave::NotYet);
    assert_eq!(lane.push(Arc::new(delivery(1))), Start::default(), "it stays in the store");
    assert_eq!(lane.leave(), Leave::NotYet);
    assert_eq!(lane.reserve(late, 1), Reservation::Leaving, "only commits are under way: no more of them begin");
    assert_eq!(lane.push_unheld(full), Start::default());
    assert_eq!(lane.leave(), Leave::Now);
    assert!(lane.stay().claim, "it was not released: what stayed in the store is claimed");
    assert_eq!(lane.leave(), Leave::Never);
}

#[test]
fn a_lost_lane_hands_nothing_out_and_gives_its_bytes_back() {
    let (lane, _) = shared_lane();
    reserve_and_push(&lane, 1);
    assert_eq!(lane.reserve(DeliveryId(Uuid::from_u128(2)), 1), Reservation::Full, "it looks for older work first");
    lane.close();
    assert_eq!(lane.take(), (None, Start::default()));
    assert_eq!(lane.push_unheld(DeliveryId(Uuid::from_u128(2))), Start::default());
    assert_eq!(lane.attach(), Start::default());
    assert_eq!(lane.state.lock().held.bytes(), 0);
}

#[test]
fn a_lane_is_idle_only_without_any_work_for_the_whole_time() {
    let (lane, _) = shared_lane();
    let (now, idle_max) = (Instant::now(), Duration::from_secs(30));
    let is_idle_after = |seconds: u64| lane.is_idle_for(idle_max, now + Duration::from_secs(seconds));
    assert!(!is_idle_after(100), "it is not ours");
    lane.attach();
    lane.end_claim(&lane.plan_claim(100), vec![]);
    assert!(!is_idle_after(100));
    assert!(!is_idle_after(129));
    assert!(is_idle_after(130));
    let id = DeliveryId(Uuid::from_u128(1));
    lane.reserve(id, 1);
    lane.let_go(id, true);
    assert!(!is_idle_after(140), "it was used in between");
    assert!(is_idle_after(170));
    lane.note_due(Millis(5));
    assert!(!is_idle_after(300), "work is due later");
}

#[test]
fn other_nodes_work_does_not_keep_this_nodes_out_of_memory_unless_there_is_much_of_it() {
    let (lane, _) = shared_lane();
    lane.attach();
    lane.end_claim(&lane.plan_claim(100), vec![]);
    assert!(lane.hear_of_work().claim);
    reserve_and_push(&lane, 1);
    let plan = lane.plan_claim(2);
    assert_eq!(plan.limit, 2);
    lane.end_claim(&plan, vec![delivery(2), delivery(3)]);
    assert_eq!(
        lane.reserve(DeliveryId(Uuid::from_u128(4)), 1),
        Reservation::Full,
        "there may be more of it, and older"
    );
}
