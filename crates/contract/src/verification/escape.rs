//! Text of a contract's file inside a literal of each language.

use std::fmt::{self, Write};

use super::Language;

/// Writes a text as it stands between double quotes. What could end the literal, begin an escape or an interpolation, or end a comment or a
/// PHP file is written as its number; so the text is as safe in a comment of one line.
pub(super) fn write(language: Language, text: &str, out: &mut impl Write) -> fmt::Result {
    for char in text.chars() {
        if is_plain(char) { out.write_char(char)? } else { write_number(language, char, out)? }
    }
    Ok(())
}

/// Whether no language gives the character a meaning inside a literal or a comment of one line.
fn is_plain(char: char) -> bool {
    char.is_ascii_alphanumeric() || " -_.,=:;/+()[]*~^&@!|".contains(char)
}

fn write_number(language: Language, char: char, out: &mut impl Write) -> fmt::Result {
    let number = u32::from(char);
    match language {
        // Java reads \u before it looks for literals: \u0022 would end one. An octal escape is read inside it.
        Language::Java if number < 0x80 => write!(out, "\\{number:03o}"),
        Language::Java => char.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}")),
        // C#'s \x takes up to four digits, whatever follows.
        Language::CSharp => write!(out, "\\U{number:08x}"),
        _ if number < 0x80 => write!(out, "\\x{number:02x}"),
        Language::Python | Language::Go => write!(out, "\\U{number:08x}"),
        Language::Node | Language::Ruby | Language::Php | Language::Rust => write!(out, "\\u{{{number:x}}}"),
    }
}

/// A text inside a regular expression, written so that it means the same in every language and can stand in its literals and strings.
pub(super) fn pattern(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | ',' | '=' | ':' | ';' | '_' => out.push(char),
            _ if char.is_ascii() => out.push_str(&format!("\\x{:02x}", u32::from(char))),
            // No header holds one (RFC 9110, section 5.5).
            _ => out.push('.'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(language: Language, text: &str) -> String {
        let mut out = String::new();
        write(language, text, &mut out).unwrap();
        out
    }

    #[test]
    fn usual_names_stay_as_they_are() {
        for language in Language::all() {
            assert_eq!(escaped(language, "X-Webhook-Signature v1,t="), "X-Webhook-Signature v1,t=");
        }
    }

    #[test]
    fn nothing_ends_a_literal_a_comment_or_a_file() {
        let hostile = "\"'`\\$#{}%?><\n\r\u{2028}\u{85}\0";
        for language in Language::all() {
            let written = escaped(language, hostile);
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '\\' || "{}".contains(c);
            assert!(written.chars().all(allowed), "{language:?}: {written}");
        }
        assert_eq!(escaped(Language::Java, "\"é😀"), "\\042\\u00e9\\ud83d\\ude00");
        assert_eq!(escaped(Language::CSharp, "\"1"), "\\U000000221");
        assert_eq!(escaped(Language::Ruby, "#{é"), "\\x23\\x7b\\u{e9}");
        assert_eq!(escaped(Language::Go, "`é"), "\\x60\\U000000e9");
    }

    #[test]
    fn a_pattern_holds_nothing_that_means_something() {
        assert_eq!(pattern("t=1,"), "t=1,");
        assert_eq!(pattern("v.*/`'\"-é"), "v\\x2e\\x2a\\x2f\\x60\\x27\\x22\\x2d.");
    }
}
