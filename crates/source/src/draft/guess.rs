//! Guesses from names, types and references.

use std::collections::BTreeMap;

use postrider_domain::OrganizationId;

use super::names::{is_people, plain, resource};
use super::{Found, Reference};
use crate::catalogue::Table;
use crate::mapping::{KnownColumn, TableName, is_sensitive, words};

/// What columns of an organisation are called, likeliest first, without `_id`, signs and upper case; and of how many tables one in that many must have
/// it: a CRM's own records are companies and customers, too.
const ORGANIZATION: &[(&str, usize)] = &[
    ("organization", 3),
    ("organisation", 3),
    ("tenant", 3),
    ("workspace", 3),
    ("org", 3),
    ("account", 3),
    ("app", 3),
    ("site", 3),
    ("team", 2),
    ("company", 2),
    ("customer", 2),
];
/// Those of them that are no record of a CRM's own: of these it is enough that half of its records have them.
const TENANT: &[&str] = &["tenant", "workspace", "org", "app", "site"];
const SOFT_DELETE: &[&str] = &["deletedat", "deletedon", "discardedat", "isdeleted", "deleted"];
const ACTIVE: &[&str] = &["active", "isactive"];
const CREATED: &[&str] =
    &["createdat", "createdon", "created", "insertedat", "datecreated", "createdate", "creation", "dateadded"];
/// Columns that change whenever anything does, or whenever somebody looks.
const IGNORED: &[&str] = &[
    "agentlastseenat",
    "dateupdated",
    "lastactive",
    "lastlogin",
    "lastmodified",
    "lockversion",
    "modified",
    "modifiedat",
    "modifiedby",
    "modifiedbyid",
    "modifiedon",
    "updated",
    "updatedat",
    "updatedby",
    "updatedbyid",
    "updatedon",
    "writedate",
    "writeuid",
];
const IGNORED_ENDS: &[&str] =
    &["lastactivityat", "lastloginat", "lastseenat", "lastsigninat", "lastusedat", "lastviewedat"];
const STAGES: &[&str] = &["stage", "status", "state", "dealstage", "leadstatus"];
/// Beside these a column `state` is part of an address.
const PLACES: &[&str] = &["city", "country", "countryid", "postcode", "postalcode", "zip", "zipcode"];
/// Words in the names of JSON columns that hold what an application is set to, secrets among it.
const SETTINGS: &[&str] = &["config", "configuration", "parameters", "settings"];

/// The same without `id` at its end.
pub(super) fn stem(column: &str) -> String {
    let plain = plain(column);
    plain.strip_suffix("id").map(str::to_owned).unwrap_or(plain)
}

fn first<'t>(table: &'t Table, names: &[&str]) -> Option<&'t KnownColumn> {
    names.iter().find_map(|name| table.known.columns.iter().find(|column| plain(&column.name) == *name))
}

pub(super) fn has(table: &Table, column: &str) -> bool {
    table.known.columns.iter().any(|known| known.name == column)
}

pub(super) fn has_column(tables: &[Table], column: &str) -> bool {
    tables.iter().any(|table| has(table, column))
}

/// The column that says whose rows are: of those that stand in enough tables the one with the likeliest word.
pub(super) fn organization(tables: &[Table], is_record: impl Fn(&Table) -> bool) -> Option<String> {
    let records = tables.iter().filter(|table| is_record(table)).count();
    // By rank and name: in how many tables, and in how many of records.
    let mut counts: BTreeMap<(usize, &str), (usize, usize)> = BTreeMap::new();
    for table in tables {
        for column in &table.known.columns {
            let rank = ORGANIZATION.iter().position(|(word, _)| plain(&column.name) == format!("{word}id"));
            if let Some(rank) = rank {
                let (all, of_records) = counts.entry((rank, &column.name)).or_default();
                *all += 1;
                *of_records += usize::from(is_record(table));
            }
        }
    }
    let is_enough = |rank: usize, (all, of_records): (usize, usize)| {
        let (word, share) = ORGANIZATION[rank];
        all * share >= tables.len() || (TENANT.contains(&word) && records > 0 && of_records * 2 >= records)
    };
    counts.into_iter().find(|((rank, _), count)| is_enough(*rank, *count)).map(|((_, name), _)| name.to_owned())
}

