//! Values as the stream tells them become JSON as `to_jsonb` writes it.
//!
//! What a type's text is in JSON without doubt is made here; all else by the database itself, many values at a time. What it cannot make is left out,
//! as a trigger leaves it out.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::value::{self, RawValue};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Statement};

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
    pub(super) const JSON: u32 = 114;
    pub(super) const FLOAT4: u32 = 700;
    pub(super) const FLOAT8: u32 = 701;
    pub(super) const JSONB: u32 = 3802;
    /// Those below came with the server.
    pub(super) const FIRST_OF_USERS: u32 = 16_384;
    /// The server's own that are no strings in JSON, beside arrays and composites (`json_categorize_type` in its source); or strings with a T.
    pub(super) const ASKED: [u32; 12] =
        [BOOL, INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC, DATE, TIMESTAMP, TIMESTAMPTZ, JSON, JSONB];
}

/// What a text is to be read as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reading {
    /// A value of a type.
    Type(u32),
    /// The inputs of a generated column, by the statement that computes it.
    Generated(String),
}

/// How values are made.
#[derive(Clone)]
struct Kind {
    /// The type behind a domain, or the type itself; nothing of a generated column.
    base: Option<u32>,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Ask(Statement),
    /// They are told as text: it is what they are in JSON, or the database does not know the type any more or does not let us use it.
    Text,
    /// They are left out: of a generated column that cannot be computed any more.
    Never,
}

/// What is known of types, of one connection.
#[derive(Default)]
pub(super) struct Values {
    kinds: HashMap<Reading, Kind>,
}

/// JSON of values that the database was asked for.
#[derive(Debug, Default)]
pub(super) struct Made(HashMap<Reading, HashMap<Bytes, Option<Box<RawValue>>>>);

impl Made {
    /// A value as JSON; nothing when it cannot be JSON.
    pub(super) fn json(&self, type_oid: u32, text: &Bytes) -> Option<Box<RawValue>> {
        plain(type_oid, text).or_else(|| self.0.get(&Reading::Type(type_oid))?.get(text)?.clone())
    }

    /// A generated column's value of these inputs.
    pub(super) fn generated(&self, statement: &str, inputs: &Bytes) -> Option<Box<RawValue>> {
        self.0.get(&Reading::Generated(statement.to_owned()))?.get(inputs)?.clone()
    }
}

impl Values {
    /// Makes those that are not plain.
    pub(super) async fn make(&mut self, client: &Client, wanted: Vec<(Reading, Bytes)>) -> Result<Made, Error> {
        let mut made = Made::default();
        for (reading, text) in wanted {
            made.0.entry(reading).or_default().entry(text).or_default();
        }
        for (reading, values) in &mut made.0 {
            let kind = self.kind(client, reading).await?;
            for (text, json) in values.iter_mut() {
                let easy = kind.base.and_then(|base| plain(base, text));
                *json = easy.or_else(|| if matches!(kind.way, Way::Text) { string(text) } else { None });
            }
            let Way::Ask(statement) = kind.way else { continue };
            let left: Vec<Bytes> =
                values.iter().filter(|(_, json)| json.is_none()).map(|(text, _)| text.clone()).collect();
            for texts in left.chunks(VALUES_MAX) {
                ask(client, &statement, texts, values).await?;
            }
        }
        Ok(made)
    }

    async fn kind(&mut self, client: &Client, reading: &Reading) -> Result<Kind, Error> {
        if let Some(kind) = self.kinds.get(reading) {
            return Ok(kind.clone());
        }
        let kind = match reading {
            Reading::Type(type_oid) => kind_of(client, *type_oid).await?,
            Reading::Generated(statement) => Kind { base: None, way: prepare(client, statement, Way::Never).await? },
        };
        self.kinds.insert(reading.clone(), kind.clone());
        Ok(kind)
    }
}

async fn kind_of(client: &Client, type_oid: u32) -> Result<Kind, Error> {
    let Some(row) = client.query_opt(BASE_TYPE, &[&type_oid]).await? else {
        return Ok(Kind { base: Some(type_oid), way: Way::Text });
    };
    let base_oid: u32 = row.try_get(0)?;
    let base = Some(base_oid);
    let kind: String = row.try_get(1)?;
    let is_of_server = base_oid < oid::FIRST_OF_USERS && !oid::ASKED.contains(&base_oid);
    let is_one_text = is_of_server && kind != "c" && row.try_get::<_, String>(3)? != "A";
    if kind == "e" || is_one_text {
        return Ok(Kind { base, way: Way::Text });
    }
    let to_json = format!(
        "SELECT to_jsonb(value::{})::text FROM unnest($1::text[]) WITH ORDINALITY AS given (value, at) ORDER BY at",
        row.try_get::<_, String>(2)?
    );
    Ok(Kind { base, way: prepare(client, &to_json, Way::Text).await? })
}

/// A statement that makes JSON, or else what is done when the database does not take it.
async fn prepare(client: &Client, statement: &str, otherwise: Way) -> Result<Way, Error> {
    match client.prepare(statement).await {
        Ok(statement) => Ok(Way::Ask(statement)),
        Err(error) if error.as_db_error().is_some() => {
            let said = error.code().map(SqlState::code);
            tracing::warn!(
                statement,
                said,
                "the CRM's database does not make JSON of some values, which are told as text or left out; grant USAGE on the schema of their type \
                 to the role of the source"
            );
            Ok(otherwise)
        }
        Err(error) => Err(error),
    }
}

/// Values that are made at once by the reading of their type.
pub(super) fn is_plain(type_oid: u32, text: &Bytes) -> bool {
    plain(type_oid, text).is_some()
}

/// The type behind a domain, its kind, and how it is written: without a length, which would cut values off.
const BASE_TYPE: &str = "WITH RECURSIVE base AS (
    SELECT oid, typtype, typbasetype, typcategory FROM pg_type WHERE oid = $1
    UNION ALL SELECT t.oid, t.typtype, t.typbasetype, t.typcategory FROM base JOIN pg_type t ON t.oid = base.typbasetype WHERE base.typtype = 'd')
  SELECT oid, typtype::text, format_type(oid, -1), typcategory::text FROM base WHERE typtype <> 'd'";

/// Asks for JSON. Where a value is refused the others are asked for without it, by halves.
async fn ask(
    client: &Client,
    statement: &Statement,
    texts: &[Bytes],
    values: &mut HashMap<Bytes, Option<Box<RawValue>>>,
) -> Result<(), Error> {
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
fn is_about_a_value(error: &Error) -> bool {
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
