//! A filter's words into JSONPath: the layer in front of RFC 9535.
//!
//! A *word* is a name, a number, a quoted text or a sign. Each is passed on as it is, but for these: a name where a path begins is a
//! part of an event and becomes `$.name`, `=` becomes `==`, and `and`, `or`, `not` become `&&`, `||`, `!`.

use super::{Filter, FilterError, PARTS, Part};
use crate::same::Decimal;

/// A filter as JSONPath, and which character of it came from where.
pub(super) struct Read {
    /// `$[?…]`
    pub(super) path: String,
    /// Where each word begins: in `path`, in bytes, and in the filter, in characters from 1.
    places: Vec<(usize, usize)>,
}

impl Read {
    /// The character of the filter that stands at this byte of `path`.
    pub(super) fn place(&self, byte: usize) -> usize {
        let after = self.places.partition_point(|(begins, _)| *begins <= byte);
        self.places[..after].last().map_or(1, |(_, at)| *at)
    }
}

const SIGNS: [&str; 19] =
    ["==", "!=", "<=", ">=", "&&", "||", "=", "<", ">", "!", "(", ")", "[", "]", ".", "?", "*", "@", "$"];

/// What may not be written, and what to write instead.
const REFUSED: [(&str, &str, &str); 6] = [
    ("..", "`..` is not part of filters", "write the whole path"),
    (",", "`,` is not part of filters", "compare with one after the other, joined by `or`"),
    (":", "slices are not part of filters", "write one index, or [*]"),
    (
        "-",
        "`-` cannot stand here",
        "a name with other signs than letters, digits and _ is written as in data[\"deal-stage\"]",
    ),
    ("&", "`&` is not known", "write `and` or &&"),
    ("|", "`|` is not known", "write `or` or ||"),
];

pub(super) fn read(text: &str) -> Result<Read, FilterError> {
    let mut reader = Reader { text, at: 0, open: Vec::new(), after_dot: false, words: 0, read: Read::new() };
    if text.len() > Filter::BYTES_MAX {
        let problem = format!("the filter has {} bytes", text.len());
        return Err(reader.wrong(0, problem, format!("at most {} are accepted", Filter::BYTES_MAX)));
    }
    while reader.skip_white() {
        reader.word()?;
    }
    if reader.words == 0 {
        return Err(reader.wrong(0, "the filter is empty", "write a condition such as changes.stage, or leave it out"));
    }
    if let Some((bracket, at)) = reader.open.last() {
        return Err(reader.wrong(*at, format!("this `{bracket}` is not closed"), "close it"));
    }
    let mut read = reader.read;
    // Where the filter ends, for what is missing there.
    read.places.push((read.path.len(), text.trim_end().chars().count() + 1));
    read.path.push(']');
    Ok(read)
}

impl Read {
    fn new() -> Self {
        Read { path: "$[?".to_owned(), places: Vec::new() }
    }
}

