//! Rules that names and types suggest.

use super::guess::{self, is_moment, is_number};
use super::names::plain;
use super::write::{list, toml};
use crate::catalogue::Table;
use crate::mapping::{KnownColumn, words};

/// Words of an enum type or of a column's name, and what a record then was.
const ENDS: &[(&str, &str)] = &[
    ("accepted", "accepted"),
    ("approved", "approved"),
    ("canceled", "cancelled"),
    ("cancelled", "cancelled"),
    ("closed", "closed"),
    ("completed", "completed"),
    ("converted", "converted"),
    ("delivered", "delivered"),
    ("done", "completed"),
    ("failed", "failed"),
    ("lost", "lost"),
    ("paid", "paid"),
    ("read", "read"),
    ("rejected", "rejected"),
    ("resolved", "resolved"),
    ("sent", "sent"),
    ("won", "won"),
];
/// Columns of whom a record is assigned to, without signs and upper case.
const ASSIGNED: &[&str] = &[
    "accountownerid",
    "assignedto",
    "assignedtoid",
    "assignedtouserid",
    "assigneduserid",
    "assignee",
    "assigneeid",
    "dealowner",
    "leadowner",
    "ownerid",
    "owneruserid",
    "responsibleid",
    "salesid",
    "salesrepid",
];
/// What a record's stage is likely to become, for those that have no list of words.
const LIKELY: &[(&str, &[&str])] = &[
    ("deal", &["won", "lost"]),
    ("opportunity", &["won", "lost"]),
    ("lead", &["converted"]),
    ("task", &["completed"]),
];

/// The lines of a table's rules; those that need a value which nobody knows are commented out.
pub(super) fn rules(table: &Table, resource: &str, organization: Option<&str>) -> Vec<String> {
    let (omitted, ignored) = (guess::omitted(table), guess::ignored(table));
    let is_free = |column: &&KnownColumn| {
        !omitted.contains(&column.name)
            && !ignored.contains(&column.name.as_str())
            && !table.known.primary_key.contains(&column.name)
            && organization != Some(&column.name)
    };
    let mut rules = Rules { resource, lines: Vec::new(), told: Vec::new() };
    for (column, words) in guess::stages(table).into_iter().filter(|(column, _)| is_free(column)) {
        rules.stage(column, words);
    }
    let free = || table.known.columns.iter().filter(is_free);
    if let Some(column) = free().find(|column| says_who(table, column)) {
        rules.tell("assigned", &column.name, "to = \"not null\"");
    }
    for column in free() {
        if let Some((end, more)) = ending(column) {
            rules.tell(end, &column.name, more);
        }
    }
    rules.lines
}

/// Whether a column says whom a record is assigned to, and what that is in one table alone.
fn says_who(table: &Table, column: &KnownColumn) -> bool {
    let leads_to_several = guess::has(table, &format!("{}_type", column.name.trim_end_matches("_id")));
    ASSIGNED.contains(&plain(&column.name).as_str()) && !leads_to_several
}

/// Rules of one table, each event once.
struct Rules<'a> {
    resource: &'a str,
    lines: Vec<String>,
    told: Vec<String>,
}

impl Rules<'_> {
    fn tell(&mut self, end: &str, column: &str, more: &str) {
        let event = format!("{}.{end}", self.resource);
        if !self.told.contains(&event) {
            self.lines.extend(written(&event, column, more));
            self.told.push(event);
        }
    }

    fn stage(&mut self, column: &KnownColumn, all: &[String]) {
        let name = &column.name;
        self.lines.extend(explained(column, all));
        let stem = words(name.strip_suffix("_id").unwrap_or(name)).join("_");
        self.tell(&format!("{stem}_changed"), name, "");
        for (end, of) in by_end(all) {
            let to = if let [word] = of.as_slice() { toml(word) } else { list(&of) };
            self.tell(end, name, &format!("to = {to}\non_create = true"));
        }
        if all.is_empty() {
            self.lines.extend(likely(self.resource, name));
        }
    }
}

