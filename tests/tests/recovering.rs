//! Recover: what did not succeed is sent again, once, beside what comes in; it survives a kill.

use std::collections::BTreeMap;

use postrider_tests::api::Api;
use postrider_tests::program::OPERATOR_KEY;
use postrider_tests::receiver::{Gate, Receiver, Reply};
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    what_failed_and_what_was_missed_arrives_once,
    what_cannot_be_recovered_is_refused_with_what_to_do,
    a_recovery_that_is_killed_goes_on_and_sends_nothing_twice_that_was_recorded,
    live_events_pass_a_recovery_to_a_receiver_that_is_stuck,
    live_events_do_not_wait_for_a_recovery_of_ten_thousand_beside_a_receiver_that_hangs,
    an_endpoint_that_is_paused_ends_its_recovery,
    a_delivery_is_retried_whatever_its_endpoint_is_and_not_once_that_is_deleted,
);

/// Before anything in these tests.
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

async fn publish(organization: &Organization, numbers: std::ops::Range<u64>) {
    let events: Vec<_> = numbers.map(|number| json!({"type": "deal.updated", "data": {"number": number}})).collect();
    for some in events.chunks(100) {
        let body = json!({"events": some});
        organization.api.post(&organization.path("/events/batch"), &body).await.expect(202);
    }
}

/// How often each number arrived at a path.
fn arrivals(receiver: &Receiver, path: &str) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for request in receiver.at(path) {
        *counts.entry(request.json()["data"]["number"].as_u64().unwrap()).or_default() += 1;
    }
    counts
}

async fn enable(organization: &Organization, endpoint: &str, enabled: bool) {
    let path = organization.path(&format!("/endpoints/{endpoint}"));
    organization.api.patch(&path, &json!({"enabled": enabled})).await.expect(200);
}

fn recover_path(organization: &Organization, endpoint: &str) -> String {
    organization.path(&format!("/endpoints/{endpoint}/recover"))
}

async fn recover(organization: &Organization, endpoint: &str) -> String {
    let body = json!({"since": LONG_AGO});
    text(&organization.api.post(&recover_path(organization, endpoint), &body).await.expect(202)["operation"])
}

async fn ended(organization: &Organization, operation: &str) -> Value {
    until("the operation's end", async || {
        let path = organization.path(&format!("/operations/{operation}"));
        Some(organization.api.get(&path).await.expect(200)).filter(|found| found["status"] != "running")
    })
    .await
}

async fn what_failed_and_what_was_missed_arrives_once(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.receiver.script("/in", [Reply::status(200), Reply::status(410)]);
    publish(&organization, 0..1).await;
    world.receiver.wait_for("/in", 1).await;
    publish(&organization, 1..2).await;
    organization.drained().await;
    // The 410 disables it a moment later; then its owner pauses it.
    let path = organization.path(&format!("/endpoints/{}", endpoint.id));
    until("the 410's end", async || {
        Some(organization.api.get(&path).await.expect(200)).filter(|found| found["status"] == "disabled")
    })
    .await;
    enable(&organization, &endpoint.id, false).await;
    publish(&organization, 2..30).await;
    enable(&organization, &endpoint.id, true).await;

    let body = json!({"since": LONG_AGO, "dry_run": true});
    let preview = organization.api.post(&recover_path(&organization, &endpoint.id), &body).await.expect(200);
    assert_eq!(preview, json!({"count": 29, "failed": 1, "missed": 28, "is_complete": true}));
    assert_eq!(world.receiver.count(), 2, "a preview sends nothing");
    let operation = recover(&organization, &endpoint.id).await;
    let found = ended(&organization, &operation).await;
    assert_eq!((&found["status"], &found["done"], &found["total"]), (&json!("succeeded"), &json!(29), &json!(29)));
    assert_eq!((&found["kind"], &found["endpoint"]), (&json!("recovery"), &json!(endpoint.id)));
    organization.drained().await;
    let expected: BTreeMap<u64, usize> = (0..30).map(|number| (number, if number == 1 { 2 } else { 1 })).collect();
    assert_eq!(arrivals(&world.receiver, "/in"), expected);
    assert_eq!(organization.all_deliveries("status=succeeded").await.len(), 30);

    // Once more makes nothing new.
    let again = recover(&organization, &endpoint.id).await;
    let found = ended(&organization, &again).await;
    assert_eq!((&found["status"], &found["done"]), (&json!("succeeded"), &json!(0)));
    assert_eq!(world.receiver.count(), 31);
    let listed = organization.api.get(&organization.path("/operations")).await.expect(200);
    let ids: Vec<_> = items(&listed["data"]).iter().map(|operation| text(&operation["id"])).collect();
    assert_eq!(ids, [again, operation]);
}