/// Columns that lead to one other table from several, most first: one of them may say whose rows are.
pub(super) fn candidates(found: &Found) -> Vec<(&str, usize)> {
    const COUNT_MIN: usize = 3;
    const TOLD_MAX: usize = 3;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reference in found.references.iter().filter(|reference| !is_people(&reference.to)) {
        *counts.entry(&reference.column).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count >= COUNT_MIN).collect();
    counts.sort_by_key(|(column, count)| (std::cmp::Reverse(*count), *column));
    counts.truncate(TOLD_MAX);
    counts
}

/// Whether most tables are there in several schemas: then each schema is likely to be an organisation's.
pub(super) fn is_schema_by_organization(tables: &[Table]) -> bool {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for table in tables {
        *names.entry(&table.known.table.name).or_default() += 1;
    }
    let several: usize = names.values().filter(|count| **count > 1).sum();
    several > 0 && several * 2 >= tables.len()
}

/// An organisation's id that a schema's name makes.
pub(super) fn id_of_schema(schema: &str) -> String {
    let id: String = schema.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let id = id.trim_start_matches(['_', '-']).to_owned();
    if id.parse::<OrganizationId>().is_ok() { id } else { "acme".to_owned() }
}

/// Whether a table is that of the organisations themselves: the one that their column leads to.
pub(super) fn is_organization(found: &Found, table: &Table, organization: &str) -> bool {
    let mut counts: BTreeMap<&TableName, usize> = BTreeMap::new();
    for reference in found.references.iter().filter(|reference| reference.column == organization) {
        *counts.entry(&reference.to).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name);
    let is_named_so = || stem(organization) == plain(&resource(&table.known.table.name));
    table.known.primary_key.len() == 1 && most.map_or_else(is_named_so, |most| *most == table.known.table)
}

/// How a table without the organisation's column leads to one that has it: one or two references on, by columns that are never null where there are any.
pub(super) fn way<'f>(found: &'f Found, table: &Table, organization: &str) -> Option<Vec<&'f Reference>> {
    let from = |name: &TableName| {
        let of = |reference: &&Reference| reference.table == *name && reference.to != *name;
        let mut from: Vec<_> = found.references.iter().filter(of).collect();
        from.sort_by_key(|reference| (is_people(&reference.to), found.may_be_null(reference)));
        from
    };
    let reaches = |name: &TableName| found.table(name).is_some_and(|other| has(other, organization));
    let direct = from(&table.known.table);
    if let Some(one) = direct.iter().find(|one| reaches(&one.to)) {
        return Some(vec![one]);
    }
    direct.iter().find_map(|one| Some(vec![*one, *from(&one.to).iter().find(|two| reaches(&two.to))?]))
}

/// Of a many-to-many table: the references to the record and to what it is joined with.
pub(super) fn joined<'f>(found: &'f Found, table: &Table) -> Option<(&'f Reference, &'f Reference)> {
    let name = &table.known.table;
    let references: Vec<_> = found.references.iter().filter(|reference| reference.table == *name).collect();
    let [one, other] = references.as_slice() else { return None };
    let is_pair = |key: &Vec<String>| key.len() == 2 && key.contains(&one.column) && key.contains(&other.column);
    let is_named_after =
        |reference: &Reference| plain(&resource(&name.name)).starts_with(&plain(&resource(&reference.to.name)));
    (table.unique.iter().any(is_pair) && one.to != other.to && table.known.columns.len() <= 6).then(|| {
        // Users are who something is assigned to; else it is the record that the table is named after.
        let is_turned = is_people(&one.to) || (!is_people(&other.to) && !is_named_after(one) && is_named_after(other));
        if is_turned { (*other, *one) } else { (*one, *other) }
    })
}

/// References that no foreign key declares: a column `contact_id` leads to the table `contacts`, if it is of the type of that table's key. One that has
/// the type of what it leads to beside it leads to several tables, and to none of them alone.
pub(super) fn undeclared(tables: &[Table], declared: &[Reference]) -> Vec<Reference> {
    let keyed: BTreeMap<(&str, String), (&Table, &KnownColumn)> = tables
        .iter()
        .filter_map(|table| {
            let [key] = table.known.primary_key.as_slice() else { return None };
            let key = table.known.columns.iter().find(|column| column.name == *key)?;
            Some(((table.known.table.schema.as_str(), plain(&resource(&table.known.table.name))), (table, key)))
        })
        .collect();
    let lead = |table: &Table, column: &KnownColumn| {
        let name = &table.known.table;
        let stem = plain(&column.name).strip_suffix("id").filter(|stem| !stem.is_empty())?.to_owned();
        let is_declared = declared.iter().any(|known| known.table == *name && known.column == column.name);
        let is_of_several = table.known.columns.iter().any(|other| plain(&other.name) == format!("{stem}type"));
        let (to, key) = keyed.get(&(name.schema.as_str(), stem))?;
        let fits = family(&key.type_name) == family(&column.type_name);
        (fits && !is_declared && !is_of_several && to.known.table != *name).then(|| Reference {
            table: name.clone(),
            column: column.name.clone(),
            to: to.known.table.clone(),
            key: key.name.clone(),
            is_declared: false,
        })
    };
    tables.iter().flat_map(|table| table.known.columns.iter().filter_map(move |column| lead(table, column))).collect()
}

