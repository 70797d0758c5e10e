//! Backfill: rows that were there before anybody looked, told as creations, a few at a time between live changes.
//!
//! An *order* is a row of the table `backfills`: which table, since when, how fast, and which key it has come to. Rows are read in the order of their key, as
//! they are now. A row that has changes in the outbox is told as it was before the first of them, in the same snapshot: what follows of it
//! then follows in order. With replication a page is *held* until the log has come as far as it shows (`held.rs`). The ids of its events follow from order and key, so that what a crash repeats is stored once.

mod held;
mod order;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::Millis;
use tokio::time::Instant;
use uuid::Uuid;

use crate::capture::{CaptureError, Position};
use crate::change::Change;
use crate::events::Told;
use crate::handing::{ByOrganization, Handing, Stopped};
use crate::lookup::Lookup;
use crate::mapping::{Mapping, TableMapping};
use crate::metrics::{ChangeResult, count_changes};
use held::Held;
pub use order::{Backfills, NewOrder, OrderError, OrderState, rows_in_words};
use order::{Order, end, open_order, progress};
use rows::{Page, page};

/// How often it is looked for new orders.
const ORDERS_EVERY: Duration = Duration::from_secs(1);
/// How long a step takes at least, in milliseconds: the rate's rows come in so many steps a second.
const STEP_MS: u64 = 100;
/// How often it is looked whether a held page is due, at the most.
const HELD_LOOK: Duration = Duration::from_millis(10);
/// Rows that one step reads at most, whatever the rate.
const STEP_ROWS_MAX: u64 = 500;
/// How often a step that fails is made again before its order is ended, and how long it is waited for between, at the most.
const FAILURES_MAX: u32 = 12;
const FAILURE_PAUSE_MAX: Duration = Duration::from_secs(60);
/// Bytes of rows as JSON from which on a step reads no more.
const STEP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The orders of one mapping, done step by step.
pub(crate) struct Backfill {
    mapping: Arc<Mapping>,
    next_at: Instant,
    pace: Pace,
    /// The page that was read last, until it is told.
    held: Option<Held>,
    /// How many steps in a row failed.
    failures: u32,
}

/// How many rows a step may take: a second's worth in ten steps, parts of a row included.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    order: Uuid,
    /// Thousandths of a row that earlier steps left.
    saved: u64,
}

impl Pace {
    /// The rows of a step of this order after so much time.
    fn rows(&mut self, order: &Order) -> u64 {
        if self.order != order.id {
            *self = Pace { order: order.id, saved: 0 };
        }
        self.saved += u64::from(order.rate) * STEP_MS;
        let rows = self.saved / 1_000;
        self.saved %= 1_000;
        rows.min(STEP_ROWS_MAX)
    }
}

/// Why a step ended early.
#[derive(Debug)]
pub(crate) enum Interrupted {
    Stopped(Stopped),
    Failed(CaptureError),
}

impl From<CaptureError> for Interrupted {
    fn from(error: CaptureError) -> Self {
        Interrupted::Failed(error)
    }
}

impl From<Stopped> for Interrupted {
    fn from(stopped: Stopped) -> Self {
        Interrupted::Stopped(stopped)
    }
}

impl Backfill {
    pub(crate) fn new(mapping: Arc<Mapping>) -> Self {
        Backfill { mapping, next_at: Instant::now(), pace: Pace::default(), held: None, failures: 0 }
    }

    /// How long until there may be something to do.
    pub(crate) fn wait(&self) -> Duration {
        let wait = self.next_at.saturating_duration_since(Instant::now());
        if self.held.is_some() { wait.max(HELD_LOOK) } else { wait }
    }

    /// Something failed: what was read and not told is read again, under the same ids.
    pub(crate) fn forget(&mut self) {
        self.held = None;
    }

    /// What is to be told before a live change, so that nothing older is told behind it. It counts as told.
    pub(crate) fn overtaken_by(&mut self, change: &Change) -> Vec<Told> {
        self.held.as_mut().map(|held| held.overtaken_by(change)).unwrap_or_default()
    }

    /// Tells the held page when everything before `settled` that it shows is told; then, if no live change waits and it is time for it, does the next step
    /// of the oldest order. A read that fails is made again after a while, and holds up no live change.
    pub(crate) async fn step(
        &mut self,
        is_busy: bool,
        settled: Option<Position>,
        lookup: &mut Lookup,
        handing: &Handing,
    ) -> Result<(), Interrupted> {
        self.tell(settled, lookup, handing).await?;
        if is_busy || self.held.is_some() || self.next_at > Instant::now() {
            return Ok(());
        }
        let Some(order) = open_order(lookup.tables().await?, &self.mapping.schema).await? else {
            self.next_at = Instant::now() + ORDERS_EVERY;
            return Ok(());
        };
        self.next_at = Instant::now() + Duration::from_millis(STEP_MS);
        let rows_max = self.pace.rows(&order);
        if rows_max == 0 {
            return Ok(());
        }
        match self.read(order.clone(), rows_max, lookup).await {
            Ok(held) => (self.held, self.failures) = (held, 0),
            Err(Interrupted::Failed(error)) => self.put_off(&order, &error, lookup).await?,
            Err(stopped) => return Err(stopped),
        }
        self.tell(settled, lookup, handing).await
    }

