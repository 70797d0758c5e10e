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

/// Whether there is something in it already, as far as that can be seen without opening it.
pub(crate) fn is_begun(settings: &StoreSettings) -> bool {
    match &settings.place {
        StorePlace::Data(data) => SqliteStore::exists(data),
        StorePlace::Database(_) => true,
    }
}

/// Reaches and opens a database, once: a supervisor knows better when to try again.
pub(crate) async fn open_postgres(database: &DatabaseSettings, keys: MasterKeys) -> anyhow::Result<PostgresStore> {
    let ca_pems = database.ca_file.iter().map(|path| files::read_ca(path).map_err(anyhow::Error::msg));
    let ca_pems = ca_pems.collect::<anyhow::Result<Vec<_>>>()?;
    let options = PostgresOptions { connections_max: database.connections_max, ca_pems, ..PostgresOptions::default() };
    let opened = PostgresStore::open(database.url.reveal(), keys, &options).await;
    opened.map_err(|error| match error {
        StoreError::Unavailable { reason } => {
            anyhow!("cannot open the store: {reason}; start again when the database answers")
        }
        error => error.into(),
    })
}
