//! Opens a data directory: who may read it, that one process alone has it, whose file it is, and that the key fits.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::SqliteOptions;
use super::checkpoint::BUSY_TIMEOUT;
use super::numbers::{meta, set_meta};
use super::schema;
use super::tenants::{self, Tenant};
use super::writer::Fault;
use crate::error::{Result, StoreError};
use crate::keyring::{self, CANARY_BYTES, Fit};
use crate::limits::{READER_CACHE_KIB, STATEMENTS_CACHED, WAL_BYTES_KEPT, WRITER_CACHE_KIB};
use crate::master_key::MasterKeys;
use crate::seal;

/// The database's file in the data directory.
pub(crate) const DATABASE_FILE: &str = "postrider.sqlite3";
/// Held while a process has the directory.
pub(super) const LOCK_FILE: &str = "postrider.lock";
const MASTER_KEY_ID: &str = "master key id";
const CANARY: &str = "canary";

fn unusable(path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::Unusable { what: path.display().to_string(), reason: reason.into() }
}

/// Makes the directory, or sees to it that nobody else may look into it.
pub(super) fn prepare_dir(dir: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|e| unusable(dir, format!("the data directory cannot be made: {e}")))?;
    let metadata =
        std::fs::metadata(dir).map_err(|e| unusable(dir, format!("the data directory cannot be read: {e}")))?;
    if metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    if !holds_ours_alone(dir) {
        return Err(unusable(
            dir,
            "other users may open this directory and it holds other files; give the data a directory of its own",
        ));
    }
    let closed = std::fs::set_permissions(dir, Permissions::from_mode(0o700));
    closed.map_err(|e| {
        unusable(dir, format!("other users may open the data directory and it cannot be closed to them: {e}"))
    })
}

/// Whether a directory holds nothing, or nothing that is not ours: then its mode is ours to set.
fn holds_ours_alone(dir: &Path) -> bool {
    let is_ours = |name: &str| name.starts_with("postrider") || name.ends_with(".key") || name == "lost+found";
    let Ok(mut entries) = std::fs::read_dir(dir) else { return false };
    entries.all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(is_ours)))
}

/// Takes the directory for this process until the file is dropped.
pub(super) fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|e| unusable(&path, format!("the lock file cannot be opened: {e}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(unusable(
            dir,
            "another process has this data directory; stop it, or give this one a directory of its own",
        )),
        Err(TryLockError::Error(e)) => Err(unusable(&path, format!("the data directory cannot be locked: {e}"))),
    }
}

/// Whether another process has the directory.
pub(super) fn is_locked(dir: &Path) -> bool {
    let file = OpenOptions::new().write(true).open(dir.join(LOCK_FILE));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Opens the database to write, with its schema brought up to date.
pub(super) fn open_writer(dir: &Path, options: &SqliteOptions) -> Result<Connection> {
    let path = dir.join(DATABASE_FILE);
    // SQLite gives its log and index files the database's mode.
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path);
    let file = file.map_err(|e| unusable(&path, format!("the database cannot be opened: {e}")))?;
    let closed = file.set_permissions(Permissions::from_mode(0o600));
    closed.map_err(|e| unusable(&path, format!("the database cannot be closed to other users: {e}")))?;
    drop(file);
    sync_dir(dir)?;
    let opened = (|| {
        let mut conn = Connection::open_with_flags(&path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        let version = identify(&conn, &path)?;
        set_pragmas(&conn, options)?;
        schema::migrate(&mut conn, version)?;
        look_around(&conn)?;
        Ok(conn)
    })();
    opened.map_err(|fault| at_opening(&path, fault))
}

pub(super) fn flags(mode: OpenFlags) -> OpenFlags {
    mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW
}

fn sync_dir(dir: &Path) -> Result<()> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|e| unusable(dir, format!("the data directory cannot be synced: {e}")))
}

/// The schema's version of a database that is ours, 0 for a new one.
pub(super) fn identify(conn: &Connection, path: &Path) -> Result<i32, Fault> {
    let application_id: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application_id == 0 && version == 0 && tables == 0 {
        return Ok(0);
    }
    if application_id != schema::APPLICATION_ID {
        return Err(unusable(path, "this is another program's database; give Postrider a directory of its own").into());
    }
    if version > schema::version() {
        let reason = format!(
            "it was written by a newer Postrider (schema {version}, this one knows {}); start that version or newer",
            schema::version()
        );
        return Err(unusable(path, reason).into());
    }
    Ok(version)
}

fn set_pragmas(conn: &Connection, options: &SqliteOptions) -> Result<(), Fault> {
    conn.pragma_update(None, "page_size", 4096)?;
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        let reason = "the file system cannot hold SQLite's write-ahead log (a network file system?); use a local disk";
        return Err(StoreError::Unavailable { reason: reason.to_owned() }.into());
    }
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    conn.pragma_update(None, "mmap_size", 0)?;
    conn.pragma_update(None, "foreign_keys", false)?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    if let Some(pages_max) = options.pages_max {
        conn.pragma_update(None, "max_page_count", pages_max)?;
    }
    conn.busy_timeout(BUSY_TIMEOUT)?;
    Ok(())
}

