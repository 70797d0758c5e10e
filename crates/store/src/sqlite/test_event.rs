//! Records a test event: it, its delivery and the attempt, all in one.

use postrider_domain::AuditEntry;

use super::SqliteStore;
use super::writer::WriteTx;
use super::{audit, commit, record};
use crate::error::Result;
use crate::model::{NewEvent, Outcome, Recorded};
use crate::rows::seal_audit;

pub(super) async fn record_test(
    store: &SqliteStore,
    event: NewEvent,
    outcome: &Outcome,
    audit: &AuditEntry,
) -> Result<Recorded> {
    let endpoint = outcome.delivery.endpoint;
    let Some(tenant) = store.tenants.find(&store.readers, &outcome.delivery.organization).await? else {
        return Ok(Recorded::Stale);
    };
    let event = commit::seal(&tenant, event)?;
    let Some(ended) = record::seal(store, outcome).await? else { return Ok(Recorded::Stale) };
    let entry = seal_audit(tenant.sealer(), audit)?;
    let bytes = event.bytes() + ended.bytes();
    let write = move |tx: &mut WriteTx<'_>| {
        if tx.numbers.endpoint(tx.conn, tenant.no, endpoint)?.is_none() {
            return Ok(Recorded::Stale);
        }
        commit::apply(tx, tenant.no, None, std::slice::from_ref(&event))?;
        audit::insert(tx, tenant.no, &entry)?;
        record::apply(tx, &mut record::Prepared::new(tx.conn)?, Some(&ended))
    };
    store.writer.write(bytes, write).await
}
