//! What is wrong with a webhook, in the viewer's words.

use postrider_texts::fluent_bundle::FluentValue;

use crate::api::{DisabledReasonParams, Endpoint};
use crate::say::Say;

/// From so many failed attempts in a row on it is said that a webhook fails: one or two end by themselves most of the time.
const FAILING_MIN: u32 = 3;

/// What stands in the way of deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// It is active and fails on end.
    Failing,
    /// Its owner stopped it.
    Paused,
    /// The system stopped it.
    Disabled,
}

impl Trouble {
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        match endpoint.status.as_str() {
            "disabled" => Trouble::Disabled,
            "paused" => Trouble::Paused,
            _ if endpoint.consecutive_failures >= FAILING_MIN => Trouble::Failing,
            _ => Trouble::None,
        }
    }

    pub(crate) fn is_disabled(self) -> bool {
        self == Trouble::Disabled
    }

    pub(crate) fn is_paused(self) -> bool {
        self == Trouble::Paused
    }

    pub(crate) fn is_failing(self) -> bool {
        self == Trouble::Failing
    }
}

/// A sentence, which may be in English alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) text: String,
    pub(crate) is_english: bool,
}

/// Why the system stopped a webhook; none where it did not. Reasons that are not known here are told as they came, in English.
pub(crate) fn why_disabled(say: Say, endpoint: &Endpoint) -> Option<Words> {
    let reason = endpoint.disabled_reason.as_deref()?;
    let known = match (endpoint.disabled_reason_code.as_deref(), &endpoint.disabled_reason_params) {
        (Some("gone"), _) => Some(say.text("disabled-gone")),
        (Some("consecutive_failures"), Some(params)) => too_many(say, params),
        _ => None,
    };
    Some(match known {
        Some(text) => Words { text, is_english: false },
        None => Words { text: reason.to_owned(), is_english: true },
    })
}

/// That attempts failed on end, and how the latest ended; none where that is not known here.
pub(crate) fn too_many(say: Say, params: &DisabledReasonParams) -> Option<String> {
    let count = FluentValue::from(params.count);
    if let Some(code) = params.status_code {
        let code = FluentValue::from(code.to_string());
        return Some(say.all("disabled-status", [("count", count), ("code", code)]));
    }
    let cause = say.maybe(&format!("failed-by-{}", params.kind.replace('_', "-")))?;
    Some(say.all("disabled-cause", [("count", count), ("cause", FluentValue::from(cause))]))
}

#[cfg(test)]
mod tests {
    use postrider_domain::{DisabledReason, FailureKind};
    use postrider_texts::LANGUAGES;
    use serde_json::{Value, json};

    use super::*;

    fn why(language: &str, code: &str, params: &Value) -> Words {
        let endpoint = json!({
            "id": "ep_1", "name": "e", "url": "https://example.com", "events": ["*"], "contract": "own", "ordering": "none",
            "status": "disabled", "consecutive_failures": 0, "headers": {}, "signed": true,
            "disabled_reason": "as the API says it", "disabled_reason_code": code, "disabled_reason_params": params,
        });
        why_disabled(Say::new(language), &serde_json::from_value(endpoint).unwrap()).unwrap()
    }

    #[test]
    fn every_reason_is_said_in_every_language() {
        for language in LANGUAGES {
            for code in DisabledReason::CODES {
                let words = why(language, code, &json!({"count": 12, "kind": "status", "status_code": 500}));
                assert!(!words.is_english && !words.text.contains("disabled-"), "{language}: {words:?}");
            }
            for kind in FailureKind::ALL.into_iter().filter(|kind| *kind != FailureKind::Status) {
                let words = why(language, "consecutive_failures", &json!({"count": 3, "kind": kind.as_str()}));
                assert!(!words.is_english && words.text.contains('3'), "{language}: {words:?}");
            }
        }
    }

    #[test]
    fn numbers_are_counted_and_statuses_are_not() {
        let words = why("es", "consecutive_failures", &json!({"count": 12_345, "kind": "status", "status_code": 503}));
        assert!(words.text.contains("12.345") && words.text.contains("503"), "{words:?}");
    }

    #[test]
    fn a_reason_that_is_not_known_is_told_as_it_came() {
        let expected = Words { text: "as the API says it".to_owned(), is_english: true };
        assert_eq!(why("es", "other", &Value::Null), expected);
        assert_eq!(why("es", "consecutive_failures", &json!({"count": 3, "kind": "boredom"})), expected);
    }
}
