//! Endpoints: made, changed, shown. Secrets and header values go in and do not come out.

mod read;

use std::borrow::Cow;
use std::num::NonZeroU32;

use postrider_contract::Contracts;
use postrider_domain::{DisabledReason, Endpoint, EndpointStatus, LatestFailure, Millis, Overlap, Streak};
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::Moment;
use crate::wire::HeaderMap;

pub(crate) use read::{ReadEndpoint, Rules, choose_secret, events as read_events, filter as read_filter};

/// Shown instead of a secret value.
const MASK: &str = "********";

/// Whether an endpoint receives new events.
#[derive(Debug, ToSchema)]
#[schema(as = EndpointStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are; they are the domain's")]
pub(crate) enum StatusWord {
    /// It receives events.
    Active,
    /// Its owner stopped it.
    Paused,
    /// The system stopped it; `disabled_reason` says why.
    Disabled,
}

/// Why the system stopped an endpoint.
#[derive(Debug, ToSchema)]
#[schema(as = DisabledReasonCode, rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are; they are the domain's")]
pub(crate) enum DisabledWord {
    /// The receiver answered that it is gone for good.
    Gone,
    /// Too many attempts failed on end: `count`, and of the latest its `kind` and, where it was answered, its `status_code`.
    ConsecutiveFailures,
    /// Something else, which `disabled_reason` says.
    Other,
}

/// The facts of why an endpoint was stopped.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DisabledReasonParams)]
pub(crate) struct DisabledParams {
    /// Attempts that failed on end.
    count: u32,
    /// The kind of the latest failure, as in an attempt's `error`.
    #[schema(example = "timeout")]
    kind: &'static str,
    /// What the latest was answered, where an answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    status_code: Option<u16>,
}

impl DisabledParams {
    fn of(reason: DisabledReason) -> Option<Self> {
        let DisabledReason::Failures { count, latest } = reason else { return None };
        let status_code = match latest {
            LatestFailure::Status(code) => Some(code),
            LatestFailure::Unanswered(_) => None,
        };
        Some(DisabledParams { count, kind: latest.kind().as_str(), status_code })
    }
}

/// In which order an endpoint receives.
#[derive(Debug, ToSchema)]
#[schema(as = EndpointOrdering, rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are; they are the domain's")]
pub(crate) enum OrderingWord {
    /// As it comes: nothing waits for anything else.
    None,
    /// The events of one record one after another, in the order in which they were accepted; different records side by side.
    Resource,
}

/// An endpoint: where events go. The dashboard calls it a webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Endpoint)]
pub(crate) struct EndpointBody<'a> {
    #[schema(example = "ep_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    id: String,
    name: &'a str,
    /// What it is for.
    #[schema(required = true)]
    description: Option<&'a str>,
    /// Attempts that may begin in one second; none for no limit.
    #[schema(required = true, minimum = 1, maximum = 10_000)]
    rate_limit: Option<u32>,
    #[schema(value_type = OrderingWord)]
    ordering: &'static str,
    #[schema(example = "https://example.com/webhooks")]
    url: &'a str,
    /// What it receives: event types, prefixes such as `contact.*`, or `*`.
    events: Vec<String>,
    /// What an event must fulfil beside, to be sent here.
    #[schema(required = true, example = "changes.stage")]
    filter: Option<&'a str>,
    /// The contract that it follows.
    contract: &'a str,
    /// Which system registered it; never filters events.
    #[schema(required = true)]
    system: Option<&'a str>,
    #[schema(value_type = StatusWord)]
    status: &'static str,
    /// Why the system stopped it.
    #[schema(required = true)]
    disabled_reason: Option<&'a str>,
    /// The same as a word that does not change, for saying it in another language; `null` where it is not disabled.
    #[schema(required = true, value_type = Option<DisabledWord>)]
    disabled_reason_code: Option<&'static str>,
    /// The facts of the reason; left out where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    disabled_reason_params: Option<DisabledParams>,
    /// Failed attempts since the last success; tests and retries by hand are not among them.
    consecutive_failures: u32,
    /// When the first of them failed.
    #[schema(required = true)]
    failing_since: Option<Moment>,
    /// Its custom headers; the values are masked.
    headers: HeaderMap<'a>,
    /// Whether its deliveries are signed.
    signed: bool,
    /// What receivers verify with, where the secret is an asymmetric key.
    #[schema(required = true)]
    public_key: Option<String>,
    /// A rotation that is not over: the secret before this one works too; `null` when there is none.
    #[schema(required = true)]
    overlap: Option<OverlapBody>,
    created_at: Moment,
    updated_at: Moment,
    /// What signs its deliveries: in the answer to its creation, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    secret: Option<&'a str>,
}

