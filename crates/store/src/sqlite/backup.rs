//! Copies the database while it is worked with, into a file that is a complete database itself.
//!
//! The writer copies some pages between two groups, on its own connection: pages that it changes afterwards are carried over as they are
//! committed, so the copy is never begun anew (<https://www.sqlite.org/backup.html>, "File and Database Connection Locking"), and no snapshot
//! stays open that would keep the write-ahead log from being emptied. The copy is the database as it is when the last page was copied: everything
//! that was committed before the backup began is in it. What is sealed stays sealed; without the master key it is of no use.

mod ask;
mod listen;
mod restore;

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, ffi};

use super::open::flags;
use super::writer::{Fault, WriterShared};
use crate::error::{Result, StoreError};

pub use ask::{BackupProgress, backup};
pub(super) use listen::Listener;
pub use restore::{Restored, restore};

/// Pages copied between two groups, beside those that a group added.
const STEP_PAGES: i32 = 8;
/// Pages copied at once while nobody writes.
const IDLE_STEP_PAGES: i32 = 64;
/// After so many pages the copy is synced, so that the disk has little left to write at once, and progress is told.
const SYNCED_EVERY_PAGES: u64 = 4_096;

/// Pages copied, and pages in all.
type Copied = (u64, u64);

/// What the writer tells of a copy.
enum Told {
    Copied(Copied),
    Done(Copied),
    Failed(rusqlite::Error),
}

/// What the writer found to do between two steps of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    Nothing,
    Groups,
    /// Its queue is closed and empty.
    Closed,
}

/// A copy that the writer is to make.
pub(super) struct Copying {
    into: Connection,
    tell: Sender<Told>,
}

impl Copying {
    /// Copies to the end; `between` does the rest of the work.
    pub(super) fn run(mut self, conn: &Connection, mut between: impl FnMut() -> Between) {
        let copied = self.copy(conn, &mut between);
        // Whoever asked may have gone.
        let _ = match copied {
            Ok(Some(copied)) => self.tell.send(Told::Done(copied)),
            Ok(None) => Ok(()),
            Err(error) => self.tell.send(Told::Failed(error)),
        };
    }

    /// None when it was cut short.
    fn copy(&mut self, conn: &Connection, between: &mut impl FnMut() -> Between) -> rusqlite::Result<Option<Copied>> {
        let backup = Backup::new(conn, &mut self.into)?;
        let (mut told_at, mut pages, mut seen) = (0, IDLE_STEP_PAGES, None);
        loop {
            let is_done = copy_some(&backup, pages)?;
            let progress = backup.progress();
            let all = u64::try_from(progress.pagecount).unwrap_or(0);
            let copied = all.saturating_sub(u64::try_from(progress.remaining).unwrap_or(0));
            if is_done {
                return Ok(Some((all, all)));
            }
            if copied >= told_at + SYNCED_EVERY_PAGES {
                told_at = copied;
                if self.tell.send(Told::Copied((copied, all))).is_err() {
                    return Ok(None);
                }
            }
            pages = match between() {
                Between::Nothing => IDLE_STEP_PAGES,
                Between::Groups => step_pages(seen.map_or(0, |before| progress.pagecount - before)),
                Between::Closed => return Ok(None),
            };
            seen = Some(progress.pagecount);
        }
    }
}

/// Pages to copy after groups that made the database larger by so many: more than that, so that every copy comes to its end.
fn step_pages(grown: i32) -> i32 {
    STEP_PAGES.saturating_add(grown.max(0).saturating_mul(2))
}

/// True when the copy is complete.
fn copy_some(backup: &Backup<'_, '_>, pages: i32) -> rusqlite::Result<bool> {
    match backup.step(pages)? {
        StepResult::Done => Ok(true),
        // The connection has waited its time for the lock.
        StepResult::Busy | StepResult::Locked => {
            Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None))
        }
        _ => Ok(false),
    }
}

/// Opens the file that a copy goes into: it is there, and empty. No journal: what is not complete is thrown away.
fn open_copy(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    conn.pragma_update(None, "journal_mode", "off")?;
    conn.pragma_update(None, "synchronous", "off")?;
    Ok(conn)
}

fn unusable(path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::Unusable { what: path.display().to_string(), reason: reason.into() }
}

/// Has the writer copy the database into an empty file, and waits. `told` is told how far it is, and says whether to go on.
fn copy_running(shared: &WriterShared, into: &Path, told: impl FnMut(Copied) -> bool) -> Result<Copied> {
    let opened = open_copy(into).map_err(|error| unusable(into, format!("it cannot be written: {error}")))?;
    let (tell, telling) = channel();
    let refused = |_| StoreError::Unavailable { reason: "the store is being closed".to_owned() };
    shared.copy(Copying { into: opened, tell }).map_err(refused)?;
    follow(into, telling, told)
}

/// Syncs the copy as it grows; the writer does not wait for that. When this ends early, so does the copying.
fn follow(into: &Path, telling: Receiver<Told>, mut told: impl FnMut(Copied) -> bool) -> Result<Copied> {
    let cannot = |error: std::io::Error| unusable(into, format!("it cannot be written: {error}"));
    let file = OpenOptions::new().write(true).open(into).map_err(cannot)?;
    loop {
        match telling.recv() {
            Ok(Told::Copied(copied)) => {
                file.sync_data().map_err(cannot)?;
                if !told(copied) {
                    return Err(StoreError::Unavailable { reason: "nobody waits for the backup any more".to_owned() });
                }
            }
            Ok(Told::Done(copied)) => {
                file.sync_all().map_err(cannot)?;
                return Ok(copied);
            }
            Ok(Told::Failed(error)) => return Err(Fault::from(error).into()),
            Err(_) => {
                let reason = "the store was closed before the backup was complete; ask again".to_owned();
                return Err(StoreError::Unavailable { reason });
            }
        }
    }
}

/// Copies a database that nobody works with.
fn copy_closed(database: &Path, into: &Path, mut told: impl FnMut(Copied) -> bool) -> Result<Copied> {
    let cannot = |error: rusqlite::Error| unusable(database, format!("it cannot be copied: {error}"));
    let conn = Connection::open_with_flags(database, flags(OpenFlags::SQLITE_OPEN_READ_WRITE)).map_err(cannot)?;
    let opened = open_copy(into).map_err(|error| unusable(into, format!("it cannot be written: {error}")))?;
    let (tell, telling) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || Copying { into: opened, tell }.run(&conn, || Between::Nothing));
        follow(into, telling, &mut told)
    })
}

/// Makes a name in a directory last.
fn sync_dir_of(path: &Path) -> std::io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}
