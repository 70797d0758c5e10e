//! Encryption at rest: XChaCha20-Poly1305 with a random 24-byte nonce (draft-irtf-cfrg-xchacha-03).
//!
//! A *sealed* value is `version (1) | key id (8) | nonce (24) | ciphertext | tag (16)`. What it belongs to (organisation, kind of row, id of
//! row, key id) is authenticated with it, so that a value moved to another row does not open.

use std::cell::RefCell;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::error::{Result, StoreError};
use crate::master_key::{KEY_BYTES, KEY_ID_BYTES, KeyFingerprint, MasterKey};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;
/// What sealing adds to a value.
pub(crate) const OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;
/// Nonces fetched from the system at once: one call each would cost more than the sealing.
const NONCES_FETCHED: usize = 64;

/// The kinds of rows that hold sealed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RowKind {
    Event = 1,
    Attempt = 2,
    Endpoint = 3,
    Answer = 4,
    DataKey = 5,
    Canary = 6,
    Audit = 7,
    Operation = 8,
}

/// A buffer that begins with room for a sealed value's header; the plain text is appended to it.
pub(crate) fn unsealed(plain_bytes: usize) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(OVERHEAD_BYTES + plain_bytes);
    buffer.resize(HEADER_BYTES, 0);
    buffer
}

/// The id of the key that sealed a value; none when it is too short to be one.
pub(crate) fn key_id(sealed: &[u8]) -> Option<KeyFingerprint> {
    sealed.get(1..=KEY_ID_BYTES)?.try_into().ok().map(KeyFingerprint)
}

/// A key ready to seal and open; wiped when dropped.
pub(crate) struct SealingKey {
    cipher: XChaCha20Poly1305,
    id: KeyFingerprint,
}

impl SealingKey {
    pub(crate) fn new(bytes: &Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let id = KeyFingerprint::of("postrider data key", bytes);
        SealingKey { cipher: XChaCha20Poly1305::new(&(**bytes).into()), id }
    }

    pub(crate) fn of_master(master: &MasterKey) -> Self {
        SealingKey { cipher: XChaCha20Poly1305::new(&(*master.bytes).into()), id: master.id }
    }

    /// What names the key without telling it.
    pub(crate) fn mark(&self) -> [u8; KEY_ID_BYTES] {
        self.id.0
    }

    /// Seals what follows the header in a buffer made by [`unsealed`].
    pub(crate) fn seal(&self, mut buffer: Vec<u8>, owner: i64, kind: RowKind, row: &[u8]) -> Result<Vec<u8>> {
        let nonce = fresh_nonce()?;
        buffer[0] = VERSION;
        buffer[1..=KEY_ID_BYTES].copy_from_slice(&self.id.0);
        buffer[1 + KEY_ID_BYTES..HEADER_BYTES].copy_from_slice(&nonce);
        let bound = Bound::new(owner, kind, row, self.id);
        let plain = &mut buffer[HEADER_BYTES..];
        let tag = self.cipher.encrypt_inout_detached(&XNonce::from(nonce), bound.bytes(), plain.into());
        let too_long = |_| StoreError::Sealed { reason: "the value is too long to be sealed".to_owned() };
        buffer.extend_from_slice(&tag.map_err(too_long)?);
        Ok(buffer)
    }

    /// Opens a sealed value; what it belongs to must be what it was sealed with.
    pub(crate) fn open(&self, sealed: Vec<u8>, owner: i64, kind: RowKind, row: &[u8]) -> Result<Plain> {
        let refused = |reason: &str| StoreError::Sealed { reason: format!("{kind:?} row: {reason}") };
        if sealed.len() < OVERHEAD_BYTES || sealed[0] != VERSION {
            return Err(refused("it is cut off or of a version that this program does not know"));
        }
        if sealed[1..=KEY_ID_BYTES] != self.id.0 {
            return Err(refused("it was sealed with another key"));
        }
        let mut buffer = Zeroizing::new(sealed);
        let (header, rest) = buffer.split_at_mut(HEADER_BYTES);
        let (text, tag) = rest.split_at_mut(rest.len() - TAG_BYTES);
        let (Ok(nonce), Ok(tag)) = (<[u8; NONCE_BYTES]>::try_from(&header[1 + KEY_ID_BYTES..]), Tag::try_from(&*tag))
        else {
            return Err(refused("it is cut off"));
        };
        let bound = Bound::new(owner, kind, row, self.id);
        let opened = self.cipher.decrypt_inout_detached(&XNonce::from(nonce), bound.bytes(), text.into(), &tag);
        opened.map_err(|_| refused("it was altered or belongs to another row; restore it from a backup"))?;
        Ok(Plain(buffer))
    }
}

