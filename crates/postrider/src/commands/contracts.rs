//! `contracts`: list, show, verification, check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use postrider_contract::{Contract, Contracts, Language};

use crate::cli::{ContractsCommand, OwnContracts};
use crate::failure::{FAILED, Misuse, all};
use crate::settings::{SettingFlags, Sources, Variables};
use crate::{contracts_directory, output};

pub(crate) fn run(command: ContractsCommand, variables: &Variables) -> anyhow::Result<ExitCode> {
    match command {
        ContractsCommand::List { json, own } => list(&load(&own, variables)?, json)?,
        ContractsCommand::Show { name, own } => output::write(find(&load(&own, variables)?, &name)?.text())?,
        ContractsCommand::Verification { name, language, secret_kind, own } => {
            output::write(&verification(find(&load(&own, variables)?, &name)?, &language, secret_kind.as_deref())?)?;
        }
        ContractsCommand::Check { files } => return check(&files),
    }
    Ok(ExitCode::SUCCESS)
}

/// The built-in contracts and the operator's own.
pub(crate) fn load(own: &OwnContracts, variables: &Variables) -> anyhow::Result<Contracts> {
    let flags = SettingFlags::default();
    let sources = Sources { config: None, variables, flags: &flags };
    let directory = match &own.directory {
        Some(directory) => Some(directory.clone()),
        None => sources.contracts().map_err(|mistakes| all(&mistakes))?,
    };
    contracts_directory::load(directory.as_deref()).map_err(|unsound| all(&unsound.mistakes))
}

/// The contract of that name.
pub(crate) fn find<'c>(contracts: &'c Contracts, name: &str) -> anyhow::Result<&'c Contract> {
    contracts.get(name).map(AsRef::as_ref).ok_or_else(|| {
        let names: Vec<_> = contracts.iter().map(|contract| contract.name()).collect();
        Misuse::of(format!("there is no contract {name:?}; there are {}", names.join(", ")))
    })
}

fn verification(contract: &Contract, language: &str, secret_kind: Option<&str>) -> anyhow::Result<String> {
    let language = Language::named(language).ok_or_else(|| Misuse::of(format!("there is no language {language:?}")))?;
    let kind = secret_kind.map(|prefix| contract.secret_kind(prefix)).transpose();
    let kind = kind.map_err(|error| Misuse::of(format!("--secret-kind: {error}")))?;
    Ok(contract.verification(language, kind)?)
}

fn list(contracts: &Contracts, json: bool) -> anyhow::Result<()> {
    if json {
        let shown = |c: &Contract| {
            serde_json::json!({
                "name": c.name(),
                "title": c.title(),
                "description": c.description(),
                "default": c.name() == contracts.default_name(),
                "event_types_count": c.event_types().len(),
                "open": c.is_open(),
                "revision": c.revision().to_string(),
            })
        };
        let all: Vec<_> = contracts.iter().map(|contract| shown(contract)).collect();
        output::line(&serde_json::Value::from(all).to_string())?;
        return Ok(());
    }
    let row = |c: &Contract| {
        let name =
            if c.name() == contracts.default_name() { format!("{} (default)", c.name()) } else { c.name().to_owned() };
        vec![name, c.event_types().len().to_string(), c.title().to_owned()]
    };
    let rows: Vec<_> = contracts.iter().map(|contract| row(contract)).collect();
    output::write(&output::columns(&["NAME", "EVENT TYPES", "TITLE"], &rows))?;
    Ok(())
}

fn check(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let (good, mistakes) = judge(files)?;
    for line in good.iter().chain(&mistakes) {
        output::line(line)?;
    }
    Ok(if mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// A line for each file without mistakes, and a line for each mistake.
fn judge(files: &[PathBuf]) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let built_in = Contracts::built_in().map_err(|mistakes| all(&mistakes))?;
    let (mut good, mut mistakes) = (Vec::new(), Vec::new());
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    for path in files {
        let file = path.display().to_string();
        match parse(path, &file) {
            Err(found) => mistakes.extend(found),
            Ok(contract) => {
                // A built-in file itself may be checked, too.
                let is_taken = built_in.get(contract.name()).is_some_and(|own| own.revision() != contract.revision());
                let place = places.insert(contract.name().to_owned(), file.clone());
                match is_taken.then(|| "a built-in contract".to_owned()).or(place) {
                    Some(place) => mistakes
                        .push(format!("{file}: name: {:?} is the name of {place}; choose another", contract.name())),
                    None => good.push(format!(
                        "{file}: {} ({}), {} event types, no mistakes",
                        contract.name(),
                        contract.title(),
                        contract.event_types().len()
                    )),
                }
            }
        }
    }
    Ok((good, mistakes))
}

fn parse(path: &Path, file: &str) -> Result<Contract, Vec<String>> {
    let text = contracts_directory::read(path).map_err(|wrong| vec![wrong])?;
    Contract::parse(&text, file).map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_needs_a_name_of_its_own_and_mistakes_are_told_with_line_and_key() {
        let built_in = Contracts::built_in().unwrap();
        let text = built_in.get(built_in.default_name()).unwrap().text().to_string();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let name = format!("name = {:?}", built_in.default_name());
        let unchanged = write("unchanged.toml", text.clone());
        let copy = write("copy.toml", format!("{text}\n# ours\n"));
        let own = write("own.toml", text.replacen(&name, "name = \"ours\"", 1));
        let twice = write("twice.toml", text.replacen(&name, "name = \"ours\"", 1));
        let broken = write("broken.toml", text.replacen(&name, "name = 5", 1));
        let (good, mistakes) = judge(&[unchanged, copy, own, twice, broken]).unwrap();
        assert_eq!(good.len(), 2, "{good:?}");
        let mistakes = mistakes.join("\n");
        assert!(
            mistakes.contains("copy.toml: name: ") && mistakes.contains("is the name of a built-in contract"),
            "{mistakes}"
        );
        assert!(
            mistakes.contains("twice.toml: name: \"ours\" is the name of ") && mistakes.contains("own.toml; choose"),
            "{mistakes}"
        );
        let line = text.lines().position(|line| line == name).unwrap() + 1;
        assert!(mistakes.contains(&format!("broken.toml:{line}:8: name: ")), "{mistakes}");
    }
}
