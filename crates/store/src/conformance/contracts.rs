//! Contract revisions and contracts in use.

use super::samples::{endpoint, org_id, organization, revision};
use super::{Subject, T0};
use crate::model::{ContractUse, EndpointLimits, RevisionId};

/// Saving it again changes nothing.
pub async fn a_revision_is_kept_under_its_hash(subject: &mut impl Subject) {
    let store = subject.store();
    let (old, new) = (revision("timeout = \"15s\""), revision("timeout = \"20s\" # 雪"));
    for revision in [&old, &new, &old] {
        store.save_contract_revision(revision).await.unwrap();
    }
    assert_eq!(store.contract_revision(old.id).await.unwrap(), Some(old));
    assert_eq!(store.contract_revision(new.id).await.unwrap(), Some(new));
    assert_eq!(store.contract_revision(RevisionId([9; 32])).await.unwrap(), None);
}

/// By an organisation or by an endpoint, once each, until they are deleted.
pub async fn every_contract_named_is_in_use(subject: &mut impl Subject) {
    let store = subject.store();
    for i in 0..25 {
        store.create_organization(&organization(&format!("org-{i:02}"))).await.unwrap();
    }
    let org = org_id("org-07");
    let mut other = endpoint(&org, T0);
    other.contract = "another".to_owned();
    store.create_endpoint(&other, &EndpointLimits::default()).await.unwrap();
    let uses = store.contracts_in_use().await.unwrap();
    let first: Vec<_> = (0..20).map(|i| org_id(&format!("org-{i:02}"))).collect();
    let most_used = ContractUse { name: "sample".to_owned(), organizations: first };
    let other_used = ContractUse { name: "another".to_owned(), organizations: vec![org.clone()] };
    assert_eq!(uses, [other_used, most_used.clone()]);
    store.delete_endpoint(&org, other.id).await.unwrap();
    assert_eq!(store.contracts_in_use().await.unwrap(), [most_used]);
}
