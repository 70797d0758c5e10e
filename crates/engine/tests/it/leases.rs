//! Leases that run out or are lost, and stores that cannot be reached.

use std::sync::atomic::Ordering;
use std::time::Duration;

use postrider_domain::DeliveryStatus;
use postrider_engine::{AcceptError, EngineLimits};
use tokio::time::Instant;

use crate::cluster::{Node, Nodes, quick};
use crate::support::{HELD, OK, Receiver, event};

/// Waits until a node that is cut off cannot have renewed its lease for longer than it lasts.
async fn until_fenced(nodes: &Nodes, node: &Node, since: Instant) {
    let lease = quick().lease;
    nodes
        .until("renewals are tried", |_| {
            node.store.renewals_refused.load(Ordering::SeqCst) > 0 && since.elapsed() > lease
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_renew_begins_nothing_and_another_takes_over() {
    let nodes = Nodes::new().await;
    let a = nodes.join("a").await;
    let receiver = Receiver::start(|nth| Some(if nth == 0 { HELD } else { OK })).await;
    nodes.endpoint(&a, &receiver.url).await;
    // One slot: the first hangs, the others wait in memory.
    for _ in 0..5 {
        nodes.publish(&a).await;
    }
    receiver.until(1).await;
    let b = nodes.join("b").await;
    let cut_at = Instant::now();
    a.cut(true);
    until_fenced(&nodes, &a, cut_at).await;
    // What hung is answered: from now on the node could send the next one, but may not.
    receiver.let_go();
    nodes.cluster.let_run_out("a");
    let delivered = nodes.until_status(DeliveryStatus::Succeeded, 5).await;
    assert!(delivered.iter().all(|delivery| delivery.attempts_count == 1));
    assert_eq!(nodes.cluster.lanes_of("b"), 1);
    a.cut(false);
    nodes.until("the late outcome comes back stale", |cluster| cluster.stale_count.load(Ordering::SeqCst) == 1).await;
    nodes.until("it gets another lease", |cluster| cluster.nodes().len() == 2).await;
    assert_eq!(nodes.publish(&a).await, 1);
    nodes.until_status(DeliveryStatus::Succeeded, 6).await;
    let mut times: Vec<_> = receiver.times_by_id().into_values().collect();
    times.sort_unstable();
    assert_eq!(times, [1, 1, 1, 1, 1, 2], "only what was under way is sent twice");
    b.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_for_less_than_its_lease_goes_on_where_it_was() {
    let nodes = Nodes::new().await;
    let a = nodes.join("a").await;
    let receiver = Receiver::start(|nth| Some(if nth == 0 { HELD } else { OK })).await;
    nodes.endpoint(&a, &receiver.url).await;
    for _ in 0..5 {
        nodes.publish(&a).await;
    }
    receiver.until(1).await;
    let cut_at = Instant::now();
    a.cut(true);
    let refused = a.engine.accept(&nodes.organization, vec![event("{}")]).await;
    assert!(matches!(refused, Err(AcceptError::Unavailable(_))), "at once: {refused:?}");
    until_fenced(&nodes, &a, cut_at).await;
    receiver.let_go();
    a.cut(false);
    let delivered = nodes.until_status(DeliveryStatus::Succeeded, 5).await;
    assert!(delivered.iter().all(|delivery| delivery.attempts_count == 1));
    assert_eq!(receiver.requests().len(), 5, "nothing is sent twice: nobody had revoked its lease");
    assert_eq!(nodes.cluster.stale_count.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_lease_was_revoked_gets_another_and_takes_its_lanes_again() {
    let nodes = Nodes::new().await;
    let a = nodes.join("a").await;
    let receiver = Receiver::start(|nth| Some(if nth == 0 { HELD } else { OK })).await;
    nodes.endpoint(&a, &receiver.url).await;
    for _ in 0..5 {
        nodes.publish(&a).await;
    }
    receiver.until(1).await;
    nodes.cluster.revoke_now("a").await;
    // The event waits for the lease.
    assert_eq!(nodes.publish(&a).await, 1);
    nodes.until("it has its lane again", |cluster| cluster.lanes_of("a") == 1).await;
    receiver.let_go();
    let delivered = nodes.until_status(DeliveryStatus::Succeeded, 6).await;
    assert!(delivered.iter().all(|delivery| delivery.attempts_count == 1));
    nodes.until("the first outcome is stale", |cluster| cluster.stale_count.load(Ordering::SeqCst) == 1).await;
    let times = receiver.times_by_id();
    assert_eq!((times.len(), times.values().sum::<usize>()), (6, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_refused_when_no_lease_comes() {
    let nodes = Nodes::new().await;
    let limits = EngineLimits { lease_wait_max: Duration::from_millis(100), ..quick() };
    let a = nodes.join_with("a", limits).await;
    // A view of the organisation, so that nothing else is asked of the store.
    nodes.publish(&a).await;
    let gate = nodes.cluster.gate.write().await;
    let engine = a.engine.clone();
    let organization = nodes.organization.clone();
    let accepting = tokio::spawn(async move { engine.accept(&organization, vec![event("{}")]).await });
    nodes.until("it comes to the store", |cluster| cluster.commits_begun.load(Ordering::SeqCst) == 2).await;
    nodes.cluster.revoke_now("a").await;
    a.cut(true);
    drop(gate);
    let refused = accepting.await.unwrap();
    assert!(matches!(refused, Err(AcceptError::Unavailable(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_caller_has_gone_away_is_delivered_all_the_same() {
    let nodes = Nodes::new().await;
    let a = nodes.join("a").await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    nodes.endpoint(&a, &receiver.url).await;
    nodes.publish(&a).await;
    nodes.until_status(DeliveryStatus::Succeeded, 1).await;
    let gate = nodes.cluster.gate.write().await;
    {
        let accepting = a.engine.accept(&nodes.organization, vec![event("{}")]);
        let begun = nodes.until("it is begun", |cluster| cluster.commits_begun.load(Ordering::SeqCst) == 2);
        tokio::select! {
            _ = accepting => panic!("the gate is closed"),
            () = begun => {}
        }
    }
    drop(gate);
    nodes.until_status(DeliveryStatus::Succeeded, 2).await;
    assert!(receiver.times_by_id().values().all(|count| *count == 1));
}

/// Nodes come, go, are cut off and lose their leases while events come to all of them: none is lost.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_the_nodes_every_event_is_delivered() {
    let nodes = Nodes::new().await;
    let limits =
        EngineLimits { stop_grace: Duration::from_secs(1), lane_idle_max: Duration::from_millis(100), ..quick() };
    let mut all = Vec::new();
    for name in ["a", "b", "c"] {
        all.push((name, nodes.join_with(name, limits.clone()).await));
    }
    let receiver = Receiver::start(|_| Some(OK)).await;
    for _ in 0..6 {
        nodes.endpoint(&all[0].1, &receiver.url).await;
    }
    let mut accepted = 0;
    for round in 0..60_usize {
        let at = round % all.len();
        match round % 10 {
            3 => nodes.cluster.revoke_now(all[at].0).await,
            5 => all[at].1.cut(true),
            6 => nodes.cluster.let_run_out(all[(round - 1) % all.len()].0),
            7 => all.iter().for_each(|(_, node)| node.cut(false)),
            9 => {
                let (name, stopped) = all.remove(at);
                stopped.engine.stop().await;
                all.push((name, nodes.join_with(name, limits.clone()).await));
            }
            _ => {}
        }
        for (_, node) in &all {
            let events = vec![event("{}"), event("{}")];
            match node.engine.accept(&nodes.organization, events).await {
                Ok(made) => accepted += made.iter().map(|one| one.deliveries_count as usize).sum::<usize>(),
                Err(AcceptError::Unavailable(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
    all.iter().for_each(|(_, node)| node.cut(false));
    nodes.until_all_ended().await;
    assert_eq!(receiver.times_by_id().len(), accepted);
}
