//! Strict order by record, seen by a real receiver: under random failures and a kill -9, on both stores.

use std::collections::HashMap;

use postrider_tests::receiver::{Reply, Request};
use postrider_tests::world::{Store, World};
use serde_json::json;

const EVENTS: u64 = 200;
const RECORDS: u64 = 10;

fn assert_in_order(requests: &[Request]) {
    let mut last: HashMap<u64, u64> = HashMap::new();
    for request in requests {
        let number = request.json()["data"]["number"].as_u64().unwrap();
        let before = last.insert(number % RECORDS, number);
        assert!(before.is_none_or(|before| before <= number), "{number} came after {before:?}");
    }
    assert_eq!(last.len() as u64, RECORDS);
}

async fn order_holds(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    organization.endpoint(&world.receiver.url("/in"), json!({"ordering": "resource"})).await;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let replies = (0..150).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Reply::status(if state.is_multiple_of(3) { 503 } else { 200 })
    });
    world.receiver.script("/in", replies.collect::<Vec<_>>());
    let publish = async |world: &World, numbers: std::ops::Range<u64>| {
        for number in numbers {
            let resource = json!({"type": "deal", "id": (number % RECORDS).to_string()});
            let event = json!({"type": "deal.won", "data": {"number": number}, "resource": resource});
            world.api.post(&organization.path("/events"), &event).await.expect(202);
        }
    };
    publish(&world, 0..EVENTS / 2).await;
    world.receiver.wait_for("/in", 20).await;
    let world = world.killed_and_started().await;
    publish(&world, EVENTS / 2..EVENTS).await;
    for look in 0..20_000 {
        let page = world.api.get(&organization.path("/deliveries?status=pending&limit=1")).await.expect(200);
        if page["data"].as_array().unwrap().is_empty() {
            let requests = world.receiver.at("/in");
            let seen: std::collections::HashSet<_> =
                requests.iter().map(|request| request.json()["data"]["number"].as_u64().unwrap()).collect();
            assert_eq!(seen.len() as u64, EVENTS, "nothing starves");
            return assert_in_order(&requests);
        }
        // So that what is due has time to be sent before more is.
        if look % 20 == 0 {
            world.advance_ms(600_000).await;
        }
    }
    panic!("deliveries are left");
}

#[tokio::test]
async fn a_records_events_arrive_in_order_across_a_kill() {
    order_holds(Store::Sqlite).await;
}

#[tokio::test]
async fn a_records_events_arrive_in_order_across_a_kill_on_postgres() {
    order_holds(Store::Postgres).await;
}
