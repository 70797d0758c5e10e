//! Whether two JSON texts stand for the same value, however they are written: white space, escapes, the order of an object's members
//! and the form of a number make no difference (RFC 8259, sections 2, 4, 6 and 7). Numbers are compared as decimals, never as floats.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::json::compact;

/// How deep texts are taken apart, in arrays and objects inside one another; deeper ones are compared as they are written.
const DEPTH_MAX: usize = 128;

/// Whether both texts, which are known to be JSON, stand for the same value. What cannot be taken apart (nested too deep) or stands
/// for nothing (half a surrogate pair, an exponent beyond 64 bits) is the same only when it is written the same, white space aside.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    match (Shape::of(one), Shape::of(other)) {
        (Some(one), Some(other)) => one == other,
        _ => compact(one) == compact(other),
    }
}

/// A value without what makes no difference.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shape<'t> {
    /// `null`, `true` or `false`.
    Word(&'t str),
    Number(Decimal),
    Text(Cow<'t, str>),
    List(Vec<Shape<'t>>),
    /// Of members with the same name the last one counts.
    Object(BTreeMap<Cow<'t, str>, Shape<'t>>),
    /// As it is written: a string with half a surrogate pair, or a number whose exponent is beyond 64 bits.
    Unread(&'t str),
}

/// `digits` × 10^`exponent`; the digits neither begin nor end with a zero, and there are none when the number is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl<'t> Shape<'t> {
    /// A text that is known to be JSON; none when it is nested deeper than [`DEPTH_MAX`].
    pub(crate) fn of(json: &'t str) -> Option<Self> {
        let mut reader = Reader { rest: json };
        let shape = reader.shape(DEPTH_MAX)?;
        reader.peek().is_none().then_some(shape)
    }
}

impl Decimal {
    /// A JSON number; none when its exponent is beyond 64 bits.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let (is_negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let significant = all.trim_end_matches('0');
        let digits = significant.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Decimal::default());
        }
        let zeros = i64::try_from(all.len() - significant.len()).ok()?;
        let places = i64::try_from(fraction.len()).ok()?;
        let exponent = exponent.parse::<i64>().ok()?.checked_add(zeros)?.checked_sub(places)?;
        Some(Decimal { is_negative, digits, exponent })
    }

    /// How many digits tell it apart.
    pub(crate) fn digits_count(&self) -> usize {
        self.digits.len()
    }

    /// -1, 0 or 1.
    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// Its digits stand behind a point: how far that point has to move.
    fn point(&self) -> i128 {
        i128::from(self.exponent) + self.digits.len() as i128
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_size = || self.point().cmp(&other.point()).then_with(|| self.digits.cmp(&other.digits));
        self.sign().cmp(&other.sign()).then_with(|| match self.sign() {
            0 => Ordering::Equal,
            1 => by_size(),
            _ => by_size().reverse(),
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Takes a text apart from its front. It stops at what is not JSON, and may pass over some of it.
struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    /// The first byte behind white space.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.rest.bytes().next()
    }

    /// Whether `byte`, which is ASCII, comes next; it is passed then.
    fn passes(&mut self, byte: u8) -> bool {
        let comes = self.peek() == Some(byte);
        if comes {
            self.rest = &self.rest[1..];
        }
        comes
    }

    fn shape(&mut self, depth: usize) -> Option<Shape<'t>> {
        match self.peek()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.list(depth.checked_sub(1)?),
            b'"' => self.text(),
            _ => self.scalar(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Shape<'t>> {
        let mut members = BTreeMap::new();
        self.passes(b'{');
        if self.passes(b'}') {
            return Some(Shape::Object(members));
        }
        loop {
            let name = match self.text()? {
                Shape::Text(name) => name,
                Shape::Unread(quoted) => Cow::Borrowed(quoted),
                _ => return None,
            };
            if !self.passes(b':') {
                return None;
            }
            members.insert(name, self.shape(depth)?);
            if !self.passes(b',') {
                return self.passes(b'}').then_some(Shape::Object(members));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Shape<'t>> {
        let mut elements = Vec::new();
        self.passes(b'[');
        if self.passes(b']') {
            return Some(Shape::List(elements));
        }
        loop {
            elements.push(self.shape(depth)?);
            if !self.passes(b',') {
                return self.passes(b']').then_some(Shape::List(elements));
            }
        }
    }

    fn text(&mut self) -> Option<Shape<'t>> {
        if self.peek()? != b'"' {
            return None;
        }
        let bytes = self.rest.as_bytes();
        let (mut end, mut has_escapes) = (1, false);
        loop {
            match bytes.get(end)? {
                b'"' => break,
                b'\\' => (end, has_escapes) = (end + 2, true),
                _ => end += 1,
            }
        }
        let (quoted, rest) = self.rest.split_at(end + 1);
        self.rest = rest;
        if !has_escapes {
            return Some(Shape::Text(Cow::Borrowed(&quoted[1..end])));
        }
        let read = serde_json::from_str(quoted).map(|text| Shape::Text(Cow::Owned(text)));
        Some(read.unwrap_or(Shape::Unread(quoted)))
    }

    fn scalar(&mut self) -> Option<Shape<'t>> {
        let end = self.rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "null" | "true" | "false" => Some(Shape::Word(word)),
            number => Some(Decimal::of(number).map_or(Shape::Unread(number), Shape::Number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn how_a_value_is_written_makes_no_difference() {
        let same = [
            (r#"{"a":1,"b":[2,{}]}"#, r#" { "b" : [ 2.0 , { } ] , "a" : 10e-1 } "#),
            (r#""\u0041\/\ud83d\ude00""#, r#""A/😀""#),
            (r#"{"\u0061":null}"#, r#"{"a":null}"#),
            ("1", "1.000"),
            ("100", "1E+2"),
            ("0.00120", "12e-4"),
            ("-0", "0.0e99999999999999999999"),
            ("123456789012345678901234567890", "123456789012345678901234567.890e3"),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"[ "\ud800" ]"#, r#"["\ud800"]"#),
            ("[1e99999999999999999999]", "[ 1e99999999999999999999 ]"),
        ];
        for (one, other) in same {
            assert!(is_same(one, other) && is_same(other, one), "{one} {other}");
        }
    }

    #[test]
    fn values_that_differ_are_told_apart_however_little() {
        let different = [
            ("12345678901234567890", "12345678901234567891"),
            ("0.1", "0.10000000000000000001"),
            ("1e400", "2e400"),
            ("1", "-1"),
            ("1", "10"),
            ("1", "\"1\""),
            ("null", "\"null\""),
            ("true", "false"),
            ("[1,2]", "[2,1]"),
            ("[]", "{}"),
            ("[[1],2]", "[[1,2]]"),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            (r#"{"a":1}"#, r#"{"A":1}"#),
            (r#""a\\u0041""#, r#""aA""#),
        ];
        for (one, other) in different {
            assert!(!is_same(one, other) && !is_same(other, one), "{one} {other}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_compared_as_it_is_written() {
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(is_same(&deep("1"), &deep(" 1 ")));
        assert!(!is_same(&deep("1"), &deep("1.0")));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".{0,3}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The same value with every object's members the other way round.
    fn turned(value: &Value) -> Value {
        match value {
            Value::Array(elements) => elements.iter().map(turned).collect(),
            Value::Object(members) => {
                Value::Object(members.iter().rev().map(|(name, member)| (name.clone(), turned(member))).collect())
            }
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn texts_are_the_same_exactly_when_their_values_are(one in json(), other in json()) {
            let pretty = serde_json::to_string_pretty(&turned(&one)).unwrap();
            prop_assert!(is_same(&one.to_string(), &pretty));
            prop_assert_eq!(is_same(&other.to_string(), &pretty), one == other);
        }

        #[test]
        fn moving_the_point_and_the_exponent_together_changes_nothing(digits in "[1-9][0-9]{1,40}", zeros in 0usize..20) {
            let (whole, fraction) = digits.split_at(1);
            let moved = format!("{whole}.{fraction}{}e{}", "0".repeat(zeros), fraction.len());
            prop_assert!(is_same(&digits, &moved), "{} {}", digits, moved);
            let greater = moved + "0";
            prop_assert!(!is_same(&digits, &greater), "{} {}", digits, greater);
        }

        #[test]
        fn decimals_are_ordered_as_numbers_are(one in -999i64..999, other in -999i64..999, places in 0usize..4) {
            let written = |number: i64, zeros: usize| format!("{number}{}e-{}", "0".repeat(zeros), zeros + places);
            let decimal = |text: &str| Decimal::of(text).unwrap();
            prop_assert_eq!(decimal(&written(one, 0)).cmp(&decimal(&written(other, 7))), one.cmp(&other));
            let beside = |last: i64| decimal(&format!("1234567890123456789012345678{}", last + 1000));
            prop_assert_eq!(beside(one).cmp(&beside(other)), one.cmp(&other));
        }

        #[test]
        fn arbitrary_text_never_panics(one: String, other: String) {
            let _ = is_same(&one, &other);
        }
    }
}
