//! TOML values as JSON text, so that schemas and samples may be written either way.

use toml::de::DeValue;

/// The same value as compact JSON. Tables come in the order of the file; dates become strings, and numbers that JSON does not
/// have (infinities, `nan`) become `null`.
pub(crate) fn to_json(value: &DeValue<'_>) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &DeValue<'_>, out: &mut String) {
    match value {
        DeValue::String(text) => string(text, out),
        DeValue::Integer(integer) if integer.radix() == 10 => number(integer.as_str(), out),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => out.push_str(&number.to_string()),
            Err(_) => out.push_str("null"),
        },
        DeValue::Float(float) => number(float.as_str(), out),
        DeValue::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
        DeValue::Datetime(date) => string(&date.to_string(), out),
        DeValue::Array(array) => {
            out.push('[');
            for (index, element) in array.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(element.get_ref(), out);
            }
            out.push(']');
        }
        DeValue::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, _)| key.span().start);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                string(key.get_ref(), out);
                out.push(':');
                write(value.get_ref(), out);
            }
            out.push('}');
        }
    }
}

/// The number's own digits, where JSON allows them as they are.
fn number(text: &str, out: &mut String) {
    let text = text.strip_prefix('+').unwrap_or(text);
    let is_json = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
    out.push_str(if is_json && !text.contains("inf") && !text.contains("nan") { text } else { "null" });
}

fn string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}
