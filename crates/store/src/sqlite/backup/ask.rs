//! Asks for a backup: of whoever has the directory, or makes it itself when nobody has.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use super::listen::{self, LINE_BYTES_MAX};
use super::{Copied, copy_closed, sync_dir_of, unusable};
use crate::error::{Result, StoreError};
use crate::seal::random;
use crate::sqlite::SqliteStore;
use crate::sqlite::open::{DATABASE_FILE, is_locked, lock};

/// How far a backup has come, in bytes of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupProgress {
    /// Copied.
    pub bytes: u64,
    /// In all; it grows while the store is worked with.
    pub bytes_all: u64,
}

impl From<Copied> for BackupProgress {
    fn from((copied, all): Copied) -> Self {
        const PAGE_BYTES: u64 = 4_096;
        BackupProgress { bytes: copied * PAGE_BYTES, bytes_all: all * PAGE_BYTES }
    }
}

/// Copies the database of a data directory into a new file, whether a server works with it or not, and returns how large it is. The file appears
/// under its name once it is complete and synced. Blocks; `told` hears of the progress.
///
/// # Errors
/// [`StoreError::Unusable`] when there is no database, when the file exists or cannot be written (by the server, too, which must see it under the same
/// name); [`StoreError::Unavailable`] when the server stops meanwhile.
pub fn backup(dir: &Path, to: &Path, mut told: impl FnMut(BackupProgress)) -> Result<BackupProgress> {
    if !SqliteStore::exists(dir) {
        return Err(unusable(dir, "there is no database in this directory; name the data directory of the server"));
    }
    let to = std::path::absolute(to).map_err(|error| unusable(to, format!("it cannot be written: {error}")))?;
    let draft = Draft::make(&to)?;
    let progress = match lock(dir) {
        Ok(_lock) => {
            draft.empty()?;
            copy_closed(&dir.join(DATABASE_FILE), &draft.path, |copied| {
                told(copied.into());
                true
            })?
            .into()
        }
        Err(_) if is_locked(dir) => ask(dir, &draft, told)?,
        Err(error) => return Err(error),
    };
    draft.keep(&to)?;
    Ok(progress)
}

/// The file while it is written, under another name; removed unless it is kept.
struct Draft {
    path: PathBuf,
    token: String,
}

impl Draft {
    /// Makes it with a text that only whoever sees the same file can know.
    fn make(to: &Path) -> Result<Self> {
        let cannot = |error: std::io::Error| unusable(to, format!("it cannot be written: {error}"));
        if to.symlink_metadata().is_ok() {
            return Err(unusable(to, "it exists already; give the backup a name of its own"));
        }
        let mut random_bytes = [0; 32];
        random(&mut random_bytes)?;
        let token = HEXLOWER.encode(&random_bytes);
        let mut name = to.file_name().unwrap_or_default().to_owned();
        name.push(format!(".unfinished-{}", std::process::id()));
        let path = to.with_file_name(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(cannot)?;
        let draft = Draft { path, token };
        file.write_all(draft.token.as_bytes()).map_err(cannot)?;
        Ok(draft)
    }

    fn empty(&self) -> Result<()> {
        let emptied = OpenOptions::new().write(true).open(&self.path).and_then(|file| file.set_len(0));
        emptied.map_err(|error| unusable(&self.path, format!("it cannot be written: {error}")))
    }

    /// Gives it its name, unless something has taken that meanwhile.
    fn keep(self, to: &Path) -> Result<()> {
        let synced = File::open(&self.path).and_then(|file| file.sync_all());
        let named = synced.and_then(|()| std::fs::hard_link(&self.path, to)).and_then(|()| sync_dir_of(to));
        named.map_err(|error| unusable(to, format!("it cannot be written: {error}")))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What is left over says by its name that it may be removed.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Asks the process that has the directory.
fn ask(dir: &Path, draft: &Draft, mut told: impl FnMut(BackupProgress)) -> Result<BackupProgress> {
    let unreachable = |error: std::io::Error| {
        unusable(
            dir,
            format!(
                "another process has this data directory and cannot be asked for a backup ({error}); run this as the same user \
                 on the same host, or stop that process first"
            ),
        )
    };
    let mut stream = listen::connect(dir).map_err(unreachable)?;
    writeln!(stream, "{}", listen::Request { token: &draft.token, path: &draft.path }.line()).map_err(unreachable)?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = String::new();
        let read = Read::by_ref(&mut lines).take(LINE_BYTES_MAX).read_line(&mut line).map_err(unreachable)?;
        let cut = || StoreError::Unavailable {
            reason: "the server ended before the backup was complete; make it again".to_owned(),
        };
        if read == 0 {
            return Err(cut());
        }
        match listen::Answer::read(line.trim_end()).ok_or_else(cut)? {
            listen::Answer::Copied(copied) => told(copied.into()),
            listen::Answer::Done(copied) => return Ok(copied.into()),
            listen::Answer::Failed(reason) => return Err(unusable(&draft.path, reason)),
        }
    }
}
