//! `kill -9` at a hundred random instants under load: every event that was accepted is delivered, and what is sent twice was sent before
//! and not yet recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use postrider_tests::api::{Api, Call};
use postrider_tests::program::{OPERATOR_KEY, Setup};
use postrider_tests::random::Random;
use postrider_tests::receiver::{Receiver, Request};
use postrider_tests::wait::{until, within};
use postrider_tests::world::{Data, Organization, Store, items, text};
use serde_json::json;
use tokio::task::JoinSet;

postrider_tests::on_each_store!(no_accepted_event_is_lost_and_nothing_recorded_is_sent_again);

/// On Postgres each life first waits until the lease of the one before has run out; `cluster` kills a hundred nodes.
const fn kills(store: Store) -> usize {
    match store {
        Store::Sqlite => 100,
        Store::Postgres => 8,
    }
}

const POSTERS: usize = 4;
const PATHS: [&str; 2] = ["/one", "/two"];

/// What the posters know, over all lives.
#[derive(Debug, Default)]
struct Ledger {
    next: AtomicUsize,
    /// Answered with 202.
    accepted: Mutex<BTreeSet<usize>>,
    /// Sent, and the connection ended without an answer: stored or not. Sent again under the same id in the next life.
    unknown: Mutex<Vec<usize>>,
}

impl Ledger {
    fn take(&self) -> usize {
        let again = self.unknown.lock().unwrap().pop();
        again.unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn accepted_count(&self) -> usize {
        self.accepted.lock().unwrap().len()
    }
}

/// What the API has shown as recorded: event number and path. None of it may ever be sent again.
type Recorded = BTreeSet<(u64, String)>;

/// Reads what is recorded, again and again, until the program is gone.
async fn read_until_killed(api: Api, path: String, paths: Arc<BTreeMap<String, String>>) -> Recorded {
    let mut recorded = Recorded::new();
    while let Ok(answer) = api.try_call(Call::new("GET", &path)).await {
        for delivery in items(&answer.expect(200)["data"]) {
            let number = text(&delivery["event"])["event-".len()..].parse().unwrap();
            recorded.insert((number, paths[&text(&delivery["endpoint"])].clone()));
        }
    }
    recorded
}

/// Publishes one event after the other until the program is gone.
async fn post_until_killed(api: Api, path: String, ledger: Arc<Ledger>) {
    loop {
        let number = ledger.take();
        let event = json!({"type": "deal.updated", "id": format!("event-{number}"), "data": {"number": number}});
        let Ok(answer) = api.try_call(Call::new("POST", &path).json(&event)).await else {
            ledger.unknown.lock().unwrap().push(number);
            return;
        };
        assert_eq!(answer.expect(202)["deliveries_count"], PATHS.len());
        ledger.accepted.lock().unwrap().insert(number);
    }
}

/// Returns at some instant: soon after the start, after some arrivals, or after some acceptances.
async fn random_instant(random: &mut Random, receiver: &Receiver, ledger: &Ledger) {
    match random.below(4) {
        0 => {}
        1 => {
            let enough = ledger.accepted_count() + random.below(60);
            until("acceptances", async || (ledger.accepted_count() >= enough).then_some(())).await;
        }
        _ => {
            let enough = receiver.count() + random.below(120);
            receiver.wait_until("arrivals", || receiver.count() >= enough).await;
        }
    }
    for _ in 0..random.below(400) {
        tokio::task::yield_now().await;
    }
}

/// The numbers that arrived at a path, and how often.
fn arrivals(requests: &[Request], path: &str) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for request in requests.iter().filter(|request| request.path == path) {
        *counts.entry(request.json()["data"]["number"].as_u64().unwrap()).or_default() += 1;
    }
    counts
}

/// The organisation's id, and each endpoint's path.
async fn set_up(setup: &Setup, receiver: &Receiver) -> (String, BTreeMap<String, String>) {
    let program = setup.start().await;
    let api = Api::new(program.address, Some(OPERATOR_KEY));
    let made = api.post("/v1/organizations", &json!({"name": "Killed"})).await.expect(201);
    let organization = Organization { api, id: text(&made["id"]) };
    let mut paths = BTreeMap::new();
    for path in PATHS {
        paths.insert(organization.endpoint(&receiver.url(path), json!({})).await.id, path.to_owned());
    }
    program.stop().await;
    (organization.id, paths)
}

