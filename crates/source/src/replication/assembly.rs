//! Messages become nets and gaps that wait for whoever takes changes (no I/O).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use postrider_domain::Millis;
use uuid::Uuid;

use super::net::{Captured, Net, Nets, RawRow, Table, Unidentified};
use super::pgoutput::{Column, Message, Old, Relation, Unreadable, Value};
use crate::capture::Position;
use crate::change::Gap;
use crate::mapping::TableName;

/// What waits.
#[derive(Debug)]
pub(super) enum Waiting {
    Change(Committed),
    Gap(Gap),
    /// All of this position and before has been told.
    Through(Position),
}

/// A net, with where and when it was committed.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) captured: Arc<Captured>,
    pub(super) net: Net,
    commit: Position,
    /// Which part of the transaction it is of, from 0.
    part: u32,
    pub(super) at: Millis,
    /// The transaction's number.
    pub(super) transaction: u32,
}

impl Waiting {
    pub(super) fn change(&self) -> Option<&Committed> {
        if let Waiting::Change(change) = self { Some(change) } else { None }
    }

    /// Its messages.
    pub(super) fn bytes(&self) -> usize {
        self.change().map_or(0, |change| change.net.bytes)
    }
}

impl Committed {
    /// The same each time this is read from the log. A failover that loses the last commits may use a position again: with the moment it is
    /// still this transaction's alone.
    pub(super) fn id(&self, namespace: Uuid) -> Uuid {
        let mut name = format!("{} {} {} {} ", self.commit, self.at.0, self.part, self.captured.table).into_bytes();
        name.extend_from_slice(&self.net.key);
        Uuid::new_v5(&namespace, &name)
    }
}

