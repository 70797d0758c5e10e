//! What both stores do with the ring of master keys: make, wrap, open and rewrap data keys, and tell whether the ring fits a database.
//!
//! A *wrapped* data key is a sealed value, so it names the master key that wrapped it. A *canary* is a known text that a master key
//! sealed: a database keeps one for every master key that may have wrapped a data key in it, so that a key that is missing is
//! noticed at opening and not in the middle of the work.

use zeroize::Zeroizing;

use crate::error::{Result, StoreError};
use crate::master_key::{KEY_BYTES, KEY_ID_BYTES, KeyFingerprint, MasterKey, MasterKeys};
use crate::seal::{self, OVERHEAD_BYTES, RowKind, SealingKey};

const CANARY_TEXT: &[u8] = b"the master key fits";
/// How long every canary is.
pub(crate) const CANARY_BYTES: usize = OVERHEAD_BYTES + CANARY_TEXT.len();

/// Whose data key it is: number and row that are authenticated with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyOwner<'a> {
    pub(crate) no: i64,
    pub(crate) row: &'a [u8],
}

impl MasterKeys {
    /// A fresh data key, ready to seal, and as it is stored: wrapped by the current master key.
    pub(crate) fn make_data_key(&self, owner: KeyOwner<'_>) -> Result<(SealingKey, Vec<u8>)> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        seal::random(bytes.as_mut())?;
        let wrapped = wrap(&self.current, owner, bytes.as_ref())?;
        Ok((SealingKey::new(&bytes), wrapped))
    }

    /// Opens a data key that any key of the ring wrapped.
    pub(crate) fn open_data_key(&self, owner: KeyOwner<'_>, wrapped: Vec<u8>) -> Result<SealingKey> {
        let plain = self.open(owner, wrapped)?;
        let malformed = |_| StoreError::Sealed { reason: "a data key has the wrong length".to_owned() };
        let bytes: [u8; KEY_BYTES] = plain.bytes().try_into().map_err(malformed)?;
        Ok(SealingKey::new(&Zeroizing::new(bytes)))
    }

    /// The same data key, wrapped by the current master key.
    pub(crate) fn rewrap_data_key(&self, owner: KeyOwner<'_>, wrapped: Vec<u8>) -> Result<Vec<u8>> {
        wrap(&self.current, owner, self.open(owner, wrapped)?.bytes())
    }

    fn open(&self, owner: KeyOwner<'_>, wrapped: Vec<u8>) -> Result<seal::Plain> {
        let Some(id) = seal::key_id(&wrapped) else {
            return Err(StoreError::Sealed { reason: "a data key is cut off; restore it from a backup".to_owned() });
        };
        let Some(master) = self.find(id) else {
            let reason = format!(
                "a data key was wrapped by encryption key {id}, and {} was given; give that key as well",
                self.given()
            );
            return Err(StoreError::Sealed { reason });
        };
        SealingKey::of_master(master).open(wrapped, owner.no, RowKind::DataKey, owner.row)
    }

    fn find(&self, id: KeyFingerprint) -> Option<&MasterKey> {
        std::iter::once(&self.current).chain(&self.others).find(|key| key.id == id)
    }

    /// What the database keeps for the current master key.
    pub(crate) fn canary(&self) -> Result<Vec<u8>> {
        let mut buffer = seal::unsealed(CANARY_TEXT.len());
        buffer.extend_from_slice(CANARY_TEXT);
        SealingKey::of_master(&self.current).seal(buffer, 0, RowKind::Canary, &[])
    }

    /// Judges a canary that a database keeps.
    pub(crate) fn judge_canary(&self, canary: &[u8]) -> Fit {
        let Some(id) = seal::key_id(canary) else { return Fit::Damaged };
        let Some(master) = self.find(id) else { return Fit::Missing(id.0) };
        let opened = SealingKey::of_master(master).open(canary.to_vec(), 0, RowKind::Canary, &[]);
        match opened {
            Ok(plain) if plain.bytes() == CANARY_TEXT => Fit::Fits { is_current: id == self.current.id },
            _ => Fit::Damaged,
        }
    }

    /// What to tell whoever gave a ring that lacks a key which data keys were wrapped by.
    pub(crate) fn lacks(&self, id: [u8; KEY_ID_BYTES]) -> String {
        format!(
            "it was made with encryption key {}, and {} was given; give the right key, or both while one replaces the other",
            KeyFingerprint(id),
            self.given()
        )
    }

