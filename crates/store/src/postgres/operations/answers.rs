//! Answers that are kept under idempotency keys, as an erasure looks through them.

use postrider_domain::OrganizationId;

use crate::error::Result;
use crate::model::StoredAnswer;
use crate::postgres::PostgresStore;
use crate::rows::open_answer;

pub(super) async fn page(
    store: &PostgresStore,
    organization: &OrganizationId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, StoredAnswer)>> {
    let sql = "SELECT key, status, sealed FROM answers
               WHERE org = $1 AND key > $2 AND status IS NOT NULL AND sealed IS NOT NULL ORDER BY key LIMIT $3";
    let (after, most) = (after.unwrap_or_default(), i64::try_from(limit).unwrap_or(i64::MAX));
    let Some((tenant, rows)) = store.read_of(organization, sql, &[&after, &most]).await? else { return Ok(Vec::new()) };
    let opened = rows.iter().map(|row| {
        let key: String = row.get(0);
        let answer = open_answer(tenant.sealer(), &key, row.get::<_, i16>(1).unsigned_abs(), row.get(2))?;
        Ok((key, answer))
    });
    opened.collect()
}

pub(super) async fn forget(store: &PostgresStore, organization: &OrganizationId, key: &str) -> Result<()> {
    let sql = "DELETE FROM answers WHERE org = $1 AND key = $2 AND status IS NOT NULL";
    store.read_of(organization, sql, &[&key]).await.map(|_| ())
}
