//! Organisations as the hot path needs them: number and opened data key, kept in memory, bounded.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use postrider_domain::OrganizationId;
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::reader::Readers;
use super::writer::{Fault, WriteTx};
use crate::error::{Result, StoreError};
use crate::limits::DATA_KEYS_CACHED;
use crate::master_key::{KEY_BYTES, MasterKey};
use crate::seal::{self, RowKind, SealingKey};

/// The number under which the operator's own sealed values are kept.
pub(super) const OPERATOR_NO: i64 = 0;

/// An organisation's number and data key.
pub(super) struct Tenant {
    pub(super) no: i64,
    pub(super) key: SealingKey,
}

/// Two generations: what is used moves to the younger one, and the elder one is dropped when the younger is full.
#[derive(Default)]
struct Kept {
    young: HashMap<OrganizationId, Arc<Tenant>>,
    old: HashMap<OrganizationId, Arc<Tenant>>,
    /// Counts deletions, so that a key read before one is not kept after it.
    deletions: u64,
}

impl Kept {
    fn get(&mut self, id: &OrganizationId) -> Option<Arc<Tenant>> {
        if let Some(tenant) = self.young.get(id) {
            return Some(Arc::clone(tenant));
        }
        let tenant = self.old.remove(id)?;
        self.keep(id.clone(), Arc::clone(&tenant));
        Some(tenant)
    }

    fn keep(&mut self, id: OrganizationId, tenant: Arc<Tenant>) {
        if self.young.len() >= DATA_KEYS_CACHED / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, tenant);
    }
}

/// All organisations' data keys, opened when needed.
pub(super) struct Tenants {
    kept: Mutex<Kept>,
    pub(super) master: RwLock<MasterKey>,
    operator: Arc<Tenant>,
}

impl Tenants {
    pub(super) fn new(master: MasterKey, operator: Tenant) -> Self {
        Tenants { kept: Mutex::new(Kept::default()), master: RwLock::new(master), operator: Arc::new(operator) }
    }

    /// What seals the operator's own values.
    pub(super) fn operator(&self) -> Arc<Tenant> {
        Arc::clone(&self.operator)
    }

    /// An organisation that exists.
    pub(super) async fn find(&self, readers: &Readers, id: &OrganizationId) -> Result<Option<Arc<Tenant>>> {
        let deletions = {
            let mut kept = self.kept.lock();
            if let Some(tenant) = kept.get(id) {
                return Ok(Some(tenant));
            }
            kept.deletions
        };
        let wanted = id.clone();
        let Some((no, wrapped)) = readers.read(move |reader| read_wrapped(&reader.conn, &wanted)).await? else {
            return Ok(None);
        };
        let key = unwrap_key(&self.master.read(), no, wrapped)?;
        let tenant = Arc::new(Tenant { no, key });
        let mut kept = self.kept.lock();
        if kept.deletions == deletions {
            kept.keep(id.clone(), Arc::clone(&tenant));
        }
        Ok(Some(tenant))
    }

    /// Like [`Tenants::find`], for methods that cannot do without.
    pub(super) async fn require(&self, readers: &Readers, id: &OrganizationId) -> Result<Arc<Tenant>> {
        let missing = || StoreError::NotFound { what: format!("organization {id}") };
        self.find(readers, id).await?.ok_or_else(missing)
    }

    /// The organisation was deleted: its key leaves memory, too.
    pub(super) fn forget(&self, id: &OrganizationId) {
        let mut kept = self.kept.lock();
        kept.deletions += 1;
        kept.young.remove(id);
        kept.old.remove(id);
    }
}

