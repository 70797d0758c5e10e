//! `source draft`: a first mapping, for editing.

use std::process::ExitCode;

use anyhow::bail;
use postrider_source::draft::Found;

use super::{connect, reach, refused};
use crate::cli::DraftArgs;
use crate::output::{self, plain};
use crate::settings::{SourceNeeds, Variables};

/// `source draft`
pub(super) async fn run(args: &DraftArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let given = [("source_database_url", &args.database_url)];
    let (address, _) = reach(&given, args.config.as_deref(), variables, SourceNeeds::Database)?;
    let connected = connect(&address).await?;
    let schemas = if args.schemas.is_empty() { vec!["public".to_owned()] } else { args.schemas.clone() };
    let found = Found::read(&connected.client, &schemas).await.map_err(|error| refused(&error))?;
    if found.tables.is_empty() {
        let others = Found::schemas(&connected.client).await.map_err(|error| refused(&error))?;
        bail!("there are no tables in {}; {}", schemas.join(", "), with_tables(&others));
    }
    output::write(&found.draft())?;
    Ok(ExitCode::SUCCESS)
}

/// What to name instead.
fn with_tables(schemas: &[(String, i64)]) -> String {
    let told: Vec<_> = schemas.iter().map(|(name, tables)| format!("{name} ({tables} tables)")).collect();
    match told.as_slice() {
        [] => "nor in any other schema of this database: is it the CRM's?".to_owned(),
        told => format!("name the CRM's schema with --schema: {}", plain(&told.join(", "))),
    }
}
