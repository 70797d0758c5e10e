//! Whatever stands in an envelope: it is refused, or every body made with it is a JSON object.

use std::collections::BTreeMap;

use postrider_contract::{Envelope, RenderInput};
use postrider_domain::{DeliveryId, EventId, Millis, Resource};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Texts that need care inside of JSON.
const AWKWARD: &str = "\"\\\u{0}\n\u{2028}$data${type}";

/// The check.
///
/// # Panics
/// When something does not hold.
pub fn check(template: &[u8]) {
    let Ok(template) = std::str::from_utf8(template) else { return };
    let Ok(envelope) = Envelope::parse(template) else { return };
    let event_id = EventId::made(Uuid::from_u128(1));
    let resource = Resource { kind: AWKWARD.to_owned(), ids: vec![AWKWARD.to_owned(), String::new()], uri: None };
    for (data, changes, resource, test) in [
        ("{}", None, None, false),
        (r#"{"id":1,"test":0,"$type":"x"}"#, Some("{}"), Some(&resource), true),
        ("[1,2]", Some(r#"{"a":{"previous":1,"current":2}}"#), None, true),
        ("null", None, Some(&resource), false),
    ] {
        let input = RenderInput {
            event_type: AWKWARD,
            event_id: &event_id,
            delivery_id: DeliveryId(Uuid::from_u128(2)),
            organization_id: "acme",
            occurred_at: Millis(-1),
            data,
            changes,
            resource,
            test,
        };
        let body = envelope.render(&input);
        assert!(is_object(&body), "{body}");
        assert_eq!(envelope.render(&input), body, "the same input makes the same bytes");
        let other = envelope.render(&RenderInput { test: !test, ..input });
        assert_ne!(other, body, "a test looks like the real thing");
    }
}

/// Whether it is a JSON object, of numbers of any size.
pub(crate) fn is_object(body: &str) -> bool {
    serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(body).is_ok()
}
