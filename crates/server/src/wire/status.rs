//! How the whole is doing, as it is shown.

mod source;

use postrider_domain::SourceStatus;
use postrider_engine::Status;
use postrider_store::StoreKind;
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::Moment;
use source::SourceBody;

/// How the whole is doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Status)]
pub(crate) struct StatusBody<'a> {
    /// This node's version.
    #[schema(example = "1.0.0")]
    version: &'static str,
    /// `sqlite` or `postgres`.
    #[schema(example = "postgres")]
    store: &'static str,
    /// The nodes that share the store, at most 100.
    nodes: Vec<NodeBody<'a>>,
    /// Deliveries that have not ended.
    pending_deliveries: u64,
    /// Those of them whose next attempt is due.
    due_deliveries: u64,
    /// Since when the first of those is due; `null` when none is.
    #[schema(required = true)]
    oldest_due_at: Option<Moment>,
    /// There are more pending deliveries than are looked at (10,000): `pending_deliveries` may be an estimate then, and `due_deliveries` and `oldest_due_at` are of those
    /// that were looked at.
    is_estimate: bool,
    /// Attempts that this node has under way.
    attempts_under_way: usize,
    /// The source; `null` where there is none (the setting `source`).
    #[schema(required = true)]
    source: Option<SourceBody<'a>>,
}

/// A node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeBody<'a> {
    /// What it calls itself.
    name: &'a str,
    /// How many endpoints' lanes it has.
    lanes: u64,
    /// When it last renewed its claim on them; `null` with SQLite, where nobody else could have it.
    #[schema(required = true)]
    renewed_at: Option<Moment>,
    /// Whether it is the one that answered.
    this: bool,
}

impl<'a> StatusBody<'a> {
    pub(crate) fn new(status: &'a Status, source: Option<&'a SourceStatus>) -> Self {
        let overview = &status.overview;
        let own_lanes = u64::try_from(status.lanes).unwrap_or(u64::MAX);
        let nodes = overview.nodes.iter().map(|node| NodeBody {
            name: &node.name,
            lanes: node.lanes.unwrap_or(own_lanes),
            renewed_at: node.renewed_at.map(Moment),
            this: node.lease == status.lease,
        });
        StatusBody {
            version: env!("CARGO_PKG_VERSION"),
            store: match overview.store {
                StoreKind::Sqlite => "sqlite",
                StoreKind::Postgres => "postgres",
            },
            nodes: nodes.collect(),
            pending_deliveries: overview.open.pending,
            due_deliveries: overview.open.due,
            oldest_due_at: overview.open.oldest_due_at.map(Moment),
            is_estimate: overview.open.is_estimate,
            attempts_under_way: status.attempts_under_way,
            source: source.map(SourceBody::new),
        }
    }
}
