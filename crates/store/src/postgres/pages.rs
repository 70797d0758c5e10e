//! Pages of which the database examines a bounded number of rows.
//!
//! Such a statement numbers the rows from the newest on, tells of each whether it *passes* the filter, and gives those that pass, and the last
//! that it examined whether it passes or not.

use postrider_domain::Millis;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Result;
use crate::limits::LIST_ROWS_EXAMINED_MAX;
use crate::model::PageOf;

/// Columns that come first: the row's number, whether it passes, and its id.
pub(super) const COLUMNS: usize = 3;

/// Wraps rows in `from`, newest first by `id`, of which those are wanted that pass `filter`. `limit` is a parameter: one more than the page holds.
pub(super) fn examine(id: &str, filter: &str, columns: &str, from: &str, limit: &str) -> String {
    format!(
        "SELECT n, passes, {id}, {columns} FROM (
             SELECT row_number() OVER (ORDER BY {id} DESC) AS n, ({filter}) AS passes, u.* FROM ({from}) AS u
         ) AS examined
         WHERE n <= {LIST_ROWS_EXAMINED_MAX} AND (passes OR n = {LIST_ROWS_EXAMINED_MAX}) ORDER BY {id} DESC LIMIT {limit}"
    )
}

/// Makes a page of what such a statement found.
pub(super) fn page_of<T>(found: &[Row], limit: usize, read: impl Fn(&Row) -> Result<T>) -> Result<PageOf<T>> {
    let mut rows = Vec::with_capacity(limit.min(found.len()));
    let mut last = None;
    for row in found {
        let (number, passes, id): (i64, bool, Uuid) = (row.get(0), row.get(1), row.get(2));
        let is_full = rows.len() == limit;
        if passes && !is_full {
            rows.push(read(row)?);
            last = Some(id);
        }
        let is_last_examined = usize::try_from(number) == Ok(LIST_ROWS_EXAMINED_MAX);
        if is_full || is_last_examined {
            return Ok(PageOf { rows, next: if is_full { last } else { Some(id) } });
        }
    }
    Ok(PageOf { rows, next: None })
}

/// As many rows as a page of `limit` asks for: one more tells whether there is another page.
pub(super) fn most(limit: usize) -> i64 {
    i64::try_from(limit + 1).unwrap_or(i64::MAX)
}

/// A time for a parameter.
pub(super) fn ms(at: Option<Millis>) -> Option<i64> {
    at.map(|at| at.0)
}
