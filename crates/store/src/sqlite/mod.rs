//! The embedded store: SQLite in write-ahead mode, synced at every commit.
//!
//! One thread writes, in groups ([`writer`]); a few threads read, each on short snapshots ([`reader`]); one copies the write-ahead log into
//! the database ([`checkpoint`]). Values are sealed and opened in the callers' own tasks.

mod audit;
mod backup;
mod checkpoint;
mod claim;
mod commit;
mod config;
mod configuration;
mod deliveries;
mod delivery_rows;
mod ending;
mod endpoints;
mod events;
mod failing;
mod idempotency;
mod leases;
mod numbers;
mod onwards;
mod open;
mod operational;
mod operations;
mod organizations;
mod overlaps;
mod overview;
mod queue;
mod reader;
mod record;
mod related;
mod repetitions;
mod resources;
mod retention;
mod retry;
mod rows;
mod scan;
mod schema;
mod statistics;
mod sweep;
mod tenants;
mod test_event;
mod trait_impl;
mod transfer;
mod turns;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use postrider_domain::Millis;
use rusqlite::Connection;

use crate::error::{Result, StoreError};
use crate::limits::{COUNTED_AT_OPEN, READERS};
use crate::master_key::MasterKeys;
use crate::model::StoreStats;
use crate::operational::OperationalFor;
use checkpoint::Checkpointer;
use idempotency::RunningRequests;
use leases::Leases;
use numbers::{NextNumbers, Numbers};
use reader::{Reader, Readers};
use tenants::Tenants;
use writer::{Writer, WriterShared};

pub use backup::{BackupProgress, Restored, backup, restore};
pub(crate) use open::DATABASE_FILE;

/// What may be set about a [`SqliteStore`].
#[derive(Clone, Debug, Default)]
pub struct SqliteOptions {
    /// The most pages of 4 KiB that the database may have; none for as many as fit the disk. What does not fit is refused as on a full disk.
    pub pages_max: Option<u32>,
}

/// A store in a directory of this machine. One process at a time.
pub struct SqliteStore {
    dir: PathBuf,
    writer: Arc<WriterShared>,
    readers: Readers,
    tenants: Tenants,
    running: RunningRequests,
    leases: Leases,
    operational_for: OperationalFor,
    sweeps_seen: AtomicI64,
    threads: Mutex<Threads>,
}

/// What runs for a store, and the lock that keeps other processes out.
#[derive(Default)]
struct Threads {
    /// Gives its connection back: once the readers' are closed it empties the write-ahead log, which a reader's could not.
    writer: Option<JoinHandle<Connection>>,
    others: Vec<JoinHandle<()>>,
    backups: Option<backup::Listener>,
    lock: Option<File>,
}

impl SqliteStore {
    /// Opens a data directory, or makes one. Blocks on the disk; call it outside the runtime's own threads or before the server starts.
    ///
    /// # Errors
    /// [`StoreError::Unusable`], in a sentence that says what to do: another process has the directory, the file is damaged or another
    /// program's, a master key that it was made with is missing, a newer version wrote it, or the disk refuses.
    pub fn open(dir: &Path, keys: impl Into<MasterKeys>, options: &SqliteOptions) -> Result<SqliteStore> {
        Self::open_with(dir, keys.into(), options, transfer::refuse_set_aside)
    }

    /// Opens one that may have been set aside, to export it or to take it back ([`crate::Transfer`]), and for nothing else.
    ///
    /// # Errors
    /// Those of [`SqliteStore::open`].
    pub fn open_to_move(dir: &Path, keys: impl Into<MasterKeys>) -> Result<SqliteStore> {
        Self::open_with(dir, keys.into(), &SqliteOptions::default(), |_, _| Ok(()))
    }

    fn open_with(
        dir: &Path,
        keys: MasterKeys,
        options: &SqliteOptions,
        look_at: fn(&Connection, &Path) -> Result<(), writer::Fault>,
    ) -> Result<SqliteStore> {
        open::prepare_dir(dir)?;
        let lock = open::lock(dir)?;
        let mut conn = open::open_writer(dir, options)?;
        look_at(&conn, dir).map_err(|fault| open::at_opening_of(dir, fault))?;
        let operator = open::check_master(&mut conn, dir, &keys)?;
        let next = NextNumbers::read(&conn).map_err(|error| open::at_opening_of(dir, error))?;
        let shared = WriterShared::new();
        let readers = Readers::new();
        let mut threads = Threads { lock: Some(lock), ..Threads::default() };
        let started = start_threads(dir, conn, Numbers::new(next), &shared, &readers, &mut threads);
        let store = SqliteStore {
            dir: dir.to_owned(),
            writer: shared,
            readers,
            tenants: Tenants::new(keys, operator),
            running: RunningRequests::default(),
            leases: Leases::default(),
            operational_for: OperationalFor::default(),
            sweeps_seen: AtomicI64::new(0),
            threads: Mutex::new(threads),
        };
        // From here on dropping the store ends the threads that did start.
        started?;
        Ok(store)
    }

    /// Whether a directory holds a database.
    #[must_use]
    pub fn exists(dir: &Path) -> bool {
        dir.join(DATABASE_FILE).exists()
    }

