//! `contracts`: list, show, check.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use postrider_contract::{Contract, Contracts};

use crate::cli::{ContractsCommand, OwnContracts};
use crate::failure::{FAILED, Misuse, all};
use crate::settings::{SettingFlags, Sources, Variables};
use crate::{contracts_directory, output};

pub(crate) fn run(command: ContractsCommand, variables: &Variables) -> anyhow::Result<ExitCode> {
    match command {
        ContractsCommand::List { json, own } => list(&load(&own, variables)?, json)?,
        ContractsCommand::Show { name, own } => output::write(find(&load(&own, variables)?, &name)?.text())?,
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
    contracts_directory::load(directory.as_deref()).map_err(|mistakes| all(&mistakes))
}

/// The contract of that name.
pub(crate) fn find<'c>(contracts: &'c Contracts, name: &str) -> anyhow::Result<&'c Contract> {
    contracts.get(name).map(AsRef::as_ref).ok_or_else(|| {
        let names: Vec<_> = contracts.iter().map(|contract| contract.name()).collect();
        Misuse::of(format!("there is no contract {name:?}; there are {}", names.join(", ")))
    })
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
    let mut mistakes = Vec::new();
    for file in files {
        match check_one(file) {
            Ok(summary) => output::line(&summary)?,
            Err(found) => mistakes.extend(found),
        }
    }
    for mistake in &mistakes {
        output::line(mistake)?;
    }
    Ok(if mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn check_one(file: &Path) -> Result<String, Vec<String>> {
    let name = file.display().to_string();
    let text = contracts_directory::read(file).map_err(|wrong| vec![wrong])?;
    let contract = Contract::parse(&text, &name)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Ok(format!(
        "{name}: {} ({}), {} event types, no mistakes",
        contract.name(),
        contract.title(),
        contract.event_types().len()
    ))
}
