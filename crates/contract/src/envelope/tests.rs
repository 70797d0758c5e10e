use std::sync::LazyLock;

use super::*;
use proptest::prelude::*;

const DATA: &str = r#"{ "z":1.50, "name":"Zoë \u00e9", "n":12345678901234567890.000 }"#;

static EVENT_ID: LazyLock<EventId> = LazyLock::new(|| "crm-17".parse().unwrap());

fn shown<'a>(template: &str, change: impl FnOnce(&mut RenderInput<'a>)) -> String {
    let mut input = RenderInput {
        event_type: "deal.won",
        event_id: &EVENT_ID,
        delivery_id: DeliveryId(uuid::Uuid::from_u128(1)),
        organization_id: "acme",
        occurred_at: Millis(1_705_314_600_000),
        data: DATA,
        changes: None,
        resource: None,
        test: false,
    };
    change(&mut input);
    Envelope::parse(template).unwrap().render(&input)
}

#[test]
fn data_and_changes_come_out_byte_for_byte() {
    let out = shown(r#"{ "event" : "$type", "data" : "$data", "changes":"$changes?" }"#, |i| i.changes = Some("{ }"));
    assert_eq!(out, format!(r#"{{"event":"deal.won","data":{DATA},"changes":{{ }}}}"#));
}

#[test]
fn absent_optional_members_leave_no_stray_comma() {
    let template = r#"{"changes":"$changes?","uri":"$resource.uri?","event":"$type","list":["$resource.id?","$type"]}"#;
    assert_eq!(shown(template, |_| {}), r#"{"event":"deal.won","list":["deal.won"]}"#);
    let resource = Resource { kind: "deal".into(), ids: vec!["4\"2".into(), "43".into()], uri: Some("u".into()) };
    let full = shown(template, |i| (i.resource, i.changes) = (Some(&resource), Some("1")));
    assert_eq!(full, r#"{"changes":1,"uri":"u","event":"deal.won","list":["4\"2","deal.won"]}"#);
}

#[test]
fn absent_members_that_are_not_optional_are_null_or_empty() {
    let template =
        r#"{"t":"$resource.type","i":"$resource.id","is":"$resource.ids","u":"$resource.uri","c":"$changes"}"#;
    assert_eq!(shown(template, |_| {}), r#"{"t":null,"i":null,"is":[],"u":null,"c":null}"#);
}

#[test]
fn a_test_delivery_is_marked_by_the_contract_or_else_at_the_end() {
    assert_eq!(shown(r#"{"a":1}"#, |i| i.test = true), r#"{"a":1,"test":true}"#);
    assert_eq!(shown(r#"{}"#, |i| i.test = true), r#"{"test":true}"#);
    assert_eq!(shown(r#"{"a":1}"#, |_| {}), r#"{"a":1}"#);
    assert_eq!(shown(r#"{"test":"$test?","a":1}"#, |i| i.test = true), r#"{"test":true,"a":1}"#);
    assert_eq!(shown(r#"{"meta":{"test":"$test"}}"#, |_| {}), r#"{"meta":{"test":false}}"#);
    assert_eq!(Envelope::parse(r#"{"test":1}"#).unwrap_err(), EnvelopeError::TestTaken);
}

#[test]
fn members_that_data_lacks_are_added_and_its_own_kept() {
    let template = r#"{"data":{"$data":{"id":"$resource.id?","organization_id":"$organization.id"}}}"#;
    let resource = Resource { kind: "deal".into(), ids: vec!["42".into()], uri: None };
    let with = |data: &'static str| {
        let out = shown(template, |i| (i.resource, i.data) = (Some(&resource), data));
        out.strip_prefix("{\"data\":").unwrap().strip_suffix('}').unwrap().to_owned()
    };
    assert_eq!(with(r#" {"a":1.0}"#), r#"{"id":"42","organization_id":"acme","a":1.0}"#);
    assert_eq!(with(r#"{ }"#), r#"{"id":"42","organization_id":"acme" }"#);
    assert_eq!(with(r#"{"id":7, "a":1}"#), r#"{"organization_id":"acme","id":7, "a":1}"#);
    assert_eq!(with(r#"{"organization_id":null,"\u0069d":7}"#), r#"{"organization_id":null,"\u0069d":7}"#);
    assert_eq!(with("[1, 2]"), "[1, 2]");
    let without_resource = shown(template, |i| i.data = "{}");
    assert_eq!(without_resource, r#"{"data":{"organization_id":"acme"}}"#);
}

#[test]
fn constants_keep_their_text_and_two_dollars_are_one() {
    let template = r#"{"v":1.0,"big":1e400,"price":"$$5","$$k":[true,null,"a\n"]}"#;
    assert_eq!(shown(template, |_| {}), r#"{"v":1.0,"big":1e400,"price":"$5","$k":[true,null,"a\n"]}"#);
}

#[test]
fn an_id_that_is_no_uuid_is_shown_as_one_where_a_uuid_is_asked_for() {
    let out = shown(r#"{"eventId":"$event.id.uuid","id":"$event.id"}"#, |_| {});
    assert_eq!(out, format!(r#"{{"eventId":"{}","id":"crm-17"}}"#, EVENT_ID.as_uuid()));
}

#[test]
fn templates_that_cannot_work_are_refused() {
    let error = |template| Envelope::parse(template).unwrap_err();
    assert!(matches!(error("{"), EnvelopeError::Json(_)));
    assert_eq!(error("[1]"), EnvelopeError::NotAnObject);
    assert_eq!(error(r#"{"a":"$typ"}"#), EnvelopeError::Unknown("typ".into()));
    assert_eq!(error(r#"{"a":1,"\u0061":2}"#), EnvelopeError::Twice("a".into()));
    assert_eq!(error(r#"{"d":{"$data":{"id":"x"}}}"#), EnvelopeError::Addition("id".into()));
}

proptest! {
    #[test]
    fn arbitrary_templates_never_panic(text: String, data: String) {
        if let Ok(envelope) = Envelope::parse(&text) {
            let _ = envelope.render(&RenderInput {
                event_type: "t", event_id: &EVENT_ID, delivery_id: DeliveryId(uuid::Uuid::nil()), organization_id: "o",
                occurred_at: Millis(0), data: &data, changes: None, resource: None, test: true,
            });
        }
    }

    #[test]
    fn data_of_any_text_never_panics_where_members_are_added(data: String) {
        let _ = shown(r#"{"d":{"$data":{"id":"$resource.id","o":"$organization.id"}}}"#, |i| i.data = &data);
    }
}
