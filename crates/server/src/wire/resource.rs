//! The records that an event is about.

use postrider_domain::Resource;
use serde::Serialize;
use utoipa::ToSchema;

use crate::code::Code;
use crate::fields::{Fields, Text, string_or_number};
use crate::limits::URI_CHARS_MAX;
use crate::wrong::Wrong;

/// The record, or the records of one type, that an event is about.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Resource)]
pub(crate) struct ResourceBody<'a> {
    /// The record's type, e.g. `deal`.
    #[serde(rename = "type")]
    #[schema(example = "deal")]
    kind: &'a str,
    /// Its id, where there is one record.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, example = "42")]
    id: Option<&'a str>,
    /// The ids of all of them.
    ids: &'a [String],
    /// Where it can be read.
    #[schema(required = true)]
    uri: Option<&'a str>,
}

impl<'a> From<&'a Resource> for ResourceBody<'a> {
    fn from(resource: &'a Resource) -> Self {
        let id = if let [id] = resource.ids.as_slice() { Some(id.as_str()) } else { None };
        ResourceBody { kind: &resource.kind, id, ids: &resource.ids, uri: resource.uri.as_deref() }
    }
}

/// The record, or the records of one type, that an event is about: `id` or `ids`, not both.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says how the object looks; it is read into the domain's type")]
pub(crate) struct PublishedResource {
    /// The record's type, without a colon.
    #[schema(example = "deal", max_length = 256)]
    r#type: String,
    /// Its id; a whole number is taken as its digits.
    #[schema(example = "42", max_length = 256)]
    id: Option<String>,
    /// Their ids, at most 100.
    #[schema(min_items = 1, max_items = 100)]
    ids: Option<Vec<String>>,
    /// Where it can be read.
    uri: Option<String>,
}

impl PublishedResource {
    pub(crate) const FIELDS: &[&str] = &["type", "id", "ids", "uri"];

    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Resource {
        let kind = fields.required_text("type", Text::line(1, Resource::TEXT_BYTES_MAX));
        if kind.contains(':') {
            fields.wrong("type", Code::ResourceColon.says("must have no colon: `type:id` names a record"));
        }
        check_bytes(fields, "type", &kind);
        Resource { kind, ids: read_ids(fields), uri: fields.text("uri", Text::line(1, URI_CHARS_MAX)) }
    }
}

fn read_ids(fields: &mut Fields<'_, '_>) -> Vec<String> {
    match (fields.raw("id"), fields.raw("ids")) {
        (Some(_), Some(_)) => {
            let detail = "must not stand beside id; send one of the two";
            fields.wrong("ids", Code::FieldConflict.says(detail).with("other", "id"));
        }
        (None, None) => {
            fields.wrong("id", Code::FieldMissing.says("is missing; send id, or ids for several records"));
        }
        (None, Some(_)) => return fields.id_list("ids", Resource::IDS_MAX, check_id).unwrap_or_default(),
        (Some(json), None) => match string_or_number(json).and_then(check_id) {
            Ok(id) => return vec![id],
            Err(wrong) => fields.wrong("id", wrong),
        },
    }
    Vec::new()
}

fn check_id(id: String) -> Result<String, Wrong> {
    Text::line(1, Resource::TEXT_BYTES_MAX).check(&id)?;
    if id.len() > Resource::TEXT_BYTES_MAX { Err(too_many_bytes(&id)) } else { Ok(id) }
}

fn check_bytes(fields: &mut Fields<'_, '_>, name: &'static str, text: &str) {
    if text.len() > Resource::TEXT_BYTES_MAX {
        fields.wrong(name, too_many_bytes(text));
    }
}

fn too_many_bytes(text: &str) -> Wrong {
    let (max, has) = (Resource::TEXT_BYTES_MAX, text.len());
    let detail = format!("has {has} bytes; at most {max} are accepted");
    Code::TextTooManyBytes.says(detail).with("max", max).with("has", has)
}
