//! Settings, raw and then checked once, so that the rest never parses a text or looks into the environment.
//!
//! Words: a *setting* has a row in the [`table`]; a *layer* is one place that gives values (default, file, variables, flags), each over
//! the one before; a *mistake* names setting, place, problem and remedy, and all mistakes are told together.

mod check;
mod database_url;
mod document;
mod flags;
mod paths;
mod raw;
mod table;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub(crate) use check::{
    DatabaseSettings, EgressSettings, EncryptionKey, LogFormat, LogSettings, MailSettings, Settings, SourceNeeds,
    SourceSettings, StorePlace, StoreSettings, TraceSettings,
};
pub(crate) use flags::SettingFlags;
pub(crate) use paths::{NamedPath, Paths};
pub(crate) use raw::Mistake;
use raw::Raw;
use table::VARIABLE_PREFIX;

/// The settings file when none is named.
const FILE: &str = "postrider.toml";
/// The longest settings file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The environment variables that are meant for this program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Those of this process: the one place where the environment is read. What is no UTF-8 cannot be meant for us.
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Variables(std::env::vars_os().filter_map(text).filter(|(name, _)| is_read(name)).collect())
    }

    /// Those that a test gives.
    #[cfg(test)]
    pub(crate) fn of(given: &[(&str, &str)]) -> Self {
        Variables(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn is_read(name: &str) -> bool {
    // The others say what a terminal can show, and where programs are.
    name.starts_with(VARIABLE_PREFIX) || matches!(name, "NO_COLOR" | "TERM" | "LC_ALL" | "LC_CTYPE" | "LANG" | "PATH")
}

impl Settings {
    /// Settings that a program gives itself, with nothing of the file and the variables.
    ///
    /// # Errors
    /// Every mistake there is.
    pub(crate) fn of_flags(flags: &SettingFlags) -> Result<Self, Vec<Mistake>> {
        let mut raw = Raw::defaults();
        raw.merge_flags(flags.given());
        check::check(raw, Purpose::Serve)
    }
}

/// What settings are read for, since not everything needs the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To run a server.
    Serve,
    /// To work on a store and its keys.
    Keys,
}

/// What the settings are.
pub(crate) struct Reading {
    /// All of them, or every mistake in them.
    pub(crate) settings: Result<Settings, Vec<Mistake>>,
    /// The paths among them, right as such whatever else is wrong.
    pub(crate) paths: Paths,
}

/// Everything that says what the settings are.
pub(crate) struct Sources<'s> {
    /// The file that was named; it must exist.
    pub(crate) config: Option<&'s Path>,
    /// The process's variables.
    pub(crate) variables: &'s Variables,
    /// The flags given.
    pub(crate) flags: &'s SettingFlags,
}

impl Sources<'_> {
    /// The settings, and the paths that are known even where settings are wrong.
    pub(crate) fn read(&self, purpose: Purpose) -> Reading {
        let raw = self.raw();
        Reading { paths: Paths::of(&raw), settings: check::check(raw, purpose) }
    }

    /// The directory of the operator's contracts alone, for commands that need nothing else.
    ///
    /// # Errors
    /// When the settings file cannot be read.
    pub(crate) fn contracts(&self) -> Result<Option<PathBuf>, Vec<Mistake>> {
        let raw = self.raw();
        if raw.is_file_unread {
            return Err(raw.mistakes);
        }
        Ok(raw.get("contracts").and_then(|given| given.texts.first()).map(PathBuf::from))
    }

    /// Where a server with these settings listens, for commands that need nothing else.
    ///
    /// # Errors
    /// When the settings file cannot be read, or it is no address.
    pub(crate) fn listen(&self) -> Result<SocketAddr, Vec<Mistake>> {
        let mut raw = self.raw();
        if raw.is_file_unread {
            return Err(raw.mistakes);
        }
        let given = raw.get("listen").cloned();
        let text = given.iter().flat_map(|given| &given.texts).next().map(String::as_str).unwrap_or_default();
        text.parse().map_err(|_| {
            let origin = given.as_ref().map_or(raw::Origin::Default, |given| given.origin.clone());
            raw.mistake("listen", &origin, format!("{text:?} is no address and port; write one as 127.0.0.1:8400"));
            raw.mistakes.split_off(raw.mistakes.len() - 1)
        })
    }

    /// A source and the files that it names, for commands that need nothing else.
    ///
    /// # Errors
    /// When the settings file cannot be read, or they say nothing of a source.
    pub(crate) fn source(&self, needs: SourceNeeds) -> Result<(SourceSettings, Paths), Vec<Mistake>> {
        let raw = self.raw();
        if raw.is_file_unread {
            return Err(raw.mistakes);
        }
        let paths = Paths::of(&raw);
        Ok((check::check_source(raw, needs)?, paths))
    }

    fn raw(&self) -> Raw {
        let mut raw = Raw::defaults();
        let named =
            self.config.map(Path::to_owned).or_else(|| self.variables.get("POSTRIDER_CONFIG").map(PathBuf::from));
        let file = named.clone().unwrap_or_else(|| PathBuf::from(FILE));
        match read_bounded(&file) {
            Ok(text) => raw.merge_file(&file.display().to_string(), &text),
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let wrong = format!("the settings file {} cannot be read: {error}", file.display());
                raw.lose_file(vec![Mistake(wrong)]);
            }
        }
        raw.merge_variables(self.variables);
        raw.merge_flags(self.flags.given());
        raw
    }
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}
