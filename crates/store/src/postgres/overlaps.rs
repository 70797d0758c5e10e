//! Secrets that were replaced leave the store once they have stopped working.

use postrider_domain::{EndpointId, Millis, OrganizationId};

use super::rows::{ENDPOINT_COLUMNS, endpoint_row};
use super::session::Mode;
use super::{PostgresStore, changes};
use crate::error::Result;
use crate::limits::OVERLAPS_ENDED_AT_ONCE;
use crate::rows::seal_endpoint;

/// Removes old secrets whose overlap was over at `now`, some of them; the next step goes on. Two nodes that are at it do no harm to each other.
pub(super) async fn end(store: &PostgresStore, now: Millis) -> Result<()> {
    let sql = "SELECT o.id, e.id FROM endpoints AS e JOIN organizations AS o ON o.org = e.org
               WHERE e.overlap_ends_at <= $1 AND NOT e.deleted AND NOT o.deleted ORDER BY e.overlap_ends_at LIMIT $2";
    for row in store.engine().await?.query(sql, &[&now.0, &OVERLAPS_ENDED_AT_ONCE]).await? {
        let Ok(organization) = row.get::<_, &str>(0).parse::<OrganizationId>() else { continue };
        let endpoint = EndpointId(row.get(1));
        // One that cannot be read keeps no other from going.
        if let Err(error) = end_one(store, &organization, endpoint, now).await {
            tracing::warn!(%endpoint, %error, "a secret that was replaced could not be removed; it is tried again");
        }
    }
    Ok(())
}

async fn end_one(store: &PostgresStore, organization: &OrganizationId, id: EndpointId, now: Millis) -> Result<()> {
    let Some((tenant, tx)) = store.begin_of(organization, Mode::Write).await? else { return Ok(()) };
    // The organisation's row is locked from here on, so that what is read is still so when it is written.
    if !changes::count(&tx, tenant.org).await? {
        return Ok(());
    }
    let sql = format!("SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE org = $1 AND id = $2 AND NOT deleted");
    let rows = tx.query(&sql, &[&tenant.org, &id.0]).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let mut endpoint = endpoint_row(row, 0).open(tenant.sealer(), organization)?;
    if endpoint.overlap.is_none() || endpoint.open_overlap(now).is_some() {
        return Ok(());
    }
    endpoint.overlap = None;
    let sql = "UPDATE endpoints SET sealed = $3, overlap_ends_at = NULL WHERE org = $1 AND id = $2";
    tx.execute(sql, &[&tenant.org, &id.0, &seal_endpoint(tenant.sealer(), &endpoint)?]).await?;
    tx.commit().await
}