struct Reader<'t> {
    text: &'t str,
    /// The byte that comes next.
    at: usize,
    /// Open parentheses and brackets, and where they stand.
    open: Vec<(char, usize)>,
    /// Whether a name now would be a member's.
    after_dot: bool,
    words: usize,
    read: Read,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Whether there is more.
    fn skip_white(&mut self) -> bool {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        !self.rest().is_empty()
    }

    fn wrong(&self, byte: usize, problem: impl Into<String>, advice: impl Into<String>) -> FilterError {
        let at = self.text[..byte].chars().count() + 1;
        FilterError { at, problem: problem.into(), advice: advice.into() }
    }

    /// Passes on a word of so many bytes.
    fn put(&mut self, bytes: usize, written: &str) {
        let at = self.text[..self.at].chars().count() + 1;
        self.read.places.push((self.read.path.len(), at));
        self.read.path.push_str(written);
        self.at += bytes;
        // Words that stood apart stay apart.
        if self.rest().starts_with([' ', '\t', '\r', '\n']) {
            self.read.path.push(' ');
        }
        self.after_dot = written == ".";
    }

    fn word(&mut self) -> Result<(), FilterError> {
        self.words += 1;
        if self.words > Filter::WORDS_MAX {
            let problem = format!("the filter has more than {} words and signs", Filter::WORDS_MAX);
            return Err(self.wrong(self.at, problem, "shorten it"));
        }
        let rest = self.rest();
        let mut chars = rest.chars();
        match (chars.next(), chars.next()) {
            (Some(quote @ ('"' | '\'')), _) => self.quoted(quote),
            (Some(digit), _) if digit.is_ascii_digit() => self.number(),
            (Some('-'), Some(digit)) if digit.is_ascii_digit() => self.number(),
            (Some(first), _) if is_name(first) => self.name(),
            _ => self.sign(),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<(), FilterError> {
        let mut escaped = false;
        for (at, c) in self.rest().char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => {
                    let word = &self.rest()[..=at];
                    self.put(word.len(), word);
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(self.wrong(self.at, "this text is not closed", format!("write {quote} behind it")))
    }

    fn number(&mut self) -> Result<(), FilterError> {
        let rest = self.rest();
        let is_within = |(at, c): (usize, char)| match c {
            '-' | '+' => at == 0 || rest[..at].ends_with(['e', 'E']),
            _ => c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E'),
        };
        let bytes = rest.char_indices().find(|found| !is_within(*found)).map_or(rest.len(), |(at, _)| at);
        let word = &rest[..bytes];
        if !is_exact(word) {
            let problem = format!("{word} is not a number that is kept exactly");
            return Err(self.wrong(self.at, problem, "write a JSON number of at most 15 digits, or a text in quotes"));
        }
        self.put(bytes, word);
        Ok(())
    }

    fn name(&mut self) -> Result<(), FilterError> {
        let is_end = |c: char| !is_name(c) && !c.is_ascii_digit();
        let word = &self.rest()[..self.rest().find(is_end).unwrap_or(self.rest().len())];
        let is_called = self.rest()[word.len()..].trim_start().starts_with('(');
        let written = match word {
            _ if self.after_dot => word.to_owned(),
            "and" => "&&".to_owned(),
            "or" => "||".to_owned(),
            "not" => "!".to_owned(),
            "true" | "false" | "null" => word.to_owned(),
            _ if is_called => {
                let problem = format!("`{word}(…)`: functions are not part of filters");
                return Err(self.wrong(self.at, problem, "a path by itself asks whether the event has it"));
            }
            _ if Part::named(word).is_some() => format!("$.{word}"),
            _ => return Err(self.wrong(self.at, format!("`{word}` is no part of an event"), PARTS)),
        };
        self.put(word.len(), &written);
        Ok(())
    }

    fn sign(&mut self) -> Result<(), FilterError> {
        let rest = self.rest();
        let refused = REFUSED
            .iter()
            .find(|(sign, ..)| rest.starts_with(sign) && !rest.starts_with("&&") && !rest.starts_with("||"));
        if let Some((_, problem, advice)) = refused {
            return Err(self.wrong(self.at, *problem, *advice));
        }
        let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) else {
            let found = rest.chars().next().unwrap_or_default();
            return Err(self.wrong(self.at, format!("`{found}` is not known"), "put text in quotes"));
        };
        self.bracket(sign)?;
        self.put(sign.len(), if *sign == "=" { "==" } else { sign });
        Ok(())
    }

    /// Keeps account of parentheses and brackets.
    fn bracket(&mut self, sign: &str) -> Result<(), FilterError> {
        let opening = match sign {
            "(" | "[" => {
                self.open.extend(sign.chars().map(|bracket| (bracket, self.at)));
                if self.open.len() > Filter::DEPTH_MAX {
                    let problem = format!("parentheses and brackets stand more than {} deep", Filter::DEPTH_MAX);
                    return Err(self.wrong(self.at, problem, "take some out"));
                }
                return Ok(());
            }
            ")" => '(',
            "]" => '[',
            _ => return Ok(()),
        };
        match self.open.pop() {
            Some((open, _)) if open == opening => Ok(()),
            _ => Err(self.wrong(
                self.at,
                format!("`{sign}` closes nothing"),
                format!("open it with `{opening}`, or take it out"),
            )),
        }
    }
}

/// What names are written with, digits behind the first aside (RFC 9535, section 2.5.1.1).
fn is_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

/// Whether nothing of a number is lost as JSONPath keeps it: 53 bits, or a float.
fn is_exact(word: &str) -> bool {
    let Some(number) = Decimal::of(word) else { return false };
    match word.parse::<i64>() {
        Ok(whole) => whole.unsigned_abs() < 1 << 53,
        Err(_) => word.parse::<f64>().is_ok_and(|float| Decimal::of(&float.to_string()) == Some(number)),
    }
}
