use super::*;
use postrider_domain::{Millis, Resource};
use proptest::prelude::*;

const WON: &str = r#"{"id":"d1","amount":1500.50,"tags":["vip","eu"],"is_new":false,"owner":{"email":"a@b.example"},
    "items":[{"sku":"A","count":1},{"sku":"B","count":20}],"note":null,"deal-stage":"x"}"#;
const CHANGES: &str = r#"{"stage":{"previous":"proposal","current":"won"}}"#;

fn judged(filter: &str, data: &str, changes: Option<&str>) -> Judgement {
    let resource = Resource { kind: "deal".into(), ids: vec!["42".into(), "43".into()], uri: None };
    let event = FilterEvent::new(data, changes, Some(&resource), Millis(1_705_314_600_999));
    Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}")).judge("deal.won", &event)
}

fn passes(filter: &str) -> bool {
    judged(filter, WON, Some(CHANGES)).passes
}

fn mistake(filter: &str) -> String {
    Filter::parse(filter).unwrap_err().to_string()
}

#[test]
fn the_issues_three_examples_work_as_they_are_written() {
    for (filter, changes, expected) in [
        ("changes.stage", Some(CHANGES), true),
        ("changes.stage", Some(r#"{"amount":{"previous":1,"current":2}}"#), false),
        ("changes.stage", None, false),
        ("data.amount > 1000", None, true),
        ("data.amount > 1500.5", None, false),
        (r#"changes.stage.current = "won""#, Some(CHANGES), true),
        (r#"changes.stage.current = "lost""#, Some(CHANGES), false),
        (r#"changes.stage.current = "won""#, None, false),
    ] {
        assert_eq!(judged(filter, WON, changes).passes, expected, "{filter} {changes:?}");
    }
}

#[test]
fn each_part_of_an_event_can_be_asked_for() {
    for filter in [
        "type = 'deal.won'",
        "resource.type == \"deal\" and resource.id = '42'",
        "resource.ids[1] = '43' and resource.ids[-1] = '43'",
        "resource.ids[?@ = '43']",
        "not resource.uri",
        "occurred_at = '2024-01-15T10:30:00Z'",
        "occurred_at >= '2024' and occurred_at < '2024-02'",
        "data.tags[?@ = 'vip']",
        "data.items[?@.sku = 'B' && @.count >= 20]",
        "data.items[*].sku",
        "data['deal-stage'] = \"x\"",
        "$.data.owner.email = 'a@b.example'",
        "(data.amount < 1 or data.amount > 2) and !(data.is_new = true)",
        "data.note = null",
        "data.items[1].count > data.items[0].count",
        "data.items[0] = data.items[0]",
    ] {
        assert!(passes(filter), "{filter}");
    }
}

#[test]
fn what_is_missing_or_of_another_kind_is_false_and_told() {
    for (filter, passes, is_missing, differs_in_kind) in [
        ("data.nothing > 5", false, true, false),
        ("data.nothing = 5", false, true, false),
        ("data.nothing != 5", true, true, false),
        ("data.amount = '1500.50'", false, false, true),
        ("data.owner > 5", false, false, true),
        ("data.note > 5", false, false, false),
        ("data.is_new", true, false, false),
        ("data.is_new = true", false, false, false),
        ("data.amount.cents", false, false, false),
    ] {
        let judged = judged(filter, WON, None);
        let expected = Judgement { passes, is_missing, differs_in_kind, is_too_costly: false };
        assert_eq!(judged, expected, "{filter}");
    }
}

#[test]
fn numbers_beyond_53_bits_keep_every_digit() {
    let data =
        r#"{"id":9007199254740993,"n":123456789012345678901234567890,"m":123456789012345678901234567891,"x":0.1}"#;
    for (filter, expected) in [
        ("data.id > 9007199254740991", true),
        ("data.n < data.m", true),
        ("data.n = data.m", false),
        ("data.x = 0.1 and data.x = 1e-1", true),
    ] {
        assert_eq!(judged(filter, data, None).passes, expected, "{filter}");
    }
    // A literal that would be rounded is refused, and not compared as another number.
    for literal in ["9007199254740993", "0.12345678901234567890", "1e400"] {
        assert!(mistake(&format!("data.id = {literal}")).contains("not a number that is kept exactly"), "{literal}");
    }
}

#[test]
fn a_mistake_names_its_place_and_what_to_write() {
    for (filter, expected) in [
        ("", "at character 1: the filter is empty; write a condition"),
        ("  ", "at character 1: the filter is empty"),
        ("stage = 'won'", "at character 1: `stage` is no part of an event; begin with type, data"),
        ("changes.stage.current = won", "at character 25: `won` is no part of an event; begin"),
        ("data.amount >", "at character 14: the filter does not go on as it may"),
        ("data.amount > 5 data.x", "at character 17: the filter does not go on"),
        ("data.é = 1 and data.amount ~ 5", "at character 28: `~` is not known"),
        ("data.name = \"x", "at character 13: this text is not closed"),
        ("(data.a", "at character 1: this `(` is not closed"),
        ("data.a)", "at character 7: `)` closes nothing"),
        ("data.a] [?@.b", "at character 7: `]` closes nothing"),
        ("data..a", "at character 5: `..` is not part of filters"),
        ("data.deal-stage = 'x'", "at character 10: `-` cannot stand here"),
        ("has(changes.stage)", "at character 1: `has(…)`: functions are not part of filters; a path by itself"),
        ("data.a & data.b", "at character 8: `&` is not known; write `and` or &&"),
        ("data.tags[0:2]", "at character 12: slices are not part"),
        ("data.tags[0,1]", "at character 12: `,` is not part"),
        ("data.a = 1 = 2", "at character 12: the filter does not go on"),
        ("data.tags[*] = 'vip'", "at character 14: the filter does not go on"),
        ("$.nothing", "a path begins with `$` and no part of an event"),
        ("$[*]", "a path begins with `$` and no part of an event"),
        ("((((((((((data.a))))))))))", "at character 9: parentheses and brackets stand more than 8 deep"),
    ] {
        let found = mistake(filter);
        assert!(found.contains(expected), "{filter}\n  {found}\n  {expected}");
    }
    assert!(mistake(&format!("data.{}", "a".repeat(1_000))).contains("1005 bytes; at most 1000"));
    assert!(mistake(&"data.a and ".repeat(80)).contains("more than 200 words"));
}

#[test]
fn no_filter_takes_long_whatever_the_event_holds() {
    let rows = vec!["[1,2,3]"; 5_000].join(",");
    let data = format!("{{\"rows\":[{rows}],\"text\":\"{}\"}}", "x".repeat(100_000));
    let costly = judged("data.rows[?data.rows[?data.rows[*][?@ > 3]]]", &data, None);
    assert!(costly.is_too_costly && costly.passes);
    let refused = judged("not data.rows[?data.rows[?data.rows[*][?@ > 0] and @ = 5]]", &data, None);
    assert!(refused.is_too_costly && refused.passes, "what cannot be told passes, however it is negated");
    let long = judged("data.rows[?data.text < data.text]", &data, None);
    assert!(long.is_too_costly, "long texts cost more than short ones");
    assert!(!judged("data.rows[?@[2] > 3]", &data, None).is_too_costly);
}

#[test]
fn what_stands_for_no_character_spoils_nothing_else() {
    let data = r#"{"name":"\ud800","\ud800":1,"amount":5,"huge":1e99999999999999999999}"#;
    assert!(judged("data.amount = 5 and data.name = data.name and data.huge = data.huge", data, None).passes);
    assert!(!judged("data.name = 'x' or data.huge > 1", data, None).passes);
}

#[test]
fn json_is_taken_apart_when_it_is_looked_at_and_not_before() {
    let event = FilterEvent::new("{}", None, None, Millis(0));
    for (filter, expected) in [("type = 'deal.won'", false), ("changes.stage", false), ("data.amount", true)] {
        let _ = Filter::parse(filter).unwrap().judge("deal.won", &event);
        assert_eq!(event.is_read(), expected, "{filter}");
    }
}

/// Filters that are mostly well formed.
fn any_filter() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec![
        "data",
        "data.a",
        "data.a[0]",
        "data[*]",
        "data[*][*].b",
        "data['a']",
        "changes.a",
        "changes[*]",
        "resource.id",
        "occurred_at",
        "type",
        "data[-1]",
        "data[?@.a]",
        "data.a[?@ > 1]",
        "data[*][?@.b == data.a]",
    ]);
    let value =
        prop::sample::select(vec!["1", "-0.5", "1e3", "\"won\"", "true", "null", "data.a", "data.b", "changes.a"]);
    let sign = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        path.clone().prop_map(str::to_owned),
        (path, sign, value).prop_map(|(path, sign, value)| format!("{path} {sign} {value}")),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}) and {other}")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one} || ({other})")),
            inner.prop_map(|one| format!("not ({one})")),
        ]
    })
}

