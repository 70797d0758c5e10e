//! Reading single fields: texts, booleans, moments, and what is parsed from a text.

use std::num::NonZeroU32;
use std::str::FromStr;

use postrider_domain::Millis;

use super::{Fields, Text, json_kind, list_size};
use crate::code::Code;
use crate::problem::quoted;
use crate::time::read_moment;
use crate::wrong::Wrong;

/// What a change says about a field that may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change<T> {
    /// Nothing: it stays.
    Keep,
    /// `null`: it goes.
    Clear,
    /// A new value.
    Set(T),
}

impl<T> Change<T> {
    /// Changes the field.
    pub(crate) fn apply(self, field: &mut Option<T>) {
        match self {
            Change::Keep => {}
            Change::Clear => *field = None,
            Change::Set(value) => *field = Some(value),
        }
    }
}

impl Fields<'_, '_> {
    /// A text; none when it is left out or `null`.
    pub(crate) fn text(&mut self, name: &'static str, rule: Text) -> Option<String> {
        let text = self.string(name)?;
        match rule.check(&text) {
            Ok(()) => Some(text),
            Err(wrong) => {
                self.wrong(name, wrong);
                None
            }
        }
    }

    /// A text that must be there; an empty one in its place after a mistake.
    pub(crate) fn required_text(&mut self, name: &'static str, rule: Text) -> String {
        if self.raw(name).is_none() {
            self.missing(name);
        }
        self.text(name, rule).unwrap_or_default()
    }

    /// A text that may be left out but not emptied with `null`.
    pub(crate) fn kept_text(&mut self, name: &'static str, rule: Text) -> Option<String> {
        self.refuse_null(name);
        self.text(name, rule)
    }

    /// A text that may be left out, set or cleared.
    pub(crate) fn change_text(&mut self, name: &'static str, rule: Text) -> Change<String> {
        match (self.has(name), self.text(name, rule)) {
            (_, Some(text)) => Change::Set(text),
            (true, None) => Change::Clear,
            (false, None) => Change::Keep,
        }
    }

    /// What a text stands for; none when it is left out or `null`.
    pub(crate) fn parsed<T: FromStr<Err: Into<Wrong>>>(&mut self, name: &'static str) -> Option<T> {
        self.chosen(name, str::parse)
    }

    /// As [`Fields::parsed`], with the reader given.
    pub(crate) fn chosen<T, E: Into<Wrong>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.string(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.wrong(name, wrong);
                None
            }
        }
    }

    /// A moment in RFC 3339.
    pub(crate) fn moment(&mut self, name: &'static str) -> Option<Millis> {
        self.chosen(name, read_moment)
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        match self.raw(name)? {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                let detail = format!("must be true or false, but is {}", json_kind(other));
                self.wrong(name, Wrong { detail, ..Wrong::json_type("a boolean", json_kind(other)) });
                None
            }
        }
    }

    /// A whole number from 1 on; none when it is left out, `null` or wrong.
    pub(crate) fn count(&mut self, name: &'static str, max: u32) -> Option<NonZeroU32> {
        let json = self.raw(name)?;
        let count = whole(json).filter(|count| count.get() <= max);
        if count.is_none() {
            let is = if json_kind(json) == "a number" { quoted(json) } else { json_kind(json).to_owned() };
            let detail = format!("must be a whole number from 1 to {max}, but is {is}");
            self.wrong(name, Code::NumberRange.says(detail).with("min", 1_u32).with("max", max));
        }
        count
    }

    /// A whole number that may be left out, set or cleared.
    pub(crate) fn change_count(&mut self, name: &'static str, max: u32) -> Change<NonZeroU32> {
        match (self.raw(name).is_some(), self.count(name, max)) {
            (_, Some(count)) => Change::Set(count),
            (true, None) => Change::Keep,
            (false, None) if self.has(name) => Change::Clear,
            (false, None) => Change::Keep,
        }
    }

    /// An array of texts, each read by `read`; a mistake names the entry.
    pub(crate) fn list<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        mut read: impl FnMut(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<T>> {
        self.list_of(name, count_max, |element| string_of(element).and_then(|text| read(&text)))
    }

    /// An array of ids: strings, or whole numbers, which are taken as their digits.
    pub(crate) fn id_list<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        mut read: impl FnMut(String) -> Result<T, Wrong>,
    ) -> Option<Vec<T>> {
        self.list_of(name, count_max, |element| string_or_number(element).and_then(&mut read))
    }

    fn list_of<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        mut read: impl FnMut(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<T>> {
        let elements = self.elements(name)?;
        if elements.is_empty() || elements.len() > count_max {
            let has = elements.len();
            let detail = format!("has {has} entries; 1 to {count_max} are accepted");
            self.wrong(name, list_size(detail, 1, count_max, has));
            return None;
        }
        let mut values = Vec::with_capacity(elements.len());
        for (index, element) in elements.into_iter().enumerate() {
            match read(element) {
                Ok(value) => values.push(value),
                Err(wrong) => self.wrong_within(name, &index.to_string(), wrong),
            }
        }
        Some(values)
    }

    /// As [`Fields::list`], for a field that must be there.
    pub(crate) fn required_list<T>(
        &mut self,
        name: &'static str,
        count_max: usize,
        read: impl FnMut(&str) -> Result<T, Wrong>,
    ) -> Vec<T> {
        if self.raw(name).is_none() {
            self.missing(name);
        }
        self.list(name, count_max, read).unwrap_or_default()
    }

    /// Notes a mistake of something within a field.
    pub(crate) fn wrong_within(&mut self, name: &str, within: &str, wrong: impl Into<Wrong>) {
        let at = super::member_at(&super::member_at(&self.at, name), within);
        self.mistakes.add(at, wrong);
    }

    /// Notes a mistake when a field that cannot be emptied is `null`.
    pub(crate) fn refuse_null(&mut self, name: &'static str) {
        if self.has(name) && self.raw(name).is_none() {
            self.missing(name);
        }
    }

    /// Notes a mistake when a field that must be there is left out or `null`.
    pub(crate) fn require(&mut self, name: &'static str) {
        if self.raw(name).is_none() {
            self.missing(name);
        }
    }

    fn string(&mut self, name: &'static str) -> Option<String> {
        match string_of(self.raw(name)?) {
            Ok(text) => Some(text),
            Err(wrong) => {
                self.wrong(name, wrong);
                None
            }
        }
    }
}

/// The string that a JSON text is.
pub(crate) fn string_of(json: &str) -> Result<String, Wrong> {
    if !json.starts_with('"') {
        return Err(Wrong::json_type("a string", json_kind(json)));
    }
    // What can still be wrong with a string that is JSON is half of a surrogate pair.
    serde_json::from_str(json)
        .map_err(|_| Code::TextEscape.says("has an escape that stands for no character (half of a surrogate pair)"))
}

/// A string, or a whole number's digits: CRMs write the ids of their records in both ways.
pub(crate) fn string_or_number(json: &str) -> Result<String, Wrong> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(json.to_owned());
    }
    string_of(json)
}

/// A whole number from 1 on, however it is written: `10`, `10.0` and `1e1` are one number (JSON Schema 2020-12, section 4.2.3).
fn whole(json: &str) -> Option<NonZeroU32> {
    let written_otherwise = || {
        let number: f64 = json.parse().ok()?;
        let is_whole = number.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&number);
        is_whole.then_some(number as u32).and_then(NonZeroU32::new)
    };
    json.parse().ok().or_else(written_otherwise)
}
