//! `changes`: which fields an update modified, and from what (contracts.md, reading 3).

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::catalogue::Misfit;
use crate::json::{Members, write_string};
use crate::same::is_same;

/// How many misfits are reported.
const MISFITS_MAX: usize = 32;

/// Why no `changes` can be made.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// `previous` is not an object of earlier values.
    #[error("`previous` is not a JSON object: {0}; send the earlier values as {{\"field\": value}}")]
    Previous(#[source] serde_json::Error),
    /// `data` is not an object.
    #[error("`previous` needs `data` to be a JSON object: {0}; leave `previous` out for other data")]
    Data(#[source] serde_json::Error),
}

/// Builds `{"<field>":{"previous":…,"current":…}}` from the earlier values and the data as it is now.
///
/// Fields come in the order of `previous`; one whose value is the same in `data`, however it is written there, is left out, one
/// that `data` no longer has is `null` now. Values are copied as text, so that numbers stay exactly as they were sent.
///
/// # Errors
/// When `previous` or `data` is no JSON object.
pub fn changes_from_previous(previous: &str, data: &str) -> Result<String, ChangesError> {
    let Members(earlier) = serde_json::from_str(previous).map_err(ChangesError::Previous)?;
    let Members(now) = serde_json::from_str(data).map_err(ChangesError::Data)?;
    let now: HashMap<Cow<'_, str>, &RawValue> = now.into_iter().collect();
    let mut out = String::with_capacity(previous.len() * 2 + 2);
    out.push('{');
    for (field, was) in &earlier {
        let is = now.get(field).map_or("null", |value| value.get());
        if is_same(was.get(), is) {
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        write_string(field, &mut out);
        out.push_str(":{\"previous\":");
        out.push_str(was.get());
        out.push_str(",\"current\":");
        out.push_str(is);
        out.push('}');
    }
    out.push('}');
    Ok(out)
}

/// Checks that `changes` are an object whose members are objects with exactly `previous` and `current` ("changes object showing
/// which fields were modified and their previous values", document 000; contracts.md, reading 3).
///
/// # Errors
/// What has another form, at most 32 places: a field that lacks one of the two, or else each member that it has besides.
pub fn check_changes(changes: &str) -> Result<(), Vec<Misfit>> {
    let Ok(Members(fields)) = serde_json::from_str(changes) else {
        let detail = "must be an object {\"<field>\": {\"previous\": …, \"current\": …}}".to_owned();
        return Err(vec![Misfit { pointer: String::new(), detail }]);
    };
    let misfits: Vec<_> =
        fields.iter().flat_map(|(field, change)| change_misfits(field, change.get())).take(MISFITS_MAX).collect();
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}

fn change_misfits(field: &str, change: &str) -> Vec<Misfit> {
    let pointer = format!("/{}", pointer_token(field));
    let Ok(Members(members)) = serde_json::from_str(change) else {
        let detail = "must be an object with exactly `previous` and `current`".to_owned();
        return vec![Misfit { pointer, detail }];
    };
    let (mut has_previous, mut has_current) = (false, false);
    let mut misfits = Vec::new();
    for (name, _) in &members {
        let detail = match &**name {
            "previous" if !std::mem::replace(&mut has_previous, true) => continue,
            "current" if !std::mem::replace(&mut has_current, true) => continue,
            "previous" | "current" => "is there twice; send it once",
            _ => "is neither `previous` nor `current`; leave it out",
        };
        if misfits.len() < MISFITS_MAX {
            misfits.push(Misfit { pointer: format!("{pointer}/{}", pointer_token(name)), detail: detail.to_owned() });
        }
    }
    let missing = match (has_previous, has_current) {
        (true, true) => return misfits,
        (false, true) => "`previous`",
        (true, false) => "`current`",
        (false, false) => "`previous` and `current`",
    };
    vec![Misfit { pointer, detail: format!("lacks {missing}; a change has exactly `previous` and `current`") }]
}

/// A member's name as a part of a JSON Pointer (RFC 6901, section 3).
fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pointers(changes: &str) -> Vec<String> {
        check_changes(changes).err().unwrap_or_default().into_iter().map(|misfit| misfit.pointer).collect()
    }

    #[test]
    fn changes_of_another_form_are_misfits_each_where_it_stands() {
        let changes =
            r#"{"a":1,"b":{"prev":2},"c":{"previous":1,"current":2,"extra":3},"d":{"current":null,"previous":{}}}"#;
        let misfits = check_changes(changes).unwrap_err();
        let shown: Vec<_> = misfits.iter().map(|m| format!("{}: {}", m.pointer, m.detail)).collect();
        assert_eq!(
            shown,
            [
                "/a: must be an object with exactly `previous` and `current`",
                "/b: lacks `previous` and `current`; a change has exactly `previous` and `current`",
                "/c/extra: is neither `previous` nor `current`; leave it out",
            ]
        );
        assert_eq!(
            pointers(r#"{"a/b~c":{"previous":1},"":[],"x":{"previous":1,"current":2,"previous":3,"~":4}}"#),
            ["/a~1b~0c", "/", "/x/previous", "/x/~0",]
        );
        assert_eq!(pointers("[1]"), [""]);
        assert_eq!(pointers(r#" { "a" : {"pr\u0065vious":1.50,"current":[{"x":1}]} } "#), [""; 0]);
        assert_eq!(pointers("{}"), [""; 0]);
    }

    #[test]
    fn misfits_are_reported_up_to_a_limit() {
        let fields: Vec<_> = (0..1000).map(|n| format!("\"f{n}\":{n}")).collect();
        assert_eq!(pointers(&format!("{{{}}}", fields.join(","))).len(), MISFITS_MAX);
        let change = format!("{{\"previous\":1,\"current\":2,{}}}", fields.join(","));
        assert_eq!(pointers(&format!("{{\"a\":{change},\"b\":{change}}}")).len(), MISFITS_MAX);
    }

    proptest! {
        #[test]
        fn what_is_made_from_previous_has_the_form(
            earlier in prop::collection::btree_map(".{0,4}", -2i64..2, 0..6),
            now in prop::collection::btree_map(".{0,4}", -2i64..2, 0..6),
        ) {
            let text = |members| serde_json::to_string(members).unwrap();
            prop_assert_eq!(check_changes(&changes_from_previous(&text(&earlier), &text(&now)).unwrap()), Ok(()));
        }

        #[test]
        fn arbitrary_text_never_panics(text: String) {
            let _ = check_changes(&text);
        }
    }

    #[test]
    fn each_modified_field_shows_both_values_with_numbers_untouched() {
        let previous = r#"{"amount": 1.10, "stage":"qualified","big":12345678901234567890}"#;
        let data = r#"{"id":"d1","amount":1.20,"stage":"proposal","big":12345678901234567891}"#;
        let expected = concat!(
            r#"{"amount":{"previous":1.10,"current":1.20},"stage":{"previous":"qualified","current":"proposal"},"#,
            r#""big":{"previous":12345678901234567890,"current":12345678901234567891}}"#
        );
        assert_eq!(changes_from_previous(previous, data).unwrap(), expected);
    }

    #[test]
    fn unchanged_fields_are_left_out_and_removed_ones_are_null_now() {
        let changes = changes_from_previous(r#"{"tags":[1, 2],"owner":"a"}"#, r#"{"tags":[1,2]}"#).unwrap();
        assert_eq!(changes, r#"{"owner":{"previous":"a","current":null}}"#);
        assert_eq!(changes_from_previous("{}", "{}").unwrap(), "{}");
    }

    #[test]
    fn a_value_that_is_only_written_otherwise_is_not_modified() {
        let previous = r#"{"a":{"x":1,"y":[true]},"n":1,"t":"\u0041","b":12345678901234567890.0,"s":"1"}"#;
        let data = r#"{"a":{"y":[true],"x":1e0},"n":1.0,"t":"A","b":12345678901234567891,"s":1}"#;
        let expected = concat!(
            r#"{"b":{"previous":12345678901234567890.0,"current":12345678901234567891},"#,
            r#""s":{"previous":"1","current":1}}"#
        );
        assert_eq!(changes_from_previous(previous, data).unwrap(), expected);
    }

    #[test]
    fn what_is_no_object_is_refused_with_advice() {
        let error = changes_from_previous("[1]", "{}").unwrap_err();
        assert!(error.to_string().contains("`previous` is not a JSON object"), "{error}");
        assert!(matches!(changes_from_previous("{}", "7"), Err(ChangesError::Data(_))));
    }
}
