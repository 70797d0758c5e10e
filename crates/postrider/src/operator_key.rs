//! The operator key: given by a setting, or made at the first start of an embedded store. The store keeps its hash alone.

use anyhow::{anyhow, ensure};
use data_encoding::BASE32_NOPAD;
use postrider_domain::{Action, Actor, AuditEntry, AuditId, Millis, Secret};
use postrider_engine::Ids;
use postrider_store::Store;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// What keys that are made begin with, so that scanners of leaked secrets find them.
const PREFIX: &str = "pro_";
const RANDOM_BYTES: usize = 32;

/// Makes a key of 256 random bits.
pub(crate) fn make() -> anyhow::Result<Secret> {
    let mut random = Zeroizing::new([0; RANDOM_BYTES]);
    SystemRandom::new().fill(random.as_mut()).map_err(|_| anyhow!("the system gives no random bytes"))?;
    Ok(Secret::new(format!("{PREFIX}{}", BASE32_NOPAD.encode(random.as_ref()).to_ascii_lowercase())))
}

/// What the store keeps of a key, and the server compares.
pub(crate) fn hash(key: &Secret) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, key.reveal().as_bytes()).as_ref());
    hash
}

/// What the audit trail tells of another key.
pub(crate) fn replaced(actor: Actor, now: Millis) -> AuditEntry {
    let id = AuditId(Ids::default().next(now));
    AuditEntry::new(id, now, actor, Action::OPERATOR_KEY_REPLACED, "operator_key")
}

/// The hash that requests are compared with, and the key itself when it was made just now. A key that is given counts.
pub(crate) async fn settle(
    store: &dyn Store,
    given: Option<&Secret>,
    now: Millis,
) -> anyhow::Result<([u8; 32], Option<Secret>)> {
    let kept = store.operator_key_hash().await?;
    if let Some(key) = given {
        let hash = hash(key);
        if kept != Some(hash) {
            store.set_operator_key_hash(hash, &replaced(Actor::Operator, now)).await?;
        }
        return Ok((hash, None));
    }
    if let Some(hash) = kept {
        return Ok((hash, None));
    }
    let key = make()?;
    let hash = hash(&key);
    store.set_operator_key_hash(hash, &replaced(Actor::System, now)).await?;
    Ok((hash, Some(key)))
}

/// The same where nodes share the store: the key that came first counts, and whoever has another is told.
///
/// # Errors
/// When the store has another key.
pub(crate) async fn agree(store: &dyn Store, given: &Secret) -> anyhow::Result<[u8; 32]> {
    let hash = hash(given);
    let kept = store.settle_operator_key_hash(hash).await?;
    ensure!(
        kept == hash,
        "operator_key: the database has another operator key than this node was given; give it the one that the other nodes \
         have or, to replace that, run `postrider keys operator` with the new one and give that to every node"
    );
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postrider_store::{MasterKey, SqliteOptions, SqliteStore};

    #[test]
    fn made_keys_differ_and_hash_as_the_server_hashes() {
        let (one, other) = (make().unwrap(), make().unwrap());
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().len(), PREFIX.len() + 52);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(data_encoding::HEXLOWER.encode(&hash(&Secret::new("abc".into()))), abc);
    }

    #[tokio::test]
    async fn nodes_agree_on_the_key_that_came_first_and_another_is_refused_until_it_replaces_that() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path(), MasterKey::generate().unwrap(), &SqliteOptions::default()).unwrap();
        let (first, other) = (Secret::new("first".into()), Secret::new("other".into()));
        assert_eq!(agree(&store, &first).await.unwrap(), hash(&first));
        assert_eq!(agree(&store, &first).await.unwrap(), hash(&first));
        let refused = agree(&store, &other).await.unwrap_err().to_string();
        assert!(refused.contains("postrider keys operator") && !refused.contains("other\""), "{refused}");
        assert_eq!(store.operator_key_hash().await.unwrap(), Some(hash(&first)));
        store.set_operator_key_hash(hash(&other), &replaced(Actor::Operator, Millis(0))).await.unwrap();
        assert_eq!(agree(&store, &other).await.unwrap(), hash(&other));
    }
}
