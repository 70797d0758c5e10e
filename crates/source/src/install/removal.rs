//! How everything of ours is taken away, and nothing else.

use super::plan::{Step, removals_of};
use super::{Plan, RELATIONS, SEQUENCES, grants};
use crate::catalogue::{Catalogue, Record};
use crate::quote;
use crate::replication::needs;

/// What uninstalling does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// The steps; none where nothing of ours is there.
    pub plan: Plan,
    /// Changes that wait in the outbox and would be lost.
    pub waiting: u64,
    /// What else lies in our schema, which therefore stays.
    pub others: Vec<String>,
}

/// What takes away everything of ours. Unless it is to `discard` them, changes that come to wait meanwhile keep the outbox where it is.
#[must_use]
pub fn removal(schema: &str, catalogue: &Catalogue, discard: bool) -> Removal {
    let Some(installed) = &catalogue.installed else { return Removal::default() };
    let record = installed.installation.as_ref().map(|there| there.record.clone()).unwrap_or_default();
    let mut steps = removals_of(installed.triggers.iter());
    let own = quote::identifier(schema);
    let mut sql = Vec::new();
    if !discard && installed.has("outbox") {
        sql.push(format!(
            "DO $postrider$\nBEGIN\n  IF EXISTS (SELECT FROM {own}.outbox) THEN\n    \
             RAISE EXCEPTION 'changes came to wait in the outbox meanwhile: let postrider serve hand them over and uninstall again, or use --discard';\n  \
             END IF;\nEND\n$postrider$;"
        ));
    }
    sql.extend(revocations(catalogue, &record));
    let functions = installed.functions.keys().filter(|name| is_own_function(name));
    sql.extend(functions.map(|name| format!("DROP FUNCTION {own}.{}{};", quote::identifier(name), arguments(name))));
    let present = |names: &[&'static str], kind: &str| {
        let there = names.iter().filter(|name| installed.has(name));
        there.map(|name| format!("DROP {kind} {own}.{name};")).collect::<Vec<_>>()
    };
    sql.extend(present(&RELATIONS, "TABLE"));
    sql.extend(present(&SEQUENCES, "SEQUENCE"));
    let others: Vec<_> = installed.relations.iter().filter(|name| !grants::is_ours(name)).cloned().collect();
    let strangers = installed.functions.keys().filter(|name| !is_own_function(name)).cloned();
    let others: Vec<_> = others.into_iter().chain(strangers).collect();
    if others.is_empty() {
        sql.push(format!("DROP SCHEMA {own};"));
    }
    steps.extend(needs::removal(schema, &catalogue.replication));
    steps.push(Step::free(format!("Everything of Postrider's in the schema {schema}"), sql.join("\n")));
    let waiting = installed.outbox.map_or(0, |outbox| outbox.waiting);
    Removal { plan: Plan { steps }, waiting, others }
}

/// Rights that were given on what is the CRM's, as far as it is still there.
fn revocations(catalogue: &Catalogue, record: &Record) -> Vec<String> {
    let Some(role) = &record.role else { return Vec::new() };
    let is_there = |given: &&crate::catalogue::Granted| match &given.table {
        None => true,
        Some(name) => catalogue.tables.iter().any(|table| {
            let known = &table.known;
            let has = |column: &String| known.columns.iter().any(|there| there.name == *column);
            known.table.schema == given.schema && known.table.name == *name && given.columns.iter().all(has)
        }),
    };
    if catalogue.reader.as_ref().is_none_or(|reader| reader.name != *role) {
        return Vec::new();
    }
    record.granted.iter().filter(is_there).map(|given| grants::revoke(given, role)).collect()
}

fn is_own_function(name: &str) -> bool {
    name.starts_with(super::FUNCTION_PREFIX)
        || ["missed", "await_outbox", "by_column", "members_of", "is_other", "key_of"].contains(&name)
}

/// The types that tell one of our functions from others of its name.
pub(super) fn arguments(name: &str) -> &'static str {
    match name {
        "missed" => "(text, text)",
        "by_column" => "(anyelement, text[])",
        "members_of" => "(jsonb, jsonb)",
        "is_other" => "(json, json)",
        "key_of" => "(jsonb, text[])",
        _ => "()",
    }
}
