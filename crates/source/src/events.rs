//! Changes become events, by what the mapping says of their table. Nothing here reads or waits.
//!
//! A *side* is what was looked up for one side of a change: whose the row was before it, or is after it. A row is *there* when its record is
//! neither gone nor soft-deleted; from not there to there is a creation. A record that goes from one organisation to another is deleted in the one
//! and created in the other, and neither sees what it was with the other.

mod fields;
mod id;
mod reading;

use std::collections::HashMap;

use postrider_domain::OrganizationId;
use postrider_engine::IncomingEvent;

use crate::change::Change;
use crate::mapping::{KnownTable, Mapping, TableName};
use crate::row::Row;

use fields::{Differences, Fields, object};
use reading::Reading;

/// An event, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The organisation.
    pub organization: OrganizationId,
    /// The event.
    pub event: IncomingEvent,
}

/// What was looked up for one side of a change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// Whose the row is; nothing when there is no row, or nobody's.
    pub organization: Option<OrganizationId>,
    /// For a join table: the row of the record that it concerns; nothing when it could not be found.
    pub record: Option<Row>,
}

/// What was looked up for a change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// For the row before it.
    pub before: Side,
    /// For the row after it.
    pub after: Side,
}

/// What changes mean, by their table.
#[derive(Debug)]
pub struct Events {
    tables: HashMap<TableName, Reading>,
}

/// One side of a change that is there, with all that is known of it.
#[derive(Clone, Copy)]
struct There<'a> {
    reading: &'a Reading,
    /// The record's reading, for a join table.
    of_record: Option<&'a Reading>,
    row: &'a Row,
    record: Option<&'a Row>,
    organization: &'a OrganizationId,
}

impl Events {
    /// What the mapping says, of tables as the database has them. A table that is not known there says nothing.
    #[must_use]
    pub fn new(mapping: &Mapping, known: &[KnownTable]) -> Self {
        let reading = |known: &KnownTable| {
            let table = mapping.table(&known.table)?;
            Some((known.table.clone(), Reading::new(table.clone(), known, mapping.timestamps_are_utc)))
        };
        Events { tables: known.iter().filter_map(reading).collect() }
    }

    /// Why nothing can be told of a mapped table at the moment; nothing where it can.
    #[must_use]
    pub fn cannot_tell(&self, table: &TableName) -> Option<&'static str> {
        match self.tables.get(table) {
            None => Some("no table has this name any more"),
            Some(reading) if !reading.has_key() => Some("it has no key any more that would say which record it is"),
            Some(_) => None,
        }
    }

    /// The events that a change is, in the order in which they are told. The same change makes the same events with the same ids.
    #[must_use]
    pub fn of(&self, change: &Change, found: &Found) -> Vec<Told> {
        let Some(reading) = self.tables.get(&change.table) else { return Vec::new() };
        let before = change.before.as_ref().and_then(|row| self.there(reading, row, &found.before));
        let after = change.after.as_ref().and_then(|row| self.there(reading, row, &found.after));
        let mut telling = Telling { change, told: Vec::new() };
        match (before, after) {
            (Some(before), Some(after)) if before.is_same_place(&after) => telling.updated(&before, &after),
            (before, after) => {
                if let Some(before) = before {
                    telling.deleted(&before.last(change.after.as_ref(), &found.after));
                }
                if let Some(after) = after {
                    let earlier =
                        change.before.as_ref().filter(|_| found.before.organization == found.after.organization);
                    telling.created(&after, earlier);
                }
            }
        }
        telling.told
    }

    /// What is told of a row that was there before anybody looked: that it was created, and nothing else.
    #[must_use]
    pub fn of_existing(&self, change: &Change, found: &Found) -> Vec<Told> {
        let after = self.tables.get(&change.table).zip(change.after.as_ref());
        let after = after.and_then(|(reading, row)| self.there(reading, row, &found.after));
        let mut telling = Telling { change, told: Vec::new() };
        if let Some(after) = after {
            telling.plain_created(&after);
        }
        telling.told
    }

    fn there<'a>(&'a self, reading: &'a Reading, row: &'a Row, side: &'a Side) -> Option<There<'a>> {
        let of_record = reading.via().and_then(|via| self.tables.get(&via.table));
        let record = side.record.as_ref();
        let is_record_gone = of_record.zip(record).is_some_and(|(reading, row)| reading.is_soft_deleted(row));
        if is_record_gone || reading.is_soft_deleted(row) {
            return None;
        }
        Some(There { reading, of_record, row, record, organization: side.organization.as_ref()? })
    }
}

