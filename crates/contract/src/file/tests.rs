use super::*;

/// The smallest contract: everything else has its default.
const SMALLEST: &str = r#"
name = "smallest"
title = "Smallest"
envelope = '{"event":"$type","data":"$data"}'

[types."deal.won"]
description = "A deal was won"
resource = "deal"
schema = '{"type":"object"}'
sample = '{"id":1}'
"#;

fn mistakes(text: &str) -> Vec<String> {
    parse(text, "x.toml").map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_smallest_contract_has_the_documented_defaults() {
    let contract = parse(SMALLEST, "smallest.toml").unwrap();
    assert_eq!(contract.response().timeout.as_secs(), 30);
    assert_eq!(
        contract.schedule().steps.iter().map(|s| s.as_secs()).collect::<Vec<_>>(),
        [60, 300, 1_800, 7_200, 86_400]
    );
    assert_eq!(contract.schedule().kind, postrider_domain::ScheduleKind::After);
    assert_eq!(contract.disable(), None);
    assert!(contract.url().https_only);
    assert!(!contract.is_signed() && !contract.secret().required && !contract.is_open());
    assert_eq!(contract.judge(204), postrider_domain::Verdict::Delivered);
    assert_eq!(contract.judge(410), postrider_domain::Verdict::Gone);
    assert_eq!(contract.event_types()[0].category, "Deal");
}

#[test]
fn all_mistakes_come_at_once_each_with_line_key_and_remedy() {
    let text = r#"
name = "Bad Name"
titel = "x"
envelope = '{"event":"$typ"}'

[headers]
"X Y" = "1"
X-Ok = "${nothing}"

[signature]
signed = "${attempt.unix}.${body}"
header = "Host"

[retry]
kind = "at"
steps = ["5m", "1m"]

[names]
"a.b" = "c.d"

[types."deal.won"]
description = "A deal was won"
resource = "deal"
schema = '{"type":"object","required":["name"]}'
sample = '{"id":1}'
"#;
    let found = mistakes(text);
    let expected = [
        "x.toml:1:1: title: is missing",
        "x.toml:2:8: name: \"Bad Name\" is not a name",
        "x.toml:3:1: titel: is not a known key",
        "x.toml:4:12: envelope: refers to `$typ`, which does not exist",
        "x.toml:7:9: headers.\"X Y\": \"X Y\" is not a header name",
        "x.toml:8:8: headers.X-Ok: refers to `${nothing}`, which is not one of ${type}",
        "x.toml:12:10: signature.header: Host belongs to HTTP",
        "x.toml:16:16: retry.steps[1]: is not later than the offset before it",
        "x.toml:19:9: names.\"a.b\": \"c.d\" is not a type of the catalogue",
        "x.toml:25:10: types.\"deal.won\".sample: does not fit its schema at \"\": \"name\" is a required property",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}
