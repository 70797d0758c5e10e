//! What becomes of failed attempts, as the API tells it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::console::Happening;
use super::receiver::Role;
use super::stage::{Endpoint, Sample, Stage};
use crate::http::Api;

/// How often the API is asked.
const EVERY: Duration = Duration::from_millis(400);

/// Tells each failed attempt of the endpoints that fail, with the time of the next, until it is aborted.
pub(super) async fn watch(api: Api, stage: Arc<Stage>, happened: mpsc::Sender<Happening>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = HashMap::new();
    loop {
        ticks.tick().await;
        let mut seen = HashMap::new();
        for sample in &stage.organizations {
            for endpoint in sample.endpoints.iter().filter(|endpoint| is_made_good(endpoint.role)) {
                let path = format!(
                    "/v1/organizations/{}/deliveries?endpoint={}&status=pending&limit=50",
                    sample.id, endpoint.id
                );
                // A server that does not answer now is asked again soon.
                let Ok(page) = api.call(Method::GET, &path, None).await else { continue };
                for delivery in page["data"].as_array().into_iter().flatten() {
                    let Some((id, attempts)) = failed(delivery) else { continue };
                    if told.get(&id).is_none_or(|before| *before < attempts) {
                        let _ = happened.send(waiting(sample, endpoint, delivery, attempts)).await;
                    }
                    seen.insert(id, attempts);
                }
            }
        }
        // What is no longer pending is forgotten, so that this stays small.
        told = seen;
    }
}

/// Of one that never succeeds there is nothing to tell but ever more of the same.
fn is_made_good(role: Role) -> bool {
    matches!(role, Role::Flaky | Role::Slow)
}

fn failed(delivery: &Value) -> Option<(String, u64)> {
    let attempts = delivery["attempts_count"].as_u64().filter(|attempts| *attempts > 0)?;
    Some((delivery["id"].as_str()?.to_owned(), attempts))
}

fn waiting(sample: &Sample, endpoint: &Endpoint, delivery: &Value, attempts: u64) -> Happening {
    let next = delivery["next_attempt_at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    Happening::Waiting {
        organization: sample.name.clone(),
        endpoint: endpoint.name.to_owned(),
        event_type: delivery["type"].as_str().unwrap_or_default().to_owned(),
        attempts,
        last_status: delivery["last_status_code"].as_u64(),
        next_ms: next.map(jiff::Timestamp::as_millisecond),
    }
}
