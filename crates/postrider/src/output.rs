//! What goes to standard output. A reader that went away (`postrider contracts list | head -1`) is no error.

use std::io::{self, Write};

/// Writes one line.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn line(text: &str) -> io::Result<()> {
    write(&format!("{text}\n"))
}

/// Tells a person something that is no result, on standard error.
pub(crate) fn note(text: &str) {
    // Whoever reads it may have gone.
    let _ = writeln!(io::stderr().lock(), "{}", plain(text));
}

/// Writes a text as it is.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Text from outside, fit for one line of a terminal: what could move its cursor or hide something is replaced.
pub(crate) fn plain(text: &str) -> String {
    let is_shown = |c: &char| {
        !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_shown(&c) { c } else { '\u{fffd}' }).collect()
}

/// Rows under headings, in columns as wide as they must be.
pub(crate) fn columns(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_controls_the_terminal() {
        assert_eq!(plain("deal\u{1b}[2J\n\u{202e}x"), "deal\u{fffd}[2J\u{fffd}\u{fffd}x");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "é".to_owned()], vec!["long".to_owned(), "x".to_owned()]];
        assert_eq!(columns(&["id", "name"], &rows), "id    name\na     é\nlong  x\n");
    }
}
