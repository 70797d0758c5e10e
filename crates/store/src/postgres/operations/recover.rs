//! Recovering: which events of a span did not reach an endpoint, and their deliveries made open again.

use std::collections::HashMap;
use std::sync::Arc;

use postrider_domain::{DeliveryId, EndpointId, Millis, OrganizationId};
use uuid::Uuid;

use super::cursor;
use crate::error::Result;
use crate::limits::EVENTS_PAGE_BYTES_MAX;
use crate::model::{Event, LaneId, LeaseNo, NewDelivery};
use crate::operations::{FormerDelivery, RecoverStep, Recoverable, RecoverablePage, Recovery, Stepped, Waiting};
use crate::postgres::PostgresStore;
use crate::postgres::attached::Lane;
use crate::postgres::lanes;
use crate::postgres::rows::{EVENT_COLUMNS, event_row, millis_at, span};
use crate::postgres::session::{Mode, Session};
use crate::rows::{count_column, is_within, key_range};

pub(super) async fn page(
    store: &PostgresStore,
    organization: &OrganizationId,
    recovery: &Recovery,
    after: Option<Uuid>,
    limit: usize,
) -> Result<RecoverablePage> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Read).await? else {
        return Ok(RecoverablePage::default());
    };
    let (lowest, before) = key_range(Some(recovery.since), Some(recovery.until), None);
    let above = after.map_or(lowest, |after| after.max(lowest));
    // How much is read is known before it is read: a page of large events is shorter.
    let sql = format!(
        "SELECT {EVENT_COLUMNS}, test, deliveries FROM events WHERE org = $1 AND key > $2 AND key < $3 AND key <= (
             SELECT w.key FROM (
                 SELECT e.key, coalesce(sum(octet_length(e.sealed)) OVER (
                     ORDER BY e.key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
                 FROM (SELECT key, sealed FROM events WHERE org = $1 AND key > $2 AND key < $3 ORDER BY key LIMIT $4) e
             ) w WHERE w.bytes_before < $5 ORDER BY w.key DESC LIMIT 1)
         ORDER BY key"
    );
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let bytes_max = i64::try_from(EVENTS_PAGE_BYTES_MAX).unwrap_or(i64::MAX);
    let rows = tx.query(&sql, &[&tenant.org, &above, &before, &most, &bytes_max]).await?;
    let next = rows.last().map(|row| row.get(0));
    let wanted: Vec<_> = rows
        .iter()
        .filter(|row| {
            !row.get::<_, bool>(8) && is_within(millis_at(row, 4), Some(recovery.since), Some(recovery.until))
        })
        .collect();
    let deliveries: Vec<Vec<Uuid>> = wanted.iter().map(|row| row.get(9)).collect();
    let formers = formers(&tx, tenant.org, recovery.endpoint, &deliveries.concat()).await?;
    let mut events = Vec::with_capacity(wanted.len());
    for (row, deliveries) in wanted.into_iter().zip(deliveries) {
        let former = deliveries.iter().find_map(|id| formers.get(id)).copied().unwrap_or(FormerDelivery::None);
        events.push(Recoverable { event: Arc::new(event_row(row, 0).open(tenant.sealer())?), former });
    }
    Ok(RecoverablePage { events, next })
}

/// Those of the deliveries that are the endpoint's.
async fn formers(
    tx: &Session,
    org: Uuid,
    endpoint: EndpointId,
    ids: &Vec<Uuid>,
) -> Result<HashMap<Uuid, FormerDelivery>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let (least, greatest) = span(ids);
    let sql = "SELECT d.id, NULL::smallint FROM unnest($3::uuid[]) AS w(id)
               JOIN open_deliveries d ON d.org = $1 AND d.id = w.id AND d.endpoint = $2
               UNION ALL
               SELECT d.id, d.fail_reason FROM unnest($3::uuid[]) AS w(id)
               JOIN deliveries d ON d.org = $1 AND d.id = w.id AND d.id BETWEEN $4 AND $5 AND d.endpoint = $2";
    let rows = tx.query(sql, &[&org, &endpoint.0, ids, &least, &greatest]).await?;
    let former = |row: &tokio_postgres::Row| {
        let id: Uuid = row.get(0);
        let has_failed = row.get::<_, Option<i16>>(1).is_some_and(|reason| reason != 0);
        (id, if has_failed { FormerDelivery::Failed(DeliveryId(id)) } else { FormerDelivery::Other })
    };
    Ok(rows.iter().map(former).collect())
}

pub(super) async fn step(
    store: &PostgresStore,
    lease: LeaseNo,
    organization: &OrganizationId,
    endpoint: EndpointId,
    step: &RecoverStep,
) -> Result<Stepped> {
    let Some(tenant) = store.tenants.find(store, organization).await? else { return Ok(Stepped::Stale) };
    let shared = &store.writers.shared;
    let held = shared.attached.hold().await;
    let tx = lanes::begin(store, lease).await?;
    let is_there = "SELECT 1 FROM endpoints e JOIN organizations o ON o.org = e.org AND NOT o.deleted
                    WHERE e.org = $1 AND e.id = $2 AND NOT e.deleted FOR KEY SHARE OF e";
    if cursor(&tx, tenant.org, step.operation, lease).await? != Some(step.after)
        || tx.query(is_there, &[&tenant.org, &endpoint.0]).await?.is_empty()
    {
        return Ok(Stepped::Stale);
    }
    let mut made = reopen(&tx, tenant.org, endpoint, &step.reopen, step.now).await?;
    made.extend(deliver(&tx, tenant.org, endpoint, &step.deliver, step.now).await?);
    let note = "UPDATE operations SET cursor = $3, done = done + $4 WHERE org = $1 AND id = $2";
    tx.execute(note, &[&tenant.org, &step.operation.0, &step.upto, &count_column(made.len() as u64)]).await?;
    let lane = Lane { org: tenant.org, endpoint: endpoint.0 };
    let holder = if made.is_empty() { None } else { Some(lanes::take_one(&tx, lease, lane).await?) };
    tx.commit().await?;
    match holder {
        Some(holder) if holder == lease => shared.attached.add(lease, [lane]),
        Some(holder) => shared.telling.work(holder, LaneId { organization: organization.clone(), endpoint }),
        None => {}
    }
    drop(held);
    Ok(Stepped::Done { made, is_elsewhere: holder.is_some_and(|holder| holder != lease) })
}

