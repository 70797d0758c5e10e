//! `changes`: which fields an update modified, and from what (contracts.md, reading 3).

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::json::{Members, compact, write_string};

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
/// Fields come in the order of `previous`; one whose value is the same text (white space aside) in `data` is left out, one
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
        if compact(was.get()) == compact(is) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_modified_field_shows_both_values_with_numbers_untouched() {
        let previous = r#"{"amount": 1.10, "stage":"qualified","big":12345678901234567890}"#;
        let data = r#"{"id":"d1","amount":1.100,"stage":"proposal","big":12345678901234567891}"#;
        let expected = concat!(
            r#"{"amount":{"previous":1.10,"current":1.100},"stage":{"previous":"qualified","current":"proposal"},"#,
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
    fn what_is_no_object_is_refused_with_advice() {
        let error = changes_from_previous("[1]", "{}").unwrap_err();
        assert!(error.to_string().contains("`previous` is not a JSON object"), "{error}");
        assert!(matches!(changes_from_previous("{}", "7"), Err(ChangesError::Data(_))));
    }
}
