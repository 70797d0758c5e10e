//! Backups of a store that is worked with, and what becomes of them.

use std::collections::HashSet;
use std::path::PathBuf;

use postrider_store::{BackupProgress, DeliveryFilter, PageRequest, backup, restore};

use super::*;

fn keys(byte: u8) -> MasterKeys {
    MasterKeys::from(master(byte))
}

/// Commits events one after another, from this number on, until told to stop; returns the number behind the last.
async fn commit_until(store: &SqliteStore, mut number: u128, stop: &std::sync::atomic::AtomicBool) -> u128 {
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        let events = (0..5).map(|i| new_event(number + 2 * i, &"seeded-data ".repeat(40))).collect();
        store.commit_events(BASIS, &org(), events).await.unwrap();
        number += 10;
    }
    number
}

async fn ids(store: &SqliteStore) -> HashSet<DeliveryId> {
    let (mut found, mut before) = (HashSet::new(), None);
    loop {
        let page = PageRequest { limit: 1_000, before };
        let page = store.deliveries(&org(), &DeliveryFilter::default(), page).await.unwrap();
        found.extend(page.rows.iter().map(|row| row.id));
        before = page.next;
        if before.is_none() {
            return found;
        }
    }
}

struct Place {
    data: tempfile::TempDir,
    elsewhere: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Place { data: tempfile::tempdir().unwrap(), elsewhere: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.elsewhere.path().join(name)
    }
}

