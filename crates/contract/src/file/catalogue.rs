//! The catalogue of a contract file: types, schemas, samples, names.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use postrider_document::{Found, Section};
use serde_json::{Map, Value};

use crate::catalogue::{Catalogue, EventType, is_type_name, validator};
use crate::changes::check_changes;
use crate::json::compact;

pub(super) const CATALOGUE: &[&str] = &["open"];
pub(super) const TYPE: &[&str] =
    &["description", "resource", "category", "schema", "sample", "sample_changes", "sample_uri"];

const TYPES_MAX: usize = 500;
const NAMES_MAX: usize = 2_000;
const RESOURCE_BYTES_MAX: usize = 64;

/// The shared schemas by name.
type Schemas = HashMap<String, Value>;

pub(super) fn catalogue(root: &Section<'_, '_>) -> Option<Catalogue> {
    let open = root.section("catalogue", CATALOGUE).flag("open", false);
    let schemas = schemas(root);
    let sections = root.named("types", TYPE);
    if sections.is_empty() || sections.len() > TYPES_MAX {
        let advice = format!("describe 1 to {TYPES_MAX}, e.g. [types.\"deal.won\"]");
        root.about("types", format!("has {} event types", sections.len()), advice);
    }
    let count = sections.len();
    let types: Vec<EventType> =
        sections.iter().filter_map(|(name, section)| event_type(name, section, &schemas)).collect();
    let names = names(root, &sections.iter().map(|(name, _)| *name).collect());
    (types.len() == count).then(|| Catalogue::new(open, types, names))
}

fn json(section: &Section<'_, '_>, found: &Found<String>) -> Option<Value> {
    match serde_json::from_str(&found.value) {
        Ok(value) => Some(value),
        Err(error) => {
            let advice = "write JSON text in '''…''', or a TOML table";
            section.document().mistake(&found.place, format!("is not JSON: {error}"), advice);
            None
        }
    }
}

fn schemas(root: &Section<'_, '_>) -> Schemas {
    let schema = |(name, found): (&str, Found<String>)| Some((name.to_owned(), json(root, &found)?));
    root.named_json("schemas").into_iter().filter_map(schema).collect()
}

