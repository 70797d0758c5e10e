//! The command line, as clap reads it.

mod diagnose;
mod listening;
mod moving;
mod source;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use postrider_contract::Language;

use crate::settings::SettingFlags;
use diagnose::DIAGNOSE_EXAMPLES;
pub(crate) use diagnose::DiagnoseArgs;
use listening::LISTEN_EXAMPLES;
pub(crate) use listening::ListenArgs;
use moving::{BACKUP_EXAMPLES, EXPORT_EXAMPLES, IMPORT_EXAMPLES, RESTORE_EXAMPLES};
pub(crate) use moving::{BackupArgs, ExportArgs, ImportArgs, RestoreArgs};
use source::SOURCE_EXAMPLES;
pub(crate) use source::{
    BackfillArgs, DraftArgs, InstallArgs, PreflightArgs, SourceArgs, SourceCommand, StatusArgs, UninstallArgs,
};

/// The webhook server for CRMs.
#[derive(Debug, Parser)]
#[command(name = "postrider", version, about, max_term_width = 110, disable_help_subcommand = true)]
#[command(
    after_help = "Begin with `postrider demo`. Every command has --help with examples; docs/settings.md lists the settings of `serve`.\n\
    Exit status: 0 done; 1 it failed, or the answer is no; 2 wrong arguments."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What it can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Server, sample organisations, local receiver and a stream of sample CRM events, all in one process
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Send one event to a running server
    #[command(after_help = SEND_EXAMPLES)]
    Send(SendArgs),
    /// Bring an organisation's deliveries to a receiver on this machine
    #[command(after_help = LISTEN_EXAMPLES)]
    Listen(ListenArgs),
    /// Say whether a received request is authentic and, where not, why
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Say what keeps deliveries from arriving at a URL, and what to do
    #[command(after_help = DIAGNOSE_EXAMPLES)]
    Diagnose(DiagnoseArgs),
    /// List, show and check contracts
    #[command(subcommand, after_help = CONTRACTS_EXAMPLES)]
    Contracts(ContractsCommand),
    /// Replace the operator key and the master key; make, list and delete organisation keys
    #[command(subcommand, after_help = KEYS_EXAMPLES)]
    Keys(KeysCommand),
    /// Write everything that a store holds, or one organisation, into an encrypted file
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Put an export into a store: a data directory, or a Postgres database
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportArgs),
    /// Copy a data directory's database into a file, while its server runs
    #[command(after_help = BACKUP_EXAMPLES)]
    Backup(BackupArgs),
    /// Make a data directory of a backup
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore(RestoreArgs),
    /// Events from a CRM's Postgres, without a change of the CRM
    #[command(subcommand, after_help = SOURCE_EXAMPLES)]
    Source(SourceCommand),
    /// Print the OpenAPI 3.1 document of the API, as JSON
    #[command(after_help = "Example:\n  postrider openapi > openapi.json")]
    Openapi,
    /// Say whether a running server could store an event now; for probes of containers
    #[command(after_help = HEALTH_EXAMPLES)]
    Health(HealthArgs),
    /// Measure this machine: throughput, latency, CPU and memory, beside a raw HTTP ceiling
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(BenchArgs),
}

const SERVE_EXAMPLES: &str = "Examples:
  postrider serve                                          # 127.0.0.1:8400, data in ./data
  postrider serve --config /etc/postrider.toml --check     # validate the settings and exit
  POSTRIDER_LISTEN=0.0.0.0:8400 POSTRIDER_LOG_FORMAT=json postrider serve --data /var/lib/postrider
  POSTRIDER_DATABASE_URL=postgres://… postrider serve      # one of any number of nodes

Settings come from postrider.toml, then POSTRIDER_* variables, then flags. Once it accepts requests it prints one line on standard
output: listening on http://ADDR. SIGTERM and Ctrl-C stop it within 10 seconds; a second one ends it at once.

A node on Postgres is given POSTRIDER_OPERATOR_KEY and POSTRIDER_ENCRYPTION_KEY, the same as every other node.

--check makes and changes nothing, and may run beside the server. So it opens and reaches no
database and binds no address. Told at the start alone:
  - Postgres does not answer
  - another process has the data directory, or other users may open it
  - the operator key or the encryption key is not the one that the data was made with
  - a contract in use is gone
  - the address is taken";

/// `serve`
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// The settings file [default: ./postrider.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Check the settings, every file that they name, and that the data directory can be made or written; then exit
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

const DEMO_EXAMPLES: &str = "Examples:
  postrider demo                                     # all built-in contracts, one event a second
  postrider demo --contract standard --rate 10
  postrider demo --crm                               # events from changes in a CRM's Postgres
  postrider demo --data ./demo-data                  # keep what it stores

Everything stays on this machine. http:// and loopback addresses are allowed for the demo's deliveries alone.";

