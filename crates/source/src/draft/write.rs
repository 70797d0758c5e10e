//! The text of a draft.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use super::names::{is_of_settings, is_people, is_record, resource, resources};
use super::rules::rules;
use super::{Found, Reference, guess};
use crate::catalogue::Table;
use crate::mapping::TableName;

const HEAD: &str =
    "# A first mapping, made from what the database has: every guess is to be read. docs/source.md explains every key.
# Omit the columns that receivers need not see, and take out the tables whose changes are nobody's business.
# Then: postrider source preflight --mapping THIS_FILE
";
const OTHERS: &str = "
# ---- What follows is not in force: tables whose names are not those of a CRM's records, or whose rows nobody could be found to own.
# Take away the signs before the lines of those whose changes your customers want to hear of.
";

/// Whose rows are, as far as that can be guessed.
enum Owner {
    /// This column of most tables says it.
    Column(String),
    /// Each schema is an organisation's.
    Schema,
    /// Nothing says it.
    Nothing,
}

/// What is known of all tables while one of them is written.
struct Draft<'f> {
    found: &'f Found,
    owner: Owner,
    names: BTreeMap<TableName, String>,
    /// Tables of records, which join tables may lead to.
    in_force: BTreeSet<&'f TableName>,
}

pub(super) fn draft(found: &Found) -> String {
    let names = resources(&found.tables);
    let is_called_record = |table: &Table| names.get(&table.known.table).is_some_and(|name| is_record(name));
    let owner = match guess::organization(&found.tables, is_called_record) {
        Some(column) => Owner::Column(column),
        None if guess::is_schema_by_organization(&found.tables) => Owner::Schema,
        None => Owner::Nothing,
    };
    let mut draft = Draft { found, owner, names, in_force: BTreeSet::new() };
    let (joining, plain): (Vec<_>, Vec<_>) =
        found.tables.iter().partition(|table| guess::joined(found, table).is_some());
    let (records, others): (Vec<_>, Vec<_>) = plain.into_iter().partition(|table| draft.is_record(table));
    // Where no table is called as a CRM's records are, the names say nothing.
    let (records, others) = if records.is_empty() { (others, records) } else { (records, others) };
    let (records, lost): (Vec<_>, Vec<_>) = records.into_iter().partition(|table| draft.is_placed(table));
    draft.in_force = records.iter().map(|table| &table.known.table).collect();
    let (joining, idle): (Vec<_>, Vec<_>) = joining.into_iter().partition(|table| draft.joins_records(table));
    let mut text = format!("{HEAD}{}{}", draft.of_moments(&records), draft.of_owner());
    for table in records.iter().chain(&joining) {
        text.push('\n');
        text.push_str(&draft.section(table, true));
    }
    let mut rest = [others, lost, idle].concat();
    rest.sort_by_key(|table| &table.known.table);
    text.push_str(if rest.is_empty() { "" } else { OTHERS });
    for table in rest {
        text.push('\n');
        text.push_str(&draft.section(table, false));
    }
    text
}

