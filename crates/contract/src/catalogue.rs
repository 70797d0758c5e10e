//! Catalogues: which event types a contract's receivers know, what each one's data looks like, and which names stand for which.
//!
//! A *receiver's name* is a type as the contract's receivers see it. A *CRM's name* is the name under which the CRM publishes; the contract's
//! `names` say which receiver's name it means. An *open* catalogue passes on well-formed names that it does not know.

use std::collections::HashMap;
use std::sync::OnceLock;

use postrider_domain::{Resource, Subscription};
use serde_json::Value;

/// One event type.
#[derive(Debug)]
pub struct EventType {
    /// The receiver's name, e.g. `deal.won`.
    pub name: String,
    /// When it happens, in a sentence.
    pub description: String,
    /// The type of the record that it is about, e.g. `deal`.
    pub resource: String,
    /// Under which heading the dashboard lists it, e.g. `Deal`.
    pub category: String,
    /// The JSON Schema (2020-12) of its data, complete in itself, as compact JSON text.
    pub schema: String,
    /// Realistic data, as compact JSON text.
    pub sample: String,
    /// What an update of the sample modified, as compact JSON text in the form of `changes`.
    pub sample_changes: Option<String>,
    /// Where the sample's record could be read.
    pub sample_uri: Option<String>,
    pub(crate) validator: OnceLock<Option<jsonschema::Validator>>,
}

/// What a test delivery holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample<'c> {
    /// JSON text.
    pub data: &'c str,
    /// JSON text.
    pub changes: Option<&'c str>,
    /// The record that it is about.
    pub resource: Resource,
}

/// One way in which data does not fit its type's schema, or `changes` do not have their form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where in the data or the changes: a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong there, in a sentence that holds none of the data.
    pub detail: String,
}

/// What types without a sample are tested with: those that an open catalogue does not know.
const GENERIC_SAMPLE: &str = r#"{"id":"sample-1","name":"Sample record"}"#;

/// The event types of one contract.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) open: bool,
    pub(crate) types: Vec<EventType>,
    pub(crate) names: HashMap<String, String>,
    by_name: HashMap<String, usize>,
}

impl Catalogue {
    pub(crate) fn new(open: bool, types: Vec<EventType>, names: HashMap<String, String>) -> Self {
        let by_name = types.iter().enumerate().map(|(index, t)| (t.name.clone(), index)).collect();
        Catalogue { open, types, names, by_name }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&EventType> {
        self.by_name.get(name).map(|index| &self.types[*index])
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.by_name.contains_key(name) || (self.open && !self.names.contains_key(name) && is_type_name(name))
    }

    pub(crate) fn resolve<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        match self.names.get(name) {
            Some(receivers) => Some(receivers),
            None => self.knows(name).then_some(name),
        }
    }

    pub(crate) fn knows_subscription(&self, subscription: &Subscription) -> bool {
        match subscription {
            Subscription::All => true,
            Subscription::Prefix(prefix) => self.open || self.types.iter().any(|t| t.name.starts_with(prefix)),
            Subscription::Type(name) => self.knows(name),
        }
    }

    pub(crate) fn sample(&self, name: &str) -> Sample<'_> {
        let Some(found) = self.get(name) else {
            let resource = Resource { kind: "sample".into(), ids: vec!["sample-1".into()], uri: None };
            return Sample { data: GENERIC_SAMPLE, changes: None, resource };
        };
        let resource =
            Resource { kind: found.resource.clone(), ids: vec![found.sample_id()], uri: found.sample_uri.clone() };
        Sample { data: &found.sample, changes: found.sample_changes.as_deref(), resource }
    }
}

impl EventType {
    fn sample_id(&self) -> String {
        let data: Value = serde_json::from_str(&self.sample).unwrap_or_default();
        match data.get("id") {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => "sample-1".to_owned(),
        }
    }

    /// What does not fit in this data. Schemas are compiled when first needed.
    pub(crate) fn misfits(&self, data: &str) -> Vec<Misfit> {
        /// How many are reported.
        const MISFITS_MAX: usize = 32;
        let Ok(value) = serde_json::from_str::<Value>(data) else {
            return vec![Misfit { pointer: String::new(), detail: "is not JSON".to_owned() }];
        };
        let compile = || serde_json::from_str(&self.schema).ok().and_then(|schema| validator(&schema).ok());
        let Some(validator) = self.validator.get_or_init(compile) else { return Vec::new() };
        let misfit = |error: jsonschema::ValidationError<'_>| Misfit {
            pointer: error.instance_path().to_string(),
            detail: error.masked_with("the value").to_string(),
        };
        validator.iter_errors(&value).take(MISFITS_MAX).map(misfit).collect()
    }
}

/// Compiles a schema; nothing is fetched for it.
pub(crate) fn validator(schema: &Value) -> Result<jsonschema::Validator, String> {
    let options =
        jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true).offline();
    // Backtracking patterns could take forever on a customer's data.
    let patterns = jsonschema::PatternOptions::regex();
    options.with_pattern_options(patterns).build(schema).map_err(|e| e.to_string())
}

/// Whether a text can be an event type: what [`Subscription`] accepts as one.
pub(crate) fn is_type_name(name: &str) -> bool {
    matches!(name.parse(), Ok(Subscription::Type(_)))
}
