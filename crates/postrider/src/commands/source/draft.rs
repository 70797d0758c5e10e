//! `source draft`: a first mapping, for editing.

use std::process::ExitCode;

use anyhow::ensure;
use postrider_source::draft::Found;

use super::{connect, reach, refused};
use crate::cli::DraftArgs;
use crate::output;
use crate::settings::{SourceNeeds, Variables};

/// `source draft`
pub(super) async fn run(args: &DraftArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let given = [("source_database_url", &args.database_url)];
    let (address, _) = reach(&given, args.config.as_deref(), variables, SourceNeeds::Database)?;
    let connected = connect(&address).await?;
    let schemas = if args.schemas.is_empty() { vec!["public".to_owned()] } else { args.schemas.clone() };
    let found = Found::read(&connected.client, &schemas).await.map_err(|error| refused(&error))?;
    ensure!(
        !found.tables.is_empty(),
        "there are no tables in {}; name the CRM's schema with --schema",
        schemas.join(", ")
    );
    output::write(&found.draft())?;
    Ok(ExitCode::SUCCESS)
}
