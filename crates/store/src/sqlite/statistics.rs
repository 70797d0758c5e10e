//! What is counted of endpoints, hour by hour.

use std::collections::HashMap;

use async_trait::async_trait;
use postrider_domain::{Buckets, EndpointId, Hour, OrganizationId};
use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::SqliteStore;
use super::claim::endpoint_no;
use super::reader::Reader;
use super::rows::opt_millis_at;
use super::writer::{Fault, WriteTx};
use crate::error::Result;
use crate::statistics::{EndpointHour, NUMBERS, Statistics, added, number_columns, numbers, tally};

/// About what one row writes.
const HOUR_BYTES: usize = 256;

#[async_trait]
impl Statistics for SqliteStore {
    async fn add_hours(&self, hours: &[EndpointHour]) -> Result<()> {
        let bytes = hours.len() * HOUR_BYTES;
        let hours = hours.to_vec();
        self.writer.write(bytes, move |tx| add_all(tx, &hours)).await
    }

    async fn hours(
        &self,
        organization: &OrganizationId,
        endpoints: &[EndpointId],
        buckets: Buckets,
    ) -> Result<Vec<EndpointHour>> {
        let Some(tenant) = self.tenants.find(&self.readers, organization).await? else { return Ok(Vec::new()) };
        let (org_no, organization, endpoints) = (tenant.no, organization.clone(), endpoints.to_vec());
        let read = move |reader: &mut Reader| {
            let mut found = Vec::new();
            for endpoint in endpoints {
                let Some(endpoint_no) = endpoint_no(&reader.conn, org_no, endpoint)? else { continue };
                let mut statement = reader.conn.prepare_cached(&of_buckets())?;
                let key = params![org_no, endpoint_no, buckets.from.0, buckets.until.0, buckets.hours];
                for row in statement.query_map(key, |row| Ok((Hour(row.get(0)?), tally_at(row, 1)?)))? {
                    let (hour, tally) = row?;
                    found.push(EndpointHour { organization: organization.clone(), endpoint, hour, tally });
                }
            }
            Ok(found)
        };
        self.readers.read(read).await
    }
}

/// The time of the last attempt and the numbers, from `column` on.
pub(super) fn tally_at(row: &Row<'_>, column: usize) -> rusqlite::Result<postrider_domain::Tally> {
    let mut values = [0; NUMBERS];
    for (place, value) in values.iter_mut().enumerate() {
        *value = row.get(column + 1 + place)?;
    }
    Ok(tally(values, opt_millis_at(row, column)?))
}

/// What [`tally_at`] reads.
pub(super) fn tally_columns() -> String {
    let numbers: Vec<_> = number_columns().collect();
    format!("last_attempt_at, {}", numbers.join(", "))
}

fn of_buckets() -> String {
    let sums: Vec<_> = number_columns().map(|column| format!("sum({column})")).collect();
    // The remainder of a negative number is negative here.
    format!(
        "SELECT hour - ((hour % ?5) + ?5) % ?5 AS bucket, max(last_attempt_at), {} FROM endpoint_hours
         WHERE org_no = ?1 AND endpoint_no = ?2 AND hour >= ?3 AND hour < ?4 GROUP BY bucket",
        sums.join(", ")
    )
}

fn add_all(tx: &mut WriteTx<'_>, hours: &[EndpointHour]) -> Result<(), Fault> {
    let mut known: HashMap<&OrganizationId, Option<i64>> = HashMap::new();
    for row in hours {
        let org_no = match known.get(&row.organization) {
            Some(org_no) => *org_no,
            None => *known.entry(&row.organization).or_insert(organization_no(tx, &row.organization)?),
        };
        let Some(org_no) = org_no else { continue };
        if let Some(endpoint_no) = tx.numbers.endpoint(tx.conn, org_no, row.endpoint)? {
            add(tx, org_no, endpoint_no, row)?;
        }
    }
    Ok(())
}

fn organization_no(tx: &WriteTx<'_>, id: &OrganizationId) -> Result<Option<i64>, Fault> {
    let sql = "SELECT no FROM organizations WHERE id = ? AND deleted = 0";
    Ok(tx.conn.prepare_cached(sql)?.query_row([id.as_str()], |row| row.get(0)).optional()?)
}

/// Adds to the row that is there, or makes it.
pub(super) fn add(tx: &WriteTx<'_>, org_no: i64, endpoint_no: i64, row: &EndpointHour) -> Result<(), Fault> {
    let sql = format!(
        "INSERT INTO endpoint_hours AS h (org_no, endpoint_no, hour, {}) VALUES (?, ?, ?, ?{})
         ON CONFLICT (org_no, endpoint_no, hour) DO UPDATE SET
         last_attempt_at = max(coalesce(h.last_attempt_at, excluded.last_attempt_at), coalesce(excluded.last_attempt_at, h.last_attempt_at)), {}",
        tally_columns(),
        ", ?".repeat(NUMBERS),
        added()
    );
    let (hour, last_attempt_at) = (row.hour.0, row.tally.last_attempt_at.map(|at| at.0));
    let numbers = numbers(&row.tally);
    let mut values: Vec<&dyn ToSql> = vec![&org_no, &endpoint_no, &hour, &last_attempt_at];
    values.extend(numbers.iter().map(|number| number as &dyn ToSql));
    tx.conn.prepare_cached(&sql)?.execute(values.as_slice())?;
    Ok(())
}
