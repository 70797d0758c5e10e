//! What is damaged, refused half-way or left behind.

use std::sync::Arc;

use postrider_domain::{EventId, Millis, Resource};
use postrider_store::{Event, NewEvent, Outcome, Recorded, RevisionId, Store, StoreError};
use rusqlite::Connection;

use super::{DATABASE, T0, claim, new_event, open, org, outcome, prepare};

/// An event with an id of its own and these records.
fn event_about(number: u128, ids: usize) -> NewEvent {
    let new = new_event(number, "{}");
    let ids = (0..ids).map(|i| format!("{number}-{i}")).collect();
    let about = Resource { kind: "deal".to_owned(), ids, uri: None };
    let chosen: EventId = format!("chosen-{number}").parse().unwrap();
    let event = Event { id: chosen, resource: Some(about), ..(*new.event).clone() };
    NewEvent { event: Arc::new(event), fingerprint: Some([1; 32]), ..new }
}

#[tokio::test]
async fn an_outcome_refused_in_the_middle_undoes_its_whole_batch() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    prepare(&store).await;
    store.commit_events(&org(), vec![new_event(10, "1"), new_event(20, "2")]).await.unwrap();
    let open = claim(&store).await;
    let outcomes: Vec<Outcome> = open.iter().cloned().map(outcome).collect();
    let mut refused = open[1].clone();
    refused.revision = RevisionId([9; 32]);
    let answer = store.record_outcomes(&[outcomes[0].clone(), outcome(refused)]).await;
    assert!(matches!(answer, Err(StoreError::NotFound { .. })), "{answer:?}");
    assert_eq!(claim(&store).await, open);
    assert_eq!(store.stats().await.unwrap().open_deliveries, 2);
    assert_eq!(store.record_outcomes(&outcomes).await.unwrap(), [Recorded::Recorded; 2]);
}

#[tokio::test]
async fn an_event_whose_record_is_damaged_goes_like_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    prepare(&store).await;
    store.commit_events(&org(), (0..3).map(|i| event_about(10 + 2 * i, 1)).collect()).await.unwrap();
    let conn = Connection::open(dir.path().join(DATABASE)).unwrap();
    conn.execute("UPDATE events SET resource = x'01' WHERE no = 2", []).unwrap();
    let step = store.retain(Millis(T0.0 + 2), Millis(T0.0 + 1), 1_000).await.unwrap();
    assert_eq!((step.deliveries_expired, step.rows_dropped, step.more), (3, 3, false));
    let late: i64 = conn.query_row("SELECT count(*) FROM event_ids_late", [], |row| row.get(0)).unwrap();
    assert_eq!(late, 3);
}

#[tokio::test]
async fn a_unit_of_retention_stays_small_though_its_events_are_about_many_records() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    prepare(&store).await;
    store.commit_events(&org(), (0..20).map(|i| event_about(10 + 2 * i, 100)).collect()).await.unwrap();
    let (mut dropped, mut steps) = (0, 0);
    loop {
        let step = store.retain(Millis(T0.0 + 2), Millis(T0.0 + 1), 100).await.unwrap();
        assert!(step.rows_dropped <= 2, "{step:?}");
        (dropped, steps) = (dropped + step.rows_dropped, steps + 1);
        if !step.more {
            break;
        }
        assert!(steps < 100);
    }
    assert_eq!(dropped, 20);
}
