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

/// What every function is set to. No deadline for locks but that of the function itself holds, since a table that grows is locked for a moment.
const SETTINGS: &str = "SET search_path = pg_catalog, pg_temp SET lock_timeout = 0";
/// What the functions of tables with other than plain columns are set to as well, so that values are written in one form whatever the session is set to.
/// Each setting costs every write.
const FORMS: &str =
    "SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'iso_8601' SET bytea_output = 'hex' SET extra_float_digits = 1";
/// What moments need to be written in one form.
const ZONE: &str = "SET TimeZone = 'UTC'";
/// The type of moments.
const MOMENT: &str = "timestamp with time zone";
/// Types that `to_json` writes as `to_jsonb` does, in one form whatever the session is set to but for the zone of moments. Of all others `to_jsonb` is asked.
const PLAIN: [&str; 14] = [
    "smallint",
    "integer",
    "bigint",
    "numeric",
    "boolean",
    "text",
    "character varying",
    "character",
    "uuid",
    "date",
    "time without time zone",
    "timestamp without time zone",
    MOMENT,
    "jsonb",
];
/// A row that is larger as JSON is made column by column, which leaves out what is too large: more than `jsonb` can hold, in bytes.
const ROW_BYTES_MAX: u32 = 0x0FFF_FFFF;

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
        ("was", object("OLD", table)),
        ("became", object("NEW", table)),
        ("key_was", key("OLD", table)),
        ("key_became", key("NEW", table)),
        ("rows_max", rows_max.to_string()),
        ("row_bytes_max", ROW_BYTES_MAX.to_string()),
        ("table", quote::literal(&whole)),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // The types stand in it, so that it is another function when one changes: sessions then forget what they planned for the old type.
    let types: Vec<_> = table.columns.iter().map(|(name, type_name)| format!("{name} {type_name}")).collect();
    let about = format!("{whole}: {}", types.join(", ")).replace(|c: char| c.is_control(), " ");
    let body = format!("-- {about}\n{}", fill(CAPTURE, schema, &values));
    let sql = format!(
        "CREATE OR REPLACE FUNCTION {}.{}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER\n{}\nAS {};",
        quote::identifier(schema),
        function_name(table.number),
        settings(table),
        quote::body(&body)
    );
    Function { sql, body: format!("\n{body}") }
}

/// What a table's function is set to: as little as its columns need.
fn settings(table: &InstalledTable) -> String {
    let types = || table.columns.iter().map(|(_, type_name)| type_name.as_str());
    let all_plain = types().all(|type_name| PLAIN.contains(&type_name));
    let has_moments = !all_plain || types().any(|type_name| type_name == MOMENT);
    let wanted = [(true, SETTINGS), (has_moments, ZONE), (!all_plain, FORMS)];
    wanted.iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, sql)| *sql).collect::<Vec<_>>().join(" ")
}

/// A row's columns as one object. More than one call can take are put together as `jsonb`, since `json` cannot be.
fn object(row: &str, table: &InstalledTable) -> String {
    let names = || table.columns.iter().map(|(name, _)| (quote::literal(name), name));
    if table.columns.len() <= PAIRS_MAX {
        let pairs: Vec<_> = names().map(|(key, name)| format!("{key}, {}", value(row, table, name))).collect();
        return format!("json_build_object({})", pairs.join(", "));
    }
    let pairs: Vec<_> = names().map(|(key, name)| format!("{key}, {row}.{}", quote::identifier(name))).collect();
    let objects = pairs.chunks(PAIRS_MAX).map(|pairs| format!("jsonb_build_object({})", pairs.join(", ")));
    objects.collect::<Vec<_>>().join(" || ")
}

fn key(row: &str, table: &InstalledTable) -> String {
    let values: Vec<_> = table.key.iter().map(|name| value(row, table, name)).collect();
    format!("json_build_array({})::text", values.join(", "))
}

/// A column's value, for functions that write it as `to_json` does.
fn value(row: &str, table: &InstalledTable, name: &str) -> String {
    let known = table.columns.iter().find(|(column, _)| column == name);
    let value = format!("{row}.{}", quote::identifier(name));
    if known.is_some_and(|(_, type_name)| PLAIN.contains(&type_name.as_str())) {
        value
    } else {
        format!("to_jsonb({value})")
    }
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
        assert_eq!(
            names,
            ["await_outbox", "by_column", "capture_truncate", "is_other", "key_of", "members_of", "missed"]
        );
        assert!(shared.values().all(|function| !function.sql.contains("{{") && function.sql.contains(&function.body)));
    }

    #[test]
    fn a_call_has_no_more_arguments_than_postgres_takes() {
        let function = function("s", &table(120), 7);
        assert_eq!(function.body.matches("jsonb_build_object(").count(), 6);
    }

    #[test]
    fn a_function_is_set_to_no_more_than_its_columns_need() {
        let settings = |type_name: &str| {
            let mut table = table(2);
            table.columns[1].1 = type_name.to_owned();
            super::settings(&table)
        };
        assert_eq!(settings("integer"), SETTINGS);
        assert_eq!(settings(MOMENT), format!("{SETTINGS} {ZONE}"));
        assert_eq!(settings("timestamp with time zone[]"), format!("{SETTINGS} {ZONE} {FORMS}"));
    }

    #[test]
    fn a_name_cannot_leave_its_comment() {
        let mut strange = table(1);
        strange.columns[0].0 = "a\nEXECUTE 'evil'".to_owned();
        let function = function("s", &strange, 7);
        assert_eq!(function.body.lines().nth(1), Some("-- public.it's: a EXECUTE 'evil' text"));
    }
}
