//! Several nodes on one database: whose lanes are whose, and what happens when one is gone.

use std::collections::HashSet;
use std::time::Duration;

use postrider_domain::EndpointId;
use postrider_store::{Basis, Committed, EndpointLimits, Hint, LeaseNo, Recorded, Renewal, Store, StoreError, Version};

use crate::database::Database;
use crate::world::{
    LATER, LONG, NOW, Node, STORED, acme, audit, edit, endpoint, event, lane, populate, soon, succeeded,
};

const MOMENT: Duration = Duration::from_millis(1);

/// Two nodes and some endpoints.
async fn two(endpoints: usize) -> (Database, Node, Node, Vec<EndpointId>) {
    let database = Database::create();
    let (a, b) = (Node::start(&database).await, Node::start(&database).await);
    let endpoints = populate(&a.store, endpoints).await;
    (database, a, b, endpoints)
}

/// Until every lease that ran out is revoked.
async fn revoked_by(node: &Node, count: u32) {
    let mut revoked = 0;
    let all = async {
        while revoked < count {
            revoked += node.store.revoke_expired_leases(MOMENT).await.unwrap();
        }
    };
    soon(all).await;
    assert_eq!(revoked, count);
}

#[tokio::test]
async fn a_commit_for_a_lane_that_another_holds_is_hinted_and_sent_there() {
    let (_database, a, b, endpoints) = two(1).await;
    a.listens().await;
    assert_eq!(a.commit(&endpoints).await.unwrap(), STORED, "a free lane is taken");
    let elsewhere = b.commit(&endpoints).await.unwrap();
    assert_eq!(elsewhere, Committed::Stored { elsewhere: endpoints.clone() });
    a.hears(&Hint::Work(lane(endpoints[0]))).await;
    assert_eq!(b.claim(endpoints[0]).await, []);
    let claimed = a.claim(endpoints[0]).await;
    assert_eq!(claimed.len(), 2);
    for open in &claimed {
        assert_eq!(a.succeed(open).await, Recorded::Recorded);
    }
    assert_eq!(a.claim(endpoints[0]).await, []);
}

#[tokio::test]
async fn what_a_node_held_that_is_gone_is_taken_and_its_late_word_counts_no_more() {
    let database = Database::create();
    let b = Node::start(&database).await;
    let endpoints = populate(&b.store, 2).await;
    let a = Node::with(database.open().await.unwrap(), MOMENT).await;
    a.commit(&endpoints).await.unwrap();
    let late = a.claim(endpoints[0]).await;
    assert_eq!(b.take(10).await, [], "its lease may have run out, but nobody has revoked it");
    b.listens().await;
    revoked_by(&b, 1).await;
    let taken: HashSet<_> = b.take(10).await.into_iter().collect();
    assert_eq!(taken, endpoints.iter().copied().collect());
    assert_eq!(a.succeed(&late[0]).await, Recorded::Stale);
    let refused = a.commit(&endpoints).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost)), "{refused:?}");
    assert_eq!(a.store.renew_lease(a.lease, LONG).await.unwrap(), Renewal::Lost);
    assert_eq!(a.claim(endpoints[0]).await, []);
    let retried = a.store.retry_delivery(a.lease, &acme(), late[0].id, NOW, &audit()).await;
    assert!(matches!(retried, Err(StoreError::LeaseLost)), "{retried:?}");
    let released = a.store.release_lanes(a.lease, vec![lane(endpoints[0])]).await;
    assert!(matches!(released, Err(StoreError::LeaseLost)), "{released:?}");
    let open = b.claim(endpoints[0]).await;
    assert_eq!(open, late);
    assert_eq!(b.succeed(&open[0]).await, Recorded::Recorded);
    // It comes back under a new number, which is greater.
    let again = Node::with(a.store, LONG).await;
    assert!(again.lease > b.lease && again.lease > a.lease);
    assert_eq!(again.commit(&endpoints).await.unwrap(), Committed::Stored { elsewhere: endpoints });
}

#[tokio::test]
async fn a_lease_that_ran_out_is_renewed_as_long_as_nobody_has_revoked_it() {
    let (_database, a, b, _) = two(0).await;
    standing(&a, MOMENT).await;
    soon(async { while standing(&b, LONG).await != 1 {} }).await;
    assert_eq!(standing(&a, LONG).await, 2);
    assert_eq!(b.store.revoke_expired_leases(MOMENT).await.unwrap(), 0);
}

