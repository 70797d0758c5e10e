//! API keys, the operator key and contract revisions.

use postrider_domain::{AuditEntry, Key, KeyId, OrganizationId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteStore;
use super::audit;
use super::numbers::{meta, set_meta};
use super::reader::{Reader, uuid_at};
use super::rows::{millis_at, opt_millis_at};
use super::writer::{Fault, WriteTx};
use crate::error::{Result, StoreError};
use crate::limits::PAGE_ROWS_MAX;
use crate::model::{ContractRevision, ContractUse, PageOf, PageRequest, RevisionId};
use crate::rows::{damaged, page_of, require_room_for_key, seal_audit};

/// About what a key writes.
const KEY_BYTES: usize = 512;
pub(super) const OPERATOR_KEY: &str = "operator key hash";
pub(super) const KEY_COLUMNS: &str = "k.id, k.name, k.scopes, k.hint, k.created_at, k.expires_at";

pub(super) fn insert_key(conn: &Connection, org_no: i64, key: &Key, hash: [u8; 32]) -> rusqlite::Result<()> {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let sql = "INSERT INTO api_keys (id, org_no, hash, name, scopes, hint, created_at, expires_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let expires_at = key.expires_at.map(|at| at.0);
    let id = key.id.0.as_bytes();
    let values = params![id, org_no, hash, key.name, scopes.join(" "), key.hint, key.created_at.0, expires_at];
    conn.prepare_cached(sql)?.execute(values).map(|_| ())
}

pub(super) async fn create_key(
    store: &SqliteStore,
    key: &Key,
    hash: [u8; 32],
    keys_max: u32,
    audit: &AuditEntry,
) -> Result<()> {
    let tenant = store.tenants.require(&store.readers, &key.organization).await?;
    let (key, entry) = (key.clone(), seal_audit(tenant.sealer(), audit)?);
    let write = move |tx: &mut WriteTx<'_>| {
        tx.numbers.require_organization(tx.conn, tenant.no)?;
        let find = "SELECT 1 FROM api_keys WHERE id = ? OR hash = ?";
        if tx.conn.prepare_cached(find)?.exists(params![key.id.0.as_bytes(), hash])? {
            return Err(StoreError::Exists { what: format!("key {}", key.id) }.into());
        }
        let count = "SELECT count(*) FROM api_keys WHERE org_no = ?";
        require_room_for_key(tx.conn.prepare_cached(count)?.query_row([tenant.no], |row| row.get(0))?, keys_max)?;
        insert_key(tx.conn, tenant.no, &key, hash)?;
        audit::insert(tx, tenant.no, &entry)
    };
    store.writer.write(KEY_BYTES, write).await
}

pub(super) async fn key_by_hash(store: &SqliteStore, hash: [u8; 32]) -> Result<Option<Key>> {
    let read = move |reader: &mut Reader| {
        let sql = format!(
            "SELECT {KEY_COLUMNS}, o.id FROM api_keys k JOIN organizations o ON o.no = k.org_no AND o.deleted = 0
             WHERE k.hash = ?"
        );
        let mut statement = reader.conn.prepare_cached(&sql)?;
        let mut rows = statement.query([hash])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let organization: String = row.get(6)?;
        let organization = organization.parse().map_err(|_| damaged("an organization's id"))?;
        key_from_row(row, organization).map(Some)
    };
    store.readers.read(read).await
}

pub(super) fn key_from_row(row: &Row<'_>, organization: OrganizationId) -> Result<Key, Fault> {
    let scopes: String = row.get(2)?;
    let scopes = scopes.split_ascii_whitespace().map(str::parse).collect::<std::result::Result<_, _>>();
    Ok(Key {
        id: KeyId(uuid_at(row, 0)?),
        organization,
        name: row.get(1)?,
        scopes: scopes.map_err(|_| damaged("a key's scopes"))?,
        hint: row.get(3)?,
        created_at: millis_at(row, 4)?,
        expires_at: opt_millis_at(row, 5)?,
    })
}

pub(super) async fn keys(store: &SqliteStore, organization: &OrganizationId, page: PageRequest) -> Result<PageOf<Key>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else {
        return Ok(PageOf { rows: Vec::new(), next: None });
    };
    let (organization, limit) = (organization.clone(), page.limit.min(PAGE_ROWS_MAX));
    let before = page.before.unwrap_or(uuid::Uuid::max());
    let read = move |reader: &mut Reader| {
        let sql =
            format!("SELECT {KEY_COLUMNS} FROM api_keys k WHERE k.org_no = ? AND k.id < ? ORDER BY k.id DESC LIMIT ?");
        let mut statement = reader.conn.prepare_cached(&sql)?;
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![tenant.no, before.as_bytes(), most])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(key_from_row(row, organization.clone())?);
        }
        Ok(found)
    };
    let found = store.readers.read(read).await?;
    Ok(page_of(found, limit, |key| key.id.0))
}

