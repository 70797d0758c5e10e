//! The one thread that writes: it takes whatever waits, from all callers, into one transaction and one sync to disk.
//!
//! Words: a *unit* is what one caller wants written, all or none; a *group* is the units of one transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::backup::{Between, Copying};
use super::checkpoint;
use super::numbers::Numbers;
use super::queue::{ClosedAtEnd, Queue, QueueLimits, Refused};
use super::resources::FreshResources;
use crate::error::{Result, StoreError};
use crate::limits::{GROUP_BYTES_MAX, GROUP_WRITES_MAX, WRITES_WAITING_BYTES_MAX, WRITES_WAITING_MAX};

/// Why a unit was not applied.
#[derive(Debug)]
pub(super) enum Fault {
    /// The unit's own refusal. What it wrote before is undone.
    Refused(StoreError),
    /// The database's.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::Refused(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Sql(error) => unavailable(&error),
        }
    }
}

/// The store's word for a fault of the database.
pub(super) fn unavailable(error: &rusqlite::Error) -> StoreError {
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full; make room and it goes on by itself".to_owned(),
        Some(ErrorCode::SystemIoFailure) => format!("the disk does not work: {error}"),
        Some(ErrorCode::ConstraintViolation) => {
            return StoreError::Exists { what: "an object with this id".to_owned() };
        }
        _ => error.to_string(),
    };
    StoreError::Unavailable { reason }
}

/// What units write through.
pub(super) struct WriteTx<'a> {
    pub(super) conn: &'a Connection,
    pub(super) numbers: &'a mut Numbers,
    pub(super) resources: &'a mut FreshResources,
    /// By how many the open deliveries have become more in this group.
    pub(super) open_added: i64,
}

