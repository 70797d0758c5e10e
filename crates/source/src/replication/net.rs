//! What one transaction made of each record, from what it did one after the other (no I/O).

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::generated::{self, Generated};
use super::limits::{RECORD_BYTES, TRANSACTION_BYTES_MAX};
use super::pgoutput::{Column, Relation, Value};
use crate::mapping::TableName;

/// A captured table, with what is captured of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Captured {
    pub(super) table: TableName,
    /// The columns that identify a record, in the order of the mapping.
    pub(super) key: Vec<String>,
    /// The columns that are captured.
    pub(super) columns: Vec<String>,
    /// The columns that say whose a record is. Where nothing is told of the row before, it was the same organisation's.
    pub(super) places: Vec<String>,
    /// Those of the captured columns that are computed from others.
    pub(super) generated: Vec<Generated>,
}

/// A relation of the stream as one that is captured.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) captured: Arc<Captured>,
    pub(super) relation: Arc<Relation>,
    /// Where the key's columns stand in a row.
    key_at: Vec<usize>,
    /// Where the captured columns stand in a row.
    columns_at: Vec<usize>,
    /// Where what is taken from the row as it is now stands, when nothing is told of the row before.
    lasting_at: Vec<usize>,
    /// What is to be computed: which of the generated columns, and where its inputs stand.
    computed: Vec<(usize, Vec<usize>)>,
}

impl Table {
    /// Nothing when the relation has not all columns of the key.
    pub(super) fn new(captured: Arc<Captured>, relation: Arc<Relation>) -> Option<Self> {
        let at = |name: &String| relation.columns.iter().position(|column| column.name == *name);
        let key_at = captured.key.iter().map(at).collect::<Option<Vec<_>>>().filter(|key| !key.is_empty())?;
        let columns_at = captured.columns.iter().filter_map(at).collect();
        let lasting_at = captured.places.iter().filter_map(at).chain(key_at.iter().copied()).collect();
        let computed = |(index, generated): (usize, &Generated)| {
            let inputs = generated.inputs.iter().map(at).collect::<Option<_>>()?;
            at(&generated.name).is_none().then_some((index, inputs))
        };
        let computed = captured.generated.iter().enumerate().filter_map(computed).collect();
        Some(Table { captured, relation, key_at, columns_at, lasting_at, computed })
    }

    /// The text that identifies a record in its table; nothing when a column of the key is not told.
    fn key(&self, row: &[Value]) -> Option<Vec<u8>> {
        let mut key = Vec::new();
        for at in &self.key_at {
            match row.get(*at)? {
                Value::Null => key.extend(u32::MAX.to_be_bytes()),
                Value::Untold => return None,
                Value::Text(text) => {
                    key.extend(u32::try_from(text.len()).ok()?.to_be_bytes());
                    key.extend_from_slice(text);
                }
            }
        }
        Some(key)
    }

    /// Of a row as it is now: what is taken for the row before when nothing was told of it.
    fn lasting(&self, row: &[Value]) -> Vec<Value> {
        let known = |(at, value): (usize, &Value)| match self.lasting_at.contains(&at) {
            true => value.clone(),
            false => Value::Untold,
        };
        row.iter().enumerate().map(known).collect()
    }
}

/// One row, with the table as it was when the row was written.
#[derive(Clone, Debug)]
pub(super) struct RawRow {
    pub(super) table: Arc<Table>,
    pub(super) values: Vec<Value>,
}

impl RawRow {
    /// The captured columns.
    pub(super) fn captured(&self) -> impl Iterator<Item = (&Column, &Value)> {
        let column = |at: &usize| Some((self.table.relation.columns.get(*at)?, self.values.get(*at)?));
        self.table.columns_at.iter().filter_map(column)
    }

    /// The captured columns that are computed, each with the text of its inputs.
    pub(super) fn computed(&self) -> impl Iterator<Item = (&Generated, Bytes)> {
        self.table.computed.iter().filter_map(|(index, inputs)| {
            let values = inputs.iter().map(|at| self.values.get(*at)).collect::<Option<Vec<_>>>()?;
            Some((self.table.captured.generated.get(*index)?, generated::inputs(&values)?))
        })
    }

    /// Takes what is not told from another version of the row, unless the table was altered in between.
    fn complete(&mut self, other: &RawRow) {
        if self.table.relation != other.table.relation {
            return;
        }
        for (value, known) in self.values.iter_mut().zip(&other.values) {
            if *value == Value::Untold {
                known.clone_into(value);
            }
        }
    }

    /// Whether some column is known to differ.
    fn is_other_than(&self, other: &RawRow) -> bool {
        let differs = |(one, other): (&Value, &Value)| *one != Value::Untold && *other != Value::Untold && one != other;
        self.table.relation == other.table.relation && self.values.iter().zip(&other.values).any(differs)
    }

