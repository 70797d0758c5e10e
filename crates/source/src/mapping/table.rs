//! One table of a mapping.

use std::collections::BTreeMap;

use postrider_document::{Found, Section};
use postrider_domain::Subscription;

use super::contradictions::{self, Part, Use};
use super::read::{Owner, Reader};
use super::rules::Labels;
use super::{Mapping, Placing, PlainEvents, SoftDelete, TableMapping, TableName, Via, rules};

pub(super) const TABLE: &[&str] = &[
    "table",
    "resource",
    "key",
    "organization",
    "omit",
    "include_sensitive",
    "ignore",
    "soft_delete",
    "uri",
    "created_at",
    "rename",
    "labels",
    "events",
    "rules",
    "via",
];
pub(super) const EVENTS: &[&str] = &["created", "updated", "deleted"];
pub(super) const SOFT_DELETE: &[&str] = &["column", "is"];
pub(super) const VIA: &[&str] = &["table", "column", "key", "member"];

const RESOURCE_BYTES_MAX: usize = 64;

/// A table as its own part of the file has it.
pub(super) struct Draft<'s, 't, 'd> {
    pub(super) section: &'s Section<'t, 'd>,
    pub(super) mapping: TableMapping,
    /// Whether its own part says whose its rows are.
    pub(super) has_owner: bool,
}

/// Reads the columns of one table, and keeps where each is named.
pub(super) struct Columns<'a> {
    pub(super) reader: &'a Reader,
    pub(super) table: TableName,
    pub(super) uses: Vec<Use>,
}

impl Columns<'_> {
    pub(super) fn one(&mut self, section: &Section<'_, '_>, part: Part, found: &Found<&str>) -> Option<String> {
        let column = self.reader.column(section, &self.table, found)?;
        self.uses.push(Use { part, column: column.clone(), place: found.place.clone() });
        Some(column)
    }

    fn named(&mut self, section: &Section<'_, '_>, key: &'static str, part: Part) -> Option<String> {
        let found = section.text(key)?;
        self.one(section, part, &found)
    }

    fn listed(&mut self, section: &Section<'_, '_>, key: &'static str, part: Part) -> Vec<String> {
        let found = section.texts(key).unwrap_or_default();
        found.iter().filter_map(|found| self.one(section, part, found)).collect()
    }
}

pub(super) fn read<'s, 't, 'd>(
    section: &'s Section<'t, 'd>,
    reader: &Reader,
    default: Option<&Owner>,
) -> Option<Draft<'s, 't, 'd>> {
    let named = section.required_text("table", "name it, e.g. table = \"public.deals\"")?;
    let table = reader.table(section, &named)?;
    reader.part(section, &table);
    let mut columns = Columns { reader, table: table.clone(), uses: Vec::new() };
    let via = section.has("via").then(|| via(section, &mut columns));
    let resource = resource(section, via.is_some());
    let own = Owner::read(section, reader);
    let has_owner = own.is_some();
    let organization =
        organization(section, &mut columns, own.as_ref(), default.filter(|_| via.is_none()), via.is_some());
    let key = key(section, &mut columns);
    let omit = columns.listed(section, "omit", Part::Omit);
    let include_sensitive = columns.listed(section, "include_sensitive", Part::Sensitive);
    let ignore = columns.listed(section, "ignore", Part::Ignore);
    let created_at = columns.named(section, "created_at", Part::CreatedAt);
    let rename = rename(section, &mut columns);
    let labels = labels(section, &mut columns);
    let soft_delete = soft_delete(section, &mut columns, &labels);
    let rules = rules::read(section, &mut columns, &labels);
    let events = events(section, resource.as_deref(), via.is_some());
    if !events.is_said && !section.has("rules") {
        let advice = "name an event type in events, or write a rule; or leave the table out";
        section.about("events", "says nothing of any change", advice);
    }
    let uri = uri(section);
    // Between other values a column that has values for deleted records changes as any does.
    let is_deletion_alone = soft_delete.as_ref().filter(|soft_delete| soft_delete.is.is_empty());
    contradictions::refuse(section, &columns.uses, is_deletion_alone.map(|soft_delete| soft_delete.column.as_str()));
    let mapping = TableMapping {
        table,
        resource: resource?,
        key,
        organization: organization?,
        omit,
        include_sensitive,
        ignore,
        soft_delete,
        uri,
        created_at,
        rename,
        labels,
        events: events.plain,
        rules,
        via: match via {
            Some(via) => Some(via?),
            None => None,
        },
    };
    Some(Draft { section, mapping, has_owner })
}

