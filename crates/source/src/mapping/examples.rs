//! The example mappings, and what docs/source.md says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use postrider_contract::Contract;
use postrider_domain::Millis;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::*;
use crate::change::Change;
use crate::events::{Events, Found, Side};
use crate::row::Row;

/// A column that no example names.
const OTHER: &str = "anything_else";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The examples' names: each is that of the contract whose events it tells.
fn examples() -> Vec<String> {
    let files = fs::read_dir(repository().join("examples/source")).unwrap().map(|entry| entry.unwrap().path());
    let names: Vec<_> = files.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert!(names.len() >= 5, "an example is gone: {names:?}");
    names
}

fn example(name: &str) -> (Mapping, String) {
    let path = format!("examples/source/{name}.toml");
    let text = text(&path);
    let mapping = Mapping::parse(&text, &path).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    (mapping, text)
}

/// The tables that a mapping needs, with the columns that it names and one more.
fn needed(mapping: &Mapping) -> Vec<KnownTable> {
    let tables: BTreeSet<_> = mapping.written.tables.iter().map(|(table, _)| table).collect();
    let table = |table: &TableName| {
        let named = mapping.written.columns.iter().filter(|(of, ..)| of == table).map(|(_, column, _)| column.as_str());
        let names: BTreeSet<&str> = named.chain(["id", OTHER]).collect();
        let column = |name: &str| KnownColumn { name: name.to_owned(), type_name: "text".to_owned() };
        KnownTable {
            table: table.clone(),
            columns: names.into_iter().map(column).collect(),
            primary_key: vec!["id".to_owned()],
        }
    };
    tables.into_iter().map(table).collect()
}

/// A row with a value in each column, but for those that say that it is deleted.
fn row(table: &TableMapping, known: &KnownTable) -> Row {
    let mut row = Row::default();
    for column in &known.columns {
        let is_deletion = table.soft_delete.as_ref().is_some_and(|soft_delete| soft_delete.column == column.name);
        set(&mut row, &column.name, if is_deletion { "null" } else { "as it was" });
    }
    row
}

fn set(row: &mut Row, column: &str, value: &str) {
    let json = match value {
        Rule::NULL => "null".to_owned(),
        Rule::NOT_NULL => "\"a value\"".to_owned(),
        value => serde_json::Value::from(value).to_string(),
    };
    row.set(column, RawValue::from_string(json).unwrap());
}

/// The value that a word of a condition stands for.
fn value<'a>(table: &'a TableMapping, column: &str, word: &'a str) -> &'a str {
    let words = table.labels.get(column);
    words.and_then(|words| words.iter().find(|(_, other)| *other == word)).map_or(word, |(value, _)| value)
}

/// What each table tells when a row is made, changed in a column that no rule names, changed as each rule wants, and removed.
fn told(mapping: &Mapping) -> BTreeSet<String> {
    let known = needed(mapping);
    let events = Events::new(mapping, &known);
    let mut told = BTreeSet::new();
    for table in &mapping.tables {
        let known_table = known.iter().find(|known| known.table == table.table).unwrap();
        let plain = row(table, known_table);
        let record = table.via.as_ref().map(|via| {
            let of = known.iter().find(|known| known.table == via.table).unwrap();
            row(mapping.table(&via.table).unwrap(), of)
        });
        let side = Side { organization: Some("acme".parse().unwrap()), record };
        let found = Found { before: side.clone(), after: side };
        let tell = |before: Option<Row>, after: Option<Row>| {
            let change =
                Change { id: Uuid::nil(), table: table.table.clone(), at: Millis(0), transaction: None, before, after };
            events.of(&change, &found).into_iter().map(|told| told.event.event_type).collect::<Vec<_>>()
        };
        let mut changed = plain.clone();
        set(&mut changed, OTHER, "as it is");
        told.extend(tell(None, Some(plain.clone())));
        told.extend(tell(Some(plain.clone()), Some(changed)));
        told.extend(tell(Some(plain.clone()), None));
        for rule in &table.rules {
            let (mut before, mut after) = (plain.clone(), plain.clone());
            set(&mut before, &rule.changed, rule.from.first().map_or("null", |word| value(table, &rule.changed, word)));
            set(
                &mut after,
                &rule.changed,
                rule.to.first().map_or("not null", |word| value(table, &rule.changed, word)),
            );
            for (column, values) in &rule.when {
                set(&mut after, column, value(table, column, &values[0]));
            }
            let types = tell(Some(before), Some(after));
            assert!(types.contains(&rule.event), "{}: {} is not told: {types:?}", table.table, rule.event);
            told.extend(types);
        }
    }
    told
}

#[test]
fn each_example_tells_all_of_its_contracts_events_and_no_others() {
    for name in examples() {
        let (mapping, text) = example(&name);
        let contract_file = format!("contracts/{name}.toml");
        let contract = Contract::parse(&self::text(&contract_file), &contract_file).unwrap();
        let catalogue: BTreeSet<String> = contract.event_types().iter().map(|known| known.name.clone()).collect();
        let excepted = |known: &&String| text.contains(&format!("# Not from rows: {known}: "));
        let expected: BTreeSet<String> = catalogue.iter().filter(|known| !excepted(known)).cloned().collect();
        assert_eq!(told(&mapping), expected, "{name}");
    }
}

#[test]
fn the_examples_need_nothing_but_the_columns_that_they_name() {
    for name in examples() {
        let (mapping, _) = example(&name);
        assert_eq!(mapping.check_columns(&needed(&mapping), &[]), [], "{name}");
    }
}

#[test]
fn the_document_explains_every_key() {
    let document = text("docs/source.md");
    for (table, keys) in KEYS {
        for key in *keys {
            let path = if table.is_empty() { (*key).to_owned() } else { format!("{table}.{key}") };
            assert!(document.contains(&format!("`{path}`")), "docs/source.md does not explain `{path}`");
        }
    }
}

#[test]
fn the_documents_mappings_are_read() {
    let document = text("docs/source.md");
    let blocks: Vec<&str> =
        document.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert!(blocks.len() > 3, "the document has its mappings in another form");
    for block in blocks {
        // A part of a mapping stands for itself, in an otherwise smallest one.
        let is_whole = block.contains("organization") && block.contains("[[tables]]");
        let whole = if is_whole { block.to_owned() } else { format!("organization = \"acme\"\n{block}") };
        let read = Mapping::parse(&whole, "docs/source.md");
        assert!(read.is_ok(), "{whole}\n{:#?}", read.err());
    }
}