pub(super) async fn delete_key(
    store: &SqliteStore,
    organization: &OrganizationId,
    id: KeyId,
    audit: &AuditEntry,
) -> Result<bool> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(false) };
    let entry = seal_audit(tenant.sealer(), audit)?;
    let write = move |tx: &mut WriteTx<'_>| {
        let sql = "DELETE FROM api_keys WHERE id = ? AND org_no = ?";
        if tx.conn.prepare_cached(sql)?.execute(params![id.0.as_bytes(), tenant.no])? == 0 {
            return Ok(false);
        }
        audit::insert(tx, tenant.no, &entry)?;
        Ok(true)
    };
    store.writer.write(KEY_BYTES, write).await
}

pub(super) async fn operator_key_hash(store: &SqliteStore) -> Result<Option<[u8; 32]>> {
    let hash = store.readers.read(|reader| Ok(meta(&reader.conn, OPERATOR_KEY)?)).await?;
    hash.map(|hash| hash.try_into().map_err(|_| damaged("the operator key's hash"))).transpose()
}

pub(super) async fn settle_operator_key_hash(store: &SqliteStore, hash: [u8; 32]) -> Result<[u8; 32]> {
    let settle = move |tx: &mut WriteTx<'_>| match meta(tx.conn, OPERATOR_KEY)? {
        Some(kept) => Ok(kept.try_into().map_err(|_| damaged("the operator key's hash"))?),
        None => set_meta(tx.conn, OPERATOR_KEY, &hash).map(|()| hash).map_err(Fault::Sql),
    };
    store.writer.write(KEY_BYTES, settle).await
}

pub(super) async fn set_operator_key_hash(store: &SqliteStore, hash: [u8; 32], audit: &AuditEntry) -> Result<()> {
    let entry = audit::seal_for_operator(store, audit)?;
    let write = move |tx: &mut WriteTx<'_>| {
        set_meta(tx.conn, OPERATOR_KEY, &hash)?;
        audit::insert_for_operator(tx, &entry)
    };
    store.writer.write(KEY_BYTES, write).await
}

pub(super) async fn save_revision(store: &SqliteStore, revision: &ContractRevision) -> Result<()> {
    if revision_by_id(store, revision.id).await?.is_some() {
        return Ok(());
    }
    let revision = revision.clone();
    let write = move |tx: &mut WriteTx<'_>| {
        let sql = "INSERT OR IGNORE INTO contract_revisions (hash, name, text) VALUES (?, ?, ?)";
        tx.conn.prepare_cached(sql)?.execute(params![revision.id.0, revision.name, revision.text])?;
        Ok(())
    };
    store.writer.write(KEY_BYTES, write).await
}

pub(super) async fn revision_by_id(store: &SqliteStore, id: RevisionId) -> Result<Option<ContractRevision>> {
    let read = move |reader: &mut Reader| {
        let sql = "SELECT name, text FROM contract_revisions WHERE hash = ?";
        let from_row = |row: &Row<'_>| Ok(ContractRevision { id, name: row.get(0)?, text: row.get(1)? });
        Ok(reader.conn.prepare_cached(sql)?.query_row([id.0], from_row).optional()?)
    };
    store.readers.read(read).await
}

pub(super) async fn contracts_in_use(store: &SqliteStore) -> Result<Vec<ContractUse>> {
    let read = |reader: &mut Reader| {
        let names = "SELECT contract FROM organizations WHERE deleted = 0 UNION
                     SELECT contract FROM endpoints WHERE deleted = 0 ORDER BY 1";
        let mut statement = reader.conn.prepare_cached(names)?;
        let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
        drop(statement);
        names.into_iter().map(|name| contract_use(reader, name)).collect()
    };
    store.readers.read(read).await
}

fn contract_use(reader: &Reader, name: String) -> Result<ContractUse, Fault> {
    let sql = "SELECT id FROM (
                   SELECT id FROM organizations WHERE contract = ?1 AND deleted = 0 UNION
                   SELECT o.id FROM endpoints e JOIN organizations o ON o.no = e.org_no AND o.deleted = 0
                   WHERE e.contract = ?1 AND e.deleted = 0) ORDER BY id LIMIT ?2";
    let most = i64::try_from(ContractUse::ORGANIZATIONS_MAX).unwrap_or(i64::MAX);
    let mut statement = reader.conn.prepare_cached(sql)?;
    let ids = statement.query_map(params![name, most], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    let damaged_id = |_| Fault::from(damaged("an organization's id"));
    let organizations = ids.iter().map(|id| id.parse().map_err(damaged_id)).collect::<Result<_, _>>()?;
    Ok(ContractUse { name, organizations })
}
