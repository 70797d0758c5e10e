//! Texts: how long they may be and what may stand in them.

use crate::code::Code;
use crate::wrong::Wrong;

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
    pub(crate) fn check(self, text: &str) -> Result<(), Wrong> {
        let chars = text.chars().count();
        if chars < self.chars_min || chars > self.chars_max {
            return Err(match chars {
                0 => Code::TextEmpty.says("must not be empty"),
                _ => {
                    let max = self.chars_max;
                    let detail = format!("has {chars} characters; at most {max} are accepted");
                    Code::TextTooLong.says(detail).with("max", max).with("has", chars)
                }
            });
        }
        let is_line_part = |c: char| self.lines && matches!(c, '\n' | '\r' | '\t');
        match text.chars().find(|c| c.is_control() && !is_line_part(*c)) {
            Some(control) => {
                let character = format!("U+{:04X}", u32::from(control));
                let detail = format!("has a control character ({character}); remove it");
                Err(Code::TextControlCharacter.says(detail).with("character", character))
            }
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
