//! Signatures: which bytes are signed, and how the header that carries the result looks.
//!
//! A signature header is its *lead* and then one *part* for each secret, joined by the *separator*. The *primary* secret is the one
//! that signs alone when only one can; during a rotation's overlap the *secondary* works too.

use std::borrow::Cow;
use std::time::Duration;

use postrider_domain::Secret;

use crate::secret::{Encoding, Key, Scheme, SecretError, scheme_of};
use crate::template::{Facts, Piece, Reference, Template};

/// Which secret makes a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Primary,
    Secondary,
}

/// A contract's signature.
#[derive(Clone, Debug)]
pub(crate) struct SignatureRules {
    pub(crate) header: String,
    pub(crate) lead: Template,
    pub(crate) part: Template,
    pub(crate) separator: String,
    pub(crate) overlap: Vec<Which>,
    pub(crate) signed: Template,
    pub(crate) encoding: Encoding,
    pub(crate) tolerance: Duration,
    pub(crate) swap_statuses: Vec<u16>,
    pub(crate) schemes: Vec<Scheme>,
}

impl SignatureRules {
    /// The header's value.
    pub(crate) fn write(
        &self,
        primary: &Secret,
        secondary: Option<&Secret>,
        facts: &Facts<'_>,
        body: &[u8],
    ) -> Result<String, SecretError> {
        let first = self.part(primary, facts, body)?;
        let mut out = String::with_capacity(first.len() * self.overlap.len() + 32);
        self.lead.write(&mut out, |reference| facts.value(reference));
        let Some(secondary) = secondary else {
            out.push_str(&first);
            return Ok(out);
        };
        let second =
            if self.overlap.contains(&Which::Secondary) { self.part(secondary, facts, body)? } else { String::new() };
        for (index, which) in self.overlap.iter().enumerate() {
            if index > 0 {
                out.push_str(&self.separator);
            }
            out.push_str(if *which == Which::Primary { &first } else { &second });
        }
        Ok(out)
    }

    fn part(&self, secret: &Secret, facts: &Facts<'_>, body: &[u8]) -> Result<String, SecretError> {
        let scheme = scheme_of(&self.schemes, secret.reveal())?;
        let signature = self.encoding.encode(&self.sign(&scheme.key(secret.reveal())?, facts, body));
        let mut part = String::with_capacity(signature.len() + 8);
        self.part.write(&mut part, |reference| match reference {
            Reference::Signature => Cow::Borrowed(signature.as_str()),
            Reference::Version => Cow::Borrowed(scheme.version.as_str()),
            other => facts.value(other),
        });
        Ok(part)
    }

    fn sign(&self, key: &Key, facts: &Facts<'_>, body: &[u8]) -> Vec<u8> {
        match key {
            Key::Hmac(key) => {
                let mut context = ring::hmac::Context::with_key(key);
                self.each_signed(facts, body, |bytes| context.update(bytes));
                context.sign().as_ref().to_vec()
            }
            Key::Ed25519(pair) => {
                let mut signed = Vec::with_capacity(body.len() + 128);
                self.each_signed(facts, body, |bytes| signed.extend_from_slice(bytes));
                pair.sign(&signed).as_ref().to_vec()
            }
        }
    }

    fn each_signed(&self, facts: &Facts<'_>, body: &[u8], mut take: impl FnMut(&[u8])) {
        for piece in self.signed.pieces() {
            match piece {
                Piece::Literal(text) => take(text.as_bytes()),
                Piece::Reference(Reference::Body) => take(body),
                Piece::Reference(reference) => take(facts.value(*reference).as_bytes()),
            }
        }
    }
}
