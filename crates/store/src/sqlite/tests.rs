//! What happens when a thread of the store panics.

use super::*;
use crate::MasterKey;
use crate::sqlite::reader::Reader;
use crate::sqlite::writer::{Fault, WriteTx};

fn opened(dir: &tempfile::TempDir) -> SqliteStore {
    let master = MasterKey::from_base64(&data_encoding::BASE64.encode(&[1; 32])).unwrap();
    SqliteStore::open(dir.path(), master, &SqliteOptions::default()).unwrap()
}

fn is_unavailable<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(StoreError::Unavailable { .. }))
}

#[tokio::test]
async fn nobody_hangs_when_the_writer_panics() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(&dir);
    let (arrived, arrival) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel();
    let panics = store.writer.write(0, move |_: &mut WriteTx<'_>| -> Result<(), Fault> {
        arrived.send(()).unwrap();
        may_go.recv().unwrap();
        panic!("a test's panic in the writer");
    });
    let waits = async {
        // The writer is at it: what is asked for now waits behind it.
        arrival.recv().unwrap();
        let write = store.writer.write(0, |_: &mut WriteTx<'_>| Ok(()));
        let release = async { go.send(()).unwrap() };
        tokio::join!(biased; write, release).0
    };
    let (panicked, waited) = tokio::join!(biased; panics, waits);
    assert!(is_unavailable(&panicked) && is_unavailable(&waited), "{panicked:?} {waited:?}");
    assert!(is_unavailable(&store.check(Millis(0)).await));
    store.close().await.unwrap();
}

#[tokio::test]
async fn nobody_hangs_when_all_readers_panic() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(&dir);
    for _ in 0..READERS {
        let read = |_: &mut Reader| -> Result<(), Fault> { panic!("a test's panic in a reader") };
        assert!(is_unavailable(&store.readers.read(read).await));
    }
    assert!(is_unavailable(&store.readers.read(|_| Ok(())).await));
    store.close().await.unwrap();
}
