//! What would stop a start, told at once: mistakes in the settings, in the files that they name and, for `serve --check`, in the places
//! where the data and its key go.
//!
//! A check leaves everything as it was, beside a running server too. So it opens no database; what only that could say (another
//! process has it, it was made with another key, a contract in use is gone) is told at the start.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use postrider_store::{ContractUse, MasterKey, SqliteStore};

use crate::contracts_directory::Unsound;
use crate::failure::all;
use crate::files::Files;
use crate::settings::{NamedPath, Paths, Reading, Settings};
use crate::{serve, store};

/// Settings and files without mistakes.
///
/// # Errors
/// Every mistake in them, and the organisations whose contract is missing by that.
pub(crate) async fn read(reading: Reading) -> anyhow::Result<(Settings, Files)> {
    match (reading.settings, Files::load(&reading.paths)) {
        (Ok(settings), Ok(files)) => Ok((settings, files)),
        (Ok(settings), Err(Unsound { mut mistakes, sound })) => {
            mistakes.extend(missed(&settings, &sound).await);
            Err(all(&mistakes))
        }
        (Err(wrong), files) => {
            let mut mistakes: Vec<_> = wrong.iter().map(ToString::to_string).collect();
            mistakes.extend(files.err().into_iter().flat_map(|unsound| unsound.mistakes));
            Err(all(&mistakes))
        }
    }
}

/// A line for each contract in use that is not among the sound ones. Where there is no data yet, none is made.
async fn missed(settings: &Settings, sound: &BTreeSet<String>) -> Vec<String> {
    match contracts_in_use(settings).await {
        Ok(uses) => uses.iter().filter(|used| !sound.contains(&used.name)).map(who_uses).collect(),
        // It would stop the next start.
        Err(error) => vec![format!("{error:#}")],
    }
}

async fn contracts_in_use(settings: &Settings) -> anyhow::Result<Vec<ContractUse>> {
    if !store::is_begun(&settings.store).await? {
        return Ok(Vec::new());
    }
    let store = store::open(&settings.store).await?;
    let uses = store.contracts_in_use().await;
    store.close().await?;
    Ok(uses?)
}

fn who_uses(used: &ContractUse) -> String {
    let mut names: Vec<_> = used.organizations.iter().map(ToString::to_string).collect();
    if names.len() >= ContractUse::ORGANIZATIONS_MAX {
        names.push("…".to_owned());
    }
    format!(
        "contract {:?} is used by {} but cannot be loaded; correct its file, or put it back into the contracts directory",
        used.name,
        names.join(", ")
    )
}

/// Every mistake that can be seen without making, locking or changing anything.
pub(crate) fn check(reading: &Reading) -> Vec<String> {
    let mut mistakes = Vec::new();
    match &reading.settings {
        Ok(settings) => {
            let client = serve::client(&settings.egress, Vec::new(), None);
            mistakes.extend(client.err().map(|error| format!("{error:#}")));
            let source = settings.source.as_ref().map(|source| crate::source::address(source, None)).transpose();
            mistakes.extend(source.err().map(|error| format!("{error:#}")));
        }
        Err(wrong) => mistakes.extend(wrong.iter().map(ToString::to_string)),
    }
    mistakes.extend(data_mistake(&reading.paths));
    mistakes.extend(key_mistake(&reading.paths));
    mistakes.extend(Files::load(&reading.paths).err().into_iter().flat_map(|unsound| unsound.mistakes));
    mistakes
}

fn data_mistake(paths: &Paths) -> Option<String> {
    let named = paths.data.as_ref()?;
    Some(named.mistake(judge_directory(named.path()).err()?).to_string())
}

/// Judges the key's file or, where there is none yet, the place where the first start makes it.
fn key_mistake(paths: &Paths) -> Option<String> {
    let named = paths.encryption_key_file.as_ref()?;
    if paths.has_database {
        return Some(named.mistake(MasterKey::load_file(named.path()).err()?).to_string());
    }
    let (path, shown) = (named.path(), named.path().display());
    let data = paths.data.as_ref().map(NamedPath::path);
    let parent = path.parent().unwrap_or(path);
    let is_in_data = data == Some(parent);
    if is_in_data && !parent.is_dir() {
        // The mistake, if there is one, is the data directory's.
        return None;
    }
    let wrong = match path.try_exists() {
        Ok(false) if path.is_symlink() => {
            Some(format!("{shown} is a link to nothing; remove it, or put the key file where it points"))
        }
        Ok(false) if !data.is_some_and(SqliteStore::exists) => {
            let wrong = if is_in_data { None } else { judge_directory(parent).err() };
            wrong.map(|wrong| format!("{shown} cannot be made: {wrong}"))
        }
        // Beside a database, and where something has the name, no key is made.
        _ => MasterKey::load_or_create_file(path, data.unwrap_or(parent)).err().map(|error| error.to_string()),
    };
    Some(named.mistake(wrong?).to_string())
}

/// Judges whether a directory is there and may be written, or may be made.
fn judge_directory(directory: &Path) -> Result<(), String> {
    let nearest = directory.ancestors().find(|path| is_there(path)).map_or(Path::new("."), within);
    judge_existing(nearest).map_err(|wrong| {
        if nearest == within(directory) { wrong } else { format!("{} cannot be made: {wrong}", directory.display()) }
    })
}

/// Judges whether this is a directory that may be written. The file that is tried out is gone at once; most file systems give it no name.
fn judge_existing(directory: &Path) -> Result<(), String> {
    let shown = directory.display();
    let advice = "name a directory that the user of this process may write";
    match directory.metadata() {
        Ok(metadata) if !metadata.is_dir() => Err(format!("{shown} is no directory; name another path")),
        Ok(_) => match tempfile::tempfile_in(directory) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{shown} cannot be written ({}); {advice}", error.kind())),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(format!("{shown} is a link to nothing; make the directory that it names, or name another path"))
        }
        Err(error) => Err(format!("{shown} cannot be read ({}); {advice}", error.kind())),
    }
}

/// Whether something has this name, whatever it is.
fn is_there(path: &Path) -> bool {
    let found = within(path).symlink_metadata();
    !found.is_err_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
}

/// The empty path is the current directory.
fn within(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}
