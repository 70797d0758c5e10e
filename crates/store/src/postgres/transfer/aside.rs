//! Sets aside what was exported for good, and takes it back. Lanes stay with whoever holds them: nothing is claimed for an organisation that is not there.

use postrider_domain::{AuditEntry, OrganizationId};
use uuid::Uuid;

use super::{ASIDE, ASIDE_WITH_ALL, marked};
use crate::error::{Result, StoreError};
use crate::postgres::PostgresStore;
use crate::postgres::audit;
use crate::postgres::changes::tell_changed;
use crate::postgres::organizations::hide_what_it_owns;
use crate::postgres::session::Session;
use crate::postgres::tenants::missing;
use crate::transfer::Extent;

pub(super) async fn set_aside(store: &PostgresStore, extent: &Extent, audit: &AuditEntry) -> Result<()> {
    let sql = concat!(
        "WITH changed AS (
             UPDATE organizations SET deleted = true, version = version + 1
             WHERE NOT deleted AND ($1::text IS NULL OR id = $1) RETURNING id, org),
         marked AS (INSERT INTO meta (name, value) SELECT $2 || id, uuid_send(org) FROM changed), ",
        tell_changed!()
    );
    let (id, mark) = match extent {
        Extent::Everything => (None, ASIDE_WITH_ALL),
        Extent::Organization(id) => (Some(id), ASIDE),
    };
    let tx = store.engine().await?.begin().await?;
    let set = tx.query(sql, &[&id.map(OrganizationId::as_str), &mark]).await?;
    if let Some(id) = id
        && set.is_empty()
        && of(&tx, id).await?.is_none()
    {
        return Err(missing(id));
    }
    // Once more, as when the export was cut short, is no change.
    if !set.is_empty() {
        audit::insert_for_operator(store, &tx, audit).await?;
    }
    tx.commit().await?;
    if let Some(id) = id {
        store.tenants.forget(id);
    }
    Ok(())
}

/// The UUID of one that was set aside.
pub(super) async fn of(tx: &Session, id: &OrganizationId) -> Result<Option<Uuid>> {
    let names = [ASIDE, ASIDE_WITH_ALL].map(|mark| format!("{mark}{id}"));
    let rows = tx.query("SELECT value FROM meta WHERE name = ANY($1)", &[&names.as_slice()]).await?;
    rows.first().map(|row| super::org(row.get(0))).transpose()
}

pub(super) async fn take_back(store: &PostgresStore, extent: &Extent, audit: &AuditEntry) -> Result<bool> {
    let tx = store.engine().await?.begin().await?;
    let orgs: Vec<_> = match extent {
        Extent::Everything => marked(&tx, ASIDE_WITH_ALL).await?,
        Extent::Organization(id) => of(&tx, id).await?.map(|org| (id.clone(), org)).into_iter().collect(),
    };
    if orgs.is_empty() {
        return Ok(false);
    }
    refuse_taken(&tx, &orgs).await?;
    show(&tx, &orgs).await?;
    let ids: Vec<_> = orgs.iter().map(|(id, _)| id).collect();
    forget(&tx, &ids).await?;
    audit::insert_for_operator(store, &tx, audit).await?;
    tx.commit().await?;
    Ok(true)
}

/// Removes the marks.
async fn forget(tx: &Session, ids: &[&OrganizationId]) -> Result<()> {
    let names: Vec<_> = ids.iter().flat_map(|id| [ASIDE, ASIDE_WITH_ALL].map(|mark| format!("{mark}{id}"))).collect();
    tx.execute("DELETE FROM meta WHERE name = ANY($1)", &[&names]).await.map(|_| ())
}

/// Another organisation may have come under the same id since.
pub(super) async fn refuse_taken(tx: &Session, orgs: &[(OrganizationId, Uuid)]) -> Result<()> {
    let ids: Vec<&str> = orgs.iter().map(|(id, _)| id.as_str()).collect();
    let taken = tx.query("SELECT id FROM organizations WHERE id = ANY($1) AND NOT deleted LIMIT 1", &[&ids]).await?;
    match taken.first() {
        Some(row) => Err(StoreError::Exists { what: format!("organization {}", row.get::<_, &str>(0)) }),
        None => Ok(()),
    }
}

/// Makes organisations visible, and tells every node.
pub(super) async fn show(tx: &Session, orgs: &[(OrganizationId, Uuid)]) -> Result<()> {
    let sql = concat!(
        "WITH changed AS (
             UPDATE organizations SET deleted = false, version = version + 1 WHERE org = ANY($1) RETURNING id), ",
        tell_changed!()
    );
    let orgs: Vec<Uuid> = orgs.iter().map(|(_, org)| *org).collect();
    tx.query(sql, &[&orgs]).await.map(|_| ())
}

pub(super) async fn delete(store: &PostgresStore, id: &OrganizationId, audit: &AuditEntry) -> Result<bool> {
    let tx = store.engine().await?.begin().await?;
    let Some(org) = of(&tx, id).await? else { return Ok(false) };
    bury(&tx, org).await?;
    forget(&tx, &[id]).await?;
    audit::insert_for_operator(store, &tx, audit).await?;
    tx.commit().await?;
    Ok(true)
}

/// Deletes an organisation that nobody sees.
pub(super) async fn bury(tx: &Session, org: Uuid) -> Result<()> {
    tx.execute("DELETE FROM data_keys WHERE org = $1", &[&org]).await?;
    let wipe =
        "UPDATE organizations SET name = '', plan = NULL, owner_email = NULL, locale = NULL, frame_ancestors = ''
                WHERE org = $1";
    tx.execute(wipe, &[&org]).await?;
    hide_what_it_owns(tx, org).await
}
