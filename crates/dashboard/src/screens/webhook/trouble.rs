//! What is wrong with a webhook, in the viewer's words.

use postrider_texts::fluent_bundle::FluentValue;

use crate::api::Endpoint;
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

/// Why the system stopped a webhook. Reasons that are not known here are told as they came, in English.
pub(crate) fn why_disabled(say: Say, reason: &str) -> Words {
    let known = if reason.contains("(status 410)") { Some(say.text("disabled-gone")) } else { too_many(say, reason) };
    match known {
        Some(text) => Words { text, is_english: false },
        None => Words { text: reason.to_owned(), is_english: true },
    }
}

/// `12 attempts in a row failed; the latest was answered with status 500`, or `…; the latest failed with timeout`.
fn too_many(say: Say, reason: &str) -> Option<String> {
    let (count, latest) = reason.split_once(" attempts in a row failed; the latest ")?;
    let count = FluentValue::from(count.parse::<u32>().ok()?);
    if let Some(code) = latest.strip_prefix("was answered with status ") {
        return Some(say.all("disabled-status", [("count", count), ("code", FluentValue::from(code))]));
    }
    let cause = say.maybe(&format!("failed-by-{}", latest.strip_prefix("failed with ")?.replace('_', "-")))?;
    Some(say.all("disabled-cause", [("count", count), ("cause", FluentValue::from(cause))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_webhook_was_disabled_is_said_in_every_language() {
        let gone = "the receiver answered that it is gone for good (status 410)";
        let status = "12 attempts in a row failed; the latest was answered with status 500";
        let timeout = "1200 attempts in a row failed; the latest failed with timeout";
        for language in ["en", "pt-BR", "es"] {
            let say = Say::new(language);
            for reason in [gone, status, timeout] {
                let words = why_disabled(say, reason);
                assert!(!words.is_english && !words.text.contains("disabled-"), "{language}: {words:?}");
            }
            assert!(why_disabled(say, status).text.contains("12") && why_disabled(say, status).text.contains("500"));
        }
        assert!(why_disabled(Say::new("es"), timeout).text.contains("1200"));
    }

    #[test]
    fn every_kind_of_failure_has_words() {
        for kind in [
            "url_refused",
            "address_refused",
            "dns",
            "connect",
            "tls",
            "timeout",
            "bad_response",
            "connection_closed",
            "proxy",
            "request_invalid",
        ] {
            let reason = format!("3 attempts in a row failed; the latest failed with {kind}");
            assert!(!why_disabled(Say::new("pt-BR"), &reason).is_english, "{kind}");
        }
    }

    #[test]
    fn a_reason_that_is_not_known_is_told_as_it_came() {
        let words = why_disabled(Say::new("es"), "the operator stopped it");
        assert_eq!(words, Words { text: "the operator stopped it".to_owned(), is_english: true });
    }
}
