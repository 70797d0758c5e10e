//! Postgres ended without mercy and started again, fifty times, under load.

use postrider_tests::cluster::Cluster;
use postrider_tests::load::{Load, Watch};
use postrider_tests::postgres::{Database, PrivateServer};
use postrider_tests::program::LEASE;
use postrider_tests::random::Random;

const RESTARTS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_is_sent_twice() {
    let mut random = Random::from_environment("restarts of Postgres");
    let mut server = PrivateServer::start().await;
    let cluster = Cluster::none_on(Database::create_on(&server.url())).await.with_lease(LEASE).grown_by(2).await;
    let tenants = [cluster.tenant(3).await, cluster.tenant(1).await];
    let load = Load::begin(&cluster.front, &tenants, 80);
    let watch = Watch::begin(&cluster, &tenants);
    for _ in 0..RESTARTS {
        load.accepts(1 + random.below(20)).await;
        server.stop_immediately().await;
        server.start_again().await;
    }
    let account = load.settled(&cluster).await;
    watch.end(&account);
    // Nobody judges a lease right after the database's start, so no node loses its own, and each records what it sent.
    account.has_no_duplicates();
}
