//! Signing secrets: what they look like, how they are made, and which key each one holds.
//!
//! A *scheme* ties a secret's prefix to an algorithm, to how the key is written behind the prefix, and to the version label of
//! its signatures. A contract has one scheme or several that differ in prefix.

use std::time::Duration;

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use postrider_domain::Secret;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

/// How a signature is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    HmacSha256,
    Ed25519,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Hex,
    Base64,
}

impl Encoding {
    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Hex => HEXLOWER.encode(bytes),
            Encoding::Base64 => BASE64.encode(bytes),
        }
    }

    /// Reads either case of hex; base64 with or without its padding.
    pub(crate) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Encoding::Hex => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok(),
            Encoding::Base64 => BASE64_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok(),
        }
    }
}

/// How a key is written behind its secret's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyText {
    /// The whole secret, prefix included, is the key: its UTF-8 bytes, verbatim.
    Verbatim,
    /// The key is what these characters encode.
    Encoded(Encoding),
}

/// One way of signing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    pub(crate) version: String,
    pub(crate) prefix: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: KeyText,
    pub(crate) key_bytes_min: usize,
    pub(crate) key_bytes_max: usize,
    pub(crate) public_prefix: String,
}

impl Scheme {
    /// HMAC-SHA256 with the secret's text as its key: what a contract that names no scheme has (contracts.md, reading 5).
    pub(crate) fn plain() -> Self {
        Scheme {
            version: String::new(),
            prefix: String::new(),
            algorithm: Algorithm::HmacSha256,
            key: KeyText::Verbatim,
            key_bytes_min: 1,
            key_bytes_max: SecretRules::CHARS_MAX * 4,
            public_prefix: String::new(),
        }
    }

    fn key_bytes(&self, secret: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let bytes = match self.key {
            KeyText::Verbatim => secret.as_bytes().to_vec(),
            KeyText::Encoded(encoding) => {
                let written = secret.strip_prefix(self.prefix.as_str()).unwrap_or(secret);
                encoding.decode(written).ok_or_else(|| self.not_encoded(encoding))?
            }
        };
        Ok(Zeroizing::new(bytes))
    }

    fn not_encoded(&self, encoding: Encoding) -> SecretError {
        let encoding = if encoding == Encoding::Hex { "hexadecimal digits" } else { "base64" };
        SecretError::Encoding { prefix: self.prefix.clone(), encoding }
    }

