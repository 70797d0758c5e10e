//! Copies the write-ahead log into the database so that no commit waits for it: a thread of its own copies most of it while the writer goes
//! on appending, and the writer copies the small rest between two groups; then the log begins anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use crate::limits::{CHECKPOINT_FRAMES, CHECKPOINT_FRAMES_INLINE};

/// The writer's side.
pub(super) struct Checkpointer {
    requests: SyncSender<()>,
    is_busy: Arc<AtomicBool>,
}

impl Checkpointer {
    /// Starts the thread; it ends when the writer drops this.
    pub(super) fn start(conn: Connection) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (requests, incoming) = sync_channel(1);
        let is_busy = Arc::new(AtomicBool::new(false));
        let busy = Arc::clone(&is_busy);
        let thread = std::thread::Builder::new().name("store-checkpoint".to_owned());
        let thread = thread.spawn(move || run(&conn, &incoming, &busy))?;
        Ok((Checkpointer { requests, is_busy }, thread))
    }

    /// Looks, between two groups, whether there is something to copy.
    pub(super) fn after_group(&self, conn: &Connection) {
        let Some((frames, copied)) = state(conn, CheckpointMode::NOOP) else { return };
        if frames < CHECKPOINT_FRAMES || self.is_busy.load(Ordering::Acquire) {
            return;
        }
        if frames - copied <= CHECKPOINT_FRAMES_INLINE {
            // Nothing is left to copy afterwards, so that the next commit begins the log anew, unless a reader still reads in it.
            state(conn, CheckpointMode::PASSIVE);
        } else {
            self.is_busy.store(true, Ordering::Release);
            if self.requests.try_send(()).is_err() {
                self.is_busy.store(false, Ordering::Release);
            }
        }
    }
}

fn run(conn: &Connection, incoming: &Receiver<()>, is_busy: &AtomicBool) {
    while incoming.recv().is_ok() {
        state(conn, CheckpointMode::PASSIVE);
        is_busy.store(false, Ordering::Release);
    }
}

/// Frames in the log, and how many of them are in the database.
fn state(conn: &Connection, mode: CheckpointMode) -> Option<(usize, usize)> {
    // A checkpoint that fails (no room, say) is tried again after the next group; the log keeps everything meanwhile.
    let (frames, copied) = conn.wal_checkpoint_v2(None::<&str>, mode).ok()?;
    Some((usize::try_from(frames).ok()?, usize::try_from(copied).ok()?))
}
