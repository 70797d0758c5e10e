//! Values as the stream tells them become JSON as `to_jsonb` writes it.
//!
//! What a type's text is in JSON without doubt is made here; all else by the database itself, many values at a time. What it cannot make is left out,
//! as a trigger leaves it out.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::value::{self, RawValue};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Statement};

use super::limits::VALUES_MAX;

/// Types of Postgres by their numbers, which are fixed (`pg_type.dat`).
mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const INT8: u32 = 20;
    pub(super) const INT2: u32 = 21;
    pub(super) const INT4: u32 = 23;
    pub(super) const TEXT: u32 = 25;
    pub(super) const BPCHAR: u32 = 1042;
    pub(super) const VARCHAR: u32 = 1043;
    pub(super) const DATE: u32 = 1082;
    pub(super) const TIMESTAMP: u32 = 1114;
    pub(super) const TIMESTAMPTZ: u32 = 1184;
    pub(super) const NUMERIC: u32 = 1700;
    pub(super) const UUID: u32 = 2950;
    pub(super) const JSONB: u32 = 3802;
}

/// How values of a type are made.
#[derive(Clone)]
struct Kind {
    /// The type behind a domain, or the type itself.
    base: u32,
    /// Nothing where they are told as text: of enums, and of types that the database does not know any more or does not let us use.
    statement: Option<Statement>,
}

/// What is known of types, of one connection.
#[derive(Default)]
pub(super) struct Values {
    kinds: HashMap<u32, Kind>,
}

/// JSON of values that the database was asked for.
#[derive(Debug, Default)]
pub(super) struct Made(HashMap<u32, HashMap<Bytes, Option<Box<RawValue>>>>);

impl Made {
    /// A value as JSON; nothing when it cannot be JSON.
    pub(super) fn json(&self, type_oid: u32, text: &Bytes) -> Option<Box<RawValue>> {
        plain(type_oid, text).or_else(|| self.0.get(&type_oid)?.get(text)?.clone())
    }
}

impl Values {
    /// Makes those that are not plain.
    pub(super) async fn make(
        &mut self,
        client: &Client,
        wanted: Vec<(u32, Bytes)>,
    ) -> Result<Made, tokio_postgres::Error> {
        let mut made = Made::default();
        for (type_oid, text) in wanted {
            made.0.entry(type_oid).or_default().entry(text).or_default();
        }
        for (type_oid, values) in &mut made.0 {
            let kind = self.kind(client, *type_oid).await?;
            for (text, json) in values.iter_mut() {
                *json = plain(kind.base, text).or_else(|| if kind.statement.is_none() { string(text) } else { None });
            }
            let Some(statement) = kind.statement else { continue };
            let left: Vec<Bytes> =
                values.iter().filter(|(_, json)| json.is_none()).map(|(text, _)| text.clone()).collect();
            for texts in left.chunks(VALUES_MAX) {
                ask(client, &statement, texts, values).await?;
            }
        }
        Ok(made)
    }

    async fn kind(&mut self, client: &Client, type_oid: u32) -> Result<Kind, tokio_postgres::Error> {
        if let Some(kind) = self.kinds.get(&type_oid) {
            return Ok(kind.clone());
        }
        let found = client.query_opt(BASE_TYPE, &[&type_oid]).await?;
        let kind = match found {
            None => Kind { base: type_oid, statement: None },
            Some(row) => {
                let base = row.try_get(0)?;
                let is_enum = row.try_get::<_, String>(1)? == "e";
                let name = row.try_get::<_, String>(2)?;
                Kind { base, statement: if is_enum { None } else { prepare(client, &name).await? } }
            }
        };
        self.kinds.insert(type_oid, kind.clone());
        Ok(kind)
    }
}

