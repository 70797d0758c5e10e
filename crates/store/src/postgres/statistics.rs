//! What is counted of endpoints, hour by hour.

use std::collections::BTreeMap;

use async_trait::async_trait;
use postrider_domain::{Buckets, EndpointId, Hour, Millis, OrganizationId, Tally};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::PostgresStore;
use super::rows::opt_millis_at;
use super::session::Session;
use crate::error::Result;
use crate::statistics::{EndpointHour, NUMBERS, Statistics, added, number_columns, numbers, tally};

#[async_trait]
impl Statistics for PostgresStore {
    async fn add_hours(&self, hours: &[EndpointHour]) -> Result<()> {
        let mut columns = Columns::default();
        for row in summed(hours) {
            columns.organization.push(row.organization.as_str().to_owned());
            columns.add(&row);
        }
        // Of all organisations, at once: whose each is, and whether it is still there, is found in the same statement.
        let sql = columns.statement(
            "text",
            "JOIN organizations o ON o.id = w.owner AND NOT o.deleted
             JOIN endpoints e ON e.org = o.org AND e.id = w.endpoint AND NOT e.deleted",
            "o.org",
        );
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![&columns.organization];
        columns.values(&mut values);
        self.engine().await?.execute(&sql, &values).await.map(|_| ())
    }

    async fn hours(
        &self,
        organization: &OrganizationId,
        endpoints: &[EndpointId],
        buckets: Buckets,
    ) -> Result<Vec<EndpointHour>> {
        let ids: Vec<Uuid> = endpoints.iter().map(|id| id.0).collect();
        let sums: Vec<_> = number_columns().map(|column| format!("sum(h.{column})::bigint")).collect();
        // The remainder of a negative number is negative here.
        let sql = format!(
            "SELECT h.endpoint, h.hour - ((h.hour % $5::integer) + $5) % $5 AS bucket, max(h.last_attempt_at), {}
             FROM endpoint_hours h JOIN endpoints e ON e.org = h.org AND e.id = h.endpoint AND NOT e.deleted
             WHERE h.org = $1 AND h.endpoint = ANY($2) AND h.hour >= $3 AND h.hour < $4 GROUP BY h.endpoint, bucket",
            sums.join(", ")
        );
        let found =
            self.read_of(organization, &sql, &[&ids, &buckets.from.0, &buckets.until.0, &buckets.hours]).await?;
        let rows = found.map(|(_, rows)| rows).unwrap_or_default();
        let row = |row: &Row| EndpointHour {
            organization: organization.clone(),
            endpoint: EndpointId(row.get(0)),
            hour: Hour(row.get(1)),
            tally: tally_at(row, 2),
        };
        Ok(rows.iter().map(row).collect())
    }
}

/// The time of the last attempt and the numbers, from `column` on.
pub(super) fn tally_at(row: &Row, column: usize) -> Tally {
    let values: [i64; NUMBERS] = std::array::from_fn(|place| row.get(column + 1 + place));
    tally(values, opt_millis_at(row, column))
}

/// What [`tally_at`] reads.
pub(super) fn tally_columns() -> String {
    let numbers: Vec<_> = number_columns().collect();
    format!("last_attempt_at, {}", numbers.join(", "))
}

/// One row for each endpoint and hour, as a statement can add them; always in the same order, so that nodes do not wait for each other in a circle.
fn summed(hours: &[EndpointHour]) -> Vec<EndpointHour> {
    let mut sums: BTreeMap<(&OrganizationId, EndpointId, Hour), Tally> = BTreeMap::new();
    for row in hours {
        sums.entry((&row.organization, row.endpoint, row.hour)).or_default().add(&row.tally);
    }
    let row = |((organization, endpoint, hour), tally): ((&OrganizationId, EndpointId, Hour), Tally)| EndpointHour {
        organization: organization.clone(),
        endpoint,
        hour,
        tally,
    };
    sums.into_iter().map(row).collect()
}

/// Rows to be added, column by column.
#[derive(Default)]
pub(super) struct Columns {
    organization: Vec<String>,
    org: Vec<Uuid>,
    endpoint: Vec<Uuid>,
    hour: Vec<i32>,
    last_attempt_at: Vec<Option<i64>>,
    numbers: [Vec<i64>; NUMBERS],
}

impl Columns {
    /// One of an organisation whose UUID is known; no endpoint and hour may come twice.
    pub(super) fn add_of(&mut self, org: Uuid, row: &EndpointHour) {
        self.org.push(org);
        self.add(row);
    }

    fn add(&mut self, row: &EndpointHour) {
        self.endpoint.push(row.endpoint.0);
        self.hour.push(row.hour.0);
        self.last_attempt_at.push(row.tally.last_attempt_at.map(|Millis(at)| at));
        for (column, number) in self.numbers.iter_mut().zip(numbers(&row.tally)) {
            column.push(number);
        }
    }

    /// Adds them to what is there.
    pub(super) async fn write(&self, tx: &Session) -> Result<()> {
        if self.org.is_empty() {
            return Ok(());
        }
        let sql = self.statement("uuid", "JOIN endpoints e ON e.org = w.owner AND e.id = w.endpoint", "w.owner");
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![&self.org];
        self.values(&mut values);
        tx.execute(&sql, &values).await.map(|_| ())
    }

    fn values<'a>(&'a self, values: &mut Vec<&'a (dyn ToSql + Sync)>) {
        values.extend([&self.endpoint as &(dyn ToSql + Sync), &self.hour, &self.last_attempt_at]);
        values.extend(self.numbers.iter().map(|numbers| numbers as &(dyn ToSql + Sync)));
    }

    /// `owner`: the type of what names the organisation; `join`: where it is looked up; `org`: what its UUID is there.
    fn statement(&self, owner: &str, join: &str, org: &str) -> String {
        let names: Vec<_> = number_columns().collect();
        let lists: Vec<_> = (0..NUMBERS).map(|number| format!("${}::bigint[]", number + 5)).collect();
        let (names, lists) = (names.join(", "), lists.join(", "));
        format!(
            "INSERT INTO endpoint_hours AS h (org, endpoint, hour, last_attempt_at, {names})
             SELECT {org}, e.id, w.hour, w.last_attempt_at, {}
             FROM unnest($1::{owner}[], $2::uuid[], $3::integer[], $4::bigint[], {lists})
                 AS w(owner, endpoint, hour, last_attempt_at, {names}) {join} ORDER BY {org}, e.id, w.hour
             ON CONFLICT (org, endpoint, hour) DO UPDATE
             SET last_attempt_at = greatest(h.last_attempt_at, excluded.last_attempt_at), {}",
            number_columns().map(|column| format!("w.{column}")).collect::<Vec<_>>().join(", "),
            added()
        )
    }
}