fn written(event: &str, column: &str, more: &str) -> Vec<String> {
    let head = [String::new(), "[[tables.rules]]".to_owned()];
    let named = [format!("event = {}", toml(event)), format!("changed = {}", toml(column))];
    head.into_iter().chain(named).chain(more.lines().map(str::to_owned)).collect()
}

/// What can be known of a stage's values.
fn explained(column: &KnownColumn, words: &[String]) -> Option<String> {
    let name = &column.name;
    if !words.is_empty() {
        return Some(format!("\n# {name} is one of: {}. Each can have an event of its own.", words.join(", ")));
    }
    let is_key = plain(name).ends_with("id");
    let text = "# Receivers see numbers; words for them go above the rules: ";
    (is_number(column) && !is_key).then(|| format!("\n{text}labels.{} = {{ 0 = \"…\", 1 = \"…\" }}", key(name)))
}

/// A column as a key of TOML.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.chars().all(is_bare) { name.to_owned() } else { toml(name) }
}

/// Words of an enum type by what a record then was, in the type's order.
fn by_end(all: &[String]) -> Vec<(&'static str, Vec<String>)> {
    let mut ends: Vec<(&'static str, Vec<String>)> = Vec::new();
    for word in all {
        let Some(end) = end_of(word) else { continue };
        match ends.iter_mut().find(|(known, _)| *known == end) {
            Some((_, of)) => of.push(word.clone()),
            None => ends.push((end, vec![word.clone()])),
        }
    }
    ends
}

fn end_of(word: &str) -> Option<&'static str> {
    let last = words(word).pop()?;
    ENDS.iter().find(|(end, _)| *end == last).map(|(_, told)| *told)
}

/// Rules for values that nobody knows here.
fn likely(resource: &str, column: &str) -> Vec<String> {
    let ends = LIKELY.iter().find(|(record, _)| *record == resource).map_or(&[][..], |(_, ends)| *ends);
    let mut lines = Vec::new();
    for end in ends {
        let rule = written(&format!("{resource}.{end}"), column, &format!("to = {}", toml(end)));
        lines.push(String::new());
        lines.push("# Write the value that the database has for it:".to_owned());
        lines.extend(rule.into_iter().filter(|line| !line.is_empty()).map(|line| format!("# {line}")));
    }
    lines
}

/// A column that says by being set that something came to an end: `completed_at`, `is_done`.
fn ending(column: &KnownColumn) -> Option<(&'static str, &'static str)> {
    let mut words = words(&column.name);
    words.retain(|word| !["at", "on", "is", "date", "was"].contains(&word.as_str()));
    let [word] = words.as_slice() else { return None };
    let (_, end) = ENDS.iter().find(|(end, _)| end == word)?;
    if is_moment(column) {
        Some((end, "from = \"null\"\nto = \"not null\"\non_create = true"))
    } else {
        (column.type_name == "boolean").then_some((end, "to = true\non_create = true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_an_enum_are_gathered_by_what_a_record_then_was() {
        let all = ["NEW", "closed_won", "ClosedWon", "lost", "almost"].map(str::to_owned);
        assert_eq!(
            by_end(&all),
            [("won", vec!["closed_won".to_owned(), "ClosedWon".to_owned()]), ("lost", vec!["lost".to_owned()])]
        );
    }

    #[test]
    fn a_column_that_is_set_at_the_end_says_so_by_its_type() {
        let told = |name: &str, type_name: &str| {
            ending(&KnownColumn { name: name.to_owned(), type_name: type_name.to_owned() }).map(|(end, _)| end)
        };
        assert_eq!(told("completed_at", "timestamp with time zone"), Some("completed"));
        assert_eq!(told("isDone", "boolean"), Some("completed"));
        assert_eq!(told("date_closed", "date"), Some("closed"));
        assert_eq!(told("done_ratio", "integer"), None);
        assert_eq!(told("read", "text"), None);
    }
}
