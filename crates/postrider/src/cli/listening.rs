//! The command that brings deliveries to a developer's machine.

use clap::Args;

use super::{OwnContracts, ServerArgs};

pub(crate) const LISTEN_EXAMPLES: &str = "Examples:
  postrider listen --org acme --forward-to http://localhost:3000/webhooks
  postrider listen --org acme --endpoint ep_… --forward-to http://localhost:3000/webhooks --json
  postrider listen --org acme --events deal.won --events 'contact.*' --forward-to http://localhost:3000/webhooks

What the organisation's endpoints are sent from now on comes here, too, over connections that this machine opens: the same ids and body, headers and
signature as the endpoint's contract sends them, signed with the endpoint's secret for the moment of reading; without its custom headers.
The endpoints themselves receive what they would anyway. Without --endpoint all endpoints are followed, also those that are made meanwhile.

An organisation that has no endpoint yet is listened to all the same: until it has one, its events come here as its contract would send them, signed with
a secret of this session that is shown at the start. Nothing is made on the server for it. An own contract's file must be here, too (--contracts).

A server that goes away is asked again until it is back, and nothing is lost or repeated meanwhile. What the local receiver does not accept is not
sent again. Ends with Ctrl-C, or after --count. Exit status: 0 it ended so; 1 the server refuses; 2 wrong arguments.";

/// `listen`
#[derive(Args, Debug)]
pub(crate) struct ListenArgs {
    /// The organisation whose deliveries are wanted
    #[arg(long, value_name = "ID")]
    pub(crate) org: String,
    /// Where the local receiver is, http://
    #[arg(long, value_name = "URL")]
    pub(crate) forward_to: String,
    /// An endpoint to follow; may be given more than once [default: all]
    #[arg(long = "endpoint", value_name = "ID")]
    pub(crate) endpoints: Vec<String>,
    /// Event types, prefixes such as contact.*, or *; may be given more than once [default: *]
    #[arg(long = "events", value_name = "TYPE", value_delimiter = ',')]
    pub(crate) events: Vec<String>,
    /// Begin behind this delivery, or this `next_after`, in place of now
    #[arg(long, value_name = "PLACE")]
    pub(crate) after: Option<String>,
    /// End after so many deliveries
    #[arg(long, value_name = "NUMBER")]
    pub(crate) count: Option<u64>,
    /// Print each delivery as a line of JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) own: OwnContracts,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
