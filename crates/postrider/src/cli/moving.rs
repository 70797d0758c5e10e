//! The commands that move, back up and restore what a store holds.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::StoreArgs;

pub(crate) const EXPORT_EXAMPLES: &str = "Examples:
  postrider export --data ./data --final --out move.export          # for a move: stop the server first
  postrider export --data ./data --final --out - | POSTRIDER_DATABASE_URL=postgres://… postrider import --from -
  postrider export --database-url postgres://… --org acme --final --out acme.export
  postrider export --data ./data --undo-final                       # the export was never imported: go on here

An export holds everything: organisations, keys, endpoints with their secrets, pending deliveries, history. It is one moment of the
store, encrypted with a key made of the store's encryption key; whoever imports it needs that key (--source-encryption-key-file).

--final sets what it exports aside: nobody sees it here any more and nothing of it is sent, because the store that imports it sends
what is pending. Without --final nothing changes here; import such an export for a look only, since both stores would send.";

/// `export`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true).args(["out", "undo_final", "delete_final"]))]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// One organisation alone, in place of everything
    #[arg(long, alias = "organization", value_name = "ID")]
    pub(crate) org: Option<String>,
    /// The file to write, which must not exist; - for standard output
    #[arg(long, value_name = "FILE|-")]
    pub(crate) out: Option<PathBuf>,
    /// Set aside what is exported: from now on it lives where the export is imported
    #[arg(long = "final", requires = "out")]
    pub(crate) is_final: bool,
    /// Take back what was set aside, because its export was never imported
    #[arg(long)]
    pub(crate) undo_final: bool,
    /// Delete an organisation that was set aside, because its export is imported
    #[arg(long, requires = "org")]
    pub(crate) delete_final: bool,
    /// Print what was exported as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const IMPORT_EXAMPLES: &str = "Examples:
  POSTRIDER_DATABASE_URL=postgres://… postrider import --from move.export --source-encryption-key-file ./data/encryption.key
  postrider import --data ./other-data --from - < acme.export

What is imported is encrypted anew with the encryption key of the store it goes into. An import that was broken off is run again and goes
on where it stopped; one that is done already changes nothing. An organisation that is there is never touched: the import is refused.

On Postgres the nodes may run. Organisations appear, and their pending deliveries are sent, as soon as everything but history has come;
history follows. In a data directory everything appears at the end.";

/// `import`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true).args(["from", "discard"]))]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The export; - for standard input
    #[arg(long, value_name = "FILE|-")]
    pub(crate) from: Option<PathBuf>,
    /// The file of the encryption key of the store that was exported [default: the key of the store it goes into]
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) source_encryption_key_file: Option<PathBuf>,
    /// Give up an import that was broken off: what came of it is deleted
    #[arg(long)]
    pub(crate) discard: bool,
    /// Print what was imported as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const BACKUP_EXAMPLES: &str = "Examples:
  postrider backup --data /var/lib/postrider --to /backups/postrider-2026-11-21.sqlite3

The server may run, and goes on as usual: run this on its host, as its user. Everything that it had accepted when the backup began is in
it. The file is a whole database, in which secrets and bodies are encrypted: without the encryption key it is of no use to anybody. So
keep that key, too, and keep it somewhere else. A Postgres database is backed up with Postgres's own tools.";

/// `backup`
#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    /// The settings file [default: ./postrider.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data directory [default: the setting `data`]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// The file to write, which must not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// Print what was written as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const RESTORE_EXAMPLES: &str = "Examples:
  mkdir -m 700 /var/lib/postrider && cp encryption.key /var/lib/postrider/
  postrider restore --from /backups/postrider-2026-11-21.sqlite3 --data /var/lib/postrider

The directory must be empty but for key files. Every page of the backup is checked, and that the encryption key opens it, before
anything counts. Deliveries that were pending when the backup was made are sent after the start, under the same ids, those
included that were sent since. So never run a restored store beside the one that it was copied from.";

/// `restore`
#[derive(Args, Debug)]
pub(crate) struct RestoreArgs {
    /// The settings file [default: ./postrider.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data directory to make [default: the setting `data`]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// The backup
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// Print what was restored as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
