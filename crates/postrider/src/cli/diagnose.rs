//! `diagnose`, as clap reads it.

use std::path::PathBuf;

use clap::Args;

use super::OwnContracts;

pub(super) const DIAGNOSE_EXAMPLES: &str = "Examples:
  postrider diagnose https://example.com/webhooks
  postrider diagnose https://example.com/webhooks --contract sendpilot --secret \"$SECRET\"
  postrider diagnose https://example.com/webhooks --json

It looks from this machine, with the settings of its server: the rules for URLs, DNS with the verdict on each address, connections, TLS and the
certificate. Then it sends one test event. Nothing is stored. For an endpoint that exists, POST …/endpoints/{ep}/diagnose does the same with
its own secret and headers.

Exit status: 0 nothing failed, 1 something did, 2 wrong arguments.";

/// `diagnose`
#[derive(Args, Debug)]
pub(crate) struct DiagnoseArgs {
    /// The URL that deliveries would go to
    pub(crate) url: String,
    /// The contract whose format and time the test event has [default: the default contract]
    #[arg(long, value_name = "NAME")]
    pub(crate) contract: Option<String>,
    /// What signs it [default: a secret made for this once, where the contract always signs; the receiver will refuse that]
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: Option<String>,
    /// Its event type [default: the contract's first]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) event_type: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The settings file of the server [default: ./postrider.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) own: OwnContracts,
}
