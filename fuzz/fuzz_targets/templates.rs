//! Whatever stands in an envelope: it is refused, or every body made with it is a JSON object.
//!
//! `cargo +nightly fuzz run templates fuzz/corpus/templates fuzz/seeds/templates -- -max_total_time=60`
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_contract::{Envelope, RenderInput};
use postrider_domain::{DeliveryId, EventId, Millis, Resource};
use serde_json::Value;
use uuid::Uuid;

/// Texts that need care inside of JSON.
const AWKWARD: &str = "\"\\\u{0}\n\u{2028}$data${type}";

fuzz_target!(|template: &str| {
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
        let json: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        assert!(json.is_object(), "{body}");
        assert_eq!(envelope.render(&input), body, "the same input makes the same bytes");
        let other = envelope.render(&RenderInput { test: !test, ..input });
        assert_ne!(other, body, "a test looks like the real thing");
    }
});
