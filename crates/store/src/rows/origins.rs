//! Origins share one column, with a space between them: no origin has one.

pub(crate) fn put_origins(origins: &[String]) -> String {
    origins.join(" ")
}

pub(crate) fn origins(column: &str) -> Vec<String> {
    column.split_ascii_whitespace().map(str::to_owned).collect()
}
