//! The master key: 32 bytes that wrap every organisation's data key. It never lies in the database.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::sqlite::DATABASE_FILE;

/// How many bytes a key has.
pub(crate) const KEY_BYTES: usize = 32;
/// How many bytes of a key's hash name it.
pub(crate) const KEY_ID_BYTES: usize = 8;
/// More than a key file ever has.
const KEY_FILE_BYTES_MAX: u64 = 1_024;

/// What names a key without telling it: the first bytes of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyFingerprint(pub(crate) [u8; KEY_ID_BYTES]);

impl KeyFingerprint {
    pub(crate) fn of(domain: &str, key: &[u8; KEY_BYTES]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(domain.as_bytes());
        context.update(key);
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&context.finish().as_ref()[..KEY_ID_BYTES]);
        KeyFingerprint(id)
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// The key that wraps the data keys; wiped when dropped.
#[derive(Clone)]
pub struct MasterKey {
    pub(crate) bytes: Zeroizing<[u8; KEY_BYTES]>,
    pub(crate) id: KeyFingerprint,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// The key that wraps from now on, and others that may still have wrapped what is stored: how nodes run side by side while a key is replaced.
#[derive(Clone, Debug)]
pub struct MasterKeys {
    /// Wraps whatever is wrapped anew.
    pub current: MasterKey,
    /// Open what they wrapped.
    pub others: Vec<MasterKey>,
}

impl From<MasterKey> for MasterKeys {
    fn from(current: MasterKey) -> Self {
        MasterKeys { current, others: Vec::new() }
    }
}

/// Why a text is no master key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 random bytes in base64 (44 characters); make one with: openssl rand -base64 32")]
pub struct MasterKeyError;

impl MasterKey {
    /// Reads 32 bytes in base64; space around them is allowed.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn from_base64(text: &str) -> Result<Self, MasterKeyError> {
        let decoded = Zeroizing::new(BASE64.decode(text.trim().as_bytes()).map_err(|_| MasterKeyError)?);
        let bytes: [u8; KEY_BYTES] = decoded.as_slice().try_into().map_err(|_| MasterKeyError)?;
        Ok(Self::from_bytes(Zeroizing::new(bytes)))
    }

    /// A fresh random key.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        let failed = |_| StoreError::Unavailable { reason: "the system gives no random bytes".to_owned() };
        SystemRandom::new().fill(bytes.as_mut()).map_err(failed)?;
        Ok(Self::from_bytes(bytes))
    }

    /// What names the key without telling it: 16 hex digits of a hash.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// Reads the key from a file that its owner alone may read.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when there is no such file, when others may read it, or when it holds no key.
    pub fn load_file(path: &Path) -> Result<Self, StoreError> {
        let unusable = |reason: String| StoreError::Unusable { what: path.display().to_string(), reason };
        let file = File::open(path).map_err(|error| {
            unusable(format!("the encryption key cannot be read ({error}); put it there, or name another file"))
        })?;
        read_key(file).map_err(unusable)
    }

    /// Reads the key from a file that its owner alone may read, or makes file and key at the first start: when `path` does not exist and
    /// `data_dir` holds no database yet.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when others may read the file, when it holds no key, or when it is missing though there is a database.
    pub fn load_or_create_file(path: &Path, data_dir: &Path) -> Result<Self, StoreError> {
        let unusable = |reason: String| StoreError::Unusable { what: path.display().to_string(), reason };
        match OpenOptions::new().read(true).open(path) {
            Ok(file) => read_key(file).map_err(unusable),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if data_dir.join(DATABASE_FILE).exists() {
                    return Err(unusable(format!(
                        "the encryption key is missing, but {} was made with one; put the key file back (a new key could not read it)",
                        data_dir.join(DATABASE_FILE).display()
                    )));
                }
                let key = Self::generate()?;
                match create_file(path, &key) {
                    Ok(()) => Ok(key),
                    Err(error) => Err(unusable(format!("the encryption key cannot be written: {error}"))),
                }
            }
            Err(error) => Err(unusable(format!("the encryption key cannot be read: {error}"))),
        }
    }

    fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let id = KeyFingerprint::of("postrider master key", &bytes);
        MasterKey { bytes, id }
    }
}

fn read_key(mut file: File) -> Result<MasterKey, String> {
    let metadata = file.metadata().map_err(|e| format!("the encryption key cannot be read: {e}"))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(
            "other users may read the encryption key; run chmod 600 on it, and replace it if they did".to_owned()
        );
    }
    let mut text = Zeroizing::new(String::new());
    let read = Read::by_ref(&mut file).take(KEY_FILE_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|e| format!("the encryption key cannot be read: {e}"))?;
    MasterKey::from_base64(&text).map_err(|e| e.to_string())
}

/// Makes the file whole or not at all: written and synced under another name, then linked, which fails when it exists by now.
fn create_file(path: &Path, key: &MasterKey) -> std::io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    let unfinished = path.with_extension(format!("unfinished-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let text = Zeroizing::new(format!("{}\n", *Zeroizing::new(BASE64.encode(key.bytes.as_ref()))));
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| std::fs::hard_link(&unfinished, path));
    std::fs::remove_file(&unfinished)?;
    linked?;
    File::open(&dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_made_at_first_start_is_private_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/master.key");
        let made = MasterKey::load_or_create_file(&path, dir.path()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let found = MasterKey::load_or_create_file(&path, dir.path()).unwrap();
        assert_eq!(made.bytes, found.bytes);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        MasterKey::load_or_create_file(&path, dir.path()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = MasterKey::load_or_create_file(&path, dir.path()).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn no_new_key_is_made_beside_a_database() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(DATABASE_FILE), b"x").unwrap();
        let error = MasterKey::load_or_create_file(&dir.path().join("master.key"), dir.path()).unwrap_err();
        assert!(error.to_string().contains("put the key file back"), "{error}");
        assert!(!dir.path().join("master.key").exists());
    }

    #[test]
    fn a_key_that_is_only_read_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let error = MasterKey::load_file(&path).unwrap_err();
        assert!(error.to_string().contains("cannot be read") && !path.exists(), "{error}");
        let made = MasterKey::load_or_create_file(&path, dir.path()).unwrap();
        assert_eq!(MasterKey::load_file(&path).unwrap().id(), made.id());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(MasterKey::load_file(&path).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn anything_but_32_bytes_is_no_key() {
        for text in ["", "AAAA", "not base64", &BASE64.encode(&[7; 33])] {
            assert!(MasterKey::from_base64(text).is_err(), "{text}");
        }
        assert!(MasterKey::from_base64(&format!(" {}\n", BASE64.encode(&[7; 32]))).is_ok());
    }

    #[test]
    fn a_key_does_not_show_itself() {
        let key = MasterKey::from_base64(&BASE64.encode(&[7; 32])).unwrap();
        assert!(!format!("{key:?}").contains(&BASE64.encode(&[7; 32])[..8]));
    }
}
