//! The functions that triggers run, as SQL.

use std::collections::BTreeMap;

use super::{FUNCTION_PREFIX, OUTBOX_WAIT_MS_MAX, PAIRS_MAX};
use crate::catalogue::InstalledTable;
use crate::quote;

const CAPTURE: &str = include_str!("sql/capture.sql");
const FUNCTIONS: &str = include_str!("sql/functions.sql");
const STORE: &str = include_str!("sql/store.sql");
const OUTBOX: &str = include_str!("sql/outbox.sql");
/// What stands round the bodies in `functions.sql`.
const QUOTES: &str = "$postrider$";

/// Values are written as JSON in one form, whatever the session is set to; and no deadline for locks but that of the function itself holds, since
/// a table that grows is locked for a moment.
const SETTINGS: &str = "SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'iso_8601' \
                        SET bytea_output = 'hex' SET extra_float_digits = 1 SET lock_timeout = 0";

/// What is made whatever the way of capture. The schema itself is made where it is missing alone: Postgres asks for the right to make one even where
/// somebody made it beforehand.
pub(super) fn store(schema: &str, has_schema: bool) -> String {
    let made = if has_schema { String::new() } else { format!("CREATE SCHEMA {};\n", quote::identifier(schema)) };
    format!("{made}{}", fill(STORE, schema, &[]))
}

/// The outbox with its sequences.
pub(super) fn outbox(schema: &str) -> String {
    fill(OUTBOX, schema, &[])
}

/// A function: its statement, and the body as the database keeps it.
pub(super) struct Function {
    pub(super) sql: String,
    pub(super) body: String,
}

/// The functions that those of the tables call, by name.
pub(super) fn shared(schema: &str) -> BTreeMap<String, Function> {
    let sql = fill(FUNCTIONS, schema, &[("lock_ms_max", &OUTBOX_WAIT_MS_MAX.to_string())]);
    let own = format!("{}.", quote::identifier(schema));
    let mut functions = BTreeMap::new();
    for part in sql.split("\n\n").filter(|part| part.contains(QUOTES)) {
        let name = part.split_once(&own).and_then(|(_, rest)| rest.split_once('(')).map_or("", |(name, _)| name);
        let body = part.split(QUOTES).nth(1).unwrap_or_default();
        functions.insert(name.to_owned(), Function { sql: part.trim().to_owned(), body: body.to_owned() });
    }
    functions
}

/// The name of a table's function.
pub(super) fn function_name(number: u32) -> String {
    format!("{FUNCTION_PREFIX}{number}")
}

/// The function of a table's row trigger.
pub(super) fn function(schema: &str, table: &InstalledTable, rows_max: u64) -> Function {
    let names = || table.columns.iter().map(|(name, _)| name.as_str());
    let keys = || table.key.iter().map(String::as_str);
    let whole = table.table().to_string();
    let values = [
        ("columns", quote::text_array(names())),
        ("keys", quote::text_array(keys())),
        ("was", object("OLD", names())),
        ("became", object("NEW", names())),
        ("key_was", key("OLD", keys())),
        ("key_became", key("NEW", keys())),
        ("rows_max", rows_max.to_string()),
        ("table", quote::literal(&whole)),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // The types stand in it, so that it is another function when one changes: sessions then forget what they planned for the old type.
    let types: Vec<_> = table.columns.iter().map(|(name, type_name)| format!("{name} {type_name}")).collect();
    let about = format!("{whole}: {}", types.join(", ")).replace(|c: char| c.is_control(), " ");
    let body = format!("-- {about}\n{}", fill(CAPTURE, schema, &values));
    let sql = format!(
        "CREATE OR REPLACE FUNCTION {}.{}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER\n{SETTINGS}\nAS {};",
        quote::identifier(schema),
        function_name(table.number),
        quote::body(&body)
    );
    Function { sql, body: format!("\n{body}") }
}

/// A row's columns as one object.
fn object<'a>(row: &str, columns: impl Iterator<Item = &'a str>) -> String {
    let pairs: Vec<_> =
        columns.map(|name| format!("{}, {row}.{}", quote::literal(name), quote::identifier(name))).collect();
    let objects = pairs.chunks(PAIRS_MAX).map(|pairs| format!("jsonb_build_object({})", pairs.join(", ")));
    objects.collect::<Vec<_>>().join(" || ")
}

fn key<'a>(row: &str, columns: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<_> = columns.map(|name| format!("{row}.{}", quote::identifier(name))).collect();
    format!("jsonb_build_array({})::text", values.join(", "))
}

/// Puts values into a template, in one pass: what a value says is never taken for a place of another.
fn fill(template: &str, schema: &str, values: &[(&str, &str)]) -> String {
    let own = quote::identifier(schema);
    let in_text = own.replace('\'', "''");
    let value = |name: &str| match name {
        "schema" => own.as_str(),
        "schema_text" => in_text.as_str(),
        _ => values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value),
    };
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        filled.push_str(before);
        filled.push_str(value(name));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: usize) -> InstalledTable {
        let columns = (0..columns).map(|at| (format!("c{at}"), "text".to_owned())).collect();
        let (schema, name) = ("public".to_owned(), "it's".to_owned());
        InstalledTable { schema, name, number: 3, key: vec!["c0".to_owned()], columns }
    }

    #[test]
    fn every_place_of_the_templates_is_filled() {
        let function = function("s", &table(2), 7);
        assert!(!function.sql.contains("{{"), "{}", function.sql);
        assert!(function.sql.contains("'public.it''s'") && function.sql.contains("> 7"), "{}", function.sql);
        assert!(![store("s", false), outbox("s")].concat().contains("{{"));
        let shared = shared("s");
        let names: Vec<_> = shared.keys().map(String::as_str).collect();
        assert_eq!(names, ["await_outbox", "by_column", "capture_truncate", "key_of", "members_of", "missed"]);
        assert!(shared.values().all(|function| !function.sql.contains("{{") && function.sql.contains(&function.body)));
    }

    #[test]
    fn a_call_has_no_more_arguments_than_postgres_takes() {
        let function = function("s", &table(120), 7);
        assert_eq!(function.body.matches("jsonb_build_object(").count(), 6);
    }

    #[test]
    fn a_name_cannot_leave_its_comment() {
        let mut strange = table(1);
        strange.columns[0].0 = "a\nEXECUTE 'evil'".to_owned();
        let function = function("s", &strange, 7);
        assert_eq!(function.body.lines().nth(1), Some("-- public.it's: a EXECUTE 'evil' text"));
    }
}