impl<'a> There<'a> {
    /// Whether both concern one record of one organisation.
    fn is_same_place(&self, other: &There<'_>) -> bool {
        let record = |row: &Row| self.reading.via().and_then(|via| row.text(&via.column));
        self.organization == other.organization && record(self.row) == record(other.row)
    }

    /// A soft-deleted row tells when it was deleted: so that row is the record's last, if it is still the same organisation's.
    fn last(self, after: Option<&'a Row>, side: &Side) -> There<'a> {
        let is_soft = after.filter(|row| self.reading.is_soft_deleted(row) && self.reading.via().is_none());
        let row = is_soft.filter(|_| side.organization.as_ref() == Some(self.organization)).unwrap_or(self.row);
        There { row, ..self }
    }

    /// The event's data. That of a join table's row is its record's, with the row in a member of it.
    fn data(&self) -> Box<str> {
        let Some(via) = self.reading.via() else { return Fields::new(self.reading, self.row).data() };
        let member = Fields::new(self.reading, self.row).plain();
        match self.of_record.zip(self.record) {
            Some((reading, record)) => Fields::new(reading, record).data_with(&via.member, &member),
            None => {
                let id = self.row.get(&via.column).unwrap_or("null");
                object([("id", id), (via.member.as_str(), &*member)].into_iter())
            }
        }
    }

    /// The ids of the record.
    fn record_id(&self) -> String {
        match (self.reading.via(), self.of_record.zip(self.record)) {
            (None, _) => self.reading.id_of(self.row),
            (Some(_), Some((reading, record))) => reading.id_of(record),
            (Some(via), None) => self.row.text(&via.column).unwrap_or_default(),
        }
    }

    /// The template of the record's address.
    fn uri(&self) -> Option<&'a str> {
        self.of_record.unwrap_or(self.reading).uri()
    }

    /// What differs from the earlier row, as receivers see it: in a join table all of it together.
    fn changes(&self, before: &There<'_>, differences: &Differences<'_>) -> Option<Box<str>> {
        let Some(via) = self.reading.via() else { return differences.changes() };
        let previous = Fields::new(self.reading, before.row).plain();
        let current = Fields::new(self.reading, self.row).plain();
        let change = object([("previous", &*previous), ("current", &*current)].into_iter());
        (!differences.is_empty()).then(|| object([(via.member.as_str(), &*change)].into_iter()))
    }
}

/// Events of one change.
struct Telling<'a> {
    change: &'a Change,
    told: Vec<Told>,
}

impl Telling<'_> {
    fn plain_created(&mut self, after: &There<'_>) {
        if let Some(event) = &after.reading.events().created {
            self.tell(event, after, None);
        }
    }

    /// `earlier` is the row before, if the organisation may see it: that of a record that returns from its soft deletion.
    fn created(&mut self, after: &There<'_>, earlier: Option<&Row>) {
        self.plain_created(after);
        for rule in after.reading.rules().iter().filter(|rule| rule.on_create) {
            if after.reading.holds(rule, earlier, after.row) {
                self.tell(&rule.event, after, None);
            }
        }
    }

    fn updated(&mut self, before: &There<'_>, after: &There<'_>) {
        let reading = after.reading;
        let held: Vec<_> =
            reading.rules().iter().filter(|rule| reading.holds(rule, Some(before.row), after.row)).collect();
        let plain = Differences::new(reading, before.row, after.row, None);
        let is_replaced = held.iter().any(|rule| rule.instead);
        if let Some(event) = reading.events().updated.as_ref().filter(|_| !is_replaced && plain.is_news()) {
            self.tell(event, after, after.changes(before, &plain));
        }
        for rule in held {
            let differences = Differences::new(reading, before.row, after.row, Some(&rule.changed));
            self.tell(&rule.event, after, after.changes(before, &differences));
        }
    }

    fn deleted(&mut self, last: &There<'_>) {
        if let Some(event) = &last.reading.events().deleted {
            self.tell(event, last, None);
        }
    }

    /// Tells an event, unless the same was told of the same record.
    fn tell(&mut self, event_type: &str, there: &There<'_>, changes: Option<Box<str>>) {
        let record_id = id::fitting(there.record_id());
        let id = id::of(self.change.id, event_type, there.organization, &record_id);
        if self.told.iter().any(|told| told.event.id.as_ref() == Some(&id)) {
            return;
        }
        let uri = there.uri().map(|uri| uri.replace("{}", &id::in_an_address(&record_id)));
        let resource = id::resource(there.reading.resource(), record_id, uri);
        let event = IncomingEvent {
            event_type: event_type.to_owned(),
            data: there.data(),
            id: Some(id),
            occurred_at: Some(self.change.at),
            resource: Some(resource),
            previous: None,
            changes,
        };
        self.told.push(Told { organization: there.organization.clone(), event });
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