    fn same(&self, other: &RawRow) -> bool {
        self.table.relation == other.table.relation
            && self.table.computed.is_empty()
            && (self.table.columns_at.iter()).all(|at| match (self.values.get(*at), other.values.get(*at)) {
                (Some(Value::Untold), _) | (_, Some(Value::Untold)) => false,
                (one, other) => one == other,
            })
    }
}

/// What became of one record.
#[derive(Debug)]
pub(super) struct Net {
    /// What identifies it, of which the change's id is made.
    pub(super) key: Vec<u8>,
    pub(super) before: Option<RawRow>,
    pub(super) after: Option<RawRow>,
    /// Its messages, in bytes.
    pub(super) bytes: usize,
}

impl Net {
    fn table(&self) -> Option<&Arc<Table>> {
        self.after.as_ref().or(self.before.as_ref()).map(|row| &row.table)
    }

    /// Whether anything is left to tell.
    fn is_change(&self) -> bool {
        match (&self.before, &self.after) {
            (None, None) => false,
            (Some(before), Some(after)) => !before.same(after),
            _ => true,
        }
    }
}

/// A row cannot be told because what identifies it is not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unidentified;

/// Nets of a transaction, in the order in which its records were touched first.
#[derive(Debug, Default)]
pub(super) struct Nets {
    nets: Vec<Net>,
    by_key: HashMap<TableName, HashMap<Vec<u8>, usize>>,
    bytes: usize,
}

impl Nets {
    /// Whether so much is held that this part of the transaction is to be told.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= TRANSACTION_BYTES_MAX
    }

    /// Takes what has come together.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Arc<Captured>, Net)> + use<> {
        let nets = std::mem::take(self).nets;
        nets.into_iter().filter(Net::is_change).filter_map(|net| Some((Arc::clone(&net.table()?.captured), net)))
    }

    pub(super) fn insert(&mut self, new: RawRow, bytes: usize) -> Result<(), Unidentified> {
        let key = new.table.key(&new.values).ok_or(Unidentified)?;
        let table = Arc::clone(&new.table);
        self.net(key, &table, bytes).after = Some(new);
        Ok(())
    }

    /// `old` is all of the old row, its key alone, or nothing when the key is as it was.
    pub(super) fn update(
        &mut self,
        mut old: Option<RawRow>,
        mut new: RawRow,
        bytes: usize,
    ) -> Result<(), Unidentified> {
        if let Some(old) = &old {
            new.complete(old);
        }
        let key = new.table.key(&new.values).ok_or(Unidentified)?;
        let moved = |old: &mut RawRow| old.table.key(&old.values).is_some_and(|old_key| old_key != key);
        if let Some(old) = old.take_if(moved) {
            self.delete(old, 0)?;
            return self.insert(new, bytes);
        }
        let is_first = !self.has(&new.table, &key);
        let net = self.net(key, &new.table, bytes);
        if is_first {
            let known = || RawRow { table: Arc::clone(&new.table), values: new.table.lasting(&new.values) };
            net.before = Some(old.unwrap_or_else(known));
        } else if let Some(last) = &net.after {
            new.complete(last);
        }
        net.after = Some(new);
        Ok(())
    }

    pub(super) fn delete(&mut self, old: RawRow, bytes: usize) -> Result<(), Unidentified> {
        let key = old.table.key(&old.values).ok_or(Unidentified)?;
        let is_first = !self.has(&old.table, &key);
        let net = self.net(key, &old.table, bytes);
        // Another record got this key before its own gave it up: keys that are swapped, or that all move on by one.
        let is_taken = net.before.is_none() && net.after.as_ref().is_some_and(|after| after.is_other_than(&old));
        if !is_taken {
            net.after = None;
        }
        if is_first || is_taken {
            net.before = Some(old);
        }
        Ok(())
    }

    fn has(&self, table: &Table, key: &[u8]) -> bool {
        self.by_key.get(&table.captured.table).is_some_and(|by_key| by_key.contains_key(key))
    }

    fn net(&mut self, key: Vec<u8>, table: &Table, bytes: usize) -> &mut Net {
        let by_key = self.by_key.entry(table.captured.table.clone()).or_default();
        let at = *by_key.entry(key.clone()).or_insert_with(|| {
            self.bytes += RECORD_BYTES;
            self.nets.push(Net { key, before: None, after: None, bytes: 0 });
            self.nets.len() - 1
        });
        self.bytes += bytes;
        let net = &mut self.nets[at];
        net.bytes += bytes;
        net
    }
}

#[cfg(test)]
#[path = "net_tests.rs"]
mod tests;
