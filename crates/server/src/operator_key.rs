//! The operator key as the store has it: another node, or `postrider keys operator`, may have replaced it since this server was started.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use postrider_store::Store;

/// The SHA-256 of the operator key, and when it was looked up.
#[derive(Debug)]
pub(crate) struct OperatorKey {
    known: Mutex<([u8; 32], Instant)>,
    fresh_for: Duration,
}

impl OperatorKey {
    /// This one, which was looked up just now.
    pub(crate) fn new(hash: [u8; 32], fresh_for: Duration) -> Self {
        OperatorKey { known: Mutex::new((hash, Instant::now())), fresh_for }
    }

    /// What requests are compared with. One of them looks it up again now and then; others are compared with the known one meanwhile.
    pub(crate) async fn hash(&self, store: &dyn Store) -> [u8; 32] {
        let known = {
            let mut known = self.known.lock();
            if known.1.elapsed() < self.fresh_for {
                return known.0;
            }
            known.1 = Instant::now();
            known.0
        };
        // A store that cannot say, or has none, takes nobody's key away.
        let Ok(Some(hash)) = store.operator_key_hash().await else { return known };
        self.known.lock().0 = hash;
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postrider_domain::{Action, Actor, AuditEntry, AuditId, Millis};
    use postrider_store::{MasterKey, SqliteOptions, SqliteStore};

    #[tokio::test]
    async fn a_key_that_was_replaced_in_the_store_is_learnt_once_the_known_one_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path(), MasterKey::generate().unwrap(), &SqliteOptions::default()).unwrap();
        let (always, seldom) =
            (OperatorKey::new([1; 32], Duration::ZERO), OperatorKey::new([1; 32], Duration::from_secs(3_600)));
        assert_eq!(always.hash(&store).await, [1; 32], "the store has none");
        let replaced = AuditEntry::new(
            AuditId(uuid::Uuid::nil()),
            Millis(0),
            Actor::Operator,
            Action::OPERATOR_KEY_REPLACED,
            "operator_key",
        );
        store.set_operator_key_hash([2; 32], &replaced).await.unwrap();
        assert_eq!((always.hash(&store).await, seldom.hash(&store).await), ([2; 32], [1; 32]));
        store.close().await.unwrap();
        assert_eq!(always.hash(&store).await, [2; 32], "the store does not answer");
    }
}
