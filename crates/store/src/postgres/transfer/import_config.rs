//! The organisations of an import, with fresh data keys.

use std::collections::HashMap;

use postrider_domain::{Organization, OrganizationId};
use uuid::Uuid;

use super::import::Made;
use super::{IMPORTING, marked};
use crate::error::{Result, StoreError};
use crate::model::Version;
use crate::operations::Operation;
use crate::postgres::PostgresStore;
use crate::postgres::master::key_owner;
use crate::postgres::operations;
use crate::postgres::session::Session;
use crate::postgres::tenants::Tenant;
use crate::rows::{WorkColumns, put_origins};
use crate::transfer::Portable;

/// Makes those of a chunk, invisible, and returns all that the import has made by now.
pub(super) async fn organizations(store: &PostgresStore, tx: &Session, chunk: &[Portable]) -> Result<Made> {
    for row in chunk {
        match row {
            Portable::Organization(organization, version) => make(store, tx, organization, *version).await?,
            Portable::Key(key, hash) => {
                let sql = "SELECT 1 FROM api_keys WHERE hash = $1";
                if !tx.query(sql, &[&hash.as_slice()]).await?.is_empty() {
                    return Err(StoreError::Exists { what: format!("key {}", key.id) });
                }
            }
            _ => {}
        }
    }
    Ok(marked(tx, IMPORTING).await?.into_iter().collect())
}

async fn make(store: &PostgresStore, tx: &Session, organization: &Organization, version: Version) -> Result<()> {
    let taken = "SELECT 1 FROM organizations WHERE id = $1 AND NOT deleted";
    if !tx.query(taken, &[&organization.id.as_str()]).await?.is_empty() {
        return Err(StoreError::Exists { what: format!("organization {}", organization.id) });
    }
    let org = Uuid::new_v4();
    let (_, wrapped) = store.tenants.keys.make_data_key(key_owner(&org))?;
    let sql = "INSERT INTO organizations (org, id, name, contract, plan, owner_email, locale, event_validation, created_at, updated_at,
                   version, frame_ancestors, deleted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, true)";
    tx.execute(
        sql,
        &[
            &org,
            &organization.id.as_str(),
            &organization.name,
            &organization.contract,
            &organization.plan,
            &organization.owner_email,
            &organization.locale,
            &organization.event_validation.as_str(),
            &organization.created_at.0,
            &organization.updated_at.0,
            // It counts one more when it becomes visible.
            &(version.0 - 1),
            &put_origins(&organization.frame_ancestors),
        ],
    )
    .await?;
    let master_id = store.tenants.keys.current.id.0;
    let sql = "INSERT INTO data_keys (org, master_id, wrapped) VALUES ($1, $2, $3)";
    tx.execute(sql, &[&org, &master_id.as_slice(), &wrapped]).await?;
    super::set_meta(tx, &format!("{IMPORTING}{}", organization.id), org.as_bytes()).await
}

/// The organisations of an import with their data keys; and the operator.
pub(super) struct Tenants<'s> {
    store: &'s PostgresStore,
    open: HashMap<OrganizationId, Tenant>,
    /// They were visible already and have been deleted since.
    are_some_gone: bool,
}

impl<'s> Tenants<'s> {
    pub(super) async fn read(store: &'s PostgresStore, tx: &Session, is_ready: bool, made: Made) -> Result<Self> {
        let orgs: Vec<Uuid> = made.values().copied().collect();
        let sql = "SELECT k.org, k.wrapped FROM data_keys k JOIN organizations o ON o.org = k.org
                   WHERE k.org = ANY($1) AND (o.deleted IS DISTINCT FROM $2)";
        let rows = tx.query(sql, &[&orgs, &is_ready]).await?;
        let mut keys: HashMap<Uuid, Vec<u8>> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let mut open = HashMap::with_capacity(made.len());
        for (id, org) in made {
            if let Some(wrapped) = keys.remove(&org) {
                open.insert(id, Tenant::open(&store.tenants.keys, org, wrapped)?);
            }
        }
        Ok(Tenants { store, open, are_some_gone: is_ready })
    }

    /// None when it was deleted since it became visible: nothing more of it is wanted.
    pub(super) fn find(&self, id: &OrganizationId) -> Result<Option<&Tenant>> {
        match self.open.get(id) {
            None if !self.are_some_gone => {
                Err(StoreError::NotFound { what: format!("organization {id} of the import") })
            }
            found => Ok(found),
        }
    }

    pub(super) fn operator(&self) -> std::sync::Arc<Tenant> {
        self.store.tenants.operator()
    }
}

/// It is nobody's until a node takes it.
pub(super) async fn operation(tx: &Session, tenants: &Tenants<'_>, row: &Operation) -> Result<()> {
    let Some(tenant) = tenants.find(&row.organization)? else { return Ok(()) };
    let columns = WorkColumns::of(tenant.sealer(), row)?;
    operations::insert(tx, tenant.org, row, &columns).await.map(|_| ())
}
