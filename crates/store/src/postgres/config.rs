//! API keys, the operator key and contract revisions.

use postrider_domain::{AuditEntry, Key, KeyId, OrganizationId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::rows::{millis_at, opt_millis_at};
use super::session::Mode;
use super::tenants::missing;
use super::{PostgresStore, audit};
use crate::error::{Result, StoreError};
use crate::limits::PAGE_ROWS_MAX;
use crate::model::{ContractRevision, ContractUse, PageOf, PageRequest, RevisionId};
use crate::rows::{damaged, page_of, require_room_for_key, seal_audit};

pub(super) const OPERATOR_KEY: &str = "operator key hash";
pub(super) const KEY_COLUMNS: &str = "k.id, k.name, k.scopes, k.hint, k.created_at, k.expires_at";

pub(super) async fn create_key(
    store: &PostgresStore,
    key: &Key,
    hash: [u8; 32],
    keys_max: u32,
    audit: &AuditEntry,
) -> Result<()> {
    let id = &key.organization;
    let (tenant, tx) = store.begin_of(id, Mode::Write).await?.ok_or_else(|| missing(id))?;
    // Two that are made at once do not pass the limit together.
    let lock = "SELECT 1 FROM organizations WHERE org = $1 AND NOT deleted FOR NO KEY UPDATE";
    if tx.query(lock, &[&tenant.org]).await?.is_empty() {
        return Err(missing(id));
    }
    let counted = tx.query("SELECT count(*) FROM api_keys WHERE org = $1", &[&tenant.org]).await?;
    require_room_for_key(counted.first().map_or(0, |row| row.get(0)), keys_max)?;
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let sql = "INSERT INTO api_keys (org, id, hash, name, scopes, hint, created_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let made = tx
        .execute(
            sql,
            &[
                &tenant.org,
                &key.id.0,
                &hash.as_slice(),
                &key.name,
                &scopes.join(" "),
                &key.hint,
                &key.created_at.0,
                &key.expires_at.map(|at| at.0),
            ],
        )
        .await?;
    if made == 0 {
        return Err(StoreError::Exists { what: format!("key {}", key.id) });
    }
    audit::insert(&tx, tenant.org, &seal_audit(tenant.sealer(), audit)?).await?;
    tx.commit().await
}

/// Whose key it is, is what is asked: so this crosses organisations.
pub(super) async fn key_by_hash(store: &PostgresStore, hash: [u8; 32]) -> Result<Option<Key>> {
    let sql = format!(
        "SELECT {KEY_COLUMNS}, o.id FROM api_keys k JOIN organizations o ON o.org = k.org AND NOT o.deleted WHERE k.hash = $1"
    );
    let rows = store.engine().await?.query(&sql, &[&hash.as_slice()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let organization = row.get::<_, &str>(6).parse().map_err(|_| damaged("an organization's id"))?;
    key_from_row(row, organization).map(Some)
}

pub(super) fn key_from_row(row: &Row, organization: OrganizationId) -> Result<Key> {
    let scopes = row.get::<_, &str>(2).split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>();
    Ok(Key {
        id: KeyId(row.get(0)),
        organization,
        name: row.get(1),
        scopes: scopes.map_err(|_| damaged("a key's scopes"))?,
        hint: row.get(3),
        created_at: millis_at(row, 4),
        expires_at: opt_millis_at(row, 5),
    })
}

pub(super) async fn keys(
    store: &PostgresStore,
    organization: &OrganizationId,
    page: PageRequest,
) -> Result<PageOf<Key>> {
    let limit = page.limit.min(PAGE_ROWS_MAX);
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let sql =
        format!("SELECT {KEY_COLUMNS} FROM api_keys k WHERE k.org = $1 AND k.id < $2 ORDER BY k.id DESC LIMIT $3");
    let before = page.before.unwrap_or(Uuid::max());
    let Some((_, rows)) = store.read_of(organization, &sql, &[&before, &most]).await? else {
        return Ok(PageOf { rows: Vec::new(), next: None });
    };
    let rows = rows.iter().map(|row| key_from_row(row, organization.clone())).collect::<Result<_>>()?;
    Ok(page_of(rows, limit, |key: &Key| key.id.0))
}

pub(super) async fn delete_key(
    store: &PostgresStore,
    organization: &OrganizationId,
    id: KeyId,
    audit: &AuditEntry,
) -> Result<bool> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Write).await? else { return Ok(false) };
    let sql = "DELETE FROM api_keys WHERE org = $1 AND id = $2";
    if tx.execute(sql, &[&tenant.org, &id.0]).await? == 0 {
        return Ok(false);
    }
    audit::insert(&tx, tenant.org, &seal_audit(tenant.sealer(), audit)?).await?;
    tx.commit().await?;
    Ok(true)
}

pub(super) async fn operator_key_hash(store: &PostgresStore) -> Result<Option<[u8; 32]>> {
    let rows = store.engine().await?.query("SELECT value FROM meta WHERE name = $1", &[&OPERATOR_KEY]).await?;
    rows.first().map(hash_from_row).transpose()
}

fn hash_from_row(row: &Row) -> Result<[u8; 32]> {
    row.get::<_, &[u8]>(0).try_into().map_err(|_| damaged("the operator key's hash"))
}

pub(super) async fn settle_operator_key_hash(store: &PostgresStore, hash: [u8; 32]) -> Result<[u8; 32]> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2)
               ON CONFLICT (name) DO UPDATE SET value = meta.value RETURNING value";
    let rows = store.engine().await?.query(sql, &[&OPERATOR_KEY, &hash.as_slice()]).await?;
    rows.first().map_or(Ok(hash), hash_from_row)
}

