//! A steady load on a cluster, and the books on what became of it.
//!
//! Words: the *ledger* holds which events were answered 202; an event is *open* when it was sent and nobody knows whether it was stored.
//! An open event is sent again under the same id until it is answered 202, so that in the end each was stored exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api::{Answer, Api, Call};
use crate::cluster::{Cluster, Front, Tenant};
use crate::receiver::Receiver;
use crate::wait::{until, within};
use crate::world::{items, text};

/// How many requests are under way at once.
const POSTERS: usize = 8;

/// What a client waits for an answer.
const ANSWER: Duration = Duration::from_secs(20);

/// A delivery as the receiver can tell it: the event's number and the endpoint's path.
pub type Which = (u64, String);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of the events.
#[derive(Debug, Default)]
pub struct Ledger {
    next: AtomicUsize,
    /// Answered with 202.
    accepted: Mutex<BTreeSet<u64>>,
    open: Mutex<Vec<u64>>,
    refused: AtomicUsize,
    /// The longest that a 503 took to come.
    refused_slowest: Mutex<Duration>,
}

impl Ledger {
    fn take(&self) -> u64 {
        let again = lock(&self.open).pop();
        again.unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed) as u64)
    }

    /// How many were answered with 202.
    #[must_use]
    pub fn accepted(&self) -> usize {
        lock(&self.accepted).len()
    }

    /// How many answers were 503.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// The longest that a 503 took to come.
    #[must_use]
    pub fn refused_slowest(&self) -> Duration {
        *lock(&self.refused_slowest)
    }

    /// Sends one event; notes what became of it.
    async fn post(&self, api: &Api, tenants: &[Tenant], number: u64) {
        let tenant = &tenants[usize::try_from(number).unwrap_or_default() % tenants.len()];
        let event = json!({"type": "deal.updated", "id": format!("event-{number}"), "data": {"number": number}});
        let call = Call::new("POST", &format!("/v1/organizations/{}/events", tenant.id)).json(&event);
        let began = Instant::now();
        match tokio::time::timeout(ANSWER, api.try_call(call)).await {
            Ok(Ok(answer)) => self.note(number, began.elapsed(), &answer, tenant.paths.len()),
            // The connection broke, or nobody answers.
            Ok(Err(_)) | Err(_) => lock(&self.open).push(number),
        }
    }

    fn note(&self, number: u64, took: Duration, answer: &Answer, deliveries: usize) {
        if answer.status == 202 {
            assert_eq!(answer.json()["deliveries_count"], deliveries, "event {number}: {}", answer.text());
            lock(&self.accepted).insert(number);
            return;
        }
        answer.problem(503);
        let seconds = answer.header("retry-after").and_then(|value| value.parse::<u32>().ok());
        assert!(seconds.is_some(), "503 without Retry-After: {:?}", answer.headers);
        self.refused.fetch_add(1, Ordering::Relaxed);
        let mut slowest = lock(&self.refused_slowest);
        *slowest = took.max(*slowest);
        lock(&self.open).push(number);
    }
}

/// A load that goes on until it is ended.
#[derive(Debug)]
pub struct Load {
    /// What became of it so far.
    pub ledger: Arc<Ledger>,
    tenants: Arc<Vec<Tenant>>,
    goes_on: watch::Sender<bool>,
    posters: JoinSet<()>,
}

impl Load {
    /// So many events a second for these tenants in turn, each sent to the node whose turn it is.
    #[must_use]
    pub fn begin(front: &Front, tenants: &[Tenant], per_second: u32) -> Self {
        let (ledger, tenants) = (Arc::new(Ledger::default()), Arc::new(tenants.to_vec()));
        let goes_on = watch::Sender::new(true);
        let mut posters = JoinSet::new();
        for poster in 0..POSTERS {
            let pace = Duration::from_secs(1) * u32::try_from(POSTERS).unwrap_or(1) / per_second;
            let (ledger, tenants) = (ledger.clone(), tenants.clone());
            posters.spawn(post(front.clone(), tenants, ledger, goes_on.subscribe(), poster, pace));
        }
        Load { ledger, tenants, goes_on, posters }
    }

    /// Waits until so many more events were answered with 202.
    pub async fn accepts(&self, more: usize) {
        let enough = self.ledger.accepted() + more;
        let what = format!("{more} more events accepted");
        until(&what, async || (self.ledger.accepted() >= enough).then_some(())).await;
    }