/// An opened value; wiped when dropped.
pub(crate) struct Plain(Zeroizing<Vec<u8>>);

impl Plain {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0[HEADER_BYTES..self.0.len() - TAG_BYTES]
    }
}

/// What a sealed value belongs to, as the associated data of the cipher.
struct Bound {
    buffer: [u8; 64],
    len: usize,
}

impl Bound {
    /// Row ids are UUIDs or hashes of at most 32 bytes; a longer one would be told apart by its first bytes and its length.
    fn new(owner: i64, kind: RowKind, row: &[u8], key: KeyFingerprint) -> Self {
        let mut buffer = [0; 64];
        let row_bytes = row.len().min(buffer.len() - 18);
        buffer[0] = kind as u8;
        buffer[1..9].copy_from_slice(&owner.to_le_bytes());
        buffer[9..17].copy_from_slice(&key.0);
        buffer[17] = u8::try_from(row.len()).unwrap_or(u8::MAX);
        buffer[18..18 + row_bytes].copy_from_slice(&row[..row_bytes]);
        Bound { buffer, len: 18 + row_bytes }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

/// Fills a buffer with the system's randomness.
pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    let failed = |_| StoreError::Unavailable { reason: "the system gives no random bytes".to_owned() };
    SystemRandom::new().fill(bytes).map_err(failed)
}

fn fresh_nonce() -> Result<[u8; NONCE_BYTES]> {
    thread_local! {
        static FETCHED: RefCell<(usize, [[u8; NONCE_BYTES]; NONCES_FETCHED])> =
            const { RefCell::new((NONCES_FETCHED, [[0; NONCE_BYTES]; NONCES_FETCHED])) };
    }
    FETCHED.with_borrow_mut(|(used, nonces)| {
        if *used == NONCES_FETCHED {
            random(nonces.as_flattened_mut())?;
            *used = 0;
        }
        let nonce = nonces[*used];
        *used += 1;
        Ok(nonce)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey::new(&Zeroizing::new([byte; KEY_BYTES]))
    }

    fn sealed(key: &SealingKey, text: &[u8]) -> Vec<u8> {
        let mut buffer = unsealed(text.len());
        buffer.extend_from_slice(text);
        key.seal(buffer, 7, RowKind::Event, b"row").unwrap()
    }

    #[test]
    fn what_was_sealed_opens_and_does_not_show() {
        let value = sealed(&key(1), b"attack at dawn");
        assert!(!value.windows(6).any(|w| w == b"attack"));
        let plain = key(1).open(value, 7, RowKind::Event, b"row").unwrap();
        assert_eq!(plain.bytes(), b"attack at dawn");
    }

    #[test]
    fn a_value_moved_to_another_row_kind_or_organisation_does_not_open() {
        let value = sealed(&key(1), b"x");
        assert!(key(1).open(value.clone(), 7, RowKind::Event, b"rox").is_err());
        assert!(key(1).open(value.clone(), 7, RowKind::Attempt, b"row").is_err());
        assert!(key(1).open(value.clone(), 8, RowKind::Event, b"row").is_err());
        assert!(key(2).open(value, 7, RowKind::Event, b"row").is_err());
    }

    #[test]
    fn every_altered_or_missing_byte_is_noticed() {
        let value = sealed(&key(1), b"abc");
        for i in 0..value.len() {
            let mut altered = value.clone();
            altered[i] ^= 1;
            assert!(key(1).open(altered, 7, RowKind::Event, b"row").is_err(), "byte {i}");
            assert!(key(1).open(value[..i].to_vec(), 7, RowKind::Event, b"row").is_err(), "cut at {i}");
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let values: std::collections::HashSet<_> = (0..200).map(|_| sealed(&key(1), b"same")).collect();
        assert_eq!(values.len(), 200);
    }
}
