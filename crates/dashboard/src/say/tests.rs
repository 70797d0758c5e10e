use std::path::Path;

use super::*;

/// Messages whose names are put together while the program runs: where, and of what.
const FAMILIES: &[&str] = &[
    "advice-",
    "audit-action-",
    "audit-confirmed-",
    "audit-field-",
    "check-",
    "code-",
    "fail-reason-",
    "failed-by-",
    "failure-",
    "found-",
    "happened-",
    "menu-",
    "month-",
    "ordering-",
    "outcome-",
    "recovery-given-up-",
    "recovery-status-",
    "recovery-title-",
    "reference-",
    "refused-",
    "routed-",
    "scope-",
    "source-capture-",
    "source-state-",
    "span-last-",
    "status-",
    "store-",
    "validation-",
];

fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|found| found == ending) && !entry.ends_with("tests.rs") {
                texts.push(std::fs::read_to_string(entry).unwrap());
            }
        }
    }
    texts
}

/// Every text in quotation marks that could be a message's name.
fn quoted(texts: &[String]) -> Vec<&str> {
    let is_name = |text: &&str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    texts.iter().flat_map(|text| text.split('"')).filter(is_name).collect()
}

/// The names that templates and code certainly use: the first argument of what says something.
fn said(texts: &[String]) -> Vec<&str> {
    let calls = ["text(\"", "with(\"", "with2(\"", "all(\"", ".enter(&organization, "];
    let after = |text: &'_ str, call: &str| -> Vec<usize> {
        text.match_indices(call).map(|(at, found)| at + found.len()).collect()
    };
    let mut names = Vec::new();
    for text in texts {
        for call in &calls[..4] {
            names.extend(after(text, &format!("say.{call}")).into_iter().filter_map(|at| text[at..].split('"').next()));
        }
    }
    names
}

#[test]
fn every_language_has_every_message_without_a_mistake() {
    let all: Vec<_> = LANGUAGES.into_iter().zip(SOURCES.map(<[&str]>::to_vec)).collect();
    assert_eq!(postrider_texts::mistakes(&all), Vec::<String>::new());
}

#[test]
fn every_message_is_used_and_every_used_one_is_there() {
    let (code, templates) = (files("src", "rs"), files("templates", "html"));
    let used: Vec<_> = quoted(&code).into_iter().chain(quoted(&templates)).collect();
    let names = postrider_texts::names(SOURCES[0]);
    let of_family = |name: &str| FAMILIES.iter().any(|family| name.starts_with(family));
    let unused: Vec<_> = names.iter().filter(|name| !of_family(name) && !used.contains(&name.as_str())).collect();
    assert!(unused.is_empty(), "nothing says these: {unused:?}");
    let mut missing: Vec<_> = said(&code)
        .into_iter()
        .chain(said(&templates))
        .filter(|name| !names.iter().any(|known| known == name))
        .collect();
    missing.dedup();
    assert!(missing.is_empty(), "these are said and not there: {missing:?}");
}

#[test]
fn every_advice_is_given_in_words() {
    let mut needed: Vec<_> = postrider_domain::Advice::ALL
        .iter()
        .map(|advice| format!("advice-{}", advice.code().replace('_', "-")))
        .collect();
    needed.sort();
    let given: Vec<_> =
        postrider_texts::names(SOURCES[0]).into_iter().filter(|name| name.starts_with("advice-")).collect();
    assert_eq!(given, needed);
}

#[test]
fn what_is_counted_and_measured_is_written_as_the_language_does() {
    let (en, es) = (Say::new("en"), Say::new("es"));
    assert_eq!(en.percent(0.9999), "99.9%");
    assert_eq!(es.percent(0.9999), "99,9 %");
    assert_eq!(en.percent(1.0), "100%");
    assert_eq!(en.milliseconds(87), "87 ms");
    assert_eq!(es.milliseconds(1_234), "1,23 s");
    assert_eq!(Say::new("pt-BR").number(12_345_u32), "12.345");
}

#[test]
fn moments_are_written_in_each_language() {
    let moment = "2026-03-05T09:08:07.654Z";
    assert_eq!(Say::new("en").moment(moment), "5 March 2026, 09:08:07 UTC");
    assert_eq!(Say::new("pt-BR").moment(moment), "5 de março de 2026, 09:08:07 UTC");
    assert_eq!(Say::new("es").moment(moment), "5 de marzo de 2026, 09:08:07 UTC");
    assert_eq!(Say::new("en").moment("<no moment>"), "<no moment>");
    assert_eq!(Say::new("pt-BR").date("2026-03-05"), "5 de março de 2026");
    assert_eq!(Say::new("en").date("<no day>"), "<no day>");
    assert_eq!(Say::new("es").hour(moment), "5 de marzo, 09:08 UTC");
    assert_eq!(Say::new("en").hour("<no moment>"), "<no moment>");
}

#[test]
fn an_unknown_language_is_english() {
    assert_eq!(Say::new("tlh").language(), "en");
}
