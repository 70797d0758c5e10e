//! Tokens: JSON Web Tokens (RFC 7519) that the CRM signs for its own users, with an organisation, a role and an end.
//!
//! A *key* decides its algorithm (RFC 8725, section 3.1): a token is tried with those keys alone whose algorithm is the one that it names, so that an RSA
//! key's public text never becomes an HMAC secret, and `none` finds no key. Time is the engine's.

mod backend;
mod keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Validation, decode, decode_header};
use metrics::gauge;
use parking_lot::RwLock;
use postrider_domain::{Millis, OrganizationId, Role};
use serde::Deserialize;
use serde_json::Number;

use crate::limits::{SYSTEM_CHARS_MAX, TOKEN_BYTES_MAX, TOKEN_KEYS_TRIED_MAX, TOKEN_LEEWAY_S, TOKEN_SUBJECT_CHARS_MAX};
use crate::meters::JWKS_USABLE;

pub use keys::{TokenKey, TokenKeyError};

/// Which tokens are accepted, and from whom.
#[derive(Debug, Default)]
pub struct Tokens {
    /// Keys that do not change while the server runs.
    fixed: Vec<TokenKey>,
    /// Keys of a set that is replaced while it runs.
    rotating: RwLock<Arc<[TokenKey]>>,
    /// What `iss` must be; anything when none.
    issuer: Option<String>,
    /// What `aud` must name. Without one, a token that is meant for somebody is not meant for us (RFC 7519, section 4.1.3).
    audience: Option<String>,
}

impl Tokens {
    /// With keys that do not change.
    #[must_use]
    pub fn new(fixed: Vec<TokenKey>, issuer: Option<String>, audience: Option<String>) -> Self {
        backend::install();
        Tokens { fixed, rotating: RwLock::default(), issuer, audience }
    }

    /// Replaces the keys of the set.
    pub fn rotate(&self, keys: Vec<TokenKey>) {
        *self.rotating.write() = keys.into();
        gauge!(JWKS_USABLE).set(1.0);
    }

    /// The set cannot be read any more: its keys stay as they are, and the metrics say so.
    pub fn keep(&self) {
        gauge!(JWKS_USABLE).set(0.0);
    }
}

/// A token that is valid now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) organization: OrganizationId,
    pub(crate) role: Role,
    /// Which system its bearer acts for.
    pub(crate) system: Option<String>,
    /// Whom it was issued to.
    pub(crate) subject: Option<String>,
    /// From when it is refused.
    pub(crate) expires_at: Millis,
}

/// Why a token is refused; shown to whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token has more than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    #[error("the token is no JWT with a signature and an algorithm that this server accepts: {0}")]
    Malformed(String),
    #[error("the token has a `crit` header, of which this server understands nothing")]
    Critical,
    #[error("no key of this server is for the token's algorithm and `kid`")]
    NoKey,
    #[error("the token's signature does not match")]
    Signature,
    #[error("the token's claims cannot be used: {0}")]
    Claims(String),
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token is not from the issuer that this server trusts")]
    Issuer,
    #[error("the token is not meant for this server (`aud`)")]
    Audience,
}

#[derive(Deserialize)]
struct Claims {
    org: String,
    role: String,
    system: Option<String>,
    sub: Option<String>,
    exp: Number,
    nbf: Option<Number>,
    iss: Option<String>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Tokens {
    /// Whether there is any key, so that a text with dots may be a token.
    pub(crate) fn is_any(&self) -> bool {
        !self.fixed.is_empty() || !self.rotating.read().is_empty()
    }

    /// Judges a token at a moment.
    pub(crate) fn judge(&self, text: &[u8], now: Millis) -> Result<Token, TokenError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let header = decode_header(text).map_err(|error| TokenError::Malformed(said(&error)))?;
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        let rotating = Arc::clone(&self.rotating.read());
        let fits = |key: &&TokenKey| key.is_for(header.alg, header.kid.as_deref());
        let mut refused = TokenError::NoKey;
        for key in self.fixed.iter().chain(rotating.iter()).filter(fits).take(TOKEN_KEYS_TRIED_MAX) {
            // Time and audience are judged below: the library would ask the host's clock.
            let mut validation = Validation::new(header.alg);
            validation.required_spec_claims.clear();
            validation.validate_exp = false;
            validation.validate_nbf = false;
            validation.validate_aud = false;
            match decode::<Claims>(text, key.verifying(), &validation) {
                Ok(decoded) => return self.judge_claims(decoded.claims, now),
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => refused = TokenError::Signature,
                Err(error) => return Err(TokenError::Claims(said(&error))),
            }
        }
        Err(refused)
    }

    fn judge_claims(&self, claims: Claims, now: Millis) -> Result<Token, TokenError> {
        let wrong = |what: &str| TokenError::Claims(what.to_owned());
        let seconds = |number: &Number, name: &str| {
            let whole = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64));
            whole.filter(|seconds| *seconds >= 0).ok_or_else(|| wrong(&format!("`{name}` is no time in seconds")))
        };
        let now = now.unix_seconds();
        let end = seconds(&claims.exp, "exp")?.saturating_add(TOKEN_LEEWAY_S);
        if now >= end {
            return Err(TokenError::Expired);
        }
        if let Some(nbf) = &claims.nbf
            && now.saturating_add(TOKEN_LEEWAY_S) < seconds(nbf, "nbf")?
        {
            return Err(TokenError::NotYet);
        }
        if self.issuer.is_some() && claims.iss != self.issuer {
            return Err(TokenError::Issuer);
        }
        if !self.is_meant_for_us(claims.aud.as_ref()) {
            return Err(TokenError::Audience);
        }
        let is_short = |text: &String, max: usize| (1..=max).contains(&text.chars().count());
        if claims.system.as_ref().is_some_and(|system| !is_short(system, SYSTEM_CHARS_MAX)) {
            return Err(wrong(&format!("`system` has 1 to {SYSTEM_CHARS_MAX} characters")));
        }
        if claims.sub.as_ref().is_some_and(|subject| !is_short(subject, TOKEN_SUBJECT_CHARS_MAX)) {
            return Err(wrong(&format!("`sub` has 1 to {TOKEN_SUBJECT_CHARS_MAX} characters")));
        }
        Ok(Token {
            organization: claims.org.parse().map_err(|_| wrong("`org` is no organisation's id"))?,
            role: Role::parse(&claims.role).ok_or_else(|| wrong("`role` is neither admin nor viewer"))?,
            system: claims.system,
            subject: claims.sub,
            expires_at: Millis(end.saturating_mul(1_000)),
        })
    }

    fn is_meant_for_us(&self, named: Option<&Audience>) -> bool {
        match (&self.audience, named) {
            (None, named) => named.is_none(),
            (Some(us), Some(Audience::One(name))) => name == us,
            (Some(us), Some(Audience::Several(names))) => names.contains(us),
            (Some(_), None) => false,
        }
    }
}

/// What the library found, without anything of the token.
fn said(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Json(error) => match error.classify() {
            serde_json::error::Category::Data => error.to_string(),
            _ => "it is not JSON".to_owned(),
        },
        ErrorKind::Base64(_) => "it is not base64url".to_owned(),
        _ => "it has not three parts".to_owned(),
    }
}
