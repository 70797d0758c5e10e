//! A mapping beside the tables that the database has.

use std::collections::{BTreeMap, BTreeSet};

use postrider_document::Mistake;

use super::{Mapping, TableMapping, TableName, is_sensitive};

/// How much alike a name must be to be suggested, from 0 to 1 (Jaro-Winkler).
const ALIKE_MIN: f64 = 0.8;
/// The most names that are suggested.
const NEAR_MAX: usize = 3;
/// The most columns that are told of a table where none is alike.
const COLUMNS_TOLD_MAX: usize = 30;

/// A table as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownTable {
    /// Which table.
    pub table: TableName,
    /// Its columns, in their order; none that was dropped.
    pub columns: Vec<KnownColumn>,
    /// The columns of its primary key, in the key's order; none where it has no primary key.
    pub primary_key: Vec<String>,
}

/// A column as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownColumn {
    /// Its name.
    pub name: String,
    /// Its type as `format_type` writes it, a domain's as the type under it, e.g. `timestamp with time zone`.
    pub type_name: String,
}

impl KnownTable {
    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|known| known.name == column)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }
}

impl TableMapping {
    /// The columns that identify a row: those that the file names, else the primary key; none where there is neither.
    #[must_use]
    pub fn key_in<'a>(&'a self, known: &'a KnownTable) -> &'a [String] {
        self.key.as_deref().unwrap_or(&known.primary_key)
    }

    /// The columns that are captured: all but those omitted, in the table's order.
    pub fn captured_in<'a>(&'a self, known: &'a KnownTable) -> impl Iterator<Item = &'a KnownColumn> {
        known.columns.iter().filter(|column| !self.omit.contains(&column.name))
    }

    /// What a column is called in `data`.
    #[must_use]
    pub fn field<'a>(&'a self, column: &'a str) -> &'a str {
        self.rename.get(column).map_or(column, String::as_str)
    }
}

pub(super) fn check(mapping: &Mapping, known: &[KnownTable], others: &[TableName]) -> Vec<Mistake> {
    let by_name: BTreeMap<_, _> = known.iter().map(|known| (&known.table, known)).collect();
    let mut mistakes = Vec::new();
    for (table, at) in &mapping.written.tables {
        if !by_name.contains_key(table) {
            let near = near_tables(table, known.iter().map(|known| &known.table).chain(others));
            mistakes.push(at.mistake(format!("{table} is no table of this database"), name_another(&near)));
        }
    }
    for (table, column, at) in &mapping.written.columns {
        let Some(known) = by_name.get(table).filter(|known| !known.has(column)) else { continue };
        let near = near(column, known.names());
        let advice = if near.is_empty() { has_columns(known) } else { name_another(&near) };
        mistakes.push(at.mistake(format!("{column:?} is no column of {table}"), advice));
    }
    for (table, at) in &mapping.written.parts {
        let (Some(mapped), Some(known)) = (mapping.table(table), by_name.get(table)) else { continue };
        for (problem, advice) in secrets(mapped, known).chain(fields(mapping, mapped, known, &by_name)) {
            mistakes.push(at.mistake(problem, advice));
        }
    }
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    mistakes
}

/// Columns that look like secrets, and are neither left out nor named on purpose.
fn secrets<'a>(mapped: &'a TableMapping, known: &'a KnownTable) -> impl Iterator<Item = (String, String)> + 'a {
    let is_open = |column: &&KnownColumn| {
        is_sensitive(&column.name, &column.type_name) && !mapped.include_sensitive.contains(&column.name)
    };
    mapped.captured_in(known).filter(is_open).map(|KnownColumn { name: column, .. }| {
        let problem = format!("captures {column:?}, which looks like a secret");
        (problem, format!("write omit = [{column:?}], or include_sensitive = [{column:?}] if receivers may see it"))
    })
}

/// Two things of one name in `data`.
fn fields(
    mapping: &Mapping,
    mapped: &TableMapping,
    known: &KnownTable,
    by_name: &BTreeMap<&TableName, &KnownTable>,
) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for column in mapped.captured_in(known) {
        let field = mapped.field(&column.name);
        if !seen.insert(field) {
            wrong.push((format!("has two fields {field:?}"), "rename one of the two columns, or omit it".to_owned()));
        }
    }
    let Some(via) = &mapped.via else { return wrong };
    let record = mapping.table(&via.table).zip(by_name.get(&via.table));
    let taken = record.is_some_and(|(record, known)| {
        record.captured_in(known).any(|column| record.field(&column.name) == via.member)
    });
    if taken {
        let problem = format!("puts its rows into {:?}, which is a field of {} already", via.member, via.table);
        wrong.push((problem, "choose another name: via.member".to_owned()));
    }
    wrong
}

/// The tables whose own names are most like that of another one, at most three; those of its schema first.
pub(super) fn near_tables<'a>(table: &TableName, tables: impl Iterator<Item = &'a TableName>) -> Vec<String> {
    let names: BTreeSet<_> = tables.collect();
    let mut near: Vec<_> = near(&table.name, names.iter().map(|other| other.name.as_str()).collect::<BTreeSet<_>>())
        .into_iter()
        .flat_map(|name| names.iter().filter(move |other| other.name == name))
        .collect();
    near.sort_by_key(|other| other.schema != table.schema);
    near.into_iter().take(NEAR_MAX).map(ToString::to_string).collect()
}

/// The names most like another one.
fn near<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let alike = |other: &'a str| (strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase()), other);
    let mut alike: Vec<_> = names.into_iter().map(alike).filter(|(alike, _)| *alike >= ALIKE_MIN).collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    alike.into_iter().map(|(_, name)| name.to_owned()).take(NEAR_MAX).collect()
}

pub(super) fn name_another(near: &[String]) -> String {
    if near.is_empty() {
        "write its name letter for letter".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    }
}

/// What there is to choose from.
fn has_columns(known: &KnownTable) -> String {
    let names: Vec<_> = known.names().take(COLUMNS_TOLD_MAX).collect();
    let more = if known.columns.len() > names.len() { ", …" } else { "" };
    format!("it has {}{more}", names.join(", "))
}
