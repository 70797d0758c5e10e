//! Passes: credentials that this server signs itself, and keeps nowhere. A *portal token* (`prt_…`) is what a portal link carries; a *session token*
//! (`ses_…`) is what somebody was given for another credential.
//!
//! A pass is its prefix, what it says (JSON in base64url), a dot, and an HMAC-SHA-256 over all that stands before the dot. So the prefix cannot be
//! exchanged for the other one. Every node of a store knows it, also after a restart. With an operator's session the hash of the operator key is
//! signed as well: it ends when that key is replaced. Time is the engine's, and there is no leeway: the clock that signed is the clock that judges.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use postrider_domain::{EndpointId, Millis, Role};
use postrider_store::{Signing, Store, StoreError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::auth::sha256;
use crate::limits::TOKEN_BYTES_MAX;
use crate::token::Token;

/// What the signatures are for, so that nothing else that is signed passes for a pass.
const PURPOSE: &str = "passes";

/// What signs passes, and knows them again.
#[derive(Debug)]
pub struct Passes(Signing);

/// The two kinds of passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassKind {
    Portal,
    Session,
}

impl PassKind {
    fn prefix(self) -> &'static str {
        match self {
            PassKind::Portal => "prt_",
            PassKind::Session => "ses_",
        }
    }

    /// By how a credential begins.
    pub(crate) fn of(credential: &[u8]) -> Option<Self> {
        [PassKind::Portal, PassKind::Session].into_iter().find(|kind| credential.starts_with(kind.prefix().as_bytes()))
    }
}

/// A pass, as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    pub(crate) kind: PassKind,
    /// None for the operator.
    pub(crate) member: Option<Member>,
    /// The language of whoever shows it.
    pub(crate) locale: Option<String>,
    /// What the screen is to open with.
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) expires_at: Millis,
}

/// Somebody who belongs to an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) token: Arc<Token>,
    /// When the organisation was made: another one may have its id by now.
    pub(crate) organization_made_at: Millis,
}

/// Why a pass is refused; shown to whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PassError {
    #[error("the token has more than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    #[error("the token is cut off, or not one of this server's")]
    Malformed,
    #[error(
        "the token's signature does not match: it was altered, or the key that it depends on was replaced; open a new link, or sign in again"
    )]
    Signature,
    #[error("the token has expired; open a new link, or sign in again")]
    Expired,
    #[error("the token's organization does not exist any more")]
    Gone,
}

/// What a pass says, in its own JSON. An unknown member may narrow what is allowed, so it is refused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    /// In milliseconds.
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member: Option<MemberClaims>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberClaims {
    org: String,
    /// When the organisation was made, in milliseconds.
    made: i64,
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
}

impl Passes {
    /// Of a store: all of its nodes know each other's.
    ///
    /// # Errors
    /// When the store gives nothing to sign with.
    pub fn of(store: &dyn Store) -> Result<Self, StoreError> {
        store.signing(PURPOSE).map(Passes)
    }

    /// A session token of the operator's, for whoever sits at the server's own terminal. It ends when the operator key, whose hash this is, is
    /// replaced.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn operator_session(
        &self,
        operator_key: &[u8; 32],
        now: Millis,
        lasts: Duration,
    ) -> serde_json::Result<Zeroizing<String>> {
        let expires_at = now + lasts;
        let pass = Pass { kind: PassKind::Session, member: None, locale: None, endpoint: None, expires_at };
        self.text(&pass, operator_key)
    }

    /// A pass as it is given away.
    pub(crate) fn text(&self, pass: &Pass, operator_key: &[u8; 32]) -> serde_json::Result<Zeroizing<String>> {
        let claims = Zeroizing::new(serde_json::to_vec(&Claims::of(pass))?);
        let said = format!("{}{}", pass.kind.prefix(), BASE64URL_NOPAD.encode(&claims));
        let signature = match pass.member {
            Some(_) => self.0.sign(said.as_bytes()),
            None => self.0.sign(operators(&said, operator_key).as_bytes()),
        };
        Ok(Zeroizing::new(format!("{said}.{}", BASE64URL_NOPAD.encode(&signature))))
    }

    /// Judges a pass at a moment. Whether its organisation is still there is another question.
    pub(crate) fn judge(
        &self,
        kind: PassKind,
        credential: &[u8],
        operator_key: &[u8; 32],
        now: Millis,
    ) -> Result<Pass, PassError> {
        if credential.len() > TOKEN_BYTES_MAX {
            return Err(PassError::TooLong);
        }
        let text = std::str::from_utf8(credential).map_err(|_| PassError::Malformed)?;
        let (said, signature) = text.split_once('.').ok_or(PassError::Malformed)?;
        let claims = said.strip_prefix(kind.prefix()).ok_or(PassError::Malformed)?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_| PassError::Malformed)?;
        let is_members = self.0.is_signed(said.as_bytes(), &signature);
        if !is_members && !self.0.is_signed(operators(said, operator_key).as_bytes(), &signature) {
            return Err(PassError::Signature);
        }
        // From here on it is what this server signed, this program or a later one.
        let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).map_err(|_| PassError::Malformed)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| PassError::Malformed)?;
        let pass = claims.into_pass(kind).ok_or(PassError::Malformed)?;
        match &pass {
            Pass { member, .. } if member.is_some() != is_members => Err(PassError::Malformed),
            Pass { kind: PassKind::Portal, member: None, .. } => Err(PassError::Malformed),
            Pass { expires_at, .. } if *expires_at <= now => Err(PassError::Expired),
            _ => Ok(pass),
        }
    }
}

/// What is signed of an operator's pass. A member's has no dot in it.
fn operators(said: &str, operator_key: &[u8; 32]) -> String {
    format!("{said}.{}", HEXLOWER.encode(operator_key))
}

/// What tells passes apart without telling them.
pub(crate) fn mark(credential: &[u8]) -> [u8; 16] {
    let hash = sha256(credential);
    std::array::from_fn(|at| hash[at])
}

impl Claims {
    fn of(pass: &Pass) -> Self {
        let member = pass.member.as_ref().map(|member| MemberClaims {
            org: member.token.organization.to_string(),
            made: member.organization_made_at.0,
            role: member.token.role.as_str().to_owned(),
            system: member.token.system.clone(),
            sub: member.token.subject.clone(),
        });
        let endpoint = pass.endpoint.map(|id| id.to_string());
        Claims { exp: pass.expires_at.0, member, locale: pass.locale.clone(), endpoint }
    }

    fn into_pass(self, kind: PassKind) -> Option<Pass> {
        let expires_at = Millis(self.exp);
        let member = match self.member {
            None => None,
            Some(member) => Some(Member {
                token: Arc::new(Token {
                    organization: member.org.parse().ok()?,
                    role: Role::parse(&member.role)?,
                    system: member.system,
                    subject: member.sub,
                    expires_at,
                }),
                organization_made_at: Millis(member.made),
            }),
        };
        let endpoint = match self.endpoint {
            None => None,
            Some(id) => Some(id.parse().ok()?),
        };
        Some(Pass { kind, member, locale: self.locale, endpoint, expires_at })
    }
}

#[cfg(test)]
mod tests;
