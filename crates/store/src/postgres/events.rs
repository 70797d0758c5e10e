//! Lists of events, and one of them.

use std::collections::HashMap;
use std::sync::Arc;

use postrider_domain::{EventId, OrganizationId, decode_id};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresStore;
use super::pages::{self, examine, most, ms};
use super::related::keys_about;
use super::rows::{EVENT_COLUMNS, EVENTS_OF_KEYS, event_row, millis_at, span};
use super::session::{Mode, Session};
use super::tenants::Tenant;
use crate::error::Result;
use crate::limits::{EVENTS_PAGE_BYTES_MAX, LIST_ROWS_EXAMINED_MAX, PAGE_ROWS_MAX};
use crate::model::{EventDetail, EventFilter, PageOf, PageRequest};
use crate::rows::{EventRow, is_about, is_within, key_range};

/// Events of a record that are looked up at once.
const CHUNK_KEYS: i64 = 256;

pub(super) async fn list(
    store: &PostgresStore,
    organization: &OrganizationId,
    filter: &EventFilter,
    page: PageRequest,
) -> Result<PageOf<Arc<EventDetail>>> {
    let none = PageOf { rows: Vec::new(), next: None };
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Read).await? else { return Ok(none) };
    let range = key_range(filter.since, filter.until, page.before);
    let limit = page.limit.min(PAGE_ROWS_MAX);
    let picked = match &filter.resource {
        Some(about) => pick_about(&tx, &tenant, filter, about, range, limit).await?,
        None => pick(&tx, tenant.org, filter, range, limit).await?,
    };
    let picked = cut(picked);
    let keys: Vec<_> = picked.rows.iter().map(|picked| picked.key).collect();
    if keys.is_empty() {
        return Ok(PageOf { rows: Vec::new(), next: picked.next });
    }
    let (least, greatest) = span(&keys);
    let sql = format!("SELECT {EVENT_COLUMNS} FROM {EVENTS_OF_KEYS} ORDER BY key DESC");
    let rows = tx.query(&sql, &[&tenant.org, &keys, &least, &greatest]).await?;
    let rows = rows.iter().map(|row| detail(event_row(row, 0), &tenant).map(Arc::new)).collect::<Result<_>>()?;
    Ok(PageOf { rows, next: picked.next })
}

fn detail(row: EventRow, tenant: &Tenant) -> Result<EventDetail> {
    let deliveries_count = row.deliveries_count;
    Ok(EventDetail { event: Arc::new(row.open(tenant.sealer())?), deliveries_count })
}

/// An event that is on the page, and how much its data takes.
struct Picked {
    key: Uuid,
    bytes: usize,
}

impl Picked {
    fn new(key: Uuid, bytes: i32) -> Self {
        Picked { key, bytes: usize::try_from(bytes).unwrap_or(0) }
    }
}

/// Ends the page where its data becomes too much.
fn cut(mut page: PageOf<Picked>) -> PageOf<Picked> {
    let mut bytes = 0;
    let fits = page.rows.iter().position(|picked| {
        bytes += picked.bytes;
        bytes >= EVENTS_PAGE_BYTES_MAX
    });
    if let Some(last) = fits
        && last + 1 < page.rows.len()
    {
        page.rows.truncate(last + 1);
        page.next = page.rows.last().map(|picked| picked.key);
    }
    page
}

/// Which events are on the page.
async fn pick(
    tx: &Session,
    org: Uuid,
    filter: &EventFilter,
    (lowest, before): (Uuid, Uuid),
    limit: usize,
) -> Result<PageOf<Picked>> {
    let passes = "NOT test AND ($4::text IS NULL OR event_type = $4)
        AND ($5::bigint IS NULL OR accepted_at >= $5) AND ($6::bigint IS NULL OR accepted_at < $6)";
    let rows = format!(
        "SELECT key, event_type, accepted_at, test, octet_length(sealed) AS bytes FROM events
         WHERE org = $1 AND key < $2 AND key > $3 ORDER BY key DESC LIMIT {LIST_ROWS_EXAMINED_MAX}"
    );
    let sql = examine("key", passes, "bytes", &rows, "$7");
    let (since, until, most) = (ms(filter.since), ms(filter.until), most(limit));
    let found = tx.query(&sql, &[&org, &before, &lowest, &filter.event_type, &since, &until, &most]).await?;
    pages::page_of(&found, limit, |row| Ok(Picked::new(row.get(2), row.get(pages::COLUMNS))))
}

