//! JSON as text: written, read and compacted without ever becoming numbers or maps, so that what came in goes out exactly.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Appends `text` as a JSON string (RFC 8259, section 7): quotes, backslashes and control characters escaped, all else as it is.
pub(crate) fn write_string(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// Copies JSON text without the white space between its tokens. Text that is not JSON comes out somehow, without a panic.
pub(crate) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if !matches!(c, ' ' | '\t' | '\r' | '\n') {
            out.push(c);
            in_string = c == '"';
        }
    }
    out
}

/// An object's members in their order, each value as its own text.
pub(crate) struct Members<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;
        impl<'de> Visitor<'de> for Ordered {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((MemberName(name), value)) = map.next_entry::<MemberName<'de>, &'de RawValue>()? {
                    members.push((name, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Ordered).map(Members)
    }
}

/// The name of an object's member, borrowed from the JSON where it has no escapes there.
pub struct MemberName<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for MemberName<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text).map(MemberName)
    }
}

/// Which of `names` (at most 64 are looked at) are members of the object `json`, as bits; none when it is no object.
/// One pass that builds nothing: this runs on the way of every delivery whose envelope adds members.
pub(crate) fn present(json: &str, names: &[&str]) -> Option<u64> {
    struct Seen<'n>(&'n [&'n str]);
    impl<'de> Visitor<'de> for Seen<'_> {
        type Value = u64;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<u64, A::Error> {
            let mut bits = 0;
            while let Some((MemberName(name), _)) = map.next_entry::<MemberName<'de>, IgnoredAny>()? {
                if let Some(index) = self.0.iter().take(64).position(|n| *n == name) {
                    bits |= 1 << index;
                }
            }
            Ok(bits)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_map(Seen(names)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn compacting_leaves_strings_alone() {
        assert_eq!(compact(" { \"a b\" : [ 1.0 , \"\\\" \" ] } "), r#"{"a b":[1.0,"\" "]}"#);
    }

    #[test]
    fn presence_sees_through_escapes_and_stops_at_the_top_level() {
        let names = ["id", "organization_id"];
        assert_eq!(present(r#"{"\u0069d":1}"#, &names), Some(1));
        assert_eq!(present(r#"{"a":{"id":1}}"#, &names), Some(0));
        assert_eq!(present(r#"{"organization_id":null,"id":2}"#, &names), Some(3));
        assert_eq!(present("[1]", &names), None);
        assert_eq!(present("nonsense", &names), None);
    }

    #[test]
    fn members_keep_order_and_number_texts() {
        let members: Members<'_> = serde_json::from_str(r#"{"z":1.50,"a":{"b": 1e400}}"#).unwrap();
        let texts: Vec<_> = members.0.iter().map(|(k, v)| (k.as_ref(), v.get())).collect();
        assert_eq!(texts, [("z", "1.50"), ("a", r#"{"b": 1e400}"#)]);
    }

    proptest! {
        #[test]
        fn a_written_string_reads_back(text: String) {
            let mut out = String::new();
            write_string(&text, &mut out);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }

        #[test]
        fn arbitrary_text_never_panics(text: String) {
            let _ = compact(&text);
            let _ = present(&text, &["id"]);
        }
    }
}
