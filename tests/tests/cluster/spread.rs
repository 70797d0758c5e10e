//! Lanes spread over the nodes there are.

use postrider_tests::cluster::Cluster;
use postrider_tests::load::{Load, Watch};
use postrider_tests::postgres::Database;
use postrider_tests::wait::until;

const ENDPOINTS: usize = 12;

async fn held(cluster: &Cluster) -> Vec<usize> {
    let mut held = vec![];
    for node in 0..cluster.size() {
        // A node that has just started does not tell it yet.
        let lanes = cluster.metric(node, "postrider_lanes_held").await.unwrap_or(0.0);
        held.push(format!("{lanes}").parse().expect("a whole number"));
    }
    held
}

/// Waits until every lane is held and no node has more than its share, give or take one.
async fn are_spread(cluster: &Cluster) {
    let share = ENDPOINTS.div_ceil(cluster.size());
    let held = until(&format!("{ENDPOINTS} lanes on {} nodes", cluster.size()), async || {
        let held = held(cluster).await;
        let is_fair = held.iter().all(|lanes| (1..=share + 1).contains(lanes));
        (is_fair && held.iter().sum::<usize>() == ENDPOINTS).then_some(held)
    })
    .await;
    println!("{} nodes hold {held:?} lanes", cluster.size());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_come_get_their_share_and_nothing_is_sent_twice() {
    let mut cluster = Cluster::none_on(Database::create()).await;
    cluster.add(|setup| setup).await;
    let tenants = [cluster.tenant(ENDPOINTS).await];
    let load = Load::begin(&cluster.front, &tenants, 30);
    let watch = Watch::begin(&cluster, &tenants);
    are_spread(&cluster).await;
    for _ in 0..2 {
        cluster.add(|setup| setup).await;
        are_spread(&cluster).await;
    }
    let account = load.settled(&cluster).await;
    watch.end(&account);
    account.has_no_duplicates();
}