/// Which events about a record are on the page. Which of them are really about it, is read here.
async fn pick_about(
    tx: &Session,
    tenant: &Tenant,
    filter: &EventFilter,
    about: &(String, String),
    (lowest, before): (Uuid, Uuid),
    limit: usize,
) -> Result<PageOf<Picked>> {
    let mut rows: Vec<Picked> = Vec::new();
    let (mut below, mut examined) = (before, 0);
    loop {
        let keys = keys_about(tx, tenant, about, lowest, below, CHUNK_KEYS).await?;
        let Some(oldest) = keys.last() else { return Ok(PageOf { rows, next: None }) };
        below = *oldest;
        let columns = columns_by_key(tx, tenant.org, &keys).await?;
        for key in keys {
            examined += 1;
            if let Some(row) = columns.get(&key)
                && is_wanted(row, filter, about)?
            {
                if rows.len() == limit {
                    let next = rows.last().map(|picked| picked.key);
                    return Ok(PageOf { rows, next });
                }
                rows.push(Picked::new(key, row.get(5)));
            }
            if examined == LIST_ROWS_EXAMINED_MAX {
                return Ok(PageOf { rows, next: Some(key) });
            }
        }
    }
}

async fn columns_by_key(tx: &Session, org: Uuid, keys: &[Uuid]) -> Result<HashMap<Uuid, Row>> {
    let (least, greatest) = span(keys);
    let sql =
        format!("SELECT key, event_type, accepted_at, test, resource, octet_length(sealed) FROM {EVENTS_OF_KEYS}");
    let rows = tx.query(&sql, &[&org, &keys, &least, &greatest]).await?;
    Ok(rows.into_iter().map(|row| (row.get(0), row)).collect())
}

fn is_wanted(row: &Row, filter: &EventFilter, about: &(String, String)) -> Result<bool> {
    let passes = filter.event_type.as_deref().is_none_or(|wanted| wanted == row.get::<_, &str>(1))
        && is_within(millis_at(row, 2), filter.since, filter.until)
        && !row.get::<_, bool>(3);
    Ok(passes && is_about(row.get(4), about)?)
}

pub(super) async fn get(
    store: &PostgresStore,
    organization: &OrganizationId,
    id: &EventId,
) -> Result<Option<EventDetail>> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Read).await? else { return Ok(None) };
    let Some(key) = key_of(&tx, tenant.org, id).await? else { return Ok(None) };
    by_key(&tx, tenant.org, key).await?.map(|row| detail(row, &tenant)).transpose()
}

/// The key that an id stands for: what a caller's choice names, else the key inside. There may be no such event.
pub(super) async fn key_of(tx: &Session, org: Uuid, id: &EventId) -> Result<Option<Uuid>> {
    let sql = "SELECT key FROM event_ids WHERE org = $1 AND id = $2";
    let chosen = tx.query(sql, &[&org, &id.as_str()]).await?;
    Ok(chosen.first().map(|row| row.get(0)).or_else(|| decode_id("evt", id.as_str()).ok()))
}

/// The event with this key.
pub(super) async fn by_key(tx: &Session, org: Uuid, key: Uuid) -> Result<Option<EventRow>> {
    let sql = format!("SELECT {EVENT_COLUMNS} FROM events WHERE org = $1 AND key = $2");
    Ok(tx.query(&sql, &[&org, &key]).await?.first().map(|row| event_row(row, 0)))
}
