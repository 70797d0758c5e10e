//! Opens the store that the settings name, with the master keys that they give.

use std::sync::Arc;

use postrider_store::{MasterKey, MasterKeys, SqliteOptions, SqliteStore, Store};

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
        StorePlace::Database(database) => open_database(database, keys).await,
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

/// Reaches and opens a database.
#[expect(clippy::unused_async, reason = "the Postgres store is on its way")]
async fn open_database(database: &DatabaseSettings, _keys: MasterKeys) -> anyhow::Result<Arc<dyn Store>> {
    if let Some(path) = &database.ca_file {
        crate::files::read_ca(path).map_err(anyhow::Error::msg)?;
    }
    anyhow::bail!("{}: this build has no Postgres store yet ({} connections)", database.url, database.connections_max)
}