/// `demo`
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Where the API listens, on a loopback address [default: 127.0.0.1:8400, or a free port when that is taken]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the receiver and its page listen, on a loopback address [default: 127.0.0.1:8401, or a free port when that is taken]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) receiver: Option<SocketAddr>,
    /// Events a second, from 0.1 to 200
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
    pub(crate) rate: f64,
    /// A contract to show; may be given more than once [default: all of them]
    #[arg(long = "contract", value_name = "NAME")]
    pub(crate) contracts: Vec<String>,
    /// Keep the data here instead of in a temporary directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Events from a CRM's Postgres instead of the API: starts a small one of its own, and changes its rows; needs Postgres installed
    #[arg(long)]
    pub(crate) crm: bool,
}

/// The server that a command talks to.
#[derive(Args, Debug)]
pub(crate) struct ServerArgs {
    /// The server [default: POSTRIDER_URL, or http://127.0.0.1:8400]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The key to use [default: POSTRIDER_API_KEY, then POSTRIDER_OPERATOR_KEY, which other users of this machine cannot see]
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

const SEND_EXAMPLES: &str = "Examples:
  postrider send --org acme --type deal.won --data '{\"id\": 42, \"amount\": 9900}'
  postrider send --org acme --type contact.updated --resource contact:7 --data @contact.json --json
  jq -c .deal export.json | postrider send --org acme --type deal.created --data - --id import-42";

/// `send`
#[derive(Args, Debug)]
pub(crate) struct SendArgs {
    /// The organisation that it happened in
    #[arg(long, value_name = "ID")]
    pub(crate) org: String,
    /// The event's type, in the words of the organisation's contract
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) event_type: String,
    /// The event's data: JSON, or @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub(crate) data: String,
    /// An id of your own; the same one again within 72 hours sends nothing new
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// When it happened, as 2026-03-01T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) occurred_at: Option<String>,
    /// The record that it is about, as TYPE:ID; more than once for several ids of one type
    #[arg(long = "resource", value_name = "TYPE:ID")]
    pub(crate) resources: Vec<String>,
    /// Print the server's answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const HEALTH_EXAMPLES: &str = "Examples:
  postrider health                                    # asks /readyz of the server with these settings
  postrider health --live                             # asks /healthz, whatever its store is like
  postrider health --url https://webhooks.example.com

Needs no key. Exit status: 0 it is well; 1 it is not, and it says why.
A server that does not answer within 8 seconds is not well.";

/// `health`
#[derive(Args, Debug)]
pub(crate) struct HealthArgs {
    /// Ask only whether the process answers, not whether its store could commit
    #[arg(long)]
    pub(crate) live: bool,
    /// The server [default: POSTRIDER_URL, or where the setting `listen` says]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The settings file whose `listen` is meant [default: ./postrider.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

const VERIFY_EXAMPLES: &str = "Examples:
  postrider verify --contract standard --secret \"$SECRET\" \\
    --header 'webhook-id: evt_…' --header 'webhook-timestamp: 1700000000' --header 'webhook-signature: v1,…' < body.json
  postrider verify --contract sendpilot --secret \"$SECRET\" --header 'Webhook-Signature: t=1700000000,s=…' \\
    --now 2026-03-01T12:00:00Z --body saved-request.json

Pass the body's bytes exactly as they were received. Exit status: 0 authentic, 1 not authentic.";

/// `verify`
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// The contract that the endpoint follows
    #[arg(long, value_name = "NAME")]
    pub(crate) contract: String,
    /// The endpoint's secret or, where the contract has public keys, the public key
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: String,
    /// A header of the request, as 'Name: value'; give all of them
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", required = true)]
    pub(crate) headers: Vec<String>,
    /// The file of the body [default: standard input]
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,
    /// The moment to judge its age at, as 2026-03-01T12:00:00Z or in seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) own: OwnContracts,
}

/// Where contracts beside the built-in ones are.
#[derive(Args, Debug)]
pub(crate) struct OwnContracts {
    /// The directory of your own contracts [default: the setting `contracts`]
    #[arg(long = "contracts", value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

const CONTRACTS_EXAMPLES: &str = "Examples:
  postrider contracts list
  postrider contracts show standard > contracts/ours.toml      # a file to start from; change its name
  postrider contracts check contracts/*.toml
  postrider contracts verification standard --language node > verify.js

docs/contracts.md explains every key of a contract file.";

/// `contracts`
#[derive(Debug, Subcommand)]
pub(crate) enum ContractsCommand {
    /// The contracts that there are, built in and your own
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        own: OwnContracts,
    },
    /// A contract's file
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        own: OwnContracts,
    },
    /// A receiver's code for a contract: a short, whole program that verifies its webhooks
    Verification {
        /// The contract's name
        name: String,
        /// The language
        #[arg(long, value_name = "LANGUAGE", value_parser = languages())]
        language: String,
        /// What the secret begins with, where the contract has several kinds, such as whsk_ [default: the first kind]
        #[arg(long, value_name = "PREFIX")]
        secret_kind: Option<String>,
        #[command(flatten)]
        own: OwnContracts,
    },
    /// Every mistake in contract files, as FILE:LINE:COLUMN: KEY: what is wrong; exit status 1 if there is one
    Check {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Every language that receivers' code is made in.
fn languages() -> PossibleValuesParser {
    PossibleValuesParser::new(Language::all().map(Language::name))
}

const KEYS_EXAMPLES: &str = "Examples:
  postrider keys create --org acme --name 'CRM backend' --scope events:write --scope deliveries:read
  postrider keys list --org acme
  postrider keys delete --org acme key_…
  postrider keys operator --data ./data      # the server must be stopped; prints the new key once
  postrider keys rotate-encryption --data ./data

With POSTRIDER_DATABASE_URL they work on a database, whose nodes may run meanwhile:
  - operator makes the key in POSTRIDER_OPERATOR_KEY the operator key, or prints a new one; every
    node that runs takes it within 5 seconds, and is to be given it for its next start
  - rotate-encryption comes when every node has the new master key, and the old one in
    encryption_keys_old; docs/settings.md has the steps";

/// The store that a command works on.
#[derive(Args, Debug)]
pub(crate) struct StoreArgs {
    /// The settings file [default: ./postrider.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data directory, whose server must be stopped [default: the setting `data`]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// The database, whose nodes may run [default: the setting `database_url`, which other users of this machine cannot see]
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
}

/// `keys`
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Replace the operator key of a stopped server's data directory, or of a database, and print the new one, once
    Operator {
        #[command(flatten)]
        store: StoreArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Encrypt every organisation's data key with the current master key, in place of those in encryption_keys_old
    RotateEncryption {
        #[command(flatten)]
        store: StoreArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a key of an organisation, and print it, once
    Create {
        /// The organisation
        #[arg(long, value_name = "ID")]
        org: String,
        /// What people call the key
        #[arg(long)]
        name: String,
        /// What it may do: events:write, endpoints:read, endpoints:write, deliveries:read, deliveries:write; may be given more than once
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<String>,
        /// When it stops working, as 2027-01-01T00:00:00Z [default: never]
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        /// Print the server's answer as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// The keys of an organisation
    List {
        /// The organisation
        #[arg(long, value_name = "ID")]
        org: String,
        /// Print the keys as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Delete a key of an organisation; it stops working within seconds
    Delete {
        /// The organisation
        #[arg(long, value_name = "ID")]
        org: String,
        /// The key's id, as `keys list` shows it
        id: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

const BENCH_EXAMPLES: &str = "Examples:
  postrider bench                                       # everything; takes some minutes
  postrider bench --scenario single --scenario latency --duration 5
  postrider bench --json > figures.json
  postrider bench --database-url postgres://postgres@127.0.0.1/postgres --nodes 2
  postrider bench --scenario source --source-database-url postgres://postgres@127.0.0.1/postgres

The server under test is a process of its own, with its data in a directory that is removed afterwards.";

/// `bench`
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// What to measure: ceiling, single, fanout, latency, isolation, pending, idle, source; may be given more than once [default: all]
    #[arg(long = "scenario", value_name = "NAME")]
    pub(crate) scenarios: Vec<postrider_bench::Scenario>,
    /// Seconds for each figure
    #[arg(long, value_name = "SECONDS")]
    pub(crate) duration: Option<f64>,
    /// The organisations' contract
    #[arg(long, value_name = "NAME")]
    pub(crate) contract: Option<String>,
    /// Their plan, for contracts that allow endpoints only with one
    #[arg(long, value_name = "NAME")]
    pub(crate) plan: Option<String>,
    /// Where the data goes; a disk whose speed matters to you [default: /var/tmp]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Connections that send as fast as they are answered
    #[arg(long, value_name = "COUNT")]
    pub(crate) connections: Option<usize>,
    /// Events a second of `latency`
    #[arg(long, value_name = "COUNT")]
    pub(crate) latency_rate: Option<u32>,
    /// Endpoints that hang, then trickle, in `isolation`
    #[arg(long, value_name = "COUNT")]
    pub(crate) neighbours: Option<usize>,
    /// Deliveries pending in `pending`
    #[arg(long, value_name = "COUNT")]
    pub(crate) pending: Option<u64>,
    /// Measure on a Postgres server that may be filled, in databases of its own that are dropped afterwards [default: the embedded store]
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<postrider_bench::DatabaseUrl>,
    /// Nodes that share the database
    #[arg(long, value_name = "COUNT", requires = "database_url")]
    pub(crate) nodes: Option<usize>,
    /// Measure `source` on a Postgres server that may be filled, in a database of its own that is dropped afterwards
    #[arg(long, value_name = "URL")]
    pub(crate) source_database_url: Option<postrider_bench::DatabaseUrl>,
    /// Changes that wait to be handed over in `source`
    #[arg(long, value_name = "COUNT", requires = "source_database_url")]
    pub(crate) source_changes: Option<u32>,
    /// How they are captured in `source`: triggers, or replication, which needs a server with wal_level = logical [default: triggers]
    #[arg(long, value_name = "WAY", requires = "source_database_url")]
    pub(crate) source_capture: Option<postrider_bench::SourceCapture>,
    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests;