    /// Wraps every data key with the current master key, in one transaction, and returns how many were wrapped anew. What the data keys
    /// sealed stays as it is. The other master keys are needed no more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot commit; every data key is then wrapped as before.
    pub async fn rewrap(&self) -> Result<u64> {
        let keys = self.tenants.keys.clone();
        let canary = keys.canary()?;
        let write = move |tx: &mut writer::WriteTx<'_>| {
            let rewrapped = tenants::rewrap_all(tx, &keys)?;
            open::note_canaries(tx.conn, std::slice::from_ref(&canary))?;
            Ok(rewrapped)
        };
        self.writer.write(0, write).await
    }

    async fn check(&self, now: Millis) -> Result<()> {
        self.writer.write(64, move |tx| Ok(numbers::set_meta(tx.conn, "checked at", &now.0.to_le_bytes())?)).await
    }

    fn stats(&self) -> StoreStats {
        let size = |suffix: &str| {
            let path = self.dir.join(format!("{DATABASE_FILE}{suffix}"));
            std::fs::metadata(path).map_or(0, |metadata| metadata.len())
        };
        let open = self.writer.open_deliveries.load(Ordering::Relaxed);
        StoreStats { open_deliveries: u64::try_from(open).unwrap_or(0), bytes: size("") + size("-wal") + size("-shm") }
    }

    async fn close(&self) -> Result<()> {
        let threads = self.stop();
        let joined = tokio::task::spawn_blocking(move || join(threads)).await;
        joined.map_err(|_| StoreError::Unavailable { reason: "the store's threads did not end".to_owned() })
    }

    fn stop(&self) -> Threads {
        self.writer.close();
        self.readers.close();
        std::mem::take(&mut *self.threads.lock())
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        join(self.stop());
    }
}

/// Waits for the threads, then lets the directory go.
fn join(threads: Threads) {
    drop(threads.backups);
    let conn = threads.writer.map(JoinHandle::join);
    let mut panicked = matches!(conn, Some(Err(_)));
    for thread in threads.others {
        panicked |= thread.join().is_err();
    }
    if panicked {
        tracing::error!("a thread of the store panicked");
    }
    if let Some(Ok(conn)) = conn {
        checkpoint::empty(&conn);
        drop(conn);
    }
    drop(threads.lock);
}

fn start_threads(
    dir: &Path,
    conn: Connection,
    numbers: Numbers,
    shared: &Arc<WriterShared>,
    readers: &Readers,
    threads: &mut Threads,
) -> Result<()> {
    let failed = |error: std::io::Error| StoreError::Unusable {
        what: dir.display().to_string(),
        reason: format!("a thread cannot be started: {error}"),
    };
    let takers = readers.takers();
    for _ in 0..READERS {
        let reader = Reader::new(open::open_reader(dir)?);
        let questions = Arc::clone(&takers);
        let thread = std::thread::Builder::new().name("store-read".to_owned());
        threads.others.push(thread.spawn(move || reader.run(&questions)).map_err(failed)?);
    }
    count_open(&conn, open::open_reader(dir)?, shared, &mut threads.others)
        .map_err(|error| open::at_opening_of(dir, error))?;
    let (checkpointer, thread) = Checkpointer::start(open::open_checkpointer(dir)?).map_err(failed)?;
    threads.others.push(thread);
    let writer = Writer::new(conn, numbers, Arc::clone(shared)).map_err(|error| open::at_opening_of(dir, error))?;
    let thread = std::thread::Builder::new().name("store-write".to_owned());
    let run = move || writer.run(move |conn| checkpointer.after_group(conn));
    threads.writer = Some(thread.spawn(run).map_err(failed)?);
    threads.backups = backup::Listener::start(dir, Arc::clone(shared));
    Ok(())
}

/// Counts the open deliveries; many are counted while the store works already, on a snapshot taken before its first write.
fn count_open(
    conn: &Connection,
    counter: Connection,
    shared: &Arc<WriterShared>,
    joins: &mut Vec<JoinHandle<()>>,
) -> rusqlite::Result<()> {
    let some = format!("SELECT count(*) FROM (SELECT 1 FROM open_deliveries LIMIT {COUNTED_AT_OPEN})");
    let count: i64 = conn.query_row(&some, [], |row| row.get(0))?;
    shared.open_deliveries.fetch_add(count, Ordering::Relaxed);
    if count.unsigned_abs() < COUNTED_AT_OPEN {
        return Ok(());
    }
    counter.execute_batch("BEGIN; SELECT 1 FROM meta LIMIT 1;")?;
    let shared = Arc::clone(shared);
    let run = move || {
        let all = counter.query_row("SELECT count(*) FROM open_deliveries", [], |row| row.get::<_, i64>(0));
        match all {
            Ok(all) => drop(shared.open_deliveries.fetch_add(all - count, Ordering::Relaxed)),
            Err(error) => tracing::warn!(%error, "open deliveries could not be counted; the metric is too low"),
        }
    };
    match std::thread::Builder::new().name("store-count".to_owned()).spawn(run) {
        Ok(thread) => joins.push(thread),
        Err(error) => tracing::warn!(%error, "open deliveries are not counted; the metric is too low"),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
