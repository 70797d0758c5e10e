//! Operational events that were not published yet.

use async_trait::async_trait;
use postrider_domain::{Millis, OperationalEvent, OrganizationId};
use rusqlite::{Row, params};

use super::SqliteStore;
use super::failing;
use super::reader::{Reader, uuid_at};
use super::rows::millis_at;
use super::writer::{Fault, WriteTx};
use crate::error::Result;
use crate::operational::{ClaimedOperationalEvent, OperationalEvents, OperationalRow};

/// About what one writes.
const EVENT_BYTES: usize = 512;

/// What befalls deliveries is added to what is gathered already, unless that was claimed.
const INSERT: &str =
    "INSERT INTO operational_events (id, org_no, endpoint, kind, counted, reason, delivery, first_at, last_at,
        due_at, tries) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (org_no, endpoint) WHERE kind = 'delivery.exhausted' AND tries = 0 DO UPDATE SET
        counted = counted + excluded.counted, delivery = excluded.delivery, last_at = max(last_at, excluded.last_at)";

pub(super) fn insert(tx: &WriteTx<'_>, org_no: i64, event: &OperationalEvent) -> Result<(), Fault> {
    insert_due(tx, org_no, event, event.due_at(), 0)
}

/// One that may have been claimed before.
pub(super) fn insert_due(
    tx: &WriteTx<'_>,
    org_no: i64,
    event: &OperationalEvent,
    due_at: Millis,
    tries: u32,
) -> Result<(), Fault> {
    tx.conn.prepare_cached(INSERT)?.execute(params![
        event.id.0.as_bytes(),
        org_no,
        event.endpoint.0.as_bytes(),
        event.kind.as_str(),
        event.count,
        event.reason,
        event.delivery.as_ref().map(|id| id.0.as_bytes()),
        event.first_at.0,
        event.last_at.0,
        due_at.0,
        tries,
    ])?;
    Ok(())
}

#[async_trait]
impl OperationalEvents for SqliteStore {
    fn operational_for(&self, organization: Option<OrganizationId>) {
        self.operational_for.set(organization);
    }

    /// Most of the time there is none, which a reader finds without a write.
    async fn claim_operational_events(
        &self,
        now: Millis,
        until: Millis,
        limit: usize,
    ) -> Result<Vec<ClaimedOperationalEvent>> {
        let any = move |reader: &mut Reader| {
            let sql = "SELECT 1 FROM operational_events WHERE due_at <= ? LIMIT 1";
            Ok(reader.conn.prepare_cached(sql)?.exists([now.0])?)
        };
        if !self.readers.read(any).await? {
            return Ok(Vec::new());
        }
        let write = move |tx: &mut WriteTx<'_>| claim(tx, now, until, limit);
        let claimed = self.writer.write(EVENT_BYTES * limit, write).await?;
        claimed.into_iter().map(|row| row.claimed(until)).collect()
    }

    async fn settle_operational_event(
        &self,
        claimed: &ClaimedOperationalEvent,
        again_at: Option<Millis>,
    ) -> Result<()> {
        let (id, until) = (claimed.event.id, claimed.until);
        let write =
            move |tx: &mut WriteTx<'_>| Ok(failing::settle(tx.conn, "operational_events", id.0, until, again_at)?);
        self.writer.write(EVENT_BYTES, write).await
    }
}

fn claim(tx: &WriteTx<'_>, now: Millis, until: Millis, limit: usize) -> Result<Vec<OperationalRow>, Fault> {
    let find = format!(
        "SELECT {COLUMNS} FROM operational_events n JOIN organizations o ON o.no = n.org_no AND o.deleted = 0
         WHERE n.due_at <= ? ORDER BY n.due_at LIMIT ?"
    );
    let mut statement = tx.conn.prepare_cached(&find)?;
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = statement.query_map(params![now.0, most], row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let claim = "UPDATE operational_events SET due_at = ?, tries = tries + 1 WHERE id = ?";
    for row in &mut found {
        row.tries += 1;
        tx.conn.prepare_cached(claim)?.execute(params![until.0, row.id.as_bytes()])?;
    }
    Ok(found)
}

/// With the organisation's id among them.
pub(super) const COLUMNS: &str =
    "n.id, o.id, n.endpoint, n.kind, n.counted, n.reason, n.delivery, n.first_at, n.last_at, n.tries";

/// Reads [`COLUMNS`].
pub(super) fn row(row: &Row<'_>) -> rusqlite::Result<OperationalRow> {
    let has_delivery = row.get_ref(6)? != rusqlite::types::ValueRef::Null;
    Ok(OperationalRow {
        id: uuid_at(row, 0)?,
        organization: row.get(1)?,
        endpoint: uuid_at(row, 2)?,
        kind: row.get(3)?,
        count: u32::try_from(row.get::<_, i64>(4)?).unwrap_or(u32::MAX),
        reason: row.get(5)?,
        delivery: if has_delivery { Some(uuid_at(row, 6)?) } else { None },
        first_at: millis_at(row, 7)?,
        last_at: millis_at(row, 8)?,
        tries: row.get(9)?,
    })
}
