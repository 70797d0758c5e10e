//! Ids of events and of the records that they are about.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use postrider_domain::{EventId, OrganizationId, Resource};
use ring::digest::{Context, SHA256, digest};
use uuid::Uuid;

/// The id of what a change is: it follows from the change, what is said, to whom and of which record, so that a change that is read twice is one
/// event.
pub(super) fn of(change: Uuid, event_type: &str, organization: &OrganizationId, record_id: &str) -> EventId {
    const BYTES: usize = 20;
    let mut context = Context::new(&SHA256);
    context.update(change.as_bytes());
    for text in [event_type, organization.as_str(), record_id] {
        context.update(text.as_bytes());
        context.update(&[0]);
    }
    let hash = context.finish();
    let text = format!("src_{}", BASE32_NOPAD.encode(&hash.as_ref()[..BYTES]).to_ascii_lowercase());
    text.parse().unwrap_or_else(|_| EventId::made(change))
}

/// A record's id as events may name it: one that is too long is known by its hash.
pub(super) fn fitting(id: String) -> String {
    if id.len() <= Resource::TEXT_BYTES_MAX && !id.is_empty() {
        return id;
    }
    format!("sha256-{}", HEXLOWER.encode(digest(&SHA256, id.as_bytes()).as_ref()))
}

/// An id as a part of an address: all but unreserved characters are percent-encoded (RFC 3986, section 2.3).
pub(super) fn in_an_address(id: &str) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
        _ => format!("%{b:02X}"),
    };
    id.bytes().map(byte).collect()
}

pub(super) fn resource(kind: &str, id: String, uri: Option<String>) -> Resource {
    Resource { kind: kind.to_owned(), ids: vec![id], uri }
}
