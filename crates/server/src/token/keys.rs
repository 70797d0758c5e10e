//! The keys that tokens are verified with: each is for one algorithm, by its own kind.
//!
//! | key | algorithm |
//! |---|---|
//! | a shared secret | HS256 |
//! | RSA, 2048 bits or more | RS256 |
//! | a point on P-256 | ES256 |
//! | a point on Ed25519 | `EdDSA` |

use std::collections::HashSet;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};

use crate::limits::{JWKS_KEYS_MAX, TOKEN_SECRET_BYTES_MIN};

/// RFC 7518, section 3.3: "A key of size 2048 bits or larger MUST be used".
const RSA_BYTES_MIN: usize = 256;
const P256_POINT_BYTES: usize = 65;
const ED25519_POINT_BYTES: usize = 32;

/// A key that verifies tokens.
#[derive(Clone, Debug)]
pub struct TokenKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Why something is no key for tokens, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenKeyError(String);

fn wrong(what: impl Into<String>) -> TokenKeyError {
    TokenKeyError(what.into())
}

impl TokenKey {
    /// A secret that is shared with whoever signs.
    ///
    /// # Errors
    /// When it is too short (RFC 7518, section 3.2: as long as the hash, 32 bytes), or the text of another kind of key.
    pub fn shared_secret(text: &str) -> Result<Self, TokenKeyError> {
        if text.contains("-----BEGIN") {
            return Err(wrong("is a PEM text; a public key is no secret: name its file with jwt_public_key_file"));
        }
        Self::of_secret(text.as_bytes(), None)
    }

    fn of_secret(secret: &[u8], id: Option<String>) -> Result<Self, TokenKeyError> {
        if secret.len() < TOKEN_SECRET_BYTES_MIN {
            return Err(wrong(format!(
                "a shared secret has {TOKEN_SECRET_BYTES_MIN} bytes or more; make one with: openssl rand -hex 32"
            )));
        }
        Ok(TokenKey { id, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) })
    }

    /// A public key in PEM: RSA, P-256 or Ed25519.
    ///
    /// # Errors
    /// When it is none of them, too short, or a private key or certificate.
    pub fn public_pem(text: &[u8]) -> Result<Self, TokenKeyError> {
        let is_public = text.windows(11).any(|part| part == b"PUBLIC KEY-");
        let advice = "give a public key in PEM: RSA of 2048 bits or more, P-256 or Ed25519";
        if !is_public {
            return Err(wrong(format!("is no public key; {advice}")));
        }
        type Read = fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>;
        let kinds: [(Algorithm, Read); 3] = [
            (Algorithm::RS256, DecodingKey::from_rsa_pem),
            (Algorithm::ES256, DecodingKey::from_ec_pem),
            (Algorithm::EdDSA, DecodingKey::from_ed_pem),
        ];
        let found = kinds.into_iter().find_map(|(algorithm, read)| Some((algorithm, read(text).ok()?)));
        let (algorithm, key) = found.ok_or_else(|| wrong(format!("is no public key that can be read; {advice}")))?;
        let key = TokenKey { id: None, algorithm, key };
        if key.is_sound() { Ok(key) } else { Err(wrong(format!("is a key that cannot be used; {advice}"))) }
    }

    /// The keys of a JWK Set (RFC 7517, section 5) that are for an algorithm of ours; what is for something else is left out.
    ///
    /// # Errors
    /// When it is no such set, has too many keys, none that can be used, one that is damaged, or two that cannot be told apart.
    pub fn read_set(text: &[u8]) -> Result<Vec<Self>, TokenKeyError> {
        let set: JwkSet = serde_json::from_slice(text)
            .map_err(|error| wrong(format!("is no JWK Set (RFC 7517, section 5): {error}")))?;
        if set.keys.len() > JWKS_KEYS_MAX {
            return Err(wrong(format!("has more than {JWKS_KEYS_MAX} keys")));
        }
        let mut seen = HashSet::new();
        let mut keys = Vec::new();
        for (index, jwk) in set.keys.iter().enumerate() {
            let Some(key) = Self::of_jwk(jwk).map_err(|error| wrong(format!("key {}: {error}", index + 1)))? else {
                continue;
            };
            if !seen.insert((format!("{:?}", key.algorithm), key.id.clone())) {
                return Err(wrong(format!("key {}: another one for the same algorithm has its `kid`", index + 1)));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(wrong("has no key for HS256, RS256, ES256 or EdDSA"));
        }
        Ok(keys)
    }

    /// None when it is for something else.
    fn of_jwk(jwk: &Jwk) -> Result<Option<Self>, TokenKeyError> {
        let common = &jwk.common;
        let verifies = common.key_operations.as_ref().is_none_or(|may| may.contains(&KeyOperations::Verify));
        let signs = common.public_key_use.as_ref().is_none_or(|use_for| *use_for == PublicKeyUse::Signature);
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::OctetKey(_) => Algorithm::HS256,
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
            _ => return Ok(None),
        };
        let is_another = common.key_algorithm.is_some_and(|named| named != KeyAlgorithm::from(algorithm));
        if !verifies || !signs || is_another {
            return Ok(None);
        }
        let key = DecodingKey::from_jwk(jwk).map_err(|_| wrong("is not base64url"))?;
        let id = common.key_id.clone();
        if let (AlgorithmParameters::OctetKey(_), DecodingKeyKind::SecretOrDer(secret)) = (&jwk.algorithm, key.kind()) {
            return Self::of_secret(secret, id).map(Some);
        }
        let key = TokenKey { id, algorithm, key };
        if key.is_sound() { Ok(Some(key)) } else { Err(wrong("is too short or damaged")) }
    }

    /// What can be said of a public key before it verifies something.
    fn is_sound(&self) -> bool {
        match (self.algorithm, self.key.kind()) {
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                n.iter().skip_while(|byte| **byte == 0).count() >= RSA_BYTES_MIN && !e.is_empty()
            }
            (Algorithm::RS256, DecodingKeyKind::SecretOrDer(der)) => der.len() > RSA_BYTES_MIN,
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => point.len() == P256_POINT_BYTES && point[0] == 4,
            (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(point)) => point.len() == ED25519_POINT_BYTES,
            _ => false,
        }
    }

    /// Whether a token with this header may be tried with it. Names count where both have one.
    pub(super) fn is_for(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        let is_named = match (self.id.as_deref(), id) {
            (Some(own), Some(named)) => own == named,
            _ => true,
        };
        self.algorithm == algorithm && is_named
    }

    pub(super) fn verifying(&self) -> &DecodingKey {
        &self.key
    }
}
