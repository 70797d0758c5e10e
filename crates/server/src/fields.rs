//! Reads a JSON object's fields one by one, notes every mistake with its place, and goes on.
//!
//! The *known* names are those that an object may have; any other one, and a name given twice, is a mistake. A value stays the text that
//! it was until somebody reads it, so that parts of a body can be kept byte for byte. `null` stands for "left out" wherever a field
//! may be left out.

mod read;
mod text;

use std::fmt;

use postrider_contract::MemberName;
use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::code::Code;
use crate::problem::{Kind, Mistake, Mistakes, Problem, quoted};
use crate::wrong::Wrong;

pub(crate) use read::{Change, string_of, string_or_number};
pub(crate) use text::{Text, json_kind};

/// An object whose fields are being read.
pub(crate) struct Fields<'t, 'm> {
    /// Where the object stands: a JSON pointer.
    at: String,
    known: &'static [&'static str],
    /// One for each known name: its value's text, unless it was left out.
    values: Vec<Option<&'t str>>,
    mistakes: &'m mut Mistakes,
}

/// Reads a whole body: an object with the known fields. The mistakes that `read` notes are answered all at once.
pub(crate) fn read_body<'t, T>(
    body: &'t [u8],
    known: &'static [&'static str],
    read: impl FnOnce(&mut Fields<'t, '_>) -> T,
) -> Result<T, Problem> {
    let mut mistakes = Mistakes::default();
    let value = collect_body(body, known, &mut mistakes, read)?;
    mistakes.into_result(Kind::InvalidFields).map(|()| value)
}

/// As [`read_body`] for a body of which fields may be missing that must be there in the end, and of which mistakes are what is asked for.
pub(crate) fn check_body<'t, T>(
    body: &'t [u8],
    known: &'static [&'static str],
    read: impl FnOnce(&mut Fields<'t, '_>) -> T,
) -> Result<(T, Vec<Mistake>), Problem> {
    let mut mistakes = Mistakes::of_a_part();
    let value = collect_body(body, known, &mut mistakes, read)?;
    Ok((value, mistakes.into_list()))
}

fn collect_body<'t, T>(
    body: &'t [u8],
    known: &'static [&'static str],
    mistakes: &mut Mistakes,
    read: impl FnOnce(&mut Fields<'t, '_>) -> T,
) -> Result<T, Problem> {
    let text = utf8(body)?;
    let mut values = vec![None; known.len()];
    let collect = Collect { at: "", known, values: &mut values, mistakes };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    collect
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|error| malformed(text, &error))?;
    Ok(read(&mut Fields { at: String::new(), known, values, mistakes }))
}

/// As [`read_body`], where an empty body, or `null`, stands for an object without fields.
pub(crate) fn read_optional_body<'t, T>(
    body: &'t [u8],
    known: &'static [&'static str],
    read: impl FnOnce(&mut Fields<'t, '_>) -> T,
) -> Result<T, Problem> {
    let body = if matches!(body.trim_ascii(), b"" | b"null") { b"{}" } else { body };
    read_body(body, known, read)
}

fn utf8(body: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|error| {
        let detail = format!("the body is not UTF-8: the byte at offset {} begins no character", error.valid_up_to());
        Problem::new(Kind::Malformed, detail)
    })
}

fn malformed(text: &str, error: &serde_json::Error) -> Problem {
    if error.is_data() {
        let wrong = Wrong::json_type("a JSON object", json_kind(text.trim_start()));
        return Problem::field(Kind::InvalidFields, "", wrong);
    }
    if text.trim().is_empty() {
        return Problem::new(Kind::Malformed, "the body is empty; it must be a JSON object");
    }
    let detail = format!("the body is not JSON: {error}");
    Problem::new(Kind::Malformed, detail)
}

/// Sorts an object's members into the known ones' places.
struct Collect<'a, 't, 'm> {
    at: &'a str,
    known: &'static [&'static str],
    values: &'a mut Vec<Option<&'t str>>,
    mistakes: &'m mut Mistakes,
}

impl<'t> DeserializeSeed<'t> for Collect<'_, 't, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'t> Visitor<'t> for Collect<'_, 't, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(MemberName(name)) = map.next_key::<MemberName<'t>>()? {
            let value = map.next_value::<&'t RawValue>()?.get();
            match self.known.iter().position(|known| *known == name) {
                Some(index) if self.values[index].is_none() => self.values[index] = Some(value),
                Some(_) => {
                    self.mistakes.add(member_at(self.at, &name), Code::FieldTwice.says("is given twice; give it once"));
                }
                None => {
                    let detail = format!("is not a known field; known are {}", self.known.join(", "));
                    self.mistakes.add(member_at(self.at, &name), Code::FieldUnknown.says(detail));
                }
            }
        }
        Ok(())
    }
}

/// The JSON pointer (RFC 6901) of a member; a very long name is cut, for a pointer into nothing needs no more.
fn member_at(at: &str, name: &str) -> String {
    let short: String = name.chars().take(crate::limits::QUOTED_CHARS_MAX).collect();
    format!("{at}/{}", short.replace('~', "~0").replace('/', "~1"))
}