    /// Ends it and waits until every event that was answered with 202 is recorded as delivered, exactly once.
    pub async fn settled(self, cluster: &Cluster) -> Account {
        let Load { ledger, tenants, goes_on, posters } = self;
        goes_on.send_replace(false);
        within("the end of the load", posters.join_all()).await;
        send_open_again(cluster, &tenants, &ledger).await;
        let mut arrivals = Arrivals::default();
        let wanted = wanted(&ledger, &tenants);
        until("every accepted event at every endpoint", async || {
            arrivals.read(&cluster.receiver);
            wanted.iter().all(|which| arrivals.by_delivery.contains_key(which)).then_some(())
        })
        .await;
        for tenant in tenants.iter() {
            tenant.at(cluster.any()).drained().await;
            each_is_recorded_once(cluster, tenant, &wanted).await;
        }
        arrivals.read(&cluster.receiver);
        let strangers: Vec<_> = arrivals.by_delivery.keys().filter(|which| !wanted.contains(*which)).collect();
        assert!(strangers.is_empty(), "nobody published these: {strangers:?}");
        let account = Account { accepted: ledger.accepted(), refused: ledger.refused(), arrivals };
        println!(
            "{} events accepted, {} answered with 503; {} of {} deliveries sent more than once",
            account.accepted,
            account.refused,
            account.duplicates().len(),
            wanted.len()
        );
        account
    }
}

async fn post(
    front: Front,
    tenants: Arc<Vec<Tenant>>,
    ledger: Arc<Ledger>,
    goes_on: watch::Receiver<bool>,
    poster: usize,
    pace: Duration,
) {
    let mut pace = tokio::time::interval(pace);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turn = poster;
    while *goes_on.borrow() {
        pace.tick().await;
        turn += 1;
        if let Some(api) = front.turn(turn) {
            let number = ledger.take();
            ledger.post(&api, &tenants, number).await;
        }
    }
}

async fn send_open_again(cluster: &Cluster, tenants: &[Tenant], ledger: &Ledger) {
    until("the open events", async || {
        let Some(number) = lock(&ledger.open).pop() else { return Some(()) };
        ledger.post(&cluster.any(), tenants, number).await;
        None
    })
    .await;
}

fn wanted(ledger: &Ledger, tenants: &[Tenant]) -> BTreeSet<Which> {
    let mut wanted = BTreeSet::new();
    for number in lock(&ledger.accepted).iter() {
        let tenant = &tenants[usize::try_from(*number).unwrap_or_default() % tenants.len()];
        wanted.extend(tenant.paths.values().map(|path| (*number, path.clone())));
    }
    wanted
}

/// A receiver that always answers 200 sees each delivery recorded as one attempt, whatever was sent and not recorded before.
async fn each_is_recorded_once(cluster: &Cluster, tenant: &Tenant, wanted: &BTreeSet<Which>) {
    let recorded = tenant.at(cluster.any()).all_deliveries("").await;
    let mut seen = BTreeSet::new();
    for delivery in &recorded {
        let Some(which) = which(delivery, tenant) else { continue };
        let is_so = (&delivery["status"], &delivery["attempts_count"]) == (&json!("succeeded"), &json!(1));
        assert!(is_so, "{which:?} is recorded otherwise than as one attempt that succeeded: {delivery}");
        assert!(wanted.contains(&which), "{which:?} was never accepted: {delivery}");
        assert!(seen.insert(which), "recorded twice: {delivery}");
    }
    let paths: BTreeSet<_> = tenant.paths.values().collect();
    let missing: Vec<_> =
        wanted.iter().filter(|which| paths.contains(&which.1) && !seen.contains(*which)).take(10).collect();
    assert!(missing.is_empty(), "not in the history: {missing:?} and perhaps more");
}

/// Which one a delivery of the API is; none when the load did not make it.
fn which(delivery: &Value, tenant: &Tenant) -> Option<Which> {
    let number = text(&delivery["event"]).strip_prefix("event-")?.parse().ok()?;
    Some((number, tenant.paths[&text(&delivery["endpoint"])].clone()))
}

/// What arrived, in order.
#[derive(Debug, Default)]
pub struct Arrivals {
    read: usize,
    /// For each delivery, at which places in the order, and through which doors.
    pub by_delivery: BTreeMap<Which, Vec<(usize, Option<SocketAddr>)>>,
}

