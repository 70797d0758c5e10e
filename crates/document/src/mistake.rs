//! Mistakes in a file: where, what is wrong, what to do. A file's mistakes are reported together.

use std::fmt;

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as the caller named it.
    pub file: String,
    /// The line, from 1; 0 when the mistake is about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 when the mistake is about the file as a whole.
    pub column: usize,
    /// The key's path, e.g. `signature.header`; empty when the mistake is about no key.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub advice: String,
}

impl Mistake {
    /// A mistake about a file as a whole.
    #[must_use]
    pub fn whole_file(file: &str, problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Mistake {
            file: file.to_owned(),
            line: 0,
            column: 0,
            key: String::new(),
            problem: problem.into(),
            advice: advice.into(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.problem)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

/// The line and column, both from 1, of a byte offset.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_not_bytes() {
        assert_eq!(position("a\né=x", 5), (2, 3));
        assert_eq!(position("", 9), (1, 1));
        assert_eq!(position("é", 1), (1, 1));
    }

    #[test]
    fn a_mistake_names_file_line_key_and_remedy() {
        let mistake = Mistake {
            file: "x.toml".into(),
            line: 3,
            column: 9,
            key: "signature.header".into(),
            problem: "is empty".into(),
            advice: "name a header".into(),
        };
        assert_eq!(mistake.to_string(), "x.toml:3:9: signature.header: is empty; name a header");
        assert_eq!(Mistake::whole_file("x.toml", "is too long", "").to_string(), "x.toml: is too long");
    }
}
