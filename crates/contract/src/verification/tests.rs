use super::*;
use crate::Contracts;

#[test]
fn a_language_is_found_by_its_name_and_stands_at_its_own_place() {
    for language in Language::all() {
        assert_eq!(Language::named(language.name()), Some(language));
    }
    assert_eq!(Language::named("cobol"), None);
}

/// The code in every language, for every kind of secret, against its snapshots. `cargo insta` shows what a change of a template does.
fn compare(contract: &Contract) {
    let kinds: Vec<_> = contract.secret_kinds().map(Some).collect();
    for kind in if kinds.is_empty() { vec![None] } else { kinds } {
        for language in Language::all() {
            let prefix = kind.map_or("", |kind| kind.prefix()).replace(|c: char| !c.is_ascii_alphanumeric(), "");
            let name = [contract.name(), &prefix, language.file()];
            let name: Vec<_> = name.into_iter().filter(|part| !part.is_empty()).collect();
            let code = contract.verification(language, kind).unwrap();
            insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
                insta::assert_snapshot!(name.join("_"), code);
            });
        }
    }
}

#[test]
fn every_built_in_contract_has_code_in_every_language() {
    for contract in Contracts::built_in().unwrap().iter() {
        compare(contract);
    }
}

/// Its code is run against real deliveries by the black-box tests.
#[test]
fn what_a_file_says_stays_in_its_literals() {
    compare(&Contract::parse(include_str!("odd.toml"), "odd.toml").unwrap());
}

#[test]
fn a_contract_that_signs_nothing_has_receivers_that_say_so() {
    let text = include_str!("odd.toml");
    let (before, rest) = text.split_once("[signature]").unwrap();
    let (_, after) = rest.split_once("[response]").unwrap();
    let text = format!("{before}[response]{after}").replace("\"odd\"", "\"unsigned\"");
    compare(&Contract::parse(&text, "unsigned.toml").unwrap());
}

#[test]
fn a_kind_of_secret_is_told_by_how_it_begins() {
    let contracts = Contracts::built_in().unwrap();
    let several = contracts.iter().find(|contract| contract.secret_kinds().count() > 1).unwrap();
    for kind in several.secret_kinds() {
        assert_eq!(several.secret_kind(kind.prefix()).unwrap().prefix(), kind.prefix());
    }
    let error = several.secret_kind(&"x".repeat(1000)).unwrap_err().to_string();
    assert!(several.secret_kinds().all(|kind| error.contains(&format!("{:?}", kind.prefix()))), "{error}");
    assert!(error.len() < 200, "{error}");
}
