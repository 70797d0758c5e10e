//! What is damaged, refused half-way or left behind.

use std::sync::Arc;

use postrider_domain::{EventId, Millis, Resource};
use postrider_store::{Event, NewEvent, Outcome, Recorded, RevisionId, Store, StoreError};
use rusqlite::Connection;

use super::{
    BASIS, DATABASE, LEASE, T0, audit, claim, endpoint, fill, master, new_event, open, org, outcome, prepare, refusal,
};

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
    store.commit_events(BASIS, &org(), vec![new_event(10, "1"), new_event(20, "2")]).await.unwrap();
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
    store.commit_events(BASIS, &org(), (0..3).map(|i| event_about(10 + 2 * i, 1)).collect()).await.unwrap();
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
    store.commit_events(BASIS, &org(), (0..20).map(|i| event_about(10 + 2 * i, 100)).collect()).await.unwrap();
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

#[tokio::test]
async fn a_damaged_page_found_at_opening_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    fill(&store).await;
    store.commit_events(BASIS, &org(), vec![event_about(20, 3)]).await.unwrap();
    store.close().await.unwrap();
    let path = dir.path().join(DATABASE);
    let conn = Connection::open(&path).unwrap();
    let mut find = conn.prepare("SELECT rootpage, name FROM sqlite_schema WHERE rootpage > 0").unwrap();
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?));
    let roots: Vec<_> = find.query_map([], read).unwrap().map(Result::unwrap).collect();
    drop(find);
    drop(conn);
    let whole = std::fs::read(&path).unwrap();
    let mut refused = Vec::new();
    for (page, name) in roots {
        let mut bytes = whole.clone();
        bytes[4_096 * (page as usize - 1)..][..4_096].fill(7);
        std::fs::write(&path, bytes).unwrap();
        let text = refusal(dir.path(), master(1));
        if text != "it opened" {
            assert!(text.contains(DATABASE) && text.contains("restore it from a backup"), "{name}: {text}");
            refused.push(name);
        }
    }
    for name in ["meta", "data_keys", "events", "attempts", "deliveries", "fresh_resources", "open_deliveries"] {
        assert!(refused.iter().any(|table| table == name), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn events_that_do_not_open_do_not_hold_up_their_lane() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    prepare(&store).await;
    store.commit_events(BASIS, &org(), (0..20).map(|i| new_event(10 + 2 * i, "{}")).collect()).await.unwrap();
    let whole = claim(&store).await;
    let conn = Connection::open(dir.path().join(DATABASE)).unwrap();
    conn.execute("UPDATE events SET sealed = x'00' WHERE no <= 7 OR no = 12", []).unwrap();
    conn.execute("UPDATE open_deliveries SET resume = 99 WHERE event_no = 9", []).unwrap();
    let expected: Vec<_> = [8, 10, 11].map(|no| whole[no - 1].id).into();
    let claimed = store.claim_due(LEASE, &org(), endpoint().id, T0, 3, vec![]).await.unwrap();
    assert_eq!(claimed.iter().map(|open| open.id).collect::<Vec<_>>(), expected);
    let rest = store.claim_due(LEASE, &org(), endpoint().id, T0, 100, expected).await.unwrap();
    assert_eq!(
        rest.iter().map(|open| open.id).collect::<Vec<_>>(),
        whole[12..].iter().map(|open| open.id).collect::<Vec<_>>()
    );
    let again = store.retry_delivery(LEASE, &org(), whole[0].id, T0, &audit()).await;
    assert!(matches!(again, Err(StoreError::Sealed { .. })), "{again:?}");
}

#[tokio::test]
async fn nothing_is_left_in_the_log_after_closing() {
    for round in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).unwrap();
        fill(&store).await;
        claim(&store).await;
        // A backup's reader, say, that is still there.
        let other = (round % 2 == 1).then(|| Connection::open(dir.path().join(DATABASE)).unwrap());
        if let Some(other) = &other {
            other.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).unwrap();
        }
        store.close().await.unwrap();
        let log = std::fs::metadata(dir.path().join(format!("{DATABASE}-wal")));
        assert_eq!(log.map_or(0, |log| log.len()), 0, "round {round}");
    }
}