fn resource(section: &Section<'_, '_>, is_via: bool) -> Option<String> {
    if is_via {
        if section.has("resource") {
            section.about("resource", "is that of the table which via names", "leave it out");
        }
        return Some(String::new());
    }
    let found = section.required_text("resource", "name what a row is, e.g. resource = \"deal\"")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if found.value.is_empty() || found.value.len() > RESOURCE_BYTES_MAX || !found.value.bytes().all(plain) {
        let advice = format!("use letters, digits and . _ - and at most {RESOURCE_BYTES_MAX} of them");
        section.document().mistake(&found.place, format!("{:?} is no type of record", found.value), advice);
        return None;
    }
    Some(found.value.to_owned())
}

/// Whose the rows are: by the table's own part, else by that of the whole file. A join table has that of its record, which is found later.
fn organization(
    section: &Section<'_, '_>,
    columns: &mut Columns<'_>,
    own: Option<&Owner>,
    default: Option<&Owner>,
    is_via: bool,
) -> Option<Placing> {
    let Some(owner) = own.or(default) else {
        if section.has("organization") {
            return None;
        }
        if is_via {
            return Some(Placing::Fixed(String::new()));
        }
        let advice = "write organization = { column = \"organization_id\" }, or organization = \"acme\" where the CRM serves one alone";
        section.missing("organization", advice);
        return None;
    };
    if let Some((column, place)) = owner.column() {
        columns.uses.push(Use { part: Part::Organization, column: column.to_owned(), place: place.clone() });
    }
    Some(owner.for_table(section, columns.reader, &columns.table))
}

fn key(section: &Section<'_, '_>, columns: &mut Columns<'_>) -> Option<Vec<String>> {
    /// Postgres has no index over more columns (PostgreSQL documentation, "Multicolumn Indexes").
    const COLUMNS_MAX: usize = 32;
    let found = section.one_or_more("key")?;
    if found.is_empty() || found.len() > COLUMNS_MAX {
        let advice = format!("name 1 to {COLUMNS_MAX}, or leave it out where the table has a primary key");
        section.about("key", format!("has {} columns", found.len()), advice);
    }
    Some(found.iter().filter_map(|found| columns.one(section, Part::Key, found)).collect())
}

fn soft_delete(section: &Section<'_, '_>, columns: &mut Columns<'_>, labels: &Labels) -> Option<SoftDelete> {
    if section.text_or_section("soft_delete").is_some() {
        let column = columns.named(section, "soft_delete", Part::SoftDelete)?;
        return Some(SoftDelete { column, is: Vec::new() });
    }
    let own = section.section("soft_delete", SOFT_DELETE);
    if !own.is_present() {
        return None;
    }
    let column = own.required_text("column", "name the column that says it, e.g. column = \"active\"");
    let column = column.and_then(|found| columns.one(&own, Part::SoftDelete, &found));
    let is = own.one_or_more("is").unwrap_or_default();
    if is.is_empty() {
        own.missing("is", "name the values of deleted records, e.g. is = \"false\"");
    }
    rules::values(&own, "is", &is, column.as_ref().and_then(|column| labels.get(column)));
    Some(SoftDelete { column: column?, is: rules::texts(&is) })
}

fn rename(section: &Section<'_, '_>, columns: &mut Columns<'_>) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (column, field) in section.named_texts("rename") {
        let at = Found { value: column, place: field.place.clone() };
        let Some(column) = columns.one(section, Part::Rename, &at) else { continue };
        if field.value.is_empty()
            || field.value.len() > Mapping::TEXT_BYTES_MAX
            || field.value.contains(char::is_control)
        {
            let advice = format!("write 1 to {} bytes", Mapping::TEXT_BYTES_MAX);
            section.document().mistake(&field.place, format!("{:?} is no field's name", field.value), advice);
        } else if let Some((other, _)) = fields.iter().find(|(_, other)| *other == field.value) {
            let problem = format!("is {:?}, as {other:?} is", field.value);
            section.document().mistake(&field.place, problem, "give two columns two names");
        }
        fields.insert(column, field.value.to_owned());
    }
    fields
}

