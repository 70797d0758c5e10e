//! Names and texts as parts of SQL.

use crate::mapping::TableName;

/// An identifier.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text. One with a backslash is written so that it means the same whatever `standard_conforming_strings` says.
#[must_use]
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A table with its schema.
#[must_use]
pub fn table(name: &TableName) -> String {
    format!("{}.{}", identifier(&name.schema), identifier(&name.name))
}

/// Several identifiers, separated by commas.
pub fn identifiers<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(identifier).collect::<Vec<_>>().join(", ")
}

/// Several texts as an array.
pub fn text_array<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<_> = texts.into_iter().map(literal).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", texts.join(", "))
}

/// A body between dollar signs, under a tag that does not stand in it.
#[must_use]
pub fn body(text: &str) -> String {
    let mut tag = "postrider".to_owned();
    while text.contains(&format!("${tag}$")) {
        tag.push('_');
    }
    format!("${tag}$\n{text}${tag}$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_or_a_text_ends_it() {
        assert_eq!(identifier(r#"a"b"#), r#""a""b""#);
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"\' --"), r"E'\\'' --'");
        assert_eq!(body("$postrider$"), "$postrider_$\n$postrider$$postrider_$");
        let table_name = TableName { schema: "my crm".to_owned(), name: "Deals".to_owned() };
        assert_eq!(table(&table_name), r#""my crm"."Deals""#);
        assert_eq!(text_array(["a", "b'"]), "ARRAY['a', 'b''']::pg_catalog.text[]");
    }
}
