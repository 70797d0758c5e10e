//! What a template is told of a contract.

use std::time::Duration;

use serde::Serialize;

use super::escape;
use crate::contract::Contract;
use crate::secret::{Algorithm, Encoding, KeyText, Scheme};
use crate::signature::SignatureRules;
use crate::template::{Piece, Reference, Template};
use postrider_domain::Verdict;

/// Everything that a receiver's code is made of.
#[derive(Debug, Serialize)]
pub(super) struct Plan<'c> {
    title: &'c str,
    /// What an authentic request is answered.
    success: u16,
    /// How long an answer is awaited, as people write it.
    patience: String,
    /// None where the contract signs nothing.
    signature: Option<Signature<'c>>,
}

#[derive(Debug, Serialize)]
struct Signature<'c> {
    header: &'c str,
    /// How the header is taken apart before its signatures; none where they are all of it.
    lead: Option<Shape<'c>>,
    /// The other headers that what is signed is read from.
    headers: Vec<HeaderRead<'c>>,
    /// What stands between the signatures of a rotation's overlap; none where there is only one.
    separator: Option<&'c str>,
    /// What stands before and behind a signature of this kind.
    before: String,
    after: String,
    encoding: &'static str,
    algorithm: &'static str,
    /// `text`, or the encoding behind the secret's prefix.
    key: &'static str,
    /// What the secret, or the public key, begins with.
    prefix: &'c str,
    /// What is signed before the body, and behind it.
    signed_before: Vec<SignedPiece<'c>>,
    signed_after: Vec<SignedPiece<'c>>,
    time: Option<Time>,
    /// Whether an endpoint may be without a secret.
    optional: bool,
    /// Whether a refusal has the request sent again at once with the other secret.
    swaps: bool,
}

/// A variable's name in the two usual ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Name {
    snake: &'static str,
    camel: &'static str,
}

#[derive(Debug, Serialize)]
struct HeaderRead<'c> {
    header: &'c str,
    /// The variable that is the whole value; none where the value is taken apart.
    name: Option<Name>,
    shape: Shape<'c>,
}

/// How a text is taken apart: the same twice, as a regular expression for all of it and as steps.
#[derive(Debug, Serialize)]
struct Shape<'c> {
    pattern: String,
    names: Vec<Name>,
    steps: Vec<Step<'c>>,
}

/// One cut: a text that stands in front is taken off, or the value up to a text is taken out.
#[derive(Debug, Default, Serialize)]
struct Step<'c> {
    strip: Option<&'c str>,
    at: Option<&'c str>,
    /// The value's, where anybody needs it.
    name: Option<Name>,
    /// What is left is this value, where it is one.
    into: Option<Name>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum SignedPiece<'c> {
    Text(&'c str),
    Name(Name),
}

#[derive(Debug, Serialize)]
struct Time {
    name: Name,
    /// `unix` or `rfc3339`.
    form: &'static str,
    tolerance_s: u64,
}

impl<'c> Plan<'c> {
    /// For secrets of this scheme, or of the contract's first.
    pub(super) fn new(contract: &'c Contract, scheme: Option<&'c Scheme>) -> Self {
        let scheme = scheme.or_else(|| contract.schemes().first());
        let signature = contract.signature.as_ref().zip(scheme);
        Plan {
            title: contract.title(),
            success: success(contract),
            patience: patience(contract.response().timeout),
            signature: signature.map(|(rules, scheme)| Signature::new(contract, rules, scheme)),
        }
    }
}

/// Nothing to say is 204, where the contract takes it.
fn success(contract: &Contract) -> u16 {
    let mut candidates = [204, 200].into_iter().chain(200..=599);
    candidates.find(|status| contract.judge(*status) == Verdict::Delivered).unwrap_or(200)
}

fn patience(timeout: Duration) -> String {
    if timeout.subsec_millis() == 0 {
        format!("{} s", timeout.as_secs())
    } else {
        format!("{} ms", timeout.as_millis())
    }
}

impl<'c> Signature<'c> {
    fn new(contract: &'c Contract, rules: &'c SignatureRules, scheme: &'c Scheme) -> Self {
        let (signed_before, signed_after) = signed(&rules.signed);
        let lead = Shape::new(&rules.lead, rules, Some(SIGNATURES));
        let (before, after) = around_signature(&rules.part, &scheme.version);
        let (algorithm, prefix) = match scheme.algorithm {
            Algorithm::HmacSha256 => ("hmac", &scheme.prefix),
            Algorithm::Ed25519 => ("ed25519", &scheme.public_prefix),
        };
        Signature {
            header: &rules.header,
            headers: headers(contract, rules),
            lead: (!rules.lead.pieces().is_empty()).then_some(lead),
            separator: (rules.overlap.len() > 1).then_some(rules.separator.as_str()),
            before,
            after,
            encoding: encoding(rules.encoding),
            algorithm,
            key: match scheme.key {
                KeyText::Verbatim => "text",
                KeyText::Encoded(other) => encoding(other),
            },
            prefix,
            signed_before,
            signed_after,
            time: time(rules),
            optional: !contract.secret().required,
            swaps: contract.swaps_on(401),
        }
    }
}

