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
    /// What happened, in English; it may repeat what a receiver said.
    pub(crate) message: Vec<Piece>,
    pub(crate) advice: Advice,
}

impl Failure {
    pub(crate) fn new(say: Say, error: &AttemptError) -> Self {
        Failure {
            kind: say.named("failure-", &error.kind.replace('_', "-")),
            message: visible(&error.message),
            advice: Advice::new(say, &error.advice_code, &error.advice),
        }
    }
}
