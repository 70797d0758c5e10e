//! Leases of a store that only one process uses: the newest lease holds every lane, and there is nobody to tell it anything.

use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;
use postrider_domain::EndpointId;

use super::{SqliteStore, claim};
use crate::error::{Result, StoreError};
use crate::model::{Granted, LaneDue, LeaseNo, Renewal, Standing};

/// The newest lease, and how far its taking of lanes has come.
#[derive(Default)]
pub(super) struct Leases {
    granted: AtomicI64,
    /// The number of the lease that lasts; 0 when it was revoked.
    lasting: AtomicI64,
    /// None once every lane that had work at the grant was handed out; those that get work later are the lease's by that.
    next_lanes: Mutex<Option<After>>,
    /// What its holder calls itself.
    node: Mutex<String>,
}

/// Lanes behind this endpoint, or all, are still to be handed out.
#[derive(Clone, Copy, Default)]
struct After(Option<EndpointId>);

impl Leases {
    pub(super) fn grant(&self, node: &str) -> Granted {
        let number = self.granted.fetch_add(1, Ordering::AcqRel) + 1;
        node.clone_into(&mut self.node.lock());
        *self.next_lanes.lock() = Some(After::default());
        self.lasting.store(number, Ordering::Release);
        Granted { lease: LeaseNo(number), now: None }
    }

    pub(super) fn renew(&self, lease: LeaseNo) -> Renewal {
        match self.require(lease) {
            Ok(()) => Renewal::Renewed(Standing { nodes: 1, ..Standing::default() }),
            Err(_) => Renewal::Lost,
        }
    }

    pub(super) fn revoke(&self, lease: LeaseNo) {
        // Another was granted since: then this one is over already.
        let _ = self.lasting.compare_exchange(lease.0, 0, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The lease that lasts, with the name of its holder.
    pub(super) fn lasting(&self) -> Option<(LeaseNo, String)> {
        let number = self.lasting.load(Ordering::Acquire);
        (number != 0).then(|| (LeaseNo(number), self.node.lock().clone()))
    }

    pub(super) fn require(&self, lease: LeaseNo) -> Result<()> {
        if self.lasting.load(Ordering::Acquire) == lease.0 { Ok(()) } else { Err(StoreError::LeaseLost) }
    }
}

pub(super) async fn take_lanes(store: &SqliteStore, lease: LeaseNo, limit: usize) -> Result<Vec<LaneDue>> {
    store.leases.require(lease)?;
    let Some(After(after)) = *store.leases.next_lanes.lock() else { return Ok(Vec::new()) };
    let lanes = claim::lanes_due(store, after, limit).await?;
    let next = if lanes.len() < limit { None } else { lanes.last().map(|due| After(Some(due.lane.endpoint))) };
    *store.leases.next_lanes.lock() = next;
    Ok(lanes)
}
