//! A file that appears under its name when it is complete and on disk, and until then has another one.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// The file while it is written; removed unless it is kept.
pub(crate) struct Draft {
    name: PathBuf,
    path: PathBuf,
    file: File,
}

impl Draft {
    /// Makes it for its owner alone.
    ///
    /// # Errors
    /// When there is something of this name already, or it cannot be written.
    pub(crate) fn make(name: &Path) -> anyhow::Result<Self> {
        let shown = name.display();
        ensure!(name.symlink_metadata().is_err(), "{shown} exists already; give a name of its own");
        let mut draft = name.file_name().unwrap_or_default().to_owned();
        draft.push(format!(".unfinished-{}", std::process::id()));
        let path = name.with_file_name(draft);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("{shown} cannot be written"))?;
        Ok(Draft { name: name.to_owned(), path, file })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives it its name, unless something has taken that meanwhile.
    ///
    /// # Errors
    /// When that, or writing to disk, fails.
    pub(crate) fn keep(self) -> anyhow::Result<()> {
        let dir = self.name.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = self.file.sync_all().and_then(|()| std::fs::hard_link(&self.path, &self.name));
        let named = synced.and_then(|()| File::open(dir)?.sync_all());
        named.with_context(|| format!("{} cannot be written", self.name.display()))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What is left over says by its name that it may be removed.
        let _ = std::fs::remove_file(&self.path);
    }
}
