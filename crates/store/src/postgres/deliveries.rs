//! Lists of deliveries, open and ended, and one of them with its attempts.

use std::sync::Arc;

use postrider_domain::{DeliveryId, DeliveryStatus, EndpointId, OrganizationId};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::delivery_rows::{About, COLUMNS, DeliveryRow, ENDED_COLUMNS, OPEN_COLUMNS, abouts};
use super::pages::{self, examine, most, ms};
use super::related::related;
use super::rows::{ATTEMPT_COLUMNS, attempt_row};
use super::session::{Mode, Session};
use super::tenants::Tenant;
use super::{PostgresStore, events};
use crate::error::Result;
use crate::limits::{LIST_ROWS_EXAMINED_MAX, PAGE_ROWS_MAX};
use crate::model::{Attempt, Delivery, DeliveryDetail, DeliveryFilter, Event, PageOf, PageRequest};
use crate::rows::key_range;

/// Of open deliveries to an endpoint that was deleted nothing is shown, though their rows go later.
const HAS_ENDPOINT: &str =
    "EXISTS (SELECT 1 FROM endpoints AS e WHERE e.org = $1 AND e.id = u.endpoint AND NOT e.deleted)";

pub(super) async fn list(
    store: &PostgresStore,
    organization: &OrganizationId,
    filter: &DeliveryFilter,
    page: PageRequest,
) -> Result<PageOf<Delivery>> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Read).await? else {
        return Ok(PageOf { rows: Vec::new(), next: None });
    };
    let (lowest, before) = key_range(filter.since, filter.until, page.before);
    let limit = page.limit.min(PAGE_ROWS_MAX);
    let related = related(&tx, &tenant, filter, before, limit).await?;
    let source = match &related {
        Some(related) => Source::Ids(&related.ids),
        None => Source::of(&tx, tenant.org, filter).await?,
    };
    let mut found = find(&tx, tenant.org, filter, &source, (lowest, before), limit).await?;
    found.next = found.next.or(related.and_then(|related| related.more_before));
    let abouts = abouts(&tx, tenant.org, &found.rows).await?;
    let rows = found.rows.into_iter().map(|row| {
        let about = abouts.get(&row.event_key);
        row.with_event(about)
    });
    Ok(PageOf { rows: rows.collect::<Result<_>>()?, next: found.next })
}

/// Which deliveries are looked through.
enum Source<'a> {
    /// The organisation's.
    All,
    /// One endpoint's.
    Endpoint,
    /// One endpoint's ended ones, and all open ones: it has so many of them that they are not rare among the organisation's, and lie by due
    /// time.
    EndpointInHistory,
    /// These.
    Ids(&'a [Uuid]),
}

impl Source<'_> {
    async fn of(tx: &Session, org: Uuid, filter: &DeliveryFilter) -> Result<Self> {
        let Some(endpoint) = filter.endpoint else { return Ok(Source::All) };
        let sql = format!(
            "SELECT count(*) FROM (
                 SELECT 1 FROM open_deliveries WHERE org = $1 AND endpoint = $2 LIMIT {LIST_ROWS_EXAMINED_MAX}) AS open"
        );
        let rows = tx.query(&sql, &[&org, &endpoint.0]).await?;
        let count: i64 = rows.first().map_or(0, |row| row.get(0));
        let are_few = usize::try_from(count).is_ok_and(|count| count < LIST_ROWS_EXAMINED_MAX);
        Ok(if are_few { Source::Endpoint } else { Source::EndpointInHistory })
    }

    fn open(&self) -> String {
        let ordered = format!("AND id < $2 AND id > $3 ORDER BY id DESC LIMIT {LIST_ROWS_EXAMINED_MAX}");
        match self {
            Source::All | Source::EndpointInHistory => {
                format!("SELECT {OPEN_COLUMNS} FROM open_deliveries WHERE org = $1 {ordered}")
            }
            // The offset keeps the two apart: the rows are found by their endpoint, then sorted.
            Source::Endpoint => format!(
                "SELECT {OPEN_COLUMNS} FROM (SELECT * FROM open_deliveries WHERE org = $1 AND endpoint = $4 OFFSET 0) AS open
                 WHERE true {ordered}"
            ),
            Source::Ids(_) => {
                format!("SELECT {OPEN_COLUMNS} FROM open_deliveries WHERE org = $1 AND id = ANY($12) {ordered}")
            }
        }
    }

    fn ended(&self) -> String {
        let those = match self {
            Source::All => "",
            Source::Endpoint | Source::EndpointInHistory => "AND endpoint = $4",
            Source::Ids(_) => "AND id = ANY($12)",
        };
        format!(
            "SELECT {ENDED_COLUMNS} FROM deliveries WHERE org = $1 {those} AND id < $2 AND id > $3
             ORDER BY id DESC LIMIT {LIST_ROWS_EXAMINED_MAX}"
        )
    }

    /// Open and ended ones together, newest first, as far as the wanted status needs them.
    fn rows(&self, status: Option<DeliveryStatus>) -> String {
        match status {
            Some(DeliveryStatus::Pending) => self.open(),
            Some(DeliveryStatus::Succeeded | DeliveryStatus::Failed) => self.ended(),
            None => format!("({}) UNION ALL ({})", self.open(), self.ended()),
        }
    }
}

