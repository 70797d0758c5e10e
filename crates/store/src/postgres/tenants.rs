//! Organisations as the hot path needs them: UUID and opened data key, kept in memory, bounded.
//!
//! Another node may delete an organisation, and make a new one under the same id, at any moment. So whatever is read or written with a key
//! from memory asks in the same transaction whether the organisation is still there; see [`super::scope`].

use std::sync::Arc;

use postrider_domain::OrganizationId;
use uuid::Uuid;

use super::PostgresStore;
use super::master::{OPERATOR, TURN, key_owner};
use crate::error::{Result, StoreError};
use crate::kept::{Kept, Looked};
use crate::limits::DATA_KEYS_CACHED;
use crate::master_key::MasterKeys;
use crate::rows::Sealer;
use crate::seal::SealingKey;

/// An organisation's UUID and data key.
pub(super) struct Tenant {
    pub(super) org: Uuid,
    key: SealingKey,
}

impl Tenant {
    /// One whose data key is as it is stored.
    pub(super) fn open(keys: &MasterKeys, org: Uuid, wrapped: Vec<u8>) -> Result<Self> {
        Ok(Tenant { org, key: keys.open_data_key(key_owner(&org), wrapped)? })
    }

    /// What seals and opens its values, which are bound to half of its UUID; each organisation has a key of its own besides.
    pub(super) fn sealer(&self) -> Sealer<'_> {
        Sealer { owner: owner(self.org), key: &self.key }
    }

    /// The number that stands for it in what is sealed or hashed.
    pub(super) fn owner(&self) -> i64 {
        owner(self.org)
    }
}

fn owner(org: Uuid) -> i64 {
    org.as_u64_pair().1.cast_signed()
}

/// All organisations' data keys, opened when needed.
pub(super) struct Tenants {
    kept: Kept<OrganizationId, Tenant>,
    pub(super) keys: MasterKeys,
    operator: Arc<Tenant>,
}

impl Tenants {
    pub(super) fn new(keys: MasterKeys, operator: SealingKey) -> Self {
        let operator = Arc::new(Tenant { org: OPERATOR, key: operator });
        Tenants { kept: Kept::new(DATA_KEYS_CACHED), keys, operator }
    }

    /// What seals the operator's own values.
    pub(super) fn operator(&self) -> Arc<Tenant> {
        Arc::clone(&self.operator)
    }

    /// An organisation that was there a moment ago.
    pub(super) async fn find(&self, store: &PostgresStore, id: &OrganizationId) -> Result<Option<Arc<Tenant>>> {
        let moment = match self.kept.get(id) {
            Looked::Found(tenant) => return Ok(Some(tenant)),
            Looked::Missing(moment) => moment,
        };
        let sql = "SELECT o.org, k.wrapped FROM organizations o JOIN data_keys k ON k.org = o.org
                   WHERE o.id = $1 AND NOT o.deleted";
        let rows = store.engine().await?.query(sql, &[&id.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let org: Uuid = row.get(0);
        let key = self.keys.open_data_key(key_owner(&org), row.get(1))?;
        let tenant = Arc::new(Tenant { org, key });
        self.kept.keep(moment, id.clone(), &tenant);
        Ok(Some(tenant))
    }

    /// Like [`Tenants::find`], for methods that cannot do without.
    pub(super) async fn require(&self, store: &PostgresStore, id: &OrganizationId) -> Result<Arc<Tenant>> {
        self.find(store, id).await?.ok_or_else(|| missing(id))
    }

    /// The organisation changed, on whichever node, and may have been deleted: its key leaves memory, too.
    pub(super) fn forget(&self, id: &OrganizationId) {
        self.kept.forget(id);
    }
}

/// Data keys that are wrapped anew in one transaction.
const REWRAPPED_AT_ONCE: i64 = 500;

/// Wraps with the current master key every data key that another wrapped, in short transactions, and returns how many those were. Then that
/// key's canary is the only one that is kept.
pub(super) async fn rewrap(store: &PostgresStore) -> Result<u64> {
    let keys = &store.tenants.keys;
    let current = keys.current.id.0;
    let mut rewrapped = 0;
    loop {
        let tx = store.engine().await?.begin().await?;
        tx.query(TURN, &[]).await?;
        // Whoever is wrapping by one of the others has committed once this is locked, and is seen by the next statement.
        tx.query("SELECT 1 FROM master_keys WHERE id <> $1 FOR UPDATE", &[&current.as_slice()]).await?;
        let sql = "SELECT org, wrapped FROM data_keys WHERE master_id <> $1 ORDER BY org LIMIT $2 FOR UPDATE";
        let rows = tx.query(sql, &[&current.as_slice(), &REWRAPPED_AT_ONCE]).await?;
        let (mut orgs, mut wrapped): (Vec<Uuid>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
        for row in &rows {
            let org = row.get(0);
            wrapped.push(keys.rewrap_data_key(key_owner(&org), row.get(1))?);
            orgs.push(org);
        }
        if orgs.is_empty() {
            tx.execute("DELETE FROM master_keys WHERE id <> $1", &[&current.as_slice()]).await?;
            tx.commit().await?;
            return Ok(rewrapped);
        }
        let sql = "UPDATE data_keys AS k SET wrapped = anew.wrapped, master_id = $1
                   FROM unnest($2::uuid[], $3::bytea[]) AS anew (org, wrapped) WHERE k.org = anew.org";
        rewrapped += tx.execute(sql, &[&current.as_slice(), &orgs, &wrapped]).await?;
        tx.commit().await?;
    }
}

/// There is no such organisation.
pub(super) fn missing(id: &OrganizationId) -> StoreError {
    StoreError::NotFound { what: format!("organization {id}") }
}
