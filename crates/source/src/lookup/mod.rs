//! Whose a change is, and what it is about: what the mapping's joins lead to, many changes at a time.

mod gone;
mod steps;
mod tables;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use postrider_database::Address;

use crate::capture::CaptureError;
use crate::change::Change;
use crate::events::{Found, Side};
use crate::mapping::{CaptureKind, Join, Mapping, Placing, TableMapping, TableName};
use crate::row::Row;
use gone::Gone;
use steps::{Step, Told};
pub(crate) use steps::{cast_to, is_of_a_value};
pub(crate) use tables::{Tables, table_in_sql};

/// Looks things up in the CRM's tables as they are, and among what was deleted from them.
pub(crate) struct Lookup {
    address: Address,
    mapping: Arc<Mapping>,
    tables: Option<Tables>,
    gone: Gone,
}

/// By value, where it leads to.
type Led = HashMap<String, String>;

impl Lookup {
    pub(crate) fn new(address: Address, mapping: Arc<Mapping>) -> Self {
        Lookup { address, gone: Gone::new(&mapping), mapping, tables: None }
    }

    /// The session; a new one after [`Lookup::forget`].
    pub(crate) async fn tables(&mut self) -> Result<&mut Tables, CaptureError> {
        opened(&mut self.tables, &self.address, &self.mapping).await
    }

    /// Something failed: the next look-up has a session of its own.
    pub(crate) fn forget(&mut self) {
        self.tables = None;
    }

    /// What was found for each of the changes, in their order.
    ///
    /// # Errors
    /// When the tables cannot be read. Asking again is safe.
    pub(crate) async fn find(&mut self, changes: &[Change]) -> Result<Vec<Found>, CaptureError> {
        let found = self.find_by_table(changes).await;
        if found.is_err() {
            self.forget();
        }
        found
    }

    async fn find_by_table(&mut self, changes: &[Change]) -> Result<Vec<Found>, CaptureError> {
        let mapping = Arc::clone(&self.mapping);
        self.gone.remember(changes);
        self.tables().await?.look_again(&mapping).await?;
        let mut found: Vec<Found> = changes.iter().map(|_| Found::default()).collect();
        let mut by_table: BTreeMap<&TableName, Vec<usize>> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            by_table.entry(&change.table).or_default().push(at);
        }
        for table in &mapping.tables {
            let Some(places) = by_table.remove(&table.table) else { continue };
            self.place(table, changes, &places, &mut found).await?;
            self.find_records(table, changes, &places, &mut found).await?;
        }
        Ok(found)
    }

    /// Whose each of these changes of one table is, before and after.
    async fn place(
        &mut self,
        table: &TableMapping,
        changes: &[Change],
        places: &[usize],
        found: &mut [Found],
    ) -> Result<(), CaptureError> {
        let placing = &table.organization;
        let (column, joins) = match placing {
            Placing::Fixed(_) => (None, [].as_slice()),
            Placing::By { column, joins, .. } => (Some(column), joins.as_slice()),
        };
        let from = column.map(|column| values(changes, places, column)).unwrap_or_default();
        let led = self.walk(joins, from).await?;
        let whose = |row: &Row| match column {
            Some(column) => placing.organization(led.get(&row.text(column)?)?).ok(),
            None => placing.organization("").ok(),
        };
        each_side(changes, places, found, |row, side| side.organization = whose(row));
        Ok(())
    }

    /// Goes from values over the joins, one after the other; values that lead nowhere are missing.
    async fn walk(&mut self, joins: &[Join], values: BTreeSet<String>) -> Result<Led, CaptureError> {
        let mut led: Led = values.into_iter().map(|value| (value.clone(), value)).collect();
        for join in joins {
            let step = Step { table: &join.table, key: &join.key, told: Told::Column(&join.column) };
            let next = self.take(&step, &led.values().cloned().collect()).await?;
            led = led.into_iter().filter_map(|(from, at)| Some((from, next.get(&at)?.clone()))).collect();
        }
        Ok(led)
    }

    async fn take(&mut self, step: &Step<'_>, values: &BTreeSet<String>) -> Result<Led, CaptureError> {
        if values.is_empty() {
            return Ok(Led::new());
        }
        let is_captured = self.mapping.table(step.table).is_some();
        let has_outbox = self.mapping.capture == CaptureKind::Triggers;
        let outbox = (is_captured && has_outbox).then(|| self.mapping.schema.clone());
        let tables = opened(&mut self.tables, &self.address, &self.mapping).await?;
        step.take(tables, outbox.as_deref(), values, &self.gone).await
    }

    /// The records that rows of a join table concern.
    async fn find_records(
        &mut self,
        table: &TableMapping,
        changes: &[Change],
        places: &[usize],
        found: &mut [Found],
    ) -> Result<(), CaptureError> {
        let Some(via) = &table.via else { return Ok(()) };
        let mapping = Arc::clone(&self.mapping);
        let Some(of_record) = mapping.table(&via.table) else { return Ok(()) };
        let known = self.tables().await?.known(&via.table)?;
        let columns: Vec<_> = of_record.captured_in(known).map(|column| column.name.clone()).collect();
        let step = Step { table: &via.table, key: &via.key, told: Told::Row(&columns) };
        let rows = self.take(&step, &values(changes, places, &via.column)).await?;
        let record = |row: &Row| serde_json::from_str::<Row>(rows.get(&row.text(&via.column)?)?).ok();
        each_side(changes, places, found, |row, side| side.record = record(row));
        Ok(())
    }
}

async fn opened<'t>(
    tables: &'t mut Option<Tables>,
    address: &Address,
    mapping: &Mapping,
) -> Result<&'t mut Tables, CaptureError> {
    let open = match tables.take() {
        Some(open) => open,
        None => Tables::open(address, mapping).await?,
    };
    Ok(tables.insert(open))
}

/// The values of a column in these changes, before and after.
fn values(changes: &[Change], places: &[usize], column: &str) -> BTreeSet<String> {
    let rows = places.iter().flat_map(|at| [&changes[*at].before, &changes[*at].after]).flatten();
    rows.filter_map(|row| row.text(column)).collect()
}

fn each_side(changes: &[Change], places: &[usize], found: &mut [Found], mut note: impl FnMut(&Row, &mut Side)) {
    for at in places {
        let (change, found) = (&changes[*at], &mut found[*at]);
        for (row, side) in [(&change.before, &mut found.before), (&change.after, &mut found.after)] {
            if let Some(row) = row {
                note(row, side);
            }
        }
    }
}