async fn what_cannot_be_recovered_is_refused_with_what_to_do(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let gate = Gate::default();
    world.receiver.always("/in", Reply::Gated(gate.clone()));
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({"enabled": false})).await;
    let path = recover_path(&organization, &endpoint.id);
    for (body, pointer) in [
        (json!({}), "/since"),
        (json!({"since": "2999-01-01T00:00:00Z"}), "/since"),
        (json!({"since": LONG_AGO, "until": LONG_AGO}), "/until"),
        (json!({"since": LONG_AGO, "form": 1}), "/form"),
    ] {
        let problem = organization.api.post(&path, &body).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let since = json!({"since": LONG_AGO});
    let paused = organization.api.post(&path, &since).await.problem(409);
    assert!(text(&paused["detail"]).contains("enable it first"), "{paused}");
    publish(&organization, 0..1_000).await;
    enable(&organization, &endpoint.id, true).await;
    let running = recover(&organization, &endpoint.id).await;
    let second = organization.api.post(&path, &since).await.problem(409);
    assert!(text(&second["detail"]).contains("being recovered already"), "{second}");
    gate.open();
    assert_eq!(ended(&organization, &running).await["status"], "succeeded");
    organization.api.delete(&organization.path(&format!("/endpoints/{}", endpoint.id))).await.expect(204);
    organization.api.post(&path, &since).await.problem(404);
    organization.api.get(&organization.path("/operations/op_00000000000000000000000000")).await.problem(404);
    let other = world.organization("standard").await;
    other.api.get(&other.path(&format!("/operations/{running}"))).await.problem(404);
    other.api.post(&recover_path(&other, &endpoint.id), &since).await.problem(404);
}

async fn a_recovery_that_is_killed_goes_on_and_sends_nothing_twice_that_was_recorded(store: Store) {
    const EVENTS: u64 = 600;
    let mut world = World::start_on(store).await;
    let mut organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({"enabled": false})).await;
    publish(&organization, 0..EVENTS).await;
    enable(&organization, &endpoint.id, true).await;
    let operation = recover(&organization, &endpoint.id).await;
    for part in 1..4 {
        let enough = usize::try_from(part * EVENTS / 5).unwrap();
        world.receiver.wait_until("some of it", || world.receiver.count_at("/in") >= enough).await;
        let recorded = organization.all_deliveries("status=succeeded").await.len();
        world = world.killed_and_started().await;
        organization = Organization { api: Api::new(world.program.address, Some(OPERATOR_KEY)), ..organization };
        assert!(organization.all_deliveries("status=succeeded").await.len() >= recorded);
    }
    let found = ended(&organization, &operation).await;
    assert_eq!(
        (&found["status"], &found["done"], &found["total"]),
        (&json!("succeeded"), &json!(EVENTS), &json!(EVENTS))
    );
    organization.drained().await;
    let all = organization.all_deliveries("").await;
    assert_eq!(all.len(), usize::try_from(EVENTS).unwrap(), "one delivery for each event");
    // What was sent and not recorded when the program died is sent again; nothing else is.
    assert!(all.iter().all(|delivery| delivery["attempts_count"] == 1));
    let arrived = arrivals(&world.receiver, "/in");
    assert_eq!(arrived.len(), usize::try_from(EVENTS).unwrap());
    assert!(arrived.values().all(|times| *times <= 4), "{arrived:?}");
}

/// Every recovered delivery hangs; those that may do so at once are few, and what comes live is sent beside them.
async fn live_events_pass_a_recovery_to_a_receiver_that_is_stuck(store: Store) {
    const MISSED: u64 = 400;
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({"enabled": false})).await;
    publish(&organization, 0..MISSED).await;
    enable(&organization, &endpoint.id, true).await;
    let gate = Gate::default();
    // The lane earns some slots with the first answers, then nothing is answered any more.
    world.receiver.script("/in", (0..40).map(|_| Reply::status(200)));
    world.receiver.always("/in", Reply::Gated(gate.clone()));
    let operation = recover(&organization, &endpoint.id).await;
    world.receiver.wait_until("the recovery", || world.receiver.count_at("/in") > 40).await;
    let pending = organization.deliveries("status=pending&limit=250").await.len();
    assert!(pending < 250, "{pending} recovered deliveries wait in the lane at once");
    let path = organization.path(&format!("/operations/{operation}"));
    assert_eq!(organization.api.get(&path).await.expect(200)["status"], "running");
    publish(&organization, MISSED..MISSED + 1).await;
    gate.open();
    world.receiver.wait_until("the live one", || arrivals(&world.receiver, "/in").contains_key(&MISSED)).await;
    let before = arrivals(&world.receiver, "/in").len();
    println!("{before} of {} had arrived with the live one", MISSED + 1);
    assert_eq!(ended(&organization, &operation).await["done"], MISSED);
    organization.drained().await;
    let arrived = arrivals(&world.receiver, "/in");
    assert_eq!(arrived.len() as u64, MISSED + 1);
    assert!(arrived.values().all(|times| *times == 1), "{arrived:?}");
}

