//! The pages: the OpenAPI document and the kinds of problems, as HTML made once at the start. No script, nothing loaded from elsewhere.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::code::Code;
use crate::problem::Kind;

/// The pages' style sheet.
pub(crate) const STYLE: &str = include_str!("docs/style.css");

/// How deep the fields of a schema are shown.
const DEPTH_MAX: usize = 3;

/// The OpenAPI document as a page.
pub(crate) fn page(document: &Value) -> String {
    let mut out = String::with_capacity(256 * 1024);
    let title = text(document, "/info/title");
    head(&mut out, &format!("{title} API"));
    let version = escape(text(document, "/info/version"));
    put(&mut out, &format!("<h1>{} API <small>{version}</small></h1>", escape(title)));
    paragraphs(&mut out, text(document, "/info/description"));
    put(
        &mut out,
        "<p><a href=\"/openapi.json\">OpenAPI 3.1 document</a> · <a href=\"/docs/problems\">problems</a></p>",
    );
    let operations = operations(document);
    contents(&mut out, document, &operations);
    for tag in array(document, "/tags") {
        let name = text(tag, "/name");
        put(&mut out, &format!("<section><h2 id=\"{}\">{}</h2>", anchor(name), escape(name)));
        paragraphs(&mut out, text(tag, "/description"));
        for operation in operations.iter().filter(|operation| operation.tag == name) {
            operation.write(&mut out, document);
        }
        put(&mut out, "</section>");
    }
    foot(&mut out);
    out
}

/// The kinds of problems as a page: what their `type` leads to.
pub(crate) fn problems_page() -> String {
    let mut out = String::with_capacity(16 * 1024);
    head(&mut out, "Problems");
    put(&mut out, "<h1>Problems</h1>");
    paragraphs(
        &mut out,
        "Every answer that is not what was asked for is `application/problem+json` (RFC 9457). Its `type` is the address of one of these \
         sections and does not change; its `detail` says what happened this time.",
    );
    for kind in Kind::ALL {
        let slug = kind.uri().rsplit('#').next().unwrap_or_default();
        let title = escape(kind.title());
        let status = kind.status().as_u16();
        put(&mut out, &format!("<section><h2 id=\"{slug}\"><code>{slug}</code> <small>{status}</small></h2>"));
        put(&mut out, &format!("<p><strong>{title}.</strong></p>"));
        paragraphs(&mut out, kind.remedy());
        put(&mut out, "</section>");
    }
    codes(&mut out);
    foot(&mut out);
    out
}

/// What the codes of wrong fields mean.
fn codes(out: &mut String) {
    put(out, "<section><h2 id=\"codes\">Codes</h2>");
    let about = "Each entry of `errors` has a `code`, which does not change, and `params`, so that it can be said in another language.";
    paragraphs(out, about);
    put(out, "<dl>");
    for code in Code::ALL {
        put(out, &format!("<dt><code>{}</code></dt><dd>", code.as_str()));
        paragraphs(out, code.meaning());
        put(out, "</dd>");
    }
    put(out, "</dl></section>");
}

struct Operation<'d> {
    method: &'d str,
    path: &'d str,
    tag: &'d str,
    value: &'d Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let mut operations = Vec::new();
    for (path, item) in members(document, "/paths") {
        for (method, value) in item.as_object().into_iter().flatten() {
            let tag = text(value, "/tags/0");
            operations.push(Operation { method, path, tag, value });
        }
    }
    operations
}

fn contents(out: &mut String, document: &Value, operations: &[Operation<'_>]) {
    put(out, "<nav aria-label=\"Operations\">");
    for tag in array(document, "/tags") {
        let name = text(tag, "/name");
        put(out, &format!("<h3><a href=\"#{}\">{}</a></h3><ul>", anchor(name), escape(name)));
        for operation in operations.iter().filter(|operation| operation.tag == name) {
            let (id, summary) = (text(operation.value, "/operationId"), text(operation.value, "/summary"));
            put(out, &format!("<li><a href=\"#{}\">{}</a></li>", escape(id), escape(summary)));
        }
        put(out, "</ul>");
    }
    put(out, "</nav>");
}

impl Operation<'_> {
    fn write(&self, out: &mut String, document: &Value) {
        let id = escape(text(self.value, "/operationId"));
        let (method, path) = (escape(self.method), escape(self.path));
        put(out, &format!("<article id=\"{id}\"><h3>{}</h3>", escape(text(self.value, "/summary"))));
        put(out, &format!("<p class=\"route\"><span class=\"{method}\">{method}</span> <code>{path}</code></p>"));
        paragraphs(out, text(self.value, "/description"));
        self.write_parameters(out);
        let body = content(&self.value["requestBody"]);
        if let Some(schema) = body {
            put(out, "<h4>Body</h4>");
            fields(out, document, schema, 0);
        }
        put(out, "<h4>Answers</h4>");
        for (status, response) in members(self.value, "/responses") {
            let described = escape(text(response, "/description"));
            put(out, &format!("<p><code>{}</code> {described}</p>", escape(status)));
            if let Some(schema) = content(response).filter(|_| status != "default") {
                fields(out, document, schema, 0);
            }
        }
        put(out, "</article>");
    }

    fn write_parameters(&self, out: &mut String) {
        let parameters = array(self.value, "/parameters");
        if parameters.is_empty() {
            return;
        }
        put(out, "<h4>Parameters</h4><dl>");
        for parameter in parameters {
            let (name, part) = (escape(text(parameter, "/name")), escape(text(parameter, "/in")));
            put(out, &format!("<dt><code>{name}</code> <small>{part}</small></dt><dd>"));
            paragraphs(out, text(parameter, "/description"));
            put(out, "</dd>");
        }
        put(out, "</dl>");
    }
}

