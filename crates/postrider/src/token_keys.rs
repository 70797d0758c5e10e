//! The keys of tokens that lie in files: one in PEM, read at the start; a JWK Set, read again when it changes.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postrider_server::{TokenKey, Tokens};

/// The longest file of keys, in bytes.
const KEYS_BYTES_MAX: u64 = 256 * 1024;
/// How often a JWK Set is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A JWK Set's file as it was read last.
#[derive(Debug)]
pub(crate) struct JwksFile {
    path: PathBuf,
    text: Vec<u8>,
    keys: Vec<TokenKey>,
}

/// The key in a PEM file, or what is wrong with it.
pub(crate) fn read_pem(path: &Path) -> Result<TokenKey, String> {
    TokenKey::public_pem(&read(path)?).map_err(|error| format!("{} {error}", path.display()))
}

/// A JWK Set's file, or what is wrong with it.
pub(crate) fn read_jwks(path: &Path) -> Result<JwksFile, String> {
    let text = read(path)?;
    let keys = keys_of(path, &text)?;
    Ok(JwksFile { path: path.to_owned(), text, keys })
}

fn keys_of(path: &Path, text: &[u8]) -> Result<Vec<TokenKey>, String> {
    TokenKey::read_set(text).map_err(|error| format!("{} {error}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let opened = std::fs::File::open(path).and_then(|file| file.take(KEYS_BYTES_MAX + 1).read_to_end(&mut text));
    opened.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if text.len() as u64 > KEYS_BYTES_MAX {
        return Err(format!("{} has more than {KEYS_BYTES_MAX} bytes", path.display()));
    }
    Ok(text)
}

/// Gives the keys to the server, and new ones whenever the file changes, for ever. A file that cannot be used leaves the keys as they are; that is
/// said once for each way in which it is wrong.
pub(crate) async fn follow(file: JwksFile, tokens: Arc<Tokens>) {
    let JwksFile { path, text, keys } = file;
    tokens.rotate(keys);
    let mut last: Result<Vec<u8>, String> = Ok(text);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        let path = path.clone();
        // Only a panic or the end of the process ends it early.
        let Ok(found) = tokio::task::spawn_blocking(move || read(&path)).await else { return };
        if found != last {
            take(&tokens, found.as_deref().map_err(String::as_str));
            last = found;
        }
    }
}

fn take(tokens: &Tokens, found: Result<&[u8], &str>) {
    let keys =
        found.map_err(str::to_owned).and_then(|text| TokenKey::read_set(text).map_err(|error| error.to_string()));
    match keys {
        Ok(keys) => {
            tracing::info!(keys = keys.len(), "jwks_file has changed: tokens are verified with its new keys");
            tokens.rotate(keys);
        }
        Err(wrong) => {
            tracing::error!(%wrong, "jwks_file cannot be used any more: the keys that it had before are kept; correct it");
            tokens.keep();
        }
    }
}
