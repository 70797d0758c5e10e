//! Everything of an extent, from one snapshot, in the order in which it can be applied.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_domain::{DeliveryId, EndpointId, OrganizationId};
use tokio::sync::mpsc;
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::{ASIDE, ASIDE_WITH_ALL, export_config};
use crate::error::{Result, StoreError};
use crate::model::{Attempt, DeliveryDetail, RevisionId};
use crate::postgres::PostgresStore;
use crate::postgres::connect::Role;
use crate::postgres::error;
use crate::postgres::partitions::{self, Day};
use crate::postgres::rows::{
    ATTEMPT_COLUMNS, EVENT_COLUMNS, attempt_row, event_row, millis_at, progress_at, status_code_at,
};
use crate::postgres::session::Values;
use crate::postgres::tenants::{Tenant, missing};
use crate::rows::{event_id, fail_reason, trigger};
use crate::transfer::{
    CHUNK_BYTES, CHUNK_ROWS_MAX, Extent, Portable, PortableDelivery, PortableEvent, PortableState, portable_turn,
};

/// Rows read at once.
const PAGE_ROWS: i64 = 200;
/// Whoever takes the export may be slow; one moment is seen all the while.
const BEGIN: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
                     BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub(super) async fn export(store: &PostgresStore, extent: Extent, into: mpsc::Sender<Vec<Portable>>) -> Result<()> {
    let connected = store.writers.shared.address.connect(&Role::Engine.options()).await?;
    let begun = connected.client.batch_execute(BEGIN).await;
    begun.map_err(|error| error::of_statement(&error))?;
    let (client, statements) = (&connected.client, Mutex::default());
    Exporter { client, store, into, chunk: Vec::new(), chunk_bytes: 0, statements }.run(&extent).await
}

/// An organisation that is exported.
pub(super) struct Known {
    pub(super) id: OrganizationId,
    pub(super) tenant: Tenant,
}

impl Known {
    pub(super) fn org(&self) -> Uuid {
        self.tenant.org
    }
}

/// An export under way.
pub(super) struct Exporter<'a> {
    client: &'a Client,
    pub(super) store: &'a PostgresStore,
    into: mpsc::Sender<Vec<Portable>>,
    chunk: Vec<Portable>,
    chunk_bytes: usize,
    statements: Mutex<HashMap<String, Statement>>,
}

