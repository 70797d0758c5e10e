//! Organisations as the hot path needs them: number and opened data key, kept in memory, bounded.

use std::sync::Arc;

use postrider_domain::OrganizationId;
use rusqlite::{Connection, OptionalExtension};

use super::reader::Readers;
use super::writer::{Fault, WriteTx};
use crate::error::{Result, StoreError};
use crate::kept::{Kept, Looked};
use crate::keyring::KeyOwner;
use crate::limits::DATA_KEYS_CACHED;
use crate::master_key::{KEY_ID_BYTES, MasterKeys};
use crate::seal::SealingKey;

/// The number under which the operator's own sealed values are kept.
pub(super) const OPERATOR_NO: i64 = 0;

/// An organisation's number and data key.
pub(super) struct Tenant {
    pub(super) no: i64,
    pub(super) key: SealingKey,
}

/// All organisations' data keys, opened when needed.
pub(super) struct Tenants {
    kept: Kept<OrganizationId, Tenant>,
    pub(super) keys: MasterKeys,
    operator: Arc<Tenant>,
}

impl Tenants {
    pub(super) fn new(keys: MasterKeys, operator: Tenant) -> Self {
        Tenants { kept: Kept::new(DATA_KEYS_CACHED), keys, operator: Arc::new(operator) }
    }

    /// What seals the operator's own values.
    pub(super) fn operator(&self) -> Arc<Tenant> {
        Arc::clone(&self.operator)
    }

    /// An organisation that exists.
    pub(super) async fn find(&self, readers: &Readers, id: &OrganizationId) -> Result<Option<Arc<Tenant>>> {
        let moment = match self.kept.get(id) {
            Looked::Found(tenant) => return Ok(Some(tenant)),
            Looked::Missing(moment) => moment,
        };
        let wanted = id.clone();
        let Some((no, wrapped)) = readers.read(move |reader| read_wrapped(&reader.conn, &wanted)).await? else {
            return Ok(None);
        };
        let key = self.keys.open_data_key(owner(no), wrapped)?;
        let tenant = Arc::new(Tenant { no, key });
        self.kept.keep(moment, id.clone(), &tenant);
        Ok(Some(tenant))
    }

    /// Like [`Tenants::find`], for methods that cannot do without.
    pub(super) async fn require(&self, readers: &Readers, id: &OrganizationId) -> Result<Arc<Tenant>> {
        let missing = || StoreError::NotFound { what: format!("organization {id}") };
        self.find(readers, id).await?.ok_or_else(missing)
    }

    /// The organisation was deleted: its key leaves memory, too.
    pub(super) fn forget(&self, id: &OrganizationId) {
        self.kept.forget(id);
    }
}

fn read_wrapped(conn: &Connection, id: &OrganizationId) -> Result<Option<(i64, Vec<u8>)>, Fault> {
    let sql = "SELECT o.no, k.wrapped FROM organizations o JOIN data_keys k ON k.org_no = o.no
               WHERE o.id = ? AND o.deleted = 0";
    Ok(conn.prepare_cached(sql)?.query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn owner(org_no: i64) -> KeyOwner<'static> {
    KeyOwner { no: org_no, row: &[] }
}

/// Makes an organisation's data key and stores it wrapped.
pub(super) fn create_key(conn: &Connection, keys: &MasterKeys, org_no: i64) -> Result<SealingKey, Fault> {
    let (key, wrapped) = keys.make_data_key(owner(org_no))?;
    let sql = "INSERT INTO data_keys (org_no, master_id, wrapped) VALUES (?, ?, ?)";
    conn.prepare_cached(sql)?.execute((org_no, keys.current.id.0, wrapped))?;
    Ok(key)
}

/// Deletes an organisation's data key; it is overwritten first, so that it does not stay behind in a free part of its page.
pub(super) fn delete_key(conn: &Connection, org_no: i64) -> rusqlite::Result<()> {
    let overwrite = "UPDATE data_keys SET wrapped = zeroblob(length(wrapped)) WHERE org_no = ?";
    conn.prepare_cached(overwrite)?.execute([org_no])?;
    conn.prepare_cached("DELETE FROM data_keys WHERE org_no = ?")?.execute([org_no])?;
    Ok(())
}

/// Whoever has this number, with the data key that is there for it.
pub(super) fn by_number(conn: &Connection, keys: &MasterKeys, org_no: i64) -> Result<Tenant, Fault> {
    let sql = "SELECT wrapped FROM data_keys WHERE org_no = ?";
    let wrapped = conn.prepare_cached(sql)?.query_row([org_no], |row| row.get(0))?;
    Ok(Tenant { no: org_no, key: keys.open_data_key(owner(org_no), wrapped)? })
}

/// The operator's data key, made at the first start.
pub(super) fn operator_key(conn: &Connection, keys: &MasterKeys) -> Result<Tenant, Fault> {
    let sql = "SELECT wrapped FROM data_keys WHERE org_no = ?";
    let wrapped: Option<Vec<u8>> = conn.prepare_cached(sql)?.query_row([OPERATOR_NO], |row| row.get(0)).optional()?;
    let key = match wrapped {
        Some(wrapped) => keys.open_data_key(owner(OPERATOR_NO), wrapped)?,
        None => create_key(conn, keys, OPERATOR_NO)?,
    };
    Ok(Tenant { no: OPERATOR_NO, key })
}

/// Whether a data key was wrapped by the master key with this id.
pub(super) fn is_wrapped_by(conn: &Connection, id: [u8; KEY_ID_BYTES]) -> rusqlite::Result<bool> {
    conn.prepare("SELECT 1 FROM data_keys WHERE master_id = ? LIMIT 1")?.exists([id])
}

/// Wraps with the current master key every data key that another wrapped, and returns how many those were.
pub(super) fn rewrap_all(tx: &mut WriteTx<'_>, keys: &MasterKeys) -> Result<u64, Fault> {
    let current = keys.current.id.0;
    let (mut after, mut rewrapped) = (-1, 0);
    loop {
        let sql = "SELECT org_no, wrapped FROM data_keys WHERE org_no > ? AND master_id <> ? ORDER BY org_no LIMIT 1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found: Option<(i64, Vec<u8>)> =
            tx.conn.prepare_cached(sql)?.query_row((after, current), read).optional()?;
        let Some((org_no, wrapped)) = found else { return Ok(rewrapped) };
        let wrapped = keys.rewrap_data_key(owner(org_no), wrapped).map_err(as_sql)?;
        let update = "UPDATE data_keys SET wrapped = ?, master_id = ? WHERE org_no = ?";
        tx.conn.prepare_cached(update)?.execute((wrapped, current, org_no))?;
        (after, rewrapped) = (org_no, rewrapped + 1);
    }
}

/// In the middle of a unit's writes a refusal must undo them, as a fault of the database does.
pub(super) fn as_sql(fault: impl Into<Fault>) -> Fault {
    match fault.into() {
        Fault::Refused(error) => Fault::Sql(rusqlite::Error::ToSqlConversionFailure(Box::new(error))),
        fault @ Fault::Sql(_) => fault,
    }
}
