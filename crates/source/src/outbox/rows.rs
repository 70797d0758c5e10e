//! Rows of the outbox as changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use postrider_domain::Millis;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row as Answer};
use uuid::Uuid;

use super::sql::Statements;
use crate::capture::{Batch, CaptureError};
use crate::change::{Change, Gap};
use crate::lookup::is_of_a_value;
use crate::mapping::{Mapping, TableName};
use crate::row::Row;
use crate::session::refused;

/// A read that can be made beside other things on its session.
pub(super) struct Asking {
    pub(super) connected: Arc<postrider_database::Connected>,
    pub(super) statements: Arc<Statements>,
    pub(super) above: i64,
    pub(super) without: Arc<[i64]>,
    pub(super) rows_max: usize,
    pub(super) bytes_max: i64,
}

/// What was read.
pub(super) struct Read {
    pub(super) installation: Uuid,
    /// The oldest transaction under way before the rows were read.
    pub(super) oldest: u64,
    pub(super) handed: i64,
    rows: Vec<Answer>,
    /// Whether it ended before the last row that there was, as far as can be told.
    is_cut: bool,
}

/// The ids of rows that were read.
#[derive(Debug, Default)]
pub(super) struct Ids {
    pub(super) all: Arc<[i64]>,
    /// Of these the deletions that rows behind them may ask for, to find whose they are.
    pub(super) asked_for: Vec<i64>,
}

impl Asking {
    pub(super) async fn read(mut self) -> Result<Read, CaptureError> {
        // Both on their way at once; the database answers them in this order.
        let head = self.connected.client.query_one(&self.statements.head, &[]);
        let (head, rows) = tokio::join!(biased; head, self.rows());
        let head = head.map_err(|error| refused(&error))?;
        let rows = match rows {
            Err(error) if is_of_a_value(&error) => self.rows_but_unreadable().await,
            rows => rows,
        }
        .map_err(|error| refused(&error))?;
        let installation: Option<Uuid> = head.get(0);
        let installation = installation.ok_or_else(|| {
            CaptureError::Unusable("nothing is installed in it; run `postrider source install`".to_owned())
        })?;
        let oldest = u64::try_from(head.get::<_, i64>(1)).unwrap_or_default();
        let is_heavy = rows.last().is_some_and(|last| last.get::<_, i64>(6) >= self.bytes_max);
        let is_cut = is_heavy || rows.len() >= self.rows_max;
        Ok(Read { installation, oldest, handed: head.get(2), rows, is_cut })
    }

    async fn rows(&self) -> Result<Vec<Answer>, Error> {
        let rows_max = i64::try_from(self.rows_max).unwrap_or(i64::MAX);
        let parameters: [&(dyn ToSql + Sync); 4] = [&self.above, &&*self.without, &rows_max, &self.bytes_max];
        self.connected.client.query(&self.statements.rows, &parameters).await
    }

    /// One of the rows holds what is no text in UTF-8, as databases with other encodings may have it: fewer and fewer are read, and in the end that one without
    /// what it says.
    async fn rows_but_unreadable(&mut self) -> Result<Vec<Answer>, Error> {
        while self.rows_max > 1 {
            self.rows_max /= 2;
            match self.rows().await {
                Err(error) if is_of_a_value(&error) => {}
                rows => return rows,
            }
        }
        let parameters: [&(dyn ToSql + Sync); 2] = [&self.above, &&*self.without];
        self.connected.client.query(&self.statements.unreadable, &parameters).await
    }
}

impl Read {
    /// The ids of all rows, and what they mean.
    pub(super) fn into_batch(self, installation: Uuid, mapping: &Mapping) -> (Ids, Batch) {
        let joined: HashSet<&TableName> = mapping.joined().map(|(table, _)| table).collect();
        let tables: HashMap<String, &TableName> =
            mapping.tables.iter().map(|table| (table.table.to_string(), &table.table)).collect();
        let mut batch = Batch { more: self.is_cut, ..Batch::default() };
        let (mut all, mut asked_for) = (Vec::with_capacity(self.rows.len()), Vec::new());
        for row in &self.rows {
            let id: i64 = row.get(0);
            all.push(id);
            match read_row(installation, &tables, row) {
                // The triggers tell texts apart, not numbers.
                Ok(change) if is_as_it_was(&change) => {}
                Ok(change) => {
                    asked_for.extend((change.after.is_none() && joined.contains(&change.table)).then_some(id));
                    batch.changes.push(change);
                }
                Err(gap) => batch.gaps.push(gap),
            }
        }
        (Ids { all: all.into(), asked_for }, batch)
    }
}

/// Whether a change left its record as it was.
fn is_as_it_was(change: &Change) -> bool {
    matches!((&change.before, &change.after), (Some(before), Some(after)) if before.is_same(after))
}

fn read_row(installation: Uuid, tables: &HashMap<String, &TableName>, row: &Answer) -> Result<Change, Gap> {
    let id: i64 = row.get(0);
    let micros: i64 = row.get(4);
    let at = Millis(micros.div_euclid(1_000));
    let name: &str = row.get(1);
    let gap = |what: &str| {
        let unknown = || TableName { schema: String::new(), name: name.to_owned() };
        let table = name.parse().unwrap_or_else(|_| unknown());
        Gap { table, at, what: what.to_owned() }
    };
    if let Some(note) = row.get::<_, Option<&str>>(5) {
        return Err(gap(note));
    }
    let Some(table) = tables.get(name) else { return Err(gap("the mapping does not have this table any more")) };
    let side = |column| {
        let text: Option<&str> = row.get(column);
        text.map(serde_json::from_str::<Row>).transpose().map_err(|_| gap("the row is no JSON object"))
    };
    // A failover that loses the last commits may draw ids again: with the moment they are still those of this change alone.
    let id = Uuid::new_v5(&installation, format!("{id} {micros}").as_bytes());
    Ok(Change { id, table: (*table).clone(), at, transaction: None, before: side(2)?, after: side(3)? })
}
