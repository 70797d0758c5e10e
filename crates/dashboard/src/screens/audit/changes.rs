//! What was changed, field by field, so that people see at once what came and what went.

use serde_json::{Map, Value};

use crate::say::Say;

/// One field, as it was and as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) field: String,
    /// What went; empty when there was nothing.
    pub(super) was: Vec<String>,
    /// What came.
    pub(super) is: Vec<String>,
}

/// All that differ, in the order in which they are told. Of a list only what came and what went.
pub(super) fn changes(say: Say, before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
    let only_before = before.keys().filter(|name| !after.contains_key(*name));
    let names = after.keys().chain(only_before);
    let change = |name: &String| {
        let (was, is) = (texts(say, name, before.get(name)), texts(say, name, after.get(name)));
        let without = |these: &[String], others: &[String]| -> Vec<String> {
            these.iter().filter(|text| !others.contains(text)).cloned().collect()
        };
        Change { field: field_words(say, name), was: without(&was, &is), is: without(&is, &was) }
    };
    names.map(change).filter(|change| !(change.was.is_empty() && change.is.is_empty())).collect()
}

/// `owner_email` is the message `audit-field-owner-email`; a header has its own name.
fn field_words(say: Say, name: &str) -> String {
    if let Some(header) = name.strip_prefix("headers.") {
        return say.with("audit-header", "name", header);
    }
    let message = format!("audit-field-{}", name.replace(['.', '_'], "-"));
    say.maybe(&message).unwrap_or_else(|| name.to_owned())
}

fn texts(say: Say, name: &str, value: Option<&Value>) -> Vec<String> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(all)) => all.iter().flat_map(|one| texts(say, name, Some(one))).collect(),
        Some(Value::String(text)) => vec![value_words(say, name, text)],
        Some(other) => vec![other.to_string()],
    }
}

fn value_words(say: Say, name: &str, text: &str) -> String {
    let of_family = |family: &str| say.maybe(&format!("{family}{}", text.replace([':', '_'], "-")));
    let known = match name {
        "scopes" => of_family("scope-"),
        "status" => of_family("status-"),
        "ordering" => of_family("ordering-"),
        "event_validation" => of_family("validation-"),
        "expires_at" | "overlap.ends_at" => Some(say.moment(text)),
        "overlap.confirmed" => of_family("audit-confirmed-"),
        _ => None,
    };
    known.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(before: &Value, after: &Value) -> Vec<Change> {
        changes(Say::new("en"), before.as_object().unwrap(), after.as_object().unwrap())
    }

    fn change(field: &str, was: &[&str], is: &[&str]) -> Change {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Change { field: field.to_owned(), was: owned(was), is: owned(is) }
    }

    #[test]
    fn of_a_list_only_what_came_and_went_is_told() {
        let before = json!({"events": ["deal.won", "deal.lost"], "name": "Old"});
        let after = json!({"events": ["deal.won", "contact.*"], "name": "New"});
        let expected = [change("Events", &["deal.lost"], &["contact.*"]), change("Name", &["Old"], &["New"])];
        assert_eq!(of(&before, &after), expected);
    }

    #[test]
    fn words_of_the_api_are_told_in_the_viewers_language() {
        let known = json!({"status": "paused", "ordering": "none", "scopes": ["events:write"]});
        for language in postrider_texts::LANGUAGES {
            for change in changes(Say::new(language), &Map::new(), known.as_object().unwrap()) {
                let raw = known.as_object().unwrap().values().any(|value| value.to_string().contains(&change.is[0]));
                assert!(!raw, "{language}: {change:?}");
            }
        }
    }

    #[test]
    fn what_is_made_has_no_before_and_what_is_empty_is_not_told() {
        let made = json!({"name": "A", "plan": null, "frame_ancestors": [], "headers.X-Token": "********"});
        assert_eq!(of(&json!({}), &made).len(), 2);
        let emptied = of(&json!({"plan": "pro", "later": 1}), &json!({"plan": null}));
        assert_eq!(emptied, [change("Plan", &["pro"], &[]), change("later", &["1"], &[])]);
    }
}