impl Draft<'_> {
    fn name(&self, table: &TableName) -> &str {
        self.names.get(table).map_or("", String::as_str)
    }

    /// A table whose rows customers are likely to want to hear of.
    fn is_record(&self, table: &Table) -> bool {
        let name = &table.known.table;
        let is_own = matches!(&self.owner, Owner::Column(column) if guess::is_organization(self.found, table, column));
        !is_of_settings(&name.name) && (is_own || is_record(self.name(name)))
    }

    /// Whether its rows have a key, and somebody to whom they belong.
    fn is_placed(&self, table: &Table) -> bool {
        !table.unique.is_empty()
            && (self.placing(table).is_some() || self.is_plainly_placed(table))
            && !is_of_settings(&table.known.table.name)
    }

    /// Whether the file's own `organization` holds for it.
    fn is_plainly_placed(&self, table: &Table) -> bool {
        match &self.owner {
            Owner::Column(column) => guess::has(table, column),
            Owner::Schema => false,
            Owner::Nothing => true,
        }
    }

    /// Whether a many-to-many table leads to a record whose table is in force.
    fn joins_records(&self, table: &Table) -> bool {
        let joined = guess::joined(self.found, table);
        !table.unique.is_empty() && joined.is_some_and(|(record, _)| self.in_force.contains(&record.to))
    }

    /// Whether receivers are to get moments: said for those who are known to keep them so.
    fn of_moments(&self, records: &[&Table]) -> String {
        let is_bare =
            |table: &&Table| table.known.columns.iter().any(|column| column.type_name == "timestamp without time zone");
        if !records.iter().any(is_bare) {
            return String::new();
        }
        match &self.found.keeps_utc {
            Some(tool) => format!(
                "\n# {tool} keeps UTC in columns of the type timestamp, which have no time zone.\ntimestamps_are_utc = true\n"
            ),
            None => "\n# Columns of the type timestamp have no time zone. If they hold UTC, receivers can be told so:\n# timestamps_are_utc = true\n"
                .to_owned(),
        }
    }

    fn of_owner(&self) -> String {
        match &self.owner {
            Owner::Column(column) => format!(
                "\n# Whose a row is: this column says it in most tables. If Postrider's ids are others, write id = \"crm-{{}}\", or lead to a slug with joins.\n\
                 [organization]\ncolumn = {}\n",
                toml(column)
            ),
            Owner::Schema => "\n# Several schemas hold the same tables, so each is taken for an organisation's. Write its id in Postrider at each table:\n\
                 # none must be told what is another's.\n"
                .to_owned(),
            Owner::Nothing => {
                let count = self.found.tables.len();
                let candidates: Vec<_> = guess::candidates(self.found)
                    .iter()
                    .map(|(column, times)| format!("{column} (in {times} of {count} tables)"))
                    .collect();
                let or = match candidates.is_empty() {
                    true => String::new(),
                    false => format!(
                        "\n# If it serves several, a column says whose a row is; many tables have {}: organization = {{ column = \"…\" }}",
                        candidates.join(", ")
                    ),
                };
                format!(
                    "\n# No column says whose rows are, so all are one organisation's: write its id in Postrider.{or}\norganization = \"acme\"\n"
                )
            }
        }
    }

    /// How its rows are placed, where the file's own `organization` does not hold for it.
    fn placing(&self, table: &Table) -> Option<String> {
        match &self.owner {
            Owner::Schema => Some(format!("organization = {}", toml(&guess::id_of_schema(&table.known.table.schema)))),
            Owner::Column(column) if !guess::has(table, column) => {
                if guess::is_organization(self.found, table, column) {
                    return Some(format!("organization = {{ column = {} }}", toml(&table.known.primary_key[0])));
                }
                guess::way(self.found, table, column).map(|way| placing(&way, column))
            }
            _ => None,
        }
    }

    fn section(&self, table: &Table, is_in_force: bool) -> String {
        let name = &table.known.table;
        if table.unique.is_empty() {
            return format!("# {name} has no key, and nothing unique: its rows cannot be told apart.\n");
        }
        if is_of_settings(&name.name) && !is_in_force {
            return format!("# {name} is left out: settings change rarely, and hold secrets as values.\n");
        }
        if let Some((record, other)) = guess::joined(self.found, table) {
            return commented(&self.join_table(table, record, other), is_in_force);
        }
        let mut lines = self.plain_lines(table);
        if is_in_force {
            let organization = if let Owner::Column(column) = &self.owner { Some(column.as_str()) } else { None };
            lines.extend(rules(table, self.name(name), organization));
            return lines.join("\n") + "\n";
        }
        let is_lost = self.placing(table).is_none() && !self.is_plainly_placed(table);
        let why = match is_lost {
            true => format!("# Nothing says whose rows of {name} are: write organization = … to have them.\n"),
            false => String::new(),
        };
        format!("{why}{}", commented(&(lines.join("\n") + "\n"), false))
    }

    fn plain_lines(&self, table: &Table) -> Vec<String> {
        let name = &table.known.table;
        let mut lines = vec![
            "[[tables]]".to_owned(),
            format!("table = {}", toml(&name.to_string())),
            format!("resource = {}", toml(self.name(name))),
        ];
        if let (true, Some(key)) = (table.known.primary_key.is_empty(), table.unique.first()) {
            lines.push(format!("key = {}   # it has no primary key, and this is unique", list(key)));
        }
        lines.extend(self.placing(table));
        let key = |column: &str| table.known.primary_key.iter().any(|known| known == column);
        let omitted: Vec<_> = guess::omitted(table).into_iter().filter(|column| !key(column)).collect();
        if !omitted.is_empty() {
            lines.push(format!("omit = {}", list(&omitted)));
        }
        let ignored = guess::ignored(table).into_iter().filter(|column| !omitted.iter().any(|other| other == column));
        let ignored: Vec<_> = ignored.map(str::to_owned).collect();
        if !ignored.is_empty() {
            lines.push(format!("ignore = {}", list(&ignored)));
        }
        lines.extend(soft_delete(table));
        lines.extend(guess::created_at(table).map(|column| format!("created_at = {}", toml(column))));
        lines
    }

    /// Rows of a many-to-many table are changes of a record.
    fn join_table(&self, table: &Table, record: &Reference, other: &Reference) -> String {
        let (one, member) = (self.name(&record.to), resource(&other.to.name));
        let own = &table.known.table;
        let is_assigning =
            is_people(&other.to) || ["assign", "owner"].iter().any(|word| own.name.to_lowercase().contains(word));
        let (made, gone) = match is_assigning {
            true => (format!("{one}.assigned"), format!("{one}.unassigned")),
            false => (format!("{one}.{member}_added"), format!("{one}.{member}_removed")),
        };
        let mut lines = vec![
            format!("# Joins {} with {}.", record.to, other.to),
            "[[tables]]".to_owned(),
            format!("table = {}", toml(&own.to_string())),
        ];
        if table.known.primary_key.is_empty() {
            lines.push(format!("key = {}", list(&[record.column.clone(), other.column.clone()])));
        }
        let omitted = guess::omitted(table);
        if !omitted.is_empty() {
            lines.push(format!("omit = {}", list(&omitted)));
        }
        lines.push(format!(
            "via = {{ table = {}, column = {}, key = {}, member = {} }}",
            toml(&record.to.to_string()),
            toml(&record.column),
            toml(&record.key),
            toml(&format!("{member}_link"))
        ));
        lines.push(format!("events = {{ created = {}, deleted = {} }}", toml(&made), toml(&gone)));
        lines.join("\n") + "\n"
    }
}

