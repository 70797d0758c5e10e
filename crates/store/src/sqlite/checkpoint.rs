//! Copies the write-ahead log into the database so that no commit waits for it: a thread of its own copies most of it while the writer goes
//! on appending, and the writer copies the small rest between two groups; then the log begins anew.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use crate::limits::{CHECKPOINT_FRAMES, CHECKPOINT_FRAMES_INLINE, CHECKPOINT_FRAMES_MAX};

/// How long a connection waits for one that has the file locked.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The writer's side.
pub(super) struct Checkpointer {
    requests: SyncSender<()>,
    busy: Arc<Busy>,
}

/// Whether the thread is at it.
#[derive(Default)]
struct Busy {
    is_busy: Mutex<bool>,
    ended: Condvar,
}

impl Busy {
    fn set(&self, is_busy: bool) {
        *self.is_busy.lock() = is_busy;
        self.ended.notify_all();
    }

    fn wait(&self) {
        let mut is_busy = self.is_busy.lock();
        while *is_busy {
            self.ended.wait(&mut is_busy);
        }
    }
}

impl Checkpointer {
    /// Starts the thread; it ends when the writer drops this.
    pub(super) fn start(conn: Connection) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (requests, incoming) = sync_channel(1);
        let busy = Arc::new(Busy::default());
        let shared = Arc::clone(&busy);
        let thread = std::thread::Builder::new().name("store-checkpoint".to_owned());
        let thread = thread.spawn(move || run(&conn, &incoming, &shared))?;
        Ok((Checkpointer { requests, busy }, thread))
    }

    /// Looks, between two groups, whether there is something to copy.
    pub(super) fn after_group(&self, conn: &Connection) {
        let Some((frames, copied)) = state(conn, CheckpointMode::NOOP) else { return };
        if frames < CHECKPOINT_FRAMES {
            return;
        }
        if frames >= CHECKPOINT_FRAMES_MAX {
            // Commits come faster than the thread copies: they wait for it, so that the log stays bounded.
            self.busy.wait();
        } else if *self.busy.is_busy.lock() {
            return;
        }
        if frames >= CHECKPOINT_FRAMES_MAX || frames - copied <= CHECKPOINT_FRAMES_INLINE {
            // Nothing is left to copy afterwards, so that the next commit begins the log anew, unless a reader still reads in it.
            state(conn, CheckpointMode::PASSIVE);
        } else {
            self.busy.set(true);
            if self.requests.try_send(()).is_err() {
                self.busy.set(false);
            }
        }
    }
}

/// Even if the thread panics: the writer waits for it.
struct IdleAtEnd<'a>(&'a Busy);

impl Drop for IdleAtEnd<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

fn run(conn: &Connection, incoming: &Receiver<()>, busy: &Busy) {
    let _idle = IdleAtEnd(busy);
    while incoming.recv().is_ok() {
        state(conn, CheckpointMode::PASSIVE);
        busy.set(false);
    }
}

/// Copies all of the log and cuts it to nothing, at the end: even while another program's connection, a backup's say, keeps the file in use.
pub(super) fn empty(conn: &Connection) {
    // A reader of such a program in the middle of a question holds it up for as long as the connection waits; the log then keeps everything.
    match conn.wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE) {
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the write-ahead log could not be emptied; the next start reads it"),
    }
}

/// The same between two groups, without waiting for anybody who reads in it. False when it was not emptied.
pub(super) fn empty_at_once(conn: &Connection) -> bool {
    let emptied = conn.busy_timeout(Duration::ZERO).and_then(|()| {
        let (frames, copied) = conn.wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE)?;
        Ok(frames == 0 && copied == 0)
    });
    if let Err(error) = conn.busy_timeout(BUSY_TIMEOUT) {
        tracing::warn!(%error, "how long the writer waits for others could not be set");
    }
    emptied.unwrap_or(false)
}

/// Frames in the log, and how many of them are in the database.
fn state(conn: &Connection, mode: CheckpointMode) -> Option<(usize, usize)> {
    // A checkpoint that fails (no room, say) is tried again after the next group; the log keeps everything meanwhile.
    let (frames, copied) = conn.wal_checkpoint_v2(None::<&str>, mode).ok()?;
    Some((usize::try_from(frames).ok()?, usize::try_from(copied).ok()?))
}
