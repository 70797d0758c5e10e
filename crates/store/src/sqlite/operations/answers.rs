//! Answers that are kept under idempotency keys, as an erasure looks through them.

use postrider_domain::OrganizationId;
use rusqlite::params;

use crate::error::Result;
use crate::model::StoredAnswer;
use crate::rows::open_answer;
use crate::sqlite::SqliteStore;
use crate::sqlite::ending::overwrite_deleted;
use crate::sqlite::reader::Reader;
use crate::sqlite::writer::WriteTx;

/// About what forgetting one writes.
const FORGOTTEN_BYTES: usize = 256;

pub(super) async fn page(
    store: &SqliteStore,
    organization: &OrganizationId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, StoredAnswer)>> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(Vec::new()) };
    let (org_no, after) = (tenant.no, after.unwrap_or_default().to_owned());
    let read = move |reader: &mut Reader| {
        let sql = "SELECT key, status, sealed FROM answers WHERE org_no = ? AND key > ? ORDER BY key LIMIT ?";
        let mut statement = reader.conn.prepare_cached(sql)?;
        let from_row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let rows = statement.query_map(params![org_no, after, i64::try_from(limit).unwrap_or(i64::MAX)], from_row)?;
        Ok(rows.collect::<rusqlite::Result<Vec<(String, u16, Vec<u8>)>>>()?)
    };
    let opened = store.readers.read(read).await?.into_iter().map(|(key, status, sealed)| {
        let answer = open_answer(tenant.sealer(), &key, status, sealed)?;
        Ok((key, answer))
    });
    opened.collect()
}

pub(super) async fn forget(store: &SqliteStore, organization: &OrganizationId, key: &str) -> Result<()> {
    let Some(tenant) = store.tenants.find(&store.readers, organization).await? else { return Ok(()) };
    let (org_no, key) = (tenant.no, key.to_owned());
    let write = move |tx: &mut WriteTx<'_>| {
        overwrite_deleted(tx.conn, true)?;
        let sql = "DELETE FROM answers WHERE org_no = ? AND key = ?";
        let forgotten = tx.conn.prepare_cached(sql)?.execute(params![org_no, key]);
        overwrite_deleted(tx.conn, false)?;
        forgotten?;
        Ok(())
    };
    store.writer.write(FORGOTTEN_BYTES, write).await
}
