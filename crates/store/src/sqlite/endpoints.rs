//! Endpoints.

use postrider_domain::{AuditEntry, Endpoint, EndpointId, OrganizationId};
use rusqlite::{OptionalExtension, params};

use super::SqliteStore;
use super::commit::require_version;
use super::failing::{forget_all, forget_streak};
use super::reader::Reader;
use super::rows::{ENDPOINT_COLUMNS, endpoint_row};
use super::writer::{Fault, WriteTx};
use super::{audit, operational};
use crate::edit::Edit;
use crate::error::{Result, StoreError};
use crate::limits::PAGE_ROWS_MAX;
use crate::model::{EndpointLimits, PageOf, PageRequest, Version};
use crate::rows::{disabled_reason, events_text, overlap_ends_at, page_of, seal_audit, seal_endpoint};

/// About what one writes.
pub(super) const ENDPOINT_BYTES: usize = 4_096;
/// It was disabled, and who changes it to `?1` has not resumed it, at `?2`: that is from before.
const STAYS_DISABLED: &str = "status = 'disabled' AND ?1 = 'active' AND resumed_at IS ?2";

pub(super) async fn create(
    store: &SqliteStore,
    endpoint: &Endpoint,
    limits: &EndpointLimits,
    edit: &Edit,
) -> Result<()> {
    let tenant = store.tenants.require(&store.readers, &endpoint.organization).await?;
    let (endpoint, limits, sealed) = (endpoint.clone(), limits.clone(), seal_endpoint(tenant.sealer(), endpoint)?);
    let (entry, basis) = (seal_audit(tenant.sealer(), &edit.audit)?, edit.basis);
    let write = move |tx: &mut WriteTx<'_>| {
        require_basis(tx, tenant.no, basis)?;
        require_room(tx, tenant.no, &limits)?;
        let find = "SELECT 1 FROM endpoints WHERE id = ?";
        if tx.conn.prepare_cached(find)?.exists([endpoint.id.0.as_bytes()])? {
            return Err(StoreError::Exists { what: format!("endpoint {}", endpoint.id) }.into());
        }
        let sql =
            "INSERT INTO endpoints (org_no, id, name, description, events, contract, system, status, disabled_reason,
                   created_at, updated_at, resumed_at, overlap_ends_at, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        tx.conn.prepare_cached(sql)?.execute(params![
            tenant.no,
            endpoint.id.0.as_bytes(),
            endpoint.name,
            endpoint.description,
            events_text(&endpoint),
            endpoint.contract,
            endpoint.system,
            endpoint.status.as_str(),
            disabled_reason(&endpoint),
            endpoint.created_at.0,
            endpoint.updated_at.0,
            endpoint.resumed_at.map(|at| at.0),
            overlap_ends_at(&endpoint),
            sealed,
        ])?;
        audit::insert(tx, tenant.no, &entry)?;
        count_change(tx, tenant.no)
    };
    store.writer.write(ENDPOINT_BYTES, write).await
}

/// The organisation is there, and the change was made from its newest configuration, where that matters.
pub(super) fn require_basis(tx: &mut WriteTx<'_>, org_no: i64, basis: Option<Version>) -> Result<(), Fault> {
    tx.numbers.require_organization(tx.conn, org_no)?;
    basis.map_or(Ok(()), |seen| require_version(tx, org_no, seen))
}

/// The organisation's configuration is a newer one from now on.
pub(super) fn count_change(tx: &WriteTx<'_>, org_no: i64) -> Result<(), Fault> {
    let sql = "UPDATE organizations SET version = version + 1 WHERE no = ?";
    tx.conn.prepare_cached(sql)?.execute([org_no])?;
    Ok(())
}

fn require_room(tx: &WriteTx<'_>, org_no: i64, limits: &EndpointLimits) -> Result<(), Fault> {
    let Some(max) = limits.endpoints_max else { return Ok(()) };
    let sql = "SELECT count(*) FROM endpoints WHERE org_no = ? AND deleted = 0";
    let count: u32 = tx.conn.prepare_cached(sql)?.query_row([org_no], |row| row.get(0))?;
    if count >= max {
        let limit = "endpoints per organization".to_owned();
        return Err(StoreError::LimitReached { limit, max: u64::from(max) }.into());
    }
    Ok(())
}

