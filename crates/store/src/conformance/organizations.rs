//! Organisations.

use postrider_domain::EventValidation;

use super::samples::{World, all, at, org_id, organization};
use super::{Subject, T0};
use crate::error::StoreError;
use crate::model::{DeliveryFilter, EventFilter};
use crate::search::search_organizations;

/// They come back whole, newest first, page by page.
pub async fn created_ones_are_found_and_listed_in_order(subject: &mut impl Subject) {
    let store = subject.store();
    for id in ["b", "a", "C", "d:1", "not-first"] {
        store.create_organization(&organization(id)).await.unwrap();
    }
    assert_eq!(store.organization(&org_id("a")).await.unwrap(), Some(organization("a")));
    assert_eq!(store.organization(&org_id("A")).await.unwrap(), None);
    let bare = bare("e");
    store.create_organization(&bare).await.unwrap();
    assert_eq!(store.organization(&bare.id).await.unwrap(), Some(bare));
    let mut seen = vec![];
    let mut after = None;
    loop {
        let page = store.organizations(after.as_ref(), 1).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(page.into_iter().map(|org| org.id.to_string()));
    }
    assert_eq!(seen, ["e", "not-first", "d:1", "C", "a", "b"]);
}

/// In either case of letters of any script, newest first and page by page.
pub async fn they_are_found_by_a_part_of_their_name_or_id(subject: &mut impl Subject) {
    let store = subject.store();
    for (id, name) in
        [("acme", "Zebra"), ("b", "São Paulo ACME"), ("ACME-eu", "Europa"), ("c", "Other"), ("d", "acme!")]
    {
        store
            .create_organization(&postrider_domain::Organization { name: name.to_owned(), ..organization(id) })
            .await
            .unwrap();
    }
    let mut seen = vec![];
    let mut after = None;
    loop {
        let found = search_organizations(&*store, "acme", after.as_ref(), 2).await.unwrap();
        seen.extend(found.rows.iter().map(|one| one.id.to_string()));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["d", "ACME-eu", "b", "acme"]);
    for (text, expected) in [("SÃO", vec!["b"]), ("nobody", vec![]), ("%", vec![]), ("d", vec!["d"])] {
        let found = search_organizations(&*store, text, None, 10).await.unwrap();
        let ids: Vec<_> = found.rows.iter().map(|one| one.id.as_str()).collect();
        assert_eq!((ids, found.next), (expected, None), "{text}");
    }
    store.delete_organization(&org_id("acme")).await.unwrap();
    assert_eq!(search_organizations(&*store, "zebra", None, 10).await.unwrap().rows, []);
}

fn bare(id: &str) -> postrider_domain::Organization {
    postrider_domain::Organization {
        plan: None,
        owner_email: None,
        locale: None,
        event_validation: EventValidation::Off,
        frame_ancestors: vec![],
        ..organization(id)
    }
}

/// The second with the same id is refused and changes nothing.
pub async fn an_id_is_taken_once(subject: &mut impl Subject) {
    let store = subject.store();
    store.create_organization(&organization("acme")).await.unwrap();
    let again = store.create_organization(&bare("acme")).await;
    assert!(matches!(again, Err(StoreError::Exists { .. })), "{again:?}");
    assert_eq!(store.organization(&org_id("acme")).await.unwrap(), Some(organization("acme")));
}

/// An update of one that does not exist is refused.
pub async fn an_update_replaces_everything_but_id_and_creation(subject: &mut impl Subject) {
    let store = subject.store();
    store.create_organization(&organization("acme")).await.unwrap();
    let mut changed = bare("acme");
    changed.name = "other".to_owned();
    changed.contract = "another".to_owned();
    changed.event_validation = EventValidation::Enforce;
    changed.frame_ancestors = vec!["https://other.example".to_owned()];
    changed.updated_at = at(7);
    changed.created_at = at(99);
    store.update_organization(&changed).await.unwrap();
    changed.created_at = T0;
    assert_eq!(store.organization(&org_id("acme")).await.unwrap(), Some(changed));
    let missing = store.update_organization(&organization("nobody")).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}

/// At once, however much there is to drop.
pub async fn deleting_one_hides_all_it_owned(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let store = &world.store;
    let open = world.one_open(T0).await;
    let ended = world.one_open(at(1)).await;
    world.succeed(&ended, at(2)).await;
    assert!(store.delete_organization(&world.org).await.unwrap());
    assert!(!store.delete_organization(&world.org).await.unwrap());
    assert_eq!(store.organization(&world.org).await.unwrap(), None);
    assert_eq!(store.organizations(None, 10).await.unwrap(), []);
    assert_eq!(store.endpoint(&world.org, world.endpoint).await.unwrap(), None);
    assert_eq!(store.endpoints(&world.org, all()).await.unwrap().rows, []);
    assert_eq!(store.lanes_due(None, 10).await.unwrap(), []);
    assert_eq!(world.claim(at(100)).await, []);
    assert_eq!(store.delivery(&world.org, open.id).await.unwrap(), None);
    assert_eq!(store.delivery(&world.org, ended.id).await.unwrap(), None);
    assert_eq!(store.deliveries(&world.org, &DeliveryFilter::default(), all()).await.unwrap().rows, []);
    assert_eq!(store.events(&world.org, &EventFilter::default(), all()).await.unwrap().rows, []);
    assert_eq!(store.event(&world.org, &open.event.id).await.unwrap(), None);
    let late = store.commit_events(&world.org, vec![world.event(at(3))]).await;
    assert!(matches!(late, Err(StoreError::NotFound { .. })), "{late:?}");
}

/// The new one begins empty, and has a key of its own.
pub async fn an_id_is_free_again_after_deletion_and_finds_nothing_old(subject: &mut impl Subject) {
    let world = World::new(subject).await;
    let old = world.one_open(T0).await;
    world.store.delete_organization(&world.org).await.unwrap();
    let again = World::of(world.store.clone(), "acme").await;
    assert_eq!(again.store.delivery(&again.org, old.id).await.unwrap(), None);
    assert_eq!(again.store.endpoint(&again.org, world.endpoint).await.unwrap(), None);
    let new = again.one_open(at(5)).await;
    assert_eq!(again.claim(at(5)).await, [(*new).clone()]);
    let deliveries = again.store.deliveries(&again.org, &DeliveryFilter::default(), all()).await.unwrap();
    assert_eq!(deliveries.rows.iter().map(|d| d.id).collect::<Vec<_>>(), [new.id]);
}
