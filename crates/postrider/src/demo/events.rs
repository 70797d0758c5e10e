//! The sample CRM: posts one event after another, each with a contract's own sample data, slightly varied.

use std::sync::Arc;

use http::Method;
use postrider_contract::EventType;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::arrival::{Arrivals, Cause};
use super::console::Happening;
use super::pace::Pace;
use super::receiver::SEQUENCE;
use super::stage::{Sample, Stage};
use crate::http::Api;

/// Posts until it is aborted.
pub(super) async fn publish(
    api: Api,
    stage: Arc<Stage>,
    arrivals: Arc<Arrivals>,
    rate_per_s: f64,
    happened: mpsc::Sender<Happening>,
) {
    let mut pace = Pace::of(rate_per_s);
    loop {
        let sequence = pace.turn().await;
        let Some((sample, event_type)) = turn(&stage.organizations, sequence) else { return };
        let body = event(event_type, sequence).to_string();
        let event_type = event_type.name.clone();
        arrivals.began(sequence, Cause::Event(event_type.clone()));
        let (organization, contract) = (sample.name.clone(), sample.contract.name().to_owned());
        // Told before it is posted: its webhooks may arrive before the answer does.
        let _ = happened.send(Happening::Posted { organization, contract, event_type: event_type.clone() }).await;
        let answer = api.call(Method::POST, &format!("/v1/organizations/{}/events", sample.id), Some(body)).await;
        if let Err(error) = answer {
            let _ = happened.send(Happening::NotAccepted { event_type, why: format!("{error:#}") }).await;
        }
    }
}

/// Organisations in turn, and for each its contract's types in turn.
fn turn(organizations: &[Sample], sequence: u64) -> Option<(&Sample, &EventType)> {
    let sequence = usize::try_from(sequence).ok()?;
    let sample = organizations.get(sequence.checked_rem(organizations.len())?)?;
    let types = sample.contract.event_types();
    let event_type = types.get((sequence / organizations.len()).checked_rem(types.len())?)?;
    Some((sample, event_type))
}

fn event(event_type: &EventType, sequence: u64) -> Value {
    let mut data: Value = serde_json::from_str(&event_type.sample).unwrap_or_else(|_| json!({}));
    vary(&mut data, sequence);
    let id = data.get("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
    let mut event = json!({"type": event_type.name, "data": data});
    if let Some(id) = id {
        event["resource"] = json!({"type": event_type.resource, "id": id});
    }
    if let Some(changes) =
        event_type.sample_changes.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok())
    {
        event["changes"] = changes;
    }
    event
}

/// Another record each time, and the mark that the receiver knows the event by.
fn vary(data: &mut Value, sequence: u64) {
    let Some(members) = data.as_object_mut() else { return };
    if let Some(id) = members.get_mut("id") {
        let varied = match &*id {
            Value::String(text) => Value::from(format!("{text}-{sequence}")),
            Value::Number(number) => {
                number.as_u64().map_or_else(|| id.clone(), |number| Value::from(number.saturating_add(sequence)))
            }
            other => other.clone(),
        };
        *id = varied;
    }
    members.insert(SEQUENCE.to_owned(), Value::from(sequence));
}

#[cfg(test)]
mod tests {
    use super::*;
    use postrider_contract::Contracts;

    #[test]
    fn every_built_in_type_makes_an_event_about_a_record_of_its_own() {
        for contract in Contracts::built_in().unwrap().iter() {
            for event_type in contract.event_types() {
                let (one, other) = (event(event_type, 1), event(event_type, 2));
                assert_eq!(one["data"][SEQUENCE], 1, "{}: {}", contract.name(), event_type.name);
                assert!(one["resource"].is_null() || one["resource"] != other["resource"], "{one}");
            }
        }
    }

    #[test]
    fn organisations_and_types_take_turns() {
        let contracts = Contracts::built_in().unwrap();
        let sample = |contract: &Arc<postrider_contract::Contract>| Sample {
            id: contract.name().to_owned(),
            name: String::new(),
            contract: Arc::clone(contract),
            endpoints: vec![],
        };
        let organizations: Vec<_> = contracts.iter().map(sample).collect();
        let turns: Vec<_> = (0..12)
            .filter_map(|n| turn(&organizations, n))
            .map(|(sample, t)| (sample.id.as_str(), t.name.as_str()))
            .collect();
        let distinct: std::collections::BTreeSet<_> = turns.iter().collect();
        assert_eq!(distinct.len(), 12, "{turns:?}");
        assert!(turn(&[], 0).is_none());
    }
}
