//! The parts of a section whose keys are names of the file's own, and JSON.

use toml::Spanned;
use toml::de::DeValue;

use crate::document::{Found, Place};
use crate::section::{Entry, Section};

/// The name of a table, and its entries.
pub type NamedTable<'d> = (Found<&'d str>, Vec<(&'d str, Found<&'d str>)>);

impl<'t, 'd> Section<'t, 'd> {
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
    pub fn named(&self, key: &'static str, keys: &'static [&'static str]) -> Vec<(&'d str, Section<'t, 'd>)> {
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
    pub fn named_texts(&self, key: &'static str) -> Vec<(&'d str, Found<&'d str>)> {
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

    /// Plain values, one or several for each name of the file's own, in its order.
    pub fn named_one_or_more(&self, key: &'static str) -> Vec<(Found<&'d str>, Vec<Found<&'d str>>)> {
        let outer = self.any(key);
        let mut named = Vec::new();
        for (name, entry) in outer.entries() {
            let path = outer.path_of(name);
            let found = Found { value: entry.value.get_ref(), place: Place { offset: entry.value.span().start, path } };
            let values = match found.value {
                DeValue::Array(array) => {
                    let element = |value: &'d Spanned<DeValue<'t>>| {
                        let place = Place { offset: value.span().start, path: found.place.path.clone() };
                        self.plain(Found { value: value.get_ref(), place })
                    };
                    array.iter().filter_map(element).collect()
                }
                _ => self.plain(found.clone()).into_iter().collect(),
            };
            let place = Place { offset: entry.key_offset, path: found.place.path };
            named.push((Found { value: name, place }, values));
        }
        named
    }

    /// Tables of plain values whose own keys are the file's too, in its order.
    pub fn named_tables(&self, key: &'static str) -> Vec<NamedTable<'d>> {
        let outer = self.any(key);
        let mut named = Vec::new();
        for (name, entry) in outer.entries() {
            let place = Place { offset: entry.key_offset, path: outer.path_of(name) };
            let found = Found { value: entry.value.get_ref(), place: place.clone() };
            let DeValue::Table(table) = found.value else {
                let _: Option<()> = self.expected(&found, "a table", format!("write [{}]", place.path));
                continue;
            };
            let inner = Section { document: self.document, table: Some(table), place: place.clone(), keys: &[] };
            let member = |(name, entry): (&'d str, Entry<'t, 'd>)| {
                let place = Place { offset: entry.value.span().start, path: inner.path_of(name) };
                Some((name, self.plain(Found { value: entry.value.get_ref(), place })?))
            };
            named.push((Found { value: name, place }, inner.entries().into_iter().filter_map(member).collect()));
        }
        named
    }

    /// JSON: a string that holds JSON text, or a TOML table that becomes the same.
    pub fn json(&self, key: &'static str) -> Option<Found<String>> {
        let found = self.get(key)?;
        self.json_at(found)
    }

    /// The JSON documents of a table whose keys are names of the file's own, in its order.
    pub fn named_json(&self, key: &'static str) -> Vec<(&'d str, Found<String>)> {
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
                Some(Found { value: crate::inline::to_json(found.value), place: found.place })
            }
            _ => self.expected(&found, "JSON", "write JSON text in '''…''', or a TOML table"),
        }
    }
}
