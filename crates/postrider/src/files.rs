//! The files that the settings name and a start reads: certificate authorities, keys of tokens, and contracts. The key's file is the store's.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use postrider_contract::Contracts;
use postrider_egress::{Client, ClientSettings, SetupError};
use postrider_server::TokenKey;

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
        // Those of the database are read again where the store is opened, which more than a start does.
        if let Some(named) = &paths.database_ca_file
            && let Err(wrong) = read_ca(named.path())
        {
            mistakes.push(named.mistake(wrong).to_string());
        }
        match contracts_directory::load(paths.contracts.as_ref().map(NamedPath::path)) {
            Ok(contracts) if mistakes.is_empty() => {
                Ok(Files { contracts: Arc::new(contracts), ca_pems, token_key, jwks, smtp_ca_pem })
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

/// The text of certificate authorities, or what is wrong with the file.
pub(crate) fn read_ca(path: &Path) -> Result<Vec<u8>, String> {
    let file = path.display();
    let pem = read_bounded(path).map_err(|error| format!("{file} cannot be read: {error}"))?;
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

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(CA_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > CA_BYTES_MAX {
        return Err(std::io::Error::other(format!("it has more than {CA_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}
