//! From an accepted event to a recorded outcome.

use std::time::Duration;

use postrider_domain::{DeliveryStatus, EndpointStatus, FailReason};
use postrider_engine::{AcceptError, EngineLimits, IncomingEvent, Retry};

use crate::support::{FAIL, OK, Receiver, World, audit, event, seconds_between};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_with_its_data_untouched_and_is_recorded() {
    let world = World::new().await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    world.endpoint(&receiver.url).await;
    world.publish(1).await;
    let delivered = world.until(DeliveryStatus::Succeeded, 1).await;
    assert_eq!((delivered[0].attempts_count, delivered[0].last_status_code), (1, Some(200)));
    let request = &receiver.requests()[0];
    assert!(request.ends_with(r#""data":{"id":"0","n":1.10}}"#), "{request}");
    assert!(request.contains("X-Tenant: t-1\r\n"));
    let detail = world.engine.store().delivery(&world.organization, delivered[0].id).await.unwrap().unwrap();
    assert_eq!(detail.attempts[0].response.as_ref().unwrap().body, b"ok");
    assert!(!format!("{:?}", detail.attempts[0].request_headers).contains("t-1"), "custom header values are masked");
    let shown = detail.attempts[0].request_headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    let sent = request.split("\r\n\r\n").next().unwrap().lines().skip(1);
    assert_eq!(
        shown,
        sent.map(|line| line.split(':').next().unwrap()).collect::<Vec<_>>(),
        "headers shown are headers sent"
    );
    let body = world.engine.request_body(&world.organization, &detail).await.unwrap().unwrap();
    assert!(request.as_bytes().ends_with(&body), "the body shown is the body sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_what_is_wrong_is_told_and_the_rest_arrives() {
    let world = World::new().await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    world.endpoint(&receiver.url).await;
    let both = || IncomingEvent { previous: Some("{}".into()), changes: Some("{}".into()), ..event("{}") };
    let broken = IncomingEvent { changes: Some("[]".into()), ..event("{}") };
    let events = vec![event(r#"{"n":1}"#), both(), event(r#"{"n":2}"#), broken, event(r#"{"n":3}"#)];
    let outcome = world.engine.accept_sound(&world.organization, events).await.unwrap();
    assert_eq!(outcome.accepted.len(), 3);
    let places: Vec<_> = outcome.mistakes.iter().map(|mistake| (mistake.index, mistake.pointer.as_str())).collect();
    assert_eq!(places, [(1, "/previous"), (3, "/changes")]);
    world.until(DeliveryStatus::Succeeded, 3).await;
    assert_eq!(receiver.requests().len(), 3);
    let outcome = world.engine.accept_sound(&world.organization, vec![both()]).await.unwrap();
    assert_eq!((outcome.accepted.len(), outcome.mistakes.len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_flood_beyond_the_window_is_delivered_once() {
    let limits = EngineLimits { lane_window_deliveries: 20, claim_rows_max: 7, ..EngineLimits::default() };
    let world = World::with(limits).await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    world.endpoint(&receiver.url).await;
    for _ in 0..20 {
        world.publish(25).await;
    }
    world.until(DeliveryStatus::Succeeded, 500).await;
    let times = receiver.times_by_id();
    assert_eq!(times.len(), 500);
    assert!(times.values().all(|count| *count == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_waits_for_its_slot_and_then_succeeds() {
    let world = World::new().await;
    let receiver = Receiver::start(|nth| Some(if nth == 0 { FAIL } else { OK })).await;
    world.endpoint(&receiver.url).await;
    world.publish(1).await;
    let pending = world.until_attempts(1).await;
    assert_eq!((pending.status, pending.last_status_code), (DeliveryStatus::Pending, Some(500)));
    let wait = seconds_between(pending.created_at, pending.next_attempt_at.unwrap());
    world.clock.advance(Duration::from_secs(wait + 1));
    let delivered = world.until(DeliveryStatus::Succeeded, 1).await;
    assert_eq!(delivered[0].attempts_count, 2);
    let times = receiver.times_by_id();
    assert_eq!(times.len(), 1, "both attempts carry the same id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_never_succeeds_is_exhausted_after_its_last_slot() {
    let world = World::new().await;
    let receiver = Receiver::start(|_| Some(FAIL)).await;
    world.endpoint(&receiver.url).await;
    world.publish(1).await;
    let mut attempts = 1;
    loop {
        let delivery = world.until_attempts(attempts).await;
        let Some(due_at) = delivery.next_attempt_at else { break };
        world.clock.advance(due_at.since(world.engine.now()) + Duration::from_secs(1));
        attempts += 1;
    }
    let failed = world.until(DeliveryStatus::Failed, 1).await;
    assert_eq!(failed[0].fail_reason, Some(FailReason::Exhausted));
    assert_eq!(failed[0].attempts_count as usize, receiver.requests().len());
    assert!(attempts > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_endpoint_keeps_what_was_pending_until_it_is_active_again() {
    let world = World::new().await;
    let receiver = Receiver::start(|nth| Some(if nth == 0 { FAIL } else { OK })).await;
    let endpoint = world.endpoint(&receiver.url).await;
    world.publish(1).await;
    world.until_attempts(1).await;
    world.set_status(&endpoint, EndpointStatus::Paused).await;
    assert_eq!(world.publish(1).await[0].deliveries_count, 0, "a paused endpoint gets no new deliveries");
    world.clock.advance(MINUTE * 60);
    // An event to another endpoint comes after the paused one's turn.
    let other = Receiver::start(|_| Some(OK)).await;
    world.endpoint(&other.url).await;
    world.publish(1).await;
    other.until(1).await;
    assert_eq!(receiver.requests().len(), 1);
    world.set_status(&endpoint, EndpointStatus::Active).await;
    receiver.until(2).await;
    world.until(DeliveryStatus::Succeeded, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_endpoints_do_not_keep_a_healthy_one_waiting() {
    let limits = EngineLimits { attempts_other_max: 4, ..EngineLimits::default() };
    let world = World::with(limits).await;
    let healthy = Receiver::start(|_| Some(OK)).await;
    world.endpoint(&healthy.url).await;
    world.publish(1).await;
    world.until(DeliveryStatus::Succeeded, 1).await;
    let hanging = Receiver::start(|_| None).await;
    for _ in 0..8 {
        world.endpoint(&hanging.url).await;
    }
    for _ in 0..50 {
        world.publish(1).await;
    }
    healthy.until(51).await;
    assert!(hanging.requests().len() <= 4, "those that keep silent have their own share of attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wrong_event_of_a_batch_leaves_nothing_behind_and_every_mistake_is_named() {
    let world = World::new().await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    world.endpoint(&receiver.url).await;
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let mut both = event("{}");
    (both.previous, both.changes) = (Some("{}".into()), Some("{}".into()));
    let refused = world.engine.accept(&world.organization, vec![event("{}"), event(&deep), both]).await;
    let Err(AcceptError::Invalid(mistakes)) = refused else { panic!("{refused:?}") };
    let places: Vec<_> = mistakes.iter().map(|m| (m.index, m.pointer.as_str())).collect();
    assert_eq!(places, [(1, "/data"), (2, "/previous")]);
    assert!(world.deliveries(None).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_is_answered_at_once_listed_as_a_test_and_never_retried() {
    let world = World::new().await;
    let receiver = Receiver::start(|_| Some(FAIL)).await;
    let endpoint = world.endpoint(&receiver.url).await;
    world.set_status(&endpoint, EndpointStatus::Paused).await;
    let outcome = world.engine.send_test(&world.organization, endpoint.id, None, audit()).await.unwrap();
    assert!(!outcome.succeeded);
    assert_eq!(outcome.attempt.response.unwrap().status_code, 500);
    assert!(receiver.requests()[0].contains(r#""test":true"#));
    let listed = world.until(DeliveryStatus::Failed, 1).await;
    assert!(listed[0].test);
    assert_eq!(listed[0].next_attempt_at, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_by_hand_sends_an_exhausted_delivery_once_more() {
    let world = World::new().await;
    const GONE: &str = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
    let receiver = Receiver::start(|nth| Some(if nth == 0 { GONE } else { OK })).await;
    world.endpoint(&receiver.url).await;
    world.publish(1).await;
    let failed = world.until(DeliveryStatus::Failed, 1).await;
    assert_eq!((failed[0].fail_reason, failed[0].attempts_count), (Some(FailReason::Gone), 1));
    assert_eq!(world.engine.retry(&world.organization, failed[0].id, audit()).await.unwrap(), Retry::Asked);
    let delivered = world.until(DeliveryStatus::Succeeded, 1).await;
    assert_eq!((delivered[0].id, delivered[0].attempts_count), (failed[0].id, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receivers_credentials_are_not_kept() {
    const COOKIE: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: session=s3cret\r\nX-Trace: 7\r\nContent-Length: 0\r\n\r\n";
    let world = World::new().await;
    let receiver = Receiver::start(|_| Some(COOKIE)).await;
    world.endpoint(&receiver.url).await;
    world.publish(1).await;
    let delivered = world.until(DeliveryStatus::Succeeded, 1).await;
    let detail = world.engine.store().delivery(&world.organization, delivered[0].id).await.unwrap().unwrap();
    let headers = &detail.attempts[0].response.as_ref().unwrap().headers;
    assert!(headers.contains(&(b"x-trace".to_vec(), b"7".to_vec())));
    assert!(!headers.iter().any(|(_, value)| value.ends_with(b"s3cret")), "{headers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_by_hand_reaches_a_paused_endpoint() {
    let world = World::new().await;
    let receiver = Receiver::start(|nth| Some(if nth == 0 { FAIL } else { OK })).await;
    let endpoint = world.endpoint(&receiver.url).await;
    world.publish(1).await;
    let pending = world.until_attempts(1).await;
    world.set_status(&endpoint, EndpointStatus::Paused).await;
    assert_eq!(world.engine.retry(&world.organization, pending.id, audit()).await.unwrap(), Retry::Asked);
    let delivered = world.until(DeliveryStatus::Succeeded, 1).await;
    assert_eq!((delivered[0].id, delivered[0].attempts_count), (pending.id, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn pausing_and_activating_over_and_over_loses_nothing() {
    let world = World::new().await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    let endpoint = world.endpoint(&receiver.url).await;
    let mut deliveries = 0;
    for _ in 0..20 {
        deliveries += world.publish(10).await.iter().map(|accepted| accepted.deliveries_count as usize).sum::<usize>();
        world.set_status(&endpoint, EndpointStatus::Paused).await;
        world.set_status(&endpoint, EndpointStatus::Active).await;
    }
    world.until(DeliveryStatus::Succeeded, deliveries).await;
    assert!(deliveries >= 200);
}
