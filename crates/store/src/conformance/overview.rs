//! What people who look after the whole see of it.

use postrider_domain::{Millis, Transition};

use super::samples::{World, at, outcome};
use super::{Subject, T0};
use crate::overview::{OpenWork, StoreKind};

/// What has ended is not open, and what is retried later is not due.
pub async fn open_work_is_counted_with_what_is_due(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let open = async |now: Millis| world.store.overview(now).await.unwrap().open;
    assert_eq!(open(at(9)).await, OpenWork::default());
    let (first, second) = (world.one_open(at(1)).await, world.one_open(at(2)).await);
    let of_two = OpenWork { pending: 2, due: 2, oldest_due_at: Some(at(1)), is_estimate: false };
    assert_eq!(open(at(2)).await, of_two);
    assert_eq!(open(at(1)).await, OpenWork { due: 1, ..of_two });
    assert_eq!(open(T0).await, OpenWork { due: 0, oldest_due_at: None, ..of_two });
    world.succeed(&first, at(3)).await;
    assert_eq!(open(at(3)).await, OpenWork { pending: 1, due: 1, oldest_due_at: Some(at(2)), is_estimate: false });
    let later = outcome(&second, at(4), Transition::Succeed);
    world.store.record_outcomes(&[later]).await.unwrap();
    assert_eq!(open(at(9)).await, OpenWork::default());
}

/// By the names that they gave themselves, until the lease is over.
pub async fn nodes_are_named_while_their_lease_lasts(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let _open = world.one_open(T0).await;
    let overview = world.store.overview(T0).await.unwrap();
    let [node] = overview.nodes.as_slice() else { panic!("{overview:?}") };
    assert_eq!((node.lease, node.name.as_str()), (world.store.lease, "conformance"));
    let is_for_many = overview.store == StoreKind::Postgres;
    assert_eq!(node.lanes, is_for_many.then_some(1));
    assert_eq!(node.renewed_at.is_some(), is_for_many);
    world.store.revoke_lease(world.store.lease).await.unwrap();
    assert_eq!(world.store.overview(T0).await.unwrap().nodes, []);
}
