//! The files and directories that settings name. They are known where other settings are wrong, too, so that what is wrong with them is
//! told at once with the rest.

use std::fmt;
use std::path::{Path, PathBuf};

use super::raw::{Mistake, Origin, Raw};

/// The master key's file when none is named.
pub(super) const KEY_FILE: &str = "encryption.key";

/// A path, with the setting that names it and where that stands.
#[derive(Debug)]
pub(crate) struct NamedPath {
    setting: &'static str,
    origin: Origin,
    path: PathBuf,
}

impl NamedPath {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with what is there, and what to do.
    pub(crate) fn mistake(&self, what: impl fmt::Display) -> Mistake {
        Mistake(format!("{} ({}): {what}", self.setting, self.origin))
    }
}

/// Every path that is named, and those that are the default.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    pub(crate) contracts: Option<NamedPath>,
    /// None when the store is a database, which makes no files here.
    pub(crate) data: Option<NamedPath>,
    /// None when the key itself is given.
    pub(crate) encryption_key_file: Option<NamedPath>,
    pub(crate) extra_ca: Vec<NamedPath>,
    pub(crate) database_ca_file: Option<NamedPath>,
    pub(crate) jwt_public_key_file: Option<NamedPath>,
    pub(crate) jwks_file: Option<NamedPath>,
    pub(crate) smtp_ca_file: Option<NamedPath>,
    /// The mapping of a CRM's database.
    pub(crate) source: Option<NamedPath>,
    pub(crate) source_database_ca_file: Option<NamedPath>,
    /// Whether the store is a database.
    pub(crate) has_database: bool,
}

impl Paths {
    pub(super) fn of(raw: &Raw) -> Self {
        let one = |setting| named(raw, setting).into_iter().next();
        let has_database = raw.get("database_url").is_some();
        let data = one("data").filter(|_| !has_database);
        let beside_data = || {
            let path = data.as_ref()?.path.join(KEY_FILE);
            let is_alone = raw.get("encryption_key").is_none() && raw.get("encryption_key_file").is_none();
            is_alone.then_some(NamedPath { setting: "encryption_key_file", origin: Origin::Default, path })
        };
        Paths {
            contracts: one("contracts"),
            encryption_key_file: one("encryption_key_file").or_else(beside_data),
            extra_ca: named(raw, "extra_ca"),
            database_ca_file: one("database_ca_file"),
            jwt_public_key_file: one("jwt_public_key_file"),
            jwks_file: one("jwks_file"),
            smtp_ca_file: one("smtp_ca_file"),
            source: one("source"),
            source_database_ca_file: one("source_database_ca_file"),
            has_database,
            data,
        }
    }
}

/// What a setting names; an empty text is a mistake by itself.
fn named(raw: &Raw, setting: &'static str) -> Vec<NamedPath> {
    let Some(given) = raw.get(setting) else { return Vec::new() };
    let texts = given.texts.iter().filter(|text| !text.trim().is_empty());
    texts.map(|text| NamedPath { setting, origin: given.origin.clone(), path: PathBuf::from(text) }).collect()
}
