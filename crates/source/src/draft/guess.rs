//! Guesses from names, types and references.

use std::collections::BTreeMap;

use super::{Found, Reference};
use crate::catalogue::Table;
use crate::mapping::TableName;

/// What columns of an organisation are called, likeliest first, without `_id`, signs and upper case; and of how many tables one in that many must have
/// it: a CRM's own records are companies and customers, too.
const ORGANIZATION: &[(&str, usize)] = &[
    ("organization", 3),
    ("organisation", 3),
    ("tenant", 3),
    ("workspace", 3),
    ("org", 3),
    ("account", 3),
    ("team", 2),
    ("company", 2),
    ("customer", 2),
];
const SOFT_DELETE: &[&str] = &["deletedat", "deletedon", "discardedat", "isdeleted", "deleted"];
const CREATED: &[&str] = &["createdat", "createdon", "created", "insertedat", "datecreated"];
const UPDATED: &[&str] =
    &["updatedat", "updatedon", "modifiedat", "modifiedon", "updated", "lastmodified", "lockversion", "dateupdated"];
const STAGES: &[&str] = &["stage", "status", "state", "dealstage", "leadstatus"];

/// A name without what spellings differ in.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The same without `id` at its end.
fn stem(column: &str) -> String {
    let plain = plain(column);
    plain.strip_suffix("id").map(str::to_owned).unwrap_or(plain)
}

fn first<'t>(table: &'t Table, names: &[&str]) -> Option<&'t str> {
    names.iter().find_map(|name| {
        table.known.columns.iter().map(|column| column.name.as_str()).find(|column| plain(column) == *name)
    })
}

/// The column that says whose rows are: of those that stand in enough tables the one with the likeliest word.
pub(super) fn organization(tables: &[Table]) -> Option<String> {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for column in tables.iter().flat_map(|table| &table.known.columns) {
        let rank = ORGANIZATION.iter().position(|(word, _)| plain(&column.name) == format!("{word}id"));
        if let Some(rank) = rank {
            *counts.entry((rank, &column.name)).or_default() += 1;
        }
    }
    let is_enough = |rank: usize, count: usize| count * ORGANIZATION[rank].1 >= tables.len();
    counts.into_iter().find(|((rank, _), count)| is_enough(*rank, *count)).map(|((_, name), _)| name.to_owned())
}

/// How a table without the organisation's column leads to one that has it: one or two references on.
pub(super) fn way<'f>(found: &'f Found, table: &Table, organization: &str) -> Option<Vec<&'f Reference>> {
    let from = |name: &TableName| {
        let of = name.clone();
        found.references.iter().filter(move |reference| reference.table == of && reference.to != of)
    };
    let has = |name: &TableName| {
        let of = found.tables.iter().find(|other| other.known.table == *name);
        of.is_some_and(|other| other.known.columns.iter().any(|column| column.name == organization))
    };
    let direct = from(&table.known.table).find(|reference| has(&reference.to));
    direct.map(|one| vec![one]).or_else(|| {
        from(&table.known.table).find_map(|one| from(&one.to).find(|two| has(&two.to)).map(|two| vec![one, two]))
    })
}

/// Of a many-to-many table: the references to the record and to what it is joined with.
pub(super) fn joined<'f>(found: &'f Found, table: &Table) -> Option<(&'f Reference, &'f Reference)> {
    let name = &table.known.table;
    let references: Vec<_> = found.references.iter().filter(|reference| reference.table == *name).collect();
    let [one, other] = references.as_slice() else { return None };
    let is_pair = |key: &Vec<String>| key.len() == 2 && key.contains(&one.column) && key.contains(&other.column);
    (table.unique.iter().any(is_pair) && one.to != other.to && table.known.columns.len() <= 6).then(|| {
        // Users are who something is assigned to.
        if is_people(&one.to) { (*other, *one) } else { (*one, *other) }
    })
}

/// Whether a table's rows are those who use the CRM.
pub(super) fn is_people(table: &TableName) -> bool {
    ["user", "member", "agent", "owner", "assignee", "sale", "employee"]
        .iter()
        .any(|word| resource(&table.name).ends_with(word))
}

/// Whether a table holds what the application itself is set to.
pub(super) fn is_of_settings(table: &str) -> bool {
    ["settings", "setting", "config", "configs", "configuration", "configurations"].contains(&plain(table).as_str())
}

pub(super) fn soft_delete(table: &Table) -> Option<&str> {
    first(table, SOFT_DELETE)
}

pub(super) fn created_at(table: &Table) -> Option<&str> {
    first(table, CREATED).filter(|column| is_time(table, column))
}

/// Columns that change whenever anything does.
pub(super) fn ignored(table: &Table) -> Vec<&str> {
    let columns = table.known.columns.iter().map(|column| column.name.as_str());
    columns.filter(|column| UPDATED.contains(&plain(column).as_str())).collect()
}

/// Columns of stages, with their words where they are of an enum type.
pub(super) fn stages(table: &Table) -> Vec<(&str, &[String])> {
    let columns = table.known.columns.iter().zip(&table.columns);
    let staged = columns.filter(|(column, _)| STAGES.contains(&stem(&column.name).as_str()));
    staged.map(|(column, facts)| (column.name.as_str(), facts.words.as_slice())).collect()
}

fn is_time(table: &Table, column: &str) -> bool {
    let types = ["timestamp", "date"];
    table
        .known
        .columns
        .iter()
        .any(|known| known.name == column && types.iter().any(|time| known.type_name.starts_with(time)))
}

/// What one row of a table is: its name in the singular, in lower case and with underscores.
pub(super) fn resource(table: &str) -> String {
    let mut name = String::new();
    let mut was_lower = false;
    for c in table.chars() {
        if c.is_uppercase() && was_lower {
            name.push('_');
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
        name.extend(if c.is_alphanumeric() { c.to_lowercase().collect::<Vec<_>>() } else { vec!['_'] });
    }
    let name = name.trim_matches('_');
    let irregular = [("people", "person"), ("children", "child"), ("companies", "company")];
    for (many, one) in irregular {
        if let Some(before) = name.strip_suffix(many) {
            return format!("{before}{one}");
        }
    }
    for (many, one) in [("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("uses", "us")] {
        if let Some(before) = name.strip_suffix(many).filter(|before| !before.is_empty()) {
            return format!("{before}{one}");
        }
    }
    match name.strip_suffix('s') {
        Some(one) if one.len() > 2 && !one.ends_with(['s', 'u', '_']) => one.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_called_by_the_singular_of_its_table() {
        for (table, one) in [
            ("deals", "deal"),
            ("companies", "company"),
            ("people", "person"),
            ("contactNotes", "contact_note"),
            ("statuses", "status"),
            ("addresses", "address"),
            ("Lead", "lead"),
            ("boxes", "box"),
            ("status", "status"),
            ("news", "new"),
            ("bus", "bus"),
            ("salesPeople", "sales_person"),
            ("a b's", "a_b_s"),
        ] {
            assert_eq!(resource(table), one, "{table}");
        }
    }

    #[test]
    fn spellings_are_one() {
        assert_eq!(
            (stem("organization_id"), stem("workspaceId"), stem("paid")),
            ("organization".into(), "workspace".into(), "pa".into())
        );
    }
}
