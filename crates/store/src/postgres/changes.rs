//! What every change of an organisation or of one of its endpoints does in its own transaction: the configuration becomes a newer one, and
//! every node learns of it, by a hint or from the list of changes.

use uuid::Uuid;

use super::session::Session;
use crate::error::Result;

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
    let sql = concat!(
        "WITH changed AS (UPDATE organizations SET version = version + 1 WHERE org = $1 AND NOT deleted RETURNING id), ",
        tell_changed!()
    );
    Ok(!tx.query(sql, &[&org]).await?.is_empty())
}
