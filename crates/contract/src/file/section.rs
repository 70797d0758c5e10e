//! Reading TOML with every mistake noted: a *section* is one table of the file, a *place* is where a mistake would be shown.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::duration;
use crate::mistake::{Mistake, position};

/// A file being read, and what is wrong with it so far.
pub(super) struct Document<'t> {
    file: &'t str,
    text: &'t str,
    mistakes: RefCell<Vec<Mistake>>,
}

/// Where something stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    offset: usize,
    path: String,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<'t> Document<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Document { file, text, mistakes: RefCell::default() }
    }

    pub(super) fn mistake(&self, place: &Place, problem: impl Display, advice: impl Display) {
        let (line, column) = position(self.text, place.offset);
        self.mistakes.borrow_mut().push(Mistake {
            file: self.file.to_owned(),
            line,
            column,
            key: place.path.clone(),
            problem: problem.to_string(),
            advice: advice.to_string(),
        });
    }

    /// All mistakes, in the order of the file.
    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        let mut mistakes = self.mistakes.into_inner();
        mistakes.sort_by_key(|m| (m.line, m.column));
        mistakes
    }

    /// Syntax errors. The parser repeats some, and goes on behind each: one slip may look like very many.
    pub(super) fn syntax(&self, errors: &[toml::de::Error]) {
        const ERRORS_MAX: usize = 20;
        let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        let distinct: BTreeSet<_> = errors.iter().map(|error| (place(error), error.message())).collect();
        if distinct.len() > ERRORS_MAX {
            let problem = format!("has {} syntax errors, of which the first {ERRORS_MAX} are shown", distinct.len());
            self.mistakes.borrow_mut().push(Mistake::whole_file(self.file, problem, "correct these first"));
        }
        for (offset, message) in distinct.into_iter().take(ERRORS_MAX) {
            let place = Place { offset, path: String::new() };
            self.mistake(&place, format!("is not TOML: {message}"), "correct the syntax");
        }
    }
}

/// One table of the file.
#[derive(Clone)]
pub(super) struct Section<'t, 'd> {
    document: &'d Document<'t>,
    table: Option<&'d DeTable<'t>>,
    place: Place,
    keys: &'static [&'static str],
}

