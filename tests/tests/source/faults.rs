//! Whatever ends, in whatever moment: nothing is lost, nothing is stored twice, and each record's changes stay in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use postrider_tests::cluster::Cluster;
use postrider_tests::postgres::{Database, PrivateServer};
use postrider_tests::program::LEASE;
use postrider_tests::random::Random;
use postrider_tests::receiver::{Receiver, Request};
use postrider_tests::wait::{until, until_so, within};
use postrider_tests::world::{Organization, Store, World};
use serde_json::json;
use tokio::task::JoinHandle;

use super::crm::{By, Crm, LOGICAL, by_each_way};
use super::{by_event, organization, world_of};

by_each_way!(
    on_each_store:
        a_kill_between_reading_and_accepting_loses_nothing,
        a_kill_between_accepting_and_forgetting_repeats_nothing,
        kills_at_any_moment_lose_and_repeat_nothing,
        a_crash_of_the_crms_database_loses_and_repeats_nothing;
    on_one:
        a_server_starts_without_the_crms_database_and_begins_when_it_answers,
        of_two_nodes_one_reads_and_the_other_takes_over;
);

postrider_tests::on_each_store!(what_was_accepted_and_stayed_in_the_outbox_for_days_is_not_told_again);

/// Deals that the writers change.
const DEALS: u64 = 3;
/// Changes that are on their way at once, about.
const ON_THEIR_WAY_MAX: usize = 150;

/// Somebody who changes deals all the time, as long as not too much is on its way, in a session of their own; a lost one is made anew.
struct Writer {
    is_done: Arc<AtomicBool>,
    running: JoinHandle<()>,
}

impl Writer {
    fn begin(crm: &Arc<Crm>, receiver: &Receiver) -> Self {
        let is_done = Arc::new(AtomicBool::new(false));
        let running = tokio::spawn(write(Arc::clone(crm), receiver.counter(), Arc::clone(&is_done)));
        Writer { is_done, running }
    }

    async fn end(self) {
        self.is_done.store(true, Ordering::Relaxed);
        within("the writer's end", self.running).await.unwrap();
    }
}

async fn write(crm: Arc<Crm>, arrived: impl Fn() -> usize, is_done: Arc<AtomicBool>) {
    let (mut seat, mut written) = (None, 0);
    while !is_done.load(Ordering::Relaxed) {
        let may_go_on = || is_done.load(Ordering::Relaxed) || written < arrived() + ON_THEIR_WAY_MAX;
        until_so("arrivals", may_go_on).await;
        let Some(session) = &mut seat else {
            seat = crm.try_seat().await;
            tokio::task::yield_now().await;
            continue;
        };
        match session.run("UPDATE deals SET number = number + 1").await {
            Ok(()) => written += DEALS as usize,
            Err(_) => seat = None,
        }
    }
}

/// Every change arrived, each record's in order of their commits; the store has each once.
async fn everything_came_once(crm: &Crm, acme: &Organization, receiver: &Receiver) {
    crm.handed_over().await;
    let numbers: u64 = crm.ask("SELECT sum(number) FROM deals").parse().expect("a sum");
    let wanted = usize::try_from(numbers).expect("few");
    let what = format!("{wanted} events");
    receiver.wait_until(&what, || by_event(&receiver.at("/in")).len() >= wanted).await;
    acme.drained().await;
    let arrived = receiver.at("/in");
    assert_eq!(by_event(&arrived).len(), wanted, "one event for each change");
    in_order(&arrived);
    let deliveries = acme.all_deliveries("status=succeeded").await;
    assert_eq!(deliveries.len(), wanted, "the store has each event once");
}

/// What arrives for the second time is the same as it was.
fn in_order(requests: &[Request]) {
    let mut seen = BTreeMap::<u64, u64>::new();
    for body in requests.iter().map(Request::json) {
        let number = |field: &str| body["data"][field].as_u64().expect("a number");
        let last = seen.entry(number("id")).or_default();
        assert!(number("number") <= *last + 1, "deal {}: {} came after {last}", number("id"), number("number"));
        *last = (*last).max(number("number"));
    }
}

async fn begun(crm: &Crm, store: Store) -> (World, Organization) {
    crm.deals(1, u32::try_from(DEALS).expect("few"));
    let world = world_of(crm, store).await;
    let acme = organization(&world, "acme", "standard").await;
    let fields = json!({"events": ["deal.updated"], "ordering": "resource"});
    acme.endpoint(&world.receiver.url("/in"), fields).await;
    crm.handed_over().await;
    (world, acme)
}

/// The organisation by the address of another life of the program.
fn again(world: &World, acme: &Organization) -> Organization {
    Organization { api: world.api.clone(), id: acme.id.clone() }
}

async fn a_kill_between_reading_and_accepting_loses_nothing(store: Store, by: By) {
    let crm = Crm::by(by).await;
    let (world, acme) = begun(&crm, store).await;
    let mut lock = crm.seat().await;
    // Whose a deal is cannot be looked up as long as this is held.
    lock.run("BEGIN; LOCK TABLE companies IN ACCESS EXCLUSIVE MODE").await.unwrap();
    crm.run("UPDATE deals SET number = number + 1");
    crm.somebody_waits().await;
    let world = world.killed_and_started().await;
    lock.run("ROLLBACK").await.unwrap();
    everything_came_once(&crm, &again(&world, &acme), &world.receiver).await;
}

