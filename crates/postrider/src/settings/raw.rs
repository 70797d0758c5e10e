//! Raw settings: what was given for each, and where. The last layer that gives a value wins: default, file, variables, flags.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Variables;
use super::table::{self, OTHER_VARIABLES, Setting, Shape, VARIABLE_PREFIX};

/// One mistake in the settings: which, where it came from, what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake(pub(crate) String);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File { file: String, line: usize, column: usize },
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("by default"),
            Origin::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// What was given for one setting: one text, or any number for a list.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) texts: Vec<String>,
    pub(crate) origin: Origin,
}

/// Everything that was given, by setting.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    given: HashMap<&'static str, Given>,
    pub(crate) mistakes: Vec<Mistake>,
    /// There is a settings file, and what it says is not known.
    pub(crate) is_file_unread: bool,
}

impl Raw {
    /// The values that nobody set.
    pub(crate) fn defaults() -> Self {
        let mut raw = Raw::default();
        for setting in table::all() {
            if let Some(default) = setting.default {
                raw.take(setting, texts_of(setting, default), Origin::Default);
            }
        }
        raw
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }

    pub(crate) fn mistake(&mut self, name: &str, origin: &Origin, what: impl fmt::Display) {
        self.mistakes.push(Mistake(format!("{name} ({origin}): {what}")));
    }

    fn take(&mut self, setting: &'static Setting, texts: Vec<String>, origin: Origin) {
        self.given.insert(setting.name, Given { texts, origin });
    }

    /// Lays flags over what is there.
    pub(crate) fn merge_flags(&mut self, flags: &[(&'static str, String)]) {
        for (name, text) in flags {
            if let Some(setting) = table::find(name) {
                self.take(setting, texts_of(setting, text), Origin::Flag(setting.flag_name()));
            }
        }
    }

    /// Lays the process's variables over what is there. An empty one counts as not set.
    pub(crate) fn merge_variables(&mut self, variables: &Variables) {
        for (variable, text) in variables.iter() {
            let is_other = OTHER_VARIABLES.iter().any(|(other, _)| *other == variable);
            let Some(rest) = variable.strip_prefix(VARIABLE_PREFIX).filter(|_| !is_other) else { continue };
            let name = rest.to_ascii_lowercase();
            let origin = Origin::Variable(variable.to_owned());
            match table::find(&name).filter(|setting| setting.variable() == variable) {
                Some(_) if text.is_empty() => {}
                Some(setting) => self.take(setting, texts_of(setting, text), origin),
                None if is_service_link(rest) => {}
                None => self.unknown(&name, &origin),
            }
        }
    }

    /// Lays a file over what is there.
    pub(crate) fn merge_file(&mut self, file: &str, text: &str) {
        let place = |span: Range<usize>| {
            let (line, column) = position(text, span.start);
            Origin::File { file: file.to_owned(), line, column }
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let mistake = |error: &toml::de::Error| {
                let origin = place(error.span().unwrap_or_default());
                Mistake(format!("{origin}: {}", error.message().trim_end()))
            };
            return self.lose_file(errors.iter().map(mistake).collect());
        }
        // In the order of the file, which is how its author reads the mistakes.
        let entries: BTreeMap<usize, _> =
            table.get_ref().iter().map(|(key, value)| (key.span().start, (key, value))).collect();
        for (key, value) in entries.into_values() {
            match table::find(key.get_ref()) {
                None => self.unknown(key.get_ref(), &place(key.span())),
                Some(setting) => match texts_in_file(setting, value) {
                    Ok(texts) => self.take(setting, texts, place(value.span())),
                    Err(wanted) => {
                        self.given.remove(setting.name);
                        self.mistake(setting.name, &place(value.span()), format!("write {wanted}"));
                    }
                },
            }
        }
    }

    /// Notes why the file cannot be read. It may set anything, so nothing is left at its default: what only later layers give is judged.
    pub(crate) fn lose_file(&mut self, mistakes: Vec<Mistake>) {
        self.mistakes.extend(mistakes);
        self.is_file_unread = true;
        self.given.clear();
    }

    fn unknown(&mut self, name: &str, origin: &Origin) {
        let close = table::all().map(|setting| setting.name).min_by_key(|known| distance(known, name));
        // A third of the letters may be wrong; more would be guessing.
        let hint = close.filter(|known| distance(known, name) * 3 <= name.len()).map_or_else(
            || "remove it; docs/settings.md lists all settings".to_owned(),
            |known| format!("did you mean {known}?"),
        );
        self.mistake(name, origin, format!("there is no such setting; {hint}"));
    }
}

fn texts_of(setting: &Setting, text: &str) -> Vec<String> {
    match setting.shape {
        Shape::List | Shape::Secrets => {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
        _ => vec![text.to_owned()],
    }
}

/// The value's texts, or what it should look like.
fn texts_in_file(setting: &Setting, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, String> {
    let one = |text: &str| Ok(vec![text.to_owned()]);
    match (setting.shape, value.get_ref()) {
        (Shape::Text | Shape::Secret, DeValue::String(text)) => one(text),
        (Shape::Truth, DeValue::Boolean(truth)) => one(if *truth { "true" } else { "false" }),
        (Shape::Number, DeValue::Integer(number)) if number.radix() == 10 => one(number.as_str()),
        (Shape::List | Shape::Secrets, DeValue::Array(items)) => {
            let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
            items
                .iter()
                .map(text)
                .collect::<Option<_>>()
                .ok_or_else(|| format!("texts in brackets, as {}", setting.example))
        }
        (Shape::Text | Shape::Secret, _) => Err(format!("a text in quotes, as {}", setting.example)),
        (Shape::Truth, _) => Err("true or false, without quotes".to_owned()),
        (Shape::Number, _) => Err(format!("a whole number without quotes, as {}", setting.example)),
        (Shape::List | Shape::Secrets, _) => Err(format!("texts in brackets, as {}", setting.example)),
    }
}

/// Variables that Kubernetes sets in every container beside a service named `postrider` ("Discovering services", environment
/// variables): they are not meant for us.
fn is_service_link(rest: &str) -> bool {
    rest == "PORT" || rest.starts_with("SERVICE_HOST") || rest.starts_with("SERVICE_PORT") || is_port_link(rest)
}

fn is_port_link(rest: &str) -> bool {
    rest.strip_prefix("PORT_").is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()))
}

/// The line and column, both from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// How many letters must be changed, added or left out to make one name of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