fn labels(section: &Section<'_, '_>, columns: &mut Columns<'_>) -> Labels {
    let mut labels = BTreeMap::new();
    for (column, words) in section.named_tables("labels") {
        let Some(name) = columns.one(section, Part::Label, &column) else { continue };
        if words.len() > Mapping::LABELS_MAX {
            let problem = format!("has {} words", words.len());
            section.document().mistake(&column.place, problem, format!("write at most {}", Mapping::LABELS_MAX));
        }
        for (value, word) in &words {
            if value.len().max(word.value.len()) > Mapping::TEXT_BYTES_MAX {
                let advice = format!("write at most {} bytes", Mapping::TEXT_BYTES_MAX);
                section.document().mistake(&word.place, "is too long", advice);
            }
        }
        labels.insert(name, words.into_iter().map(|(value, word)| (value.to_owned(), word.value.to_owned())).collect());
    }
    labels
}

/// The event types of plain changes.
struct Said {
    plain: PlainEvents,
    /// Whether the file means any of them to be said.
    is_said: bool,
}

/// What the file does not name is named after the resource; of a join table it is not said.
fn events(section: &Section<'_, '_>, resource: Option<&str>, is_via: bool) -> Said {
    let own = section.section("events", EVENTS);
    let mut is_said = false;
    let mut event = |key: &'static str| match own.text_or_none(key) {
        Some(None) => None,
        None if is_via && !own.has(key) => None,
        named => {
            is_said = true;
            match named.flatten() {
                Some(found) => event_type(&own, &found),
                None => resource.map(|resource| format!("{resource}.{key}")),
            }
        }
    };
    let plain = PlainEvents { created: event("created"), updated: event("updated"), deleted: event("deleted") };
    Said { plain, is_said }
}

/// An event type as catalogues write it.
pub(super) fn event_type(section: &Section<'_, '_>, found: &Found<&str>) -> Option<String> {
    if !matches!(found.value.parse(), Ok(Subscription::Type(_))) {
        let advice = format!("use letters, digits and . _ - : and at most {} of them", Subscription::BYTES_MAX);
        section.document().mistake(&found.place, format!("{:?} is no event type", found.value), advice);
        return None;
    }
    Some(found.value.to_owned())
}

fn uri(section: &Section<'_, '_>) -> Option<String> {
    let found = section.text("uri")?;
    let begins_well = ["https://", "http://"].iter().any(|scheme| found.value.starts_with(scheme));
    if !begins_well || found.value.matches("{}").count() != 1 || found.value.len() > Mapping::TEXT_BYTES_MAX {
        let advice = "write an address with {} where the record's id stands, e.g. \"https://crm.example/deals/{}\"";
        section.document().mistake(&found.place, format!("{:?} leads to no record", found.value), advice);
    }
    Some(found.value.to_owned())
}

fn via(section: &Section<'_, '_>, columns: &mut Columns<'_>) -> Option<Via> {
    let own = section.section("via", VIA);
    let table = own.required_text("table", "name the table of the record, e.g. table = \"public.contacts\"");
    let column =
        own.required_text("column", "name this table's column that says which record, e.g. column = \"contact_id\"");
    let column = column.and_then(|found| columns.one(&own, Part::Via, &found));
    let table = table.and_then(|found| columns.reader.table(&own, &found));
    let member = own.text("member").map_or_else(|| columns.table.name.clone(), |found| found.value.to_owned());
    if member.is_empty() || member.len() > Mapping::TEXT_BYTES_MAX {
        own.about("member", "is empty or too long", format!("write at most {} bytes", Mapping::TEXT_BYTES_MAX));
    }
    let key = Found { value: "id", place: own.place().clone() };
    let key = own.text("key").unwrap_or(key);
    let table = table?;
    let key = columns.reader.column(&own, &table, &key)?;
    Some(Via { table, column: column?, key, member })
}