async fn an_endpoint_that_is_paused_ends_its_recovery(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let gate = Gate::default();
    world.receiver.always("/in", Reply::Gated(gate.clone()));
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({"enabled": false})).await;
    publish(&organization, 0..300).await;
    enable(&organization, &endpoint.id, true).await;
    let operation = recover(&organization, &endpoint.id).await;
    world.receiver.wait_for("/in", 1).await;
    enable(&organization, &endpoint.id, false).await;
    let found = ended(&organization, &operation).await;
    assert_eq!(found["status"], "failed");
    assert!(text(&found["reason"]).contains("was paused"), "{found}");
    assert!(found["done"].as_u64().unwrap() < 300 && found["total"] == 300, "{found}");
    // Enabled again, all of it arrives: what was pending by itself, the rest by another recovery.
    enable(&organization, &endpoint.id, true).await;
    gate.open();
    let again = recover(&organization, &endpoint.id).await;
    assert_eq!(ended(&organization, &again).await["status"], "succeeded");
    organization.drained().await;
    let arrived = arrivals(&world.receiver, "/in");
    assert_eq!(arrived.len(), 300);
    assert!(arrived.values().all(|times| *times == 1), "{arrived:?}");
}

async fn a_delivery_is_retried_whatever_its_endpoint_is_and_not_once_that_is_deleted(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let answer = Reply::Status(500, vec![("x-answer".to_owned(), "header".to_owned())], b"body".to_vec());
    world.receiver.always("/in", answer);
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    publish(&organization, 0..1).await;
    let delivery = text(&until("the delivery", async || organization.deliveries("").await.pop()).await["id"]);
    organization.attempted(&delivery, 1).await;
    enable(&organization, &endpoint.id, false).await;
    let retry = organization.path(&format!("/deliveries/{delivery}/retry"));
    organization.api.post(&retry, &json!({})).await.expect(202);
    let shown = organization.attempted(&delivery, 2).await;
    assert_eq!((&shown["status"], &shown["request"]["method"]), (&json!("pending"), &json!("POST")));

    organization.api.delete(&organization.path(&format!("/endpoints/{}", endpoint.id))).await.expect(204);
    organization.api.get(&organization.path(&format!("/endpoints/{}", endpoint.id))).await.problem(404);
    let failed = until("the delivery's end", async || organization.deliveries("status=failed").await.pop()).await;
    assert_eq!((text(&failed["id"]), &failed["fail_reason"]), (delivery.clone(), &json!("endpoint_deleted")));
    let shown = organization.delivery(&delivery).await;
    assert_eq!(shown["request"], Value::Null);
    for attempt in items(&shown["attempts"]) {
        assert_eq!((&attempt["status_code"], &attempt["error"]["kind"]), (&json!(500), &json!("status")));
        for removed in ["url", "response_headers", "response_body"] {
            assert_eq!(attempt[removed], Value::Null, "{attempt}");
        }
        assert!(attempt["started_at"].is_string());
    }
    let gone = organization.api.post(&retry, &json!({})).await.problem(409);
    assert!(text(&gone["detail"]).contains("endpoint of this delivery was deleted"), "{gone}");
    organization.api.post(&format!("{retry}x"), &json!({})).await.problem(404);
    assert_eq!(world.receiver.count_at("/in"), 2);
}

/// What an endpoint missed.
const MISSED: u64 = 10_000;
/// So many of that are answered before the receiver is held still.
const ANSWERED: usize = 100;
/// Before so many of it a live event has arrived, whatever the recovery keeps waiting.
const PASSED_MAX: usize = 5_000;

async fn live_events_do_not_wait_for_a_recovery_of_ten_thousand_beside_a_receiver_that_hangs(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let recovered =
        organization.endpoint(&world.receiver.url("/recovered"), json!({"events": ["deal.updated", "deal.won"]})).await;
    organization.endpoint(&world.receiver.url("/live"), json!({"events": ["deal.won"]})).await;
    organization.endpoint(&world.receiver.url("/hangs"), json!({"events": ["deal.won"]})).await;
    world.receiver.always("/hangs", Reply::Hang);
    enable(&organization, &recovered.id, false).await;
    publish(&organization, 0..MISSED).await;
    enable(&organization, &recovered.id, true).await;
    // What leaves after an endpoint was resumed is held back for two minutes.
    world.advance_ms(3 * 60_000).await;
    let gate = Gate::default();
    world.receiver.script("/recovered", vec![Reply::status(200); ANSWERED]);
    world.receiver.always("/recovered", Reply::Gated(gate.clone()));
    let operation = recover(&organization, &recovered.id).await;
    world.receiver.wait_for("/recovered", ANSWERED + 1).await;

    organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    world.receiver.wait_for("/hangs", 1).await;
    world.receiver.wait_for("/live", 1).await;
    let path = organization.path(&format!("/operations/{operation}"));
    assert_eq!(organization.api.get(&path).await.expect(200)["status"], "running");

    // To the endpoint that is recovered it comes before most of what was missed.
    gate.open();
    let place = || world.receiver.at("/recovered").iter().position(|request| request.json()["type"] == "deal.won");
    world.receiver.wait_until("the live event", || place().is_some()).await;
    assert!(place().is_some_and(|place| place < PASSED_MAX), "{:?} of {MISSED} came before it", place());
}