fn read_wrapped(conn: &Connection, id: &OrganizationId) -> Result<Option<(i64, Vec<u8>)>, Fault> {
    let sql = "SELECT o.no, k.wrapped FROM organizations o JOIN data_keys k ON k.org_no = o.no
               WHERE o.id = ? AND o.deleted = 0";
    Ok(conn.prepare_cached(sql)?.query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn unwrap_key(master: &MasterKey, org_no: i64, wrapped: Vec<u8>) -> Result<SealingKey> {
    let plain = SealingKey::of_master(master).open(wrapped, org_no, RowKind::DataKey, &[])?;
    let malformed = |_| StoreError::Sealed { reason: "a data key has the wrong length".to_owned() };
    let bytes: [u8; KEY_BYTES] = plain.bytes().try_into().map_err(malformed)?;
    Ok(SealingKey::new(&Zeroizing::new(bytes)))
}

fn wrap_key(master: &MasterKey, org_no: i64, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut buffer = seal::unsealed(bytes.len());
    buffer.extend_from_slice(bytes);
    SealingKey::of_master(master).seal(buffer, org_no, RowKind::DataKey, &[])
}

/// Makes an organisation's data key and stores it wrapped.
pub(super) fn create_key(conn: &Connection, master: &MasterKey, org_no: i64) -> Result<SealingKey, Fault> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    seal::random(bytes.as_mut())?;
    let wrapped = wrap_key(master, org_no, bytes.as_ref())?;
    let sql = "INSERT INTO data_keys (org_no, master_id, wrapped) VALUES (?, ?, ?)";
    conn.prepare_cached(sql)?.execute((org_no, master.id.0, wrapped))?;
    Ok(SealingKey::new(&bytes))
}

/// Deletes an organisation's data key; it is overwritten first, so that it does not stay behind in a free part of its page.
pub(super) fn delete_key(conn: &Connection, org_no: i64) -> rusqlite::Result<()> {
    let overwrite = "UPDATE data_keys SET wrapped = zeroblob(length(wrapped)) WHERE org_no = ?";
    conn.prepare_cached(overwrite)?.execute([org_no])?;
    conn.prepare_cached("DELETE FROM data_keys WHERE org_no = ?")?.execute([org_no])?;
    Ok(())
}

/// The operator's data key, made at the first start.
pub(super) fn operator_key(conn: &Connection, master: &MasterKey) -> Result<Tenant, Fault> {
    let sql = "SELECT wrapped FROM data_keys WHERE org_no = ?";
    let wrapped: Option<Vec<u8>> = conn.prepare_cached(sql)?.query_row([OPERATOR_NO], |row| row.get(0)).optional()?;
    let key = match wrapped {
        Some(wrapped) => unwrap_key(master, OPERATOR_NO, wrapped)?,
        None => create_key(conn, master, OPERATOR_NO)?,
    };
    Ok(Tenant { no: OPERATOR_NO, key })
}

/// Wraps every data key with another master key; what the data keys sealed stays as it is.
pub(super) fn rewrap_all(tx: &mut WriteTx<'_>, old: &MasterKey, new: &MasterKey) -> Result<(), Fault> {
    let mut after = -1;
    loop {
        let sql = "SELECT org_no, wrapped FROM data_keys WHERE org_no > ? ORDER BY org_no LIMIT 1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let found: Option<(i64, Vec<u8>)> = tx.conn.prepare_cached(sql)?.query_row([after], read).optional()?;
        let Some((org_no, wrapped)) = found else { return Ok(()) };
        let plain = SealingKey::of_master(old).open(wrapped, org_no, RowKind::DataKey, &[]).map_err(as_sql)?;
        let wrapped = wrap_key(new, org_no, plain.bytes()).map_err(as_sql)?;
        let update = "UPDATE data_keys SET wrapped = ?, master_id = ? WHERE org_no = ?";
        tx.conn.prepare_cached(update)?.execute((wrapped, new.id.0, org_no))?;
        after = org_no;
    }
}

/// In the middle of a unit's writes a refusal must undo them, as a fault of the database does.
pub(super) fn as_sql(fault: impl Into<Fault>) -> Fault {
    match fault.into() {
        Fault::Refused(error) => Fault::Sql(rusqlite::Error::ToSqlConversionFailure(Box::new(error))),
        fault @ Fault::Sql(_) => fault,
    }
}
