//! `kill -9` of random nodes, a hundred times, under load.

use postrider_tests::cluster::Cluster;
use postrider_tests::load::{Load, Watch};
use postrider_tests::postgres::Database;
use postrider_tests::program::LEASE;
use postrider_tests::random::Random;

const NODES: usize = 3;
const KILLS: usize = 100;
const ENDPOINTS: usize = 5;
/// Deliveries that a node may have sent and not recorded when it is killed: about what it makes in a tenth of a second while it works off what
/// waited for a dead node's lease.
const UNRECORDED_MAX: usize = 40;

/// Returns at some instant: mostly after some acceptances, which is soon, and at times after arrivals, which may take as long as a lease.
async fn random_instant(random: &mut Random, cluster: &Cluster, load: &Load) {
    if random.below(8) == 0 {
        let enough = cluster.receiver.count() + random.below(100);
        cluster.receiver.wait_until("arrivals", || cluster.receiver.count() >= enough).await;
    } else {
        load.accepts(random.below(25)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_accepted_event_is_lost_and_nothing_recorded_is_sent_again() {
    let mut random = Random::from_environment("kill -9 of nodes");
    let cluster = Cluster::none_on(Database::create()).await.with_lease(LEASE).with_doors();
    let mut cluster = cluster.grown_by(NODES).await;
    let tenants = [cluster.tenant(ENDPOINTS / 2).await, cluster.tenant(ENDPOINTS - ENDPOINTS / 2).await];
    let load = Load::begin(&cluster.front, &tenants, 80);
    let watch = Watch::begin(&cluster, &tenants);
    for _ in 0..KILLS {
        random_instant(&mut random, &cluster, &load).await;
        let node = random.below(NODES);
        cluster.kill(node).await;
        cluster.start_again(node).await;
    }
    let account = load.settled(&cluster).await;
    watch.end(&account);
    account.has_duplicates_at_most(KILLS * UNRECORDED_MAX);
    account.has_none_twice_through_a_door();
}