    /// The order waits after a failure, longer each time, and is ended after so many.
    async fn put_off(&mut self, order: &Order, error: &CaptureError, lookup: &mut Lookup) -> Result<(), CaptureError> {
        lookup.forget();
        self.failures += 1;
        let pause = Duration::from_millis(STEP_MS << self.failures.min(16)).min(FAILURE_PAUSE_MAX);
        self.next_at = Instant::now() + pause;
        tracing::warn!(%error, table = order.table, failures = self.failures, "the next rows of a backfill cannot be read at the moment");
        if self.failures < FAILURES_MAX {
            return Ok(());
        }
        self.failures = 0;
        end(lookup.tables().await?, &self.mapping.schema, order, Some(&error.to_string())).await
    }

    /// Reads the next page of an order; nothing when the order was ended because it cannot be done.
    async fn read(&self, order: Order, rows_max: u64, lookup: &mut Lookup) -> Result<Option<Held>, Interrupted> {
        let mapping = &*self.mapping;
        let table = mapping.tables.iter().find(|table| table.table.to_string() == order.table);
        let Some(table) = table.filter(|table| table.events.created.is_some()) else {
            let why = "the mapping says nothing of rows of this table that are created";
            end(lookup.tables().await?, &mapping.schema, &order, Some(why)).await?;
            return Ok(None);
        };
        match page(lookup.tables().await?, mapping, table, &order, rows_max).await {
            Ok(page) => Ok(Some(held(page, table, order, lookup).await?)),
            Err(CaptureError::Unusable(why)) => {
                lookup.forget();
                end(lookup.tables().await?, &mapping.schema, &order, Some(&why)).await?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the held page if it is due, and notes how far its order has come.
    async fn tell(
        &mut self,
        settled: Option<Position>,
        lookup: &mut Lookup,
        handing: &Handing,
    ) -> Result<(), Interrupted> {
        let Some(mut held) = self.held.take_if(|held| held.is_due(settled)) else { return Ok(()) };
        let mut by_organization = ByOrganization::new();
        for told in held.rest() {
            by_organization.entry(told.organization).or_default().push(told.event);
        }
        handing.hand(by_organization).await?;
        let (tables, schema) = (lookup.tables().await?, &self.mapping.schema);
        match &held.last_key {
            Some(last) => progress(tables, schema, &held.order, last, held.count).await?,
            None => end(tables, schema, &held.order, None).await?,
        }
        Ok(())
    }
}

/// A page with what there is to tell of each of its rows.
async fn held(page: Page, table: &TableMapping, order: Order, lookup: &mut Lookup) -> Result<Held, CaptureError> {
    let changes: Vec<_> = page.rows.iter().map(|(key, row)| creation(key, row, table, &order)).collect();
    let found = lookup.find(&changes).await?;
    let tables = lookup.tables().await?;
    let events = tables.events();
    let mut rows = Vec::with_capacity(changes.len());
    let mut unplaced = 0;
    for (((key, _), change), found) in page.rows.into_iter().zip(&changes).zip(&found) {
        unplaced += u64::from(found.after.organization.is_none());
        rows.push((key, events.of_existing(change, found)));
    }
    count_changes(ChangeResult::Unplaced, unplaced);
    count_changes(ChangeResult::Gap, page.unreadable);
    let key = table.key_in(tables.known(&table.table)?);
    let mut held = Held::new(order, &table.table, key, page.seen, rows);
    (held.last_key, held.count) = (page.last_key, page.count);
    Ok(held)
}

fn creation(key: &str, row: &crate::row::Row, table: &TableMapping, order: &Order) -> Change {
    let created_at = table.created_at.as_ref().and_then(|column| row.text(column)).and_then(|text| moment(&text));
    Change {
        id: Uuid::new_v5(&order.id, key.as_bytes()),
        table: table.table.clone(),
        at: created_at.unwrap_or(order.created_at),
        transaction: None,
        before: None,
        after: Some(row.clone()),
    }
}

/// A moment as `to_jsonb` writes it; one without a zone is UTC, and a date its beginning.
fn moment(text: &str) -> Option<Millis> {
    use jiff::civil::{Date, DateTime};
    use jiff::tz::TimeZone;
    let civil = |at: DateTime| at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let at = text.parse::<jiff::Timestamp>().ok();
    let at = at.or_else(|| civil(text.parse::<DateTime>().ok()?));
    let at = at.or_else(|| civil(text.parse::<Date>().ok()?.at(0, 0, 0, 0)));
    at.map(|at| Millis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_over_steps_whose_share_is_no_whole_row() {
        let order = |rate| Order { rate, ..Order::default() };
        let of_a_second = |rate| {
            let mut pace = Pace::default();
            (0..10).map(|_| pace.rows(&order(rate))).sum::<u64>()
        };
        assert_eq!([1, 7, 200, 5_000].map(of_a_second), [1, 7, 200, 5_000]);
    }

    #[test]
    fn moments_are_read_in_every_form_that_the_database_writes() {
        for (text, at) in [
            ("2026-01-01T00:00:00+00:00", Some(1_767_225_600_000)),
            ("2026-01-01T01:00:00.5+01:00", Some(1_767_225_600_500)),
            ("2026-01-01T00:00:00", Some(1_767_225_600_000)),
            ("2026-01-01", Some(1_767_225_600_000)),
            ("infinity", None),
        ] {
            assert_eq!(moment(text), at.map(Millis), "{text}");
        }
    }
}