impl Exporter<'_> {
    async fn run(mut self, extent: &Extent) -> Result<()> {
        let orgs = self.organizations(extent).await?;
        export_config::all(&mut self, extent, &orgs).await?;
        for known in &orgs {
            self.open_events(known).await?;
            self.open_deliveries(known).await?;
        }
        self.push(Portable::Ready).await?;
        // By day, and not one organisation after the other: that is about the order of age.
        for day in self.days().await? {
            for known in &orgs {
                self.history_events(known, day).await?;
                self.ended_deliveries(known, day).await?;
            }
        }
        for known in &orgs {
            export_config::operations(&mut self, known).await?;
            export_config::hours(&mut self, known).await?;
        }
        self.flush().await
    }

    pub(super) async fn query(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>> {
        let prepared = self.statements.lock().get(sql).cloned();
        let run = async {
            let statement = match prepared {
                Some(statement) => statement,
                None => self.client.prepare(sql).await?,
            };
            self.statements.lock().insert(sql.to_owned(), statement.clone());
            self.client.query(&statement, values).await
        };
        run.await.map_err(|error| error::of_statement(&error))
    }

    /// In the order in which they were made.
    async fn organizations(&self, extent: &Extent) -> Result<Vec<Known>> {
        let columns = "SELECT o.id, o.org, k.wrapped FROM organizations o JOIN data_keys k ON k.org = o.org";
        let rows = match extent {
            Extent::Everything => {
                let sql = format!(
                    "{columns} WHERE NOT o.deleted OR EXISTS (
                         SELECT FROM meta m WHERE m.name = $1 || o.id AND m.value = uuid_send(o.org)) ORDER BY o.no"
                );
                self.query(&sql, &[&ASIDE_WITH_ALL]).await?
            }
            Extent::Organization(id) => {
                let sql = format!(
                    "{columns} WHERE o.id = $1 AND (NOT o.deleted OR EXISTS (
                         SELECT FROM meta m WHERE m.name IN ($2 || o.id, $3 || o.id) AND m.value = uuid_send(o.org)))
                     ORDER BY o.deleted LIMIT 1"
                );
                let found = self.query(&sql, &[&id.as_str(), &ASIDE, &ASIDE_WITH_ALL]).await?;
                if found.is_empty() {
                    return Err(missing(id));
                }
                found
            }
        };
        let keys = &self.store.tenants.keys;
        let known =
            |row: &Row| Ok(Known { id: super::id(row.get(0))?, tenant: Tenant::open(keys, row.get(1), row.get(2))? });
        rows.iter().map(known).collect()
    }

    pub(super) async fn push(&mut self, row: Portable) -> Result<()> {
        self.chunk_bytes += row.bytes();
        self.chunk.push(row);
        if self.chunk.len() >= CHUNK_ROWS_MAX || self.chunk_bytes >= CHUNK_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        self.chunk_bytes = 0;
        let gone = |_| StoreError::Unavailable { reason: "nobody takes the export any more".to_owned() };
        self.into.send(std::mem::take(&mut self.chunk)).await.map_err(gone)
    }

    async fn days(&self) -> Result<Vec<Day>> {
        let rows = self.query(partitions::DAYS, &[]).await?;
        Ok(rows.iter().map(|row| Day(row.get(0))).collect())
    }

    async fn open_events(&mut self, known: &Known) -> Result<()> {
        // Which events have open deliveries is sorted by Postgres, and may be more than memory should hold.
        let declare = format!(
            "DECLARE open_events NO SCROLL CURSOR FOR
             SELECT DISTINCT event_key FROM open_deliveries WHERE org = '{}' ORDER BY event_key",
            known.org()
        );
        let refused = |error: tokio_postgres::Error| error::of_statement(&error);
        self.client.batch_execute(&declare).await.map_err(refused)?;
        loop {
            let fetched = self.query(&format!("FETCH {PAGE_ROWS} FROM open_events"), &[]).await?;
            if fetched.is_empty() {
                break;
            }
            let keys: Vec<Uuid> = fetched.iter().map(|row| row.get(0)).collect();
            let sql = format!(
                "SELECT {EVENT_COLUMNS}, test, deliveries FROM events WHERE org = $1 AND key = ANY($2) ORDER BY key"
            );
            let rows = self.query(&sql, &[&known.org(), &keys]).await?;
            self.events(known, &rows, true).await?;
        }
        self.client.batch_execute("CLOSE open_events").await.map_err(refused)
    }

    async fn history_events(&mut self, known: &Known, day: Day) -> Result<()> {
        let sql = format!(
            "SELECT {EVENT_COLUMNS}, test, deliveries FROM events e WHERE org = $1 AND key > $2 AND key < $3
             AND NOT EXISTS (SELECT FROM open_deliveries d WHERE d.org = e.org AND d.id = ANY(e.deliveries))
             ORDER BY key LIMIT $4"
        );
        let (mut after, end) = (before(day), day.next().first_key());
        loop {
            let rows = self.query(&sql, &[&known.org(), &after, &end, &PAGE_ROWS]).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.get(0);
            self.events(known, &rows, false).await?;
        }
    }

    async fn events(&mut self, known: &Known, rows: &[Row], is_open: bool) -> Result<()> {
        for row in rows {
            let event = event_row(row, 0);
            let deliveries_count = event.deliveries_count;
            let deliveries: Vec<Uuid> = row.get(9);
            let row = Portable::Event(PortableEvent {
                organization: known.id.clone(),
                event: Arc::new(event.open(known.tenant.sealer())?),
                test: row.get(8),
                deliveries_count,
                deliveries: deliveries.into_iter().map(DeliveryId).collect(),
                is_open,
            });
            self.push(row).await?;
        }
        Ok(())
    }

    async fn open_deliveries(&mut self, known: &Known) -> Result<()> {
        let sql = format!(
            "SELECT {COMMON_COLUMNS}, true, due_at, resume, resume_at, turn,
                 CASE WHEN turn IS NOT NULL THEN (SELECT e.resource FROM events e WHERE e.org = d.org AND e.key = d.event_key) END
             FROM open_deliveries d
             WHERE org = $1 AND (endpoint, due_at, id) > ($2, $3, $4)
             AND EXISTS (SELECT FROM endpoints e WHERE e.org = d.org AND e.id = d.endpoint AND NOT e.deleted)
             ORDER BY endpoint, due_at, id LIMIT $5"
        );
        let mut after = (Uuid::nil(), i64::MIN, Uuid::nil());
        loop {
            let rows = self.query(&sql, &[&known.org(), &after.0, &after.1, &after.2, &PAGE_ROWS]).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = (last.get(1), last.get(DUE_AT), last.get(0));
            let state = |row: &Row| {
                let trigger = trigger(row.get(DUE_AT + 1), row.get(DUE_AT + 2))?;
                let turn = portable_turn(row.get(DUE_AT + 3), row.get(DUE_AT + 4))?;
                Ok(PortableState::Open { due_at: millis_at(row, DUE_AT), trigger, turn })
            };
            self.deliveries(known, &rows, state).await?;
        }
    }

    async fn ended_deliveries(&mut self, known: &Known, day: Day) -> Result<()> {
        let sql = format!(
            "SELECT {COMMON_COLUMNS},
                 EXISTS (SELECT FROM endpoints e WHERE e.org = d.org AND e.id = d.endpoint AND NOT e.deleted),
                 ended_at, fail_reason, event_id
             FROM deliveries d WHERE org = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $4"
        );
        let (mut after, end) = (before(day), day.next().first_key());
        loop {
            let rows = self.query(&sql, &[&known.org(), &after, &end, &PAGE_ROWS]).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.get(0);
            let state = |row: &Row| {
                let event = event_id(row.get(ENDED_AT + 2), row.get(2))?;
                let reason = fail_reason(row.get(ENDED_AT + 1))?;
                Ok(PortableState::Ended { ended_at: millis_at(row, ENDED_AT), reason, event })
            };
            self.deliveries(known, &rows, state).await?;
        }
    }

    async fn deliveries(
        &mut self,
        known: &Known,
        rows: &[Row],
        state: impl Fn(&Row) -> Result<PortableState>,
    ) -> Result<()> {
        let mut attempts = self.attempts(known, rows).await?.into_iter().peekable();
        for row in rows {
            let id: Uuid = row.get(0);
            let mut of_this = Vec::new();
            while let Some((_, attempt)) = attempts.next_if(|(delivery, _)| *delivery == id) {
                of_this.push(attempt);
            }
            let revision: &[u8] = row.get(4);
            let delivery = PortableDelivery {
                organization: known.id.clone(),
                id: DeliveryId(id),
                endpoint: EndpointId(row.get(1)),
                event_key: row.get(2),
                event_type: row.get::<_, &str>(3).into(),
                revision: RevisionId(revision.try_into().map_err(|_| crate::rows::damaged("a revision"))?),
                test: row.get(5),
                created_at: millis_at(row, 6),
                progress: progress_at(row, 7),
                last_status_code: status_code_at(row, 10),
                state: state(row)?,
                attempts: of_this,
            };
            self.push(Portable::Delivery(delivery)).await?;
        }
        Ok(())
    }

    /// In the order of the deliveries, each one's oldest first; a deleted endpoint's without their text.
    async fn attempts(&self, known: &Known, rows: &[Row]) -> Result<Vec<(Uuid, Attempt)>> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        let has_endpoint: Vec<bool> = rows.iter().map(|row| row.get(HAS_ENDPOINT)).collect();
        let sql = format!(
            "SELECT a.*, w.delivery, w.has_endpoint FROM unnest($2::uuid[], $3::boolean[]) WITH ORDINALITY AS w(delivery, has_endpoint, place)
             CROSS JOIN LATERAL (SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE org = $1 AND delivery = w.delivery
                                 ORDER BY id DESC LIMIT {}) a
             ORDER BY w.place, a.id",
            DeliveryDetail::ATTEMPTS_MAX
        );
        let found = self.query(&sql, &[&known.org(), &ids, &has_endpoint]).await?;
        let opened = found.iter().map(|row| {
            let attempt = if row.get(8) { attempt_row(row) } else { attempt_row(row).erased() };
            Ok((row.get(7), attempt.open(known.tenant.sealer())?))
        });
        opened.collect()
    }
}

/// The key before a day's first one.
fn before(day: Day) -> Uuid {
    Uuid::from_u128(day.first_key().as_u128().saturating_sub(1))
}

/// What open and ended deliveries both have; whether their endpoint is there follows, and then what differs.
const COMMON_COLUMNS: &str =
    "id, endpoint, event_key, event_type, revision, test, created_at, attempts_count, slots_used,
    initial_failure_at, last_status_code";
const HAS_ENDPOINT: usize = 11;
const DUE_AT: usize = 12;
const ENDED_AT: usize = 12;
