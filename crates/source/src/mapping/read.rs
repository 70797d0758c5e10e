//! `source.toml` into a [`Mapping`], with every mistake found at once. docs/source.md explains every key.

use std::cell::RefCell;
use std::collections::BTreeMap;

use postrider_document::{Found, Mistake, Place, Section};
use postrider_domain::OrganizationId;

use super::check::{name_another, near_tables};
use super::names::is_name;
use super::table::{self, Draft};
use super::written::{At, Written};
use super::{CaptureKind, Join, Mapping, Placing, TableMapping, TableName};

/// Every key of a mapping: the table that it stands in, and its name.
pub const KEYS: &[(&str, &[&str])] = &[
    ("", ROOT),
    ("organization", ORGANIZATION),
    ("organization.joins", JOIN),
    ("tables", table::TABLE),
    ("tables.events", table::EVENTS),
    ("tables.rules", super::rules::RULE),
    ("tables.soft_delete", table::SOFT_DELETE),
    ("tables.via", table::VIA),
];

const ROOT: &[&str] =
    &["schema", "capture", "outbox_rows_max", "slot_bytes_max", "timestamps_are_utc", "organization", "tables"];
const ORGANIZATION: &[&str] = &["column", "joins", "id"];
const JOIN: &[&str] = &["table", "key", "column"];

/// Room in the outbox, in changes.
const OUTBOX_ROWS: std::ops::RangeInclusive<u64> = 1_000..=1_000_000_000;
/// How much write-ahead log may wait, in bytes.
const SLOT_BYTES: std::ops::RangeInclusive<u64> = 64 << 20..=100 << 40;

/// What is gathered while a file is read.
#[derive(Default)]
pub(super) struct Reader {
    written: RefCell<Written>,
}

pub(super) fn parse(text: &str, file: &str) -> Result<Mapping, Vec<Mistake>> {
    postrider_document::read(text, file, Mapping::FILE_BYTES_MAX, ROOT, read)
}

/// Reads everything before it gives up on anything, so that all mistakes come out together.
fn read(root: &Section<'_, '_>) -> Option<Mapping> {
    let reader = Reader::default();
    let schema = schema(root);
    let capture = capture(root);
    let outbox_rows_max = root.large_number("outbox_rows_max", OUTBOX_ROWS).unwrap_or(Mapping::OUTBOX_ROWS);
    let slot_bytes_max = root.large_number("slot_bytes_max", SLOT_BYTES).unwrap_or(Mapping::SLOT_BYTES);
    let timestamps_are_utc = root.flag("timestamps_are_utc", false);
    let default = Owner::read(root, &reader);
    let sections = root.tables("tables", table::TABLE)?;
    if sections.is_empty() || sections.len() > Mapping::TABLES_MAX {
        let advice = format!(
            "describe 1 to {}, e.g. [[tables]] table = \"public.deals\", resource = \"deal\"",
            Mapping::TABLES_MAX
        );
        root.about("tables", format!("has {} tables", sections.len()), advice);
    }
    let drafts: Vec<_> = sections.iter().map(|section| table::read(section, &reader, default.as_ref())).collect();
    let drafts: Vec<Draft<'_, '_, '_>> = drafts.into_iter().collect::<Option<_>>()?;
    refuse_twice(&drafts);
    let tables = settle(drafts)?;
    Some(Mapping {
        schema: schema?,
        capture: capture?,
        outbox_rows_max,
        slot_bytes_max,
        timestamps_are_utc,
        tables,
        written: reader.written.into_inner(),
    })
}