fn event_type(name: &str, section: &Section<'_, '_>, schemas: &Schemas) -> Option<EventType> {
    if !is_type_name(name) {
        let advice = "use letters, digits and . _ - : and at most 128 of them";
        section.document().mistake(section.place(), format!("{name:?} is not an event type"), advice);
    }
    let description = section.required_text("description", "say when it happens, in a sentence");
    let resource = section.required_text("resource", "name the record's type, e.g. resource = \"deal\"");
    let category = section.text("category").map(|found| found.value);
    let schema = schema(section, schemas);
    let sample = sample(section, "sample");
    let changes = sample_changes(section);
    let uri = section.text("sample_uri").map(|found| found.value.to_owned());
    if !section.has("sample") {
        section.missing("sample", "give realistic data: tests deliver it and the API shows it");
    }
    if let (Some(schema), Some((sample, found))) = (&schema, &sample) {
        check_sample(section, schema, sample, found);
    }
    let resource = resource?;
    if resource.value.is_empty() || resource.value.len() > RESOURCE_BYTES_MAX {
        section.document().mistake(
            &resource.place,
            "is empty or too long",
            format!("at most {RESOURCE_BYTES_MAX} bytes"),
        );
    }
    Some(EventType {
        name: name.to_owned(),
        description: description?.value.trim().to_owned(),
        resource: resource.value.to_owned(),
        category: category.map_or_else(|| capitalised(resource.value), str::to_owned),
        schema: schema?.to_string(),
        sample: compact(&sample?.1.value),
        sample_changes: changes.map(|found| compact(&found.value)),
        sample_uri: uri,
        validator: OnceLock::new(),
    })
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

fn sample(section: &Section<'_, '_>, key: &'static str) -> Option<(Value, Found<String>)> {
    let found = section.json(key)?;
    Some((json(section, &found)?, found))
}

fn sample_changes(section: &Section<'_, '_>) -> Option<Found<String>> {
    let (_, found) = sample(section, "sample_changes")?;
    for misfit in check_changes(&found.value).err().unwrap_or_default() {
        let problem = format!("does not have the form of changes at {:?}: {}", misfit.pointer, misfit.detail);
        section.document().mistake(&found.place, problem, "write {\"field\":{\"previous\":…,\"current\":…}}");
    }
    Some(found)
}

fn check_sample(section: &Section<'_, '_>, schema: &Value, sample: &Value, found: &Found<String>) {
    let validator = match validator(schema) {
        Ok(validator) => validator,
        Err(error) => {
            let advice = "write a JSON Schema (2020-12) that refers to nothing outside the file";
            section.document().mistake(section.place(), format!("has a schema that does not compile: {error}"), advice);
            return;
        }
    };
    for error in validator.iter_errors(sample) {
        let problem = format!("does not fit its schema at {:?}: {error}", error.instance_path().to_string());
        section.document().mistake(&found.place, problem, "correct the sample or the schema");
    }
}

/// A type's schema, complete in itself: given inline, or by the name of one of `[schemas]`; shared ones that it refers to as
/// `#/$defs/<name>` come along.
fn schema(section: &Section<'_, '_>, schemas: &Schemas) -> Option<Value> {
    if !section.has("schema") {
        section.missing("schema", "give a JSON Schema, or the name of one of [schemas]");
        return None;
    }
    let found = section.json("schema")?;
    let mut schema = if found.value.starts_with('{') {
        json(section, &found)?
    } else if let Some(shared) = schemas.get(&found.value) {
        shared.clone()
    } else {
        let known: BTreeSet<_> = schemas.keys().map(String::as_str).collect();
        let known: Vec<_> = known.into_iter().collect();
        let advice = format!("write JSON text, or one of {}", known.join(", "));
        section.document().mistake(&found.place, format!("{:?} is not one of [schemas]", found.value), advice);
        return None;
    };
    let Some(object) = schema.as_object_mut() else {
        section.document().mistake(&found.place, "is not an object", "write a JSON Schema as an object");
        return None;
    };
    add_shared(object, schemas);
    Some(schema)
}

fn add_shared(schema: &mut Map<String, Value>, schemas: &Schemas) {
    let mut wanted = BTreeSet::new();
    collect(&Value::Object(schema.clone()), schemas, &mut wanted);
    if wanted.is_empty() {
        return;
    }
    let defs = schema.entry("$defs").or_insert_with(|| Value::Object(Map::new()));
    if let Some(defs) = defs.as_object_mut() {
        for name in wanted {
            if let Some(shared) = schemas.get(&name) {
                defs.entry(name).or_insert_with(|| shared.clone());
            }
        }
    }
}

/// The names of shared schemas that a schema refers to, and that those refer to in turn.
fn collect(schema: &Value, schemas: &Schemas, wanted: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str);
            if let Some(name) = reference.and_then(|r| r.strip_prefix("#/$defs/"))
                && let Some(shared) = schemas.get(name)
                && wanted.insert(name.to_owned())
            {
                collect(shared, schemas, wanted);
            }
            members.values().for_each(|member| collect(member, schemas, wanted));
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, schemas, wanted)),
        _ => {}
    }
}

fn names(root: &Section<'_, '_>, types: &BTreeSet<&str>) -> HashMap<String, String> {
    let mut names = HashMap::new();
    let found = root.named_texts("names");
    if found.len() > NAMES_MAX {
        root.about("names", format!("has {} names", found.len()), format!("write at most {NAMES_MAX}"));
    }
    for (name, receivers) in found {
        let mistake = |problem: String, advice: &str| root.document().mistake(&receivers.place, problem, advice);
        if !is_type_name(name) {
            mistake(
                format!("{name:?} is not an event type"),
                "use letters, digits and . _ - : and at most 128 of them",
            );
        }
        if types.contains(name) {
            mistake(
                format!("{name:?} is itself a type of the catalogue"),
                "a type stands for itself: take this line out",
            );
        }
        if !types.contains(receivers.value) {
            mistake(format!("{:?} is not a type of the catalogue", receivers.value), "name one of [types]");
        }
        names.insert(name.to_owned(), receivers.value.to_owned());
    }
    names
}
