use super::*;

const KNOWN: &[&str] = &["name", "enabled", "events", "inner", "data"];

fn mistakes_of<T: fmt::Debug>(result: Result<T, Problem>) -> Vec<(String, String)> {
    result.unwrap_err().mistakes.into_iter().map(|m| (m.pointer, m.detail)).collect()
}

fn read_all(fields: &mut Fields<'_, '_>) -> (String, Option<bool>, Option<Vec<String>>) {
    let name = fields.required_text("name", Text::line(1, 5));
    let enabled = fields.boolean("enabled");
    let events = fields.list("events", 3, |text| {
        if text == "bad" { Err(Code::FieldFixed.says("is bad")) } else { Ok(text.to_owned()) }
    });
    fields.object("inner", &["x"], |inner| inner.required_text("x", Text::line(1, 5)));
    (name, enabled, events)
}

#[test]
fn all_mistakes_are_found_at_once_each_with_its_place() {
    let body = br#"{"name": 7, "enabled": "yes", "events": ["a", "bad", 3], "inner": {"y/z": 1}, "nam~e": 1, "enabled": true}"#;
    let found = mistakes_of(read_body(body, KNOWN, read_all));
    let pointers: Vec<_> = found.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(
        pointers,
        ["/nam~0e", "/enabled", "/name", "/enabled", "/events/1", "/events/2", "/inner/y~1z", "/inner/x"]
    );
    assert!(found[0].1.contains("known are name, enabled, events, inner, data"), "{found:?}");
    assert_eq!(found[1].1, "is given twice; give it once");
    assert_eq!(found[2].1, "must be a string, but is a number");
}

#[test]
fn values_stay_the_text_that_they_were() {
    let body = br#"{"name":"a","data":{ "n" : 1.50, "big":1e400, "n":2 }}"#;
    let data = read_body(body, KNOWN, |fields| {
        fields.required_text("name", Text::line(1, 5));
        fields.raw("data").map(str::to_owned)
    });
    assert_eq!(data.unwrap().unwrap(), r#"{ "n" : 1.50, "big":1e400, "n":2 }"#);
}

#[test]
fn what_is_no_json_says_line_and_column() {
    for body in [&b"{\"name\": \"a\",\n }"[..], b"{", b"{} x", b"", b"  ", b"{\"a\" 1}", b"\xef\xbb\xbf{}"] {
        let problem = read_body(body, KNOWN, read_all).unwrap_err();
        assert_eq!(problem.kind, Kind::Malformed, "{body:?}");
        assert!(problem.detail.contains("column") || problem.detail.contains("empty"), "{}", problem.detail);
    }
    let problem = read_body(b"{\"name\": \"\xff\"}", KNOWN, read_all).unwrap_err();
    assert_eq!((problem.kind, problem.detail.contains("offset 10")), (Kind::Malformed, true));
}

#[test]
fn what_is_json_but_no_object_is_a_wrong_field() {
    for (body, kind) in
        [("[1]", "an array"), ("\"x\"", "a string"), (" 7", "a number"), ("null", "null"), ("true", "a boolean")]
    {
        let problem = read_body(body.as_bytes(), KNOWN, read_all).unwrap_err();
        assert_eq!(problem.kind, Kind::InvalidFields, "{body}");
        assert_eq!(problem.mistakes[0].detail, format!("must be a JSON object, but is {kind}"));
    }
}

#[test]
fn an_empty_body_is_an_object_where_a_body_is_optional() {
    for nothing in [&b" "[..], b"null"] {
        assert!(read_optional_body(nothing, KNOWN, |fields| fields.has("name")).is_ok_and(|has| !has));
    }
    assert!(read_optional_body(b"nonsense", KNOWN, |_| ()).is_err());
}

#[test]
fn a_change_tells_left_out_from_null() {
    let change = |body: &'static str| {
        read_body(body.as_bytes(), KNOWN, |fields| fields.change_text("name", Text::line(1, 5))).unwrap()
    };
    assert_eq!(change("{}"), Change::Keep);
    assert_eq!(change(r#"{"name":null}"#), Change::Clear);
    assert_eq!(change(r#"{"name":"a"}"#), Change::Set("a".to_owned()));
}

#[test]
fn half_a_surrogate_pair_is_a_mistake_and_not_a_fault() {
    let found = mistakes_of(read_body(br#"{"name":"\ud800"}"#, KNOWN, read_all));
    assert!(found[0].1.contains("surrogate"), "{found:?}");
    assert!(read_body(br#"{"\ud800":1}"#, KNOWN, read_all).is_err());
}

#[test]
fn deep_and_wide_bodies_are_read_in_bounds() {
    let deep = format!("{{\"name\":\"a\",\"data\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read_body(deep.as_bytes(), KNOWN, read_all).is_ok());
    let wide = format!("{{{}\"name\":\"a\"}}", (0..10_000).map(|i| format!("\"f{i}\":1,")).collect::<String>());
    let problem = read_body(wide.as_bytes(), KNOWN, read_all).unwrap_err();
    assert_eq!(problem.mistakes.len(), crate::limits::MISTAKES_MAX);
    let array = format!("{{\"name\":\"a\",\"events\":{}1{}}}", "[".repeat(1_000), "]".repeat(1_000));
    assert_eq!(mistakes_of(read_body(array.as_bytes(), KNOWN, read_all)).len(), 1);
}

#[test]
fn texts_have_bounds_and_no_control_characters() {
    let rule = Text::line(1, 3);
    assert_eq!(rule.check("abc"), Ok(()));
    assert!(rule.check("").is_err() && rule.check("abcd").is_err() && rule.check("a\0").is_err());
    assert_eq!(Text::lines(10).check("a\nb"), Ok(()));
    assert!(Text::lines(10).check("a\u{7f}").is_err());
}

#[test]
fn a_whole_number_is_one_however_it_is_written() {
    let count =
        |body: &'static str| read_body(body.as_bytes(), KNOWN, |fields| fields.count("name", 100)).ok().flatten();
    for body in [r#"{"name":10}"#, r#"{"name":10.0}"#, r#"{"name":1e1}"#] {
        assert_eq!(count(body).map(std::num::NonZeroU32::get), Some(10), "{body}");
    }
    for body in [
        r#"{"name":0}"#,
        r#"{"name":0.0}"#,
        r#"{"name":10.5}"#,
        r#"{"name":101.0}"#,
        r#"{"name":-1.0}"#,
        r#"{"name":"10"}"#,
    ] {
        assert_eq!(count(body), None, "{body}");
    }
}
