//! A database of a test's own, with a store in it.

use std::ops::Deref;

use postrider_store::{MasterKey, PostgresOptions, PostgresStore, StoreError};

/// Dropped with its database.
pub(crate) struct Database(postrider_scratch::Database);

impl Deref for Database {
    type Target = postrider_scratch::Database;

    fn deref(&self) -> &postrider_scratch::Database {
        &self.0
    }
}

impl Database {
    pub(crate) fn create() -> Self {
        Database(postrider_scratch::Database::create())
    }

    pub(crate) async fn open(&self) -> Result<PostgresStore, StoreError> {
        self.open_with(&options()).await
    }

    pub(crate) async fn open_with(&self, options: &PostgresOptions) -> Result<PostgresStore, StoreError> {
        PostgresStore::open(&self.url(), master_key(7), options).await
    }
}

/// Few connections, because many tests run at once.
pub(crate) fn options() -> PostgresOptions {
    PostgresOptions { connections_max: 8, ..PostgresOptions::default() }
}

pub(crate) fn master_key(byte: u8) -> MasterKey {
    // 32 equal bytes are 42 equal characters and two more in base64, whatever they are.
    let text = match byte {
        7 => "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        _ => "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=",
    };
    MasterKey::from_base64(text).unwrap()
}
