//! Signatures as the contracts' documents describe them, made here independently of the program.

use data_encoding::{BASE64, HEXLOWER};
use ring::hmac;

/// HMAC-SHA256 in lower-case hex under the secret's text.
#[must_use]
pub fn hmac_hex(secret: &str, signed: &[u8]) -> String {
    HEXLOWER.encode(tag(secret.as_bytes(), signed).as_ref())
}

/// The `v1` signature of Standard Webhooks 1.0.0: HMAC-SHA256 in base64 under what `whsec_…` decodes to.
///
/// # Panics
/// When the secret is not of that form.
#[must_use]
pub fn standard_v1(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = secret.strip_prefix("whsec_").and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let key = key.unwrap_or_else(|| panic!("not a whsec_ secret: {secret}"));
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    format!("v1,{}", BASE64.encode(tag(&key, &signed).as_ref()))
}

/// The `Webhook-Signature` of the sendpilot document, outside of a rotation.
#[must_use]
pub fn sendpilot(secret: &str, unix_seconds: &str, body: &[u8]) -> String {
    let signed = [unix_seconds.as_bytes(), b".", body].concat();
    format!("t={unix_seconds},s={}", hmac_hex(secret, &signed))
}

fn tag(key: &[u8], signed: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed)
}
