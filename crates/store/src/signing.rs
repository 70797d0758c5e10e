//! Signatures that the nodes of one store make and know, with keys that nobody has to keep: they come out of the master keys.
//!
//! HKDF with SHA-256 (RFC 5869): a master key is what goes in, the store's own mark is the salt, so that two stores under one master key do not
//! know each other's signatures, and the purpose is the info. HMAC-SHA-256 (RFC 2104) signs.

use ring::{hkdf, hmac};

use crate::error::{Result, StoreError};
use crate::master_key::{MasterKey, MasterKeys};
use crate::seal::SealingKey;

/// How many bytes a signature has.
pub const SIGNATURE_BYTES: usize = 32;

/// Names what is signed. Another version of the program that signs something else says so here.
const INFO: &str = "postrider signatures v1: ";

/// Signs, and knows what was signed: by this node, another one of the same store, or one before a restart.
pub struct Signing {
    current: hmac::Key,
    /// Of the ring's other master keys: while one replaces another, nodes sign with either.
    others: Vec<hmac::Key>,
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signing")
    }
}

impl Signing {
    /// For a purpose, in the store whose operator's data key this is.
    pub(crate) fn new(keys: &MasterKeys, store: &SealingKey, purpose: &str) -> Result<Self> {
        let derived = |master: &MasterKey| derive(master, &store.mark(), purpose);
        Ok(Signing {
            current: derived(&keys.current)?,
            others: keys.others.iter().map(derived).collect::<Result<_>>()?,
        })
    }

    /// The signature of a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(hmac::sign(&self.current, message).as_ref());
        signature
    }

    /// Whether a message was signed with any of the keys; compared in a time that says nothing about where signatures differ.
    #[must_use]
    pub fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        std::iter::once(&self.current).chain(&self.others).any(|key| hmac::verify(key, message, signature).is_ok())
    }
}

fn derive(master: &MasterKey, salt: &[u8], purpose: &str) -> Result<hmac::Key> {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(master.bytes.as_ref());
    let info = [INFO.as_bytes(), purpose.as_bytes()];
    let refused = |_| StoreError::Unavailable { reason: "no key can be derived for signatures".to_owned() };
    extracted.expand(&info, hmac::HMAC_SHA256).map(hmac::Key::from).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master_key::KEY_BYTES;
    use zeroize::Zeroizing;

    fn master(byte: u8) -> MasterKey {
        MasterKey::from_base64(&data_encoding::BASE64.encode(&[byte; KEY_BYTES])).unwrap()
    }

    fn signing(current: u8, others: &[u8], store: u8, purpose: &str) -> Signing {
        let keys = MasterKeys { current: master(current), others: others.iter().copied().map(master).collect() };
        Signing::new(&keys, &SealingKey::new(&Zeroizing::new([store; KEY_BYTES])), purpose).unwrap()
    }

    #[test]
    fn a_signature_is_known_with_the_same_master_key_store_and_purpose_alone() {
        let signature = signing(1, &[], 9, "a").sign(b"message");
        assert!(signing(1, &[], 9, "a").is_signed(b"message", &signature));
        for other in [signing(2, &[], 9, "a"), signing(1, &[], 8, "a"), signing(1, &[], 9, "b")] {
            assert!(!other.is_signed(b"message", &signature));
        }
    }

    #[test]
    fn while_a_master_key_is_replaced_nodes_know_each_others_signatures_and_afterwards_the_old_ones_end() {
        let (before, after) = (signing(1, &[2], 9, "a"), signing(2, &[1], 9, "a"));
        assert!(after.is_signed(b"m", &before.sign(b"m")) && before.is_signed(b"m", &after.sign(b"m")));
        assert!(!signing(2, &[], 9, "a").is_signed(b"m", &before.sign(b"m")));
    }

    #[test]
    fn every_altered_or_missing_byte_is_noticed() {
        let signing = signing(1, &[2], 9, "a");
        let signature = signing.sign(b"message");
        assert!(!signing.is_signed(b"messagf", &signature));
        for index in 0..SIGNATURE_BYTES {
            let mut altered = signature;
            altered[index] ^= 1;
            assert!(!signing.is_signed(b"message", &altered), "{index}");
            assert!(!signing.is_signed(b"message", &signature[..index]), "{index}");
        }
    }

    /// RFC 5869 and RFC 2104, worked out with Python's `hmac` for a master key of 01s, a store's key of 09s and the purpose `a`.
    #[test]
    fn the_keys_are_what_the_standards_make_of_them() {
        let signature = signing(1, &[], 9, "a").sign(b"message");
        assert_eq!(data_encoding::HEXLOWER.encode(&signature), KNOWN);
    }

    const KNOWN: &str = "c02acc217907bae5ef646844adb0ea652a4ed98dc32f686594e375b9a0e49502";
}
