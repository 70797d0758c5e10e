//! Which lanes are attached to this node's lease, in memory, so that a commit need not ask for those.
//!
//! A commit believes in a lane that it finds here until its transaction is over; so it *holds* the lanes meanwhile, together with all
//! others, and whoever releases some waits until nobody holds them.

use std::collections::HashSet;

use parking_lot::Mutex;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use uuid::Uuid;

use crate::model::LeaseNo;

/// Which lane, as the tables name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) org: Uuid,
    pub(super) endpoint: Uuid,
}

/// Two columns for statements about many lanes.
pub(super) fn columns(lanes: &[Lane]) -> (Vec<Uuid>, Vec<Uuid>) {
    lanes.iter().map(|lane| (lane.org, lane.endpoint)).unzip()
}

#[derive(Default)]
struct Of {
    lease: Option<LeaseNo>,
    lanes: HashSet<Lane>,
}

/// The lanes of the newest lease.
#[derive(Default)]
pub(super) struct Attached {
    turn: RwLock<()>,
    of: Mutex<Of>,
}

impl Attached {
    /// The newest lease.
    pub(super) fn lease(&self) -> Option<LeaseNo> {
        self.of.lock().lease
    }

    /// A lease was granted: it has no lanes yet.
    pub(super) fn begin(&self, lease: LeaseNo) {
        *self.of.lock() = Of { lease: Some(lease), lanes: HashSet::new() };
    }

    /// Keeps every lane here until dropped.
    pub(super) async fn hold(&self) -> RwLockReadGuard<'_, ()> {
        self.turn.read().await
    }

    /// Waits until nobody holds them.
    pub(super) async fn release(&self) -> RwLockWriteGuard<'_, ()> {
        self.turn.write().await
    }

    /// Those of `lanes` that are not known to be the lease's.
    pub(super) fn unknown(&self, lease: LeaseNo, lanes: impl Iterator<Item = Lane>) -> Vec<Lane> {
        let of = self.of.lock();
        if of.lease == Some(lease) { lanes.filter(|lane| !of.lanes.contains(lane)).collect() } else { lanes.collect() }
    }

    /// The transaction that attached them is over.
    pub(super) fn add(&self, lease: LeaseNo, lanes: impl IntoIterator<Item = Lane>) {
        let mut of = self.of.lock();
        if of.lease == Some(lease) {
            of.lanes.extend(lanes);
        }
    }

    pub(super) fn remove(&self, lease: LeaseNo, lanes: &[Lane]) {
        let mut of = self.of.lock();
        if of.lease == Some(lease) {
            for lane in lanes {
                of.lanes.remove(lane);
            }
        }
    }
}
