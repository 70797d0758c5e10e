//! The files that the settings name and a start reads: certificate authorities, keys of tokens, the mapping of a source, and contracts. The key's file is the store's.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use postrider_contract::Contracts;
use postrider_egress::{Client, ClientSettings, SetupError};
use postrider_server::TokenKey;
use postrider_source::mapping::Mapping;

use crate::contracts_directory::{self, Unsound};
use crate::settings::{NamedPath, Paths};
use crate::token_keys::{self, JwksFile};

/// The longest file of certificate authorities, in bytes.
const CA_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What was read.
pub(crate) struct Files {
    pub(crate) contracts: Arc<Contracts>,
    pub(crate) ca_pems: Vec<Vec<u8>>,
    pub(crate) token_key: Option<TokenKey>,
    pub(crate) jwks: Option<JwksFile>,
    /// Authorities that the SMTP server is trusted with.
    pub(crate) smtp_ca_pem: Option<Vec<u8>>,
    /// What the tables of the CRM's database mean.
    pub(crate) source: Option<Arc<Mapping>>,
    /// Authorities that the CRM's database is trusted with.
    pub(crate) source_ca_pem: Option<Vec<u8>>,
}

impl Files {
    /// Reads them all.
    ///
    /// # Errors
    /// Every mistake in them, also those that are not the contracts'.
    pub(crate) fn load(paths: &Paths) -> Result<Self, Unsound> {
        let mut mistakes = Vec::new();
        let mut ca_pems = Vec::new();
        for named in &paths.extra_ca {
            match read_ca(named.path()) {
                Ok(pem) => ca_pems.push(pem),
                Err(wrong) => mistakes.push(named.mistake(wrong).to_string()),
            }
        }
        let mut mistaken = |named: &NamedPath, wrong: String| mistakes.push(named.mistake(wrong).to_string());
        let token_key = read_with(paths.jwt_public_key_file.as_ref(), token_keys::read_pem, &mut mistaken);
        let jwks = read_with(paths.jwks_file.as_ref(), token_keys::read_jwks, &mut mistaken);
        let smtp_ca_pem = read_with(paths.smtp_ca_file.as_ref(), read_ca, &mut mistaken);
        let source_ca_pem = read_with(paths.source_database_ca_file.as_ref(), read_ca, &mut mistaken);
        let source = match paths.source.as_ref().map(read_mapping).transpose() {
            Ok(source) => source.map(Arc::new),
            Err(found) => {
                mistakes.extend(found);
                None
            }
        };
        // Those of the database are read again where the store is opened, which more than a start does.
        if let Some(named) = &paths.database_ca_file
            && let Err(wrong) = read_ca(named.path())
        {
            mistakes.push(named.mistake(wrong).to_string());
        }
        match contracts_directory::load(paths.contracts.as_ref().map(NamedPath::path)) {
            Ok(contracts) if mistakes.is_empty() => {
                let contracts = Arc::new(contracts);
                Ok(Files { contracts, ca_pems, token_key, jwks, smtp_ca_pem, source, source_ca_pem })
            }
            Ok(contracts) => {
                let sound: BTreeSet<_> = contracts.iter().map(|contract| contract.name().to_owned()).collect();
                Err(Unsound { mistakes, sound })
            }
            Err(Unsound { mistakes: found, sound }) => {
                mistakes.extend(found);
                Err(Unsound { mistakes, sound })
            }
        }
    }
}

/// What a file that may be named holds; what is wrong with it is noted.
fn read_with<T>(
    named: Option<&NamedPath>,
    read: impl FnOnce(&Path) -> Result<T, String>,
    mistaken: &mut impl FnMut(&NamedPath, String),
) -> Option<T> {
    let named = named?;
    read(named.path()).map_err(|wrong| mistaken(named, wrong)).ok()
}

/// The mapping of a source, or a line for each mistake in it.
pub(crate) fn read_mapping(named: &NamedPath) -> Result<Mapping, Vec<String>> {
    let file = named.path().display().to_string();
    let unread = |why: String| vec![named.mistake(format!("{file} cannot be read: {why}")).to_string()];
    let bytes =
        read_bounded(named.path(), Mapping::FILE_BYTES_MAX as u64).map_err(|error| unread(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unread("it is no UTF-8".to_owned()))?;
    Mapping::parse(&text, &file).map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

/// The text of certificate authorities, or what is wrong with the file.
pub(crate) fn read_ca(path: &Path) -> Result<Vec<u8>, String> {
    let file = path.display();
    let pem = read_bounded(path, CA_BYTES_MAX).map_err(|error| format!("{file} cannot be read: {error}"))?;
    // One by one, so that a mistake has its file's name.
    let alone = ClientSettings { extra_ca_pems: vec![pem.clone()], ..ClientSettings::default() };
    match Client::new(alone) {
        Ok(_) => Ok(pem),
        Err(SetupError::CertificateAuthority { why, .. }) => {
            Err(format!("{file} cannot be used: {why}; give PEM text with CA certificates"))
        }
        Err(error) => Err(format!("{file} cannot be used: {error}")),
    }
}

fn read_bounded(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(std::io::Error::other(format!("it has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}
