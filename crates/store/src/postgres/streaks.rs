//! What a group of outcomes does to streaks, in the transaction that records them: nothing is asked, and nothing is written, for a group of attempts
//! that succeeded as usual.

use std::collections::HashMap;

use postrider_domain::{Streak, StreakChange};
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::attached::Lane;
use super::failing::streak_at;
use super::record::SealedOutcome;
use super::session::Session;

/// Outcomes that change streaks, column by column, in the order in which they came.
#[derive(Default)]
pub(super) struct Columns {
    org: Vec<Uuid>,
    endpoint: Vec<Uuid>,
    delivery: Vec<Uuid>,
    attempt: Vec<Uuid>,
    is_failure: Vec<bool>,
    ended_at: Vec<i64>,
}

/// Only what this transaction recorded counts: its attempt is there by now. Of each endpoint, what came after the last success.
const CHANGE: &str = "WITH counted AS MATERIALIZED (
        SELECT g.* FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::boolean[], $6::bigint[])
            WITH ORDINALITY AS g(org, endpoint, delivery, attempt, is_failure, ended_at, place)
        CROSS JOIN LATERAL (
            SELECT FROM attempts a WHERE a.org = g.org AND a.delivery = g.delivery AND a.id = g.attempt
                AND a.xmin = pg_current_xact_id()::xid LIMIT 1) AS recorded
    ), ends AS (
        SELECT org, endpoint, coalesce(max(place) FILTER (WHERE NOT is_failure), 0) AS last FROM counted GROUP BY org, endpoint
    ), folded AS MATERIALIZED (
        SELECT e.org, e.endpoint, e.last > 0 AS is_ended, (count(*) FILTER (WHERE c.place > e.last))::integer AS failures,
            min(c.ended_at) FILTER (WHERE c.place > e.last) AS since
        FROM ends e JOIN counted c ON c.org = e.org AND c.endpoint = e.endpoint GROUP BY e.org, e.endpoint, e.last
    )
    INSERT INTO streaks AS s (org, endpoint, failures, since)
    SELECT f.org, f.endpoint, f.failures, f.since FROM folded f
    WHERE f.failures > 0
        OR EXISTS (SELECT FROM streaks x WHERE x.org = f.org AND x.endpoint = f.endpoint AND x.failures > 0)
    ORDER BY f.org, f.endpoint
    ON CONFLICT (org, endpoint) DO UPDATE SET (failures, since) = (
        SELECT CASE WHEN f.is_ended THEN f.failures ELSE s.failures + f.failures END,
            CASE WHEN f.is_ended THEN f.since ELSE coalesce(s.since, f.since) END
        FROM folded f WHERE f.org = s.org AND f.endpoint = s.endpoint)
    RETURNING s.org, s.endpoint, s.failures, s.since, s.warned_at";

impl Columns {
    pub(super) fn of(all: &[&SealedOutcome], which: &[usize]) -> Self {
        let mut columns = Columns::default();
        for outcome in which.iter().map(|at| all[*at]).filter(|outcome| outcome.streak != StreakChange::None) {
            columns.org.push(outcome.org);
            columns.endpoint.push(outcome.delivery.endpoint.0);
            columns.delivery.push(outcome.delivery.id.0);
            columns.attempt.push(outcome.attempt_id);
            columns.is_failure.push(outcome.streak == StreakChange::Grows);
            columns.ended_at.push(outcome.ended_at);
        }
        columns
    }

    pub(super) async fn prepare(&self, session: &Session) -> Result<Option<Statement>, tokio_postgres::Error> {
        if self.org.is_empty() {
            return Ok(None);
        }
        session.prepare_cached(CHANGE).await.map(Some)
    }

    /// Changes them; returns those that are there now. All others have none.
    pub(super) async fn change(
        &self,
        client: &Client,
        statement: Option<&Statement>,
    ) -> Result<HashMap<Lane, Streak>, tokio_postgres::Error> {
        let Some(statement) = statement else { return Ok(HashMap::new()) };
        let rows = client
            .query(
                statement,
                &[&self.org, &self.endpoint, &self.delivery, &self.attempt, &self.is_failure, &self.ended_at],
            )
            .await?;
        let read = |row: &tokio_postgres::Row| (Lane { org: row.get(0), endpoint: row.get(1) }, streak_at(row, 2));
        Ok(rows.iter().map(read).collect())
    }
}