/// The JSON schema of a body, where there is one.
fn content(body: &Value) -> Option<&Value> {
    let media = body.get("content")?.as_object()?.values().next()?;
    media.get("schema")
}

/// A schema's fields as a list of definitions.
fn fields(out: &mut String, document: &Value, schema: &Value, depth: usize) {
    let parts = flattened(document, schema);
    let required: Vec<&str> =
        parts.iter().flat_map(|part| array(part, "/required")).filter_map(Value::as_str).collect();
    let properties: Vec<_> = parts.iter().flat_map(|part| members(part, "/properties")).collect();
    if properties.is_empty() {
        return;
    }
    put(out, "<dl>");
    for (name, property) in properties {
        let kind = escape(&kind_of(document, property));
        let must = if required.contains(&name.as_str()) { "" } else { " <small>may be left out</small>" };
        put(out, &format!("<dt><code>{}</code> <small>{kind}</small>{must}</dt><dd>", escape(name)));
        paragraphs(out, text(property, "/description"));
        if depth + 1 < DEPTH_MAX {
            fields(out, document, inner(document, property), depth + 1);
        }
        put(out, "</dd>");
    }
    put(out, "</dl>");
}

/// The parts of a schema that have fields: itself, what it refers to, and all that it is made of.
fn flattened<'d>(document: &'d Value, schema: &'d Value) -> Vec<&'d Value> {
    let schema = resolved(document, schema);
    let parts = array(schema, "/allOf");
    let own = array(schema, "/oneOf").iter().find(|choice| choice.get("$ref").is_some());
    match (parts.is_empty(), own) {
        (false, _) => parts.iter().flat_map(|part| flattened(document, part)).collect(),
        (true, Some(choice)) => flattened(document, choice),
        (true, None) => vec![schema],
    }
}

fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

/// What a property holds: itself, or the items of an array.
fn inner<'d>(document: &'d Value, property: &'d Value) -> &'d Value {
    let property = resolved(document, property);
    property.get("items").unwrap_or(property)
}

fn kind_of(document: &Value, property: &Value) -> String {
    let schema = resolved(document, property);
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        return choices.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
    }
    if let Some(items) = schema.get("items") {
        return format!("array of {}", kind_of(document, items));
    }
    let choices = array(schema, "/oneOf");
    if !choices.is_empty() {
        return choices.iter().map(|choice| kind_of(document, choice)).collect::<Vec<_>>().join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "object".to_owned(),
    }
}

fn head(out: &mut String, title: &str) {
    put(
        out,
        &format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body><main>",
            escape(title)
        ),
    );
}

fn foot(out: &mut String) {
    put(out, "</main></body></html>\n");
}

/// Paragraphs, with code between back-ticks.
fn paragraphs(out: &mut String, source: &str) {
    for paragraph in source.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        put(out, "<p>");
        for (index, part) in paragraph.split('`').enumerate() {
            let part = escape(part);
            put(out, &if index % 2 == 1 { format!("<code>{part}</code>") } else { part });
        }
        put(out, "</p>");
    }
}

fn put(out: &mut String, html: &str) {
    out.push_str(html);
}

fn escape(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    for c in source.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}

fn anchor(name: &str) -> String {
    name.to_lowercase().chars().fold(String::new(), |mut out, c| {
        // Writing into a String cannot fail.
        let _ = if c.is_ascii_alphanumeric() { write!(out, "{c}") } else { write!(out, "-") };
        out
    })
}

fn text<'d>(value: &'d Value, pointer: &str) -> &'d str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn array<'d>(value: &'d Value, pointer: &str) -> &'d [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn members<'d>(value: &'d Value, pointer: &str) -> impl Iterator<Item = (&'d String, &'d Value)> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_every_operation_and_kind_and_no_script() {
        let document: Value = serde_json::from_str(&crate::openapi_json()).unwrap();
        let html = page(&document);
        for operation in operations(&document) {
            assert!(html.contains(&format!("<article id=\"{}\">", text(operation.value, "/operationId"))));
        }
        let problems = problems_page();
        for kind in Kind::ALL {
            assert!(problems.contains(&format!("id=\"{}\"", kind.uri().rsplit('#').next().unwrap())), "{kind:?}");
        }
        for code in Code::ALL {
            assert!(problems.contains(&format!("<dt><code>{}</code></dt>", code.as_str())), "{code:?}");
        }
        for html in [html, problems] {
            assert!(!html.contains("<script") && !html.contains(" style=") && !html.contains("http-equiv"));
        }
    }

    #[test]
    fn what_stands_in_a_document_cannot_become_markup() {
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
        let mut out = String::new();
        paragraphs(&mut out, "a `<b>` c");
        assert_eq!(out, "<p>a <code>&lt;b&gt;</code> c</p>");
    }
}
