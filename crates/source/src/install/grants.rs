//! Rights for the role that reads: exactly what it needs.

use super::{RELATIONS, SEQUENCES};
use crate::catalogue::{Catalogue, Granted, Table};
use crate::mapping::{CaptureKind, Mapping, Placing, TableName};
use crate::quote;

/// What a role is given on what is ours.
pub(super) fn on_ours(schema: &str, capture: CaptureKind, role: &str) -> String {
    let (own, role) = (quote::identifier(schema), quote::identifier(role));
    let mut sql = vec![
        format!("GRANT USAGE ON SCHEMA {own} TO {role};"),
        format!("GRANT SELECT ON {own}.installation TO {role};"),
        format!("GRANT SELECT, INSERT, UPDATE ON {own}.backfills TO {role};"),
    ];
    if capture == CaptureKind::Triggers {
        sql.push(format!("GRANT SELECT, DELETE ON {own}.outbox TO {role};"));
        sql.push(format!("GRANT SELECT ON SEQUENCE {own}.outbox_id_seq, {own}.missed TO {role};"));
        sql.push(format!("GRANT SELECT, UPDATE ON SEQUENCE {own}.handed TO {role};"));
    }
    sql.join("\n")
}

/// The columns of one of the CRM's tables that the role that reads must see: of a mapped table those that are captured, of others those that joins name.
pub(crate) fn needed(mapping: &Mapping, table: &Table) -> Vec<String> {
    let name = &table.known.table;
    let mapped = mapping.table(name);
    let mut columns: Vec<String> = mapped
        .map(|mapped| mapped.captured_in(&table.known).map(|column| column.name.clone()).collect())
        .unwrap_or_default();
    let mut also = |column: &str| {
        if !columns.iter().any(|known| known == column) {
            columns.push(column.to_owned());
        }
    };
    for other in &mapping.tables {
        if let Placing::By { joins, .. } = &other.organization {
            for join in joins.iter().filter(|join| join.table == *name) {
                also(&join.key);
                also(&join.column);
            }
        }
        if let Some(via) = other.via.as_ref().filter(|via| via.table == *name) {
            also(&via.key);
        }
    }
    columns
}

/// What the role that reads lacks on the CRM's tables.
pub(super) fn lacking(mapping: &Mapping, catalogue: &Catalogue) -> Vec<Granted> {
    let mut lacking: Vec<Granted> = Vec::new();
    for table in &catalogue.tables {
        let TableName { schema, name } = &table.known.table;
        let needed = needed(mapping, table);
        if needed.is_empty() {
            continue;
        }
        let is_given = lacking.iter().any(|given| given.schema == *schema && given.table.is_none());
        if !table.schema_is_open && !is_given {
            lacking.push(Granted { schema: schema.clone(), table: None, columns: Vec::new() });
        }
        let columns: Vec<_> = needed.into_iter().filter(|column| !table.readable.contains(column)).collect();
        if !columns.is_empty() {
            lacking.push(Granted { schema: schema.clone(), table: Some(name.clone()), columns });
        }
    }
    lacking
}

/// What was given once and is not needed any more.
pub(super) fn outlived(mapping: &Mapping, catalogue: &Catalogue, granted: &[Granted]) -> Vec<Granted> {
    let outlived = |given: &Granted| {
        let name = TableName { schema: given.schema.clone(), name: given.table.clone()? };
        let table = catalogue.table(&name)?;
        let needed = needed(mapping, table);
        let has = |column: &String| table.known.columns.iter().any(|known| known.name == *column);
        let columns: Vec<_> =
            given.columns.iter().filter(|column| has(column) && !needed.contains(column)).cloned().collect();
        (!columns.is_empty()).then(|| Granted { columns, ..given.clone() })
    };
    granted.iter().filter_map(outlived).collect()
}

pub(super) fn grant(given: &Granted, role: &str) -> String {
    let role = quote::identifier(role);
    match &given.table {
        None => format!("GRANT USAGE ON SCHEMA {} TO {role};", quote::identifier(&given.schema)),
        Some(name) => format!("GRANT SELECT ({}) ON {} TO {role};", columns(given), table(given, name)),
    }
}

pub(super) fn revoke(given: &Granted, role: &str) -> String {
    let role = quote::identifier(role);
    match &given.table {
        None => format!("REVOKE USAGE ON SCHEMA {} FROM {role};", quote::identifier(&given.schema)),
        Some(name) => format!("REVOKE SELECT ({}) ON {} FROM {role};", columns(given), table(given, name)),
    }
}

fn columns(given: &Granted) -> String {
    quote::identifiers(given.columns.iter().map(String::as_str))
}

fn table(given: &Granted, name: &str) -> String {
    quote::table(&TableName { schema: given.schema.clone(), name: name.to_owned() })
}

/// Whether a relation of our schema is ours.
pub(super) fn is_ours(relation: &str) -> bool {
    let is_index =
        |relation: &str| relation.ends_with("_pkey") || relation == "outbox_net" || relation.starts_with("pg_");
    RELATIONS.contains(&relation) || SEQUENCES.contains(&relation) || is_index(relation)
}
