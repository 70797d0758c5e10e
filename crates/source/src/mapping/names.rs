//! Names of tables and columns, as files write them.

use std::fmt;
use std::str::FromStr;

use super::TableName;

/// The longest name of a table, a schema or a column, in bytes (PostgreSQL documentation, "Identifiers and Key Words").
pub(super) const NAME_BYTES_MAX: usize = 63;

/// Why a text names no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a table is named like public.deals: schema and name, letter for letter as in the database, in double quotes where one has a dot"
)]
pub struct TableNameError;

impl FromStr for TableName {
    type Err = TableNameError;

    /// Reads `schema.name`, or `name` in the schema `public`. Upper case stays as it is, with or without double quotes.
    fn from_str(text: &str) -> Result<Self, TableNameError> {
        let (first, rest) = name(text)?;
        let (schema, name) = match rest {
            None => ("public".to_owned(), first),
            Some(rest) => match name(rest)? {
                (second, None) => (first, second),
                _ => return Err(TableNameError),
            },
        };
        Ok(TableName { schema, name })
    }
}

impl fmt::Display for TableName {
    /// As the mapping writes it: `schema.name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, end) in [(&self.schema, "."), (&self.name, "")] {
            if part.contains(['.', '"']) {
                write!(f, "\"{}\"{end}", part.replace('"', "\"\""))?;
            } else {
                write!(f, "{part}{end}")?;
            }
        }
        Ok(())
    }
}

/// Whether a text can be the name of a schema, a table or a column.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.contains(char::is_control)
}

/// The first name of a text, and what follows the dot behind it.
fn name(text: &str) -> Result<(String, Option<&str>), TableNameError> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => {
            let end = closing_quote(quoted).ok_or(TableNameError)?;
            (quoted[..end].replace("\"\"", "\""), &quoted[end + 1..])
        }
        None => {
            let end = text.find('.').unwrap_or(text.len());
            (text[..end].to_owned(), &text[end..])
        }
    };
    let rest = match rest.strip_prefix('.') {
        None if !rest.is_empty() => return Err(TableNameError),
        rest => rest,
    };
    if is_name(&name) { Ok((name, rest)) } else { Err(TableNameError) }
}

/// Where a quoted name ends: at a quote that is not doubled.
fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'"', Some(b'"')) => at += 2,
            (b'"', _) => return Some(at),
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_without_a_schema_is_in_public_and_letters_stay_as_they_are() {
        let shown = |text: &str| text.parse::<TableName>().map(|name| (name.schema, name.name)).unwrap();
        assert_eq!(shown("deals"), ("public".to_owned(), "deals".to_owned()));
        assert_eq!(shown("crm.Deal"), ("crm".to_owned(), "Deal".to_owned()));
        assert_eq!(shown("\"my.crm\".\"a \"\"b\"\"\""), ("my.crm".to_owned(), "a \"b\"".to_owned()));
    }

    #[test]
    fn what_names_no_table_is_refused() {
        for text in ["", ".", "a.", ".a", "a.b.c", "\"a", "\"a\"b", "a\nb", &"x".repeat(64)] {
            assert!(text.parse::<TableName>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_as_the_same_table(schema in "[a-z.\"A-Z ]{1,12}", name in "[a-zé.\"]{1,12}") {
            let table = TableName { schema, name };
            // A name that begins with a quote is shown in quotes, and so is one with a dot: only those need them.
            prop_assert_eq!(table.to_string().parse::<TableName>(), Ok(table));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = text.parse::<TableName>();
        }
    }
}
