//! Sets aside what was exported for good, and takes it back.

use std::path::Path;

use postrider_domain::{AuditEntry, Millis, OrganizationId};
use rusqlite::{Connection, OptionalExtension, params};

use super::SET_ASIDE;
use crate::error::{Result, StoreError};
use crate::sqlite::SqliteStore;
use crate::sqlite::audit;
use crate::sqlite::numbers::{meta, set_meta};
use crate::sqlite::organizations;
use crate::sqlite::writer::{Fault, WriteTx};
use crate::transfer::Extent;

/// When all of the store was set aside.
const ASIDE: &str = "set aside at";
/// About what it writes.
const ASIDE_BYTES: usize = 128;

/// A store that was exported for good is not worked with: another sends what is pending in it.
pub(in crate::sqlite) fn refuse_set_aside(conn: &Connection, dir: &Path) -> Result<(), Fault> {
    if meta(conn, ASIDE)?.is_none() {
        return Ok(());
    }
    let reason = "it was exported for good (`postrider export --final`): the store that the export was imported into sends \
                  what is pending, and this one would send it a second time. If the export was never imported, undo that with \
                  `postrider export --undo-final`";
    Err(StoreError::Unusable { what: dir.display().to_string(), reason: reason.to_owned() }.into())
}

pub(super) async fn set_aside(store: &SqliteStore, extent: &Extent, now: Millis, audit: &AuditEntry) -> Result<()> {
    let entry = audit::seal_for_operator(store, audit)?;
    let Extent::Organization(id) = extent else {
        let write = move |tx: &mut WriteTx<'_>| {
            // Once more, as when the export was cut short, is no change.
            if meta(tx.conn, ASIDE)?.is_none() {
                audit::insert_for_operator(tx, &entry)?;
            }
            Ok(set_meta(tx.conn, ASIDE, &now.0.to_le_bytes())?)
        };
        return store.writer.write(ASIDE_BYTES, write).await;
    };
    let wanted = id.clone();
    let write = move |tx: &mut WriteTx<'_>| {
        let Some(org_no) = number(tx, &wanted, 0)? else {
            // Once more, as when the export was cut short, is no mistake.
            let is_aside = number(tx, &wanted, SET_ASIDE)?.is_some();
            let missing = StoreError::NotFound { what: format!("organization {wanted}") };
            return if is_aside { Ok(()) } else { Err(missing.into()) };
        };
        let hide = "UPDATE organizations SET deleted = ?, version = version + 1 WHERE no = ?";
        tx.conn.prepare_cached(hide)?.execute([SET_ASIDE, org_no])?;
        tx.numbers.forget_organization(org_no);
        audit::insert_for_operator(tx, &entry)
    };
    store.writer.write(ASIDE_BYTES, write).await?;
    store.tenants.forget(id);
    Ok(())
}

pub(super) async fn take_back(store: &SqliteStore, extent: &Extent, audit: &AuditEntry) -> Result<bool> {
    let entry = audit::seal_for_operator(store, audit)?;
    let Extent::Organization(id) = extent else {
        let forget = "DELETE FROM meta WHERE name = ?";
        let write = move |tx: &mut WriteTx<'_>| {
            let was_aside = tx.conn.prepare_cached(forget)?.execute([ASIDE])? == 1;
            if was_aside {
                audit::insert_for_operator(tx, &entry)?;
            }
            Ok(was_aside)
        };
        return store.writer.write(ASIDE_BYTES, write).await;
    };
    let wanted = id.clone();
    let write = move |tx: &mut WriteTx<'_>| {
        let Some(org_no) = number(tx, &wanted, SET_ASIDE)? else { return Ok(false) };
        if number(tx, &wanted, 0)?.is_some() {
            return Err(StoreError::Exists { what: format!("organization {wanted}") }.into());
        }
        let show = "UPDATE organizations SET deleted = 0, version = version + 1 WHERE no = ?";
        tx.conn.prepare_cached(show)?.execute([org_no])?;
        audit::insert_for_operator(tx, &entry)?;
        Ok(true)
    };
    store.writer.write(ASIDE_BYTES, write).await
}

pub(super) async fn delete(store: &SqliteStore, id: &OrganizationId, audit: &AuditEntry) -> Result<bool> {
    let (wanted, entry) = (id.clone(), audit::seal_for_operator(store, audit)?);
    let write = move |tx: &mut WriteTx<'_>| {
        let Some(org_no) = number(tx, &wanted, SET_ASIDE)? else { return Ok(false) };
        organizations::bury(tx, org_no)?;
        audit::insert_for_operator(tx, &entry)?;
        Ok(true)
    };
    store.writer.write(ASIDE_BYTES, write).await
}

fn number(tx: &WriteTx<'_>, id: &OrganizationId, deleted: i64) -> Result<Option<i64>, Fault> {
    let sql = "SELECT no FROM organizations WHERE id = ? AND deleted = ?";
    Ok(tx.conn.prepare_cached(sql)?.query_row(params![id.as_str(), deleted], |row| row.get(0)).optional()?)
}
