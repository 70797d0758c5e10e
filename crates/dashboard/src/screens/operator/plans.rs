//! Contracts and their plans, to choose from.

use crate::api::{ApiError, Contract, List, ListedContract};
use crate::viewer::{Viewer, segment};

/// More than a server has.
const CONTRACTS_MAX: usize = 250;

/// All contracts with their plans.
pub(super) async fn all(viewer: &Viewer) -> Result<Vec<Contract>, ApiError> {
    let found: List<ListedContract> = viewer.asker.get(&format!("/v1/contracts?limit={CONTRACTS_MAX}")).await?;
    let mut contracts = Vec::with_capacity(found.data.len());
    for listed in found.data {
        contracts.push(of(viewer, &listed.name).await?);
    }
    Ok(contracts)
}

/// One of them.
pub(super) async fn of(viewer: &Viewer, contract: &str) -> Result<Contract, ApiError> {
    viewer.asker.get(&format!("/v1/contracts/{}", segment(contract))).await
}