impl Arrivals {
    /// Reads on.
    pub fn read(&mut self, receiver: &Receiver) {
        for request in receiver.from(self.read) {
            let number = request.header("webhook-id").and_then(|id| id.strip_prefix("event-")?.parse().ok());
            if let Some(number) = number {
                self.by_delivery.entry((number, request.path)).or_default().push((self.read, request.door));
            }
            self.read += 1;
        }
    }
}

/// How a load ended.
#[derive(Debug)]
pub struct Account {
    /// Events answered with 202.
    pub accepted: usize,
    /// Answers that were 503.
    pub refused: usize,
    /// What arrived.
    pub arrivals: Arrivals,
}

impl Account {
    /// Deliveries that arrived more than once, with how often.
    #[must_use]
    pub fn duplicates(&self) -> Vec<(&Which, usize)> {
        let more = self.arrivals.by_delivery.iter().map(|(which, places)| (which, places.len()));
        more.filter(|(_, count)| *count > 1).collect()
    }

    /// Panics when something was sent twice.
    #[track_caller]
    pub fn has_no_duplicates(&self) {
        let duplicates = self.duplicates();
        assert!(duplicates.is_empty(), "{} sent more than once: {duplicates:?}", duplicates.len());
    }

    /// Panics when the same life of a node sent a delivery twice, told by the doors that they had.
    #[track_caller]
    pub fn has_none_twice_through_a_door(&self) {
        for (which, places) in &self.arrivals.by_delivery {
            let doors: BTreeSet<_> = places.iter().map(|(_, door)| door.expect("each node has a door")).collect();
            assert_eq!(doors.len(), places.len(), "{which:?} was sent again by the node that had sent it: {places:?}");
        }
    }

    /// Panics when more were sent twice than this.
    #[track_caller]
    pub fn has_duplicates_at_most(&self, bound: usize) {
        let extra: usize = self.duplicates().iter().map(|(_, count)| count - 1).sum();
        assert!(extra <= bound, "{extra} arrivals beyond the first of their delivery; at most {bound} have a reason");
    }
}

/// Reads the history again and again, to notice when something that it holds is sent again.
#[derive(Debug)]
pub struct Watch {
    /// For each delivery, how many requests had arrived when it was first seen as recorded.
    recorded: Arc<Mutex<BTreeMap<Which, usize>>>,
    reading: JoinSet<()>,
}

impl Watch {
    /// Begins, through whichever node takes requests.
    #[must_use]
    pub fn begin(cluster: &Cluster, tenants: &[Tenant]) -> Self {
        let recorded = Arc::new(Mutex::new(BTreeMap::new()));
        let mut reading = JoinSet::new();
        for tenant in tenants {
            let counter = cluster.receiver.counter();
            reading.spawn(read_history(cluster.front.clone(), tenant.clone(), counter, recorded.clone()));
        }
        Watch { recorded, reading }
    }

    /// Ends; panics when something arrived after it had been recorded.
    pub fn end(mut self, account: &Account) {
        self.reading.abort_all();
        let recorded = lock(&self.recorded);
        println!("{} deliveries were seen as recorded while the load went on", recorded.len());
        assert!(!recorded.is_empty(), "the history was never read");
        for (which, count) in recorded.iter() {
            let after = account.arrivals.by_delivery[which].iter().find(|(place, _)| place >= count);
            assert!(after.is_none(), "{which:?} was recorded and sent again: place {after:?}, recorded before {count}");
        }
    }
}

async fn read_history(
    front: Front,
    tenant: Tenant,
    arrived: impl Fn() -> usize,
    recorded: Arc<Mutex<BTreeMap<Which, usize>>>,
) {
    let path = format!("/v1/organizations/{}/deliveries?status=succeeded&limit=250", tenant.id);
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for turn in 0.. {
        pace.tick().await;
        let Some(api) = front.turn(turn) else { continue };
        let Ok(Ok(answer)) = tokio::time::timeout(ANSWER, api.try_call(Call::new("GET", &path))).await else {
            continue;
        };
        if answer.status == 503 {
            continue;
        }
        let listed = items(&answer.expect(200)["data"]);
        let count = arrived();
        for which in listed.iter().filter_map(|delivery| which(delivery, &tenant)) {
            lock(&recorded).entry(which).or_insert(count);
        }
    }
}
