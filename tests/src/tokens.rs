//! Tokens (RFC 7519) as a CRM signs them, made here independently of the program.

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

/// The secret that worlds with tokens share with the program.
pub const SECRET: &str = "the CRM's secret for its tokens, longer than 32 bytes";

/// Whoever signs, with a name for its key.
#[derive(Debug)]
pub struct Signer {
    name: String,
    pair: EcdsaKeyPair,
}

impl Signer {
    /// With a new key on P-256.
    ///
    /// # Panics
    /// When the system gives no random bytes.
    #[must_use]
    pub fn p256(name: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("random bytes");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        Signer { name: name.to_owned(), pair: pair.expect("a key of its own making") }
    }

    /// The public half (RFC 7517).
    #[must_use]
    pub fn jwk(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|part| BASE64URL_NOPAD.encode(part));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.name, "x": x, "y": y})
    }

    /// A token with these claims.
    ///
    /// # Panics
    /// When the system gives no random bytes.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        let message = message(&json!({"alg": "ES256", "kid": self.name}), claims);
        let signed = self.pair.sign(&SystemRandom::new(), message.as_bytes()).expect("random bytes");
        format!("{message}.{}", BASE64URL_NOPAD.encode(signed.as_ref()))
    }
}

fn message(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
    format!("{header}.{claims}")
}

/// The claims of somebody with a role, good for a day from now on.
#[must_use]
pub fn claims(organization: &str, role: &str) -> Value {
    let exp = jiff::Timestamp::now().as_second() + 86_400;
    json!({"org": organization, "role": role, "exp": exp})
}

/// A token that is signed with [`SECRET`].
#[must_use]
pub fn token(claims: &Value) -> String {
    let message = message(&json!({"alg": "HS256", "typ": "JWT"}), claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), message.as_bytes());
    format!("{message}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
}
