//! `docs/conformance.md` names tests that exist.

use std::collections::BTreeSet;
use std::path::Path;

/// Names of functions in the sources below a directory.
fn functions_below(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            functions_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let after_fn = source.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
            names.extend(after_fn.map(|(name, _)| name.to_owned()));
        }
    }
}

/// The rows of every table below a document's heading: its sentence and its tests.
fn rows(page: &str) -> Vec<(&str, Vec<&str>)> {
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| the document |");
    page.lines()
        .filter(is_row)
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
            let tests = cells.last().unwrap().split('`').skip(1).step_by(2).collect();
            (cells[0].trim(), tests)
        })
        .collect()
}

#[test]
fn every_sentence_of_the_documents_has_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/conformance.md")).unwrap();
    let mut known = BTreeSet::new();
    for directory in ["crates", "tests"] {
        functions_below(&root.join(directory), &mut known);
    }
    let rows = rows(&page);
    assert!(rows.len() > 60, "the page's tables are not read: {} rows", rows.len());
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(_, tests)| tests.is_empty() || tests.iter().any(|test| !known.contains(*test)))
        .map(|(sentence, tests)| format!("{sentence}: {tests:?}"))
        .collect();
    assert!(wrong.is_empty(), "without a test, or with one that does not exist:\n{}", wrong.join("\n"));
}
