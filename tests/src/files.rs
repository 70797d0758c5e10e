//! Looking at what the program leaves on disk.

use std::path::{Path, PathBuf};

/// Every file below a folder, sorted; a socket holds nothing.
///
/// # Panics
/// When the folder cannot be read.
#[must_use]
pub fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(below(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Whether a file is an SQLite database (its file format, section 1.3: "SQLite format 3").
#[must_use]
pub fn is_sqlite(file: &Path) -> bool {
    std::fs::read(file).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"))
}

/// The one database below a folder.
///
/// # Panics
/// When there is none, or more than one.
#[must_use]
pub fn database(folder: &Path) -> PathBuf {
    let mut found: Vec<_> = below(folder).into_iter().filter(|file| is_sqlite(file)).collect();
    assert_eq!(found.len(), 1, "one database below {}: {found:?}", folder.display());
    found.remove(0)
}

/// A file's bytes as text to search for ASCII in; what is no text is replaced.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn text_of(file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}
