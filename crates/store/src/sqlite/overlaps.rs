//! Secrets that were replaced leave the store once they have stopped working.

use postrider_domain::{EndpointId, Millis, OrganizationId};
use rusqlite::{OptionalExtension, params};

use super::SqliteStore;
use super::endpoints::{ENDPOINT_BYTES, count_change};
use super::reader::{Reader, uuid_at};
use super::rows::{ENDPOINT_COLUMNS, endpoint_row};
use super::writer::WriteTx;
use crate::error::Result;
use crate::limits::OVERLAPS_ENDED_AT_ONCE;
use crate::rows::seal_endpoint;

/// Removes old secrets whose overlap was over at `now`, some of them; the next step goes on.
pub(super) async fn end(store: &SqliteStore, now: Millis) -> Result<()> {
    let read = move |reader: &mut Reader| {
        let sql = "SELECT o.id, e.id FROM endpoints e JOIN organizations o ON o.no = e.org_no
                   WHERE e.overlap_ends_at <= ? AND e.deleted = 0 AND o.deleted = 0 ORDER BY e.overlap_ends_at LIMIT ?";
        let key = params![now.0, OVERLAPS_ENDED_AT_ONCE];
        let of_row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, EndpointId(uuid_at(row, 1)?)));
        Ok(reader.conn.prepare_cached(sql)?.query_map(key, of_row)?.collect::<rusqlite::Result<Vec<_>>>()?)
    };
    for (organization, endpoint) in store.readers.read(read).await? {
        let Ok(organization) = organization.parse::<OrganizationId>() else { continue };
        // One that cannot be read keeps no other from going.
        if let Err(error) = end_one(store, organization, endpoint, now).await {
            tracing::warn!(%endpoint, %error, "a secret that was replaced could not be removed; it is tried again");
        }
    }
    Ok(())
}

async fn end_one(store: &SqliteStore, organization: OrganizationId, id: EndpointId, now: Millis) -> Result<()> {
    let Some(tenant) = store.tenants.find(&store.readers, &organization).await? else { return Ok(()) };
    let write = move |tx: &mut WriteTx<'_>| {
        let sql = format!("SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE id = ? AND org_no = ? AND deleted = 0");
        let key = params![id.0.as_bytes(), tenant.no];
        let found = tx.conn.prepare_cached(&sql)?.query_row(key, endpoint_row).optional()?;
        let Some(row) = found else { return Ok(()) };
        let mut endpoint = row.open(tenant.sealer(), &organization)?;
        if endpoint.open_overlap(now).is_some() {
            return Ok(());
        }
        endpoint.overlap = None;
        let sealed = seal_endpoint(tenant.sealer(), &endpoint)?;
        let wipe = "UPDATE endpoints SET sealed = zeroblob(length(sealed)) WHERE id = ?";
        tx.conn.prepare_cached(wipe)?.execute([id.0.as_bytes()])?;
        let sql = "UPDATE endpoints SET sealed = ?, overlap_ends_at = NULL WHERE id = ?";
        tx.conn.prepare_cached(sql)?.execute(params![sealed, id.0.as_bytes()])?;
        count_change(tx, tenant.no)
    };
    store.writer.write(ENDPOINT_BYTES, write).await
}
