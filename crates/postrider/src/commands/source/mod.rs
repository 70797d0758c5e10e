//! `source`: the commands about a CRM's database.

mod backfill;

use std::process::ExitCode;

use postrider_database::Address;
use postrider_source::mapping::Mapping;

use crate::cli::{SourceArgs, SourceCommand};
use crate::failure::all;
use crate::files;
use crate::settings::{NamedPath, SettingFlags, Sources, Variables};
use crate::source;

/// `source …`
pub(crate) async fn run(command: SourceCommand, variables: &Variables) -> anyhow::Result<ExitCode> {
    match command {
        SourceCommand::Backfill(args) => backfill::run(&args, variables).await,
    }
}

/// The mapping, and the address of the database whose tables it is about.
fn open(args: &SourceArgs, variables: &Variables) -> anyhow::Result<(Mapping, Address)> {
    let mapping = args.mapping.as_ref().map(|path| path.display().to_string());
    let given = [("source", &mapping), ("source_database_url", &args.database_url)];
    let given: Vec<_> = given.iter().filter_map(|(name, text)| Some((*name, text.as_deref()?))).collect();
    let sources = Sources { config: args.config.as_deref(), variables, flags: &SettingFlags::of(&given) };
    let (settings, paths) = sources.source().map_err(|mistakes| all(&mistakes))?;
    if settings.is_password_seen {
        eprintln!("postrider: {}", crate::settings::SourceSettings::PASSWORD_SEEN);
    }
    let ca_pem = paths.source_database_ca_file.as_ref().map(NamedPath::path).map(files::read_ca).transpose();
    let address = source::address(&settings, ca_pem.map_err(anyhow::Error::msg)?)?;
    // Without a mapping there are no settings of it.
    let mapping = paths.source.as_ref().map(files::read_mapping).transpose().map_err(|mistakes| all(&mistakes))?;
    Ok((mapping.ok_or_else(|| anyhow::anyhow!("name the mapping with --mapping"))?, address))
}