/// The name is also that of a slot, which has lower-case letters, digits and underscores alone (PostgreSQL documentation, "Replication Slots").
fn schema(root: &Section<'_, '_>) -> Option<String> {
    const BYTES_MAX: usize = 50;
    let Some(found) = root.text("schema") else {
        return (!root.has("schema")).then(|| "postrider_source".to_owned());
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let begins_well = found.value.starts_with(|c: char| c.is_ascii_lowercase()) && !found.value.starts_with("pg_");
    if !begins_well || found.value.len() > BYTES_MAX || !found.value.bytes().all(plain) || found.value == "public" {
        let advice = format!(
            "write a lower-case letter and then letters, digits and underscores, at most {BYTES_MAX}; not public, nor pg_…"
        );
        root.document().mistake(&found.place, format!("{:?} is no name for a schema of our own", found.value), advice);
        return None;
    }
    Some(found.value.to_owned())
}

fn capture(root: &Section<'_, '_>) -> Option<CaptureKind> {
    let Some(found) = root.text("capture") else {
        return (!root.has("capture")).then_some(CaptureKind::Triggers);
    };
    let known = [CaptureKind::Triggers, CaptureKind::Replication].into_iter().find(|kind| kind.as_str() == found.value);
    if known.is_none() {
        let advice = "write \"triggers\" or \"replication\"";
        root.document().mistake(&found.place, format!("{:?} is no way to capture", found.value), advice);
    }
    known
}

impl Reader {
    pub(super) fn table(&self, section: &Section<'_, '_>, found: &Found<&str>) -> Option<TableName> {
        match found.value.parse::<TableName>() {
            Ok(table) => {
                self.written.borrow_mut().tables.push((table.clone(), at(section, &found.place)));
                Some(table)
            }
            Err(error) => {
                section.document().mistake(&found.place, format!("{:?} is no table's name", found.value), error);
                None
            }
        }
    }

    /// Notes where a table's own part begins.
    pub(super) fn part(&self, section: &Section<'_, '_>, table: &TableName) {
        self.written.borrow_mut().parts.push((table.clone(), at(section, section.place())));
    }

    pub(super) fn column(&self, section: &Section<'_, '_>, table: &TableName, found: &Found<&str>) -> Option<String> {
        if !is_name(found.value) {
            let advice = "write its name as the database has it";
            section.document().mistake(&found.place, format!("{:?} is no column's name", found.value), advice);
            return None;
        }
        self.names_column(section, table, found.value, &found.place);
        Some(found.value.to_owned())
    }

    fn names_column(&self, section: &Section<'_, '_>, table: &TableName, column: &str, place: &Place) {
        self.written.borrow_mut().columns.push((table.clone(), column.to_owned(), at(section, place)));
    }
}

fn at(section: &Section<'_, '_>, place: &Place) -> At {
    At::new(section.document().mistake_at(place, "", ""))
}

/// What `organization` says.
pub(super) struct Owner {
    placing: Placing,
    /// Where it names the column, which each table that it holds for must have.
    column_at: Option<Place>,
}

impl Owner {
    /// What a section says; nothing when it says nothing or something wrong.
    pub(super) fn read(section: &Section<'_, '_>, reader: &Reader) -> Option<Self> {
        if let Some(found) = section.text_or_section("organization") {
            return fixed(section, &found).map(|placing| Owner { placing, column_at: None });
        }
        if !section.has("organization") {
            return None;
        }
        let own = section.section("organization", ORGANIZATION);
        if !own.is_present() {
            return None;
        }
        let column =
            own.required_text("column", "name the column that says whose a row is, e.g. column = \"organization_id\"");
        let joins = joins(&own, reader);
        let id = id(&own);
        let column = column.filter(|column| {
            let fine = is_name(column.value);
            if !fine {
                own.document().mistake(&column.place, "is no column's name", "write its name as the database has it");
            }
            fine
        })?;
        let placing = Placing::By { column: column.value.to_owned(), joins: joins?, id: id? };
        Some(Owner { placing, column_at: Some(column.place) })
    }

    /// How the rows of a table are placed by it.
    pub(super) fn for_table(&self, section: &Section<'_, '_>, reader: &Reader, table: &TableName) -> Placing {
        if let (Placing::By { column, .. }, Some(place)) = (&self.placing, &self.column_at) {
            reader.names_column(section, table, column, place);
        }
        self.placing.clone()
    }

    /// The column of the table itself, and where it is named.
    pub(super) fn column(&self) -> Option<(&str, &Place)> {
        match &self.placing {
            Placing::By { column, .. } => self.column_at.as_ref().map(|place| (column.as_str(), place)),
            Placing::Fixed(_) => None,
        }
    }
}

fn fixed(section: &Section<'_, '_>, found: &Found<&str>) -> Option<Placing> {
    match found.value.parse::<OrganizationId>() {
        Ok(id) => Some(Placing::Fixed(id.to_string())),
        Err(error) => {
            let advice =
                format!("{error}; where a column says whose a row is, write organization = {{ column = \"…\" }}");
            section.document().mistake(&found.place, format!("{:?} is no organisation's id", found.value), advice);
            None
        }
    }
}

fn joins(own: &Section<'_, '_>, reader: &Reader) -> Option<Vec<Join>> {
    let sections = own.tables("joins", JOIN)?;
    if sections.len() > Mapping::JOINS_MAX {
        let advice = format!("lead to the organisation in {} or less", Mapping::JOINS_MAX);
        own.about("joins", format!("has {} steps", sections.len()), advice);
        return None;
    }
    let joins: Vec<_> = sections.iter().map(|section| join(section, reader)).collect();
    joins.into_iter().collect()
}

fn join(section: &Section<'_, '_>, reader: &Reader) -> Option<Join> {
    let table = section.required_text("table", "name the table to go on in, e.g. table = \"public.companies\"");
    let key = section.text("key");
    let column = section.required_text("column", "name its column to go on with, e.g. column = \"organization_id\"");
    let table = reader.table(section, &table?)?;
    let key = match key {
        Some(key) => reader.column(section, &table, &key)?,
        None if section.has("key") => return None,
        None => {
            reader.names_column(section, &table, "id", section.place());
            "id".to_owned()
        }
    };
    let column = reader.column(section, &table, &column?)?;
    Some(Join { table, key, column })
}

/// The template of an organisation's id.
fn id(own: &Section<'_, '_>) -> Option<String> {
    let Some(found) = own.text("id") else {
        return (!own.has("id")).then(|| "{}".to_owned());
    };
    let fine =
        found.value.matches("{}").count() == 1 && found.value.replace("{}", "1").parse::<OrganizationId>().is_ok();
    if !fine {
        let advice = "write Postrider's id with {} where the column's value stands, e.g. \"{}\" or \"acme-{}\"";
        own.document().mistake(&found.place, format!("{:?} makes no organisation's id", found.value), advice);
    }
    fine.then(|| found.value.to_owned())
}

fn refuse_twice(drafts: &[Draft<'_, '_, '_>]) {
    let mut seen = BTreeMap::new();
    for draft in drafts {
        if let Some(first) = seen.insert(&draft.mapping.table, draft) {
            let problem = format!("is {} once more", first.mapping.table);
            draft.section.about("table", problem, "say everything about one table in one place");
        }
    }
}

/// Gives join tables what they have of their records' tables.
fn settle(drafts: Vec<Draft<'_, '_, '_>>) -> Option<Vec<TableMapping>> {
    let plain: BTreeMap<TableName, TableMapping> = drafts
        .iter()
        .filter(|draft| draft.mapping.via.is_none())
        .map(|draft| (draft.mapping.table.clone(), draft.mapping.clone()))
        .collect();
    let settled: Vec<_> = drafts.into_iter().map(|draft| draft.settle(&plain)).collect();
    settled.into_iter().collect()
}

impl Draft<'_, '_, '_> {
    fn settle(mut self, plain: &BTreeMap<TableName, TableMapping>) -> Option<TableMapping> {
        let Some(via) = &self.mapping.via else { return Some(self.mapping) };
        let Some(record) = plain.get(&via.table) else {
            let near = near_tables(&via.table, plain.keys());
            let or = if near.is_empty() { String::new() } else { format!("; {}", name_another(&near)) };
            let advice = format!("describe it in a [[tables]] of its own{or}");
            self.section.about("via", format!("leads to {}, which is no mapped table of records", via.table), advice);
            return None;
        };
        self.mapping.resource.clone_from(&record.resource);
        if !self.has_owner {
            self.mapping.organization = match &record.organization {
                Placing::Fixed(id) => Placing::Fixed(id.clone()),
                Placing::By { column, joins, id } => {
                    let first = Join { table: via.table.clone(), key: via.key.clone(), column: column.clone() };
                    let joins = std::iter::once(first).chain(joins.iter().cloned()).collect();
                    Placing::By { column: via.column.clone(), joins, id: id.clone() }
                }
            };
        }
        Some(self.mapping)
    }
}