pub(super) async fn set_operator_key_hash(store: &PostgresStore, hash: [u8; 32], audit: &AuditEntry) -> Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2";
    let tx = store.engine().await?.begin().await?;
    tx.execute(sql, &[&OPERATOR_KEY, &hash.as_slice()]).await?;
    audit::insert_for_operator(store, &tx, audit).await?;
    tx.commit().await
}

pub(super) async fn save_revision(store: &PostgresStore, revision: &ContractRevision) -> Result<()> {
    let sql = "INSERT INTO contract_revisions (hash, name, text) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let hash = revision.id.0.as_slice();
    store.engine().await?.execute(sql, &[&hash, &revision.name, &revision.text]).await.map(|_| ())
}

pub(super) async fn revision_by_id(store: &PostgresStore, id: RevisionId) -> Result<Option<ContractRevision>> {
    let sql = "SELECT name, text FROM contract_revisions WHERE hash = $1";
    let rows = store.engine().await?.query(sql, &[&id.0.as_slice()]).await?;
    Ok(rows.first().map(|row| ContractRevision { id, name: row.get(0), text: row.get(1) }))
}

pub(super) async fn contracts_in_use(store: &PostgresStore) -> Result<Vec<ContractUse>> {
    let sql = "SELECT used.name, ARRAY(
                   SELECT id FROM (
                       SELECT id FROM organizations WHERE contract = used.name AND NOT deleted
                       UNION
                       SELECT o.id FROM endpoints e JOIN organizations o ON o.org = e.org AND NOT o.deleted
                       WHERE e.contract = used.name AND NOT e.deleted
                   ) AS users ORDER BY id COLLATE \"C\" LIMIT $1)
               FROM (SELECT contract FROM organizations WHERE NOT deleted
                     UNION SELECT contract FROM endpoints WHERE NOT deleted) AS used (name)
               ORDER BY used.name COLLATE \"C\"";
    let most = i64::try_from(ContractUse::ORGANIZATIONS_MAX).unwrap_or(i64::MAX);
    let rows = store.engine().await?.query(sql, &[&most]).await?;
    rows.iter().map(use_from_row).collect()
}

fn use_from_row(row: &Row) -> Result<ContractUse> {
    let ids: Vec<&str> = row.get(1);
    let organizations = ids.into_iter().map(str::parse).collect::<Result<_, _>>();
    Ok(ContractUse { name: row.get(0), organizations: organizations.map_err(|_| damaged("an organization's id"))? })
}
