//! Whether a received request is authentic and, where not, why: what a receiver does, done with its contract's own rules.

use std::time::Duration;

use postrider_domain::{Millis, Secret};
use ring::{hmac, signature};

use crate::contract::Contract;
use crate::json::compact;
use crate::secret::{Algorithm, Encoding, Key, KeyText, Scheme, SecretError, scheme_of};
use crate::signature::SignatureRules;
use crate::template::{Piece, Reference};

/// What happened to a body whose signature would match had it not happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyChange {
    /// White space, a line break or a byte order mark was added at an end.
    Surroundings,
    /// Line feeds became carriage returns and line feeds.
    LineEndings,
    /// It was parsed and written again.
    Rewritten,
}

/// How a secret must be read for the signature to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReading {
    /// Without the white space or quotes around it.
    Trimmed,
    /// With this prefix in front.
    WithPrefix(String),
    /// The whole text is the key.
    Verbatim,
    /// The key is what the text encodes.
    Decoded(&'static str),
}

/// Why a request is not authentic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyFailure {
    /// The contract has no signature.
    #[error("this contract signs nothing, so nothing can be verified")]
    NotSigned,
    /// A header that the signature needs is not there.
    #[error("the header {header} is missing; pass every header of the request, as it was received")]
    HeaderMissing {
        /// Which.
        header: String,
    },
    /// A header is there and cannot be read.
    #[error("the header {header} cannot be read; it should look like {expected}")]
    HeaderMalformed {
        /// Which.
        header: String,
        /// Its form.
        expected: String,
    },
    /// The secret holds no key.
    #[error("the secret cannot be used: {0}")]
    Secret(#[from] SecretError),
    /// Authentic, and made too long ago: perhaps a replay.
    #[error("the signature is right, but the timestamp is too old: {} s, where {} s are allowed", age.as_secs(), tolerance.as_secs())]
    TimestampTooOld {
        /// How old.
        age: Duration,
        /// What the contract allows.
        tolerance: Duration,
    },
    /// Authentic, and made later than now: one of the clocks is wrong.
    #[error("the signature is right, but the timestamp is {} s in the future, where {} s are allowed; check the clock", ahead.as_secs(), tolerance.as_secs())]
    TimestampInFuture {
        /// How far.
        ahead: Duration,
        /// What the contract allows.
        tolerance: Duration,
    },
    /// The secret is right, and the body is not what was sent.
    #[error("body altered: the signature matches {}; verify the raw bytes, before anything parses them", change_text(*.0))]
    BodyAltered(BodyChange),
    /// The body is right, and the secret is read wrongly.
    #[error("wrong reading of the secret: the signature matches {}", reading_text(.0))]
    SecretMisread(SecretReading),
    /// No signature of the header was made with this kind of secret.
    #[error("none of the signatures is of this secret's kind ({version}); use the secret of this endpoint")]
    NoneOfThisKind {
        /// The kind.
        version: String,
    },
    /// Nothing that can be told apart explains it.
    #[error("the signature does not match: wrong secret, or body altered")]
    WrongSecretOrBody,
}

fn change_text(change: BodyChange) -> &'static str {
    match change {
        BodyChange::Surroundings => "the body without what was added at its ends (white space)",
        BodyChange::LineEndings => "the body with its line feeds as they were (white space)",
        BodyChange::Rewritten => "the body as it was before it was parsed and written again (white space or escapes)",
    }
}

fn reading_text(reading: &SecretReading) -> String {
    match reading {
        SecretReading::Trimmed => "the secret without the white space or quotes around it".to_owned(),
        SecretReading::WithPrefix(prefix) => format!("the secret with {prefix:?} in front"),
        SecretReading::Verbatim => "a signature whose key is the secret's text itself, not decoded".to_owned(),
        SecretReading::Decoded(encoding) => format!("a signature whose key is the secret decoded from {encoding}"),
    }
}

/// A key that signatures are compared with.
enum Verifier {
    Hmac(hmac::Key),
    Public(Vec<u8>),
}

impl Verifier {
    fn matches(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            // Both compare in constant time.
            Verifier::Hmac(key) => hmac::verify(key, signed, signature).is_ok(),
            Verifier::Public(key) => {
                signature::UnparsedPublicKey::new(&signature::ED25519, key).verify(signed, signature).is_ok()
            }
        }
    }
}

