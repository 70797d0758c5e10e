//! The commands about a source: a CRM's Postgres whose committed changes become events.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use postrider_source::install::Wish;

/// `source`
#[derive(Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// Write a first mapping from what a database has, for editing
    #[command(after_help = DRAFT_EXAMPLES)]
    Draft(DraftArgs),
    /// Say what installing would do, and what stands against it
    #[command(after_help = PREFLIGHT_EXAMPLES)]
    Preflight(PreflightArgs),
    /// Make in the CRM's database what captures its changes, or bring it up to date
    #[command(after_help = INSTALL_EXAMPLES)]
    Install(InstallArgs),
    /// Take away everything that install made, and nothing else
    #[command(after_help = UNINSTALL_EXAMPLES)]
    Uninstall(UninstallArgs),
    /// Say how capturing goes: what differs from the mapping, what waits, what was missed
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
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

/// What is wished of an installation.
#[derive(Args, Debug)]
pub(crate) struct WishArgs {
    /// The role that `serve` connects as, where another installs: it is given exactly the rights that it needs
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// The role that what is installed belongs to, with whose rights the triggers' functions run; it needs none. The one that was named before, or else
    /// whoever installs
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// With replication: set the mapped tables to tell all of the row before (REPLICA IDENTITY FULL), without which updates have no previous values
    #[arg(long)]
    replica_identity_full: bool,
}

impl WishArgs {
    pub(crate) fn wish(&self) -> Wish {
        Wish { role: self.role.clone(), owner: self.owner.clone(), replica_identity_full: self.replica_identity_full }
    }
}

pub(super) const SOURCE_EXAMPLES: &str = "Example, a CRM attached in five steps:
  export POSTRIDER_SOURCE_DATABASE_URL=postgres://owner:…@db.example.com/crm
  postrider source draft > source.toml         # then edit it
  postrider source preflight --mapping source.toml
  postrider source install --mapping source.toml --role postrider
  postrider source status --mapping source.toml

docs/source.md explains the mapping, what it costs, and how to take it off again.";

const DRAFT_EXAMPLES: &str = "Examples:
  postrider source draft --schema public > source.toml
  postrider source draft --database-url postgres://me@localhost/crm --schema crm --schema billing > source.toml

Nothing is changed, and no row is read. Every table with a key is in it, with the organisation's column, soft deletion and join tables guessed
from names, keys and references: read it, take out what receivers need not know, and run preflight.";

/// `source draft`
#[derive(Args, Debug)]
pub(crate) struct DraftArgs {
    /// A schema of the CRM's; more than once for several [default: public]
    #[arg(long = "schema", value_name = "NAME")]
    pub(crate) schemas: Vec<String>,
    /// The CRM's database [default: the setting `source_database_url`, which other users of this machine cannot see]
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// The settings file [default: ./postrider.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

const PREFLIGHT_EXAMPLES: &str = "Examples:
  postrider source preflight --mapping source.toml
  postrider source preflight --mapping source.toml --role postrider --json

Nothing is changed. Exit status: 0 it can be installed; 1 something stands against it.";

/// `source preflight`
#[derive(Args, Debug)]
pub(crate) struct PreflightArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) wish: WishArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const INSTALL_EXAMPLES: &str = "Examples:
  postrider source install --mapping source.toml --role postrider --owner postrider_owner
  postrider source install --mapping source.toml --role postrider --owner postrider_owner --print > install.sql   # for a DBA to read and run

Run it again after each change of the mapping or of the tables: only what differs is done, and what waits stays. Tables get their triggers
one by one; a table in use is tried again for half a minute, and its writers never queue behind that for longer than a quarter of a second.";

/// `source install`
#[derive(Args, Debug)]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) wish: WishArgs,
    /// Print the SQL, and run nothing
    #[arg(long)]
    pub(crate) print: bool,
}

const UNINSTALL_EXAMPLES: &str = "Examples:
  postrider source uninstall --mapping source.toml
  postrider source uninstall --mapping source.toml --print > uninstall.sql

While changes wait it refuses: let `serve` hand them over first, or lose them with --discard.";

/// `source uninstall`
#[derive(Args, Debug)]
pub(crate) struct UninstallArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Lose the changes that wait
    #[arg(long)]
    pub(crate) discard: bool,
    /// Print the SQL, and run nothing
    #[arg(long)]
    pub(crate) print: bool,
}

const STATUS_EXAMPLES: &str = "Examples:
  postrider source status --mapping source.toml
  postrider source status --mapping source.toml --json

Exit status: 0 all is well; 1 something is wrong, and it says what to do.";

/// `source status`
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
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
