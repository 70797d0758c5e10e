//! The parts of a contract file that become bytes: envelope, headers, signature, secrets.

use std::time::Duration;

use postrider_document::{Found, Place, Section};

use crate::envelope::Envelope;
use crate::headers::{is_name, is_owned_by_http, is_value};
use crate::secret::{Algorithm, Encoding, KeyText, Scheme, SecretRules};
use crate::signature::{SignatureRules, Which};
use crate::template::{Piece, Reference, Template};

pub(super) const SIGNATURE: &[&str] =
    &["header", "lead", "part", "separator", "overlap", "signed", "encoding", "tolerance", "swap_statuses", "schemes"];
pub(super) const SCHEME: &[&str] = &["prefix", "algorithm", "key", "key_bytes_min", "key_bytes_max", "public_prefix"];
pub(super) const SECRET: &[&str] =
    &["required", "generated", "chosen", "prefix", "encoding", "bytes", "chars_min", "chars_max", "overlap"];

const DAY: Duration = Duration::from_secs(86_400);
const HEADERS_MAX: usize = 32;

pub(super) fn envelope(root: &Section<'_, '_>) -> Option<Envelope> {
    let found =
        root.required_text("envelope", "write the body as a JSON template, e.g. envelope = '{\"data\":\"$data\"}'")?;
    match Envelope::parse(found.value) {
        Ok(envelope) => Some(envelope),
        Err(error) => {
            let advice = "write a JSON object whose references are listed in docs/contracts.md";
            root.document().mistake(&found.place, error, advice);
            None
        }
    }
}

pub(super) fn content_type(root: &Section<'_, '_>) -> Option<String> {
    let Some(found) = root.text("content_type") else { return Some("application/json".to_owned()) };
    if found.value.is_empty() || !is_value(found.value) {
        root.document().mistake(&found.place, "is not a header value", "write a media type, e.g. \"application/json\"");
        return None;
    }
    Some(found.value.to_owned())
}

fn header_name(root: &Section<'_, '_>, name: &str, place: &Place) -> Option<()> {
    if !is_name(name) {
        root.document().mistake(place, format!("{name:?} is not a header name"), "use letters, digits and hyphens");
        return None;
    }
    if is_owned_by_http(name) {
        root.document().mistake(place, format!("{name} belongs to HTTP or is set elsewhere"), "name another header");
        return None;
    }
    Some(())
}

fn template(root: &Section<'_, '_>, found: &Found<&str>, allowed: &[Reference]) -> Option<Template> {
    match Template::parse(found.value, allowed) {
        Ok(template) => Some(template),
        Err(error) => {
            root.document().mistake(&found.place, error, "references are written ${name}, a dollar sign $$");
            None
        }
    }
}

pub(super) fn headers(root: &Section<'_, '_>) -> Option<Vec<(String, Template)>> {
    let mut headers: Vec<(String, Template)> = Vec::new();
    let mut all_well = true;
    for (name, value) in root.named_texts("headers") {
        if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            root.document().mistake(&value.place, format!("{name} is named twice"), "keep one of them");
            all_well = false;
        }
        let literal = value.value.replace("${", "").replace(['$', '}'], "");
        if !is_value(&literal) || value.value.trim() != value.value {
            let advice = "use visible ASCII characters, with spaces only between them";
            root.document().mistake(&value.place, "is not a header value", advice);
            all_well = false;
        }
        match (header_name(root, name, &value.place), template(root, &value, &Reference::OF_HEADERS)) {
            (Some(()), Some(template)) => headers.push((name.to_owned(), template)),
            _ => all_well = false,
        }
    }
    if headers.len() > HEADERS_MAX {
        root.about("headers", format!("has {} headers", headers.len()), format!("name at most {HEADERS_MAX}"));
    }
    all_well.then_some(headers)
}

/// The headers, unless there is a mistake in them.
type Headers<'h> = Option<&'h [(String, Template)]>;

/// The signature, or none where the file has none; nothing when there is a mistake in it.
pub(super) fn signature(root: &Section<'_, '_>, headers: Headers<'_>) -> Option<Option<SignatureRules>> {
    let section = root.section("signature", SIGNATURE);
    if !section.is_present() {
        return Some(None);
    }
    let header = signature_header(root, &section, headers);
    let read = |key, default: &str, allowed: &[Reference]| match section.text(key) {
        Some(found) if key != "signed" && !can_stand_in_value(&section, &found) => None,
        Some(found) => template(root, &found, allowed),
        None => Template::parse(default, allowed).ok(),
    };
    let of_signed: Vec<Reference> = Reference::OF_HEADERS.into_iter().chain([Reference::Body]).collect();
    let templates = Templates {
        lead: read("lead", "", &Reference::OF_HEADERS),
        part: read("part", "${signature}", &[Reference::Signature, Reference::Version]),
        signed: read("signed", "${body}", &of_signed),
    };
    check_templates(&section, &templates, headers);
    let separator = section.text("separator").filter(|found| can_stand_in_value(&section, found));
    let separator = separator.map_or(",", |found| found.value);
    let (overlap, encoding) = (overlap(&section, separator), encoding(&section, "encoding", Encoding::Hex));
    let schemes = schemes(&section);
    let range = Duration::from_secs(1)..=DAY;
    let tolerance = section.duration("tolerance", range).unwrap_or(Duration::from_secs(300));
    let swaps = section.statuses("swap_statuses");
    Some(Some(SignatureRules {
        header: header?,
        lead: templates.lead?,
        part: templates.part?,
        separator: separator.to_owned(),
        overlap: overlap?,
        signed: templates.signed?,
        encoding: encoding?,
        tolerance,
        swap_statuses: swaps.map_or_else(|| vec![400, 401, 403], |ranges| ranges.into_iter().flatten().collect()),
        schemes: schemes?,
    }))
}

