//! Retries: when they are due, what a receiver may ask for, and that a restart changes nothing. The clock is moved, not waited for.

use jiff::Timestamp;
use postrider_tests::receiver::Reply;
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    salessheet_counts_its_retries_from_the_initial_failure_and_then_gives_up,
    salesos_waits_between_its_retries_and_stops_when_one_succeeds,
    retry_after_delays_within_the_schedule_and_odd_values_change_nothing,
    gone_ends_a_delivery_at_once,
    a_restart_keeps_the_schedule_and_offsets_that_passed_collapse_into_one_attempt,
    a_retry_by_hand_uses_up_no_slot,
);

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// The waits of four documents, and the offsets of one: 1 minute, 5 minutes, 30 minutes, 2 hours, 24 hours.
const STEPS_MS: [i64; 5] = [MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 24 * HOUR_MS];

fn ms(time: &Value) -> i64 {
    text(time).parse::<Timestamp>().unwrap().as_millisecond()
}

/// Between an answer and its record lies work, which takes a slow machine longer; shorter than any two steps are apart.
const WORK_MS: i64 = 25_000;

#[track_caller]
fn assert_due_after(wait_ms: i64, expected_ms: i64, why: &str) {
    // Answers are timed in whole milliseconds, rounded.
    let range = expected_ms - 5..=expected_ms + WORK_MS;
    assert!(range.contains(&wait_ms), "{why}: due {wait_ms} ms after the failure instead of {expected_ms}");
}

fn attempt_ended_ms(attempt: &Value) -> i64 {
    ms(&attempt["started_at"]) + attempt["response_time_ms"].as_i64().unwrap()
}

/// Publishes an event of a type that every contract here knows; returns its delivery's id.
async fn publish(organization: &Organization) -> String {
    let event = organization.publish(&json!({"type": "task.completed", "data": {"id": "t"}})).await;
    organization.delivery_of(&event).await
}

/// Moves the clock to the delivery's next attempt and waits until it is recorded.
async fn go_to_next_attempt(world: &World, organization: &Organization, delivery: &Value) -> Value {
    let due = ms(&delivery["next_attempt_at"]);
    let made = items(&delivery["attempts"]).len();
    let now = world.api.get("/test-clock").await.expect(200)["now_ms"].as_i64().unwrap();
    world.advance_ms((due - now).max(0)).await;
    let after = organization.attempted(&text(&delivery["id"]), made + 1).await;
    let latest = items(&after["attempts"]).into_iter().map(|a| ms(&a["started_at"])).max().unwrap();
    assert!(latest >= due, "attempted {} ms before it was due", due - latest);
    after
}

async fn salessheet_counts_its_retries_from_the_initial_failure_and_then_gives_up(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("salessheet").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.receiver.always("/in", Reply::status(500));

    let id = publish(&organization).await;
    let mut delivery = organization.attempted(&id, 1).await;
    let failed_at = attempt_ended_ms(&items(&delivery["attempts"])[0]);
    let first_due = ms(&delivery["next_attempt_at"]);
    assert_due_after(first_due - failed_at, STEPS_MS[0], "the first retry");
    for step in STEPS_MS {
        assert_eq!(delivery["status"], "pending");
        assert_eq!(
            ms(&delivery["next_attempt_at"]) - first_due,
            step - STEPS_MS[0],
            "offsets from the initial failure"
        );
        delivery = go_to_next_attempt(&world, &organization, &delivery).await;
    }
    assert_eq!(delivery["status"], "failed");
    assert_eq!(delivery["next_attempt_at"], Value::Null);
    assert_eq!(delivery["attempts_count"], 6);
    let arrived = world.receiver.at("/in");
    assert!(arrived.iter().all(|request| request.body == arrived[0].body), "the body changed between attempts");
}

