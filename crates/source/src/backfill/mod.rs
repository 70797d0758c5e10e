//! Backfill: rows that were there before anybody looked, told as creations, a few at a time between live changes.
//!
//! An *order* is a row of the table `backfills`: which table, since when, how fast, and which key it has come to. Rows are read in the order of their key, as
//! they are now. A row that has changes in the outbox is told as it was before the first of them, in the same snapshot: what follows of it
//! then follows in order. The ids of its events follow from order and key, so that what a crash repeats is stored once.

mod order;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::Millis;
use tokio::time::Instant;
use uuid::Uuid;

use crate::capture::CaptureError;
use crate::change::Change;
use crate::handing::{ByOrganization, Handing, Stopped};
use crate::lookup::Lookup;
use crate::mapping::{Mapping, TableMapping};
use crate::metrics::{ChangeResult, count_changes};
pub use order::{Backfills, NewOrder, OrderError, OrderState};
use order::{Order, end, open_order, progress};
use rows::{Page, page};

/// How often it is looked for new orders.
const ORDERS_EVERY: Duration = Duration::from_secs(1);
/// How long a step takes at least, in milliseconds: the rate's rows come in so many steps a second.
const STEP_MS: u64 = 100;
/// Rows that one step reads at most, whatever the rate.
const STEP_ROWS_MAX: u64 = 500;
/// Bytes of rows as JSON from which on a step reads no more.
const STEP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The orders of one mapping, done step by step.
pub(crate) struct Backfill {
    mapping: Arc<Mapping>,
    next_at: Instant,
    pace: Pace,
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
        Backfill { mapping, next_at: Instant::now(), pace: Pace::default() }
    }

    /// How long until the next step.
    pub(crate) fn wait(&self) -> Duration {
        self.next_at.saturating_duration_since(Instant::now())
    }

    /// Does the next step of the oldest order, if it is time for it. A step that fails is made again.
    pub(crate) async fn step(&mut self, lookup: &mut Lookup, handing: &Handing) -> Result<(), Interrupted> {
        if !self.wait().is_zero() {
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
        let mapping = Arc::clone(&self.mapping);
        let table = mapping.tables.iter().find(|table| table.table.to_string() == order.table);
        let Some(table) = table.filter(|table| table.events.created.is_some()) else {
            let why = "the mapping says nothing of rows of this table that are created";
            return Ok(end(lookup.tables().await?, &mapping.schema, &order, Some(why)).await?);
        };
        let page = match page(lookup.tables().await?, &mapping, table, &order, rows_max).await {
            Ok(page) => page,
            Err(CaptureError::Unusable(why)) => {
                lookup.forget();
                return Ok(end(lookup.tables().await?, &mapping.schema, &order, Some(&why)).await?);
            }
            Err(error) => return Err(error.into()),
        };
        hand_over(&page, table, &order, lookup, handing).await?;
        match &page.last_key {
            Some(last) => progress(lookup.tables().await?, &mapping.schema, &order, last, page.count).await?,
            None => end(lookup.tables().await?, &mapping.schema, &order, None).await?,
        }
        Ok(())
    }
}

async fn hand_over(
    page: &Page,
    table: &TableMapping,
    order: &Order,
    lookup: &mut Lookup,
    handing: &Handing,
) -> Result<(), Interrupted> {
    let changes: Vec<_> = page.rows.iter().map(|(key, row)| creation(key, row, table, order)).collect();
    let found = lookup.find(&changes).await?;
    let events = lookup.tables().await?.events();
    let mut by_organization = ByOrganization::new();
    let mut unplaced = 0;
    for (change, found) in changes.iter().zip(&found) {
        unplaced += u64::from(found.after.organization.is_none());
        for told in events.of_existing(change, found) {
            by_organization.entry(told.organization).or_default().push(told.event);
        }
    }
    handing.hand(by_organization).await?;
    count_changes(ChangeResult::Unplaced, unplaced);
    count_changes(ChangeResult::Gap, page.unreadable);
    Ok(())
}

fn creation(key: &str, row: &crate::row::Row, table: &TableMapping, order: &Order) -> Change {
    let created_at = table.created_at.as_ref().and_then(|column| row.text(column)).and_then(|text| moment(&text));
    Change {
        id: Uuid::new_v5(&order.id, key.as_bytes()),
        table: table.table.clone(),
        at: created_at.unwrap_or(order.created_at),
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
