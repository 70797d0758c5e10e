//! The audit trail: with each change exactly one entry, and none without.

use std::net::IpAddr;
use std::sync::Arc;

use postrider_domain::{
    Action, Actor, AuditEntry, AuditId, DeliveryId, EndpointId, Facts, KeyId, Millis, OrganizationId, Progress, Role,
    Transition,
};
use uuid::Uuid;

use super::samples::{DAY, T0, World, all, at, endpoint, id_at, key, org_id, organization, outcome, page};
use super::{Leased, Subject, operations};
use crate::edit::{AuditFilter, Edit};
use crate::error::StoreError;
use crate::model::{EndpointLimits, LeaseNo, OpenDelivery, Recorded};
use crate::store::Store;

/// An entry with everything set.
fn entry(moment: Millis, action: Action, object: &str) -> AuditEntry {
    let subject = Some("ana@example.com".to_owned());
    AuditEntry {
        request_id: Some("req-1".to_owned()),
        source: Some(IpAddr::from([203, 0, 113, 9])),
        ..AuditEntry::new(AuditId(id_at(moment)), moment, Actor::Token { subject, role: Role::Admin }, action, object)
    }
}

async fn trail(store: &Leased, org: &OrganizationId, filter: &AuditFilter) -> Vec<AuditEntry> {
    store.audit(Some(org), filter, all()).await.unwrap().rows
}

async fn of_operator(store: &Leased) -> Vec<AuditEntry> {
    store.audit(None, &AuditFilter::default(), all()).await.unwrap().rows
}

