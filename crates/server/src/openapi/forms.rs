//! What texts in requests may be, as the document says it: one word has one form wherever it stands, and a body has the members that its
//! schema names and no other. What a schema cannot say (what a name means, what happened before, what the time is) stands in descriptions.

use std::collections::BTreeSet;

use postrider_domain::{Resource, Subscription};
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Object, Schema, SchemaFormat};
use utoipa::openapi::{Components, KnownFormat, OpenApi, RefOr};

use super::operations_mut;
use crate::limits::{CURSOR_BYTES_MAX, NAME_CHARS_MAX, STREAM_AFTER_BYTES_MAX, SYSTEM_CHARS_MAX, URI_CHARS_MAX};

const COMPONENTS: &str = "#/components/schemas/";

/// A text; what is none stays as the schema has it.
#[derive(Clone, Copy)]
struct Form {
    pattern: Option<&'static str>,
    is_moment: bool,
    chars_min: Option<usize>,
    chars_max: Option<usize>,
}

const ANY: Form = Form { pattern: None, is_moment: false, chars_min: None, chars_max: None };
const MOMENT: Form = Form { is_moment: true, ..ANY };
/// No control characters.
const LINE: Form = Form { pattern: Some(r"^[^\u0000-\u001F\u007F-\u009F]*$"), ..ANY };
/// None but line breaks and tabs.
const LINES: Form = Form { pattern: Some(r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]*$"), ..ANY };
const NAME: Form = line(NAME_CHARS_MAX);
const SYSTEM: Form = line(SYSTEM_CHARS_MAX);
const EVENT_TYPE: Form = line(Subscription::BYTES_MAX);
const URL: Form = line(URI_CHARS_MAX);
const RECORD_ID: Form = line(Resource::TEXT_BYTES_MAX);
const ORGANIZATION_ID: Form = form(r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$", 1, 64);
const EVENT_ID: Form = form("^[!-~]+$", 1, 128);
const ENDPOINT_ID: Form = pattern("^ep_[0-7][0-9a-hjkmnp-tv-z]{25}$");

/// By the schema that a member stands in (any, when it is empty; parameters stand in none) and its name. The first that fits holds.
const FORMS: &[(&str, &str, Form)] = &[
    ("", "since", MOMENT),
    ("", "until", MOMENT),
    ("", "cursor", form("^[A-Za-z0-9_-]+$", 1, CURSOR_BYTES_MAX)),
    ("", "after", form("^[A-Za-z0-9_-]+$", 1, STREAM_AFTER_BYTES_MAX)),
    ("", "org", ORGANIZATION_ID),
    ("", "endpoint", ENDPOINT_ID),
    ("", "webhook", ENDPOINT_ID),
    ("", "event", EVENT_ID),
    ("", "delivery", pattern("^dlv_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    ("", "key", pattern("^key_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    ("", "operation", pattern("^op_[0-7][0-9a-hjkmnp-tv-z]{25}$")),
    ("", "Idempotency-Key", form("^[!-~]+$", 1, 255)),
    ("ErasureRequest", "resource", form(ERASED, 3, 2 * Resource::TEXT_BYTES_MAX + 1)),
    ("", "resource", pattern(r"^[^:]+:[\s\S]+$")),
    ("PublishedEvent", "id", EVENT_ID),
    ("PublishedEvent", "type", EVENT_TYPE),
    ("TestRequest", "type", EVENT_TYPE),
    ("PublishedResource", "type", form(r"^[^:\u0000-\u001F\u007F-\u009F]+$", 1, Resource::TEXT_BYTES_MAX)),
    ("PublishedResource", "id", RECORD_ID),
    ("PublishedResource", "ids", RECORD_ID),
    ("NewOrganization", "id", ORGANIZATION_ID),
    ("", "name", NAME),
    ("", "contract", NAME),
    ("", "plan", NAME),
    ("", "owner_email", form(EMAIL, 3, crate::limits::EMAIL_CHARS_MAX)),
    ("", "locale", form("^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$", 2, crate::limits::LOCALE_CHARS_MAX)),
    ("", "description", LINES),
    ("", "system", SYSTEM),
    ("", "url", URL),
    ("", "uri", URL),
    ("", "events", EVENT_TYPE),
    ("", "secret", Form { chars_min: Some(1), ..ANY }),
    ("", "overlap", pattern("^[0-9]+[smhd]$")),
    ("", "search", line(crate::limits::SEARCH_CHARS_MAX)),
    ("", "frame_ancestors", line(crate::limits::ORIGIN_CHARS_MAX)),
];

const ERASED: &str = r"^[^:\u0000-\u001F\u007F-\u009F]+:[^\u0000-\u001F\u007F-\u009F]+$";
const EMAIL: &str = r"^[^\s\u0000-\u001F\u007F-\u009F]+@[^\s@\u0000-\u001F\u007F-\u009F]+$";

const fn pattern(pattern: &'static str) -> Form {
    Form { pattern: Some(pattern), ..ANY }
}

const fn form(pattern: &'static str, chars_min: usize, chars_max: usize) -> Form {
    Form { pattern: Some(pattern), is_moment: false, chars_min: Some(chars_min), chars_max: Some(chars_max) }
}

const fn line(chars_max: usize) -> Form {
    Form { chars_min: Some(1), chars_max: Some(chars_max), ..LINE }
}

/// Puts them into the document.
pub(super) fn put(document: &mut OpenApi) {
    let mut asked = BTreeSet::new();
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations_mut(item) {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter
                    && let Some(schema) = &mut parameter.schema
                {
                    shape(schema, "", &parameter.name);
                }
            }
            if let Some(RefOr::T(body)) = &operation.request_body {
                let contents = body.content.values();
                let schemas = contents.filter_map(|content| match content {
                    RefOr::T(content) => content.schema.as_ref(),
                    RefOr::Ref(_) => None,
                });
                schemas.for_each(|schema| note_names(schema, &mut asked));
            }
        }
    }
    if let Some(components) = &mut document.components {
        put_into_bodies(components, asked);
    }
}

fn put_into_bodies(components: &mut Components, asked: BTreeSet<String>) {
    let (mut waiting, mut seen) = (asked, BTreeSet::new());
    while let Some(name) = waiting.pop_first() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(schema) = components.schemas.get_mut(&name) else { continue };
        let mut within = BTreeSet::new();
        note_names(schema, &mut within);
        waiting.extend(within);
        let RefOr::T(Schema::Object(object)) = schema else { continue };
        if object.properties.is_empty() {
            continue;
        }
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        for (member, schema) in &mut object.properties {
            shape(schema, &name, member);
        }
    }
}

/// The components that a schema names.
fn note_names(schema: &RefOr<Schema>, names: &mut BTreeSet<String>) {
    match schema {
        RefOr::Ref(reference) => names.extend(reference.ref_location.strip_prefix(COMPONENTS).map(str::to_owned)),
        RefOr::T(Schema::Object(object)) => object.properties.values().for_each(|member| note_names(member, names)),
        RefOr::T(Schema::OneOf(one)) => one.items.iter().for_each(|item| note_names(item, names)),
        RefOr::T(Schema::AllOf(all)) => all.items.iter().for_each(|item| note_names(item, names)),
        RefOr::T(Schema::AnyOf(any)) => any.items.iter().for_each(|item| note_names(item, names)),
        RefOr::T(Schema::Array(array)) => {
            if let ArrayItems::RefOrSchema(items) = &array.items {
                note_names(items, names);
            }
        }
        RefOr::T(_) => {}
    }
}

fn shape(schema: &mut RefOr<Schema>, within: &str, name: &str) {
    let fits = |(of, named, _): &&(&str, &str, Form)| *named == name && (of.is_empty() || *of == within);
    let Some((_, _, form)) = FORMS.iter().find(fits) else { return };
    match schema {
        RefOr::T(Schema::Object(object)) => form.shape(object),
        RefOr::T(Schema::Array(array)) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items
                && let RefOr::T(Schema::Object(object)) = items.as_mut()
            {
                form.shape(object);
            }
        }
        RefOr::T(_) | RefOr::Ref(_) => {}
    }
}

impl Form {
    fn shape(&self, object: &mut Object) {
        object.pattern = self.pattern.map(str::to_owned);
        if self.is_moment {
            object.format = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime));
        }
        object.min_length = self.chars_min.or(object.min_length);
        object.max_length = self.chars_max.or(object.max_length);
    }
}
