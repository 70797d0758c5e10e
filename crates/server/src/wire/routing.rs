//! What became of an event at each endpoint.

use postrider_engine::Routed;
use serde::Serialize;
use utoipa::ToSchema;

/// Why an endpoint received an event, or did not.
#[derive(Debug, ToSchema)]
#[schema(as = RoutingOutcome, rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are; they are the engine's")]
pub(crate) enum OutcomeWord {
    /// A delivery was made.
    Delivered,
    /// The event is a test of another endpoint.
    Test,
    /// The endpoint was made after the event was accepted.
    MadeLater,
    /// It is not subscribed to the event's type.
    NotSubscribed,
    /// Its filter does not let the event pass.
    Filtered,
    /// It is paused.
    Paused,
    /// The system disabled it.
    Disabled,
    /// It would receive the event today and has no delivery of it: it was changed since, was not active then, or the delivery is not kept any more.
    Dropped,
}

/// An endpoint, and what became of an event there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Routed)]
pub(crate) struct RoutedBody<'a> {
    #[schema(example = "ep_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    endpoint: String,
    /// The endpoint's name.
    name: &'a str,
    /// Decided with today's configuration.
    #[schema(value_type = OutcomeWord)]
    outcome: &'static str,
    /// The newest delivery that was made of it.
    #[schema(required = true)]
    delivery: Option<String>,
    /// Whether the endpoint was changed after the event was accepted, so that the outcome need not be what was decided then.
    since_changed: bool,
}

impl<'a> RoutedBody<'a> {
    pub(crate) fn new(routed: &'a Routed) -> Self {
        RoutedBody {
            endpoint: routed.endpoint.to_string(),
            name: &routed.name,
            outcome: routed.outcome.as_str(),
            delivery: routed.delivery.map(|id| id.to_string()),
            since_changed: routed.is_changed_since,
        }
    }
}
