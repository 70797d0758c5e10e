//! What is wrong with fields, in the viewer's language: by the code that the API gives each mistake, where there is a text for it.

use serde_json::Value;

use crate::api::Mistake;
use crate::facts::with_facts;
use crate::say::Say;

/// Codes whose text leaves to the API's own detail, which is English, what exactly is wrong.
const DETAILED: [&str; 4] = ["event.changes", "event.data", "filter.invalid", "url.host"];

/// A mistake in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// In the viewer's language.
    pub(crate) text: Option<String>,
    /// What the API says, in English: where it says more, or where nothing else is said.
    pub(crate) detail: Option<String>,
}

/// Says one.
pub(crate) fn say_mistake(say: Say, mistake: &Mistake) -> Said {
    let text = translated(say, mistake);
    let is_needed = text.is_none() || DETAILED.contains(&mistake.code.as_str());
    Said { text, detail: is_needed.then(|| mistake.detail.clone()) }
}

fn translated(say: Say, mistake: &Mistake) -> Option<String> {
    let name = message_name(&mistake.code);
    // What is counted is told in English words; the first says what it is.
    let counted = mistake.params.get("limit").and_then(Value::as_str).and_then(|limit| limit.split(' ').next());
    let finer = counted.map(|counted| format!("{name}-{counted}")).filter(|finer| say.maybe(finer).is_some());
    let name = finer.unwrap_or(name);
    with_facts(say, &name, &mistake.params)
}

/// `url.private_address` is said by `code-url-private-address`.
fn message_name(code: &str) -> String {
    format!("code-{}", code.replace(['.', '_'], "-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postrider_texts::LANGUAGES;
    use serde_json::json;

    const REFERENCE: &str = include_str!("../../../docs/api.md");

    fn mistake(code: &str, params: &Value) -> Mistake {
        let told = json!({"pointer": "/url", "detail": "as the API says it", "code": code, "params": params});
        serde_json::from_value(told).unwrap()
    }

    /// The codes that the reference lists, each with the parameters that it names.
    fn codes() -> Vec<(&'static str, Vec<&'static str>)> {
        let (_, section) = REFERENCE.split_once("### Codes of wrong fields").unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
        let codes = rows.filter(|(code, _)| code.contains('.') && !code.contains([' ', '/']));
        codes.map(|(code, meaning)| (code, meaning.split('`').skip(1).step_by(2).collect())).collect()
    }

    #[test]
    fn every_code_of_the_reference_has_a_text_and_no_text_is_for_another() {
        let codes = codes();
        assert!(codes.len() > 80, "{codes:?}");
        for (code, _) in &codes {
            assert!(Say::new("en").maybe(&message_name(code)).is_some(), "{code} has no text");
        }
        let of_codes: Vec<_> = codes.iter().map(|(code, _)| message_name(code)).collect();
        let source = include_str!("../texts/en/codes.ftl");
        for name in postrider_texts::names(&[source]) {
            let is_known = of_codes.iter().any(|known| name == *known || name.starts_with("code-limit-reached-"));
            assert!(is_known, "{name} says a code that does not exist");
        }
    }

    #[test]
    fn every_text_is_whole_with_the_parameters_that_its_code_has() {
        for (code, names) in codes() {
            let params: serde_json::Map<_, _> = names.into_iter().map(|name| (name.to_owned(), json!("x"))).collect();
            let mistake = mistake(code, &Value::Object(params));
            for language in LANGUAGES {
                let said = say_mistake(Say::new(language), &mistake);
                assert!(said.text.is_some(), "{language}: {code} uses a parameter that the reference does not name");
            }
        }
    }

    #[test]
    fn numbers_are_counted_and_ports_are_not() {
        let said = |language, code, params| say_mistake(Say::new(language), &mistake(code, &params)).text.unwrap();
        assert!(said("es", "url.too_long", json!({"has": 12_345, "max": 2048})).contains("12.345"));
        assert!(said("en", "url.port_refused", json!({"port": 6379})).contains("6379"));
        assert!(
            said("en", "limit.reached", json!({"max": 10, "limit": "endpoints per organization"}))
                .contains("10 webhooks")
        );
    }

    #[test]
    fn what_has_no_text_is_said_as_the_api_says_it() {
        let unknown = say_mistake(Say::new("es"), &mistake("url.from_the_future", &json!({})));
        assert_eq!(unknown, Said { text: None, detail: Some("as the API says it".into()) });
        let bare = say_mistake(Say::new("es"), &mistake("url.port_refused", &json!({})));
        assert_eq!(bare, Said { text: None, detail: Some("as the API says it".into()) });
        let both = say_mistake(Say::new("es"), &mistake("filter.invalid", &json!({"at": 3})));
        assert!(both.text.is_some() && both.detail.is_some());
    }
}
