//! The commands about a source: a CRM's Postgres whose committed changes become events.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `source`
#[derive(Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// Publish rows that are there already, as they are now
    #[command(after_help = BACKFILL_EXAMPLES)]
    Backfill(BackfillArgs),
}

/// Which database, and what its tables mean.
#[derive(Args, Debug)]
pub(crate) struct SourceArgs {
    /// The mapping [default: the setting `source`]
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// The CRM's database [default: the setting `source_database_url`, which other users of this machine cannot see]
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// The settings file [default: ./postrider.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

const BACKFILL_EXAMPLES: &str = "Examples:
  postrider source backfill public.contacts --mapping source.toml --since 2026-01-01 --rate 200
  postrider source backfill public.contacts                         # every row, with the settings of the server
  postrider source backfill public.contacts --cancel

Each row becomes the event of a record that was created, in the order of the table's key, as the row is now; soft-deleted rows are left
out. A server with this source does it between live changes, and goes on after a restart. Ctrl-C leaves the order to it.";

/// `source backfill`
#[derive(Args, Debug)]
pub(crate) struct BackfillArgs {
    /// The table, as the mapping names it
    #[arg(value_name = "TABLE")]
    pub(crate) table: String,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Rows that were created from then on: a date, or a time as 2026-01-01T12:00:00Z. The mapping must name the table's created_at
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Rows a second, from 1 to 5000
    #[arg(long, value_name = "ROWS", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub(crate) rate: u32,
    /// End the order that is under way for the table
    #[arg(long, conflicts_with_all = ["since", "rate"])]
    pub(crate) cancel: bool,
    /// Print how it ended as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
