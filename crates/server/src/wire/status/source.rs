//! How the source is, as it is shown.

use postrider_domain::{SourceBackfill, SourceState, SourceStatus};
use serde::Serialize;
use utoipa::ToSchema;

/// The CRM's database whose changes become events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Source)]
pub(crate) struct SourceBody<'a> {
    /// Which database.
    #[schema(example = "database crm at db.example.com:5432")]
    database: &'a str,
    /// How changes are captured: `triggers` or `replication`.
    #[schema(example = "triggers")]
    capture: &'static str,
    /// `reading`: a node reads. `waiting`: the database answers, and no node reads at the moment. `failed`: it cannot be read, and `reason` says why.
    #[schema(example = "reading")]
    state: &'static str,
    /// Why it cannot be read, and what to do; `null` unless `failed`.
    #[schema(required = true)]
    reason: Option<&'a str>,
    /// The node that reads; `null` when none does.
    #[schema(required = true)]
    node: Option<SourceNodeBody<'a>>,
    /// What waits in the outbox; `null` with `replication`, and when it could not be looked at.
    #[schema(required = true)]
    outbox: Option<SourceOutboxBody>,
    /// What is kept for the slot; `null` with `triggers`, and when it could not be looked at.
    #[schema(required = true)]
    slot: Option<SourceSlotBody>,
    /// Events and changes that this node let go for good since it started, such as those of unknown organizations; its log says why.
    refused: u64,
    /// Backfills under way, oldest first, at most 100.
    backfills: Vec<SourceBackfillBody<'a>>,
}

/// The node that reads.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourceNode)]
pub(crate) struct SourceNodeBody<'a> {
    /// What it calls itself.
    #[schema(example = "node-a")]
    name: &'a str,
    /// Whether it is the one that answered.
    this: bool,
}

/// Changes that wait in the CRM's database.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourceOutbox)]
pub(crate) struct SourceOutboxBody {
    /// How many changes wait; about when there are more than 10,000.
    changes: u64,
    /// How many may wait: those beyond are missed.
    changes_max: u64,
    /// For how long the oldest has waited, in milliseconds; `null` when none waits.
    #[schema(required = true)]
    oldest_ms: Option<u64>,
    /// Changes that could not be captured since the installation, and are no events.
    missed: u64,
}

/// Write-ahead log that is kept in the CRM's database until it is read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourceSlot)]
pub(crate) struct SourceSlotBody {
    /// How many bytes.
    log_bytes: u64,
    /// How many may be kept before it counts as too much.
    log_bytes_max: u64,
}

/// A backfill under way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourceBackfill)]
pub(crate) struct SourceBackfillBody<'a> {
    /// The table.
    #[schema(example = "public.contacts")]
    table: &'a str,
    /// Rows that were told.
    done: u64,
    /// Rows that there were when it was ordered; `null` where counting took too long.
    #[schema(required = true)]
    total: Option<u64>,
}

impl<'a> SourceBody<'a> {
    pub(crate) fn new(source: &'a SourceStatus) -> Self {
        let (state, reason, node) = match &source.state {
            SourceState::Reading { node, this } => {
                ("reading", None, Some(SourceNodeBody { name: node.as_str(), this: *this }))
            }
            SourceState::Waiting => ("waiting", None, None),
            SourceState::Failed { why } => ("failed", Some(why.as_str()), None),
        };
        SourceBody {
            database: &source.database,
            capture: source.capture,
            state,
            reason,
            node,
            outbox: source.outbox.map(|outbox| SourceOutboxBody {
                changes: outbox.changes,
                changes_max: outbox.changes_max,
                oldest_ms: outbox.oldest_ms,
                missed: outbox.missed,
            }),
            slot: source
                .slot
                .map(|slot| SourceSlotBody { log_bytes: slot.log_bytes, log_bytes_max: slot.log_bytes_max }),
            refused: source.refused,
            backfills: source.backfills.iter().map(SourceBackfillBody::new).collect(),
        }
    }
}

impl<'a> SourceBackfillBody<'a> {
    fn new(backfill: &'a SourceBackfill) -> Self {
        SourceBackfillBody { table: &backfill.table, done: backfill.done, total: backfill.total }
    }
}
