//! The stores that `export`, `import`, `backup` and `restore` work on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::ensure;
use postrider_store::{MasterKey, MasterKeys, SqliteStore, Store, Transfer};

use crate::cli::StoreArgs;
use crate::failure::{Misuse, all};
use crate::settings::{
    DatabaseSettings, EncryptionKey, Purpose, SettingFlags, Sources, StorePlace, StoreSettings, Variables,
};
use crate::store;

/// A store that is open, with its master keys.
pub(super) struct MovedStore {
    pub(super) store: Arc<dyn Store>,
    pub(super) transfer: Arc<dyn Transfer>,
    pub(super) keys: MasterKeys,
}

impl MovedStore {
    fn new<S: Store + Transfer>(store: S, keys: MasterKeys) -> Self {
        let store = Arc::new(store);
        MovedStore { store: Arc::clone(&store) as Arc<dyn Store>, transfer: store, keys }
    }

    /// Opens it, though it may have been exported for good.
    pub(super) async fn open(settings: &StoreSettings) -> anyhow::Result<Self> {
        let keys = store::master_keys(settings)?;
        match &settings.place {
            StorePlace::Data(data) => {
                let (data, ring) = (data.clone(), keys.clone());
                let open = tokio::task::spawn_blocking(move || SqliteStore::open_to_move(&data, ring));
                Ok(Self::new(open.await??, keys))
            }
            StorePlace::Database(database) => Ok(Self::new(store::open_postgres(database, keys.clone()).await?, keys)),
        }
    }
}

/// The settings of the store that the arguments name.
pub(super) fn settings(args: &StoreArgs, variables: &Variables) -> anyhow::Result<StoreSettings> {
    let given = [("data", &args.data), ("database_url", &args.database_url)];
    let given: Vec<_> = given.iter().filter_map(|(name, text)| Some((*name, text.as_deref()?))).collect();
    read(args.config.as_deref(), &given, variables)
}

fn read(config: Option<&Path>, given: &[(&'static str, &str)], variables: &Variables) -> anyhow::Result<StoreSettings> {
    let flags = SettingFlags::of(given);
    let sources = Sources { config, variables, flags: &flags };
    let settings = sources.read(Purpose::Keys).settings.map_err(|mistakes| all(&mistakes))?;
    if matches!(&settings.store.place, StorePlace::Database(database) if database.is_password_seen) {
        eprintln!("postrider: {}", DatabaseSettings::PASSWORD_SEEN);
    }
    Ok(settings.store)
}

/// The data directory for a command that a database has no use for.
pub(super) fn directory(
    config: Option<&Path>,
    data: Option<&str>,
    variables: &Variables,
) -> anyhow::Result<(PathBuf, StoreSettings)> {
    let given: Vec<_> = data.iter().map(|data| ("data", *data)).collect();
    let settings = read(config, &given, variables)?;
    match &settings.place {
        StorePlace::Data(data) => Ok((data.clone(), settings)),
        StorePlace::Database(_) => Err(Misuse::of(
            "the store is a Postgres database (database_url); back it up and restore it with Postgres's own tools",
        )),
    }
}

/// A source must be there: opening would make it.
pub(super) fn require_database(settings: &StoreSettings) -> anyhow::Result<()> {
    if let StorePlace::Data(data) = &settings.place {
        let shown = data.display();
        ensure!(
            SqliteStore::exists(data),
            Misuse::of(format!("there is no database in the data directory {shown}; --data names it"))
        );
    }
    Ok(())
}

/// The master keys, none of which is made.
pub(super) fn keys_that_are_there(settings: &StoreSettings) -> anyhow::Result<MasterKeys> {
    let current = match &settings.key {
        EncryptionKey::Given(text) => MasterKey::from_base64(text.reveal())?,
        EncryptionKey::File(path) => MasterKey::load_file(path)?,
    };
    let others = settings.keys_old.iter().map(|text| MasterKey::from_base64(text.reveal()));
    Ok(MasterKeys { current, others: others.collect::<Result<_, _>>()? })
}
