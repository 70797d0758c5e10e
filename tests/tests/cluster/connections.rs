//! Postgres has no connection left, since another program took them all.

use postrider_tests::cluster::Cluster;
use postrider_tests::load::Load;
use postrider_tests::postgres::{Database, PrivateServer, Seat};
use postrider_tests::wait::until;
use serde_json::json;

const CONNECTIONS_MAX: usize = 40;

/// Takes every connection that is free.
async fn take_all(server: &PrivateServer, seats: &mut Vec<Seat>) {
    for _ in 0..=CONNECTIONS_MAX {
        match Seat::take(server.address()).await {
            Ok(seat) => seats.push(seat),
            Err(_) => return,
        }
    }
    panic!("more connections than there are: {}", seats.len());
}

/// Ends every other connection.
const END_OTHERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE backend_type = 'client backend' AND datname <> 'postgres'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_go_on_with_what_they_have_refuse_without_any_and_go_on_when_there_are_some() {
    let server = PrivateServer::with(&[&format!("max_connections={CONNECTIONS_MAX}")]).await;
    let cluster = Cluster::none_on(Database::create_on(&server.url())).await.grown_by(2).await;
    let tenants = [cluster.tenant(3).await];
    let load = Load::begin(&cluster.front, &tenants, 40);
    load.accepts(40).await;

    let mut seats = vec![];
    take_all(&server, &mut seats).await;
    // The connections that the nodes have are theirs.
    load.accepts(80).await;

    // Now they lose those too, and the other program is quicker.
    until("a node without connections refuses", async || {
        seats[0].run(END_OTHERS).await.unwrap();
        take_all(&server, &mut seats).await;
        for node in 0..2 {
            let answer = tenants[0].at(cluster.api(node)).try_publish(&json!({"type": "deal.won", "data": {}})).await;
            if answer.status == 202 {
                return None;
            }
            answer.problem(503);
        }
        Some(())
    })
    .await;
    let refused = load.ledger.refused();
    until("refusals", async || (load.ledger.refused() > refused + 20).then_some(())).await;
    println!("the slowest refusal took {:?}", load.ledger.refused_slowest());

    drop(seats);
    load.accepts(80).await;
    load.settled(&cluster).await.has_no_duplicates();
    for node in 0..2 {
        // Readiness is looked at every second or so.
        let open = cluster.api(node).with(None);
        until("readiness", async || (open.get("/readyz").await.status == 200).then_some(())).await;
    }
}
