//! Strict order by record: what arrives, under random failures, restarts and handovers of time.

use std::collections::HashMap;
use std::time::Duration;

use postrider_domain::{DeliveryStatus, Endpoint, EndpointOrdering, Resource};
use postrider_engine::IncomingEvent;

use crate::support::{FAIL, HELD, OK, Receiver, World, edit, event, until};

fn about(records: &[usize], number: usize) -> IncomingEvent {
    let ids: Vec<String> = records.iter().map(ToString::to_string).collect();
    let data = format!(r#"{{"records":{ids:?},"number":{number}}}"#);
    let resource = (!ids.is_empty()).then(|| Resource { kind: "deal".into(), ids, uri: None });
    IncomingEvent { resource, ..event(&data) }
}

impl World {
    async fn ordered_endpoint(&self, url: &str) -> Endpoint {
        let endpoint = Endpoint { ordering: EndpointOrdering::Resource, ..self.endpoint(url).await };
        self.engine.store().update_endpoint(&endpoint, &edit()).await.unwrap();
        self.engine.changed(&self.organization);
        endpoint
    }

    async fn publish_about(&self, records: &[usize], number: usize) {
        self.engine.accept(&self.organization, vec![about(records, number)]).await.unwrap();
    }

    /// Moves time on to whatever is due next until no delivery is open.
    async fn until_all_have_ended(&self, count: usize) {
        let ended = async || {
            let open = self.deliveries(Some(DeliveryStatus::Pending)).await;
            let next = open.iter().filter_map(|delivery| delivery.next_attempt_at).min();
            self.clock.advance(next.map_or(Duration::ZERO, |next| next.since(self.engine.now())));
            open.is_empty().then_some(())
        };
        until("all deliveries have ended", ended).await;
        assert_eq!(self.deliveries(None).await.len(), count);
    }
}

/// The records and the number in a request's body.
fn read(request: &str) -> (Vec<usize>, usize) {
    let body: serde_json::Value = serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let data = &body["data"];
    let records = data["records"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().parse().unwrap());
    (records.collect(), usize::try_from(data["number"].as_u64().unwrap()).unwrap())
}

/// Of each record no event came after a later one had come; one that failed came again before any later one.
fn assert_in_order(requests: &[String]) {
    let mut last: HashMap<usize, usize> = HashMap::new();
    for request in requests {
        let (records, number) = read(request);
        for record in records {
            let before = last.insert(record, number);
            assert!(before.is_none_or(|before| before <= number), "{number} came after {before:?} about {record}");
        }
    }
}

/// A number that looks random, the same at each run.
fn mixed(seed: usize) -> usize {
    let mixed = (seed as u64).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from((mixed ^ (mixed >> 29)) % 1_000_003).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_records_events_come_one_after_another_whatever_fails() {
    for seed in 0..2 {
        let world = World::new().await;
        let receiver =
            Receiver::start(move |nth| Some(if mixed(seed * 7_919 + nth).is_multiple_of(3) { FAIL } else { OK })).await;
        world.ordered_endpoint(&receiver.url).await;
        for number in 0..80 {
            let one = mixed(seed + number) % 8;
            let another = mixed(seed * 31 + number) % 8;
            match number % 5 {
                0 => world.publish_about(&[one, another], number).await,
                1 => world.publish_about(&[], number).await,
                _ => world.publish_about(&[one], number).await,
            }
        }
        world.until_all_have_ended(80).await;
        assert_in_order(&receiver.requests());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_keeps_its_order_and_records_go_side_by_side() {
    let world = World::new().await;
    let receiver = Receiver::start(|_| Some(HELD)).await;
    world.ordered_endpoint(&receiver.url).await;
    let events = (0..40).map(|number| about(&[number % 4], number)).collect();
    world.engine.accept(&world.organization, events).await.unwrap();
    receiver.until(1).await;
    receiver.let_go();
    world.until(DeliveryStatus::Succeeded, 40).await;
    let requests = receiver.requests();
    assert_in_order(&requests);
    assert_eq!(requests.len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_record_holds_up_no_other_however_much_waits_for_it() {
    let world = World::new().await;
    let receiver = Receiver::start(|_| Some(FAIL)).await;
    let endpoint = world.ordered_endpoint(&receiver.url).await;
    for batch in 0..4 {
        let events = (0..200).map(|number| about(&[7], batch * 200 + number)).collect();
        world.engine.accept(&world.organization, events).await.unwrap();
    }
    world.until_first_attempt(&receiver).await;
    let healthy = Receiver::start(|_| Some(OK)).await;
    let moved = Endpoint { url: healthy.url.clone(), ..endpoint };
    world.engine.store().update_endpoint(&moved, &edit()).await.unwrap();
    world.engine.changed(&world.organization);
    for number in 0..20 {
        world.publish_about(&[100 + number], number).await;
    }
    healthy.until(20).await;
    world.until(DeliveryStatus::Succeeded, 20).await;
    let came = healthy.requests();
    assert!(came.iter().take(20).all(|request| read(request).0[0] >= 100), "the stuck one is not due yet");
    let pending = world.deliveries(Some(DeliveryStatus::Pending)).await;
    assert_eq!(pending.iter().filter(|delivery| delivery.next_attempt_at.is_some()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_goes_on_after_a_restart() {
    let world = World::new().await;
    let receiver = Receiver::start(|nth| Some(if mixed(nth).is_multiple_of(2) { FAIL } else { OK })).await;
    world.ordered_endpoint(&receiver.url).await;
    for number in 0..30 {
        world.publish_about(&[number % 3], number).await;
    }
    let world = world.restarted().await;
    for number in 30..60 {
        world.publish_about(&[number % 3], number).await;
    }
    let world = world.restarted().await;
    world.until_all_have_ended(60).await;
    assert_in_order(&receiver.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_in_order_keeps_it_when_the_ordering_is_lifted() {
    let world = World::new().await;
    let receiver = Receiver::start(|nth| Some(if nth == 0 { FAIL } else { OK })).await;
    let endpoint = world.ordered_endpoint(&receiver.url).await;
    for number in 0..3 {
        world.publish_about(&[1], number).await;
    }
    receiver.until(1).await;
    let lifted = Endpoint { ordering: EndpointOrdering::None, ..endpoint };
    world.engine.store().update_endpoint(&lifted, &edit()).await.unwrap();
    world.engine.changed(&world.organization);
    world.publish_about(&[1], 3).await;
    receiver.until(2).await;
    assert_eq!(read(&receiver.requests()[1]).1, 3, "what is accepted from now on waits for nothing");
    world.until_all_have_ended(4).await;
    let numbers: Vec<_> = receiver.requests().iter().map(|request| read(request).1).collect();
    assert_eq!(numbers, [0, 3, 0, 1, 2]);
}

impl World {
    async fn until_first_attempt(&self, receiver: &Receiver) {
        receiver.until(1).await;
        let recorded = async || {
            let pending = self.deliveries(Some(DeliveryStatus::Pending)).await;
            pending.iter().any(|delivery| delivery.attempts_count == 1).then_some(())
        };
        until("the attempt is recorded", recorded).await;
    }
}
