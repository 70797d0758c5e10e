//! What can be done about a failure, in the viewer's language.

use crate::api::AttemptError;
use crate::say::Say;
use crate::visible::{Piece, visible};

/// Advice, and whether it is still in English because there is no message for it.
pub(crate) struct Advice {
    pub(crate) text: String,
    pub(crate) is_english: bool,
}

impl Advice {
    /// By its code; else what the API says.
    pub(crate) fn new(say: Say, code: &str, english: &str) -> Self {
        match say.maybe(&format!("advice-{}", code.replace('_', "-"))) {
            Some(text) => Advice { text, is_english: false },
            None => Advice { text: english.to_owned(), is_english: say.language() != "en" },
        }
    }
}

/// Why an attempt failed, as it is shown.
pub(crate) struct Failure {
    /// The kind, in a few words.
    pub(crate) kind: String,
    /// What happened.
    pub(crate) text: Vec<Piece>,
    /// Whether that is in English because there is no message for it.
    pub(crate) is_english: bool,
    /// What the API says of it, in English, where that tells more: a host, an address, what a receiver said.
    pub(crate) detail: Option<Vec<Piece>>,
    pub(crate) advice: Advice,
}

impl Failure {
    /// `status_code` is what the attempt was answered.
    pub(crate) fn new(say: Say, error: &AttemptError, status_code: Option<u16>) -> Self {
        let said = happened(say, &error.message_code, status_code);
        let (is_said, is_answered) = (said.is_some(), error.kind == "status");
        Failure {
            kind: say.named("failure-", &error.kind.replace('_', "-")),
            text: said.map_or_else(|| visible(&error.message), |said| visible(&said)),
            is_english: !is_said && say.language() != "en",
            detail: (is_said && !is_answered).then(|| visible(&error.message)),
            advice: Advice::new(say, &error.advice_code, &error.advice),
        }
    }
}

/// What happened, by the message's code.
pub(crate) fn happened(say: Say, code: &str, status_code: Option<u16>) -> Option<String> {
    let name = format!("happened-{}", code.replace(['.', '_'], "-"));
    say.maybe(&name)?;
    let code = status_code.map(|code| code.to_string()).unwrap_or_default();
    Some(say.with(&name, "code", code))
}

#[cfg(test)]
mod tests {
    use postrider_domain::FailureKind;
    use postrider_texts::LANGUAGES;
    use serde_json::json;

    use super::*;

    fn failure(language: &str, kind: &str, code: &str) -> Failure {
        let told = json!({"kind": kind, "message": "as the API says it", "message_code": code, "advice": "do", "advice_code": "timeout"});
        Failure::new(Say::new(language), &serde_json::from_value(told).unwrap(), Some(503))
    }

    fn text(pieces: &[Piece]) -> String {
        pieces.iter().map(|piece| piece.text.as_str()).collect()
    }

    #[test]
    fn every_message_code_is_said_in_every_language_and_no_message_is_for_another() {
        let mut names: Vec<_> =
            FailureKind::message_codes().map(|code| format!("happened-{}", code.replace(['.', '_'], "-"))).collect();
        for (language, source) in LANGUAGES.into_iter().zip([
            include_str!("../texts/en/happened.ftl"),
            include_str!("../texts/pt-BR/happened.ftl"),
            include_str!("../texts/es/happened.ftl"),
        ]) {
            for code in FailureKind::message_codes() {
                let shown = failure(language, code.split('.').next().unwrap(), &code);
                assert!(!shown.is_english && text(&shown.text) != "as the API says it", "{language}: {code}");
            }
            let mut there = postrider_texts::names(&[source]);
            there.sort();
            names.sort();
            assert_eq!(there, names, "{language}");
        }
    }

    #[test]
    fn the_reference_lists_every_message_code() {
        let reference = include_str!("../../../docs/api.md");
        for code in FailureKind::message_codes() {
            assert!(reference.contains(&format!("`{code}`")), "{code}");
        }
    }

    #[test]
    fn an_answer_is_told_by_its_status_and_anything_else_in_detail_too() {
        let answered = failure("es", "status", "status");
        assert!(text(&answered.text).contains("503") && answered.detail.is_none());
        let expired = failure("pt-BR", "tls", "tls.certificate_expired");
        assert_eq!(expired.detail.as_deref().map(text).as_deref(), Some("as the API says it"));
    }

    #[test]
    fn what_has_no_message_is_said_as_the_api_says_it() {
        let unknown = failure("es", "tls", "magic.from_a_later_release");
        assert_eq!((text(&unknown.text).as_str(), unknown.is_english), ("as the API says it", true));
        assert!(unknown.detail.is_none() && !failure("en", "tls", "magic").is_english);
    }
}