/// A unit may be applied twice, when another of its group had to be undone.
trait Unit: Send {
    /// Writes. What a fault leaves half-written is the caller's to undo.
    fn apply(&mut self, tx: &mut WriteTx<'_>) -> std::result::Result<(), Fault>;
    fn refuse(&mut self, error: StoreError);
    fn answer(self: Box<Self>);
}

struct UnitOf<T, F> {
    write: F,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Unit for UnitOf<T, F>
where
    T: Send,
    F: FnMut(&mut WriteTx<'_>) -> std::result::Result<T, Fault> + Send,
{
    fn apply(&mut self, tx: &mut WriteTx<'_>) -> std::result::Result<(), Fault> {
        self.result = Some(Ok((self.write)(tx)?));
        Ok(())
    }

    fn refuse(&mut self, error: StoreError) {
        self.result = Some(Err(error));
    }

    fn answer(self: Box<Self>) {
        let missing = || Err(StoreError::Unavailable { reason: "the write was not made".to_owned() });
        // Whoever asked may have gone; what was written stays written.
        let _ = self.reply.send(self.result.unwrap_or_else(missing));
    }
}

/// What the rest of the store knows of the writer.
pub(super) struct WriterShared {
    queue: Arc<Queue<Box<dyn Unit>>>,
    backup: Mutex<Option<Copying>>,
    /// What the write-ahead log still holds of what was removed is to go.
    is_log_to_go: AtomicBool,
    pub(super) open_deliveries: AtomicI64,
}

impl WriterShared {
    pub(super) fn new() -> Arc<Self> {
        let limits = QueueLimits { items_max: WRITES_WAITING_MAX, bytes_max: WRITES_WAITING_BYTES_MAX };
        Arc::new(WriterShared {
            queue: Arc::new(Queue::new(limits)),
            backup: Mutex::new(None),
            is_log_to_go: AtomicBool::new(false),
            open_deliveries: AtomicI64::new(0),
        })
    }

    /// Has the writer apply `write` and waits until it is on disk. `bytes`: about how much it writes.
    pub(super) async fn write<T, F>(&self, bytes: usize, write: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut WriteTx<'_>) -> std::result::Result<T, Fault> + Send + 'static,
    {
        let (reply, answered) = oneshot::channel();
        let unit = Box::new(UnitOf { write, result: None, reply });
        self.queue.push(unit, bytes).map_err(|refused| StoreError::Unavailable {
            reason: match refused {
                Refused::Full => "too many writes are waiting; ask again later".to_owned(),
                Refused::Closed => "the store is closed".to_owned(),
            },
        })?;
        let gone =
            |_| Err(StoreError::Unavailable { reason: "the writer has stopped; restart the process".to_owned() });
        answered.await.unwrap_or_else(gone)
    }

    /// Has the writer copy the database beside its work. Another copy that was asked for and not begun is given up.
    pub(super) fn copy(&self, copying: Copying) -> Result<(), Refused> {
        *self.backup.lock() = Some(copying);
        self.queue.push(Box::new(Woken), 0)
    }

    /// Has the writer empty the write-ahead log: what was overwritten in the database lies there as it was before. One that cannot be emptied at the
    /// moment, because somebody reads in it, is after the next group.
    pub(super) fn empty_log(&self) {
        self.is_log_to_go.store(true, Ordering::Release);
        let _ = self.queue.push(Box::new(Woken), 0);
    }

    pub(super) fn close(&self) {
        self.queue.close();
    }
}

/// Writes nothing: it is there so that the writer looks up.
struct Woken;

impl Unit for Woken {
    fn apply(&mut self, _: &mut WriteTx<'_>) -> std::result::Result<(), Fault> {
        Ok(())
    }

    fn refuse(&mut self, _: StoreError) {}

    fn answer(self: Box<Self>) {}
}

/// The writer with the one connection that writes.
pub(super) struct Writer {
    conn: Connection,
    groups: Groups,
    shared: Arc<WriterShared>,
}

impl Writer {
    pub(super) fn new(conn: Connection, numbers: Numbers, shared: Arc<WriterShared>) -> rusqlite::Result<Self> {
        let resources = FreshResources::read(&conn)?;
        let groups = Groups { numbers, resources, shared: Arc::clone(&shared) };
        Ok(Writer { conn, groups, shared })
    }

    /// Works until the queue is closed and empty; `after_group` runs between groups.
    pub(super) fn run(self, mut after_group: impl FnMut(&Connection)) -> Connection {
        let Writer { conn, mut groups, shared } = self;
        let limits = QueueLimits { items_max: GROUP_WRITES_MAX, bytes_max: GROUP_BYTES_MAX };
        let taker = ClosedAtEnd(Arc::clone(&shared.queue));
        let mut group = Vec::new();
        let mut work = |group: &mut Vec<Box<dyn Unit>>| {
            if group.is_empty() {
                return;
            }
            groups.write(&conn, group);
            for unit in group.drain(..) {
                unit.answer();
            }
            after_group(&conn);
            if shared.is_log_to_go.load(Ordering::Acquire) && checkpoint::empty_at_once(&conn) {
                shared.is_log_to_go.store(false, Ordering::Release);
            }
        };
        while taker.0.take(&mut group, limits) {
            work(&mut group);
            let asked = shared.backup.lock().take();
            if let Some(copying) = asked {
                // Some pages, then whatever waits, then some pages: a commit waits for no more than a few of them.
                copying.run(&conn, || {
                    if !taker.0.take_waiting(&mut group, limits) {
                        return Between::Closed;
                    }
                    let found = if group.is_empty() { Between::Nothing } else { Between::Groups };
                    work(&mut group);
                    found
                });
            }
        }
        conn
    }
}

/// What groups are written with, beside the connection.
struct Groups {
    numbers: Numbers,
    resources: FreshResources,
    shared: Arc<WriterShared>,
}

impl Groups {
    fn write(&mut self, conn: &Connection, group: &mut [Box<dyn Unit>]) {
        let Err(fault) = self.try_group(conn, group, false) else { return };
        self.undo(conn);
        if let [only] = group {
            return only.refuse(fault.into());
        }
        if fault.is_whole_stores() {
            return refuse_all(group, &fault);
        }
        // One unit's own fault must not fail its neighbours: once more, each unit undone by itself.
        if let Err(fault) = self.try_group(conn, group, true) {
            self.undo(conn);
            refuse_all(group, &fault);
        }
    }

    fn try_group(&mut self, conn: &Connection, group: &mut [Box<dyn Unit>], each_by_itself: bool) -> Result<(), Fault> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.resources.begin_group();
        let (numbers, resources) = (&mut self.numbers, &mut self.resources);
        let mut tx = WriteTx { conn, numbers, resources, open_added: 0 };
        for unit in group.iter_mut() {
            if each_by_itself {
                apply_by_itself(unit.as_mut(), &mut tx)?;
            } else {
                apply_with_others(unit.as_mut(), &mut tx)?;
            }
        }
        let open_added = tx.open_added;
        self.resources.merge_some(conn)?;
        conn.prepare_cached("COMMIT")?.execute([])?;
        self.shared.open_deliveries.fetch_add(open_added, Ordering::Relaxed);
        Ok(())
    }

    fn undo(&mut self, conn: &Connection) {
        self.numbers.forget();
        if !conn.is_autocommit()
            && let Err(error) = conn.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
        if let Err(error) = self.resources.undo_group(conn) {
            // What is forgotten here stays findable; it is merged after the next start.
            tracing::warn!(%error, "what is to be merged could not be read");
        }
    }
}

/// A refusal found before anything was written, as most are, costs the other units nothing.
fn apply_with_others(unit: &mut dyn Unit, tx: &mut WriteTx<'_>) -> Result<(), Fault> {
    let changes_before = tx.conn.total_changes();
    match unit.apply(tx) {
        Err(Fault::Refused(error)) if tx.conn.total_changes() == changes_before => unit.refuse(error),
        applied => applied?,
    }
    Ok(())
}

fn apply_by_itself(unit: &mut dyn Unit, tx: &mut WriteTx<'_>) -> Result<(), Fault> {
    tx.conn.prepare_cached("SAVEPOINT unit")?.execute([])?;
    let open_added = tx.open_added;
    if let Err(fault) = unit.apply(tx) {
        if fault.is_whole_stores() {
            return Err(fault);
        }
        tx.conn.prepare_cached("ROLLBACK TO unit")?.execute([])?;
        tx.numbers.forget();
        tx.open_added = open_added;
        unit.refuse(fault.into());
    }
    tx.conn.prepare_cached("RELEASE unit")?.execute([])?;
    Ok(())
}

impl Fault {
    /// Whether it is not one unit's own: it would meet every other unit as well.
    fn is_whole_stores(&self) -> bool {
        use ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, OutOfMemory, ReadOnly,
            SystemIoFailure,
        };
        let Fault::Sql(error) = self else { return false };
        matches!(
            error.sqlite_error_code(),
            Some(
                DiskFull
                    | SystemIoFailure
                    | OutOfMemory
                    | DatabaseCorrupt
                    | DatabaseBusy
                    | DatabaseLocked
                    | CannotOpen
                    | ReadOnly
                    | NotADatabase
            )
        )
    }
}

fn refuse_all(group: &mut [Box<dyn Unit>], fault: &Fault) {
    for unit in group {
        unit.refuse(match fault {
            Fault::Sql(error) => unavailable(error),
            Fault::Refused(error) => error.for_others(),
        });
    }
}
