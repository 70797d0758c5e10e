//! What is checked of an endpoint before it is made or changed.

use postrider_domain::EndpointId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::fields::Fields;
use crate::problem::Mistake;
use crate::wire::HeaderMap;
use crate::wire::endpoint::OrderingWord;

/// Fields of an endpoint that is to be made, or changed: as many of them as there are so far.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says how the object looks; it is read as what it would make")]
pub(crate) struct EndpointCheck {
    /// The endpoint that is to be changed; a new one when left out.
    #[schema(value_type = Option<String>, example = "ep_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    endpoint: Option<EndpointId>,
    #[schema(max_length = 200)]
    name: Option<String>,
    #[schema(example = "https://example.com/webhooks")]
    url: Option<String>,
    #[schema(max_items = 100, example = json!(["deal.won", "contact.*"]))]
    events: Option<Vec<String>>,
    #[schema(max_length = 1000, example = "changes.stage.current = \"won\"")]
    filter: Option<String>,
    secret: Option<String>,
    #[schema(value_type = Option<HeaderMap>)]
    headers: Option<()>,
    enabled: Option<bool>,
    #[schema(max_length = 2000)]
    description: Option<String>,
    #[schema(max_length = 200)]
    system: Option<String>,
    contract: Option<String>,
    #[schema(minimum = 1, maximum = 10_000)]
    rate_limit: Option<u32>,
    #[schema(value_type = Option<OrderingWord>)]
    ordering: Option<String>,
}

impl EndpointCheck {
    pub(crate) const FIELDS: &[&str] = &[
        "endpoint",
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

    /// The endpoint that is to be changed, if it is about a change.
    pub(crate) fn read_endpoint(fields: &mut Fields<'_, '_>) -> Option<EndpointId> {
        fields.parsed("endpoint")
    }
}

/// What would be refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EndpointChecked)]
pub(crate) struct EndpointCheckedBody {
    /// Every mistake; empty when there is none.
    pub(crate) errors: Vec<Mistake>,
}