/// Whether a part of a header's value may look like this.
fn can_stand_in_value(section: &Section<'_, '_>, found: &Found<&str>) -> bool {
    let is_sound = found.value.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if !is_sound {
        let advice = "use visible ASCII characters and spaces";
        section.document().mistake(&found.place, "holds what cannot stand in a header", advice);
    }
    is_sound
}

fn signature_header(root: &Section<'_, '_>, section: &Section<'_, '_>, headers: Headers<'_>) -> Option<String> {
    let found = section.required_text("header", "name the header, e.g. header = \"X-Signature\"")?;
    header_name(root, found.value, &found.place)?;
    if headers.unwrap_or_default().iter().any(|(name, _)| name.eq_ignore_ascii_case(found.value)) {
        root.document().mistake(&found.place, "is also one of [headers]", "name it in one place");
    }
    Some(found.value.to_owned())
}

/// A signature's templates, each as far as it can be read.
struct Templates {
    lead: Option<Template>,
    part: Option<Template>,
    signed: Option<Template>,
}

/// What no single key shows: whether a receiver could take the header apart and compute the signature again.
fn check_templates(section: &Section<'_, '_>, templates: &Templates, headers: Headers<'_>) {
    let mistake = |problem: String, advice: &str| section.document().mistake(section.place(), problem, advice);
    let Templates { lead, part, signed } = templates;
    let lacks_one = |template: &Option<Template>, wanted| {
        template.as_ref().is_some_and(|t| t.references().filter(|r| *r == wanted).count() != 1)
    };
    if lacks_one(part, Reference::Signature) {
        mistake(
            "has a `part` without exactly one ${signature}".into(),
            "write it once, e.g. part = \"s=${signature}\"",
        );
    }
    if [part, lead].into_iter().flatten().any(|template| !template.is_readable()) {
        mistake(
            "has two references side by side".into(),
            "put something between them, e.g. \"${version},${signature}\"",
        );
    }
    if lead.as_ref().and_then(|t| t.pieces().last()).is_some_and(|p| matches!(p, Piece::Reference(_))) {
        mistake("has a `lead` that ends in a reference".into(), "end it with what separates it from the signature");
    }
    if lacks_one(signed, Reference::Body) {
        mistake("signs the body never, or more than once".into(), "write ${body} once in `signed`");
    }
    // Where a lead or a header cannot be read, nobody knows what the request shows.
    let (Some(lead), Some(signed), Some(headers)) = (lead, signed, headers) else { return };
    for reference in signed.references().filter(|r| *r != Reference::Body) {
        let shown = |t: &Template| t.is_readable() && t.references().any(|r| r == reference);
        if !shown(lead) && !headers.iter().any(|(_, template)| shown(template)) {
            let problem = format!("signs ${{{}}}, which the request does not show", reference.name());
            mistake(problem, "show it in `lead` or in one of [headers], so that receivers can verify");
        }
    }
}

fn overlap(section: &Section<'_, '_>, separator: &str) -> Option<Vec<Which>> {
    const PARTS_MAX: usize = 8;
    let Some(found) = section.texts("overlap") else { return Some(vec![Which::Primary]) };
    let mut parts = Vec::new();
    for part in &found {
        match part.value {
            "primary" => parts.push(Which::Primary),
            "secondary" => parts.push(Which::Secondary),
            other => {
                let problem = format!("{other:?} is neither secret of a rotation");
                section.document().mistake(&part.place, problem, "write \"primary\" or \"secondary\"");
            }
        }
    }
    if found.len() > 1 && separator.is_empty() {
        let problem = "has no `separator` between several signatures";
        section.document().mistake(section.place(), problem, "write one, e.g. separator = \",\"");
    }
    if parts.len() < found.len() {
        return None;
    }
    if parts.first() != Some(&Which::Primary) || parts.len() > PARTS_MAX {
        let problem = "has an `overlap` that does not begin with \"primary\", or is too long";
        let advice = format!("receivers that read one signature must find the primary's; write at most {PARTS_MAX}");
        section.document().mistake(section.place(), problem, advice);
        return None;
    }
    Some(parts)
}

fn encoding(section: &Section<'_, '_>, key: &'static str, default: Encoding) -> Option<Encoding> {
    let Some(found) = section.text(key) else { return Some(default) };
    match found.value {
        "hex" => Some(Encoding::Hex),
        "base64" => Some(Encoding::Base64),
        other => {
            section.document().mistake(
                &found.place,
                format!("{other:?} is no encoding"),
                "write \"hex\" or \"base64\"",
            );
            None
        }
    }
}

