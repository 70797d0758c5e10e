//! What stands in a contract's templates for what differs between requests, explained.

use serde_json::Value;

use crate::api::Contract;
use crate::say::Say;

/// A reference, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// As it is written: `$event.id` in a body, `${event.id}` elsewhere.
    pub(super) written: String,
    pub(super) meaning: String,
}

/// Those that a contract uses, in the order in which they come.
pub(super) fn of(say: Say, contract: &Contract) -> Vec<Meaning> {
    let mut found = Found { say, meanings: Vec::new() };
    found.in_body(&contract.envelope);
    contract.headers.iter().for_each(|header| found.in_text(&header.value));
    if let Some(signature) = &contract.signature {
        found.in_text(&signature.value);
        found.in_text(&signature.signed);
    }
    found.meanings
}

struct Found {
    say: Say,
    meanings: Vec<Meaning>,
}

impl Found {
    /// Texts, and names of members, that begin with one dollar sign.
    fn in_body(&mut self, json: &Value) {
        match json {
            Value::String(text) => self.in_body_text(text),
            Value::Array(items) => items.iter().for_each(|item| self.in_body(item)),
            Value::Object(members) => {
                for (name, value) in members {
                    self.in_body_text(name);
                    self.in_body(value);
                }
            }
            _ => {}
        }
    }

    fn in_body_text(&mut self, text: &str) {
        if let Some(name) = text.strip_prefix('$').map(|name| name.trim_end_matches('?')) {
            self.add(name, format!("${name}"));
        }
    }

    /// `${name}`; two dollar signs stand for one.
    fn in_text(&mut self, text: &str) {
        let bare = text.replace("$$", "");
        for part in bare.split("${").skip(1) {
            if let Some((name, _)) = part.split_once('}') {
                self.add(name, format!("${{{name}}}"));
            }
        }
    }

    fn add(&mut self, name: &str, written: String) {
        let meaning = self.say.maybe(&format!("reference-{}", name.replace(['.', '_'], "-")));
        let is_new = self.meanings.iter().all(|known| known.written != written);
        self.meanings.extend(meaning.filter(|_| is_new).map(|meaning| Meaning { written, meaning }));
    }
}

#[cfg(test)]
mod tests {
    use postrider_texts::LANGUAGES;
    use serde_json::json;

    use super::*;
    use crate::api::contract_with;

    #[test]
    fn every_reference_that_is_used_is_explained_once() {
        let signature = json!({
            "header": "X-Sig", "value": "t=${attempt.unix},v=${signature}", "signed": "$${attempt.time}${attempt.unix}.${body}",
            "encoding": "hex", "tolerance_ms": null, "overlap": [], "swap_statuses": [], "schemes": [],
        });
        let envelope = json!({"id": "$event.id", "data": {"$data": {"id": "$resource.id?"}}, "list": ["$event.id"], "price": "$$5"});
        let headers = [json!({"name": "X-Id", "value": "${event.id}"})];
        let contract = contract_with(&json!({"envelope": envelope, "headers": headers, "signature": signature}));
        let found = of(Say::new("es"), &contract);
        let written: Vec<_> = found.iter().map(|one| one.written.as_str()).collect();
        let expected =
            ["$event.id", "$data", "$resource.id", "${event.id}", "${attempt.unix}", "${signature}", "${body}"];
        assert_eq!(written, expected);
    }

    /// What the reference of contract files lists.
    #[test]
    fn every_reference_there_is_has_a_meaning_in_every_language() {
        let reference = include_str!("../../../../../docs/contracts.md");
        let rows = reference.lines().filter_map(|line| line.strip_prefix("| `$")?.split_once("` |"));
        let names: Vec<_> = rows.map(|(name, _)| name.trim_matches(['{', '}']).to_owned()).collect();
        assert!(names.len() > 20, "{names:?}");
        for language in LANGUAGES {
            for name in &names {
                let message = format!("reference-{}", name.replace(['.', '_'], "-"));
                assert!(Say::new(language).maybe(&message).is_some(), "{language}: {name} is not explained");
            }
        }
    }
}
