//! One endpoint's deliveries from the oldest to the newest, for a receiver that reads what it missed.

use postrider_domain::{EndpointId, OrganizationId};
use uuid::Uuid;

use super::PostgresStore;
use super::delivery_rows::{COLUMNS, DeliveryRow, ENDED_COLUMNS, OPEN_COLUMNS, abouts};
use super::pages::most;
use super::session::{Mode, Session};
use crate::error::Result;
use crate::limits::{LIST_ROWS_EXAMINED_MAX, PAGE_ROWS_MAX};
use crate::model::{Delivery, PageOf};
use crate::rows::page_onwards;

pub(super) async fn list(
    store: &PostgresStore,
    organization: &OrganizationId,
    endpoint: EndpointId,
    after: Uuid,
    limit: usize,
) -> Result<PageOf<Delivery>> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Read).await? else {
        return Ok(PageOf { rows: Vec::new(), next: None });
    };
    let limit = limit.min(PAGE_ROWS_MAX);
    let bound = bound(&tx, tenant.org, endpoint, after).await?;
    // Of an endpoint with much open work the open ones are found by their ids among all of its organisation; the offset keeps the two steps apart.
    let open = match bound {
        Some(_) => {
            "(SELECT * FROM open_deliveries WHERE org = $1 AND id > $3 AND id <= $4 ORDER BY id OFFSET 0) AS open WHERE endpoint = $2"
        }
        None => {
            "(SELECT * FROM open_deliveries WHERE org = $1 AND endpoint = $2 OFFSET 0) AS open WHERE id > $3 AND id <= $4"
        }
    };
    let bound = bound.unwrap_or(Uuid::max());
    // One statement, one snapshot: what moves into history meanwhile is in one of the two.
    let sql = format!(
        "SELECT {COLUMNS} FROM (
             (SELECT {OPEN_COLUMNS} FROM {open} AND NOT test ORDER BY id LIMIT $5)
             UNION ALL
             (SELECT {ENDED_COLUMNS} FROM deliveries WHERE org = $1 AND endpoint = $2 AND id > $3 AND id <= $4 AND NOT test ORDER BY id LIMIT $5)
         ) AS u
         WHERE EXISTS (SELECT FROM endpoints AS e WHERE e.org = $1 AND e.id = $2 AND NOT e.deleted)"
    );
    let found = tx.query(&sql, &[&tenant.org, &endpoint.0, &after, &bound, &most(limit)]).await?;
    let found = found.iter().map(|row| DeliveryRow::read(row, 0)).collect::<Result<Vec<_>>>()?;
    let page = page_onwards(found, limit, bound, |row| row.id);
    let abouts = abouts(&tx, tenant.org, &page.rows).await?;
    let rows = page.rows.into_iter().map(|row| {
        let about = abouts.get(&row.event_key);
        row.with_event(about)
    });
    Ok(PageOf { rows: rows.collect::<Result<_>>()?, next: page.next })
}

/// How far open deliveries are looked through, of an endpoint that has many of them: they lie by due time, so that the organisation's are taken instead.
async fn bound(tx: &Session, org: Uuid, endpoint: EndpointId, after: Uuid) -> Result<Option<Uuid>> {
    let most = i64::try_from(LIST_ROWS_EXAMINED_MAX).unwrap_or(i64::MAX);
    let sql = "SELECT count(*) FROM (SELECT 1 FROM open_deliveries WHERE org = $1 AND endpoint = $2 LIMIT $3) AS open";
    let rows = tx.query(sql, &[&org, &endpoint.0, &most]).await?;
    if rows.first().map_or(0, |row| row.get::<_, i64>(0)) < most {
        return Ok(None);
    }
    let sql = "SELECT id FROM open_deliveries WHERE org = $1 AND id > $2 ORDER BY id LIMIT 1 OFFSET $3";
    let rows = tx.query(sql, &[&org, &after, &(most - 1)]).await?;
    Ok(Some(rows.first().map_or(Uuid::max(), |row| row.get(0))))
}
