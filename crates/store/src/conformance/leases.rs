//! Leases, and what is refused without one; and commits on a configuration that is no longer the newest.

use std::time::Duration;

use super::leased::LASTS;
use super::samples::{STORED, World, at, outcome};
use super::{Subject, T0};
use crate::error::StoreError;
use crate::model::{Basis, LaneId, Recorded, Renewal, Version};
use postrider_domain::Transition;

/// Whatever became of those before.
pub async fn each_lease_has_a_greater_number(subject: &mut impl Subject) {
    let store = subject.store();
    let mut newest = store.lease;
    for _ in 0..3 {
        let granted = store.grant_lease("another", LASTS).await.unwrap();
        assert!(granted.lease > newest);
        newest = granted.lease;
        store.revoke_lease(newest).await.unwrap();
    }
}

/// Commits, claims, retries and releases; and what it has sent counts no more.
pub async fn a_revoked_lease_does_nothing_any_more(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let (store, lease) = (&world.store, world.store.lease);
    let open = world.one_open(T0).await;
    assert!(matches!(store.renew_lease(lease, LASTS).await.unwrap(), Renewal::Renewed(_)));
    store.revoke_lease(lease).await.unwrap();
    store.revoke_lease(lease).await.unwrap();
    assert_eq!(store.renew_lease(lease, LASTS).await.unwrap(), Renewal::Lost);
    let lost = [
        store.commit_events(&world.org, vec![world.event(T0)]).await.err(),
        store.retry_delivery(&world.org, open.id, at(1)).await.err(),
        store.take_lanes(lease, at(9), 9).await.err(),
        store.lanes_due(None, 9).await.err(),
        store.release_lanes(lease, vec![]).await.err(),
    ];
    for lost in lost {
        assert!(matches!(lost, Some(StoreError::LeaseLost)), "{lost:?}");
    }
    let claimed = store.claim_due(&world.org, world.endpoint, at(9), 9, vec![]).await;
    assert!(matches!(&claimed, Ok(open) if open.is_empty()) || matches!(claimed, Err(StoreError::LeaseLost)));
    let late = store.record_outcomes(&[outcome(&open, at(1), Transition::Succeed)]).await.unwrap();
    assert_eq!(late, [Recorded::Stale]);
    assert_eq!(world.status_of(open.id).await.attempts_count, 0);
}

/// Whoever gets the next lease takes it.
pub async fn what_a_revoked_lease_left_is_taken_by_the_next(subject: &mut impl Subject) {
    let mut world = World::new(subject).await;
    let open = world.one_open(T0).await;
    let lane = LaneId { organization: world.org.clone(), endpoint: world.endpoint };
    world.store.revoke_lease(world.store.lease).await.unwrap();
    world.store.lease = world.store.grant_lease("the next", LASTS).await.unwrap().lease;
    let taken = world.store.take_lanes(world.store.lease, at(1), 9).await.unwrap();
    assert_eq!(taken.iter().map(|due| (due.lane.clone(), due.due_at)).collect::<Vec<_>>(), [(lane.clone(), T0)]);
    assert_eq!(world.claim(at(1)).await, [(*open).clone()]);
    world.succeed(&open, at(1)).await;
    world.store.release_lanes(world.store.lease, vec![lane]).await.unwrap();
    assert_eq!(world.store.take_lanes(world.store.lease, at(1), 9).await.unwrap(), []);
}

/// It lasts on, and tells how many nodes there are.
pub async fn a_lease_that_nobody_revokes_is_renewed(subject: &mut impl Subject) {
    let store = subject.store();
    assert_eq!(store.revoke_expired_leases(Duration::from_millis(1)).await.unwrap(), 0);
    let Renewal::Renewed(standing) = store.renew_lease(store.lease, LASTS).await.unwrap() else { panic!("it is lost") };
    assert_eq!(standing.nodes, 1);
}

/// Each change makes it outdated: of the organisation, of an endpoint, one more, one less.
pub async fn a_commit_on_an_older_configuration_is_refused(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let version = async || world.store.configuration(&world.org).await.unwrap().unwrap().version;
    let commit = async |version: Option<Version>| {
        let basis = Basis { lease: world.store.lease, version };
        (*world.store).commit_events(basis, &world.org, vec![world.event(T0)]).await
    };
    let mut seen = version().await;
    for change in 0..4 {
        assert_eq!(commit(Some(seen)).await.unwrap(), [STORED]);
        match change {
            0 => drop(world.another_endpoint().await),
            1 => {
                let mut organization = world.store.organization(&world.org).await.unwrap().unwrap();
                organization.name = "Another".to_owned();
                world.store.update_organization(&organization).await.unwrap();
            }
            2 => {
                let endpoint = world.store.endpoint(&world.org, world.endpoint).await.unwrap().unwrap();
                world.store.update_endpoint(&endpoint).await.unwrap();
            }
            _ => assert!(world.store.delete_endpoint(&world.org, world.endpoint).await.unwrap()),
        }
        let refused = commit(Some(seen)).await;
        assert!(matches!(refused, Err(StoreError::Outdated)), "change {change}: {refused:?}");
        let newer = version().await;
        assert!(newer > seen);
        seen = newer;
    }
    assert_eq!(commit(None).await.unwrap(), [STORED], "it does not matter to everybody");
    let configuration = world.store.configuration(&world.org).await.unwrap().unwrap();
    assert_eq!((configuration.version, configuration.endpoints.len()), (seen, 1));
}
