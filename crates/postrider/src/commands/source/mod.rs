//! `source`: the commands about a CRM's database.

mod backfill;
mod draft;
mod findings;
mod install;
mod preflight;
mod status;

use std::path::Path;
use std::process::ExitCode;

use postrider_database::{Address, Connected};
use postrider_source::catalogue::Catalogue;
use postrider_source::install::Wish;
use postrider_source::mapping::Mapping;
use tokio_postgres::Client;

use crate::cli::{SourceArgs, SourceCommand};
use crate::failure::all;
use crate::files;
use crate::settings::{NamedPath, Paths, SettingFlags, SourceNeeds, Sources, Variables};
use crate::source;

/// What the sessions of these commands are set to: names mean what the system's tables say, values are written in one form, nothing hangs.
const SESSION: &str = "-c search_path=pg_catalog -c client_min_messages=warning -c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 \
                       -c statement_timeout=60s -c idle_in_transaction_session_timeout=30s";

/// `source …`
pub(crate) async fn run(command: SourceCommand, variables: &Variables) -> anyhow::Result<ExitCode> {
    match command {
        SourceCommand::Draft(args) => draft::run(&args, variables).await,
        SourceCommand::Preflight(args) => preflight::run(&args, variables).await,
        SourceCommand::Install(args) => install::run(&args, variables).await,
        SourceCommand::Uninstall(args) => install::run_uninstall(&args, variables).await,
        SourceCommand::Status(args) => status::run(&args, variables).await,
        SourceCommand::Backfill(args) => backfill::run(&args, variables).await,
    }
}

/// The mapping, and the address of the database whose tables it is about.
fn open(args: &SourceArgs, variables: &Variables) -> anyhow::Result<(Mapping, Address)> {
    let mapping = args.mapping.as_ref().map(|path| path.display().to_string());
    let given = [("source", &mapping), ("source_database_url", &args.database_url)];
    let (address, paths) = reach(&given, args.config.as_deref(), variables, SourceNeeds::Mapping)?;
    // Without a mapping there are no settings of it.
    let mapping = paths.source.as_ref().map(files::read_mapping).transpose().map_err(|mistakes| all(&mistakes))?;
    Ok((mapping.ok_or_else(|| anyhow::anyhow!("name the mapping with --mapping"))?, address))
}

/// The address that the settings and these flags name, and the paths beside it.
fn reach(
    given: &[(&'static str, &Option<String>)],
    config: Option<&Path>,
    variables: &Variables,
    needs: SourceNeeds,
) -> anyhow::Result<(Address, Paths)> {
    let given: Vec<_> = given.iter().filter_map(|(name, text)| Some((*name, text.as_deref()?))).collect();
    let sources = Sources { config, variables, flags: &SettingFlags::of(&given) };
    let (settings, paths) = sources.source(needs).map_err(|mistakes| all(&mistakes))?;
    if settings.is_password_seen {
        eprintln!("postrider: {}", crate::settings::SourceSettings::PASSWORD_SEEN);
    }
    let ca_pem = paths.source_database_ca_file.as_ref().map(NamedPath::path).map(files::read_ca).transpose();
    let address = source::address(&settings, ca_pem.map_err(anyhow::Error::msg)?)?;
    Ok((address, paths))
}

/// A session for one of these commands.
async fn connect(address: &Address) -> anyhow::Result<Connected> {
    Ok(address.connect(SESSION).await?)
}

/// What a database has, for an installation as it is wished.
async fn read(client: &Client, mapping: &Mapping, wish: &Wish) -> anyhow::Result<Catalogue> {
    let read = async || {
        Catalogue::read(client, mapping, wish.role.as_deref()).await?.owned_by(client, wish.owner.as_deref()).await
    };
    read().await.map_err(|error| refused(&error))
}

/// What the database says of a statement, as an error.
fn refused(error: &tokio_postgres::Error) -> anyhow::Error {
    anyhow::Error::msg(postrider_database::in_words(error))
}