    /// The ids of the keys that were given, for people.
    fn given(&self) -> String {
        let ids: Vec<_> = std::iter::once(&self.current).chain(&self.others).map(|key| key.id.to_string()).collect();
        ids.join(" and ")
    }
}

fn wrap(master: &MasterKey, owner: KeyOwner<'_>, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut buffer = seal::unsealed(bytes.len());
    buffer.extend_from_slice(bytes);
    SealingKey::of_master(master).seal(buffer, owner.no, RowKind::DataKey, owner.row)
}

/// How a ring of master keys and a canary go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// A key of the ring made it.
    Fits {
        /// It is the one that wraps from now on.
        is_current: bool,
    },
    /// The key with this id made it, and the ring lacks that: unusable when a data key was wrapped by it (see [`MasterKeys::lacks`]),
    /// to be forgotten when none was.
    Missing([u8; KEY_ID_BYTES]),
    /// It does not open, though its key is there.
    Damaged,
}

/// What to tell of a canary that is damaged.
pub(crate) const DAMAGED: &str =
    "the encryption key does not open it, though it has the right id; restore the database from a backup";

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: KeyOwner<'_> = KeyOwner { no: 7, row: b"row" };

    fn master(byte: u8) -> MasterKey {
        MasterKey::from_base64(&data_encoding::BASE64.encode(&[byte; KEY_BYTES])).unwrap()
    }

    fn ring(current: u8, others: &[u8]) -> MasterKeys {
        MasterKeys { current: master(current), others: others.iter().copied().map(master).collect() }
    }

    fn is_same(a: &SealingKey, b: &SealingKey) -> bool {
        let sealed = a.seal(seal::unsealed(0), 0, RowKind::Event, &[]).unwrap();
        b.open(sealed, 0, RowKind::Event, &[]).is_ok()
    }

    #[test]
    fn a_data_key_opens_with_any_ring_that_has_its_master_key_and_no_other() {
        let (key, wrapped) = ring(1, &[]).make_data_key(OWNER).unwrap();
        for keys in [ring(1, &[]), ring(1, &[2]), ring(2, &[3, 1])] {
            assert!(is_same(&key, &keys.open_data_key(OWNER, wrapped.clone()).unwrap()));
        }
        let refused = ring(2, &[3]).open_data_key(OWNER, wrapped.clone()).err().unwrap().to_string();
        assert!(refused.contains(&format!("encryption key {}", master(1).id)), "{refused}");
        assert!(refused.contains(&format!("{} and {} was given", master(2).id, master(3).id)), "{refused}");
        assert!(ring(1, &[]).open_data_key(KeyOwner { no: 8, row: b"row" }, wrapped.clone()).is_err());
        assert!(ring(1, &[]).open_data_key(KeyOwner { no: 7, row: b"other" }, wrapped).is_err());
    }

    #[test]
    fn a_rewrapped_data_key_is_the_same_and_needs_the_old_master_key_no_more() {
        let (key, wrapped) = ring(1, &[]).make_data_key(OWNER).unwrap();
        let rewrapped = ring(2, &[1]).rewrap_data_key(OWNER, wrapped).unwrap();
        assert_eq!(seal::key_id(&rewrapped), Some(master(2).id));
        assert!(is_same(&key, &ring(2, &[]).open_data_key(OWNER, rewrapped).unwrap()));
    }

    #[test]
    fn a_canary_tells_a_ring_that_fits_from_one_that_does_not() {
        let canary = ring(1, &[]).canary().unwrap();
        assert_eq!(canary.len(), CANARY_BYTES);
        assert_eq!(ring(1, &[2]).judge_canary(&canary), Fit::Fits { is_current: true });
        assert_eq!(ring(2, &[1]).judge_canary(&canary), Fit::Fits { is_current: false });
        assert_eq!(ring(2, &[]).judge_canary(&canary), Fit::Missing(master(1).id.0));
        let mut altered = canary;
        altered[CANARY_BYTES - 1] ^= 1;
        assert_eq!(ring(1, &[]).judge_canary(&altered), Fit::Damaged);
        assert_eq!(ring(1, &[]).judge_canary(&[]), Fit::Damaged);
    }
}