/// How many nodes there are at a renewal.
async fn standing(node: &Node, lasts: Duration) -> u32 {
    match node.store.renew_lease(node.lease, lasts).await.unwrap() {
        Renewal::Renewed(standing) => {
            assert!(standing.now.is_some());
            standing.nodes
        }
        Renewal::Lost => panic!("the lease was revoked"),
    }
}

#[tokio::test]
async fn nobody_is_judged_soon_after_the_database_started() {
    let (_database, a, b, _) = two(0).await;
    standing(&a, MOMENT).await;
    soon(async { while standing(&b, LONG).await != 1 {} }).await;
    // It started less than a hundred years ago.
    let ages = Duration::from_secs(100 * 365 * 24 * 3_600);
    assert_eq!(b.store.revoke_expired_leases(ages).await.unwrap(), 0);
    assert_eq!(b.store.revoke_expired_leases(MOMENT).await.unwrap(), 1);
}

#[tokio::test]
async fn a_lease_is_not_revoked_while_its_holder_has_a_transaction_under_way() {
    let (database, a, b, _) = two(0).await;
    let mut client = database.client().await;
    // As a group of commits has it.
    let busy = client.transaction().await.unwrap();
    let sql = format!("SELECT pg_advisory_xact_lock_shared(1886352244, {})", a.lease.0);
    busy.batch_execute(&sql).await.unwrap();
    standing(&a, MOMENT).await;
    soon(async { while standing(&b, LONG).await != 1 {} }).await;
    assert_eq!(b.store.revoke_expired_leases(MOMENT).await.unwrap(), 0);
    busy.rollback().await.unwrap();
    assert_eq!(b.store.revoke_expired_leases(MOMENT).await.unwrap(), 1);
}

#[tokio::test]
async fn a_node_that_stops_frees_its_lanes_and_the_others_are_told() {
    let (_database, a, b, endpoints) = two(3).await;
    a.commit(&endpoints).await.unwrap();
    b.listens().await;
    a.store.revoke_lease(a.lease).await.unwrap();
    b.hears(&Hint::FreeLanes).await;
    assert_eq!(b.take(2).await.len(), 2);
    assert_eq!(b.take(2).await.len(), 1);
    assert_eq!(b.take(2).await, []);
    a.store.revoke_lease(a.lease).await.unwrap();
}

#[tokio::test]
async fn nodes_that_take_lanes_at_once_wait_for_nobody_and_share_them_all() {
    let (database, a, b, endpoints) = two(200).await;
    let c = Node::start(&database).await;
    a.commit(&endpoints).await.unwrap();
    a.store.revoke_lease(a.lease).await.unwrap();
    let all_of = async |node: &Node| {
        let mut all = Vec::new();
        loop {
            let taken = node.take(7).await;
            if taken.is_empty() {
                return all;
            }
            all.extend(taken);
        }
    };
    let (of_b, of_c) = tokio::join!(all_of(&b), all_of(&c));
    assert_eq!(of_b.len() + of_c.len(), 200);
    let distinct: HashSet<_> = of_b.iter().chain(&of_c).collect();
    assert_eq!(distinct.len(), 200);
    assert_eq!(standing_lanes(&b).await, 200);
}

async fn standing_lanes(node: &Node) -> u64 {
    match node.store.renew_lease(node.lease, LONG).await.unwrap() {
        Renewal::Renewed(standing) => standing.lanes,
        Renewal::Lost => panic!("the lease was revoked"),
    }
}

#[tokio::test]
async fn a_lane_without_work_is_not_taken_and_one_whose_work_is_due_later_stays_free() {
    let (_database, a, b, endpoints) = two(2).await;
    a.commit_at(&endpoints, NOW).await.unwrap();
    let open = a.claim(endpoints[0]).await;
    a.succeed(&open[0]).await;
    a.store.revoke_lease(a.lease).await.unwrap();
    assert_eq!(b.store.take_lanes(b.lease, NOW, 10).await.unwrap(), []);
    assert_eq!(standing_lanes(&b).await, 0);
    assert_eq!(b.take(10).await, [endpoints[1]]);
    // Another lane's lease is its own; this one's was never anybody's but a's.
    assert_eq!(b.commit(&endpoints[..1]).await.unwrap(), STORED);
}