/// JSON of any shape, some of it large or broken.
fn any_json() -> impl Strategy<Value = String> {
    let number =
        any::<f64>().prop_map(|number| if number.is_finite() { number.to_string() } else { "1e999".to_owned() });
    let leaf = prop_oneof![
        number,
        Just("null".to_owned()),
        Just("true".to_owned()),
        "[a-z]{0,3}".prop_map(|text| format!("\"{text}\""))
    ];
    let any = leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(("[ab]|[c-z]", inner), 0..8).prop_map(|all| {
                let members: Vec<_> = all.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    (any, 0usize..40).prop_map(|(json, cut)| match cut {
        0 => json.chars().take(json.len() / 2).collect(),
        1..3 => format!("[{}]", vec![json; 200].join(",")),
        _ => json,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_read_or_refused_in_no_time(text in "[dat\\.=<>!&|()\\[\\]?*@$'\"\\-,: 0-9and not or]{0,200}") {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(error.at >= 1 && error.at <= text.chars().count() + 1, "{}", error);
        }
    }

    #[test]
    fn any_text_at_all_never_panics(text: String) {
        let _ = Filter::parse(&text);
    }

    #[test]
    fn what_is_read_judges_any_json_alike_and_lets_pass_what_costs_too_much(
        (text, data) in (any_filter(), any_json()),
    ) {
        let filter = Filter::parse(&text);
        prop_assume!(filter.is_ok());
        let filter = filter.unwrap();
        let resource = Resource { kind: "deal".into(), ids: vec![data.clone()], uri: None };
        let event = || FilterEvent::new(&data, Some(&data), Some(&resource), Millis(-1));
        let judged = filter.judge("deal.won", &event());
        prop_assert!(judged.passes || !judged.is_too_costly);
        prop_assert_eq!(Filter::parse(filter.as_str()).unwrap().judge("deal.won", &event()), judged);
    }

    #[test]
    fn numbers_compare_as_the_numbers_they_are(one in -1000i64..1000, other in -1000i64..1000) {
        let data = format!("{{\"a\":{one}.0}}");
        prop_assert_eq!(judged(&format!("data.a > {other}"), &data, None).passes, one > other);
        prop_assert_eq!(judged(&format!("data.a <= {other}"), &data, None).passes, one <= other);
        prop_assert_eq!(judged(&format!("data.a = {other}"), &data, None).passes, one == other);
    }
}
