//! What people who look after the whole see of it.

use postrider_domain::Millis;

use crate::model::LeaseNo;

/// Which of the two stores it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Embedded, for one node.
    Sqlite,
    /// For many nodes.
    Postgres,
}

/// What a person who looks after the whole wants to see of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// The store.
    pub store: StoreKind,
    /// Who holds a lease that nobody has revoked, oldest lease first; at most 100.
    pub nodes: Vec<NodeStanding>,
    /// Open deliveries.
    pub open: OpenWork,
}

/// A node that holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStanding {
    /// Its lease.
    pub lease: LeaseNo,
    /// The name that it gave itself.
    pub name: String,
    /// How many lanes it holds; none in a store whose only node has them all. Counted up to 100,000.
    pub lanes: Option<u64>,
    /// When it renewed its lease; none where none is renewed.
    pub renewed_at: Option<Millis>,
}

/// Open deliveries, of all organisations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenWork {
    /// How many there are.
    pub pending: u64,
    /// Those of them that are due.
    pub due: u64,
    /// When the first of those was due.
    pub oldest_due_at: Option<Millis>,
    /// There are more than are looked at (10,000): `pending` may be an estimate then, and the other two are of those that were looked at.
    pub is_estimate: bool,
}
