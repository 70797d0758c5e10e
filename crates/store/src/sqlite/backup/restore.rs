//! Makes a data directory of a backup, after a look at every page of it.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{sync_dir_of, unusable};
use crate::error::Result;
use crate::master_key::MasterKeys;
use crate::sqlite::open::{self, DATABASE_FILE, LOCK_FILE, flags};
use crate::sqlite::writer::Fault;

/// What every SQLite database begins with (its file format, section 1.3).
const SQLITE: &[u8] = b"SQLite format 3\0";
/// What the file is called until it is known to be good.
const DRAFT: &str = "postrider.sqlite3.unfinished";

const NO_BACKUP: &str = "this is no backup; give a file that `postrider backup` wrote";

/// What a restored store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Bytes of the database.
    pub bytes: u64,
    /// Organisations.
    pub organizations: u64,
    /// Deliveries that are pending.
    pub open_deliveries: u64,
}

/// Copies a backup into a data directory that is empty but for key files, checks every page of it, and that the keys open it. Blocks.
///
/// # Errors
/// [`crate::StoreError::Unusable`] when the directory holds something, or when the backup is damaged, no backup, or of another key; the directory is then
/// as it was.
pub fn restore(from: &Path, dir: &Path, keys: &MasterKeys) -> Result<Restored> {
    let size = look_at(from)?;
    open::prepare_dir(dir)?;
    let _lock = open::lock(dir)?;
    refuse_used(dir)?;
    let draft = Draft(dir.join(DRAFT));
    draft.remove();
    let cannot = |error: std::io::Error| unusable(dir, format!("the backup cannot be copied into it: {error}"));
    copy(from, &draft.0).map_err(cannot)?;
    let (organizations, open_deliveries) = check(from, &draft.0, keys)?;
    let file = File::open(&draft.0).and_then(|file| file.sync_all());
    let database = dir.join(DATABASE_FILE);
    let named = file.and_then(|()| std::fs::rename(&draft.0, &database)).and_then(|()| sync_dir_of(&database));
    named.map_err(cannot)?;
    Ok(Restored { bytes: size, organizations, open_deliveries })
}

/// Removed unless it was renamed.
struct Draft(PathBuf);

impl Draft {
    fn remove(&self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut path = self.0.clone().into_os_string();
            path.push(suffix);
            // What is left over is removed by the next try.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.remove();
    }
}

fn look_at(from: &Path) -> Result<u64> {
    let mut begin = [0; SQLITE.len()];
    let looked = File::open(from).and_then(|mut file| {
        let size = file.metadata()?.len();
        if size >= SQLITE.len() as u64 {
            file.read_exact(&mut begin)?;
        }
        Ok(size)
    });
    let size = looked.map_err(|error| unusable(from, format!("it cannot be read: {error}")))?;
    if begin != SQLITE {
        return Err(unusable(from, NO_BACKUP));
    }
    Ok(size)
}

/// Keys may be there already, as the lock is.
fn refuse_used(dir: &Path) -> Result<()> {
    let cannot = |error: std::io::Error| unusable(dir, format!("it cannot be read: {error}"));
    for entry in std::fs::read_dir(dir).map_err(cannot)? {
        let name = entry.map_err(cannot)?.file_name();
        let name = name.to_string_lossy();
        if !(name == LOCK_FILE || name == "lost+found" || name.ends_with(".key") || name.starts_with(DRAFT)) {
            return Err(unusable(dir, format!("it is not empty: it holds {name}; restore into a new directory")));
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut source = File::open(from)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    std::io::copy(&mut source, &mut file)?;
    file.sync_all()
}

/// How many organisations and open deliveries it holds, when it is sound.
fn check(from: &Path, draft: &Path, keys: &MasterKeys) -> Result<(u64, u64)> {
    let checked = (|| -> Result<_, Fault> {
        let conn = Connection::open_with_flags(draft, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
        if open::identify(&conn, from)? == 0 {
            return Err(unusable(from, NO_BACKUP).into());
        }
        let found: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            return Err(unusable(from, format!("it is damaged ({found}); take an earlier backup")).into());
        }
        open::check_keys(&conn, from, keys)?;
        let count = |sql: &str| conn.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()));
        let organizations = count("SELECT count(*) FROM organizations WHERE deleted = 0")?;
        Ok((organizations, count("SELECT count(*) FROM open_deliveries")?))
    })();
    checked.map_err(|fault| match fault {
        Fault::Refused(error) => error,
        Fault::Sql(error) => unusable(from, format!("it is damaged ({error}); take an earlier backup")),
    })
}
