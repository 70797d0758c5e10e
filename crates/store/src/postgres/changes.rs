//! What every change of an organisation or of one of its endpoints does in its own transaction: the configuration becomes a newer one, and
//! every node learns of it, by a hint or from the list of changes.

use uuid::Uuid;

use super::session::Session;
use crate::error::{Result, StoreError};
use crate::model::Version;

/// The channel of all hints. One about an organisation is `changed:` and its id.
macro_rules! tell_changed {
    () => {
        "noted AS (INSERT INTO changes (id) SELECT id FROM changed)
         SELECT pg_notify('postrider', 'changed:' || id) FROM changed"
    };
}
pub(super) use tell_changed;

/// Locks the organisation's row until the transaction ends and counts the change. False when there is no such organisation any more.
pub(super) async fn count(tx: &Session, org: Uuid) -> Result<bool> {
    count_from(tx, org, None).await
}

/// The same of a change that was made from this configuration.
///
/// # Errors
/// [`StoreError::Outdated`] when there is a newer one.
pub(super) async fn count_from(tx: &Session, org: Uuid, basis: Option<Version>) -> Result<bool> {
    let sql = "WITH changed AS (UPDATE organizations SET version = version + 1 WHERE org = $1 AND NOT deleted RETURNING id, version),
               noted AS (INSERT INTO changes (id) SELECT id FROM changed)
               SELECT pg_notify('postrider', 'changed:' || id), version FROM changed";
    let rows = tx.query(sql, &[&org]).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    let was = Version(row.get::<_, i64>(1) - 1);
    if basis.is_some_and(|seen| seen != was) { Err(StoreError::Outdated) } else { Ok(true) }
}
