//! `send`: one event to a running server.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::SendArgs;
use crate::commands::read_input;
use crate::failure::Misuse;
use crate::http::{Api, segment};
use crate::output;
use crate::settings::Variables;

/// The request's body. `data` goes as the text that was given, so that numbers and order stay.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    event_type: &'a str,
    data: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Resource<'a>>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Resource<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    ids: Vec<&'a str>,
}

pub(crate) async fn run(args: SendArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let api = Api::from_args(&args.server, variables)?;
    let path = format!("/v1/organizations/{}/events", segment("an organisation", &args.org)?);
    let event = Event {
        event_type: &args.event_type,
        data: data(&args.data)?,
        id: args.id.as_deref(),
        occurred_at: args.occurred_at.as_deref(),
        resource: resource(&args.resources)?,
    };
    let accepted = api.call(Method::POST, &path, Some(serde_json::to_string(&event)?)).await?;
    if args.json {
        output::line(&accepted.to_string())?;
    } else {
        let count = accepted["deliveries_count"].as_u64().unwrap_or_default();
        let deliveries = if count == 1 { "delivery" } else { "deliveries" };
        output::line(&format!("{}  {count} {deliveries}", output::plain(accepted["id"].as_str().unwrap_or_default())))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn data(given: &str) -> anyhow::Result<Box<RawValue>> {
    let text = match given.strip_prefix('@') {
        _ if given == "-" => String::from_utf8(read_input(None)?).context("standard input is not UTF-8")?,
        Some(file) => {
            String::from_utf8(read_input(Some(Path::new(file)))?).with_context(|| format!("{file} is not UTF-8"))?
        }
        None => given.to_owned(),
    };
    let wrong = |error| {
        Misuse::of(format!("--data is not JSON: {error}; texts need double quotes, as '{{\"name\": \"Ada\"}}'"))
    };
    serde_json::from_str(text.trim()).map_err(wrong)
}

/// One type and its ids.
fn resource(given: &[String]) -> anyhow::Result<Option<Resource<'_>>> {
    let mut whole: Option<Resource<'_>> = None;
    for text in given {
        let wrong = || Misuse::of(format!("{text:?} is no resource; write one as deal:42"));
        let (kind, id) =
            text.split_once(':').filter(|(kind, id)| !kind.is_empty() && !id.is_empty()).ok_or_else(wrong)?;
        match &mut whole {
            None => whole = Some(Resource { kind, ids: vec![id] }),
            Some(resource) if resource.kind == kind => resource.ids.push(id),
            Some(resource) => {
                return Err(Misuse::of(format!(
                    "an event is about records of one type; {} and {kind} are two",
                    resource.kind
                )));
            }
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_keeps_its_numbers_and_order() {
        let text = r#"{"z": 1.10, "a": 12345678901234567890123, "e": 1e2}"#;
        let event = Event { event_type: "t", data: data(text).unwrap(), id: None, occurred_at: None, resource: None };
        assert_eq!(serde_json::to_string(&event).unwrap(), format!(r#"{{"type":"t","data":{text}}}"#));
    }

    #[test]
    fn resources_are_of_one_type() {
        let given = ["deal:1".to_owned(), "deal:a:2".to_owned()];
        assert_eq!(resource(&given).unwrap(), Some(Resource { kind: "deal", ids: vec!["1", "a:2"] }));
        assert!(resource(&["deal:1".to_owned(), "contact:2".to_owned()]).is_err());
        assert!(resource(&["deal".to_owned()]).is_err());
        assert_eq!(resource(&[]).unwrap(), None);
    }
}