    /// The key to sign and verify with.
    pub(crate) fn key(&self, secret: &str) -> Result<Key, SecretError> {
        let bytes = self.key_bytes(secret)?;
        match self.algorithm {
            Algorithm::HmacSha256 => {
                if !(self.key_bytes_min..=self.key_bytes_max).contains(&bytes.len()) {
                    let (min, max) = (self.key_bytes_min, self.key_bytes_max);
                    return Err(SecretError::KeyBytes { min, max, has: bytes.len() });
                }
                Ok(Key::Hmac(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
            }
            Algorithm::Ed25519 => ed25519(&bytes).map(|pair| Key::Ed25519(Box::new(pair))),
        }
    }
}

fn ed25519(bytes: &[u8]) -> Result<Ed25519KeyPair, SecretError> {
    let pair = match bytes.len() {
        32 => Ed25519KeyPair::from_seed_unchecked(bytes),
        64 => Ed25519KeyPair::from_seed_and_public_key(&bytes[..32], &bytes[32..]),
        has => return Err(SecretError::Seed { has }),
    };
    pair.map_err(|_| SecretError::Pair)
}

/// A key, ready to use.
pub(crate) enum Key {
    Hmac(hmac::Key),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Why a text cannot be a secret of its contract. No message holds any of the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The contract makes the secret.
    #[error("this contract's secrets are generated; leave the secret out")]
    NotChosen,
    /// Shorter or longer than the contract allows.
    #[error("a secret has {min} to {max} characters; this one has {has}")]
    Chars {
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
        /// As given.
        has: usize,
    },
    /// A line break or another control character inside, or white space at either end.
    #[error("a secret has no control characters, and no white space at its ends")]
    Characters,
    /// None of the prefixes that the contract knows.
    #[error("a secret begins with {known}")]
    Prefix {
        /// The prefixes.
        known: String,
    },
    /// What follows the prefix cannot be decoded.
    #[error("what follows {prefix:?} in the secret is not {encoding}")]
    Encoding {
        /// The prefix.
        prefix: String,
        /// What it should be.
        encoding: &'static str,
    },
    /// The key is too short or too long.
    #[error("the key in a secret has {min} to {max} bytes; this one has {has}")]
    KeyBytes {
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
        /// As given.
        has: usize,
    },
    /// An Ed25519 key of another length.
    #[error("an Ed25519 key is a seed of 32 bytes, or seed and public key of 64 bytes; this one has {has}")]
    Seed {
        /// As given.
        has: usize,
    },
    /// A public key that does not belong to its seed.
    #[error("the public key in the secret does not belong to its seed")]
    Pair,
}

/// What a contract says about its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRules {
    /// Whether an endpoint must have one.
    pub required: bool,
    /// Whether one is made when none is given.
    pub generated: bool,
    /// Whether people may bring their own.
    pub chosen: bool,
    /// How long old and new both work after a rotation, unless the rotation says otherwise.
    pub overlap: Duration,
    pub(crate) prefix: String,
    pub(crate) encoding: Encoding,
    pub(crate) bytes: usize,
    pub(crate) chars_min: usize,
    pub(crate) chars_max: usize,
}

impl SecretRules {
    /// The longest secret that any contract may allow, in characters.
    pub const CHARS_MAX: usize = 1024;
    /// How many random bytes [`crate::Contract::generate_secret`] takes.
    pub const RANDOM_BYTES: usize = 64;

    pub(crate) fn check(&self, schemes: &[Scheme], secret: &str) -> Result<(), SecretError> {
        let has = secret.chars().count();
        if !(self.chars_min..=self.chars_max).contains(&has) {
            return Err(SecretError::Chars { min: self.chars_min, max: self.chars_max, has });
        }
        if secret.chars().any(char::is_control) || secret.trim() != secret {
            return Err(SecretError::Characters);
        }
        scheme_of(schemes, secret)?.key(secret).map(|_| ())
    }

    pub(crate) fn generate(&self, scheme: &Scheme, random: &[u8; Self::RANDOM_BYTES]) -> Secret {
        let encoding = match scheme.key {
            KeyText::Verbatim => self.encoding,
            KeyText::Encoded(encoding) => encoding,
        };
        let prefix = if scheme.prefix.is_empty() { &self.prefix } else { &scheme.prefix };
        let key = match scheme.algorithm {
            Algorithm::HmacSha256 => Zeroizing::new(random[..self.bytes].to_vec()),
            Algorithm::Ed25519 => Zeroizing::new(seed_and_public(&random[..32])),
        };
        let written = Zeroizing::new(encoding.encode(&key));
        Secret::new(format!("{prefix}{}", written.as_str()))
    }
}

/// A seed followed by its public key, as the libraries write an Ed25519 secret key.
fn seed_and_public(seed: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    if let Ok(pair) = Ed25519KeyPair::from_seed_unchecked(seed) {
        bytes.extend_from_slice(pair.public_key().as_ref());
    }
    bytes
}

/// The scheme whose prefix a secret has; the longest one where several fit.
pub(crate) fn scheme_of<'s>(schemes: &'s [Scheme], secret: &str) -> Result<&'s Scheme, SecretError> {
    let fitting = schemes.iter().filter(|s| secret.starts_with(s.prefix.as_str()));
    fitting.max_by_key(|s| s.prefix.len()).ok_or_else(|| {
        let known: Vec<_> = schemes.iter().map(|s| format!("{:?}", s.prefix)).collect();
        SecretError::Prefix { known: known.join(" or ") }
    })
}