impl<'a> EndpointBody<'a> {
    pub(crate) fn new(endpoint: &'a Endpoint, streak: Streak, contracts: &Contracts, now: Millis) -> Self {
        let contract = contracts.get(&endpoint.contract);
        let public_key = |secret| contract.and_then(|contract| contract.public_key(secret));
        let disabled_reason = match &endpoint.status {
            EndpointStatus::Disabled { reason } => Some(reason.as_str()),
            EndpointStatus::Active | EndpointStatus::Paused => None,
        };
        let known = disabled_reason.and_then(DisabledReason::parse);
        EndpointBody {
            id: endpoint.id.to_string(),
            name: &endpoint.name,
            description: endpoint.description.as_deref(),
            rate_limit: endpoint.rate_limit.map(NonZeroU32::get),
            ordering: endpoint.ordering.as_str(),
            url: &endpoint.url,
            events: endpoint.events.iter().map(ToString::to_string).collect(),
            filter: endpoint.filter.as_deref(),
            contract: &endpoint.contract,
            system: endpoint.system.as_deref(),
            status: endpoint.status.as_str(),
            disabled_reason,
            disabled_reason_code: disabled_reason.map(|_| known.map_or("other", DisabledReason::code)),
            disabled_reason_params: known.and_then(DisabledParams::of),
            consecutive_failures: streak.failures,
            failing_since: streak.since.map(Moment),
            headers: HeaderMap::new(endpoint.headers.iter().map(|(name, _)| (Cow::from(name), Cow::Borrowed(MASK)))),
            signed: endpoint.secret.is_some(),
            public_key: endpoint.secret.as_ref().and_then(public_key),
            overlap: endpoint.open_overlap(now).map(|overlap| OverlapBody::new(overlap, public_key(&overlap.old))),
            created_at: Moment(endpoint.created_at),
            updated_at: Moment(endpoint.updated_at),
            secret: None,
        }
    }

    /// As it is shown once, when it has just been made.
    pub(crate) fn with_secret(endpoint: &'a Endpoint, contracts: &Contracts, now: Millis) -> Self {
        let secret = endpoint.secret.as_ref().map(|secret| secret.reveal());
        EndpointBody { secret, ..EndpointBody::new(endpoint, Streak::default(), contracts, now) }
    }
}

/// A rotation that is not over: two secrets sign.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Overlap)]
pub(crate) struct OverlapBody {
    /// From then on the present secret signs alone, confirmed or not.
    ends_at: Moment,
    /// Whether the rotation was confirmed: before that, receivers that read one signature alone are sent that of the old secret first.
    confirmed: bool,
    /// What receivers verify with that still hold the old key, where the old secret is an asymmetric one.
    #[schema(required = true)]
    public_key: Option<String>,
}

impl OverlapBody {
    fn new(overlap: &Overlap, public_key: Option<String>) -> Self {
        OverlapBody { ends_at: Moment(overlap.ends_at), confirmed: overlap.is_confirmed, public_key }
    }
}

