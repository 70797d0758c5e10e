//! Previews of filters: which one, and what it would have let pass.

use postrider_contract::Contract;
use postrider_domain::Subscription;
use postrider_engine::{FilterPreview as Previewed, Noted, PreviewRequest, PreviewedEvent};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::fields::Fields;
use crate::time::Moment;
use crate::wire::endpoint::{read_events, read_filter};
use crate::wire::event::resource_json;
use crate::wire::resource::ResourceBody;

/// A filter to preview.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says how the object looks; it is read into the engine's type")]
pub(crate) struct FilterPreview {
    /// The filter, as an endpoint would have it.
    #[schema(min_length = 1, max_length = 1000, example = "changes.stage.current = \"won\"")]
    filter: String,
    /// What the endpoint would receive without it: event types, prefixes such as `contact.*`, or `*`; all when left out.
    #[schema(min_items = 1, max_items = 100, example = json!(["deal.updated"]))]
    events: Option<Vec<String>>,
    /// The contract that the endpoint would follow; its organisation's when left out. `type` is in its words.
    contract: Option<String>,
}

impl FilterPreview {
    pub(crate) const FIELDS: &[&str] = &["filter", "events", "contract"];

    /// What is asked for; none when something is wrong with it.
    pub(crate) fn read(fields: &mut Fields<'_, '_>, contract: Option<&Contract>) -> Option<PreviewRequest> {
        fields.require("filter");
        let subscriptions = read_events(fields, contract).unwrap_or_else(|| vec![Subscription::All]);
        let filter = read_filter(fields)?;
        Some(PreviewRequest { filter, subscriptions, contract: Some(contract?.name().to_owned()) })
    }
}

/// What a filter would have let pass.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FilterPreviewResult)]
pub(crate) struct PreviewBody {
    /// Recent events of the types asked for that were looked at.
    #[schema(example = 4080)]
    events_count: u64,
    /// How many of them the filter lets pass.
    #[schema(example = 312)]
    passed_count: u64,
    /// Whether these are all that are kept: a preview reads a bounded number of events, newest first.
    complete: bool,
    /// When the oldest event was accepted that was looked at, of whatever type; `null` when there is none.
    #[schema(required = true)]
    since: Option<Moment>,
    /// Some that pass, newest first.
    passed: Vec<PreviewedBody>,
    /// Some that do not, newest first.
    held_back: Vec<PreviewedBody>,
    /// What may not be as it was meant.
    notes: Vec<NoteBody>,
}

/// One event of a preview.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PreviewedEvent)]
pub(crate) struct PreviewedBody {
    /// Its id.
    id: String,
    /// Its type, in the receiver's words.
    #[serde(rename = "type")]
    event_type: String,
    /// When it was accepted.
    accepted_at: Moment,
    /// What it is about.
    #[schema(required = true, value_type = Option<ResourceBody>)]
    resource: Option<Box<RawValue>>,
}

/// Something about a filter that may not be as it was meant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FilterNote)]
pub(crate) struct NoteBody {
    /// `missing`, `differs_in_kind` or `too_costly`.
    #[schema(example = "missing")]
    kind: &'static str,
    /// What it means.
    detail: &'static str,
    /// With how many events.
    events_count: u64,
    /// The newest of them.
    #[schema(required = true)]
    example: Option<String>,
}

impl PreviewBody {
    pub(crate) fn new(preview: &Previewed) -> Self {
        const MISSING: &str = "a value that is compared was not there: the comparison did not hold, but for `!=`";
        const DIFFERS: &str =
            "values of different kinds were compared, such as a number with a text: that did not hold, but for `!=`";
        const COSTLY: &str = "judging the event would have cost too much: it passes";
        let notes = [
            NoteBody::of("missing", MISSING, &preview.missing),
            NoteBody::of("differs_in_kind", DIFFERS, &preview.differing_in_kind),
            NoteBody::of("too_costly", COSTLY, &preview.too_costly),
        ];
        PreviewBody {
            events_count: preview.events_count,
            passed_count: preview.passed_count,
            complete: preview.is_complete,
            since: preview.since.map(Moment),
            passed: preview.passed.iter().map(PreviewedBody::new).collect(),
            held_back: preview.held_back.iter().map(PreviewedBody::new).collect(),
            notes: notes.into_iter().filter(|note| note.events_count > 0).collect(),
        }
    }
}

impl PreviewedBody {
    fn new(event: &PreviewedEvent) -> Self {
        PreviewedBody {
            id: event.id.to_string(),
            event_type: event.event_type.clone(),
            accepted_at: Moment(event.accepted_at),
            resource: resource_json(event.resource.as_ref()),
        }
    }
}

impl NoteBody {
    fn of(kind: &'static str, detail: &'static str, noted: &Noted) -> Self {
        let example = noted.example.as_ref().map(ToString::to_string);
        NoteBody { kind, detail, events_count: noted.events_count, example }
    }
}