/// What receivers verify with when the secret must stay with the sender: the public key of an Ed25519 secret.
pub(crate) fn public_key(schemes: &[Scheme], secret: &str) -> Option<String> {
    let scheme = scheme_of(schemes, secret).ok()?;
    let KeyText::Encoded(encoding) = scheme.key else { return None };
    match scheme.key(secret).ok()? {
        Key::Ed25519(pair) => Some(format!("{}{}", scheme.public_prefix, encoding.encode(pair.public_key().as_ref()))),
        Key::Hmac(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> SecretRules {
        SecretRules {
            required: true,
            generated: true,
            chosen: true,
            overlap: Duration::from_secs(86_400),
            prefix: String::new(),
            encoding: Encoding::Hex,
            bytes: 32,
            chars_min: 1,
            chars_max: 256,
        }
    }

    fn schemes() -> Vec<Scheme> {
        let hmac = Scheme {
            version: "v1".into(),
            prefix: "whsec_".into(),
            key: KeyText::Encoded(Encoding::Base64),
            key_bytes_min: 24,
            key_bytes_max: 64,
            ..Scheme::plain()
        };
        let ed25519 = Scheme {
            version: "v1a".into(),
            prefix: "whsk_".into(),
            algorithm: Algorithm::Ed25519,
            public_prefix: "whpk_".into(),
            ..hmac.clone()
        };
        vec![hmac, ed25519]
    }

    /// RFC 8032, section 7.1, TEST 1.
    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[test]
    fn an_ed25519_secret_is_a_seed_or_a_seed_with_its_public_key() {
        let (seed, public) = (BASE64.decode(SEED.as_bytes()).unwrap(), BASE64.decode(PUBLIC.as_bytes()).unwrap());
        let pair = format!("whsk_{}", BASE64.encode(&[seed.as_slice(), &public].concat()));
        for secret in [format!("whsk_{SEED}"), pair] {
            assert_eq!(rules().check(&schemes(), &secret), Ok(()));
            assert_eq!(public_key(&schemes(), &secret), Some(format!("whpk_{PUBLIC}")));
        }
        let strange = format!("whsk_{}", BASE64.encode(&[seed.as_slice(), &[1; 32]].concat()));
        assert_eq!(rules().check(&schemes(), &strange), Err(SecretError::Pair));
        assert_eq!(rules().check(&schemes(), "whsk_AAAA"), Err(SecretError::Seed { has: 3 }));
    }

    #[test]
    fn secrets_that_cannot_work_are_refused_with_the_reason() {
        let check = |secret: &str| rules().check(&schemes(), secret).unwrap_err();
        assert_eq!(check(""), SecretError::Chars { min: 1, max: 256, has: 0 });
        assert_eq!(check(" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), SecretError::Characters);
        assert_eq!(check("whsec_a\nb"), SecretError::Characters);
        assert_eq!(check("password"), SecretError::Prefix { known: "\"whsec_\" or \"whsk_\"".into() });
        assert!(matches!(check("whsec_***"), SecretError::Encoding { .. }));
        assert_eq!(check("whsec_AAAA"), SecretError::KeyBytes { min: 24, max: 64, has: 3 });
        assert_eq!(rules().check(&[Scheme::plain()], "Frühling im Büro"), Ok(()));
    }

    #[test]
    fn generated_secrets_obey_their_own_rules_and_differ_with_the_randomness() {
        for schemes in [vec![Scheme::plain()], schemes()] {
            for scheme in &schemes {
                let made = [1, 2].map(|seed| rules().generate(scheme, &[seed; SecretRules::RANDOM_BYTES]));
                assert_ne!(made[0], made[1]);
                assert_eq!(rules().check(&schemes, made[0].reveal()), Ok(()));
                assert!(made[0].reveal().starts_with(&scheme.prefix));
            }
        }
    }

    #[test]
    fn base64_is_read_with_and_without_its_padding() {
        assert_eq!(Encoding::Base64.decode("YQ=="), Some(b"a".to_vec()));
        assert_eq!(Encoding::Base64.decode("YQ"), Some(b"a".to_vec()));
        assert_eq!(Encoding::Hex.decode("Ff"), Some(vec![255]));
        assert_eq!(Encoding::Hex.decode("f"), None);
    }
}