/// An endpoint to make.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says how the object looks; it is read into the domain's type")]
pub(crate) struct NewEndpoint {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Where it is: `https`, and a public address.
    #[schema(example = "https://example.com/webhooks")]
    url: String,
    /// What it receives, as its contract names it: event types, prefixes such as `contact.*`, or `*`.
    #[schema(min_items = 1, max_items = 100, example = json!(["deal.won", "contact.*"]))]
    events: Vec<String>,
    /// What an event must fulfil beside, to be sent here: a condition on `type`, `data`, `changes`, `resource` and `occurred_at`, such as
    /// `changes.stage` or `data.amount > 1000` (`docs/filters.md`). `type` is in the words of the endpoint's contract.
    #[schema(min_length = 1, max_length = 1000, example = "changes.stage.current = \"won\"")]
    filter: Option<String>,
    /// What signs its deliveries, where the contract lets people choose; made when left out, where the contract makes secrets. The bare prefix
    /// of one of the contract's kinds of secret (such as `whsk_`) has one of that kind made.
    secret: Option<String>,
    /// Custom headers of every request; their values are never shown again.
    #[schema(value_type = Option<HeaderMap>)]
    headers: Option<()>,
    /// `true` when left out.
    enabled: Option<bool>,
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// Which system registers it; never filters events.
    #[schema(max_length = 200)]
    system: Option<String>,
    /// The contract that it follows; its organisation's when left out.
    contract: Option<String>,
    /// Attempts that may begin in one second, retries included; no limit when left out. After a pause a tenth of it may begin at once.
    #[schema(minimum = 1, maximum = 10_000)]
    rate_limit: Option<u32>,
    /// `none` when left out.
    #[schema(value_type = Option<OrderingWord>)]
    ordering: Option<String>,
}

impl NewEndpoint {
    pub(crate) const FIELDS: &[&str] = &[
        "name",
        "url",
        "events",
        "filter",
        "secret",
        "headers",
        "enabled",
        "description",
        "system",
        "contract",
        "rate_limit",
        "ordering",
    ];
}

/// What to change of an endpoint; what is left out stays, `null` empties what may be empty. Its contract cannot be changed.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says how the object looks; it is applied field by field")]
pub(crate) struct EndpointChange {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    #[schema(nullable = false)]
    url: Option<String>,
    #[schema(min_items = 1, max_items = 100, nullable = false)]
    events: Option<Vec<String>>,
    /// As when it is made; `null` lets all pass.
    #[schema(min_length = 1, max_length = 1000)]
    filter: Option<String>,
    /// Headers to set, by name; `null` as a value removes one, the others stay. `null` for all removes all.
    #[schema(value_type = Option<HeaderMap>)]
    headers: Option<()>,
    /// `false` pauses it; `true` makes it active, also after the system disabled it.
    #[schema(nullable = false)]
    enabled: Option<bool>,
    #[schema(max_length = 2000)]
    description: Option<String>,
    #[schema(max_length = 200)]
    system: Option<String>,
    /// `null` removes it, and with it every signature, where the contract lets deliveries go unsigned. `POST …/secret/rotate` sets and replaces it.
    secret: Option<String>,
    /// Attempts that may begin in one second, retries included; `null` for no limit. Holds from the next attempt on.
    #[schema(minimum = 1, maximum = 10_000)]
    rate_limit: Option<u32>,
    /// Holds for events accepted from then on; `null` is `none`.
    #[schema(value_type = Option<OrderingWord>)]
    ordering: Option<String>,
}

impl EndpointChange {
    /// With the one that is known only to say why it cannot be changed.
    pub(crate) const FIELDS: &[&str] = &[
        "name",
        "url",
        "events",
        "filter",
        "headers",
        "enabled",
        "description",
        "system",
        "rate_limit",
        "ordering",
        "secret",
        "contract",
    ];
    /// That one.
    #[cfg(test)]
    pub(crate) const FIXED: &[&str] = &["contract"];
}
