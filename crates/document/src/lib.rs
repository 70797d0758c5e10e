//! TOML files that people write, read with every mistake told at once: file, line, column, key, what is wrong and what to do.
//!
//! A *document* is a file being read, a *section* one table of it, a *place* where a mistake would be shown. A reader asks sections for what it knows;
//! what a file has beside that is a mistake too.

mod document;
mod duration;
mod inline;
mod mistake;
mod named;
mod section;

use toml::de::DeTable;

pub use document::{Document, Found, Place};
pub use duration::parse as parse_duration;
pub use mistake::Mistake;
pub use named::NamedTable;
pub use section::Section;

/// Reads `text`, whose outermost keys are `keys`, by `reader`, which notes its mistakes in the document and looks at everything before it gives up.
///
/// # Errors
/// All mistakes in the order of the file; one when it has more than `bytes_max` bytes. Behind broken syntax nothing is read.
pub fn read<T>(
    text: &str,
    file: &str,
    bytes_max: usize,
    keys: &'static [&'static str],
    reader: impl FnOnce(&Section<'_, '_>) -> Option<T>,
) -> Result<T, Vec<Mistake>> {
    if text.len() > bytes_max {
        let problem = format!("has {} bytes, more than {bytes_max}", text.len());
        return Err(vec![Mistake::whole_file(file, problem, "shorten it")]);
    }
    let document = Document::new(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    document.syntax(&errors);
    // What a broken syntax left over would only be reported as further mistakes that are none.
    let value = if errors.is_empty() { reader(&Section::root(&document, table.get_ref(), keys)) } else { None };
    let mistakes = document.into_mistakes();
    match value {
        Some(value) if mistakes.is_empty() => Ok(value),
        _ => Err(mistakes),
    }
}

/// A mistake about the value of one of a file's outermost keys, which shows only beside something else than the file.
#[must_use]
pub fn mistake_at(text: &str, file: &str, key: &'static str, problem: &str, advice: &str) -> Vec<Mistake> {
    let document = Document::new(file, text);
    let (table, _) = DeTable::parse_recoverable(text);
    Section::unchecked(&document, table.get_ref()).about(key, problem, advice);
    document.into_mistakes()
}