/// Every kind of change leaves the entry that it was given, as it was given.
pub async fn each_change_leaves_its_entry(subject: &mut impl Subject) {
    let leased = subject.store();
    let store: &dyn Store = &*leased;
    let org = organization("acme");
    let (endpoint, key) = (endpoint(&org.id, T0), key(&org.id, T0));
    let facts = (Facts::default(), Facts::of_endpoint(&endpoint));
    let next = |ms: i64, action: Action| entry(at(ms), action, "object");
    let made = next(1, Action::ORGANIZATION_CREATED);
    store.create_organization(&org, &made).await.unwrap();
    let changed = next(2, Action::ORGANIZATION_CHANGED);
    store.update_organization(&org, &Edit::of(changed.clone())).await.unwrap();
    let created = next(3, Action::ENDPOINT_CREATED).telling(&facts.0, &facts.1);
    store.create_endpoint(&endpoint, &EndpointLimits::default(), &Edit::of(created.clone())).await.unwrap();
    let updated = AuditEntry { actor: Actor::Key(KeyId(Uuid::from_u128(3))), ..next(4, Action::ENDPOINT_CHANGED) };
    store.update_endpoint(&endpoint, &Edit::of(updated.clone())).await.unwrap();
    let keyed =
        AuditEntry { actor: Actor::System, ..next(5, Action::KEY_CREATED) }.telling(&facts.0, &Facts::of_key(&key));
    store.create_key(&key, [5; 32], u32::MAX, &keyed).await.unwrap();
    let unkeyed = AuditEntry { request_id: None, source: None, ..next(6, Action::KEY_DELETED) };
    assert!(store.delete_key(&org.id, key.id, &unkeyed).await.unwrap());
    let removed = AuditEntry { actor: Actor::Operator, ..next(7, Action::ENDPOINT_DELETED) };
    assert!(store.delete_endpoint(&org.id, endpoint.id, &removed).await.unwrap());
    let expected = [removed, unkeyed, keyed, updated, created, changed, made];
    assert_eq!(trail(&leased, &org.id, &AuditFilter::default()).await, expected);
    let told = format!("{expected:?}");
    for secret in ["signing-secret", "header-secret", "url-secret"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    assert!(of_operator(&leased).await.is_empty());
}

/// A retry and a test, too.
pub async fn what_is_sent_by_hand_leaves_an_entry(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let store: &dyn Store = &*world.store;
    let open = world.one_open(T0).await;
    let retried = entry(at(2), Action::DELIVERY_RETRIED, &open.id.to_string());
    assert!(store.retry_delivery(world.store.lease(), &world.org, open.id, at(2), &retried).await.unwrap().is_some());
    let (nothing, none) = (DeliveryId(id_at(T0)), entry(at(2), Action::DELIVERY_RETRIED, "nothing"));
    assert!(store.retry_delivery(world.store.lease(), &world.org, nothing, at(2), &none).await.unwrap().is_none());
    let mut new = world.event(at(3));
    new.test = true;
    let mut done = outcome(&open, at(3), Transition::Succeed);
    done.lease = LeaseNo(0);
    let sent = Arc::new(OpenDelivery {
        id: new.deliveries[0].id,
        test: true,
        event: Arc::clone(&new.event),
        progress: Progress::default(),
        created_at: at(3),
        ..(*open).clone()
    });
    done.delivery = sent;
    let tested = entry(at(3), Action::ENDPOINT_TESTED, &world.endpoint.to_string());
    assert_eq!(store.record_test(new.clone(), &done, &tested).await.unwrap(), Recorded::Recorded);
    world.store.delete_endpoint(&world.org, world.endpoint).await.unwrap();
    let late = entry(at(4), Action::ENDPOINT_TESTED, "late");
    assert_eq!(store.record_test(new, &done, &late).await.unwrap(), Recorded::Stale);
    let by_hand = AuditFilter { actor: Some("jwt:ana@example.com".to_owned()), ..AuditFilter::default() };
    assert_eq!(trail(&world.store, &world.org, &by_hand).await, [tested, retried]);
}

/// Of what was asked for and was on its way already.
pub async fn an_entry_is_told_by_itself_where_its_organization_is(subject: &mut impl Subject) {
    let leased = subject.store();
    let store: &dyn Store = &*leased;
    leased.create_organization(&organization("acme")).await.unwrap();
    let (acme, gone) = (org_id("acme"), org_id("gone"));
    let asked = entry(at(1), Action::DELIVERY_RETRIED, "dlv");
    store.tell(&acme, &asked).await.unwrap();
    store.tell(&gone, &entry(at(2), Action::DELIVERY_RETRIED, "nothing")).await.unwrap();
    let by_hand = AuditFilter { action: Some("delivery.retried".to_owned()), ..AuditFilter::default() };
    assert_eq!(trail(&leased, &acme, &by_hand).await, [asked]);
    assert!(of_operator(&leased).await.is_empty());
    leased.delete_organization(&acme).await.unwrap();
    store.tell(&acme, &entry(at(3), Action::DELIVERY_RETRIED, "late")).await.unwrap();
    assert!(trail(&leased, &acme, &by_hand).await.is_empty());
}

/// Who asked for an operation is told with it, and not when it was refused.
pub async fn an_operation_leaves_who_asked_for_it(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let store: &dyn Store = &*world.store;
    let recovered = entry(at(1), Action::RECOVERY_BEGUN, &world.endpoint.to_string());
    store.create_operation(&operations::recovery(&world, at(1)), &recovered).await.unwrap();
    let again = entry(at(2), Action::RECOVERY_BEGUN, "again");
    let refused = store.create_operation(&operations::recovery(&world, at(2)), &again).await;
    assert!(matches!(refused, Err(StoreError::Exists { .. })), "{refused:?}");
    let erasure = operations::erasure(&world, at(3));
    let erased = entry(at(3), Action::ERASURE_BEGUN, &erasure.id.to_string());
    store.create_operation(&erasure, &erased).await.unwrap();
    let told = trail(&world.store, &world.org, &AuditFilter::default()).await;
    assert_eq!(told[..2], [erased, recovered]);
}

/// What was refused, or was not there, leaves none.
pub async fn what_did_not_happen_leaves_none(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let (leased, org) = (&world.store, &world.org);
    let store: &dyn Store = &**leased;
    let before = trail(leased, org, &AuditFilter::default()).await;
    let wrong = |action: Action| entry(at(9), action, "wrong");
    let edit = |action: Action| Edit::of(wrong(action));
    assert!(store.create_organization(&organization("acme"), &wrong(Action::ORGANIZATION_CREATED)).await.is_err());
    let known = store.endpoint(org, world.endpoint).await.unwrap().unwrap();
    let none = EndpointLimits { endpoints_max: Some(1) };
    let refused = store.create_endpoint(&endpoint(org, T0), &none, &edit(Action::ENDPOINT_CREATED)).await;
    assert!(matches!(refused, Err(StoreError::LimitReached { .. })), "{refused:?}");
    assert!(store.create_endpoint(&known, &EndpointLimits::default(), &edit(Action::ENDPOINT_CREATED)).await.is_err());
    assert!(store.update_endpoint(&endpoint(org, T0), &edit(Action::ENDPOINT_CHANGED)).await.is_err());
    let nothing = EndpointId(id_at(T0));
    assert!(!store.delete_endpoint(org, nothing, &wrong(Action::ENDPOINT_DELETED)).await.unwrap());
    assert!(!store.delete_key(org, KeyId(id_at(T0)), &wrong(Action::KEY_DELETED)).await.unwrap());
    assert!(!store.delete_organization(&org_id("nobody"), &wrong(Action::ORGANIZATION_DELETED)).await.unwrap());
    assert_eq!(trail(leased, org, &AuditFilter::default()).await, before);
    assert!(of_operator(leased).await.is_empty());
}

/// A change that was made from what is no longer so is refused whole.
pub async fn a_change_made_from_an_older_configuration_is_refused(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let (leased, org) = (&world.store, &world.org);
    let store: &dyn Store = &**leased;
    let seen = store.configuration(org).await.unwrap().unwrap();
    let endpoint_seen = seen.endpoints[0].clone();
    let from = |action: Action| Edit { audit: entry(at(5), action, "from"), basis: Some(seen.version) };
    let one = from(Action::ENDPOINT_CREATED);
    store.create_endpoint(&endpoint(org, T0), &EndpointLimits::default(), &one).await.unwrap();
    let refused = [
        store.create_endpoint(&endpoint(org, T0), &EndpointLimits::default(), &from(Action::ENDPOINT_CREATED)).await,
        store.update_endpoint(&endpoint_seen, &from(Action::ENDPOINT_CHANGED)).await,
        store.update_organization(&seen.organization, &from(Action::ORGANIZATION_CHANGED)).await,
    ];
    for refusal in refused {
        assert!(matches!(refusal, Err(StoreError::Outdated)), "{refusal:?}");
    }
    let now = store.configuration(org).await.unwrap().unwrap();
    assert_eq!((now.endpoints.len(), now.version.0), (2, seen.version.0 + 1));
    let edit = Edit { audit: entry(at(6), Action::ENDPOINT_CHANGED, "again"), basis: Some(now.version) };
    store.update_endpoint(&endpoint_seen, &edit).await.unwrap();
    let told = trail(leased, org, &AuditFilter { object: Some("from".to_owned()), ..AuditFilter::default() }).await;
    assert_eq!(told, [one.audit]);
}

/// Each filter alone, together, and over pages.
pub async fn filters_and_pages_find_exactly_their_own(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let (leased, org) = (&world.store, &world.org);
    let store: &dyn Store = &**leased;
    let actors = [Actor::Operator, Actor::Key(KeyId(Uuid::from_u128(8))), Actor::System];
    let mut written = Vec::new();
    for i in 0..12_usize {
        let action = if i % 2 == 0 { Action::ENDPOINT_CHANGED } else { Action::ORGANIZATION_CHANGED };
        let audit = AuditEntry {
            actor: actors[i % 3].clone(),
            ..entry(at(DAY + 1_000 * i as i64), action, &format!("object-{}", i % 4))
        };
        written.insert(0, audit.clone());
        store.update_organization(&organization("acme"), &Edit::of(audit)).await.unwrap();
    }
    let since = Some(at(DAY));
    let filters = [
        AuditFilter { since, ..AuditFilter::default() },
        AuditFilter { since, actor: Some("system".to_owned()), ..AuditFilter::default() },
        AuditFilter { since, actor: Some(KeyId(Uuid::from_u128(8)).to_string()), ..AuditFilter::default() },
        AuditFilter { object: Some("object-3".to_owned()), ..AuditFilter::default() },
        AuditFilter { since, action: Some("endpoint.changed".to_owned()), ..AuditFilter::default() },
        AuditFilter { since: Some(at(DAY + 3_000)), until: Some(at(DAY + 9_000)), ..AuditFilter::default() },
        AuditFilter {
            since,
            actor: Some("operator".to_owned()),
            object: Some("object-3".to_owned()),
            ..AuditFilter::default()
        },
        AuditFilter { since, actor: Some("jwt:nobody".to_owned()), ..AuditFilter::default() },
    ];
    for filter in filters {
        let is_meant = |entry: &&AuditEntry| {
            filter.actor.as_deref().is_none_or(|actor| entry.actor.is(actor))
                && filter.object.as_deref().is_none_or(|object| entry.object == object)
                && filter.action.as_deref().is_none_or(|action| entry.action.0 == action)
                && filter.since.is_none_or(|since| entry.at >= since)
                && filter.until.is_none_or(|until| entry.at < until)
        };
        let expected: Vec<_> = written.iter().filter(is_meant).cloned().collect();
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let next = store.audit(Some(org), &filter, page(2, before)).await.unwrap();
            assert!(next.rows.len() <= 2);
            found.extend(next.rows);
            before = next.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{filter:?}");
    }
}

/// It goes with its organisation; who deleted that stays known to the operator.
pub async fn a_trail_is_its_organizations_and_goes_with_it(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let leased = &world.store;
    let other = World::of(subject.store(), "other").await;
    let theirs = trail(leased, &other.org, &AuditFilter::default()).await;
    assert_eq!(theirs.len(), 2);
    assert!(trail(leased, &org_id("nobody"), &AuditFilter::default()).await.is_empty());
    let deleted = entry(at(9), Action::ORGANIZATION_DELETED, "acme");
    let store: &dyn Store = &**leased;
    assert!(store.delete_organization(&world.org, &deleted).await.unwrap());
    let replaced =
        AuditEntry { actor: Actor::Operator, ..entry(at(10), Action::OPERATOR_KEY_REPLACED, "operator_key") };
    store.set_operator_key_hash([4; 32], &replaced).await.unwrap();
    assert!(trail(leased, &world.org, &AuditFilter::default()).await.is_empty());
    assert_eq!(of_operator(leased).await, [replaced.clone(), deleted.clone()]);
    assert_eq!(trail(leased, &other.org, &AuditFilter::default()).await, theirs);
    leased.create_organization(&organization("acme")).await.unwrap();
    assert_eq!(trail(leased, &world.org, &AuditFilter::default()).await.len(), 1);
    while leased.retain(at(DAY), at(0), 100).await.unwrap().more {}
    subject.reopen().await;
    assert_eq!(of_operator(&subject.store()).await, [replaced, deleted]);
}

/// Old entries go in steps, everybody's, and no others.
pub async fn old_entries_go_when_their_time_has_come(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let leased = &world.store;
    let store: &dyn Store = &**leased;
    for i in 0..7_i64 {
        let audit = entry(at(DAY * i), Action::ORGANIZATION_CHANGED, "acme");
        store.update_organization(&organization("acme"), &Edit::of(audit)).await.unwrap();
        let replaced = entry(at(DAY * i), Action::OPERATOR_KEY_REPLACED, "operator_key");
        store.set_operator_key_hash([4; 32], &replaced).await.unwrap();
    }
    // Two of the organisation's making, and two a day.
    let before = at(3 * DAY + DAY / 2);
    assert_eq!(store.retain_audit(before, 4).await.unwrap(), 4);
    assert_eq!(store.retain_audit(before, 100).await.unwrap(), 6);
    assert_eq!(store.retain_audit(before, 100).await.unwrap(), 0);
    let left = trail(leased, &world.org, &AuditFilter::default()).await;
    assert_eq!(left.iter().map(|entry| entry.at).collect::<Vec<_>>(), [at(6 * DAY), at(5 * DAY), at(4 * DAY)]);
    assert_eq!(of_operator(leased).await.len(), 3);
}