async fn salesos_waits_between_its_retries_and_stops_when_one_succeeds(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("salesos").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.receiver.script("/in", vec![Reply::status(500); STEPS_MS.len()]);

    let id = publish(&organization).await;
    let mut delivery = organization.attempted(&id, 1).await;
    for step in STEPS_MS {
        let latest = items(&delivery["attempts"]).iter().map(attempt_ended_ms).max().unwrap();
        let wait = ms(&delivery["next_attempt_at"]) - latest;
        assert_due_after(wait, step, "a wait, without jitter");
        delivery = go_to_next_attempt(&world, &organization, &delivery).await;
    }
    assert_eq!(delivery["status"], "succeeded");
    assert_eq!(delivery["attempts_count"], 6);
}

async fn retry_after_delays_within_the_schedule_and_odd_values_change_nothing(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("salessheet").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    // The header's value, and when the next attempt is due after the failure; the schedule alone says one minute.
    let cases = [
        ("90", 90_000),
        ("7200", 2 * HOUR_MS),
        ("1", MINUTE_MS),
        ("0", MINUTE_MS),
        ("", MINUTE_MS),
        ("-5", MINUTE_MS),
        ("inf", MINUTE_MS),
        ("NaN", MINUTE_MS),
        ("1e300", MINUTE_MS),
        ("1.5", MINUTE_MS),
        ("Sun, 06 Nov 1994 08:49:37 GMT", MINUTE_MS),
        ("soon", MINUTE_MS),
    ];
    for (value, wait) in cases {
        world.receiver.script("/in", [Reply::with_header(503, "retry-after", value)]);
        let id = publish(&organization).await;
        let delivery = organization.attempted(&id, 1).await;
        let due = ms(&delivery["next_attempt_at"]) - attempt_ended_ms(&items(&delivery["attempts"])[0]);
        assert_due_after(due, wait, &format!("Retry-After: {value:?}"));
    }
    for value in ["99999999999999999999", "31536000", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        world.receiver.script("/in", [Reply::with_header(429, "retry-after", value)]);
        let id = publish(&organization).await;
        let delivery = organization.attempted(&id, 1).await;
        let due = ms(&delivery["next_attempt_at"]) - attempt_ended_ms(&items(&delivery["attempts"])[0]);
        assert!(due <= 24 * HOUR_MS + WORK_MS, "Retry-After: {value:?} is due later than the last slot: {due} ms");
    }
}

async fn gone_ends_a_delivery_at_once(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.receiver.script("/in", [Reply::status(410)]);
    let id = publish(&organization).await;
    let delivery = organization.ended(&id, "failed").await;
    assert_eq!(delivery["attempts_count"], 1);
    assert_eq!(delivery["next_attempt_at"], Value::Null);
}

async fn a_restart_keeps_the_schedule_and_offsets_that_passed_collapse_into_one_attempt(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("salessheet").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.receiver.always("/in", Reply::status(500));
    let id = publish(&organization).await;
    let before = organization.attempted(&id, 1).await;
    let first_due = ms(&before["next_attempt_at"]);

    let world = world.killed_and_started().await;
    let organization = Organization { api: world.api.clone(), id: organization.id };
    let kept = organization.delivery(&id).await;
    assert_eq!(kept["next_attempt_at"], before["next_attempt_at"]);
    assert_eq!(kept["attempts"], before["attempts"]);

    // Past the slots of 1, 5 and 30 minutes.
    world.advance_ms(31 * MINUTE_MS).await;
    let after = organization.attempted(&id, 2).await;
    assert_eq!(ms(&after["next_attempt_at"]) - first_due, 2 * HOUR_MS - MINUTE_MS);
    assert_eq!(world.receiver.count_at("/in"), 2);

    let after = go_to_next_attempt(&world, &organization, &after).await;
    assert_eq!(ms(&after["next_attempt_at"]) - first_due, 24 * HOUR_MS - MINUTE_MS);
}

async fn a_retry_by_hand_uses_up_no_slot(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("salessheet").await;
    organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.receiver.always("/in", Reply::status(500));
    let id = publish(&organization).await;
    let before = organization.attempted(&id, 1).await;
    world.api.post(&organization.path(&format!("/deliveries/{id}/retry")), &json!({})).await.expect(202);
    let after = organization.attempted(&id, 2).await;
    assert_eq!(after["next_attempt_at"], before["next_attempt_at"]);
    assert_eq!(after["status"], "pending");
}
