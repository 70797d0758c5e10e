//! One row of a CRM's table, as JSON.

use std::fmt;

use postrider_contract::is_same;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The mapped columns of a row, each with its value as JSON text exactly as the database wrote it (`to_jsonb`): a `numeric` keeps all its digits.
#[derive(Clone, Debug, Default)]
pub struct Row(Vec<(Box<str>, Box<RawValue>)>);

impl Row {
    /// A column's value as JSON text; nothing when the row does not have the column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| &**name == column).map(|(_, value)| value.get())
    }

    /// Whether a column is missing or null.
    #[must_use]
    pub fn is_null(&self, column: &str) -> bool {
        self.get(column).is_none_or(|value| value == "null")
    }

    /// A column's value as plain text, as labels, rules and ids compare it: a string without its quotes, anything else as JSON. Nothing for null.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<String> {
        let value = self.get(column).filter(|value| *value != "null")?;
        Some(serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned()))
    }

    /// Columns and values, in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether both have the same columns with the same values, as `jsonb` tells them apart: `1.0` and `1.00` are one number.
    #[must_use]
    pub fn is_same(&self, other: &Row) -> bool {
        let has = |(name, value): (&str, &RawValue)| other.get(name).is_some_and(|other| is_same(value.get(), other));
        self.0.len() == other.0.len() && self.iter().all(has)
    }

    /// Sets a column's value.
    pub fn set(&mut self, column: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(name, _)| &**name == column) {
            Some((_, old)) => *old = value,
            None => self.0.push((column.into(), value)),
        }
    }
}

impl FromIterator<(Box<str>, Box<RawValue>)> for Row {
    /// Of columns that are all different.
    fn from_iter<I: IntoIterator<Item = (Box<str>, Box<RawValue>)>>(columns: I) -> Self {
        Row(columns.into_iter().collect())
    }
}

impl PartialEq for Row {
    /// By column, whatever their order; values as they are written.
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|(name, value)| other.get(name) == Some(value.get()))
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Row;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row as a JSON object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Row, M::Error> {
                let mut columns = Vec::with_capacity(map.size_hint().unwrap_or_default());
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                }
                Ok(Row(columns))
            }
        }
        deserializer.deserialize_map(Columns)
    }
}
