//! Idempotency keys.

use super::samples::{HOUR, at, org_id, organization};
use super::{Leased, Subject, T0};
use crate::error::StoreError;
use crate::model::{Idempotency, StoredAnswer};

const HASH: [u8; 32] = [1; 32];

fn answer() -> StoredAnswer {
    StoredAnswer { status: 201, body: b"{\"secret\":\"whsec_\"}\0\xff".to_vec() }
}

async fn acme(subject: &impl Subject) -> Leased {
    let store = subject.store();
    store.create_organization(&organization("acme")).await.unwrap();
    store
}

/// To an organisation's and to the operator's own requests.
pub async fn the_first_answer_is_given_again(subject: &mut impl Subject) {
    let store = acme(subject).await;
    let org = org_id("acme");
    for owner in [None, Some(&org)] {
        assert_eq!(store.begin_idempotent(owner, "k", HASH, T0).await.unwrap(), Idempotency::Started);
        assert_eq!(store.begin_idempotent(owner, "k", HASH, at(1)).await.unwrap(), Idempotency::Running);
        store.finish_idempotent(owner, "k", answer()).await.unwrap();
        let again = store.begin_idempotent(owner, "k", HASH, at(24 * HOUR - 1)).await.unwrap();
        assert_eq!(again, Idempotency::Done(answer()));
    }
}

/// While the first runs and afterwards.
pub async fn another_request_under_the_same_key_differs(subject: &mut impl Subject) {
    let store = acme(subject).await;
    let org = org_id("acme");
    store.begin_idempotent(Some(&org), "k", HASH, T0).await.unwrap();
    let other = store.begin_idempotent(Some(&org), "k", [2; 32], at(1)).await.unwrap();
    assert_eq!(other, Idempotency::Differs);
    store.finish_idempotent(Some(&org), "k", answer()).await.unwrap();
    let other = store.begin_idempotent(Some(&org), "k", [2; 32], at(2)).await.unwrap();
    assert_eq!(other, Idempotency::Differs);
    let same = store.begin_idempotent(Some(&org), "k", HASH, at(3)).await.unwrap();
    assert_eq!(same, Idempotency::Done(answer()));
}

/// For any request. Abandoning what nobody began does nothing.
pub async fn an_abandoned_key_is_free(subject: &mut impl Subject) {
    let store = acme(subject).await;
    let org = org_id("acme");
    store.abandon_idempotent(Some(&org), "k").await.unwrap();
    store.begin_idempotent(Some(&org), "k", HASH, T0).await.unwrap();
    store.abandon_idempotent(Some(&org), "k").await.unwrap();
    let next = store.begin_idempotent(Some(&org), "k", [2; 32], at(1)).await.unwrap();
    assert_eq!(next, Idempotency::Started);
}

/// Whether retention has passed or not.
pub async fn a_key_is_free_after_24_hours(subject: &mut impl Subject) {
    let store = acme(subject).await;
    let org = org_id("acme");
    for key in ["answered", "never answered", "dropped"] {
        store.begin_idempotent(Some(&org), key, HASH, T0).await.unwrap();
        if key != "never answered" {
            store.finish_idempotent(Some(&org), key, answer()).await.unwrap();
        }
    }
    for key in ["answered", "never answered"] {
        let next = store.begin_idempotent(Some(&org), key, [2; 32], at(24 * HOUR)).await.unwrap();
        assert_eq!(next, Idempotency::Started);
        store.finish_idempotent(Some(&org), key, answer()).await.unwrap();
    }
    while store.retain(at(30 * HOUR), T0, 100).await.unwrap().more {}
    let kept = store.begin_idempotent(Some(&org), "answered", [2; 32], at(30 * HOUR)).await.unwrap();
    assert_eq!(kept, Idempotency::Done(answer()));
    let next = store.begin_idempotent(Some(&org), "dropped", [3; 32], at(30 * HOUR)).await.unwrap();
    assert_eq!(next, Idempotency::Started);
}

/// The operator's are nobody else's.
pub async fn keys_belong_to_their_organization(subject: &mut impl Subject) {
    let store = acme(subject).await;
    store.create_organization(&organization("other")).await.unwrap();
    for owner in [None, Some(&org_id("acme")), Some(&org_id("other"))] {
        let begun = store.begin_idempotent(owner, "k", HASH, T0).await.unwrap();
        assert_eq!(begun, Idempotency::Started);
        store.finish_idempotent(owner, "k", answer()).await.unwrap();
    }
    let nobody = store.begin_idempotent(Some(&org_id("nobody")), "k", HASH, T0).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");
}

/// What was answered is still there.
pub async fn what_was_under_way_when_the_process_died_is_free(subject: &mut impl Subject) {
    let store = acme(subject).await;
    let org = org_id("acme");
    for key in ["running", "done"] {
        store.begin_idempotent(Some(&org), key, HASH, T0).await.unwrap();
    }
    store.finish_idempotent(Some(&org), "done", answer()).await.unwrap();
    drop(store);
    subject.reopen().await;
    let store = subject.store();
    let running = store.begin_idempotent(Some(&org), "running", HASH, at(1)).await.unwrap();
    assert_eq!(running, Idempotency::Started);
    let done = store.begin_idempotent(Some(&org), "done", HASH, at(1)).await.unwrap();
    assert_eq!(done, Idempotency::Done(answer()));
}
