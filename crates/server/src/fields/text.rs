//! Texts: how long they may be and what may stand in them.

/// What a text may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    /// The shortest, in characters.
    chars_min: usize,
    /// The longest, in characters.
    chars_max: usize,
    /// Whether it may have line breaks and tabs.
    lines: bool,
}

impl Text {
    /// A line: no control characters at all.
    pub(crate) const fn line(chars_min: usize, chars_max: usize) -> Self {
        Text { chars_min, chars_max, lines: false }
    }

    /// Several lines.
    pub(crate) const fn lines(chars_max: usize) -> Self {
        Text { chars_min: 0, chars_max, lines: true }
    }

    /// What is wrong with a text, if anything.
    pub(crate) fn check(self, text: &str) -> Result<(), String> {
        let chars = text.chars().count();
        if chars < self.chars_min || chars > self.chars_max {
            let Text { chars_min, chars_max, .. } = self;
            return Err(match (chars_min, chars) {
                (_, 0) => "must not be empty".to_owned(),
                (0 | 1, _) => format!("has {chars} characters; at most {chars_max} are accepted"),
                _ => format!("has {chars} characters; {chars_min} to {chars_max} are accepted"),
            });
        }
        let is_line_part = |c: char| self.lines && matches!(c, '\n' | '\r' | '\t');
        match text.chars().find(|c| c.is_control() && !is_line_part(*c)) {
            Some(control) => Err(format!("has a control character (U+{:04X}); remove it", u32::from(control))),
            None => Ok(()),
        }
    }
}

/// What a JSON text is, in words, with its article.
pub(crate) fn json_kind(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
