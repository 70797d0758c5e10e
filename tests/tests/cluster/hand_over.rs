//! Nodes stop in good order, one after the other, as in an upgrade: others go on with their lanes at once, and nothing is sent twice.

use std::time::Duration;

use postrider_tests::cluster::Cluster;
use postrider_tests::load::{Load, Watch};

const ROUNDS: usize = 4;
/// The longest that an endpoint may hear nothing: far below what is left of a lease that has to run out, with room for a slow machine.
const SILENCE_MAX: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_hands_its_lanes_over_without_a_gap_and_without_a_duplicate() {
    let mut cluster = Cluster::start(2).await;
    let tenants = [cluster.tenant(3).await, cluster.tenant(1).await];
    let load = Load::begin(&cluster.front, &tenants, 80);
    let watch = Watch::begin(&cluster, &tenants);
    load.accepts(160).await;
    for round in 0..ROUNDS {
        let node = round % 2;
        cluster.stop(node).await;
        load.accepts(160).await;
        cluster.start_again(node).await;
        load.accepts(160).await;
    }
    let account = load.settled(&cluster).await;
    watch.end(&account);
    account.has_no_duplicates();
    for path in tenants.iter().flat_map(|tenant| tenant.paths.values()) {
        let times = cluster.receiver.times_at(path);
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        println!("{path} heard nothing for {longest:?} at most");
        assert!(longest < SILENCE_MAX, "{path} heard nothing for {longest:?}");
    }
}
