//! Contract files: TOML text into a [`Contract`], with every mistake found at once. docs/contracts.md explains every key.

mod bytes;
mod catalogue;
mod derived;
mod promises;

use postrider_document::{Mistake, Section};

use crate::contract::Contract;
use crate::envelope;
use crate::revision::Revision;
use crate::template;

/// Every key of a contract file: the table that it stands in (`<…>` is a name of the file's own) and its name.
pub const KEYS: &[(&str, &[&str])] = &[
    ("", ROOT),
    ("signature", bytes::SIGNATURE),
    ("signature.schemes.<version>", bytes::SCHEME),
    ("secret", bytes::SECRET),
    ("response", promises::RESPONSE),
    ("retry", promises::RETRY),
    ("disable", promises::DISABLE),
    ("limits", promises::LIMITS),
    ("plans.<name>", promises::PLAN),
    ("url", promises::URL),
    ("custom_headers", promises::CUSTOM_HEADERS),
    ("catalogue", catalogue::CATALOGUE),
    ("types.<name>", catalogue::TYPE),
    ("derived", derived::DERIVED),
];

const ROOT: &[&str] = &[
    "format",
    "name",
    "title",
    "description",
    "default",
    "content_type",
    "envelope",
    "headers",
    "signature",
    "secret",
    "response",
    "retry",
    "disable",
    "limits",
    "plans",
    "url",
    "custom_headers",
    "catalogue",
    "names",
    "schemas",
    "types",
    "derived",
];

/// The version of the file format. A later one that reads differently gets another number; files of this one are always read.
const FORMAT: u32 = 1;

/// Every reference as it is written: those of envelopes, then those of headers and signed bytes.
pub fn references() -> impl Iterator<Item = String> {
    let envelope = envelope::Reference::ALL.iter().map(|(name, _)| format!("${name}"));
    envelope.chain(template::Reference::ALL.iter().map(|(name, _)| format!("${{{name}}}")))
}

pub(crate) fn parse(text: &str, file: &str) -> Result<Contract, Vec<Mistake>> {
    postrider_document::read(text, file, Contract::FILE_BYTES_MAX, ROOT, |root| read(root, text))
}

/// Reads everything before it gives up on anything, so that all mistakes come out together.
fn read(root: &Section<'_, '_>, text: &str) -> Option<Contract> {
    root.number("format", FORMAT..=FORMAT);
    let name = name(root);
    let title = root.required_text("title", "say what people read, e.g. title = \"Acme CRM\"");
    let headers = bytes::headers(root);
    let signature = bytes::signature(root, headers.as_deref());
    let secret = bytes::secret(root, signature.as_ref().and_then(Option::as_ref));
    let description = root.text("description").map(|found| found.value.trim().to_owned()).unwrap_or_default();
    let is_default = root.flag("default", false);
    let envelope = bytes::envelope(root);
    let content_type = bytes::content_type(root);
    let response = promises::response(root);
    let schedule = promises::schedule(root);
    let disable = promises::disable(root);
    let limits = promises::limits(root);
    let (url, custom_headers) = (promises::url(root), promises::custom_headers(root));
    let catalogue = catalogue::catalogue(root);
    let derived = derived::derived(root, catalogue.as_ref());
    Some(Contract {
        name: name?,
        title: title?.value.to_owned(),
        description,
        text: text.into(),
        revision: Revision::of(text),
        is_default,
        content_type: content_type?,
        envelope: envelope?,
        headers: headers?,
        signature: signature?,
        secret: secret?,
        response: response?,
        schedule: schedule?,
        disable,
        limits,
        url,
        custom_headers,
        catalogue: catalogue?,
        derived: derived?,
    })
}

fn name(root: &Section<'_, '_>) -> Option<String> {
    const CHARS_MAX: usize = 64;
    let found = root.required_text("name", "name the contract, e.g. name = \"acme\"")?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let name = found.value;
    if name.len() > CHARS_MAX || !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(plain) {
        let advice = format!("write a lower-case letter and then letters, digits and hyphens, at most {CHARS_MAX}");
        root.document().mistake(&found.place, format!("{name:?} is not a name"), advice);
        return None;
    }
    Some(name.to_owned())
}

#[cfg(test)]
mod tests;
