//! Reading TOML with every mistake noted: a *section* is one table of the file, a *place* is where a mistake would be shown.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document::{Document, Found, Place};
use crate::duration;

/// One table of the file.
#[derive(Clone)]
pub struct Section<'t, 'd> {
    pub(crate) document: &'d Document<'t>,
    pub(crate) table: Option<&'d DeTable<'t>>,
    pub(crate) place: Place,
    pub(crate) keys: &'static [&'static str],
}

impl<'t, 'd> Section<'t, 'd> {
    pub(crate) fn root(document: &'d Document<'t>, table: &'d DeTable<'t>, keys: &'static [&'static str]) -> Self {
        let section = Section { keys, ..Section::unchecked(document, table) };
        section.refuse_unknown();
        section
    }

    /// The outermost table, whatever its keys are.
    pub(crate) fn unchecked(document: &'d Document<'t>, table: &'d DeTable<'t>) -> Self {
        Section { document, table: Some(table), place: Place { offset: 0, path: String::new() }, keys: &[] }
    }

    /// The file that this is part of.
    pub fn document(&self) -> &'d Document<'t> {
        self.document
    }

    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the file has it.
    pub fn is_present(&self) -> bool {
        self.table.is_some()
    }

    pub(crate) fn refuse_unknown(&self) {
        for (key, value) in self.entries() {
            if !self.keys.contains(&key) {
                let place = Place { offset: value.key_offset, path: self.path_of(key) };
                self.document.mistake(&place, "is not a known key", format!("known here: {}", self.keys.join(", ")));
            }
        }
    }

    pub(crate) fn path_of(&self, key: &str) -> String {
        let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let key = if plain { key.to_owned() } else { format!("{key:?}") };
        if self.place.path.is_empty() { key } else { format!("{}.{key}", self.place.path) }
    }

    /// All entries, in the order of the file.
    pub(crate) fn entries(&self) -> Vec<(&'d str, Entry<'t, 'd>)> {
        let entry = |(key, value): (&'d Spanned<std::borrow::Cow<'t, str>>, &'d Spanned<DeValue<'t>>)| {
            (key.get_ref().as_ref(), Entry { key_offset: key.span().start, value })
        };
        let mut entries: Vec<_> = self.table.into_iter().flat_map(|table| table.iter().map(entry)).collect();
        entries.sort_by_key(|(_, entry)| entry.key_offset);
        entries
    }

    pub(crate) fn get(&self, key: &'static str) -> Option<Found<&'d DeValue<'t>>> {
        debug_assert!(self.keys.contains(&key), "{key} is read but not listed");
        let value = self.table?.get(key)?;
        Some(Found { value: value.get_ref(), place: Place { offset: value.span().start, path: self.path_of(key) } })
    }

    /// Whether a key is there.
    pub fn has(&self, key: &'static str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    pub(crate) fn expected<T>(&self, found: &Found<&DeValue<'t>>, what: &str, advice: impl Display) -> Option<T> {
        self.document.mistake(&found.place, format!("is {} where {what} is expected", article(found.value)), advice);
        None
    }

    /// Notes that a key is missing.
    pub fn missing(&self, key: &'static str, advice: impl Display) {
        self.about(key, "is missing", advice);
    }

    /// Notes a mistake about all that stands under a key.
    pub fn about(&self, key: &'static str, problem: impl Display, advice: impl Display) {
        let value = self.table.and_then(|table| table.get(key));
        let offset = value.map_or(self.place.offset, |value| value.span().start);
        self.document.mistake(&Place { offset, path: self.path_of(key) }, problem, advice);
    }

    /// A string.
    pub fn text(&self, key: &'static str) -> Option<Found<&'d str>> {
        let found = self.get(key)?;
        match found.value {
            DeValue::String(text) => Some(Found { value: text.as_ref(), place: found.place }),
            _ => self.expected(&found, "a string", "put it in quotes"),
        }
    }

    /// A string that must be there.
    pub fn required_text(&self, key: &'static str, advice: &str) -> Option<Found<&'d str>> {
        if self.table.is_none_or(|table| !table.contains_key(key)) {
            self.missing(key, advice);
        }
        self.text(key)
    }

    /// A boolean.
    pub fn flag(&self, key: &'static str, default: bool) -> bool {
        let Some(found) = self.get(key) else { return default };
        match found.value {
            DeValue::Boolean(flag) => *flag,
            _ => self.expected(&found, "a boolean", "write true or false").unwrap_or(default),
        }
    }

    /// A whole number.
    pub fn number(&self, key: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let range = u64::from(*range.start())..=u64::from(*range.end());
        self.large_number(key, range).and_then(|number| u32::try_from(number).ok())
    }

    /// A whole number that may be beyond 32 bits.
    pub fn large_number(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let found = self.get(key)?;
        let DeValue::Integer(integer) = found.value else {
            return self.expected(&found, "a whole number", "write it without quotes");
        };
        match u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let advice = match (range.start(), range.end()) {
                    (one, same) if one == same => format!("write {one}"),
                    (start, end) => format!("write a whole number from {start} to {end}"),
                };
                self.document.mistake(&found.place, format!("is {}", integer.as_str()), advice);
                None
            }
        }
    }

    /// A number from 0 to 1.
    pub fn fraction(&self, key: &'static str) -> Option<f64> {
        let found = self.get(key)?;
        let text = match found.value {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) => integer.as_str(),
            _ => return self.expected(&found, "a number", "write one from 0.0 to 1.0"),
        };
        let number = text.replace('_', "").parse::<f64>().ok().filter(|n| (0.0..=1.0).contains(n));
        if number.is_none() {
            self.document.mistake(&found.place, format!("is {text}"), "write a number from 0.0 to 1.0");
        }
        number
    }

    /// A duration as `30s`.
    pub fn duration(&self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let found = self.text(key)?;
        self.duration_at(&found, &range)
    }

    fn duration_at(&self, found: &Found<&str>, range: &RangeInclusive<Duration>) -> Option<Duration> {
        let duration = duration::parse(found.value).filter(|d| range.contains(d));
        if duration.is_none() {
            let advice = format!(
                "write whole numbers with ms, s, m, h or d, e.g. \"30s\" or \"24h\"; from {:?} to {:?}",
                range.start(),
                range.end()
            );
            self.document.mistake(&found.place, format!("{:?} is not a duration allowed here", found.value), advice);
        }
        duration
    }

    fn array(&self, key: &'static str) -> Option<Vec<Found<&'d DeValue<'t>>>> {
        let found = self.get(key)?;
        let DeValue::Array(array) = found.value else {
            return self.expected(&found, "an array", "put the values in brackets");
        };
        let element = |(index, value): (usize, &'d Spanned<DeValue<'t>>)| Found {
            value: value.get_ref(),
            place: Place { offset: value.span().start, path: format!("{}[{index}]", found.place.path) },
        };
        Some(array.iter().enumerate().map(element).collect())
    }

    /// Strings in an array.
    pub fn texts(&self, key: &'static str) -> Option<Vec<Found<&'d str>>> {
        let element = |found: Found<&'d DeValue<'t>>| match found.value {
            DeValue::String(text) => Some(Found { value: text.as_ref(), place: found.place }),
            _ => self.expected(&found, "a string", "put it in quotes"),
        };
        Some(self.array(key)?.into_iter().filter_map(element).collect())
    }

    /// One plain value or several in an array, each as text: strings, whole numbers and booleans.
    pub fn one_or_more(&self, key: &'static str) -> Option<Vec<Found<&'d str>>> {
        let found = self.get(key)?;
        if matches!(found.value, DeValue::Array(_)) {
            return Some(self.array(key)?.into_iter().filter_map(|found| self.plain(found)).collect());
        }
        Some(self.plain(found).into_iter().collect())
    }

    pub(crate) fn plain(&self, found: Found<&'d DeValue<'t>>) -> Option<Found<&'d str>> {
        let value = match found.value {
            DeValue::String(text) => text.as_ref(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Boolean(flag) => {
                if *flag {
                    "true"
                } else {
                    "false"
                }
            }
            _ => return self.expected(&found, "a string, a whole number or a boolean", "put it in quotes"),
        };
        Some(Found { value, place: found.place })
    }

    /// A string, or `false` for none.
    pub fn text_or_none(&self, key: &'static str) -> Option<Option<Found<&'d str>>> {
        let found = self.get(key)?;
        match found.value {
            DeValue::Boolean(false) => Some(None),
            DeValue::String(text) => Some(Some(Found { value: text.as_ref(), place: found.place })),
            _ => self.expected(&found, "a string or false", "put it in quotes"),
        }
    }

    /// A string where one may stand instead of a table.
    pub fn text_or_section(&self, key: &'static str) -> Option<Found<&'d str>> {
        let found = self.get(key)?;
        match found.value {
            DeValue::String(text) => Some(Found { value: text.as_ref(), place: found.place }),
            _ => None,
        }
    }

    /// Durations in an array.
    pub fn durations(&self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Vec<Found<Duration>>> {
        let texts = self.texts(key)?;
        let duration = |text: Found<&'d str>| {
            let value = self.duration_at(&text, &range)?;
            Some(Found { value, place: text.place })
        };
        Some(texts.into_iter().filter_map(duration).collect())
    }

    /// Statuses: numbers, or ranges in quotes.
    pub fn statuses(&self, key: &'static str) -> Option<Vec<RangeInclusive<u16>>> {
        let element = |found: Found<&'d DeValue<'t>>| {
            let text = match found.value {
                DeValue::Integer(integer) => integer.as_str(),
                DeValue::String(text) => text.as_ref(),
                _ => "",
            };
            let range = status_range(text);
            if range.is_none() {
                let advice = "write statuses from 200 to 599 like 410, or ranges like \"200-299\"";
                self.document.mistake(&found.place, "is no status", advice);
            }
            range
        };
        // Every element is looked at before one bad one makes the whole unusable.
        let ranges: Vec<Option<_>> = self.array(key)?.into_iter().map(element).collect();
        ranges.into_iter().collect()
    }

    /// A table inside this one; its reader finds nothing in it when it is absent.
    pub fn section(&self, key: &'static str, keys: &'static [&'static str]) -> Section<'t, 'd> {
        let found = self.get(key);
        let place = match &found {
            Some(found) => found.place.clone(),
            None => Place { offset: self.place.offset, path: self.path_of(key) },
        };
        let table = found.and_then(|found| match found.value {
            DeValue::Table(table) => Some(table),
            _ => self.expected(&found, "a table", format!("write [{}]", found.place.path)),
        });
        let section = Section { document: self.document, table, place, keys };
        section.refuse_unknown();
        section
    }

    /// The tables of an array of tables, in its order; an empty list when it is absent.
    pub fn tables(&self, key: &'static str, keys: &'static [&'static str]) -> Option<Vec<Section<'t, 'd>>> {
        if !self.has(key) {
            return Some(Vec::new());
        }
        let table = |found: Found<&'d DeValue<'t>>| match found.value {
            DeValue::Table(table) => {
                let section = Section { document: self.document, table: Some(table), place: found.place, keys };
                section.refuse_unknown();
                Some(section)
            }
            _ => self.expected(&found, "a table", format!("write [[{key}]]")),
        };
        let tables: Vec<Option<_>> = self.array(key)?.into_iter().map(table).collect();
        tables.into_iter().collect()
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Entry<'t, 'd> {
    pub(crate) key_offset: usize,
    pub(crate) value: &'d Spanned<DeValue<'t>>,
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

fn status_range(text: &str) -> Option<RangeInclusive<u16>> {
    let status = |text: &str| text.trim().parse().ok().filter(|s| (200..=599).contains(s));
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let range = status(from)?..=status(to)?;
    (!range.is_empty()).then_some(range)
}
