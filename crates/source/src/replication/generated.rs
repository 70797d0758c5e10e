//! Generated columns, which the stream does not tell before Postgres 18: the database computes them again from the columns that it tells.

use std::collections::HashMap;

use bytes::Bytes;
use tokio_postgres::{Client, Error};

use super::pgoutput::Value;
use crate::mapping::TableName;
use crate::session::quoted;

/// A column that is computed from others of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Generated {
    pub(super) name: String,
    /// What it is computed from.
    pub(super) inputs: Vec<String>,
    /// Makes its JSON of the inputs of many rows, each a JSON array of texts.
    pub(super) statement: String,
}

/// The inputs of a row as one text; nothing when one of them is not told.
pub(super) fn inputs(values: &[&Value]) -> Option<Bytes> {
    let texts: Vec<Option<&str>> = values.iter().map(|value| text(value)).collect::<Option<_>>()?;
    serde_json::to_vec(&texts).ok().map(Bytes::from)
}

fn text(value: &Value) -> Option<Option<&str>> {
    match value {
        Value::Null => Some(None),
        Value::Untold => None,
        Value::Text(text) => std::str::from_utf8(text).ok().map(Some),
    }
}

/// The generated columns of these tables.
pub(super) async fn read(client: &Client, tables: &[TableName]) -> Result<HashMap<TableName, Vec<Generated>>, Error> {
    let schemas: Vec<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let mut generated: HashMap<TableName, Vec<Generated>> = HashMap::new();
    for row in client.query(GENERATED, &[&schemas, &names]).await? {
        let table = TableName { schema: row.try_get(0)?, name: row.try_get(1)? };
        let (name, type_name, expression): (String, String, String) =
            (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        let (inputs, types): (Vec<String>, Vec<String>) = (row.try_get(5)?, row.try_get(6)?);
        let statement = statement(&expression, &type_name, &inputs, &types);
        generated.entry(table).or_default().push(Generated { name, inputs, statement });
    }
    Ok(generated)
}

fn statement(expression: &str, type_name: &str, inputs: &[String], types: &[String]) -> String {
    let columns = inputs.iter().zip(types).enumerate();
    let columns: String = columns
        .map(|(at, (name, type_name))| format!("(given.texts::json ->> {at})::{type_name} AS {}, ", quoted(name)))
        .collect();
    format!(
        "SELECT coalesce(to_jsonb(({expression})::{type_name})::text, 'null') FROM (SELECT {columns}given.at AS \"postrider at\" \
         FROM unnest($1::text[]) WITH ORDINALITY AS given (texts, at)) AS generated ORDER BY \"postrider at\""
    )
}

const GENERATED: &str = "SELECT n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid),
    array_agg(input.attname::text ORDER BY input.attnum), array_agg(format_type(input.atttypid, input.atttypmod) ORDER BY input.attnum)
  FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
    JOIN pg_namespace n ON n.nspname = wanted.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped
    JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    JOIN pg_attribute input ON input.attrelid = c.oid AND input.attnum <> a.attnum AND EXISTS (
      SELECT FROM pg_depend p WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = c.oid AND p.refobjsubid = input.attnum AND (
        p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid OR p.classid = 'pg_class'::regclass AND p.objid = c.oid AND p.objsubid = a.attnum))
  GROUP BY 1, 2, 3, 4, 5";
