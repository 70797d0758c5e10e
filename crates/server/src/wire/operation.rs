//! Recoveries and erasures: what is asked for, and how far it has come.

use postrider_domain::{Millis, Resource};
use postrider_engine::Missed;
use postrider_store::{Operation, Record, Removed, Work};
use serde::Serialize;
use utoipa::ToSchema;

use crate::code::Code;
use crate::fields::{Fields, Text};
use crate::time::Moment;

/// A span of time in which something did not arrive.
#[derive(Debug, ToSchema)]
pub(crate) struct RecoverRequest {
    /// From when on events were accepted that are to be sent again.
    #[schema(value_type = Moment)]
    pub(crate) since: Millis,
    /// Until when; now when left out.
    #[schema(value_type = Option<Moment>)]
    pub(crate) until: Option<Millis>,
    /// Whether to tell how much that would be, and send nothing.
    #[schema(value_type = Option<bool>)]
    pub(crate) dry_run: bool,
}

impl RecoverRequest {
    pub(crate) const FIELDS: &[&str] = &["since", "until", "dry_run"];

    pub(crate) fn read(fields: &mut Fields<'_, '_>, now: Millis) -> Self {
        let since = fields.moment("since");
        if since.is_none() && !fields.has("since") {
            fields.wrong("since", Code::FieldMissing.says("is missing; from when on is to be recovered?"));
        }
        let until = fields.moment("until");
        if since.is_some_and(|since| since >= now) {
            fields.wrong("since", Code::TimeNotPast.says("must be before now: nothing was accepted since"));
        }
        if let (Some(since), Some(until)) = (since, until)
            && until <= since
        {
            fields.wrong("until", Code::TimeOrder.says("must be after `since`").with("other", "since"));
        }
        RecoverRequest { since: since.unwrap_or_default(), until, dry_run: fields.boolean("dry_run").unwrap_or(false) }
    }
}

/// A record that is to be erased.
#[derive(Debug, ToSchema)]
pub(crate) struct ErasureRequest {
    /// Its type and id, with a colon between.
    #[schema(rename = "resource", value_type = String, example = "contact:42")]
    pub(crate) record: Record,
}

impl ErasureRequest {
    pub(crate) const FIELDS: &[&str] = &["resource"];

    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Self {
        let text = fields.required_text("resource", Text::line(1, 2 * Resource::TEXT_BYTES_MAX + 1));
        let record = match text.split_once(':') {
            Some((kind, id)) if !kind.is_empty() && !id.is_empty() => (kind.to_owned(), id.to_owned()),
            _ => {
                if !text.is_empty() {
                    let detail = "must be a type and an id with a colon between, such as contact:42";
                    fields.wrong("resource", Code::ResourceInvalid.says(detail));
                }
                (String::new(), String::new())
            }
        };
        ErasureRequest { record }
    }
}

/// Something that has begun.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OperationMade {
    /// The operation that tells how far it has come.
    #[schema(example = "op_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    operation: String,
}

impl OperationMade {
    pub(crate) fn new(operation: &Operation) -> Self {
        OperationMade { operation: operation.id.to_string() }
    }
}

/// How much a recovery would send.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecoveryPreview {
    /// Deliveries in all.
    count: u64,
    /// Those that failed and would be tried again.
    failed: u64,
    /// Events that made none and would make one now.
    missed: u64,
    /// Whether all of the span was counted; otherwise there may be more.
    is_complete: bool,
}

impl RecoveryPreview {
    pub(crate) fn new(preview: &Missed) -> Self {
        let Missed { failed, never_made: missed, is_complete } = *preview;
        RecoveryPreview { count: preview.total(), failed, missed, is_complete }
    }
}

/// What kind of operation it is.
#[derive(Debug, ToSchema)]
#[schema(as = OperationKind, rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are")]
pub(crate) enum KindWord {
    /// Sends again what did not succeed.
    Recovery,
    /// Removes everything about a record.
    Erasure,
}

/// Where an operation stands.
#[derive(Debug, ToSchema)]
#[schema(as = OperationStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are; they are the domain's")]
pub(crate) enum OperationStatusWord {
    /// It goes on.
    Running,
    /// All of it is done.
    Succeeded,
    /// It was given up, and `reason` says why; what it had done stays done.
    Failed,
}

/// Work on many deliveries or events, and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Operation)]
pub(crate) struct OperationBody {
    #[schema(example = "op_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    id: String,
    #[schema(value_type = KindWord)]
    kind: &'static str,
    #[schema(value_type = OperationStatusWord)]
    status: &'static str,
    /// Why it was given up.
    #[schema(required = true)]
    reason: Option<String>,
    /// How much is done: deliveries that are sent again, or events that were removed.
    done: u64,
    /// How much there is to do; `null` while that is not known.
    #[schema(required = true)]
    total: Option<u64>,
    /// The endpoint that is recovered.
    #[schema(required = true)]
    endpoint: Option<String>,
    /// From when on it is recovered.
    #[schema(required = true)]
    since: Option<Moment>,
    /// Until when.
    #[schema(required = true)]
    until: Option<Moment>,
    /// What an erasure has removed. Of whom it was is not kept.
    #[schema(required = true)]
    removed: Option<RemovedBody>,
    created_at: Moment,
    /// When it ended.
    #[schema(required = true)]
    ended_at: Option<Moment>,
}

/// What an erasure has removed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Removed)]
pub(crate) struct RemovedBody {
    /// Events, with their data.
    events: u64,
    /// Deliveries that were pending and are not sent.
    deliveries: u64,
    /// Attempts of which URL, headers and answer were removed.
    attempts: u64,
}

impl OperationBody {
    pub(crate) fn new(operation: &Operation) -> Self {
        let (kind, recovery, removed) = match operation.work {
            Work::Recover(recovery) => ("recovery", Some(recovery), None),
            Work::Erase { .. } => {
                let Removed { events, deliveries, attempts } = operation.removed;
                ("erasure", None, Some(RemovedBody { events, deliveries, attempts }))
            }
        };
        OperationBody {
            id: operation.id.to_string(),
            kind,
            status: operation.status.as_str(),
            reason: operation.fail_reason.clone(),
            done: operation.done,
            total: operation.total,
            endpoint: recovery.map(|recovery| recovery.endpoint.to_string()),
            since: recovery.map(|recovery| Moment(recovery.since)),
            until: recovery.map(|recovery| Moment(recovery.until)),
            removed,
            created_at: Moment(operation.created_at),
            ended_at: operation.ended_at.map(Moment),
        }
    }
}
