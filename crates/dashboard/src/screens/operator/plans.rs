//! Contracts and their plans, to choose from.

use serde::Deserialize;

use crate::api::{ApiError, List};
use crate::viewer::{Viewer, segment};

/// More than a server has.
const CONTRACTS_MAX: usize = 250;

/// A contract that an organisation may have.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Choice {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) default: bool,
    #[serde(default)]
    pub(super) plans: Vec<Plan>,
}

/// A plan of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) endpoints_max: Option<u32>,
}

/// All contracts with their plans.
pub(super) async fn all(viewer: &Viewer) -> Result<Vec<Choice>, ApiError> {
    let found: List<Choice> = viewer.asker.get(&format!("/v1/contracts?limit={CONTRACTS_MAX}")).await?;
    let mut choices = Vec::with_capacity(found.data.len());
    for listed in found.data {
        choices.push(of(viewer, &listed.name).await?);
    }
    Ok(choices)
}

/// One of them.
pub(super) async fn of(viewer: &Viewer, contract: &str) -> Result<Choice, ApiError> {
    viewer.asker.get(&format!("/v1/contracts/{}", segment(contract))).await
}