async fn a_kill_between_accepting_and_forgetting_repeats_nothing(store: Store, by: By) {
    let crm = Crm::by(by).await;
    let (world, acme) = begun(&crm, store).await;
    world.program.pause();
    crm.run("UPDATE deals SET number = number + 1");
    let held = crm.unforgetting().await;
    world.program.resume();
    world.receiver.wait_for("/in", 3).await;
    acme.drained().await;
    if by == By::Triggers {
        crm.somebody_waits().await;
    }
    let world = world.killed_and_started_after(|| crm.forgets_again(held)).await;
    crm.handed_over().await;
    crm.run("UPDATE deals SET number = number + 1");
    everything_came_once(&crm, &again(&world, &acme), &world.receiver).await;
    assert_eq!(world.receiver.count_at("/in"), 6, "what was recorded is not sent again");
}

async fn what_was_accepted_and_stayed_in_the_outbox_for_days_is_not_told_again(store: Store) {
    // The store refuses an id that it was given for 72 hours.
    const DAYS_MS: i64 = 73 * 3_600_000;
    let crm = Crm::new().await;
    let (world, acme) = begun(&crm, store).await;
    world.program.pause();
    crm.run("UPDATE deals SET number = number + 1");
    let mut lock = crm.seat().await;
    lock.run("BEGIN; LOCK TABLE postrider_source.outbox IN SHARE MODE").await.unwrap();
    world.program.resume();
    world.receiver.wait_for("/in", 3).await;
    acme.drained().await;
    crm.somebody_waits().await;
    let killed = world.killed_and_started();
    // What the program had asked for before it was killed does not happen either.
    crm.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
    lock.run("LOCK TABLE postrider_source.outbox IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let world = killed.await;
    world.advance_ms(DAYS_MS).await;
    lock.run("ROLLBACK").await.unwrap();
    everything_came_once(&crm, &again(&world, &acme), &world.receiver).await;
    assert_eq!(world.receiver.count_at("/in"), 3, "nothing is sent again");
}

async fn kills_at_any_moment_lose_and_repeat_nothing(store: Store, by: By) {
    const LIVES: usize = 6;
    let mut random = Random::from_environment("kill -9 of a source");
    let crm = Arc::new(Crm::by(by).await);
    let (mut world, acme) = begun(&crm, store).await;
    let writer = Writer::begin(&crm, &world.receiver);
    for _ in 0..LIVES {
        let more = world.receiver.count() + 1 + random.below(60);
        world.receiver.wait_until("some more arrivals", || world.receiver.count() >= more).await;
        world = world.killed_and_started().await;
    }
    writer.end().await;
    everything_came_once(&crm, &again(&world, &acme), &world.receiver).await;
}

async fn a_crash_of_the_crms_database_loses_and_repeats_nothing(store: Store, by: By) {
    let mut server = PrivateServer::with(&[LOGICAL]).await;
    let crm = Arc::new(Crm::at(&server, by).await);
    let (world, acme) = begun(&crm, store).await;
    let writer = Writer::begin(&crm, &world.receiver);
    for crash in 1..=3 {
        world.receiver.wait_until("some more arrivals", || world.receiver.count() >= crash * 40).await;
        server.stop_immediately().await;
        server.start_again().await;
    }
    writer.end().await;
    everything_came_once(&crm, &acme, &world.receiver).await;
}

async fn a_server_starts_without_the_crms_database_and_begins_when_it_answers(by: By) {
    let mut server = PrivateServer::with(&[LOGICAL]).await;
    let crm = Crm::at(&server, by).await;
    server.stop_fast().await;
    let world = world_of(&crm, Store::Sqlite).await;
    let acme = organization(&world, "acme", "standard").await;
    acme.endpoint(&world.receiver.url("/in"), json!({})).await;
    let log = || world.program.output();
    until("it is told", async || log().contains("asked again until it answers").then_some(())).await;
    server.start_again().await;
    crm.deals(1, 1);
    world.receiver.wait_for("/in", 1).await;
    let (ended, ..) = world.stop().await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(ended.stderr.matches("asked again until it answers").count(), 1, "{}", ended.stderr);
}

async fn of_two_nodes_one_reads_and_the_other_takes_over(by: By) {
    let crm = Arc::new(Crm::by(by).await);
    crm.deals(1, u32::try_from(DEALS).expect("few"));
    let mut cluster = Cluster::none_on(Database::create()).await.with_lease(LEASE);
    for _ in 0..2 {
        cluster.add(|setup| crm.used_by(setup)).await;
    }
    let made = json!({"id": "acme", "name": "Acme"});
    cluster.any().post("/v1/organizations", &made).await.expect(201);
    let acme = Organization { api: cluster.api(0), id: "acme".to_owned() };
    let fields = json!({"events": ["deal.updated"], "ordering": "resource"});
    acme.endpoint(&cluster.receiver.url("/in"), fields).await;
    let writer = Writer::begin(&crm, &cluster.receiver);
    cluster.receiver.wait_for("/in", 30).await;
    let readers = async |cluster: &Cluster| {
        let mut readers = vec![];
        for node in 0..2 {
            if cluster.metric(node, "postrider_source_is_reading").await == Some(1.0) {
                readers.push(node);
            }
        }
        readers
    };
    let reading =
        until("one reads", async || Some(readers(&cluster).await).filter(|readers| !readers.is_empty())).await;
    assert_eq!(reading.len(), 1, "{reading:?}");
    cluster.kill(reading[0]).await;
    let other = 1 - reading[0];
    until("the other reads", async || {
        (cluster.metric(other, "postrider_source_is_reading").await == Some(1.0)).then_some(())
    })
    .await;
    writer.end().await;
    let acme = Organization { api: cluster.api(other), id: acme.id };
    everything_came_once(&crm, &acme, &cluster.receiver).await;
}