/// Types that are compared with each other.
fn family(type_name: &str) -> &str {
    match type_name {
        "smallint" | "integer" | "bigint" => "integer",
        "character varying" | "text" | "character" => "text",
        other => other,
    }
}

pub(super) fn is_number(column: &KnownColumn) -> bool {
    family(&column.type_name) == "integer"
}

pub(super) fn is_moment(column: &KnownColumn) -> bool {
    ["timestamp", "date"].iter().any(|time| column.type_name.starts_with(time)) && !column.type_name.contains("range")
}

/// Columns that receivers need not or must not see: secrets, what search makes for itself, and settings, which hold secrets as values.
pub(super) fn omitted(table: &Table) -> Vec<String> {
    let is_of_search = |column: &KnownColumn| ["tsvector", "vector"].contains(&column.type_name.as_str());
    let is_of_settings = |column: &KnownColumn| {
        let is_json = column.type_name.starts_with("json") || column.type_name == "hstore";
        is_json && words(&column.name).iter().any(|word| SETTINGS.contains(&word.as_str()))
    };
    let is_omitted = |column: &&KnownColumn| {
        is_sensitive(&column.name, &column.type_name) || is_of_search(column) || is_of_settings(column)
    };
    table.known.columns.iter().filter(is_omitted).map(|column| column.name.clone()).collect()
}

/// Columns whose changes are nobody's news: those that change with everything, and counters.
pub(super) fn ignored(table: &Table) -> Vec<&str> {
    let is_counter = |column: &KnownColumn| {
        let words = words(&column.name);
        let is_of_people = words.iter().any(|word| word.starts_with("employee") || word == "staff");
        is_number(column) && !is_of_people && words.len() > 1 && words.last().is_some_and(|last| last == "count")
    };
    let is_ignored = |column: &&KnownColumn| {
        let plain = plain(&column.name);
        IGNORED.contains(&plain.as_str()) || IGNORED_ENDS.iter().any(|end| plain.ends_with(end)) || is_counter(column)
    };
    table.known.columns.iter().filter(is_ignored).map(|column| column.name.as_str()).collect()
}

pub(super) fn soft_delete(table: &Table) -> Option<&KnownColumn> {
    let may_be = |column: &&KnownColumn| is_moment(column) || is_number(column) || column.type_name == "boolean";
    first(table, SOFT_DELETE).filter(may_be)
}

/// A column that may say that a record is there.
pub(super) fn active(table: &Table) -> Option<&str> {
    first(table, ACTIVE).filter(|column| column.type_name == "boolean").map(|column| column.name.as_str())
}

pub(super) fn created_at(table: &Table) -> Option<&str> {
    first(table, CREATED).filter(|column| is_moment(column)).map(|column| column.name.as_str())
}

/// Columns of stages, with their words where they are of an enum type.
pub(super) fn stages(table: &Table) -> Vec<(&KnownColumn, &[String])> {
    let is_of_address = |column: &KnownColumn| stem(&column.name) == "state" && first(table, PLACES).is_some();
    let is_stage = |column: &KnownColumn| {
        STAGES.contains(&stem(&column.name).as_str()) && column.type_name != "boolean" && !is_of_address(column)
    };
    let columns = table.known.columns.iter().zip(&table.columns);
    columns.filter(|(column, _)| is_stage(column)).map(|(column, facts)| (column, facts.words.as_slice())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_one() {
        assert_eq!(
            (stem("organization_id"), stem("workspaceId"), stem("paid")),
            ("organization".into(), "workspace".into(), "pa".into())
        );
    }

    #[test]
    fn a_schemas_name_makes_an_organisations_id() {
        assert_eq!(
            (id_of_schema("_a b"), id_of_schema("tenant_7"), id_of_schema("é")),
            ("a-b".into(), "tenant_7".into(), "acme".into())
        );
    }
}
