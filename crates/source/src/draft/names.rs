//! What tables' rows are called, and which of them are a CRM's records.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::Table;
use crate::mapping::TableName;

/// What a CRM's customers want to be told of, in the singular.
const RECORDS: &[&str] = &[
    "account",
    "activity",
    "appointment",
    "booking",
    "broadcast",
    "call",
    "campaign",
    "case",
    "client",
    "comment",
    "communication",
    "company",
    "connection",
    "contact",
    "contract",
    "conversation",
    "customer",
    "deal",
    "email",
    "estimate",
    "invoice",
    "lead",
    "meeting",
    "message",
    "note",
    "opportunity",
    "order",
    "organisation",
    "organization",
    "partner",
    "person",
    "pipeline",
    "project",
    "proposal",
    "prospect",
    "quote",
    "task",
    "ticket",
];

/// Words that end as a plural does and are none.
const SINGULAR: &[&str] = &["analytics", "mms", "news", "series", "sms"];

/// A name without what spellings differ in.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What the rows of each table are called. Where several tables begin with one word that is no record's (`crm_lead`, `crm_stage`), a record is called
/// without it, unless another already is.
pub(super) fn resources(tables: &[Table]) -> BTreeMap<TableName, String> {
    let full: BTreeMap<TableName, String> =
        tables.iter().map(|table| (table.known.table.clone(), resource(&table.known.table.name))).collect();
    let mut firsts: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for (table, name) in &full {
        if let Some((first, _)) = name.split_once('_') {
            firsts.entry((&table.schema, first)).or_default().insert(&table.name);
        }
    }
    let is_shared = |table: &TableName, first: &str| {
        firsts.get(&(table.schema.as_str(), first)).is_some_and(|tables| tables.len() > 1)
    };
    let short = |table: &TableName, name: &str| {
        let mut rest = name;
        while let Some((first, after)) = rest.split_once('_').filter(|(first, _)| !RECORDS.contains(first)) {
            // A second word may be of one table alone: tab_crm_lead.
            if rest == name && !is_shared(table, first) {
                break;
            }
            rest = after;
        }
        (rest != name && is_record(rest) && rest != "email").then(|| rest.to_owned())
    };
    let shorts: BTreeMap<&TableName, String> =
        full.iter().filter_map(|(table, name)| Some((table, short(table, name)?))).collect();
    let is_alone = |table: &TableName, short: &String| {
        let mut others = full.iter().filter(|(other, _)| *other != table && other.schema == table.schema);
        others.all(|(other, name)| name != short && shorts.get(other) != Some(short))
    };
    let called = |(table, name): (&TableName, &String)| {
        let short = shorts.get(table).filter(|short| is_alone(table, short));
        (table.clone(), short.unwrap_or(name).clone())
    };
    full.iter().map(called).collect()
}

/// Whether all words of a name are those of a CRM's records, e.g. `deal`, `contact_note`. What belongs to a record by e-mail is not: `contact_email`.
pub(super) fn is_record(resource: &str) -> bool {
    let words: Vec<_> = resource.split('_').collect();
    let is_address = words.len() > 1 && words.last() == Some(&"email");
    !is_address && words.iter().all(|word| RECORDS.contains(word))
}

/// Whether a table's rows are those who use the CRM.
pub(super) fn is_people(table: &TableName) -> bool {
    ["user", "member", "agent", "owner", "assignee", "sale", "employee", "profile", "staff"]
        .iter()
        .any(|word| resource(&table.name).ends_with(word))
}

/// Whether a table holds what the application itself is set to.
pub(super) fn is_of_settings(table: &str) -> bool {
    ["setting", "config", "configuration", "preference", "parameter"].iter().any(|word| resource(table).ends_with(word))
}

/// What one row of a table is: its name in the singular, in lower case and with underscores.
pub(super) fn resource(table: &str) -> String {
    let mut name = String::new();
    let mut was_lower = false;
    for c in table.chars() {
        if c.is_uppercase() && was_lower {
            name.push('_');
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
        name.extend(if c.is_alphanumeric() { c.to_lowercase().collect::<Vec<_>>() } else { vec!['_'] });
    }
    singular(name.trim_matches('_'))
}

fn singular(name: &str) -> String {
    if name.rsplit('_').next().is_some_and(|last| SINGULAR.contains(&last)) {
        return name.to_owned();
    }
    let irregular = [("people", "person"), ("children", "child"), ("companies", "company")];
    for (many, one) in irregular {
        if let Some(before) = name.strip_suffix(many) {
            return format!("{before}{one}");
        }
    }
    for (many, one) in [("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("uses", "us")] {
        if let Some(before) = name.strip_suffix(many).filter(|before| !before.is_empty()) {
            return format!("{before}{one}");
        }
    }
    match name.strip_suffix('s') {
        Some(one) if one.len() > 2 && !one.ends_with(['s', 'u', '_']) => one.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_called_by_the_singular_of_its_table() {
        for (table, one) in [
            ("deals", "deal"),
            ("companies", "company"),
            ("people", "person"),
            ("contactNotes", "contact_note"),
            ("statuses", "status"),
            ("addresses", "address"),
            ("Lead", "lead"),
            ("boxes", "box"),
            ("status", "status"),
            ("news", "news"),
            ("channel_sms", "channel_sms"),
            ("Series", "series"),
            ("bus", "bus"),
            ("salesPeople", "sales_person"),
            ("a b's", "a_b_s"),
            ("tabCRM Lead", "tab_crm_lead"),
        ] {
            assert_eq!(resource(table), one, "{table}");
        }
    }

    #[test]
    fn a_crms_records_are_told_from_what_else_an_application_keeps() {
        for name in ["contact", "deal", "contact_note", "email_message", "email"] {
            assert!(is_record(name), "{name}");
        }
        for name in ["user", "contact_email", "order_line_item", "contact_inbox", "webhook", "lead_stage", ""] {
            assert!(!is_record(name), "{name}");
        }
        assert!(is_of_settings("notification_settings") && is_of_settings("ir_config_parameter"));
        assert!(!is_of_settings("settings_of_deals"));
    }
}
