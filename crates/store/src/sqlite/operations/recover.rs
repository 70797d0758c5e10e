//! Recovering: which events of a span did not reach an endpoint, and their deliveries made open again.

use std::sync::Arc;

use postrider_domain::{DeliveryId, EndpointId, Millis, OrganizationId};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::cursor;
use crate::error::Result;
use crate::limits::EVENTS_PAGE_BYTES_MAX;
use crate::operations::{FormerDelivery, RecoverStep, Recoverable, RecoverablePage, Recovery, Stepped, Waiting};
use crate::rows::{EventRow, count_column, is_within, key_range};
use crate::sqlite::SqliteStore;
use crate::sqlite::claim::endpoint_no;
use crate::sqlite::reader::{Reader, uuid_at};
use crate::sqlite::related::split;
use crate::sqlite::rows::{EVENT_COLUMNS, event_row};
use crate::sqlite::writer::{Fault, WriteTx};

/// About what one delivery writes.
const DELIVERY_BYTES: usize = 320;

pub(super) async fn page(
    store: &SqliteStore,
    organization: &OrganizationId,
    recovery: &Recovery,
    after: Option<Uuid>,
    limit: usize,
) -> Result<RecoverablePage> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else {
        return Ok(RecoverablePage::default());
    };
    let (org_no, recovery) = (tenant.no, *recovery);
    let (rows, next) = store.readers.read(move |reader| read_page(reader, org_no, recovery, after, limit)).await?;
    let opened =
        rows.into_iter().map(|(row, former)| Ok(Recoverable { event: Arc::new(row.open(tenant.sealer())?), former }));
    Ok(RecoverablePage { events: opened.collect::<Result<_>>()?, next })
}

/// Rows still sealed, and where the next page goes on.
type Rows = (Vec<(EventRow, FormerDelivery)>, Option<Uuid>);

fn read_page(
    reader: &mut Reader,
    org_no: i64,
    recovery: Recovery,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Rows, Fault> {
    let Some(endpoint_no) = endpoint_no(&reader.conn, org_no, recovery.endpoint)? else {
        return Ok((Vec::new(), None));
    };
    let (lowest, before) = key_range(Some(recovery.since), Some(recovery.until), None);
    let above = after.map_or(lowest, |after| after.max(lowest));
    let sql = format!(
        "SELECT {EVENT_COLUMNS}, test, deliveries FROM events WHERE org_no = ? AND key > ? AND key < ? ORDER BY key"
    );
    let (mut found, mut bytes, mut looked_at, mut last) = (Vec::new(), 0, 0, None);
    {
        let mut statement = reader.conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params![org_no, above.as_bytes(), before.as_bytes()])?;
        while looked_at < limit
            && bytes < EVENTS_PAGE_BYTES_MAX
            && let Some(row) = rows.next()?
        {
            looked_at += 1;
            last = Some(uuid_at(row, 0)?);
            let (type_no, event) = event_row(row)?;
            if row.get::<_, bool>(8)? || !is_within(event.accepted_at, Some(recovery.since), Some(recovery.until)) {
                continue;
            }
            bytes += event.sealed.len();
            let former = former(&reader.conn, org_no, endpoint_no, &row.get::<_, Vec<u8>>(9)?)?;
            found.push((type_no, event, former));
        }
    }
    let is_over = looked_at < limit && bytes < EVENTS_PAGE_BYTES_MAX;
    let mut page = Vec::with_capacity(found.len());
    for (type_no, event, former) in found {
        page.push((EventRow { event_type: reader.word(type_no)?, ..event }, former));
    }
    Ok((page, if is_over { None } else { last }))
}

/// What the deliveries in an event's row say of one endpoint.
fn former(conn: &Connection, org_no: i64, endpoint_no: i64, deliveries: &[u8]) -> Result<FormerDelivery, Fault> {
    let open = "SELECT 1 FROM open_deliveries WHERE org_no = ? AND id = ? AND endpoint_no = ?";
    let ended = "SELECT fail_reason FROM deliveries WHERE org_no = ? AND id = ? AND endpoint_no = ?";
    for id in split(deliveries) {
        let key = params![org_no, id.as_bytes(), endpoint_no];
        if conn.prepare_cached(open)?.exists(key)? {
            return Ok(FormerDelivery::Other);
        }
        let reason: Option<i16> = conn.prepare_cached(ended)?.query_row(key, |row| row.get(0)).optional()?;
        match reason {
            Some(0) => return Ok(FormerDelivery::Other),
            Some(_) => return Ok(FormerDelivery::Failed(DeliveryId(id))),
            None => {}
        }
    }
    Ok(FormerDelivery::None)
}

pub(super) async fn step(
    store: &SqliteStore,
    organization: &OrganizationId,
    endpoint: EndpointId,
    step: &RecoverStep,
) -> Result<Stepped> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(Stepped::Stale) };
    let (org_no, step) = (tenant.no, step.clone());
    let bytes = (step.reopen.len() + step.deliver.len()) * DELIVERY_BYTES;
    store.writer.write(bytes, move |tx| apply(tx, org_no, endpoint, &step)).await
}

