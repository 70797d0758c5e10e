//! Opens the store that the settings name, with the master keys that they give.

use std::sync::Arc;

use anyhow::anyhow;
use postrider_store::{
    MasterKey, MasterKeys, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store, StoreError,
};

use crate::files;
use crate::settings::{DatabaseSettings, EncryptionKey, StorePlace, StoreSettings};

/// Opens the store. A directory that is not there is made, and its master key with it; of a database, the tables are.
///
/// # Errors
/// When it cannot be used, or a database cannot be reached now: whoever supervises this process starts it again.
pub(crate) async fn open(settings: &StoreSettings) -> anyhow::Result<Arc<dyn Store>> {
    let keys = master_keys(settings)?;
    match &settings.place {
        StorePlace::Data(data) => {
            let data = data.clone();
            // Opening blocks on the disk.
            let open = tokio::task::spawn_blocking(move || SqliteStore::open(&data, keys, &SqliteOptions::default()));
            Ok(Arc::new(open.await??))
        }
        StorePlace::Database(database) => Ok(Arc::new(open_postgres(database, keys).await?)),
    }
}

/// The ring of master keys.
pub(crate) fn master_keys(settings: &StoreSettings) -> anyhow::Result<MasterKeys> {
    let current = match (&settings.key, &settings.place) {
        (EncryptionKey::Given(text), _) => MasterKey::from_base64(text.reveal())?,
        (EncryptionKey::File(path), StorePlace::Data(data)) => MasterKey::load_or_create_file(path, data)?,
        (EncryptionKey::File(path), StorePlace::Database(_)) => MasterKey::load_file(path)?,
    };
    let others =
        settings.keys_old.iter().map(|text| MasterKey::from_base64(text.reveal())).collect::<Result<_, _>>()?;
    Ok(MasterKeys { current, others })
}

/// Whether there is something in it already. Nothing is made or changed.
///
/// # Errors
/// When a database cannot be reached.
pub(crate) async fn is_begun(settings: &StoreSettings) -> anyhow::Result<bool> {
    match &settings.place {
        StorePlace::Data(data) => Ok(SqliteStore::exists(data)),
        StorePlace::Database(database) => {
            let is_begun = PostgresStore::is_begun(database.url.reveal(), &postgres_options(database)?).await;
            is_begun.map_err(when_opening)
        }
    }
}

/// Reaches and opens a database, once: a supervisor knows better when to try again.
pub(crate) async fn open_postgres(database: &DatabaseSettings, keys: MasterKeys) -> anyhow::Result<PostgresStore> {
    PostgresStore::open(database.url.reveal(), keys, &postgres_options(database)?).await.map_err(when_opening)
}

fn postgres_options(database: &DatabaseSettings) -> anyhow::Result<PostgresOptions> {
    let ca_pems = database.ca_file.iter().map(|path| files::read_ca(path).map_err(anyhow::Error::msg));
    let ca_pems = ca_pems.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(PostgresOptions { connections_max: database.connections_max, ca_pems, ..PostgresOptions::default() })
}

fn when_opening(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Unavailable { reason } => {
            anyhow!("cannot open the store: {reason}; start again when the database answers")
        }
        error => error.into(),
    }
}