async fn find(
    tx: &Session,
    org: Uuid,
    filter: &DeliveryFilter,
    source: &Source<'_>,
    (lowest, before): (Uuid, Uuid),
    limit: usize,
) -> Result<PageOf<DeliveryRow>> {
    let passes = format!(
        "($4::uuid IS NULL OR endpoint = $4) AND ($5::text IS NULL OR event_type = $5)
         AND ($6::text IS NULL OR $6 = CASE WHEN ended_at IS NULL THEN 'pending' WHEN fail_reason = 0 THEN 'succeeded' ELSE 'failed' END)
         AND ($7::boolean IS NULL OR test = $7)
         AND ($11::smallint IS NULL OR last_status_code = $11)
         AND ($8::bigint IS NULL OR created_at >= $8) AND ($9::bigint IS NULL OR created_at < $9)
         AND (ended_at IS NOT NULL OR {HAS_ENDPOINT})"
    );
    let sql = examine("id", &passes, COLUMNS, &source.rows(filter.status), "$10");
    let (endpoint, status) = (filter.endpoint.map(|id| id.0), filter.status.map(DeliveryStatus::as_str));
    let (since, until, most) = (ms(filter.since), ms(filter.until), most(limit));
    let status_code = filter.status_code.map(u16::cast_signed);
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![
        &org,
        &before,
        &lowest,
        &endpoint,
        &filter.event_type,
        &status,
        &filter.test,
        &since,
        &until,
        &most,
        &status_code,
    ];
    if let Source::Ids(ids) = source {
        values.push(ids);
    }
    let found = tx.query(&sql, &values).await?;
    pages::page_of(&found, limit, |row| DeliveryRow::read(row, pages::COLUMNS))
}

pub(super) async fn get(
    store: &PostgresStore,
    organization: &OrganizationId,
    id: DeliveryId,
) -> Result<Option<DeliveryDetail>> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Read).await? else { return Ok(None) };
    let sql = format!(
        "SELECT {HAS_ENDPOINT}, {COLUMNS} FROM (
             SELECT {OPEN_COLUMNS} FROM open_deliveries WHERE org = $1 AND id = $2
             UNION ALL SELECT {ENDED_COLUMNS} FROM deliveries WHERE org = $1 AND id = $2) AS u"
    );
    let rows = tx.query(&sql, &[&tenant.org, &id.0]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (has_endpoint, delivery): (bool, _) = (row.get(0), DeliveryRow::read(row, 1)?);
    if delivery.is_open() && !has_endpoint {
        return Ok(None);
    }
    let event = events::by_key(&tx, tenant.org, delivery.event_key).await?;
    let about = event.as_ref().map(About::of);
    Ok(Some(DeliveryDetail {
        delivery: delivery.with_event(about.as_ref())?,
        event: event.map(|row| row.open(tenant.sealer()).map(Arc::new)).transpose()?,
        attempts: attempts(&tx, &tenant, id, has_endpoint).await?,
    }))
}

pub(super) async fn last_attempts(
    store: &PostgresStore,
    organization: &OrganizationId,
    deliveries: &[(DeliveryId, EndpointId)],
) -> Result<Vec<(DeliveryId, Attempt)>> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Read).await? else { return Ok(Vec::new()) };
    let (ids, endpoints): (Vec<_>, Vec<_>) = deliveries.iter().map(|(id, endpoint)| (id.0, endpoint.0)).unzip();
    let sql = format!(
        "SELECT {ATTEMPT_COLUMNS}, u.delivery, {HAS_ENDPOINT}
         FROM unnest($2::uuid[], $3::uuid[]) AS u (delivery, endpoint), LATERAL (
             SELECT {ATTEMPT_COLUMNS} FROM attempts AS one WHERE one.org = $1 AND one.delivery = u.delivery
             ORDER BY one.id DESC LIMIT 1) AS last"
    );
    let rows = tx.query(&sql, &[&tenant.org, &ids, &endpoints]).await?;
    let opened = rows.iter().map(|row| {
        let (delivery, has_endpoint): (Uuid, bool) = (row.get("delivery"), row.get("exists"));
        let attempt = attempt_row(row);
        let shown = if has_endpoint { attempt } else { attempt.erased() };
        Ok((DeliveryId(delivery), shown.open(tenant.sealer())?))
    });
    opened.collect()
}

pub(super) async fn event_of(
    store: &PostgresStore,
    organization: &OrganizationId,
    id: DeliveryId,
) -> Result<Option<Arc<Event>>> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Read).await? else { return Ok(None) };
    let sql = format!(
        "SELECT event_key FROM open_deliveries AS u WHERE org = $1 AND id = $2 AND {HAS_ENDPOINT}
         UNION ALL SELECT event_key FROM deliveries WHERE org = $1 AND id = $2"
    );
    let rows = tx.query(&sql, &[&tenant.org, &id.0]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let event = events::by_key(&tx, tenant.org, row.get(0)).await?;
    event.map(|row| row.open(tenant.sealer()).map(Arc::new)).transpose()
}

/// The newest attempts, oldest first; those of a deleted endpoint have no text any more.
async fn attempts(tx: &Session, tenant: &Tenant, id: DeliveryId, has_endpoint: bool) -> Result<Vec<Attempt>> {
    let sql = format!(
        "SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE org = $1 AND delivery = $2 ORDER BY id DESC LIMIT {}",
        DeliveryDetail::ATTEMPTS_MAX
    );
    let rows = tx.query(&sql, &[&tenant.org, &id.0]).await?;
    let shown = rows.iter().rev().map(attempt_row).map(|row| if has_endpoint { row } else { row.erased() });
    shown.map(|row| row.open(tenant.sealer())).collect()
}