pub(super) async fn update(store: &SqliteStore, endpoint: &Endpoint, edit: &Edit) -> Result<()> {
    let tenant = store.tenants.require(&store.readers, &endpoint.organization).await?;
    let (endpoint, sealed) = (endpoint.clone(), seal_endpoint(tenant.sealer(), endpoint)?);
    let (entry, basis) = (seal_audit(tenant.sealer(), &edit.audit)?, edit.basis);
    let told = store.operational_for.of_change(&endpoint.organization, endpoint.id, &edit.audit);
    let write = move |tx: &mut WriteTx<'_>| {
        require_basis(tx, tenant.no, basis)?;
        let resumed_at = endpoint.resumed_at.map(|at| at.0);
        let (status, key) = (endpoint.status.as_str(), endpoint.id.0.as_bytes());
        let find =
            format!("SELECT no, status, {STAYS_DISABLED} FROM endpoints WHERE id = ?3 AND org_no = ?4 AND deleted = 0");
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)? == "disabled", row.get(2)?));
        let found = tx.conn.prepare_cached(&find)?.query_row(params![status, resumed_at, key, tenant.no], read);
        let Some((no, is_disabled, stays)): Option<(i64, bool, bool)> = found.optional()? else {
            return Err(StoreError::NotFound { what: format!("endpoint {}", endpoint.id) }.into());
        };
        let sql =
            "UPDATE endpoints SET name = ?, description = ?, events = ?, contract = ?, system = ?, updated_at = ?,
                   resumed_at = ?, overlap_ends_at = ?, sealed = ? WHERE no = ?";
        tx.conn.prepare_cached(sql)?.execute(params![
            endpoint.name,
            endpoint.description,
            events_text(&endpoint),
            endpoint.contract,
            endpoint.system,
            endpoint.updated_at.0,
            resumed_at,
            overlap_ends_at(&endpoint),
            sealed,
            no,
        ])?;
        if !stays {
            let sql = "UPDATE endpoints SET status = ?, disabled_reason = ? WHERE no = ?";
            tx.conn.prepare_cached(sql)?.execute(params![status, disabled_reason(&endpoint), no])?;
            if is_disabled && status != "disabled" {
                forget_streak(tx, no)?;
            }
        }
        audit::insert(tx, tenant.no, &entry)?;
        if let Some(told) = &told {
            operational::insert(tx, tenant.no, told)?;
        }
        count_change(tx, tenant.no)
    };
    store.writer.write(ENDPOINT_BYTES, write).await
}

pub(super) async fn get(
    store: &SqliteStore,
    organization: &OrganizationId,
    id: EndpointId,
) -> Result<Option<Endpoint>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(None) };
    let org_no = tenant.no;
    let read = move |reader: &mut Reader| {
        let sql = format!("SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE id = ? AND org_no = ? AND deleted = 0");
        let key = params![id.0.as_bytes(), org_no];
        Ok(reader.conn.prepare_cached(&sql)?.query_row(key, endpoint_row).optional()?)
    };
    store.readers.read(read).await?.map(|row| row.open(tenant.sealer(), organization)).transpose()
}

pub(super) async fn list(
    store: &SqliteStore,
    organization: &OrganizationId,
    page: PageRequest,
) -> Result<PageOf<Endpoint>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else {
        return Ok(PageOf { rows: Vec::new(), next: None });
    };
    let (org_no, limit) = (tenant.no, page.limit.min(PAGE_ROWS_MAX));
    let before = page.before.unwrap_or(uuid::Uuid::max());
    let read = move |reader: &mut Reader| {
        let sql = format!(
            "SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE org_no = ? AND deleted = 0 AND id < ? ORDER BY id DESC LIMIT ?"
        );
        let mut statement = reader.conn.prepare_cached(&sql)?;
        let key = params![org_no, before.as_bytes(), i64::try_from(limit + 1).unwrap_or(i64::MAX)];
        Ok(statement.query_map(key, endpoint_row)?.collect::<rusqlite::Result<Vec<_>>>()?)
    };
    let found = store.readers.read(read).await?;
    let rows = found.into_iter().map(|row| row.open(tenant.sealer(), organization)).collect::<Result<Vec<_>>>()?;
    Ok(page_of(rows, limit, |endpoint| endpoint.id.0))
}

/// Its secrets go now; its open deliveries and the text of its attempts are invisible from now on and go in retention's steps.
pub(super) async fn delete(
    store: &SqliteStore,
    organization: &OrganizationId,
    id: EndpointId,
    audit: &AuditEntry,
) -> Result<bool> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(false) };
    let entry = seal_audit(tenant.sealer(), audit)?;
    let write = move |tx: &mut WriteTx<'_>| {
        let Some(no) = super::claim::endpoint_no(tx.conn, tenant.no, id)? else { return Ok(false) };
        let wipe = "UPDATE endpoints SET sealed = zeroblob(length(sealed)) WHERE no = ?";
        tx.conn.prepare_cached(wipe)?.execute([no])?;
        let hide =
            "UPDATE endpoints SET deleted = 1, sealed = NULL, description = NULL, overlap_ends_at = NULL WHERE no = ?";
        tx.conn.prepare_cached(hide)?.execute([no])?;
        tx.conn.prepare_cached("INSERT INTO sweeps (endpoint_no) VALUES (?)")?.execute([no])?;
        forget_all(tx, no)?;
        tx.numbers.forget_endpoint(id);
        audit::insert(tx, tenant.no, &entry)?;
        count_change(tx, tenant.no)?;
        Ok(true)
    };
    store.writer.write(ENDPOINT_BYTES, write).await
}
