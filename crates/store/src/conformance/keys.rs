//! Keys.

use postrider_domain::KeyId;

use super::samples::{all, at, id_at, key, org_id, organization, page};
use super::{Subject, T0};
use crate::error::StoreError;

/// Expired or not.
pub async fn a_key_is_found_by_its_hash_until_it_is_deleted(subject: &mut impl Subject) {
    let store = subject.store();
    let org = org_id("acme");
    store.create_organization(&organization("acme")).await.unwrap();
    let mut forever = key(&org, at(1));
    (forever.expires_at, forever.scopes) = (None, vec![]);
    let limited = key(&org, T0);
    store.create_key(&limited, [1; 32]).await.unwrap();
    store.create_key(&forever, [2; 32]).await.unwrap();
    assert_eq!(store.key_by_hash([1; 32]).await.unwrap(), Some(limited.clone()));
    assert_eq!(store.key_by_hash([2; 32]).await.unwrap(), Some(forever.clone()));
    assert_eq!(store.key_by_hash([3; 32]).await.unwrap(), None);
    assert_eq!(store.keys(&org, all()).await.unwrap().rows, [forever, limited.clone()]);
    let same_hash = store.create_key(&key(&org, T0), [1; 32]).await;
    assert!(matches!(same_hash, Err(StoreError::Exists { .. })), "{same_hash:?}");
    assert!(!store.delete_key(&org, KeyId(id_at(T0))).await.unwrap());
    assert!(store.delete_key(&org, limited.id).await.unwrap());
    assert!(!store.delete_key(&org, limited.id).await.unwrap());
    assert_eq!(store.key_by_hash([1; 32]).await.unwrap(), None);
    store.delete_organization(&org).await.unwrap();
    assert_eq!(store.key_by_hash([2; 32]).await.unwrap(), None);
}

/// Each organisation has its own room, and a deleted key gives its place back.
pub async fn keys_are_counted_in_the_transaction_that_makes_one(subject: &mut impl Subject) {
    let store = subject.store();
    let org = org_id("acme");
    store.create_organization(&organization("acme")).await.unwrap();
    store.create_organization(&organization("globex")).await.unwrap();
    let mut made = Vec::new();
    for i in 0..3u8 {
        made.push(key(&org, at(i64::from(i))));
    }
    let at_once = tokio::join!(
        store.create_key_within(&made[0], [1; 32], 2),
        store.create_key_within(&made[1], [2; 32], 2),
        store.create_key_within(&made[2], [3; 32], 2),
    );
    let refused: Vec<_> = [at_once.0, at_once.1, at_once.2].into_iter().filter_map(Result::err).collect();
    assert!(matches!(refused.as_slice(), [StoreError::LimitReached { max: 2, .. }]), "{refused:?}");
    let kept = store.keys(&org, all()).await.unwrap().rows;
    assert_eq!(kept.len(), 2);
    let elsewhere = key(&org_id("globex"), T0);
    store.create_key_within(&elsewhere, [4; 32], 2).await.unwrap();
    assert!(store.delete_key(&org, kept[0].id).await.unwrap());
    store.create_key_within(&key(&org, at(9)), [5; 32], 2).await.unwrap();
}

/// It belongs to no organisation.
pub async fn the_operator_key_is_replaced(subject: &mut impl Subject) {
    let store = subject.store();
    assert_eq!(store.operator_key_hash().await.unwrap(), None);
    store.set_operator_key_hash([7; 32]).await.unwrap();
    store.set_operator_key_hash([8; 32]).await.unwrap();
    assert_eq!(store.operator_key_hash().await.unwrap(), Some([8; 32]));
}

/// So two nodes that start for the first time at once have one operator key.
pub async fn the_operator_key_that_is_settled_first_stays(subject: &mut impl Subject) {
    let store = subject.store();
    let settled = tokio::join!(store.settle_operator_key_hash([7; 32]), store.settle_operator_key_hash([8; 32]));
    let (one, other) = (settled.0.unwrap(), settled.1.unwrap());
    assert!(one == other && (one == [7; 32] || one == [8; 32]));
    assert_eq!(store.settle_operator_key_hash([9; 32]).await.unwrap(), one);
    assert_eq!(store.operator_key_hash().await.unwrap(), Some(one));
    store.set_operator_key_hash([10; 32]).await.unwrap();
    assert_eq!(store.settle_operator_key_hash([9; 32]).await.unwrap(), [10; 32]);
}

/// Each once, and a last page that says so.
pub async fn pages_go_from_newest_to_oldest(subject: &mut impl Subject) {
    let store = subject.store();
    let org = org_id("acme");
    store.create_organization(&organization("acme")).await.unwrap();
    for i in 0..4u8 {
        store.create_key(&key(&org, at(i64::from(i))), [i; 32]).await.unwrap();
    }
    let first = store.keys(&org, page(3, None)).await.unwrap();
    let second = store.keys(&org, page(3, first.next)).await.unwrap();
    let times: Vec<_> = first.rows.iter().chain(&second.rows).map(|key| key.created_at).collect();
    assert_eq!(times, [at(3), at(2), at(1), T0]);
    assert_eq!((first.rows.len(), second.next), (3, None));
}

/// No signature is kept, and no key for it.
pub async fn what_was_signed_is_known_after_opening_again_for_its_purpose_alone(subject: &mut impl Subject) {
    let signature = subject.store().signing("a purpose").unwrap().sign(b"message");
    subject.reopen().await;
    let store = subject.store();
    assert!(store.signing("a purpose").unwrap().is_signed(b"message", &signature));
    assert!(!store.signing("a purpose").unwrap().is_signed(b"another", &signature));
    assert!(!store.signing("another purpose").unwrap().is_signed(b"message", &signature));
}
