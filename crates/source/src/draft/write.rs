//! The text of a draft.

use toml::Value;

use super::{Found, guess};
use crate::catalogue::Table;
use crate::mapping::is_sensitive;

const HEAD: &str =
    "# A first mapping, made from what the database has: every guess is to be read. docs/source.md explains every key.
# Take out the tables whose changes are nobody's business, and omit the columns that receivers need not see.
# Then: postrider source preflight --mapping THIS_FILE
";

pub(super) fn draft(found: &Found) -> String {
    let organization = guess::organization(&found.tables);
    let mut text = HEAD.to_owned();
    match &organization {
        Some(column) => text.push_str(&format!(
            "\n# Whose a row is: this column says it in most tables. If Postrider's ids are others, write id = \"crm-{{}}\", or lead to a slug with joins.\n\
             [organization]\ncolumn = {}\n",
            toml(column)
        )),
        None => text.push_str(
            "\n# No column says whose rows are, so all are one organisation's: write its id in Postrider.\norganization = \"acme\"\n",
        ),
    }
    for table in &found.tables {
        text.push('\n');
        text.push_str(&section(found, table, organization.as_deref()));
    }
    text
}

fn section(found: &Found, table: &Table, organization: Option<&str>) -> String {
    let name = &table.known.table;
    let unique = table.unique.first();
    let Some(key) = unique else {
        return format!("# {name} has no key, and nothing unique: its rows cannot be told apart.\n");
    };
    if let Some((record, other)) = guess::joined(found, table) {
        return join_table(found, table, record, other);
    }
    let mut lines = vec!["[[tables]]".to_owned(), format!("table = {}", toml(&name.to_string()))];
    let resource = guess::resource(&name.name);
    lines.push(format!("resource = {}", toml(&resource)));
    if table.known.primary_key.is_empty() {
        lines.push(format!("key = {}   # it has no primary key, and this is unique", list(key)));
    }
    let is_placed = organization.is_none_or(|column| table.known.columns.iter().any(|known| known.name == column));
    let mut is_lost = false;
    if let Some(organization) = organization.filter(|_| !is_placed) {
        match guess::way(found, table, organization) {
            Some(way) => lines.push(placing(&way, organization)),
            None if is_organization(table, organization) => {
                lines.push(format!("organization = {{ column = {} }}", toml(&key[0])));
            }
            None => is_lost = true,
        }
    }
    let secrets: Vec<_> =
        table.known.columns.iter().map(|column| &column.name).filter(|column| is_sensitive(column)).cloned().collect();
    if !secrets.is_empty() {
        lines.push(format!("omit = {}", list(&secrets)));
    }
    let ignored: Vec<_> = guess::ignored(table).into_iter().map(str::to_owned).collect();
    if !ignored.is_empty() {
        lines.push(format!("ignore = {}", list(&ignored)));
    }
    lines.extend(guess::soft_delete(table).map(|column| format!("soft_delete = {}", toml(column))));
    lines.extend(guess::created_at(table).map(|column| format!("created_at = {}", toml(column))));
    lines.extend(rules(table, &resource));
    if guess::is_of_settings(&name.name) {
        return format!("# {name} is left out: settings change rarely, and hold secrets as values.\n");
    }
    if is_lost {
        // Whose it is nobody could find: written, and not in force.
        let commented = lines.iter().map(|line| format!("# {line}")).collect::<Vec<_>>().join("\n");
        return format!("# Nothing says whose rows of {name} are: write organization = … to have them.\n{commented}\n");
    }
    lines.join("\n") + "\n"
}

/// Whether a table is that of the organisations themselves.
fn is_organization(table: &Table, organization: &str) -> bool {
    let stem = guess::plain(organization);
    table.known.primary_key.len() == 1
        && stem.strip_suffix("id") == Some(guess::plain(&guess::resource(&table.known.table.name)).as_str())
}

fn placing(way: &[&super::Reference], organization: &str) -> String {
    let mut columns: Vec<&str> = way.iter().skip(1).map(|reference| reference.column.as_str()).collect();
    columns.push(organization);
    let joins = way.iter().zip(columns).map(|(reference, column)| {
        format!(
            "{{ table = {}, key = {}, column = {} }}",
            toml(&reference.to.to_string()),
            toml(&reference.key),
            toml(column)
        )
    });
    let first = way.first().map_or("", |reference| reference.column.as_str());
    format!("organization = {{ column = {}, joins = [{}] }}", toml(first), joins.collect::<Vec<_>>().join(", "))
}

/// Rows of a many-to-many table are changes of a record, if that record is mapped.
fn join_table(found: &Found, table: &Table, record: &super::Reference, other: &super::Reference) -> String {
    let is_mapped = found.tables.iter().any(|table| table.known.table == record.to && !table.unique.is_empty());
    let (resource, member) = (guess::resource(&record.to.name), guess::resource(&other.to.name));
    let (made, gone) = match guess::is_people(&other.to) {
        true => (format!("{resource}.assigned"), format!("{resource}.unassigned")),
        false => (format!("{resource}.{member}_added"), format!("{resource}.{member}_removed")),
    };
    let lines = [
        format!("# Joins {} with {}.", record.to, other.to),
        "[[tables]]".to_owned(),
        format!("table = {}", toml(&table.known.table.to_string())),
        format!(
            "via = {{ table = {}, column = {}, key = {}, member = {} }}",
            toml(&record.to.to_string()),
            toml(&record.column),
            toml(&record.key),
            toml(&format!("{member}_link"))
        ),
        format!("events = {{ created = {}, deleted = {} }}", toml(&made), toml(&gone)),
    ];
    let mut lines = lines.to_vec();
    if table.known.primary_key.is_empty() {
        lines.insert(3, format!("key = {}", list(&[record.column.clone(), other.column.clone()])));
    }
    let text = lines.join("\n") + "\n";
    if is_mapped { text } else { text.lines().map(|line| format!("# {line}\n")).collect() }
}

fn rules(table: &Table, resource: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (column, words) in guess::stages(table) {
        let event = format!("{resource}.{}_changed", guess::resource(column.strip_suffix("_id").unwrap_or(column)));
        lines.push(String::new());
        if !words.is_empty() {
            lines.push(format!(
                "# {column} is one of: {}. One word can have an event of its own: to = {}",
                words.join(", "),
                toml(&words[words.len() - 1])
            ));
        }
        lines.push("[[tables.rules]]".to_owned());
        lines.push(format!("event = {}", toml(&event)));
        lines.push(format!("changed = {}", toml(column)));
    }
    lines
}

fn toml(text: &str) -> String {
    Value::from(text).to_string()
}

fn list(texts: &[String]) -> String {
    Value::from(texts.to_vec()).to_string()
}
