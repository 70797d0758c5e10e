//! Operational events that were not published yet.

use async_trait::async_trait;
use postrider_domain::{Millis, OperationalEvent, OrganizationId};
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::PostgresStore;
use super::record::SealedOutcome;
use super::rows::{count_at, millis_at};
use super::session::{Mode, Session};
use crate::error::Result;
use crate::operational::{ClaimedOperationalEvent, OperationalEvents, OperationalRow};

pub(super) async fn insert(tx: &Session, org: Uuid, event: &OperationalEvent) -> Result<()> {
    let sql = "INSERT INTO operational_events (org, id, endpoint, kind, counted, reason, delivery, first_at, last_at, due_at, tries)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)";
    tx.execute(
        sql,
        &[
            &org,
            &event.id.0,
            &event.endpoint.0,
            &event.kind.as_str(),
            &i64::from(event.count),
            &event.reason,
            &event.delivery.map(|id| id.0),
            &event.first_at.0,
            &event.last_at.0,
            &event.due_at().0,
        ],
    )
    .await
    .map(|_| ())
}

/// Deliveries that outcomes exhausted, column by column, in the order in which they came. Nothing is asked, and nothing is written, for a group without any.
#[derive(Default)]
pub(super) struct Columns {
    org: Vec<Uuid>,
    endpoint: Vec<Uuid>,
    delivery: Vec<Uuid>,
    attempt: Vec<Uuid>,
    ended_at: Vec<i64>,
    due_at: Vec<i64>,
}

/// Only what this transaction recorded counts: its attempt is there by now. It is added to what is gathered already, unless that was claimed.
const GATHER: &str = "WITH counted AS MATERIALIZED (
        SELECT g.* FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[])
            WITH ORDINALITY AS g(org, endpoint, delivery, attempt, ended_at, due_at, place)
        CROSS JOIN LATERAL (
            SELECT FROM attempts a WHERE a.org = g.org AND a.delivery = g.delivery AND a.id = g.attempt
                AND a.xmin = pg_current_xact_id()::xid LIMIT 1) AS recorded
    )
    INSERT INTO operational_events AS n (org, id, endpoint, kind, counted, delivery, first_at, last_at, due_at, tries)
    SELECT org, (array_agg(attempt ORDER BY place))[1], endpoint, 'delivery.exhausted', count(*),
        (array_agg(delivery ORDER BY place DESC))[1], min(ended_at), max(ended_at), min(due_at), 0
    FROM counted GROUP BY org, endpoint ORDER BY org, endpoint
    ON CONFLICT (org, endpoint) WHERE kind = 'delivery.exhausted' AND tries = 0 DO UPDATE SET
        counted = n.counted + excluded.counted, delivery = excluded.delivery, last_at = greatest(n.last_at, excluded.last_at)";

impl Columns {
    pub(super) fn of(all: &[&SealedOutcome], which: &[usize]) -> Self {
        let mut columns = Columns::default();
        for outcome in which.iter().map(|at| all[*at]) {
            let Some(event) = &outcome.operational else { continue };
            columns.org.push(outcome.org);
            columns.endpoint.push(event.endpoint.0);
            columns.delivery.push(outcome.delivery.id.0);
            columns.attempt.push(outcome.attempt_id);
            columns.ended_at.push(event.first_at.0);
            columns.due_at.push(event.due_at().0);
        }
        columns
    }

    pub(super) async fn prepare(&self, session: &Session) -> Result<Option<Statement>, tokio_postgres::Error> {
        if self.org.is_empty() {
            return Ok(None);
        }
        session.prepare_cached(GATHER).await.map(Some)
    }

    pub(super) async fn gather(
        &self,
        client: &Client,
        statement: Option<&Statement>,
    ) -> Result<(), tokio_postgres::Error> {
        let Some(statement) = statement else { return Ok(()) };
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&self.org, &self.endpoint, &self.delivery, &self.attempt, &self.ended_at, &self.due_at];
        client.execute(statement, &values).await.map(|_| ())
    }
}

#[async_trait]
impl OperationalEvents for PostgresStore {
    fn operational_for(&self, organization: Option<OrganizationId>) {
        self.operational_for.set(organization);
    }

    /// Nobody waits for another who claims in the same moment.
    async fn claim_operational_events(
        &self,
        now: Millis,
        until: Millis,
        limit: usize,
    ) -> Result<Vec<ClaimedOperationalEvent>> {
        let sql = format!(
            "WITH due AS MATERIALIZED (
                 SELECT n.org, n.id FROM operational_events n JOIN organizations o ON o.org = n.org AND NOT o.deleted
                 WHERE n.due_at <= $1 ORDER BY n.due_at LIMIT $3 FOR UPDATE OF n SKIP LOCKED)
             UPDATE operational_events n SET due_at = $2, tries = n.tries + 1 FROM due d JOIN organizations o ON o.org = d.org
             WHERE n.org = d.org AND n.id = d.id
             RETURNING {COLUMNS}"
        );
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.engine().await?.query(&sql, &[&now.0, &until.0, &most]).await?;
        rows.iter().map(|found| row(found).claimed(until)).collect()
    }

    async fn settle_operational_event(
        &self,
        claimed: &ClaimedOperationalEvent,
        again_at: Option<Millis>,
    ) -> Result<()> {
        let id = &claimed.event.id.0;
        // Where its organisation is gone, it is gone too.
        let Some((tenant, tx)) = self.begin_of(&claimed.event.organization, Mode::Write).await? else { return Ok(()) };
        match again_at {
            None => {
                let sql = "DELETE FROM operational_events WHERE org = $1 AND id = $2 AND due_at = $3";
                tx.execute(sql, &[&tenant.org, id, &claimed.until.0]).await?;
            }
            Some(again_at) => {
                let sql = "UPDATE operational_events SET due_at = $4 WHERE org = $1 AND id = $2 AND due_at = $3";
                tx.execute(sql, &[&tenant.org, id, &claimed.until.0, &again_at.0]).await?;
            }
        }
        tx.commit().await
    }
}

/// With the organisation's id among them.
pub(super) const COLUMNS: &str =
    "n.id, o.id, n.endpoint, n.kind, n.counted, n.reason, n.delivery, n.first_at, n.last_at, n.tries";

/// Reads [`COLUMNS`].
pub(super) fn row(row: &Row) -> OperationalRow {
    OperationalRow {
        id: row.get(0),
        organization: row.get(1),
        endpoint: row.get(2),
        kind: row.get(3),
        count: u32::try_from(row.get::<_, i64>(4)).unwrap_or(u32::MAX),
        reason: row.get(5),
        delivery: row.get(6),
        first_at: millis_at(row, 7),
        last_at: millis_at(row, 8),
        tries: count_at(row, 9),
    }
}