impl<'t> Fields<'t, '_> {
    /// Notes a mistake of a field.
    pub(crate) fn wrong(&mut self, name: &str, wrong: impl Into<Wrong>) {
        self.mistakes.add(member_at(&self.at, name), wrong);
    }

    /// The text of a field's value; none when it is left out or `null`.
    pub(crate) fn raw(&self, name: &'static str) -> Option<&'t str> {
        self.given(name).filter(|text| *text != "null")
    }

    /// Whether a field is there at all, be it `null`.
    pub(crate) fn has(&self, name: &'static str) -> bool {
        self.given(name).is_some()
    }

    fn given(&self, name: &'static str) -> Option<&'t str> {
        debug_assert!(self.known.contains(&name), "{name} is read but not known");
        let index = self.known.iter().position(|known| *known == name)?;
        self.values[index]
    }

    /// Whether a field that must be there in the end is left out of a part.
    pub(crate) fn is_yet_to_come(&self, name: &'static str) -> bool {
        self.mistakes.is_of_a_part() && !self.has(name)
    }

    /// Notes that a field that must be there is not.
    fn missing(&mut self, name: &'static str) {
        if self.is_yet_to_come(name) {
            return;
        }
        let null = || Code::FieldNull.says("must not be null");
        self.wrong(name, if self.has(name) { null() } else { Code::FieldMissing.says("is missing") });
    }

    /// An object within: its own known fields, read by `read`.
    pub(crate) fn object<T>(
        &mut self,
        name: &'static str,
        known: &'static [&'static str],
        read: impl FnOnce(&mut Fields<'t, '_>) -> T,
    ) -> Option<T> {
        let text = self.raw(name)?;
        nested(member_at(&self.at, name), text, known, self.mistakes, read)
    }

    /// An array's elements as texts, each with its place; `None` when it is left out or no array.
    fn elements(&mut self, name: &'static str) -> Option<Vec<&'t str>> {
        let text = self.raw(name)?;
        match serde_json::from_str::<Vec<&'t RawValue>>(text) {
            Ok(elements) => Some(elements.into_iter().map(RawValue::get).collect()),
            Err(_) => {
                self.wrong(name, Wrong::json_type("an array", json_kind(text)));
                None
            }
        }
    }

    /// An array of objects, each read by `read`, which is given the object's index. How many there may be is a limit of its own.
    pub(crate) fn objects<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        known: &'static [&'static str],
        mut read: impl FnMut(usize, &str, &mut Fields<'t, '_>) -> T,
    ) -> Vec<T> {
        if self.raw(name).is_none() {
            self.missing(name);
            return Vec::new();
        }
        let elements = self.elements(name).unwrap_or_default();
        if elements.len() > count_max {
            let has = elements.len();
            let detail = format!("has {has} entries; at most {count_max} are accepted at once");
            self.wrong(name, list_size(detail, 0, count_max, has));
            return Vec::new();
        }
        let mut read_all = Vec::with_capacity(elements.len());
        for (index, text) in elements.into_iter().enumerate() {
            let at = format!("{}/{index}", member_at(&self.at, name));
            read_all.extend(nested(at, text, known, self.mistakes, |fields| read(index, text, fields)));
        }
        read_all
    }

    /// An object whose members' names are the caller's own: name and value's text of each, in order.
    pub(crate) fn members(&mut self, name: &'static str, count_max: usize) -> Option<Vec<(String, &'t str)>> {
        let text = self.raw(name)?;
        let collected = AnyMembers { count_max }.deserialize(&mut serde_json::Deserializer::from_str(text));
        match collected {
            Ok(members) => Some(members),
            Err(error) if text.starts_with('{') && error.is_data() => {
                let detail = format!("has more than {count_max} members");
                self.wrong(name, Code::ObjectTooManyMembers.says(detail).with("max", count_max));
                None
            }
            Err(_) => {
                self.wrong(name, not_an_object(text));
                None
            }
        }
    }
}

fn nested<'t, T>(
    at: String,
    text: &'t str,
    known: &'static [&'static str],
    mistakes: &mut Mistakes,
    read: impl FnOnce(&mut Fields<'t, '_>) -> T,
) -> Option<T> {
    let mut values = vec![None; known.len()];
    let collect = Collect { at: &at, known, values: &mut values, mistakes };
    if collect.deserialize(&mut serde_json::Deserializer::from_str(text)).is_err() {
        mistakes.add(at, not_an_object(text));
        return None;
    }
    Some(read(&mut Fields { at, known, values, mistakes }))
}

fn not_an_object(text: &str) -> Wrong {
    if text.starts_with('{') {
        return Code::TextEscape.says("has a name with an escape that stands for no character");
    }
    Wrong::json_type("an object", json_kind(text))
}

pub(crate) fn list_size(detail: String, min: usize, max: usize, has: usize) -> Wrong {
    Code::ListSize.says(detail).with("min", min).with("max", max).with("has", has)
}

/// An object's members in order, bounded.
struct AnyMembers {
    count_max: usize,
}

impl<'t> DeserializeSeed<'t> for AnyMembers {
    type Value = Vec<(String, &'t str)>;
    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'t> Visitor<'t> for AnyMembers {
    type Value = Vec<(String, &'t str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((MemberName(name), value)) = map.next_entry::<MemberName<'t>, &'t RawValue>()? {
            if members.len() >= self.count_max {
                return Err(serde::de::Error::custom("too many members"));
            }
            members.push((name.into_owned(), value.get()));
        }
        Ok(members)
    }
}

/// What a field that cannot be changed answers when it is named.
pub(crate) fn refuse(fields: &mut Fields<'_, '_>, name: &'static str, why: &str) {
    if fields.has(name) {
        fields.wrong(name, Code::FieldFixed.says(why));
    }
}

/// The list of choices, for an error's detail.
pub(crate) fn choices<'c>(of: impl IntoIterator<Item = &'c str>) -> String {
    of.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