/// From history back into open work, as if they had never been tried but for what the log shows. Their events stay until that is committed.
async fn reopen(
    tx: &Session,
    org: Uuid,
    endpoint: EndpointId,
    which: &[(Uuid, DeliveryId)],
    now: Millis,
) -> Result<Vec<DeliveryId>> {
    if which.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<Uuid> = which.iter().map(|(key, _)| *key).collect();
    let ids: Vec<Uuid> = which.iter().map(|(_, id)| id.0).collect();
    let (least, greatest) = span(&keys);
    let keep =
        "SELECT key FROM events WHERE org = $1 AND key = ANY($2) AND key BETWEEN $3 AND $4 ORDER BY key FOR KEY SHARE";
    let kept: Vec<Uuid> =
        tx.query(keep, &[&org, &keys, &least, &greatest]).await?.iter().map(|row| row.get(0)).collect();
    let sql = "WITH ended AS (
            DELETE FROM deliveries d USING unnest($3::uuid[]) AS w(id)
            WHERE d.org = $1 AND d.id = w.id AND d.endpoint = $2 AND d.fail_reason <> 0 AND d.event_key = ANY($4) RETURNING d.*
        )
        INSERT INTO open_deliveries (org, endpoint, due_at, id, event_key, event_type, revision, test, created_at, attempts_count,
            last_status_code)
        SELECT org, endpoint, $5, id, event_key, event_type, revision, test, created_at, attempts_count, last_status_code FROM ended
        RETURNING id";
    let rows = tx.query(sql, &[&org, &endpoint.0, &ids, &kept, &now.0]).await?;
    Ok(rows.iter().map(|row| DeliveryId(row.get(0))).collect())
}

async fn deliver(
    tx: &Session,
    org: Uuid,
    endpoint: EndpointId,
    which: &[(Arc<Event>, NewDelivery)],
    now: Millis,
) -> Result<Vec<DeliveryId>> {
    if which.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<Uuid> = which.iter().map(|(event, _)| event.key).collect();
    let ids: Vec<Uuid> = which.iter().map(|(_, new)| new.id.0).collect();
    let types: Vec<&str> = which.iter().map(|(_, new)| &*new.event_type).collect();
    let revisions: Vec<&[u8]> = which.iter().map(|(_, new)| new.revision.0.as_slice()).collect();
    let accepted: Vec<i64> = which.iter().map(|(event, _)| event.accepted_at.0).collect();
    let (least, greatest) = span(&keys);
    let lock =
        "SELECT 1 FROM events WHERE org = $1 AND key = ANY($2) AND key BETWEEN $3 AND $4 ORDER BY key FOR UPDATE";
    tx.query(lock, &[&org, &keys, &least, &greatest]).await?;
    // An event that is gone gets none; each that gets one names it, as those do that it made at once.
    let sql = "WITH noted AS (
            UPDATE events e SET deliveries = e.deliveries || w.id
            FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::bytea[], $7::bigint[])
                AS w(key, id, event_type, revision, accepted_at)
            WHERE e.org = $1 AND e.key = w.key AND e.key BETWEEN $8 AND $9
            RETURNING w.*
        )
        INSERT INTO open_deliveries (org, endpoint, due_at, id, event_key, event_type, revision, test, created_at)
        SELECT $1, $2, $10, id, key, event_type, revision, false, accepted_at FROM noted RETURNING id";
    let values: crate::postgres::session::Values<'_> =
        &[&org, &endpoint.0, &keys, &ids, &types, &revisions, &accepted, &least, &greatest, &now.0];
    let rows = tx.query(sql, values).await?;
    Ok(rows.iter().map(|row| DeliveryId(row.get(0))).collect())
}

pub(super) async fn waiting(
    store: &PostgresStore,
    organization: &OrganizationId,
    endpoint: EndpointId,
    of: &[DeliveryId],
    now: Millis,
) -> Result<Waiting> {
    let ids: Vec<Uuid> = of.iter().map(|id| id.0).collect();
    let most = i64::try_from(Waiting::OPEN_COUNTED_MAX).unwrap_or(i64::MAX);
    let sql = "SELECT ARRAY(SELECT d.id FROM unnest($3::uuid[]) AS w(id)
                            JOIN open_deliveries d ON d.org = $1 AND d.id = w.id AND d.due_at <= $4),
                      (SELECT count(*) FROM (SELECT 1 FROM open_deliveries WHERE org = $1 AND endpoint = $2 LIMIT $5) AS open)";
    let Some((_, rows)) = store.read_of(organization, sql, &[&endpoint.0, &ids, &now.0, &most]).await? else {
        return Ok(Waiting::default());
    };
    let Some(row) = rows.first() else { return Ok(Waiting::default()) };
    let untried = row.get::<_, Vec<Uuid>>(0).into_iter().map(DeliveryId).collect();
    Ok(Waiting { untried, open: usize::try_from(row.get::<_, i64>(1)).unwrap_or(0) })
}
