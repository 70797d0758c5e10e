//! The facts that the API tells beside a text, put into a message of the viewer's language.

use postrider_texts::fluent_bundle::FluentValue;
use serde_json::{Map, Value};

use crate::say::Say;

/// Numbers that are names, and so are written as they are.
const UNCOUNTED: [&str; 2] = ["port", "status_code"];
/// What is written where a fact is an empty text.
const NOTHING: &str = "–";

/// The message with the facts in it; none where there is no such message, or where it needs a fact that is not told.
pub(crate) fn with_facts(say: Say, name: &str, facts: &Map<String, Value>) -> Option<String> {
    say.maybe(name)?;
    let arguments = facts.iter().filter_map(|(name, value)| Some((name.as_str(), argument(say, name, value)?)));
    let text = say.all(name, arguments);
    // A fact that is missing stands there by its name.
    (!text.contains("{$")).then_some(text)
}

fn argument<'v>(say: Say, name: &str, value: &'v Value) -> Option<FluentValue<'v>> {
    match value {
        Value::Number(number) if UNCOUNTED.contains(&name) => Some(FluentValue::from(number.to_string())),
        Value::Number(number) if name.ends_with("_ms") => Some(FluentValue::from(say.milliseconds(number.as_u64()?))),
        Value::Number(number) => number.as_f64().map(FluentValue::from),
        Value::String(text) if text.is_empty() => Some(FluentValue::from(NOTHING)),
        Value::String(text) if matches!(name, "from" | "until") => Some(FluentValue::from(say.date(text))),
        Value::String(text) => Some(FluentValue::from(text.as_str())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(language: &str, name: &str, facts: &Value) -> Option<String> {
        with_facts(Say::new(language), name, facts.as_object().unwrap())
    }

    #[test]
    fn numbers_spans_and_dates_are_written_as_the_language_does() {
        let certificate = json!({"names": "", "from": "2026-09-01", "until": "2027-01-30", "days": 12_000});
        let shown = said("es", "found-certificate-current", &certificate).unwrap();
        for part in ["1 de septiembre de 2026", "30 de enero de 2027", "12.000", NOTHING] {
            assert!(shown.contains(part), "{shown}");
        }
        let took = json!({"took_ms": 1_250, "allowed_ms": 10_000});
        let shown = said("pt-BR", "found-response-time-taken", &took).unwrap();
        assert!(shown.contains("1,25 s") && shown.contains("10 s"), "{shown}");
        assert!(said("en", "found-probe-answered", &json!({"status_code": 1_204})).unwrap().contains("1204"));
    }

    #[test]
    fn a_message_is_said_whole_or_not_at_all() {
        assert_eq!(said("en", "found-probe-answered", &json!({})), None);
        assert_eq!(said("en", "found-by-chance", &json!({})), None);
    }
}
