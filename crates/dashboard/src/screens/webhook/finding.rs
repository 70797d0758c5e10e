//! What a diagnosis found, in the viewer's language.

use serde_json::{Map, Value};

use super::trouble::too_many;
use crate::advice::happened;
use crate::api::{CheckDetail, DisabledReasonParams, Mistake};
use crate::facts::with_facts;
use crate::mistake::say_mistake;
use crate::say::Say;
use crate::visible::{Piece, visible};

/// Codes whose text leaves to the API's own, which is English, what exactly was found.
const DETAILED: [&str; 1] = ["endpoint_status.disabled"];
/// The code whose text tells why in a sentence that others tell as well.
const FAILURES: &str = "endpoint_status.consecutive_failures";

/// Something that was found, as it is shown. It may repeat what a receiver said.
pub(crate) struct Finding {
    pub(crate) text: Vec<Piece>,
    /// Whether that is in English because there is no message for it.
    pub(crate) is_english: bool,
    /// What the API says of it, in English, where that tells more: a host, an address, what a receiver said.
    pub(crate) detail: Option<Vec<Piece>>,
}

/// A text, and whether the API's own tells more.
type Said = (String, bool);

impl Finding {
    /// By its code; else what the API says.
    pub(crate) fn new(say: Say, code: &str, params: &Map<String, Value>, english: &str) -> Self {
        let said =
            own(say, code, params).or_else(|| wrong_field(say, code, params)).or_else(|| failure(say, code, params));
        match said {
            Some((text, has_detail)) => {
                Finding { text: visible(&text), is_english: false, detail: has_detail.then(|| visible(english)) }
            }
            None => Finding { text: visible(english), is_english: say.language() != "en", detail: None },
        }
    }

    /// What was found of one of several, in one line.
    pub(crate) fn of_several(say: Say, one: &CheckDetail) -> Self {
        Finding { detail: None, ..Finding::new(say, &one.code, &one.params, &one.text) }
    }
}

fn own(say: Say, code: &str, params: &Map<String, Value>) -> Option<Said> {
    let name = message_name(code);
    if code == FAILURES {
        let reason: DisabledReasonParams = serde_json::from_value(Value::Object(params.clone())).ok()?;
        return Some((say.with(&name, "why", too_many(say, &reason)?), false));
    }
    Some((with_facts(say, &name, params)?, DETAILED.contains(&code)))
}

/// `dns.found` is said by `found-dns-found`.
fn message_name(code: &str) -> String {
    format!("found-{}", code.replace(['.', '_'], "-"))
}

/// A URL that is refused, as its field would be.
fn wrong_field(say: Say, code: &str, params: &Map<String, Value>) -> Option<Said> {
    let (code, params) = (code.to_owned(), params.clone());
    let said = say_mistake(say, &Mistake { pointer: String::new(), detail: String::new(), code, params });
    Some((said.text?, said.detail.is_some()))
}

/// What fails as an attempt would; at one of several addresses, with that before it.
fn failure(say: Say, code: &str, params: &Map<String, Value>) -> Option<Said> {
    let status_code = params.get("status_code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let text = happened(say, code, status_code)?;
    let text = match params.get("address").and_then(Value::as_str) {
        Some(address) => say.with2("found-at", "address", address, "text", text),
        None => text,
    };
    Some((text, status_code.is_none()))
}

#[cfg(test)]
mod tests {
    use postrider_domain::{FailureKind, FindingKind};
    use postrider_texts::LANGUAGES;
    use serde_json::json;

    use super::*;

    const ENGLISH: &str = "as the API says it";

    fn found(language: &str, code: &str, params: &Value) -> Finding {
        Finding::new(Say::new(language), code, params.as_object().unwrap(), ENGLISH)
    }

    fn text(pieces: &[Piece]) -> String {
        pieces.iter().map(|piece| piece.text.as_str()).collect()
    }

    /// The facts that a meaning names.
    fn facts(meaning: &str) -> Value {
        let names = meaning.split('`').skip(1).step_by(2).map(str::to_owned);
        let value = |name: &str| match name {
            "count" | "failed" | "days" | "status_code" => json!(2),
            "kind" => json!("status"),
            name if name.ends_with("_ms") => json!(18),
            _ => json!("x"),
        };
        Value::Object(names.map(|name| (name.clone(), value(&name))).collect())
    }

    #[test]
    fn everything_that_can_be_found_is_said_whole_in_every_language() {
        for language in LANGUAGES {
            for kind in FindingKind::ALL {
                let shown = found(language, kind.code(), &facts(kind.meaning()));
                assert!(!shown.is_english && text(&shown.text) != ENGLISH, "{language}: {kind:?}");
            }
            for code in FailureKind::message_codes() {
                let shown = found(language, &code, &json!({"address": "192.0.2.1:443"}));
                assert!(!shown.is_english && text(&shown.text).contains("192.0.2.1:443"), "{language}: {code}");
            }
            let refused = found(language, "url.private_address", &json!({"address": "10.0.0.1"}));
            assert!(!refused.is_english && text(&refused.text).contains("10.0.0.1"), "{language}");
        }
    }

    #[test]
    fn no_message_is_for_what_cannot_be_found() {
        let mut expected: Vec<_> = FindingKind::ALL.iter().map(|kind| message_name(kind.code())).collect();
        expected.push("found-at".to_owned());
        expected.sort();
        assert_eq!(postrider_texts::names(&[include_str!("../../../texts/en/found.ftl")]), expected);
    }

    #[test]
    fn the_reference_lists_every_code_with_its_meaning() {
        let reference = include_str!("../../../../../docs/api.md");
        for kind in FindingKind::ALL {
            assert!(reference.contains(&format!("| `{}` | {} |", kind.code(), kind.meaning())), "{kind:?}");
        }
    }

    #[test]
    fn what_the_api_tells_beyond_its_code_stands_beside_it() {
        let closed = found("es", "connect.connection_refused", &json!({}));
        assert_eq!(closed.detail.as_deref().map(text).as_deref(), Some(ENGLISH));
        assert!(found("es", "status", &json!({"status_code": 503})).detail.is_none());
        assert!(found("es", "endpoint_status.disabled", &json!({})).detail.is_some());
        assert!(found("es", "tcp.connected", &json!({"count": 1})).detail.is_none());
    }

    #[test]
    fn why_a_webhook_was_disabled_is_told_as_everywhere() {
        let params = json!({"count": 12, "kind": "status", "status_code": 503});
        let shown = text(&found("pt-BR", FAILURES, &params).text);
        assert!(shown.contains("12 tentativas") && shown.contains("503"), "{shown}");
    }

    #[test]
    fn what_has_no_message_is_said_as_the_api_says_it() {
        for (language, is_english) in [("es", true), ("en", false)] {
            let unknown = found(language, "magic.of_a_later_release", &json!({}));
            assert_eq!((text(&unknown.text).as_str(), unknown.is_english), (ENGLISH, is_english));
            assert!(unknown.detail.is_none());
        }
    }

    #[test]
    fn what_a_receiver_said_has_marks_for_what_cannot_be_seen() {
        let shown = found("en", "redirect.target", &json!({"target": "https://\u{202e}moc"}));
        assert!(shown.text.iter().any(|piece| piece.is_mark), "{:?}", shown.text);
    }
}
