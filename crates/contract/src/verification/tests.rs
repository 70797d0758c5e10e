use super::*;
use crate::Contracts;

#[test]
fn a_language_is_found_by_its_name_and_stands_at_its_own_place() {
    for language in Language::all() {
        assert_eq!(Language::named(language.name()), Some(language));
    }
    assert_eq!(Language::named("cobol"), None);
}

/// The built-in contracts' code in every language, for every kind of secret. `cargo insta` shows what a change of a template does.
#[test]
fn every_built_in_contract_has_code_in_every_language() {
    let contracts = Contracts::built_in().unwrap();
    for contract in contracts.iter() {
        for kind in contract.secret_kinds() {
            for language in Language::all() {
                let code = contract.verification(language, Some(kind)).unwrap();
                let name = [contract.name(), kind.prefix().trim_end_matches('_'), language.file()];
                let name: Vec<_> = name.into_iter().filter(|part| !part.is_empty()).collect();
                insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
                    insta::assert_snapshot!(name.join("_"), code);
                });
            }
        }
    }
}
