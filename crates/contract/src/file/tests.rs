use super::*;
use crate::filter::FilterEvent;
use postrider_domain::{ScheduleKind, Verdict};

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

/// The mistakes of the smallest contract with something put before its types.
fn mistakes_with(part: &str) -> Vec<String> {
    mistakes(&SMALLEST.replace("[types", &format!("{part}\n[types")))
}

fn mistakes(text: &str) -> Vec<String> {
    parse(text, "x.toml").map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_smallest_contract_has_the_documented_defaults() {
    let contract = parse(SMALLEST, "smallest.toml").unwrap();
    assert_eq!(contract.response().timeout.as_secs(), 30);
    let steps: Vec<_> = contract.schedule().steps.iter().map(std::time::Duration::as_secs).collect();
    assert_eq!(steps, [60, 300, 1_800, 7_200, 86_400]);
    assert_eq!(contract.schedule().kind, ScheduleKind::After);
    assert_eq!(contract.disable(), None);
    assert!(contract.url().https_only && contract.custom_headers().allowed);
    assert!(!contract.is_signed() && !contract.secret().required && !contract.is_open() && !contract.is_default());
    assert_eq!(contract.limits().endpoints_max(None), None);
    assert_eq!([200, 299, 410, 300].map(|s| contract.judge(s)), {
        use Verdict::{Delivered, Failed, Gone};
        [Delivered, Delivered, Gone, Failed]
    });
    assert_eq!(contract.event_types()[0].category, "Deal");
}

#[test]
fn a_signature_alone_has_the_documented_defaults() {
    let signed = SMALLEST.replace("[types", "[signature]\nheader = \"X-Signature\"\n[types");
    let contract = parse(&signed, "x.toml").unwrap();
    assert!(contract.secret().required && contract.secret().generated && contract.secret().chosen);
    assert_eq!(contract.secret().overlap.as_secs(), 86_400);
    assert_eq!([400, 401, 403, 404].map(|s| contract.swaps_on(s)), [true, true, true, false]);
    assert_eq!(contract.generate_secret(&[255; 64]).reveal(), "ff".repeat(32));
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
        "x.toml:1:1: title: is missing; say what people read",
        "x.toml:2:8: name: \"Bad Name\" is not a name; write a lower-case letter",
        "x.toml:3:1: titel: is not a known key; known here: format, name, title",
        "x.toml:4:12: envelope: refers to `$typ`, which does not exist; write",
        "x.toml:7:9: headers.\"X Y\": \"X Y\" is not a header name; use",
        "x.toml:8:8: headers.X-Ok: refers to `${nothing}`, which is not one of ${type}",
        "x.toml:12:10: signature.header: Host belongs to HTTP",
        "x.toml:16:16: retry.steps[1]: is not later than the offset before it; ",
        "x.toml:19:9: names.\"a.b\": \"c.d\" is not a type of the catalogue; name one",
        "x.toml:25:10: types.\"deal.won\".sample: does not fit its schema at \"\": \"name\" is a required property; ",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn syntax_errors_come_with_their_lines_and_hide_nothing_else_behind_them() {
    let found = mistakes("name = \nother = [1,,2]\n");
    assert!(found.iter().any(|m| m.starts_with("x.toml:1:")), "{found:#?}");
    assert!(found.iter().any(|m| m.starts_with("x.toml:2:")), "{found:#?}");
    assert!(found.iter().all(|m| m.contains("is not TOML")), "{found:#?}");
}

#[test]
fn a_syntax_error_that_the_parser_repeats_is_reported_once() {
    for text in [format!("x={}", "[".repeat(200)), format!("x={}", "[{a=".repeat(100)), "= \n".repeat(100)] {
        let found = mistakes(&text);
        let mut distinct = found.clone();
        distinct.dedup();
        assert_eq!(found, distinct, "{text}");
        assert!(found.len() <= 21, "{text}: {found:#?}");
        assert!(found.iter().all(|m| m.contains("TOML") || m.contains("syntax errors")), "{found:#?}");
    }
    assert!(mistakes(&"= \n".repeat(100))[0].contains("syntax errors, of which the first 20 are shown"));
}

/// Everything is read before anything is given up.
#[test]
fn no_mistake_hides_another() {
    let cases: [(&str, &[&str]); 8] = [
        (
            "[signature]\nheader=\"X-Sig\"\npart=\"nothing\"\nsigned=\"no body\"\nencoding=\"rot13\"",
            &["without exactly one ${signature}", "signs the body never", "encoding: \"rot13\""],
        ),
        (
            "[signature]\nheader=\"Host\"\noverlap=[\"old\",\"new\"]\nencoding=\"rot13\"\nseparator=1",
            &["header: Host", "overlap[0]", "overlap[1]", "encoding: \"rot13\"", "separator: is a whole number"],
        ),
        (
            "[signature]\nheader=\"X-Sig\"\npart=\"${x}\"\nlead=\"${attempt.unix}\"\nsigned=\"${type}\"",
            &["lead` that ends in", "signs the body never", "signs ${type}, which", "part: refers to `${x}`"],
        ),
        (
            "[signature]\nheader=\"Host\"\n[secret]\nencoding=\"rot13\"\nbytes=1\ngenerated=false\nchosen=false",
            &["header: Host", "neither generated nor chosen", "encoding: \"rot13\"", "secret.bytes: is 1;"],
        ),
        (
            "[signature]\nheader=\"X-Sig\"\n[signature.schemes.a]\nalgorithm=\"md5\"\nkey_bytes_min=0\nprefix=1",
            &["algorithm: \"md5\"", "key_bytes_min: is 0", "prefix: is a whole number"],
        ),
        (
            "name2=1\ncontent_type=\"\"\ndefault=\"yes\"\ndescription=1\n[url]\nhttps_only=1\n[custom_headers]\ncount_max=0",
            &[
                "name2",
                "content_type",
                "default: is a string",
                "description: is a",
                "https_only: is a",
                "count_max: is 0",
            ],
        ),
        (
            "[retry]\nkind=\"sometimes\"\nsteps=[\"1x\"]\njitter=2.0",
            &["kind: \"sometimes\"", "steps[0]: \"1x\"", "jitter: is 2.0"],
        ),
        (
            "[types.b]\nresource=\"\"\nschema='{}'\nsample='1'\nsample_uri=1\ncategory=1",
            &["b.description: is missing", "b.resource: is empty", "b.sample_uri: is a", "b.category: is a"],
        ),
    ];
    for (part, expected) in cases {
        let found = mistakes_with(part);
        assert_eq!(found.len(), expected.len(), "{part}: {found:#?}");
        for expected in expected {
            assert!(found.iter().any(|m| m.contains(expected)), "{part}: {expected}: {found:#?}");
        }
    }
}

#[test]
fn each_value_of_the_wrong_kind_or_range_is_one_mistake() {
    let cases = [
        ("[retry]\nkind = \"sometimes\"", "retry.kind: \"sometimes\" is no kind of schedule"),
        ("[retry]\nkind = \"at\"", "retry.steps: is missing"),
        ("[retry]\nsteps = [\"1x\"]", "retry.steps[0]: \"1x\" is not a duration"),
        ("[retry]\nsteps = \"1m\"", "retry.steps: is a string where an array is expected"),
        ("[retry]\njitter = 2.0", "retry.jitter: is 2.0; write a number from 0.0 to 1.0"),
        ("[response]\nsuccess = []", "response.success: is missing"),
        ("[response]\nsuccess = [\"2xx\"]", "response.success[0]: is no status"),
        ("[response]\ngone = [204]", "response: names a status that is also a success"),
        ("[response]\ntimeout = 10", "response.timeout: is a whole number where a string is expected"),
        ("[disable]\nminimum_span = \"1d\"", "disable.consecutive_failures: is missing"),
        ("[disable]\nconsecutive_failures = 0", "disable.consecutive_failures: is 0; write a whole number from 1"),
        ("[plans]\npro = 1", "plans.pro: is a whole number where a table is expected"),
        ("[plans.pro]\nendpoints = 1", "plans.pro.endpoints: is not a known key"),
        ("[url]\nhttps_only = \"yes\"", "url.https_only: is a string where a boolean is expected"),
        ("[secret]\nchosen = true", "secret: is there without [signature]"),
        ("[headers]\nX-A = \"a\\nb\"", "headers.X-A: is not a header value"),
        ("[headers]\nX-A = \"1\"\nx-a = \"2\"", "headers.x-a: x-a is named twice"),
        ("[names]\n\"deal.won\" = \"deal.won\"", "names.\"deal.won\": \"deal.won\" is itself a type"),
        ("[schemas]\nx = '{'", "schemas.x: is not JSON"),
        (
            "[types.\"a b\"]\ndescription=\"x\"\nresource=\"x\"\nschema='{}'\nsample='1'",
            "types.\"a b\": \"a b\" is not an event type",
        ),
        (
            "[types.b]\ndescription=\"x\"\nresource=\"x\"\nschema=\"no\"\nsample='1'",
            "types.b.schema: \"no\" is not one of [schemas]",
        ),
        ("[types.b]\ndescription=\"x\"\nresource=\"x\"\nschema='{}'", "types.b.sample: is missing"),
        (
            "[types.b]\ndescription=\"x\"\nresource=\"x\"\nschema='{\"type\":\"strng\"}'\nsample='1'",
            "types.b: has a schema that does not compile",
        ),
        (
            "[types.b]\ndescription=\"x\"\nresource=\"x\"\nschema='{\"$ref\":\"https://a.example/s\"}'\nsample='1'",
            "types.b: has a schema that does not compile",
        ),
        (
            "[types.b]\ndescription=\"x\"\nresource=\"x\"\nschema='{}'\nsample='1'\nsample_changes='{\"a\":1}'",
            "types.b.sample_changes: does not have the form",
        ),
    ];
    for (part, expected) in cases {
        let found = mistakes_with(part);
        assert_eq!(found.len(), 1, "{part}: {found:#?}");
        assert!(found[0].contains(expected), "{part}: {}", found[0]);
    }
    assert!(mistakes(&SMALLEST.replace("title", "format = 2\ntitle"))[0].contains("format: is 2; write 1"));
    assert!(mistakes(&SMALLEST.replace("deal.won\"", "deal.won\"]\n[types.\"deal.won\""))[0].contains("is not TOML"));
}

#[test]
fn a_signature_that_no_receiver_could_verify_is_refused() {
    let cases = [
        ("signed = \"${attempt.unix}.${body}\"", "signs ${attempt.unix}, which the request does not show"),
        ("signed = \"nothing\"", "signs the body never"),
        ("signed = \"${body}${body}\"", "signs the body never, or more than once"),
        ("part = \"v1\"", "has a `part` without exactly one ${signature}"),
        ("part = \"${version}${signature}\"", "has two references side by side"),
        ("lead = \"${attempt.unix}\"", "has a `lead` that ends in a reference"),
        ("overlap = [\"primary\", \"secondary\"]\nseparator = \"\"", "has no `separator`"),
        ("overlap = [\"secondary\"]", "does not begin with \"primary\""),
        ("overlap = [\"old\"]", "signature.overlap[0]: \"old\" is neither secret"),
        ("encoding = \"utf-8\"", "signature.encoding: \"utf-8\" is no encoding"),
        ("[signature.schemes.a]\nalgorithm = \"md5\"", "signature.schemes.a.algorithm: \"md5\" is no algorithm"),
        ("[signature.schemes.a]\nalgorithm = \"ed25519\"", "signature.schemes.a.key: is missing"),
        ("[signature.schemes.a]\n[signature.schemes.b]", "signature.schemes.b: has the prefix \"\" of another scheme"),
        ("[secret]\ngenerated = false\nchosen = false", "secret: is neither generated nor chosen"),
        ("[secret]\nchars_max = 8", "secret: generates secrets that break its own rules"),
    ];
    for (part, expected) in cases {
        let found = mistakes_with(&format!("[signature]\nheader = \"X-Signature\"\n{part}"));
        assert_eq!(found.len(), 1, "{part}: {found:#?}");
        assert!(found[0].contains(expected), "{part}: {}", found[0]);
    }
}

#[test]
fn a_file_that_is_too_long_is_not_even_read() {
    let long = "#".repeat(Contract::FILE_BYTES_MAX + 1);
    assert!(mistakes(&long)[0].contains("has 1048577 bytes, more than 1048576"));
}

#[test]
fn schemas_and_samples_may_be_toml_and_keep_their_order() {
    let text = r##"
name = "inline"
title = "Inline"
envelope = '{"data":"$data"}'
[schemas]
person = { type = "object", required = ["name"] }
money = '{"type":"number"}'
[schemas.deal]
type = "object"
properties = { owner = { "$ref" = "#/$defs/person" }, value = { "$ref" = "#/$defs/money" } }
[types."deal.won"]
description = "A deal was won"
resource = "deal"
schema = "deal"
sample = { zeta = 1, id = "d1", owner = { name = "Ada" }, value = 1.50, since = 2026-01-02, tags = ["a", true] }
"##;
    let contract = parse(text, "inline.toml").unwrap();
    let deal = &contract.event_types()[0];
    let sample = r#"{"zeta":1,"id":"d1","owner":{"name":"Ada"},"value":1.50,"since":"2026-01-02","tags":["a",true]}"#;
    assert_eq!(deal.sample, sample);
    assert!(deal.schema.contains(r#""$defs":{"money":{"type":"number"},"person":"#), "{}", deal.schema);
    assert_eq!(contract.misfits("deal.won", r#"{"owner":{}}"#)[0].pointer, "/owner");
    assert_eq!(contract.sample("deal.won").resource.ids, ["d1"]);
}

#[test]
fn an_open_catalogue_passes_names_on_and_a_closed_one_does_not() {
    let closed = parse(&SMALLEST.replace("[types", "[names]\n\"deal.gewonnen\" = \"deal.won\"\n[types"), "x").unwrap();
    assert_eq!(closed.resolve_type("deal.gewonnen"), Some("deal.won"));
    assert_eq!(closed.resolve_type("deal.won"), Some("deal.won"));
    assert_eq!(closed.resolve_type("deal.lost"), None);
    assert!(!closed.knows_type("deal.gewonnen"));
    let open = SMALLEST.replace("[types", "[catalogue]\nopen = true\n[names]\n\"a.b\" = \"deal.won\"\n[types");
    let open = parse(&open, "x").unwrap();
    assert_eq!(open.resolve_type("deal.lost"), Some("deal.lost"));
    assert_eq!(open.resolve_type("no type"), None);
    assert!(open.knows_type("deal.lost") && !open.knows_type("a.b"));
    let prefix = |text: &str| text.parse::<postrider_domain::Subscription>().unwrap();
    assert!(closed.knows_subscription(&prefix("deal.*")) && !closed.knows_subscription(&prefix("contact.*")));
    assert_eq!(closed.first_type(&[prefix("contact.*"), prefix("*")]), Some("deal.won"));
    assert_eq!(open.sample("deal.lost").resource.ids, ["sample-1"]);
}

/// The smallest contract with a second type and rules.
fn with_rules(rules: &str) -> String {
    let second = SMALLEST.split("[types.").nth(1).unwrap().replace("deal.won", "deal.updated");
    format!("{SMALLEST}\n[types.{second}\n{rules}")
}

#[test]
fn derived_types_are_what_their_rules_say_and_nothing_without_rules() {
    let rules = "[[derived]]\nfrom = \"deal.updated\"\nwhen = 'changes.stage.current = \"won\"'\ntype = \"deal.won\"\n";
    let contract = parse(&with_rules(rules), "x.toml").unwrap();
    let won = r#"{"stage":{"previous":"a","current":"won"}}"#;
    let types = |contract: &Contract, published: &str, changes| {
        let event = FilterEvent::new("{}", changes, None, postrider_domain::Millis(0));
        contract.derived_types(published, &event).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(types(&contract, "deal.updated", Some(won)), ["deal.won"]);
    assert_eq!(types(&contract, "deal.updated", None), [""; 0]);
    assert_eq!(types(&contract, "deal.won", Some(won)), [""; 0]);
    assert_eq!(types(&parse(&with_rules(""), "x.toml").unwrap(), "deal.updated", Some(won)), [""; 0]);
    let values = vec!["1"; 30_000].join(",");
    let costly = parse(
        &with_rules(&rules.replace("changes.stage.current", "data.n[?@ = 2] or changes.stage.current")),
        "x.toml",
    );
    let data = format!("{{\"n\":[{values}]}}");
    let event = FilterEvent::new(&data, Some(won), None, postrider_domain::Millis(0));
    assert_eq!(costly.unwrap().derived_types("deal.updated", &event).count(), 0, "nothing is derived on a guess");
}

#[test]
fn mistakes_in_derived_types_are_shown_where_they_stand() {
    let rules = "[[derived]]\nfrom = \"deal.lost\"\nwhen = \"stage\"\n[[derived]]\nfrom = \"deal.won\"\nwhen = \"changes.stage\"\n\
        type = \"deal.won\"\nunless = 1\n[[derived]]\nfrom = \"deal.won\"\nwhen = \"changes.a\"\ntype = \"deal.won\"\n";
    let found = mistakes(&with_rules(rules));
    let line = with_rules("").lines().count() + 1;
    let expected = [
        format!("x.toml:{line}:1: derived[0].type: is missing; name what it also is"),
        format!(
            "x.toml:{}:8: derived[0].from: \"deal.lost\" is not a type of the catalogue; name one of [types]",
            line + 1
        ),
        format!(
            "x.toml:{}:8: derived[0].when: is wrong at character 1: `stage` is no part of an event; begin",
            line + 2
        ),
        format!("x.toml:{}:8: derived[1].type: is what it is derived from; name another", line + 6),
        format!("x.toml:{}:1: derived[1].unless: is not a known key; known here: from, when, type", line + 7),
        format!("x.toml:{}:8: derived[2].type: is what it is derived from", line + 11),
        format!(
            "x.toml:{}:8: derived[2].type: \"deal.won\" is derived from \"deal.won\" a second time; join",
            line + 11
        ),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(&expected), "{found}\n{expected}");
    }
    let second = SMALLEST.split("[types.").nth(1).unwrap();
    let many: String = (0..9)
        .map(|n| {
            let name = format!("deal.x{n}");
            let rule = format!("[[derived]]\nfrom = \"deal.won\"\nwhen = \"data.a\"\ntype = \"{name}\"\n");
            format!("[types.{}{rule}", second.replace("deal.won", &name))
        })
        .collect();
    let found = mistakes(&format!("{SMALLEST}\n{many}"));
    assert!(
        found.len() == 1 && found[0].contains("derived[8].from: \"deal.won\" has more than 8 derived types"),
        "{found:#?}"
    );
    assert!(mistakes_with("derived = 1")[0].contains("derived: is a whole number where an array is expected"));
}

#[test]
fn what_no_header_can_hold_is_refused_where_it_is_written() {
    for part in ["lead = \"t=é,\"", "part = \"s=${signature}\\r\\nX: y\"", "separator = \"\\n\""] {
        let found = mistakes_with(&format!("[signature]\nheader = \"X-Signature\"\n{part}\n"));
        assert!(found.iter().any(|mistake| mistake.contains("cannot stand in a header")), "{part}: {found:?}");
    }
    let found =
        mistakes_with("[signature]\nheader = \"X-Signature\"\n[signature.schemes.\"v\\n1\"]\nprefix = \"a_\"\n");
    assert!(found.iter().any(|mistake| mistake.contains("version that cannot stand in a header")), "{found:?}");
}
