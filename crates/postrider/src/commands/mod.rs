//! The commands that do one thing and end.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod contracts;
pub(crate) mod diagnose;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod listen;
mod moved_store;
mod progress;
pub(crate) mod send;
mod session;
pub(crate) mod source;
pub(crate) mod verify;

use std::io::Read;
use std::path::Path;

use anyhow::Context as _;

/// The most bytes that a command reads from a file or standard input.
pub(crate) const INPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Reads a file, or standard input where none is named.
pub(crate) fn read_input(file: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let name = file.map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
    let mut bytes = Vec::new();
    let read = match file {
        Some(file) => std::fs::File::open(file).and_then(|file| file.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)),
        None => std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes),
    };
    read.with_context(|| format!("{name} cannot be read"))?;
    anyhow::ensure!(bytes.len() as u64 <= INPUT_BYTES_MAX, "{name} has more than {INPUT_BYTES_MAX} bytes");
    Ok(bytes)
}
