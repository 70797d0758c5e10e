//! Whether the master keys fit the database, and the operator's own data key.

use tokio_postgres::Transaction;
use uuid::Uuid;

use super::connect::{Address, Role};
use super::error::{self, Place};
use super::roles;
use crate::error::{Result, StoreError};
use crate::keyring::{self, Fit, KeyOwner};
use crate::master_key::MasterKeys;
use crate::seal::SealingKey;

/// What belongs to the operator has this for its organisation.
pub(super) const OPERATOR: Uuid = Uuid::nil();
/// Takes the only turn there is, in a transaction of the engine's: two nodes that start for the first time at once end with one data key.
pub(super) const TURN: &str = "SELECT pg_advisory_xact_lock(hashtext('postrider'), hashtext('master keys'))";

/// Checks that the ring has every master key that wrapped something here, notes the current one, and returns the operator's data key.
pub(super) async fn check(address: &Address, keys: &MasterKeys) -> Result<SealingKey> {
    let mut connected = address.connect(&Role::Owner.options()).await?;
    let tx = connected.client.transaction().await.map_err(refused)?;
    tx.batch_execute(&format!("SET LOCAL ROLE {}", roles::ENGINE)).await.map_err(refused)?;
    tx.batch_execute(TURN).await.map_err(refused)?;
    check_canaries(&tx, address.place(), keys).await?;
    note_current(&tx, keys).await?;
    let operator = operator_key(&tx, keys).await?;
    tx.commit().await.map_err(refused)?;
    Ok(operator)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn refused(error: tokio_postgres::Error) -> StoreError {
    error::of_statement(&error)
}

/// Those of the ring that are noted. One whose key is missing is forgotten when that key wrapped nothing.
async fn check_canaries(tx: &Transaction<'_>, place: &Place, keys: &MasterKeys) -> Result<()> {
    for row in tx.query("SELECT id, canary FROM master_keys", &[]).await.map_err(refused)? {
        match keys.judge_canary(row.get(1)) {
            Fit::Fits { .. } => {}
            Fit::Damaged => return Err(place.unusable(keyring::DAMAGED).into()),
            Fit::Missing(id) => {
                let wrapped = "SELECT FROM data_keys WHERE master_id = $1 LIMIT 1";
                if tx.query_opt(wrapped, &[&id.as_slice()]).await.map_err(refused)?.is_some() {
                    return Err(place.unusable(keys.lacks(id)).into());
                }
                let forget = "DELETE FROM master_keys WHERE id = $1";
                tx.execute(forget, &[&row.get::<_, &[u8]>(0)]).await.map_err(refused)?;
            }
        }
    }
    Ok(())
}

/// Data keys may be wrapped by the current key from now on.
async fn note_current(tx: &Transaction<'_>, keys: &MasterKeys) -> Result<()> {
    let sql = "INSERT INTO master_keys (id, canary) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let id = keys.current.id.0;
    tx.execute(sql, &[&id.as_slice(), &keys.canary()?]).await.map(|_| ()).map_err(refused)
}

/// Made by the first node.
async fn operator_key(tx: &Transaction<'_>, keys: &MasterKeys) -> Result<SealingKey> {
    let owner = key_owner(&OPERATOR);
    let sql = "SELECT wrapped FROM data_keys WHERE org = $1";
    if let Some(row) = tx.query_opt(sql, &[&OPERATOR]).await.map_err(refused)? {
        return keys.open_data_key(owner, row.get(0));
    }
    let (key, wrapped) = keys.make_data_key(owner)?;
    let insert = "INSERT INTO data_keys (org, master_id, wrapped) VALUES ($1, $2, $3)";
    tx.execute(insert, &[&OPERATOR, &keys.current.id.0.as_slice(), &wrapped]).await.map_err(refused)?;
    Ok(key)
}

/// Whose a data key is, as it is authenticated with it.
pub(super) fn key_owner(org: &Uuid) -> KeyOwner<'_> {
    KeyOwner { no: 0, row: org.as_bytes() }
}