/// What a request's headers say.
struct Received<'h> {
    values: Vec<(Reference, &'h str)>,
    signatures: Vec<(Option<&'h str>, Vec<u8>)>,
}

impl Contract {
    /// Whether a request that came with these headers and this body at this moment is authentic.
    ///
    /// `secret` is the endpoint's secret or, where the contract has public keys, the public key.
    ///
    /// # Errors
    /// Why it is not, as exactly as can be told.
    pub fn verify(
        &self,
        secret: &Secret,
        headers: &[(&str, &str)],
        body: &[u8],
        now: Millis,
    ) -> Result<(), VerifyFailure> {
        let rules = self.signature.as_ref().ok_or(VerifyFailure::NotSigned)?;
        let received = self.read_headers(rules, headers)?;
        let matches = |verifier: &Verifier, version: &str, body: &[u8]| {
            let signed = signed_bytes(rules, &received, body);
            let mut of_version = received.signatures.iter().filter(|(v, _)| v.is_none_or(|v| v == version));
            of_version.any(|(_, signature)| verifier.matches(&signed, signature))
        };
        let usable = verifier(rules, secret.reveal());
        if let Ok((verifier, version)) = &usable {
            if matches(verifier, version, body) {
                return check_time(rules, &received, now);
            }
            let change = undone(body).into_iter().find(|(_, before)| matches(verifier, version, before));
            if let Some((change, _)) = change {
                return Err(VerifyFailure::BodyAltered(change));
            }
        }
        let misread = readings(rules, secret.reveal()).into_iter().find(|(_, v, version)| matches(v, version, body));
        if let Some((reading, ..)) = misread {
            return Err(VerifyFailure::SecretMisread(reading));
        }
        let (_, version) = usable?;
        if received.signatures.iter().all(|(v, _)| v.is_some_and(|v| v != version)) {
            return Err(VerifyFailure::NoneOfThisKind { version });
        }
        Err(VerifyFailure::WrongSecretOrBody)
    }

    fn read_headers<'h>(
        &self,
        rules: &SignatureRules,
        headers: &[(&'h str, &'h str)],
    ) -> Result<Received<'h>, VerifyFailure> {
        let find = |name: &str| {
            let found = headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, value)| *value).ok_or_else(|| VerifyFailure::HeaderMissing { header: name.to_owned() })
        };
        let (mut values, signatures) = read_signatures(rules, find(&rules.header)?)?;
        for (name, template) in &self.headers {
            let wanted = |r: Reference| rules.signed.references().any(|s| s == r);
            if !template.references().any(|r| wanted(r) && !values.iter().any(|(v, _)| *v == r)) {
                continue;
            }
            let malformed = || VerifyFailure::HeaderMalformed { header: name.clone(), expected: template.to_string() };
            let (found, rest) = template.read(find(name)?.trim()).ok_or_else(malformed)?;
            if !rest.is_empty() {
                return Err(malformed());
            }
            values.extend(found);
        }
        for (reference, value) in &values {
            if *reference == Reference::AttemptUnix && value.parse::<i64>().is_err() {
                let header = self.header_showing(rules, *reference);
                return Err(VerifyFailure::HeaderMalformed { header, expected: "seconds since 1970".to_owned() });
            }
        }
        Ok(Received { values, signatures })
    }

    fn header_showing(&self, rules: &SignatureRules, reference: Reference) -> String {
        let in_lead = rules.lead.references().any(|r| r == reference);
        let own = self.headers.iter().find(|(_, t)| !in_lead && t.references().any(|r| r == reference));
        own.map_or_else(|| rules.header.clone(), |(name, _)| name.clone())
    }
}

type Read<'h> = (Vec<(Reference, &'h str)>, Vec<(Option<&'h str>, Vec<u8>)>);

fn read_signatures<'h>(rules: &SignatureRules, value: &'h str) -> Result<Read<'h>, VerifyFailure> {
    let malformed = || VerifyFailure::HeaderMalformed {
        header: rules.header.clone(),
        expected: format!("{}{}", rules.lead, rules.part),
    };
    let (values, rest) = rules.lead.read(value.trim()).ok_or_else(malformed)?;
    let parts: Vec<&str> =
        if rules.separator.is_empty() { vec![rest] } else { rest.split(rules.separator.as_str()).collect() };
    let mut signatures = Vec::new();
    for part in parts {
        let Some((found, "")) = rules.part.read(part.trim()) else { continue };
        let of = |wanted| found.iter().find(|(r, _)| *r == wanted).map(|(_, text)| *text);
        if let Some(bytes) = of(Reference::Signature).and_then(|text| rules.encoding.decode(text)) {
            signatures.push((of(Reference::Version), bytes));
        }
    }
    if signatures.is_empty() { Err(malformed()) } else { Ok((values, signatures)) }
}

fn signed_bytes(rules: &SignatureRules, received: &Received<'_>, body: &[u8]) -> Vec<u8> {
    let mut signed = Vec::with_capacity(body.len() + 128);
    for piece in rules.signed.pieces() {
        match piece {
            Piece::Literal(text) => signed.extend_from_slice(text.as_bytes()),
            Piece::Reference(Reference::Body) => signed.extend_from_slice(body),
            Piece::Reference(reference) => {
                let value = received.values.iter().find(|(r, _)| r == reference);
                signed.extend_from_slice(value.map_or("", |(_, text)| text).as_bytes());
            }
        }
    }
    signed
}