/// A transaction that is being read. It was committed before its first message came.
#[derive(Debug)]
struct Transaction {
    commit: Position,
    number: u32,
    at: Millis,
    part: u32,
    nets: Nets,
    /// What was told as a gap: each once, however many rows it concerns.
    gaps: HashSet<(TableName, &'static str)>,
}

/// Takes messages one after the other; what is complete waits in `waiting`.
#[derive(Debug)]
pub(super) struct Assembly {
    captured: HashMap<TableName, Arc<Captured>>,
    /// Of what the stream has described; nothing for those that are not captured.
    tables: HashMap<u32, Option<Known>>,
    transaction: Option<Transaction>,
    waiting: VecDeque<Waiting>,
    /// The messages of what waits.
    bytes: usize,
}

/// A captured table's relation.
#[derive(Clone, Debug)]
enum Known {
    Table(Arc<Table>),
    /// It lacks a column of its key.
    Keyless(TableName),
}

impl Assembly {
    pub(super) fn new(captured: Vec<Captured>) -> Self {
        let captured = captured.into_iter().map(|captured| (captured.table.clone(), Arc::new(captured))).collect();
        Assembly { captured, tables: HashMap::new(), transaction: None, waiting: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn take(&mut self, body: Bytes) -> Result<(), Unreadable> {
        let length = body.len();
        match Message::read(body)? {
            Message::Begin { commit, at_ms, transaction: number } => {
                let (nets, gaps) = (Nets::default(), HashSet::new());
                self.transaction = Some(Transaction { commit, number, at: Millis(at_ms), part: 0, nets, gaps });
            }
            Message::Commit { end } => {
                self.tell_part();
                self.transaction = None;
                self.through(end);
            }
            Message::Relation(relation) => self.describe(relation),
            Message::Insert { relation, new } => self.write(relation, length, None, Some(new)),
            Message::Update { relation, old, new } => self.write(relation, length, Some(old), Some(new)),
            Message::Delete { relation, old } => self.write(relation, length, Some(old), None),
            Message::Truncate { relations } => {
                let tables: Vec<_> = relations.iter().filter_map(|oid| self.table_name(*oid)).collect();
                tables.into_iter().for_each(|table| self.gap(table, "truncated"));
            }
            Message::Other => {}
        }
        if self.transaction.as_ref().is_some_and(|transaction| transaction.nets.is_full()) {
            self.tell_part();
        }
        Ok(())
    }

    /// A row was too large to be read; `head` is how its message begins.
    pub(super) fn take_too_large(&mut self, head: Bytes) {
        if let Some(table) = Message::table_of(head).and_then(|oid| self.table_name(oid)) {
            self.gap(table, "a row is larger than can be read");
        }
    }

    /// The tables that are captured.
    pub(super) fn captured(&self) -> impl Iterator<Item = &TableName> {
        self.captured.keys()
    }

    /// How much waits.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The messages of what waits.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// The first `count` of what waits are settled; the last position among them.
    pub(super) fn forget(&mut self, count: usize) -> Option<Position> {
        let mut last = None;
        for settled in self.waiting.drain(..count.min(self.waiting.len())) {
            self.bytes -= settled.bytes();
            if let Waiting::Through(through) = settled {
                last = Some(through);
            }
        }
        last
    }

    /// Takes positions that nothing waits before; the last of them.
    pub(super) fn pass(&mut self) -> Option<Position> {
        let mut last = None;
        while let Some(Waiting::Through(through)) = self.waiting.front() {
            last = Some(*through);
            self.waiting.pop_front();
        }
        last
    }

    /// All of this position and before has been sent. In the middle of a transaction that says nothing.
    pub(super) fn through(&mut self, end: Position) {
        if self.transaction.is_some() {
            return;
        }
        match self.waiting.back_mut() {
            Some(Waiting::Through(last)) => *last = end.max(*last),
            _ => self.waiting.push_back(Waiting::Through(end)),
        }
    }

    fn describe(&mut self, relation: Arc<Relation>) {
        let name = TableName { schema: relation.schema.clone(), name: relation.name.clone() };
        let oid = relation.oid;
        let known = self.captured.get(&name).map(|captured| match Table::new(Arc::clone(captured), relation) {
            Some(table) => Known::Table(Arc::new(table)),
            None => Known::Keyless(name),
        });
        self.tables.insert(oid, known);
    }

    fn table_name(&self, oid: u32) -> Option<TableName> {
        Some(match self.tables.get(&oid)?.as_ref()? {
            Known::Table(table) => table.captured.table.clone(),
            Known::Keyless(table) => table.clone(),
        })
    }

    fn gap(&mut self, table: TableName, what: &'static str) {
        let Some(transaction) = &mut self.transaction else { return };
        if transaction.gaps.insert((table.clone(), what)) {
            self.waiting.push_back(Waiting::Gap(Gap { table, at: transaction.at, what: what.to_owned() }));
        }
    }

    fn write(&mut self, oid: u32, length: usize, old: Option<Old>, new: Option<Vec<Value>>) {
        let table = match self.tables.get(&oid).cloned().flatten() {
            None => return,
            Some(Known::Keyless(table)) => return self.gap(table, "a column of its key is missing"),
            Some(Known::Table(table)) => table,
        };
        let Some(transaction) = &mut self.transaction else { return };
        let bytes = length + 2 * table.relation.columns.len() * size_of::<Value>();
        let is_update = old.is_some();
        let row = |values| RawRow { table: Arc::clone(&table), values };
        let old = old.and_then(|old| known_of(old, &table.relation)).map(row);
        let nets = &mut transaction.nets;
        let told = match (old, new) {
            (old, Some(new)) if is_update => nets.update(old, row(new), bytes),
            (_, Some(new)) => nets.insert(row(new), bytes),
            (Some(old), None) => nets.delete(old, bytes),
            (None, None) => Err(Unidentified),
        };
        if let Err(Unidentified) = told {
            let what = "the database does not tell which row it was; set its REPLICA IDENTITY to FULL";
            self.gap(table.captured.table.clone(), what);
        }
    }

    /// What has come together of the transaction waits to be taken.
    fn tell_part(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        let Transaction { commit, number, at, part, .. } = *transaction;
        for (captured, net) in transaction.nets.take() {
            self.bytes += net.bytes;
            self.waiting.push_back(Waiting::Change(Committed { captured, net, commit, part, at, transaction: number }));
        }
        transaction.part += 1;
    }
}

/// What an old row tells. In one that is told by its key the other columns are sent as null, which they need not have been.
fn known_of(old: Old, relation: &Relation) -> Option<Vec<Value>> {
    match old {
        Old::Untold => None,
        Old::Full(values) => Some(values),
        Old::Key(values) => {
            let known = |(value, column): (Value, &Column)| match column.identifies {
                true => value,
                false => Value::Untold,
            };
            Some(values.into_iter().zip(&relation.columns).map(known).collect())
        }
    }
}