async fn no_accepted_event_is_lost_and_nothing_recorded_is_sent_again(store: Store) {
    let mut random = Random::from_environment("kill -9");
    let (data, kills) = (Data::none_in(store), kills(store));
    let setup = &data.setup;
    let receiver = Receiver::start().await;
    let (id, paths) = set_up(setup, &receiver).await;
    let (path, paths) = (format!("/v1/organizations/{id}/events"), Arc::new(paths));
    let recorded_path = format!("/v1/organizations/{id}/deliveries?status=succeeded&limit=250");
    let mut recorded = Recorded::new();
    let ledger = Arc::new(Ledger::default());
    let mut duplicates = 0;

    for life in 0..=kills {
        let before = receiver.count();
        let program = setup.start().await;
        let api = Api::new(program.address, Some(OPERATOR_KEY));
        if life < kills {
            let mut posters = JoinSet::new();
            for _ in 0..POSTERS {
                posters.spawn(post_until_killed(api.clone(), path.clone(), ledger.clone()));
            }
            let reading = tokio::spawn(read_until_killed(api, recorded_path.clone(), paths.clone()));
            random_instant(&mut random, &receiver, &ledger).await;
            program.kill().await;
            within("the posters' end", posters.join_all()).await;
            receiver.wait_quiet().await;
            nothing_recorded_is_sent_again(&recorded, &receiver.all()[before..]);
            recorded.extend(reading.await.unwrap());
        } else {
            let organization = Organization { api, id: id.clone() };
            everything_is_delivered(&organization, &receiver, &ledger).await;
            nothing_recorded_is_sent_again(&recorded, &receiver.all()[before..]);
            let ended = program.stop().await;
            assert_eq!(ended.status, Some(0), "{ended:?}");
        }
        let arrived = receiver.all();
        for path in PATHS {
            for (number, count) in arrivals(&arrived[before..], path) {
                assert_eq!(count, 1, "event {number} was sent {count} times to {path} within life {life}");
            }
        }
    }
    for path in PATHS {
        duplicates += arrivals(&receiver.all(), path).values().filter(|count| **count > 1).count();
    }
    println!(
        "{} events accepted over {kills} kills; {duplicates} deliveries sent more than once",
        ledger.accepted_count()
    );
}

fn nothing_recorded_is_sent_again(recorded: &Recorded, requests: &[Request]) {
    for path in PATHS {
        for number in arrivals(requests, path).into_keys() {
            assert!(
                !recorded.contains(&(number, path.to_owned())),
                "event {number} to {path} was recorded and sent again"
            );
        }
    }
}

async fn everything_is_delivered(organization: &Organization, receiver: &Receiver, ledger: &Ledger) {
    let unknown = std::mem::take(&mut *ledger.unknown.lock().unwrap());
    for number in unknown {
        let event = json!({"type": "deal.updated", "id": format!("event-{number}"), "data": {"number": number}});
        organization.publish(&event).await;
        ledger.accepted.lock().unwrap().insert(number);
    }
    let wanted: BTreeSet<u64> = ledger.accepted.lock().unwrap().iter().map(|number| *number as u64).collect();
    for path in PATHS {
        let arrived = || arrivals(&receiver.all(), path).into_keys().collect::<BTreeSet<_>>();
        receiver.wait_until(&format!("every accepted event at {path}"), || arrived().is_superset(&wanted)).await;
        let strangers = arrived().difference(&wanted).count();
        assert_eq!(strangers, 0, "what was never accepted was not stored either, so it cannot arrive");
    }
    organization.drained().await;
    each_is_recorded_once(organization, wanted.len() * PATHS.len()).await;
}

/// A receiver that always answers 200 sees each delivery recorded as one attempt, whatever was sent and not recorded before.
async fn each_is_recorded_once(organization: &Organization, expected: usize) {
    let all = organization.all_deliveries("").await;
    for delivery in &all {
        assert_eq!((&delivery["status"], &delivery["attempts_count"]), (&json!("succeeded"), &json!(1)), "{delivery}");
    }
    assert_eq!(all.len(), expected, "one delivery for each accepted event and endpoint");
}