/// The type behind a domain, its kind, and how it is written: without a length, which would cut values off.
const BASE_TYPE: &str = "WITH RECURSIVE base AS (
    SELECT oid, typtype, typbasetype FROM pg_type WHERE oid = $1
    UNION ALL SELECT t.oid, t.typtype, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.typbasetype WHERE base.typtype = 'd')
  SELECT oid, typtype::text, format_type(oid, -1) FROM base WHERE typtype <> 'd'";

async fn prepare(client: &Client, type_name: &str) -> Result<Option<Statement>, tokio_postgres::Error> {
    let to_json = format!(
        "SELECT to_jsonb(value::{type_name})::text FROM unnest($1::text[]) WITH ORDINALITY AS given (value, at) ORDER BY at"
    );
    match client.prepare(&to_json).await {
        Ok(statement) => Ok(Some(statement)),
        Err(error) if error.as_db_error().is_some() => {
            let said = error.code().map(SqlState::code);
            tracing::warn!(
                type_name,
                said,
                "values of this type are told as text: the CRM's database does not make JSON of them; grant USAGE on the type's schema to the role of the source"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Asks for JSON. Where a value is refused the others are asked for without it, by halves.
async fn ask(
    client: &Client,
    statement: &Statement,
    texts: &[Bytes],
    values: &mut HashMap<Bytes, Option<Box<RawValue>>>,
) -> Result<(), tokio_postgres::Error> {
    let mut parts = vec![texts];
    while let Some(part) = parts.pop() {
        let given: Vec<_> = part.iter().map(|text| String::from_utf8_lossy(text)).collect();
        match client.query(statement, &[&given]).await {
            Ok(rows) => {
                for (text, row) in part.iter().zip(rows) {
                    let json = row.try_get::<_, String>(0)?;
                    values.insert(text.clone(), RawValue::from_string(json).ok());
                }
            }
            Err(error) if !is_about_a_value(&error) => return Err(error),
            Err(_) if part.len() > 1 => {
                let (one, other) = part.split_at(part.len() / 2);
                parts.extend([other, one]);
            }
            Err(error) => {
                let said = error.code().map(SqlState::code);
                tracing::warn!(said, "a value that cannot be JSON is left out of its row");
            }
        }
    }
    Ok(())
}

/// Class 22 is data that does not fit, 23 a domain's rule, 54 a limit such as depth, 0A what a type does not do.
fn is_about_a_value(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| ["22", "23", "54", "0A", "42"].iter().any(|class| code.code().starts_with(class)))
}

/// What a type's text is in JSON without asking: exactly what `to_jsonb` makes of it, or nothing.
fn plain(type_oid: u32, text: &Bytes) -> Option<Box<RawValue>> {
    let utf8 = || std::str::from_utf8(text).ok();
    match type_oid {
        oid::BOOL => raw(if text.as_ref() == b"t" { "true" } else { "false" }),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::JSONB => raw(utf8()?),
        oid::NUMERIC if text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-')) => raw(utf8()?),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::DATE | oid::UUID => string(text),
        oid::TIMESTAMP => moment(utf8()?).and_then(|moment| value::to_raw_value(&moment).ok()),
        oid::TIMESTAMPTZ => {
            let moment = moment(utf8()?.strip_suffix("+00")?)?;
            value::to_raw_value(&format!("{moment}+00:00")).ok()
        }
        _ => None,
    }
}

/// A moment of years with four digits: `2026-01-02 03:04:05.678` has a T in JSON.
fn moment(text: &str) -> Option<String> {
    let (date, time) = text.split_once(' ')?;
    let fits = |text: &str, pattern: &str| {
        text.len() == pattern.len()
            && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                wanted => byte == wanted,
            })
    };
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let is_moment =
        fits(date, "0000-00-00") && fits(seconds, "00:00:00") && fraction.bytes().all(|byte| byte.is_ascii_digit());
    is_moment.then(|| format!("{date}T{time}"))
}

fn raw(json: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(json.to_owned()).ok()
}

fn string(text: &Bytes) -> Option<Box<RawValue>> {
    value::to_raw_value(std::str::from_utf8(text).ok()?).ok()
}