fn schemes(section: &Section<'_, '_>) -> Option<Vec<Scheme>> {
    let named = section.named("schemes", SCHEME);
    if named.is_empty() {
        return Some(vec![Scheme::plain()]);
    }
    let count = named.len();
    let mut schemes: Vec<Scheme> = Vec::new();
    for (version, inner) in named {
        let Some(scheme) = scheme(version, &inner) else { continue };
        if schemes.iter().any(|other| other.prefix == scheme.prefix) {
            let problem = format!("has the prefix {:?} of another scheme", scheme.prefix);
            inner.document().mistake(inner.place(), problem, "give every scheme a prefix of its own");
        }
        schemes.push(scheme);
    }
    (schemes.len() == count).then_some(schemes)
}

fn scheme(version: &str, section: &Section<'_, '_>) -> Option<Scheme> {
    let text = |key| section.text(key).map(|found| found.value.to_owned()).unwrap_or_default();
    let number = |key, default: u32| section.number(key, 1..=4096).unwrap_or(default) as usize;
    let (prefix, public_prefix) = (text("prefix"), text("public_prefix"));
    let (key_bytes_min, key_bytes_max) = (number("key_bytes_min", 1), number("key_bytes_max", 4096));
    let (algorithm, key) = (algorithm(section), key_text(section));
    let (algorithm, key) = (algorithm?, key?);
    if !version.bytes().all(|b| b.is_ascii_graphic()) {
        let advice = "use visible ASCII characters, e.g. v1";
        section.document().mistake(section.place(), "is a version that cannot stand in a header", advice);
        return None;
    }
    if algorithm == Algorithm::Ed25519 && key == KeyText::Verbatim {
        section.missing("key", "an Ed25519 key is bytes: write \"base64\" or \"hex\"");
        return None;
    }
    Some(Scheme { version: version.to_owned(), prefix, algorithm, key, key_bytes_min, key_bytes_max, public_prefix })
}

fn algorithm(section: &Section<'_, '_>) -> Option<Algorithm> {
    let Some(found) = section.text("algorithm") else { return Some(Algorithm::HmacSha256) };
    match found.value {
        "hmac-sha256" => Some(Algorithm::HmacSha256),
        "ed25519" => Some(Algorithm::Ed25519),
        other => {
            let advice = "write \"hmac-sha256\" or \"ed25519\"";
            section.document().mistake(&found.place, format!("{other:?} is no algorithm"), advice);
            None
        }
    }
}

fn key_text(section: &Section<'_, '_>) -> Option<KeyText> {
    let Some(found) = section.text("key") else { return Some(KeyText::Verbatim) };
    match found.value {
        "text" => Some(KeyText::Verbatim),
        "hex" => Some(KeyText::Encoded(Encoding::Hex)),
        "base64" => Some(KeyText::Encoded(Encoding::Base64)),
        other => {
            let advice = "write \"text\" (the secret itself), \"hex\" or \"base64\" (what follows the prefix)";
            section.document().mistake(&found.place, format!("{other:?} is no way to write a key"), advice);
            None
        }
    }
}

pub(super) fn secret(root: &Section<'_, '_>, signature: Option<&SignatureRules>) -> Option<SecretRules> {
    let section = root.section("secret", SECRET);
    let number = |key, range, default: u32| section.number(key, range).unwrap_or(default) as usize;
    let chars_max_allowed = u32::try_from(SecretRules::CHARS_MAX).unwrap_or(u32::MAX);
    let is_signed = root.has("signature");
    let encoding = encoding(&section, "encoding", Encoding::Hex);
    let rules = SecretRules {
        required: section.flag("required", is_signed),
        generated: section.flag("generated", is_signed),
        chosen: section.flag("chosen", true),
        overlap: section.duration("overlap", Duration::ZERO..=30 * DAY).unwrap_or(DAY),
        prefix: section.text("prefix").map(|found| found.value.to_owned()).unwrap_or_default(),
        encoding: encoding.unwrap_or(Encoding::Hex),
        bytes: number("bytes", 16..=64, 32),
        chars_min: number("chars_min", 1..=chars_max_allowed, 1),
        chars_max: number("chars_max", 1..=chars_max_allowed, 256),
    };
    let mistake = |problem: String, advice: &str| section.document().mistake(section.place(), problem, advice);
    if section.is_present() && !is_signed {
        mistake("is there without [signature]".into(), "add [signature], or leave [secret] out");
    }
    if !rules.generated && !rules.chosen {
        mistake("is neither generated nor chosen".into(), "set generated = true, chosen = true, or both");
    }
    encoding?;
    let random = [7; SecretRules::RANDOM_BYTES];
    for scheme in signature.map_or(&[][..], |s| s.schemes.as_slice()) {
        if let Err(error) = rules.check(std::slice::from_ref(scheme), rules.generate(scheme, &random).reveal()) {
            mistake(
                format!("generates secrets that break its own rules: {error}"),
                "adapt bytes, chars_min or chars_max",
            );
        }
    }
    Some(rules)
}
