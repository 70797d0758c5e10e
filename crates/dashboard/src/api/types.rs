//! What the API answers, as far as screens show it (`/openapi.json` says what each means).

mod endpoint;
mod problem;
mod session;

use serde::Deserialize;

pub(crate) use endpoint::*;
pub(crate) use problem::*;
pub(crate) use session::*;

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
}