impl<'t, 'd> Section<'t, 'd> {
    pub(super) fn root(document: &'d Document<'t>, table: &'d DeTable<'t>, keys: &'static [&'static str]) -> Self {
        let section = Section { document, table: Some(table), place: Place { offset: 0, path: String::new() }, keys };
        section.refuse_unknown();
        section
    }

    pub(super) fn document(&self) -> &'d Document<'t> {
        self.document
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn is_present(&self) -> bool {
        self.table.is_some()
    }

    fn refuse_unknown(&self) {
        for (key, value) in self.entries() {
            if !self.keys.contains(&key) {
                let place = Place { offset: value.key_offset, path: self.path_of(key) };
                self.document.mistake(&place, "is not a known key", format!("known here: {}", self.keys.join(", ")));
            }
        }
    }

    fn path_of(&self, key: &str) -> String {
        let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let key = if plain { key.to_owned() } else { format!("{key:?}") };
        if self.place.path.is_empty() { key } else { format!("{}.{key}", self.place.path) }
    }

    /// All entries, in the order of the file.
    fn entries(&self) -> Vec<(&'d str, Entry<'t, 'd>)> {
        let entry = |(key, value): (&'d Spanned<std::borrow::Cow<'t, str>>, &'d Spanned<DeValue<'t>>)| {
            (key.get_ref().as_ref(), Entry { key_offset: key.span().start, value })
        };
        let mut entries: Vec<_> = self.table.into_iter().flat_map(|table| table.iter().map(entry)).collect();
        entries.sort_by_key(|(_, entry)| entry.key_offset);
        entries
    }

    fn get(&self, key: &'static str) -> Option<Found<&'d DeValue<'t>>> {
        debug_assert!(self.keys.contains(&key), "{key} is read but not listed");
        let value = self.table?.get(key)?;
        Some(Found { value: value.get_ref(), place: Place { offset: value.span().start, path: self.path_of(key) } })
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    fn expected<T>(&self, found: &Found<&DeValue<'t>>, what: &str, advice: impl Display) -> Option<T> {
        self.document.mistake(&found.place, format!("is {} where {what} is expected", article(found.value)), advice);
        None
    }

    /// Where a key would stand, for mistakes about its absence.
    pub(super) fn missing(&self, key: &'static str, advice: impl Display) {
        self.about(key, "is missing", advice);
    }

    /// A mistake about all that stands under a key.
    pub(super) fn about(&self, key: &'static str, problem: impl Display, advice: impl Display) {
        let value = self.table.and_then(|table| table.get(key));
        let offset = value.map_or(self.place.offset, |value| value.span().start);
        self.document.mistake(&Place { offset, path: self.path_of(key) }, problem, advice);
    }

    pub(super) fn text(&self, key: &'static str) -> Option<Found<&'d str>> {
        let found = self.get(key)?;
        match found.value {
            DeValue::String(text) => Some(Found { value: text.as_ref(), place: found.place }),
            _ => self.expected(&found, "a string", "put it in quotes"),
        }
    }

    pub(super) fn required_text(&self, key: &'static str, advice: &str) -> Option<Found<&'d str>> {
        if self.table.is_none_or(|table| !table.contains_key(key)) {
            self.missing(key, advice);
        }
        self.text(key)
    }

    pub(super) fn flag(&self, key: &'static str, default: bool) -> bool {
        let Some(found) = self.get(key) else { return default };
        match found.value {
            DeValue::Boolean(flag) => *flag,
            _ => self.expected(&found, "a boolean", "write true or false").unwrap_or(default),
        }
    }

    pub(super) fn number(&self, key: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let found = self.get(key)?;
        let DeValue::Integer(integer) = found.value else {
            return self.expected(&found, "a whole number", "write it without quotes");
        };
        match u32::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()) {
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

    pub(super) fn fraction(&self, key: &'static str) -> Option<f64> {
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

    pub(super) fn duration(&self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
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

    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<Found<&'d str>>> {
        let element = |found: Found<&'d DeValue<'t>>| match found.value {
            DeValue::String(text) => Some(Found { value: text.as_ref(), place: found.place }),
            _ => self.expected(&found, "a string", "put it in quotes"),
        };
        Some(self.array(key)?.into_iter().filter_map(element).collect())
    }

    pub(super) fn durations(&self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Vec<Found<Duration>>> {
        let texts = self.texts(key)?;
        let duration = |text: Found<&'d str>| {
            let value = self.duration_at(&text, &range)?;
            Some(Found { value, place: text.place })
        };
        Some(texts.into_iter().filter_map(duration).collect())
    }

    /// Statuses: numbers, or ranges in quotes.
    pub(super) fn statuses(&self, key: &'static str) -> Option<Vec<RangeInclusive<u16>>> {
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
    pub(super) fn section(&self, key: &'static str, keys: &'static [&'static str]) -> Section<'t, 'd> {
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
    pub(super) fn tables(&self, key: &'static str, keys: &'static [&'static str]) -> Option<Vec<Section<'t, 'd>>> {
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

    fn any(&self, key: &'static str) -> Section<'t, 'd> {
        let table = self.get(key).and_then(|found| match found.value {
            DeValue::Table(table) => Some((table, found.place)),
            _ => self.expected(&found, "a table", format!("write [{}]", found.place.path)),
        });
        let place = Place { offset: self.place.offset, path: self.path_of(key) };
        let (table, place) = table.map_or((None, place), |(table, place)| (Some(table), place));
        Section { document: self.document, table, place, keys: &[] }
    }

    /// The tables inside a table whose keys are names of the file's own, in its order.
    pub(super) fn named(&self, key: &'static str, keys: &'static [&'static str]) -> Vec<(&'d str, Section<'t, 'd>)> {
        let outer = self.any(key);
        let mut sections = Vec::new();
        for (name, entry) in outer.entries() {
            let place = Place { offset: entry.key_offset, path: outer.path_of(name) };
            match entry.value.get_ref() {
                DeValue::Table(table) => {
                    let section = Section { document: self.document, table: Some(table), place, keys };
                    section.refuse_unknown();
                    sections.push((name, section));
                }
                other => {
                    let found = Found { value: other, place };
                    let _: Option<()> = self.expected(&found, "a table", format!("write [{}]", found.place.path));
                }
            }
        }
        sections
    }

    /// The strings of a table whose keys are names of the file's own, in its order.
    pub(super) fn named_texts(&self, key: &'static str) -> Vec<(&'d str, Found<&'d str>)> {
        let outer = self.any(key);
        let mut texts = Vec::new();
        for (name, entry) in outer.entries() {
            let found = Found {
                value: entry.value.get_ref(),
                place: Place { offset: entry.value.span().start, path: outer.path_of(name) },
            };
            match found.value {
                DeValue::String(text) => texts.push((name, Found { value: text.as_ref(), place: found.place })),
                _ => self.expected(&found, "a string", "put it in quotes").unwrap_or(()),
            }
        }
        texts
    }

    /// JSON: a string that holds JSON text, or a TOML table that becomes the same.
    pub(super) fn json(&self, key: &'static str) -> Option<Found<String>> {
        let found = self.get(key)?;
        self.json_at(found)
    }

    /// The JSON documents of a table whose keys are names of the file's own, in its order.
    pub(super) fn named_json(&self, key: &'static str) -> Vec<(&'d str, Found<String>)> {
        let outer = self.any(key);
        let json = |(name, entry): (&'d str, Entry<'t, 'd>)| {
            let place = Place { offset: entry.value.span().start, path: outer.path_of(name) };
            Some((name, self.json_at(Found { value: entry.value.get_ref(), place })?))
        };
        outer.entries().into_iter().filter_map(json).collect()
    }

    fn json_at(&self, found: Found<&'d DeValue<'t>>) -> Option<Found<String>> {
        match found.value {
            DeValue::String(text) => Some(Found { value: text.trim().to_owned(), place: found.place }),
            DeValue::Table(_) | DeValue::Array(_) => {
                Some(Found { value: super::inline::to_json(found.value), place: found.place })
            }
            _ => self.expected(&found, "JSON", "write JSON text in '''…''', or a TOML table"),
        }
    }
}

#[derive(Clone, Copy)]
struct Entry<'t, 'd> {
    key_offset: usize,
    value: &'d Spanned<DeValue<'t>>,
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