/// However commits and releases fall: what is open lies in a lane that somebody holds or can take.
#[tokio::test]
async fn no_delivery_falls_between_two_nodes() {
    let (_database, a, b, endpoints) = two(3).await;
    let committing = async |node: &Node| {
        for i in 0..60 {
            node.commit(&endpoints[i % 3..]).await.unwrap();
        }
    };
    let moving = async |node: &Node| {
        for _ in 0..60 {
            node.take(2).await;
            node.release(&endpoints).await;
        }
    };
    tokio::join!(committing(&a), moving(&a), committing(&b), moving(&b));
    let mut sent = 0;
    for node in [&a, &b] {
        node.take(10).await;
        let due = node.store.lanes_due(node.lease, None, 10).await.unwrap();
        for lane in due {
            sent += node.claim(lane.lane.endpoint).await.len();
        }
    }
    // 3 + 2 + 1 deliveries in each three commits, on both nodes.
    assert_eq!(sent, 2 * 20 * 6);
}

#[tokio::test]
async fn releasing_what_is_not_the_leases_does_nothing() {
    let (_database, a, b, endpoints) = two(2).await;
    a.commit(&endpoints[..1]).await.unwrap();
    b.release(&endpoints).await;
    assert_eq!(a.claim(endpoints[0]).await.len(), 1);
    a.release(&endpoints).await;
    assert_eq!(a.claim(endpoints[0]).await, []);
    assert_eq!(b.take(9).await, [endpoints[0]]);
}

#[tokio::test]
async fn a_commit_on_an_old_configuration_is_refused_on_every_node() {
    let (_database, a, b, endpoints) = two(1).await;
    let seen = b.store.configuration(&acme()).await.unwrap().unwrap().version;
    a.store.create_endpoint(&endpoint(), &EndpointLimits::default(), &edit()).await.unwrap();
    let basis = Basis { lease: b.lease, version: Some(seen) };
    let refused = b.store.commit_events(basis, &acme(), vec![event(&endpoints, NOW)]).await;
    assert!(matches!(refused, Err(StoreError::Outdated)), "{refused:?}");
    let basis = Basis { version: Some(Version(seen.0 + 1)), ..basis };
    b.store.commit_events(basis, &acme(), vec![event(&endpoints, NOW)]).await.unwrap();
}

#[tokio::test]
async fn a_retry_by_hand_goes_to_the_node_that_holds_the_lane() {
    let (_database, a, b, endpoints) = two(1).await;
    a.commit(&endpoints).await.unwrap();
    a.listens().await;
    let open = a.claim(endpoints[0]).await;
    a.succeed(&open[0]).await;
    let retried = b.store.retry_delivery(b.lease, &acme(), open[0].id, LATER, &audit()).await.unwrap().unwrap();
    assert!(retried.is_elsewhere);
    a.hears(&Hint::Work(lane(endpoints[0]))).await;
    assert_eq!(a.claim(endpoints[0]).await, std::slice::from_ref(&retried.delivery));
    assert_eq!(b.store.record_outcomes(&[succeeded(LeaseNo(99), &retried.delivery)]).await.unwrap(), [Recorded::Stale]);
    assert_eq!(a.succeed(&retried.delivery).await, Recorded::Recorded);
}

#[tokio::test]
async fn the_same_chosen_id_on_two_nodes_at_once_is_stored_once() {
    let (_database, a, b, endpoints) = two(1).await;
    for i in 0..20 {
        let chosen = |content: u8| {
            let mut new = event(&endpoints, NOW);
            let mut of = (*new.event).clone();
            of.id = format!("order-{i}").parse().unwrap();
            (new.event, new.fingerprint) = (of.into(), Some([content; 32]));
            vec![new]
        };
        let acme = acme();
        let (one, other) = tokio::join!(
            a.store.commit_events(a.basis(), &acme, chosen(1)),
            b.store.commit_events(b.basis(), &acme, chosen(1)),
        );
        let answers = [one.unwrap().remove(0), other.unwrap().remove(0)];
        let repeated = answers.iter().filter(|answer| **answer == Committed::Repeated { deliveries_count: 1 });
        assert_eq!(repeated.count(), 1, "{answers:?}");
        let differs = b.store.commit_events(b.basis(), &acme, chosen(2)).await;
        assert!(matches!(differs, Err(StoreError::EventDiffers { .. })), "{differs:?}");
    }
    assert_eq!(a.claim(endpoints[0]).await.len() + b.claim(endpoints[0]).await.len(), 20);
}