/// How records are deleted while their rows stay: a guess in force where a name says it, else one that is to be confirmed.
fn soft_delete(table: &Table) -> Option<String> {
    match (guess::soft_delete(table), guess::active(table)) {
        (Some(column), _) if guess::is_number(column) => {
            Some(format!("soft_delete = {{ column = {}, is = 1 }}", toml(&column.name)))
        }
        (Some(column), _) => Some(format!("soft_delete = {}", toml(&column.name))),
        (None, Some(column)) => Some(format!(
            "# soft_delete = {{ column = {}, is = false }}   # if that is how records are deleted",
            toml(column)
        )),
        (None, None) => None,
    }
}

fn commented(text: &str, is_in_force: bool) -> String {
    if is_in_force { text.to_owned() } else { text.lines().map(|line| format!("# {line}\n")).collect() }
}

fn placing(way: &[&Reference], organization: &str) -> String {
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
    let by_name =
        if way.iter().all(|reference| reference.is_declared) { "" } else { "   # by names: no foreign key says it" };
    format!(
        "organization = {{ column = {}, joins = [{}] }}{by_name}",
        toml(first),
        joins.collect::<Vec<_>>().join(", ")
    )
}

pub(super) fn toml(text: &str) -> String {
    Value::from(text).to_string()
}

pub(super) fn list(texts: &[String]) -> String {
    Value::from(texts.to_vec()).to_string()
}