fn encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Hex => "hex",
        Encoding::Base64 => "base64",
    }
}

/// The rest of the signature header, behind its lead.
const SIGNATURES: Name = Name { snake: "signatures", camel: "signatures" };

/// What a variable is called that holds the value; none for what no header shows.
fn name(reference: Reference) -> Option<Name> {
    let (snake, camel) = match reference {
        Reference::Type => ("event_type", "eventType"),
        Reference::EventId => ("event_id", "eventId"),
        Reference::EventUuid => ("event_uuid", "eventUuid"),
        Reference::DeliveryId => ("delivery_id", "deliveryId"),
        Reference::AttemptUnix => ("timestamp", "timestamp"),
        Reference::AttemptTime => ("sent_at", "sentAt"),
        Reference::Body | Reference::Signature | Reference::Version => return None,
    };
    Some(Name { snake, camel })
}

fn signed(template: &Template) -> (Vec<SignedPiece<'_>>, Vec<SignedPiece<'_>>) {
    let (mut before, mut after, mut is_behind) = (Vec::new(), Vec::new(), false);
    for piece in template.pieces() {
        let pieces = if is_behind { &mut after } else { &mut before };
        match piece {
            Piece::Literal(text) => pieces.push(SignedPiece::Text(text)),
            Piece::Reference(reference) => match name(*reference) {
                Some(name) => pieces.push(SignedPiece::Name(name)),
                None => is_behind = true,
            },
        }
    }
    (before, after)
}

/// The literal text of a part on both sides of its signature, for signatures of this version.
fn around_signature(part: &Template, version: &str) -> (String, String) {
    let (mut before, mut after, mut is_behind) = (String::new(), String::new(), false);
    for piece in part.pieces() {
        let text = if is_behind { &mut after } else { &mut before };
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Reference(Reference::Version) => text.push_str(version),
            Piece::Reference(_) => is_behind = true,
        }
    }
    (before, after)
}

fn time(rules: &SignatureRules) -> Option<Time> {
    let tolerance_s = rules.tolerance.as_secs();
    rules.signed.references().find_map(|reference| {
        let form = match reference {
            Reference::AttemptUnix => "unix",
            Reference::AttemptTime => "rfc3339",
            _ => return None,
        };
        name(reference).map(|name| Time { name, form, tolerance_s })
    })
}

/// The headers beside the signature's that show what is signed and the lead does not, each value read once.
fn headers<'c>(contract: &'c Contract, rules: &'c SignatureRules) -> Vec<HeaderRead<'c>> {
    let mut read: Vec<Reference> = rules.lead.references().collect();
    let mut headers = Vec::new();
    for (header, template) in &contract.headers {
        let is_new = |r: &Reference| !read.contains(r) && rules.signed.references().any(|signed| signed == *r);
        let new: Vec<Reference> = template.references().filter(is_new).collect();
        if new.is_empty() || !template.is_readable() {
            continue;
        }
        let whole = match template.pieces() {
            [Piece::Reference(reference)] => name(*reference),
            _ => None,
        };
        headers.push(HeaderRead { header, name: whole, shape: Shape::of(template, &new, None) });
        read.extend(new);
    }
    headers
}

impl<'c> Shape<'c> {
    /// For a template whose signed values are all wanted.
    fn new(template: &'c Template, rules: &SignatureRules, rest: Option<Name>) -> Self {
        let wanted: Vec<Reference> = rules.signed.references().collect();
        Self::of(template, &wanted, rest)
    }

    /// Takes out each wanted value once and, where it has a name, what comes behind the template.
    fn of(template: &'c Template, wanted: &[Reference], rest: Option<Name>) -> Self {
        let mut shape = Shape { pattern: String::new(), names: Vec::new(), steps: Vec::new() };
        for (index, piece) in template.pieces().iter().enumerate() {
            match piece {
                Piece::Literal(text) => {
                    shape.pattern.push_str(&escape::pattern(text));
                    if index == 0 {
                        shape.steps.push(Step { strip: Some(text), ..Step::default() });
                    }
                }
                Piece::Reference(reference) => {
                    let found =
                        name(*reference).filter(|name| wanted.contains(reference) && !shape.names.contains(name));
                    let value = if *reference == Reference::AttemptUnix { "\\d+" } else { ".*?" };
                    match template.pieces().get(index + 1) {
                        Some(Piece::Literal(at)) => {
                            shape.take(found, value);
                            shape.steps.push(Step { at: Some(at), name: found, ..Step::default() });
                        }
                        _ => shape.end(found, value),
                    }
                }
            }
        }
        if rest.is_some() {
            shape.end(rest, ".*");
        }
        shape
    }

    fn take(&mut self, name: Option<Name>, value: &str) {
        let group = if name.is_some() { "(" } else { "(?:" };
        self.pattern.push_str(&format!("{group}{value})"));
        self.names.extend(name);
    }

    /// All that is left is this value.
    fn end(&mut self, name: Option<Name>, value: &str) {
        self.take(name, value);
        if let Some(last) = self.steps.last_mut() {
            last.into = name;
        }
    }
}
