//! How far a recovery has come, in words.

use crate::api::Operation;
use crate::say::Say;

/// A recovery as it is shown.
#[derive(Clone)]
pub(super) struct Progress {
    pub(super) say: Say,
    pub(super) operation: Operation,
    /// The screen that it belongs to.
    pub(super) base: String,
}

impl Progress {
    pub(super) fn is_running(&self) -> bool {
        self.operation.is_running()
    }

    /// `Sending again…`
    pub(super) fn title(&self) -> String {
        self.say.named("recovery-title-", &self.operation.status)
    }

    /// `Running`
    pub(super) fn status(&self) -> String {
        self.say.named("recovery-status-", &self.operation.status)
    }

    /// What colours the status, of the words that the style sheet knows.
    pub(super) fn mood(&self) -> &'static str {
        match self.operation.status.as_str() {
            "running" => "pending",
            "succeeded" => "succeeded",
            _ => "failed",
        }
    }

    /// `120 of 412 deliveries`
    pub(super) fn done(&self) -> String {
        let Operation { done, total, .. } = self.operation;
        match total {
            Some(total) => self.say.with2("recovery-done-of", "done", self.say.number(done), "total", total),
            None if self.is_running() => self.say.text("recovery-counting"),
            None => self.say.with("recovery-done", "done", done),
        }
    }

    /// What the bar ends at; none while it is being counted. A bar of nothing is full.
    pub(super) fn bar_max(&self) -> Option<u64> {
        self.operation.total.map(|total| total.max(1))
    }

    pub(super) fn bar_value(&self) -> u64 {
        if self.operation.status == "succeeded" { self.bar_max().unwrap_or(1) } else { self.operation.done }
    }

    /// Why it was given up: the API's sentences that are known, in the viewer's language.
    pub(super) fn why_given_up(&self) -> Option<String> {
        let reason = self.operation.reason.as_deref()?;
        let known = ["paused", "disabled", "deleted"];
        let word = known.into_iter().find(|word| reason.starts_with(&format!("the endpoint was {word}")))?;
        self.say.maybe(&format!("recovery-given-up-{word}"))
    }

    /// The same as it came, in English, where it is not known.
    pub(super) fn english_reason(&self) -> Option<&str> {
        self.operation.reason.as_deref().filter(|_| self.why_given_up().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postrider_texts::LANGUAGES;
    use serde_json::json;

    fn progress(language: &str, status: &str, done: u64, total: Option<u64>, reason: Option<&str>) -> Progress {
        let operation = json!({"id": "op_1", "kind": "recovery", "status": status, "reason": reason, "done": done, "total": total,
            "endpoint": "ep_1", "since": null, "until": null, "created_at": "2026-03-05T09:08:07.654Z"});
        let operation = serde_json::from_value(operation).unwrap();
        Progress { say: Say::new(language), operation, base: "/o/acme/webhooks/ep_1/recover".to_owned() }
    }

    #[test]
    fn how_far_it_has_come_is_said_with_the_languages_numbers() {
        assert_eq!(progress("en", "running", 120, Some(1), None).done(), "120 of 1 delivery");
        assert_eq!(progress("en", "running", 1_200, Some(41_200), None).done(), "1,200 of 41,200 deliveries");
        assert_eq!(progress("pt-BR", "failed", 12_345, None, None).done(), "12.345 entregas");
    }

    #[test]
    fn a_bar_fills_with_what_is_done_and_is_full_at_the_end() {
        let running = progress("en", "running", 3, Some(10), None);
        assert_eq!((running.bar_value(), running.bar_max()), (3, Some(10)));
        let nothing = progress("en", "succeeded", 0, Some(0), None);
        assert_eq!((nothing.bar_value(), nothing.bar_max()), (1, Some(1)));
        assert_eq!(progress("en", "running", 0, None, None).bar_max(), None);
    }

    #[test]
    fn why_a_recovery_was_given_up_is_said_in_each_language() {
        let reasons = [
            "the endpoint was paused; recover again once it is enabled",
            "the endpoint was disabled; recover again once it is enabled",
            "the endpoint was deleted",
        ];
        for language in LANGUAGES {
            for reason in reasons {
                let given_up = progress(language, "failed", 1, None, Some(reason));
                assert!(given_up.why_given_up().is_some() && given_up.english_reason().is_none(), "{language}");
            }
            let unknown = progress(language, "failed", 1, None, Some("something new"));
            assert_eq!((unknown.why_given_up(), unknown.english_reason()), (None, Some("something new")));
        }
    }
}