fn check_time(rules: &SignatureRules, received: &Received<'_>, now: Millis) -> Result<(), VerifyFailure> {
    let is_signed = |r: Reference| rules.signed.references().any(|s| s == r);
    let made_at = received.values.iter().filter(|(r, _)| is_signed(*r)).find_map(|(reference, text)| match reference {
        Reference::AttemptUnix => text.parse::<i64>().ok().map(|s| Millis(s.saturating_mul(1000))),
        Reference::AttemptTime => text.parse::<jiff::Timestamp>().ok().map(|t| Millis(t.as_millisecond())),
        _ => None,
    });
    let Some(made_at) = made_at else { return Ok(()) };
    let tolerance = rules.tolerance;
    let (age, ahead) = (now.since(made_at), made_at.since(now));
    if age > tolerance {
        return Err(VerifyFailure::TimestampTooOld { age, tolerance });
    }
    if ahead > tolerance {
        return Err(VerifyFailure::TimestampInFuture { ahead, tolerance });
    }
    Ok(())
}

/// The key in a secret or public key, and the version label of its signatures.
fn verifier(rules: &SignatureRules, secret: &str) -> Result<(Verifier, String), SecretError> {
    let is_public = |s: &&Scheme| !s.public_prefix.is_empty() && secret.starts_with(s.public_prefix.as_str());
    if let Some(scheme) = rules.schemes.iter().find(is_public)
        && let KeyText::Encoded(encoding) = scheme.key
    {
        let key = encoding.decode(&secret[scheme.public_prefix.len()..]).filter(|key| key.len() == 32);
        let key = key.ok_or(SecretError::Encoding { prefix: scheme.public_prefix.clone(), encoding: "32 bytes" })?;
        return Ok((Verifier::Public(key), scheme.version.clone()));
    }
    let scheme = scheme_of(&rules.schemes, secret)?;
    Ok((verifier_of(scheme.key(secret)?), scheme.version.clone()))
}

fn verifier_of(key: Key) -> Verifier {
    use ring::signature::KeyPair as _;
    match key {
        Key::Hmac(key) => Verifier::Hmac(key),
        Key::Ed25519(pair) => Verifier::Public(pair.public_key().as_ref().to_vec()),
    }
}

/// The body as it may have been before something altered it.
fn undone(body: &[u8]) -> Vec<(BodyChange, Vec<u8>)> {
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    let compacted = compact(trimmed);
    let rewritten = unescaped(&compacted);
    let candidates = [
        (BodyChange::Surroundings, trimmed.to_owned()),
        (BodyChange::LineEndings, text.replace("\r\n", "\n")),
        (BodyChange::Rewritten, compacted),
        (BodyChange::Rewritten, rewritten),
    ];
    candidates.into_iter().map(|(change, text)| (change, text.into_bytes())).collect()
}

/// JSON text whose escapes of characters that need none are undone, as `\u00e9` or `\/`.
fn unescaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let inside = &rest[start + 1..];
        let mut escaped = false;
        let end = inside.find(|c| {
            let is_end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            is_end
        });
        let Some(end) = end else { break };
        out.push_str(&rest[..start]);
        match serde_json::from_str::<String>(&rest[start..start + end + 2]) {
            Ok(text) => crate::json::write_string(&text, &mut out),
            Err(_) => out.push_str(&rest[start..start + end + 2]),
        }
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    out
}

/// Other ways to read the secret, each with the key and version label that it would mean.
fn readings(rules: &SignatureRules, secret: &str) -> Vec<(SecretReading, Verifier, String)> {
    let mut readings = Vec::new();
    let mut add = |reading: SecretReading, text: &str| {
        if let Ok((verifier, version)) = verifier(rules, text) {
            readings.push((reading, verifier, version));
        }
    };
    let trimmed = secret.trim().trim_matches(['"', '\'', '`']).trim();
    if trimmed != secret {
        add(SecretReading::Trimmed, trimmed);
    }
    for scheme in rules.schemes.iter().filter(|s| !s.prefix.is_empty() && !trimmed.starts_with(&s.prefix)) {
        add(SecretReading::WithPrefix(scheme.prefix.clone()), &format!("{}{trimmed}", scheme.prefix));
    }
    for scheme in rules.schemes.iter().filter(|s| s.algorithm == Algorithm::HmacSha256) {
        let written = trimmed.rsplit_once('_').map_or(trimmed, |(_, rest)| rest);
        let keys = [
            (KeyText::Verbatim, SecretReading::Verbatim, Some(trimmed.as_bytes().to_vec())),
            (KeyText::Encoded(Encoding::Base64), SecretReading::Decoded("base64"), Encoding::Base64.decode(written)),
            (KeyText::Encoded(Encoding::Hex), SecretReading::Decoded("hex"), Encoding::Hex.decode(written)),
        ];
        for (text, reading, key) in keys {
            if let Some(key) = key.filter(|_| text != scheme.key) {
                let verifier = Verifier::Hmac(hmac::Key::new(hmac::HMAC_SHA256, &key));
                readings.push((reading, verifier, scheme.version.clone()));
            }
        }
    }
    readings
}

#[cfg(test)]
mod tests;