/// Reads at the ends of the large tables: a file that was cut off is noticed now and not in the middle of the work.
fn look_around(conn: &Connection) -> Result<(), Fault> {
    for table in ["events", "deliveries", "attempts", "endpoints", "organizations"] {
        let sql = format!("SELECT * FROM {table} ORDER BY no DESC LIMIT 1");
        conn.prepare(&sql)?.exists([])?;
    }
    conn.prepare("SELECT * FROM open_deliveries ORDER BY endpoint_no DESC LIMIT 1")?.exists([])?;
    Ok(())
}

/// A fault on opening the database of this directory, in a sentence that says what to do.
pub(super) fn at_opening_of(dir: &Path, fault: impl Into<Fault>) -> StoreError {
    at_opening(&dir.join(DATABASE_FILE), fault.into())
}

fn at_opening(path: &Path, fault: Fault) -> StoreError {
    match fault {
        Fault::Refused(StoreError::Unavailable { reason }) => unusable(path, reason),
        Fault::Refused(error) => error,
        Fault::Sql(error) => match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => unusable(
                path,
                "it is damaged or no SQLite database; restore it from a backup, or move it away to start empty",
            ),
            Some(ErrorCode::DiskFull) => unusable(path, "the disk is full; make room and start again"),
            _ => unusable(path, format!("the database cannot be opened: {error}")),
        },
    }
}

/// A connection that cannot write.
pub(super) fn open_reader(dir: &Path) -> Result<Connection> {
    let path = dir.join(DATABASE_FILE);
    let opened = (|| {
        let conn = Connection::open_with_flags(&path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        conn.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        conn.pragma_update(None, "mmap_size", 0)?;
        conn.pragma_update(None, "temp_store", "memory")?;
        conn.busy_timeout(std::time::Duration::from_secs(5))?;
        Ok(conn)
    })();
    opened.map_err(|error| at_opening(&path, Fault::Sql(error)))
}

/// A connection for checkpoints alone.
pub(super) fn open_checkpointer(dir: &Path) -> Result<Connection> {
    let path = dir.join(DATABASE_FILE);
    let opened = (|| {
        let conn = Connection::open_with_flags(&path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
        conn.pragma_update(None, "synchronous", "full")?;
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        conn.pragma_update(None, "mmap_size", 0)?;
        conn.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        Ok(conn)
    })();
    opened.map_err(|error| at_opening(&path, Fault::Sql(error)))
}

/// Checks that the ring has every master key that wrapped something here, notes the current one, and returns the operator's data key.
pub(super) fn check_master(conn: &mut Connection, dir: &Path, keys: &MasterKeys) -> Result<Tenant> {
    let checked = (|| {
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut fitting = fitting_canaries(&tx, &dir.join(DATABASE_FILE), keys)?;
        if !fitting.iter().any(|canary| keys.judge_canary(canary) == (Fit::Fits { is_current: true })) {
            fitting.push(keys.canary()?);
        }
        note_canaries(&tx, &fitting)?;
        let operator = tenants::operator_key(&tx, keys)?;
        tx.commit()?;
        Ok(operator)
    })();
    checked.map_err(|fault: Fault| at_opening_of(dir, fault))
}

/// Whether the ring opens the database, which stays as it is.
pub(super) fn check_keys(conn: &Connection, path: &Path, keys: &MasterKeys) -> Result<(), Fault> {
    fitting_canaries(conn, path, keys)?;
    tenants::by_number(conn, keys, tenants::OPERATOR_NO).map(|_| ())
}

/// Those that keys of the ring made. One whose key is missing may go when that key wrapped nothing.
fn fitting_canaries(conn: &Connection, path: &Path, keys: &MasterKeys) -> Result<Vec<Vec<u8>>, Fault> {
    let mut fitting = Vec::new();
    for canary in meta(conn, CANARY)?.unwrap_or_default().chunks(CANARY_BYTES) {
        match keys.judge_canary(canary) {
            Fit::Fits { .. } => fitting.push(canary.to_vec()),
            Fit::Missing(id) if tenants::is_wrapped_by(conn, id)? => return Err(unusable(path, keys.lacks(id)).into()),
            Fit::Missing(_) => {}
            Fit::Damaged => return Err(unusable(path, keyring::DAMAGED).into()),
        }
    }
    Ok(fitting)
}

/// Notes which master keys may have wrapped data keys: a canary of each, one after another, and their ids likewise.
pub(super) fn note_canaries(conn: &Connection, canaries: &[Vec<u8>]) -> rusqlite::Result<()> {
    let ids: Vec<u8> = canaries.iter().filter_map(|canary| seal::key_id(canary)).flat_map(|id| id.0).collect();
    // The program before this one reads the ids, and refuses a database with more than one.
    set_meta(conn, MASTER_KEY_ID, &ids)?;
    set_meta(conn, CANARY, &canaries.concat())
}