async fn made(data: &Path, to: PathBuf) -> Result<BackupProgress, StoreError> {
    let data = data.to_owned();
    tokio::task::spawn_blocking(move || backup(&data, &to, |_| ())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_before_a_backup_began_is_in_it_however_much_is_written_meanwhile() {
    let place = Place::new();
    let store = open(place.data.path()).unwrap();
    prepare(&store).await;
    let stop = std::sync::atomic::AtomicBool::new(false);
    for number in 0..600 {
        store.commit_events(BASIS, &org(), vec![new_event(10_000 + 2 * number, &"x".repeat(9_000))]).await.unwrap();
    }
    let before = ids(&store).await;
    let copy = place.file("copy");
    let backed_up = async {
        let done = made(place.data.path(), copy.clone()).await;
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        done.unwrap()
    };
    let (done, _) = tokio::join!(backed_up, commit_until(&store, 1_000_000, &stop));
    let after = ids(&store).await;
    assert!(after.len() > before.len());
    let metadata = std::fs::metadata(&copy).unwrap();
    assert_eq!((done.bytes, done.bytes_all, metadata.mode() & 0o777), (metadata.len(), metadata.len(), 0o600));
    assert_eq!(std::fs::read_dir(place.elsewhere.path()).unwrap().count(), 1);
    let text = std::fs::read(&copy).unwrap();
    assert!(!text.windows(6).any(|window| window == b"seeded"));

    let data = place.file("restored");
    let restored = restore(&copy, &data, &keys(1)).unwrap();
    assert_eq!((restored.organizations, restored.bytes), (1, done.bytes));
    let again = open(&data).unwrap();
    let kept = ids(&again).await;
    assert!(kept.is_superset(&before) && kept.is_subset(&after));
    assert_eq!(restored.open_deliveries as usize, kept.len());
    let claimed = again.claim_due(LEASE, &org(), endpoint().id, T0, 10, vec![]).await.unwrap();
    assert_eq!(claimed.len(), 10);
    again.commit_events(BASIS, &org(), vec![new_event(5_000_000, "{}")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_nobody_works_with_is_backed_up_by_the_caller() {
    let place = Place::new();
    let store = open(place.data.path()).unwrap();
    prepare(&store).await;
    store.commit_events(BASIS, &org(), vec![new_event(10, "{}")]).await.unwrap();
    store.close().await.unwrap();
    made(place.data.path(), place.file("copy")).await.unwrap();
    restore(&place.file("copy"), &place.file("restored"), &keys(1)).unwrap();
    assert_eq!(ids(&open(&place.file("restored")).unwrap()).await.len(), 1);
    // A socket that a killed process left is no obstacle.
    std::os::unix::net::UnixListener::bind(place.data.path().join("postrider.sock")).unwrap();
    let store = open(place.data.path()).unwrap();
    made(place.data.path(), place.file("another")).await.unwrap();
    store.close().await.unwrap();
    assert!(!place.data.path().join("postrider.sock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_with_a_long_name_is_backed_up_too() {
    let place = Place::new();
    let data = place.data.path().join("d".repeat(120));
    let store = open(&data).unwrap();
    prepare(&store).await;
    made(&data, place.file("copy")).await.unwrap();
    store.close().await.unwrap();
    assert!(!data.join("postrider.sock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_made_leaves_nothing() {
    let place = Place::new();
    let (data, file) = (place.data.path(), place.file("copy"));
    let text = |result: Result<BackupProgress, StoreError>| result.unwrap_err().to_string();
    assert!(text(made(data, file.clone()).await).contains("there is no database in this directory"));
    let store = open(data).unwrap();
    prepare(&store).await;
    std::fs::write(&file, "mine").unwrap();
    assert!(text(made(data, file.clone()).await).contains("exists already"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert!(text(made(data, place.file("no/such/directory")).await).contains("cannot be written"));
    assert_eq!(std::fs::read_dir(place.elsewhere.path()).unwrap().count(), 1);
    // The server takes no file that whoever asks could not have written.
    let mut stream = std::os::unix::net::UnixStream::connect(data.join("postrider.sock")).unwrap();
    let path: String = file.to_str().unwrap().bytes().map(|byte| format!("{byte:02x}")).collect();
    std::io::Write::write_all(&mut stream, format!("backup 0123 {path}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("failed the server sees another file"), "{answer}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    made(data, place.file("good")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sound_backup_is_not_restored() {
    let place = Place::new();
    let store = open(place.data.path()).unwrap();
    prepare(&store).await;
    for number in 0..200 {
        store.commit_events(BASIS, &org(), vec![new_event(10 + 2 * number, &"x".repeat(2_000))]).await.unwrap();
    }
    let copy = place.file("copy");
    made(place.data.path(), copy.clone()).await.unwrap();
    let refused = |from: &Path, key: u8| {
        let data = place.file("restored");
        let error = restore(from, &data, &keys(key)).unwrap_err();
        assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
        let left = std::fs::read_dir(&data).map(|entries| entries.map(|e| e.unwrap().file_name()).collect::<Vec<_>>());
        assert!(left.unwrap_or_default().iter().all(|name| name == "postrider.lock"));
        error.to_string()
    };
    assert!(refused(&copy, 2).contains("it was made with encryption key"));
    assert!(refused(&place.file("nothing"), 1).contains("cannot be read"));
    std::fs::write(place.file("text"), "SQL").unwrap();
    assert!(refused(&place.file("text"), 1).contains("this is no backup"));
    Connection::open(place.file("other")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(refused(&place.file("other"), 1).contains("another program's database"));
    let bytes = std::fs::read(&copy).unwrap();
    std::fs::write(place.file("cut"), &bytes[..bytes.len() / 2]).unwrap();
    assert!(refused(&place.file("cut"), 1).contains("damaged"));
    let mut altered = bytes.clone();
    // In a page's own book-keeping; what lies in the cells is guarded by its seal.
    let at = 40 * 4_096;
    altered[at..at + 12].fill(0xff);
    std::fs::write(place.file("altered"), &altered).unwrap();
    assert!(refused(&place.file("altered"), 1).contains("damaged"));
    let used = place.file("used");
    std::fs::create_dir(&used).unwrap();
    std::fs::write(used.join("notes.txt"), "mine").unwrap();
    let error = restore(&copy, &used, &keys(1)).unwrap_err().to_string();
    assert!(error.contains("notes.txt") || error.contains("other files"), "{error}");
    assert!(restore(&copy, place.data.path(), &keys(1)).unwrap_err().to_string().contains("another process"));
    store.close().await.unwrap();
    assert!(restore(&copy, place.data.path(), &keys(1)).unwrap_err().to_string().contains("not empty"));
    // Its key may be there already.
    let fresh = place.file("fresh");
    std::fs::create_dir(&fresh).unwrap();
    std::fs::write(fresh.join("encryption.key"), "k").unwrap();
    restore(&copy, &fresh, &keys(1)).unwrap();
}
