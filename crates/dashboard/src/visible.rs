//! What somebody else wrote, made harmless to look at.
//!
//! A template escapes it, so that it is never markup. What is left are characters that show nothing, or that change how others show: control characters,
//! marks of direction ("Trojan Source", CVE-2021-42574), characters without width. Each is shown as a *mark* that names it.

use data_encoding::BASE64;

/// The most bytes of a text that is shown laid out, and of the layout: a few brackets can ask for megabytes of blanks.
const LAID_OUT_BYTES_MAX: usize = 1024 * 1024;
/// The deepest nesting that is laid out.
const LAID_OUT_DEPTH_MAX: usize = 64;

/// The names of ASCII's control characters (RFC 20, section 5.2), in order.
const CONTROLS: &str = "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US";

/// A part of a text: plain, or marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    /// Whether it stands for characters that cannot be seen.
    pub(crate) is_mark: bool,
}

/// A body as it is shown: its bytes, and laid out where it is JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) pieces: Vec<Piece>,
    /// The same in lines, where it is JSON.
    pub(crate) laid_out: Option<Vec<Piece>>,
    /// The bytes in base64, where they are no text.
    pub(crate) base64: Option<String>,
}

impl Body {
    /// `base64` is what the API gives beside a text in which something had to be replaced.
    pub(crate) fn new(text: &str, base64: Option<&str>) -> Self {
        let bytes = base64.and_then(|base64| BASE64.decode(base64.as_bytes()).ok());
        let pieces = bytes.map_or_else(|| visible(text), |bytes| visible_bytes(&bytes));
        let laid_out = lay_out(text).filter(|laid_out| laid_out != text).map(|laid_out| visible(&laid_out));
        Body { pieces, laid_out, base64: base64.map(str::to_owned) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

/// A text in pieces; line breaks and tabs stay what they are.
pub(crate) fn visible(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    add(&mut pieces, text);
    pieces
}

/// Bytes that need not be text; what is none is marked byte by byte, as `\xFF`.
fn visible_bytes(bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for chunk in bytes.utf8_chunks() {
        add(&mut pieces, chunk.valid());
        for byte in chunk.invalid() {
            push(&mut pieces, true, &format!("\\x{byte:02X}"));
        }
    }
    pieces
}

fn add(pieces: &mut Vec<Piece>, text: &str) {
    let mut buffer = [0; 4];
    for character in text.chars() {
        match mark(character) {
            Some(mark) => push(pieces, true, &mark),
            None => push(pieces, false, character.encode_utf8(&mut buffer)),
        }
    }
}

fn push(pieces: &mut Vec<Piece>, is_mark: bool, text: &str) {
    match pieces.last_mut() {
        Some(last) if last.is_mark == is_mark => {
            if is_mark && !text.starts_with('\\') {
                last.text.push(' ');
            }
            last.text.push_str(text);
        }
        _ => pieces.push(Piece { text: text.to_owned(), is_mark }),
    }
}

/// JSON of a contract's in lines.
pub(crate) fn in_lines(json: &serde_json::Value) -> String {
    serde_json::to_string_pretty(json).unwrap_or_default()
}

/// A text in one line, such as a name, as plain text: what cannot be seen stands in it as `[U+202E]`.
pub(crate) fn plain(text: impl AsRef<str>) -> String {
    let one = |character: char| match mark(character) {
        Some(mark) => format!("[{mark}]"),
        None => character.to_string(),
    };
    text.as_ref().chars().map(one).collect()
}

/// What stands for a character that cannot be seen: its name in ASCII, else its number. Many fonts lack Unicode's pictures of control characters.
fn mark(character: char) -> Option<String> {
    match character {
        '\n' | '\t' => None,
        '\u{7f}' => Some("DEL".to_owned()),
        _ if is_unseen(character) => {
            let name = CONTROLS.split(' ').nth(u32::from(character).try_into().unwrap_or(usize::MAX));
            Some(name.map_or_else(|| format!("U+{:04X}", u32::from(character)), str::to_owned))
        }
        _ => None,
    }
}

/// Whether a character shows nothing, or changes how others show: the controls and Unicode's `Default_Ignorable_Code_Point`, line and paragraph
/// separators, and the annotation characters.
pub(crate) fn is_unseen(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// JSON in lines, its numbers, texts and order as they are; none for what is not JSON, or would be too much.
fn lay_out(text: &str) -> Option<String> {
    if text.len() > LAID_OUT_BYTES_MAX || !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut layout = Layout::default();
    for character in text.chars() {
        layout.take(character);
        if layout.depth > LAID_OUT_DEPTH_MAX || layout.text.len() > LAID_OUT_BYTES_MAX {
            return None;
        }
    }
    Some(layout.text)
}

/// JSON's characters on their way into lines.
#[derive(Default)]
struct Layout {
    text: String,
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
    /// A bracket was opened, and nothing has come since.
    is_just_opened: bool,
}

impl Layout {
    fn take(&mut self, character: char) {
        if self.is_in_text {
            self.text.push(character);
            self.is_in_text = character != '"' || self.is_escaped;
            self.is_escaped = character == '\\' && !self.is_escaped;
            return;
        }
        if character.is_ascii_whitespace() {
            return;
        }
        let was_just_opened = std::mem::take(&mut self.is_just_opened);
        if matches!(character, '}' | ']') {
            self.depth = self.depth.saturating_sub(1);
            if !was_just_opened {
                self.line();
            }
            return self.text.push(character);
        }
        if was_just_opened {
            self.line();
        }
        self.text.push(character);
        match character {
            '{' | '[' => {
                self.depth += 1;
                self.is_just_opened = true;
            }
            ',' => self.line(),
            ':' => self.text.push(' '),
            '"' => self.is_in_text = true,
            _ => {}
        }
    }

    fn line(&mut self) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n("  ", self.depth));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[Piece]) -> String {
        pieces.iter().map(|p| if p.is_mark { format!("[{}]", p.text) } else { p.text.clone() }).collect()
    }

    #[test]
    fn what_cannot_be_seen_is_marked_and_all_else_stays() {
        for (text, expected) in [
            ("", ""),
            ("<script>alert(1)</script>\n\tÁé 日本 العربية", "<script>alert(1)</script>\n\tÁé 日本 العربية"),
            ("a\0\0b", "a[NUL NUL]b"),
            ("\u{1b}[31mred\u{1b}[0m", "[ESC][31mred[ESC][0m"),
            ("line\r\nnext\u{7f}", "line[CR]\nnext[DEL]"),
            ("user\u{202e}nimda\u{2066}", "user[U+202E]nimda[U+2066]"),
            ("zero\u{200b}width\u{feff}", "zero[U+200B]width[U+FEFF]"),
            ("hidden\u{e0041}\u{9b}", "hidden[U+E0041 U+009B]"),
        ] {
            assert_eq!(shown(&visible(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn a_name_has_its_unseen_characters_named() {
        assert_eq!(plain("Ana \u{202e}nimda\u{1b}\u{7f}"), "Ana [U+202E]nimda[ESC][DEL]");
        assert_eq!(CONTROLS.split(' ').count(), 32);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_one_by_one() {
        let body = Body::new("a\u{fffd}\u{fffd}é", Some(&BASE64.encode(b"a\xff\xfe\xc3\xa9")));
        assert_eq!(shown(&body.pieces), "a[\\xFF\\xFE]é");
        assert!(body.base64.is_some() && body.laid_out.is_none());
        assert_eq!(shown(&Body::new("as it is", Some("no base64")).pieces), "as it is");
    }

    #[test]
    fn json_is_laid_out_with_numbers_texts_and_order_as_they_came() {
        let text = r#"{"b":1.50e0,"a":[{},[],"x, {\"y\":[\\",12345678901234567890],"c":{"d":null}}"#;
        let expected = "{\n  \"b\": 1.50e0,\n  \"a\": [\n    {},\n    [],\n    \"x, {\\\"y\\\":[\\\\\",\n    12345678901234567890\n  ],\n  \"c\": {\n    \"d\": null\n  }\n}";
        assert_eq!(lay_out(text).as_deref(), Some(expected));
        assert_eq!(lay_out(expected).as_deref(), Some(expected));
        assert!(Body::new(expected, None).laid_out.is_none(), "there is nothing to choose between");
    }

    #[test]
    fn what_is_no_json_or_would_grow_without_measure_is_not_laid_out() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        let wide = format!("{}{}0{}", "[".repeat(64), "0,".repeat(20_000), "]".repeat(64));
        for text in ["", "no JSON", "{\"a\":", "7", "{} {}", "{\"a\":1,}", &deep, &wide] {
            assert_eq!(lay_out(text), None, "{}", text.chars().take(20).collect::<String>());
        }
    }
}