fn apply(tx: &mut WriteTx<'_>, org_no: i64, endpoint: EndpointId, step: &RecoverStep) -> Result<Stepped, Fault> {
    if cursor(tx, org_no, step.operation)? != Some(step.after) {
        return Ok(Stepped::Stale);
    }
    let Some(endpoint_no) = tx.numbers.endpoint(tx.conn, org_no, endpoint)? else { return Ok(Stepped::Stale) };
    // What can refuse is found before the first write.
    for (_, new) in &step.deliver {
        tx.numbers.revision(tx.conn, new.revision)?;
    }
    let mut made = Vec::with_capacity(step.reopen.len() + step.deliver.len());
    for (key, id) in &step.reopen {
        if reopen(tx, org_no, endpoint_no, (*key, *id), step.now)? {
            made.push(*id);
        }
    }
    for (event, new) in &step.deliver {
        let Some((event_no, mut deliveries)) = event_place(tx.conn, org_no, event.key)? else { continue };
        let sql = "INSERT INTO open_deliveries (endpoint_no, due_at, id, org_no, event_no, type_no, revision_no, test, created_at)
                   VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)";
        let type_no = tx.numbers.word(tx.conn, &new.event_type)?;
        let revision_no = tx.numbers.revision(tx.conn, new.revision)?;
        let id = new.id.0.as_bytes();
        let accepted_at = event.accepted_at.0;
        let values = params![endpoint_no, step.now.0, id, org_no, event_no, type_no, revision_no, accepted_at];
        tx.conn.prepare_cached(sql)?.execute(values)?;
        deliveries.extend_from_slice(id);
        let note = "UPDATE events SET deliveries = ? WHERE no = ?";
        tx.conn.prepare_cached(note)?.execute(params![deliveries, event_no])?;
        made.push(new.id);
    }
    tx.open_added += i64::try_from(made.len()).unwrap_or(i64::MAX);
    let note = "UPDATE operations SET cursor = ?, done = done + ? WHERE org_no = ? AND id = ?";
    let done = count_column(made.len() as u64);
    let values = params![step.upto.as_bytes(), done, org_no, step.operation.0.as_bytes()];
    tx.conn.prepare_cached(note)?.execute(values)?;
    Ok(Stepped::Done { made, is_elsewhere: false })
}

fn event_place(conn: &Connection, org_no: i64, key: Uuid) -> Result<Option<(i64, Vec<u8>)>, Fault> {
    let sql = "SELECT no, deliveries FROM events WHERE org_no = ? AND key = ?";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(conn.prepare_cached(sql)?.query_row(params![org_no, key.as_bytes()], read).optional()?)
}

/// From history back into open work, as if it had never been tried but for what the log shows. False when it has not failed any more.
fn reopen(
    tx: &WriteTx<'_>,
    org_no: i64,
    endpoint_no: i64,
    (key, id): (Uuid, DeliveryId),
    now: Millis,
) -> Result<bool, Fault> {
    let Some((event_no, _)) = event_place(tx.conn, org_no, key)? else { return Ok(false) };
    let sql = "INSERT INTO open_deliveries (endpoint_no, due_at, id, org_no, event_no, type_no, revision_no, test, created_at,
               attempts_count, slots_used, last_status_code, last_attempt_no)
               SELECT endpoint_no, ?, id, org_no, ?, type_no, revision_no, test, created_at, attempts_count, 0,
               last_status_code, last_attempt_no FROM deliveries
               WHERE org_no = ? AND id = ? AND endpoint_no = ? AND fail_reason <> 0";
    let id = id.0.as_bytes();
    if tx.conn.prepare_cached(sql)?.execute(params![now.0, event_no, org_no, id, endpoint_no])? == 0 {
        return Ok(false);
    }
    let sql = "DELETE FROM deliveries WHERE org_no = ? AND id = ?";
    tx.conn.prepare_cached(sql)?.execute(params![org_no, id])?;
    Ok(true)
}

pub(super) async fn waiting(
    store: &SqliteStore,
    organization: &OrganizationId,
    endpoint: EndpointId,
    of: &[DeliveryId],
    now: Millis,
) -> Result<Waiting> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(Waiting::default()) };
    let (org_no, of) = (tenant.no, of.to_vec());
    let read = move |reader: &mut Reader| {
        let Some(endpoint_no) = endpoint_no(&reader.conn, org_no, endpoint)? else { return Ok(Waiting::default()) };
        let sql = "SELECT 1 FROM open_deliveries WHERE org_no = ? AND id = ? AND due_at <= ?";
        let mut is_untried = reader.conn.prepare_cached(sql)?;
        let mut untried = Vec::new();
        for id in of {
            if is_untried.exists(params![org_no, id.0.as_bytes(), now.0])? {
                untried.push(id);
            }
        }
        let sql = "SELECT count(*) FROM (SELECT 1 FROM open_deliveries WHERE endpoint_no = ? LIMIT ?)";
        let most = i64::try_from(Waiting::OPEN_COUNTED_MAX).unwrap_or(i64::MAX);
        let open: i64 = reader.conn.prepare_cached(sql)?.query_row([endpoint_no, most], |row| row.get(0))?;
        Ok(Waiting { untried, open: usize::try_from(open).unwrap_or(0) })
    };
    store.readers.read(read).await
}
