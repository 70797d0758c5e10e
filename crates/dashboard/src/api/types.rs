//! What the API answers, as far as screens show it (`/openapi.json` says what each means).

mod attempt;
mod audit;
mod contract;
mod delivery;
mod diagnosis;
mod endpoint;
mod event;
mod event_type;
mod key;
mod operation;
mod ordered;
mod organization;
mod problem;
mod rotation;
mod session;
mod source;
mod statistics;
mod status;
mod test;

use serde::Deserialize;

pub(crate) use attempt::*;
pub(crate) use audit::*;
pub(crate) use contract::*;
pub(crate) use delivery::*;
pub(crate) use diagnosis::*;
pub(crate) use endpoint::*;
pub(crate) use event::*;
pub(crate) use event_type::*;
pub(crate) use key::*;
pub(crate) use operation::*;
pub(crate) use ordered::*;
pub(crate) use organization::*;
pub(crate) use problem::*;
pub(crate) use rotation::*;
pub(crate) use session::*;
pub(crate) use source::*;
pub(crate) use statistics::*;
pub(crate) use status::*;
pub(crate) use test::*;

/// A page of a list.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct List<T> {
    pub(crate) data: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}

/// An organisation.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The name of the contract that new endpoints follow.
    pub(crate) contract: String,
}
