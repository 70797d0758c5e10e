//! Webhooks as the fifth document shows them.

use postrider_domain::Endpoint;
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::Moment;
use crate::wire::endpoint::StatusWord;

/// A webhook: an endpoint in the document's words.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookBody<'a> {
    #[schema(example = "ep_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    id: String,
    name: &'a str,
    url: &'a str,
    events: Vec<String>,
    #[schema(value_type = StatusWord)]
    status: &'static str,
    /// Which system registered it.
    #[schema(required = true)]
    system: Option<&'a str>,
    created_at: Moment,
    /// What its deliveries are signed with: in the answer to its creation, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    secret_key: Option<&'a str>,
}

impl<'a> WebhookBody<'a> {
    pub(crate) fn new(endpoint: &'a Endpoint) -> Self {
        WebhookBody {
            id: endpoint.id.to_string(),
            name: &endpoint.name,
            url: &endpoint.url,
            events: endpoint.events.iter().map(ToString::to_string).collect(),
            status: endpoint.status.as_str(),
            system: endpoint.system.as_deref(),
            created_at: Moment(endpoint.created_at),
            secret_key: None,
        }
    }

    /// As it is shown once, when it has just been made.
    pub(crate) fn with_secret(endpoint: &'a Endpoint) -> Self {
        let secret_key = endpoint.secret.as_ref().map(|secret| secret.reveal());
        WebhookBody { secret_key, ..WebhookBody::new(endpoint) }
    }
}

/// A webhook by itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookAnswer<'a> {
    pub(crate) webhook: WebhookBody<'a>,
}

/// Webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookList<'a> {
    pub(crate) webhooks: Vec<WebhookBody<'a>>,
}

/// Names of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookEvents {
    #[schema(example = json!(["peopleCreated", "peopleUpdated", "peopleStageUpdated"]))]
    pub(crate) events: Vec<String>,
}

/// A webhook to create or to change: the fields within `webhook`, or flat.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"webhook": {"name": "Contact Sync Webhook", "url": "https://your-app.com/webhooks/crm-events", "events": ["peopleCreated"]}}))]
#[expect(dead_code, reason = "says how the object looks; it is put into the words of the endpoints' own routes")]
pub(crate) struct WebhookRequest {
    /// All fields in one object; the others are left out then.
    #[schema(nullable = false)]
    webhook: Option<WebhookFields>,
    /// Descriptive name for the webhook.
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// HTTPS URL to receive webhook deliveries.
    #[schema(nullable = false)]
    url: Option<String>,
    /// Another word for `url`.
    #[schema(nullable = false)]
    uri: Option<String>,
    /// Event types to subscribe to; `/webhooks/events` lists them.
    #[schema(min_items = 1, max_items = 100, nullable = false)]
    events: Option<Vec<String>>,
    /// `active` or `paused`.
    #[schema(nullable = false, value_type = Option<WebhookStatus>)]
    status: Option<String>,
}

/// Whether a webhook receives events.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are; they are put into the words of the endpoints' own routes")]
pub(crate) enum WebhookStatus {
    /// It does.
    Active,
    /// Its owner stopped it.
    Paused,
}

/// The fields of a webhook.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says how the object looks; it is put into the words of the endpoints' own routes")]
pub(crate) struct WebhookFields {
    /// Descriptive name for the webhook.
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// HTTPS URL to receive webhook deliveries.
    #[schema(nullable = false)]
    url: Option<String>,
    /// Another word for `url`.
    #[schema(nullable = false)]
    uri: Option<String>,
    /// Event types to subscribe to; `/webhooks/events` lists them.
    #[schema(min_items = 1, max_items = 100, nullable = false)]
    events: Option<Vec<String>>,
    /// `active` or `paused`.
    #[schema(nullable = false, value_type = Option<WebhookStatus>)]
    status: Option<String>,
}
