//! Lists: their query, and the cursor to the next page.
//!
//! A *cursor* is opaque: the place where a page ended, and a check that it is used with the filters it was made for.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use postrider_domain::{Millis, Param};
use postrider_store::{PageOf, PageRequest};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::sha256;
use crate::code::Code;
use crate::fields::Text;
use crate::limits::{CURSOR_BYTES_MAX, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, QUOTED_CHARS_MAX, SEARCH_CHARS_MAX};
use crate::problem::{Kind, Mistakes, Problem};
use crate::time::read_moment;
use crate::wrong::Wrong;

const CHECK_BYTES: usize = 4;
const SEARCHED: Text = Text::line(1, SEARCH_CHARS_MAX);

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The rows of this page.
    pub(crate) data: Vec<T>,
    /// What to give as `cursor` for the next page; `null` at the end.
    #[schema(required = true)]
    pub(crate) next_cursor: Option<String>,
}

/// A request's query, of which all mistakes are noted.
pub(crate) struct Query<'q> {
    parameters: Vec<(&'static str, Cow<'q, str>)>,
    mistakes: Mistakes,
}

/// Which page of a list, and what its cursors are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) limit: usize,
    after: Option<Vec<u8>>,
    check: [u8; CHECK_BYTES],
}

impl<'q> Query<'q> {
    /// Reads a query string; parameters that are not known, or come twice, are mistakes.
    pub(crate) fn read(query: &'q str, known: &'static [&'static str]) -> Self {
        let mut read = Query { parameters: Vec::new(), mistakes: Mistakes::default() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let short: String = name.chars().take(QUOTED_CHARS_MAX).collect();
            match known.iter().find(|known| **known == name) {
                None if known.is_empty() => {
                    let wrong = Code::FieldUnknown.says("is not a known parameter; this route takes none");
                    read.mistakes.add_in_query(&short, wrong);
                }
                None => {
                    let detail = format!("is not a known parameter; known are {}", known.join(", "));
                    read.mistakes.add_in_query(&short, Code::FieldUnknown.says(detail));
                }
                Some(known) if read.parameters.iter().any(|(name, _)| name == known) => {
                    read.mistakes.add_in_query(&short, Code::FieldTwice.says("is given twice; give it once"));
                }
                Some(known) => read.parameters.push((known, value)),
            }
        }
        read
    }

    /// A parameter's text.
    pub(crate) fn text(&self, name: &'static str) -> Option<String> {
        self.parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
    }

    /// What a parameter stands for.
    pub(crate) fn parsed<T, E: Into<Wrong>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.mistakes.add_in_query(name, wrong);
                None
            }
        }
    }

    /// A moment in RFC 3339.
    pub(crate) fn moment(&mut self, name: &'static str) -> Option<Millis> {
        self.parsed(name, |text| {
            // A plus sign that was not encoded reads as a space.
            read_moment(&text.replace(' ', "+"))
        })
    }

    /// A record: `deal:42`.
    pub(crate) fn resource(&mut self, name: &'static str) -> Option<(String, String)> {
        self.parsed(name, |text| match text.split_once(':') {
            Some((kind, id)) if !kind.is_empty() && !id.is_empty() => Ok((kind.to_owned(), id.to_owned())),
            _ => Err(Code::ResourceInvalid.says("must be a type and an id with a colon between, such as deal:42")),
        })
    }

    /// A text that is searched for.
    pub(crate) fn searched(&mut self) -> Option<String> {
        self.parsed("search", |text| SEARCHED.check(text).map(|()| text.to_owned()))
    }

    /// `limit` and `cursor`. `list` names the list; the filters read so far are part of the check.
    pub(crate) fn place(&mut self, list: &str) -> Place {
        let limit = self.parsed("limit", |text| whole(text, 1, PAGE_ROWS_MAX));
        let check = self.check(list);
        let after = self.parsed("cursor", |text| read_cursor(text, check));
        Place { limit: limit.unwrap_or(PAGE_ROWS_DEFAULT), after, check }
    }

    fn check(&self, list: &str) -> [u8; CHECK_BYTES] {
        let mut filters: Vec<_> =
            self.parameters.iter().filter(|(name, _)| !matches!(*name, "limit" | "cursor")).collect();
        filters.sort();
        let hash = sha256(format!("{list:?}{filters:?}").as_bytes());
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Every mistake, if there was one.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        self.mistakes.into_result(Kind::InvalidQuery)
    }
}

/// A whole number between two, both included.
pub(crate) fn whole<T>(text: &str, min: T, max: T) -> Result<T, Wrong>
where
    T: FromStr + PartialOrd + Copy + Into<Param> + Display,
{
    match text.parse() {
        Ok(number) if number >= min && number <= max => Ok(number),
        _ => {
            let detail = format!("must be a whole number from {min} to {max}");
            Err(Code::NumberRange.says(detail).with("min", min).with("max", max))
        }
    }
}

fn read_cursor(text: &str, check: [u8; CHECK_BYTES]) -> Result<Vec<u8>, Wrong> {
    let bytes = if text.len() <= CURSOR_BYTES_MAX { BASE64URL_NOPAD.decode(text.as_bytes()).ok() } else { None };
    match bytes.as_deref().and_then(|bytes| bytes.split_first_chunk()) {
        Some((found, after)) if *found == check => Ok(after.to_vec()),
        _ => {
            Err(Code::CursorInvalid
                .says("is not a cursor of this list with these filters; give `next_cursor` as it came"))
        }
    }
}

impl Place {
    fn cursor(&self, after: &[u8]) -> String {
        BASE64URL_NOPAD.encode(&[&self.check, after].concat())
    }

    /// For lists by UUID, newest first.
    pub(crate) fn request(&self) -> Result<PageRequest, Problem> {
        let before = self.after.as_deref().map(Uuid::from_slice).transpose().map_err(|_| bad_cursor())?;
        Ok(PageRequest { limit: self.limit, before })
    }

    /// The page that a store gave.
    pub(crate) fn page<'r, R, T>(&self, page: &'r PageOf<R>, show: impl FnMut(&'r R) -> T) -> Page<T> {
        let next_cursor = page.next.map(|last| self.cursor(last.as_bytes()));
        Page { data: page.rows.iter().map(show).collect(), next_cursor }
    }

    /// For lists by name: the name after which the page begins.
    pub(crate) fn after_name(&self) -> Result<Option<String>, Problem> {
        self.after.clone().map(String::from_utf8).transpose().map_err(|_| bad_cursor())
    }

    /// A page of a search by name, which knows itself where it goes on.
    pub(crate) fn page_found<R, T>(&self, rows: Vec<R>, next: Option<&str>, show: impl FnMut(R) -> T) -> Page<T> {
        Page { data: rows.into_iter().map(show).collect(), next_cursor: next.map(|next| self.cursor(next.as_bytes())) }
    }

    /// A page of a list by name; `rows` holds one more than the page where there is a next one.
    pub(crate) fn page_by_name<R, T>(
        &self,
        mut rows: Vec<R>,
        name: impl Fn(&R) -> &str,
        show: impl FnMut(R) -> T,
    ) -> Page<T> {
        let has_next = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next_cursor = rows.last().filter(|_| has_next).map(|last| self.cursor(name(last).as_bytes()));
        Page { data: rows.into_iter().map(show).collect(), next_cursor }
    }
}

fn bad_cursor() -> Problem {
    Problem::new(Kind::InvalidQuery, "the cursor is not one of this list")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["limit", "cursor", "type", "resource", "since"];

    fn place(query: &str) -> Result<Place, Problem> {
        let mut read = Query::read(query, KNOWN);
        let place = read.place("things");
        read.finish().map(|()| place)
    }

    #[test]
    fn limits_have_bounds_and_a_default() {
        assert_eq!(place("").unwrap().limit, 50);
        assert_eq!(place("limit=250").unwrap().limit, 250);
        for query in ["limit=0", "limit=251", "limit=-1", "limit=x", "limit=", "limit=1&limit=2"] {
            assert_eq!(place(query).unwrap_err().kind, Kind::InvalidQuery, "{query}");
        }
    }

    #[test]
    fn unknown_parameters_are_named_with_the_known_ones() {
        let problem = place("lmit=5&type=a").unwrap_err();
        assert_eq!(problem.mistakes[0].pointer, "/lmit");
        assert_eq!(problem.mistakes[0].part, Some("query"));
        assert!(problem.mistakes[0].detail.contains("limit, cursor, type"));
    }

    #[test]
    fn a_cursor_works_with_its_own_filters_and_list_alone() {
        let first = place("type=a&resource=deal:1").unwrap();
        let page = PageOf { rows: vec![1, 2], next: Some(Uuid::from_u128(7)) };
        let cursor = first.page(&page, |row| *row).next_cursor.unwrap();
        let next = place(&format!("resource=deal:1&limit=3&type=a&cursor={cursor}")).unwrap();
        assert_eq!(next.request().unwrap(), PageRequest { limit: 3, before: Some(Uuid::from_u128(7)) });
        for query in [format!("type=b&cursor={cursor}"), "cursor=xyz".to_owned(), format!("cursor={}", "A".repeat(300))]
        {
            assert_eq!(place(&query).unwrap_err().kind, Kind::InvalidQuery, "{query}");
        }
        let mut other = Query::read(&cursor, KNOWN);
        assert_ne!(other.place("others").check, first.check);
    }

    #[test]
    fn a_list_by_name_goes_on_after_the_last_name_shown() {
        let first = place("limit=2").unwrap();
        let page = first.page_by_name(vec!["a", "b", "c"], |name| name, |name| name);
        assert_eq!(page.data, ["a", "b"]);
        let next = place(&format!("cursor={}", page.next_cursor.unwrap())).unwrap();
        assert_eq!(next.after_name().unwrap().as_deref(), Some("b"));
        assert_eq!(first.page_by_name(vec!["c"], |name| name, |name| name).next_cursor, None);
    }

    #[test]
    fn moments_and_records_are_read() {
        let mut query = Query::read("since=2024-01-15T10:30:00+02:00&resource=deal:a:b", KNOWN);
        assert_eq!(query.moment("since"), Some(Millis(1_705_307_400_000)));
        assert_eq!(query.resource("resource"), Some(("deal".into(), "a:b".into())));
        assert!(query.finish().is_ok());
        let mut query = Query::read("since=x&resource=deal", KNOWN);
        assert_eq!((query.moment("since"), query.resource("resource")), (None, None));
        assert_eq!(query.finish().unwrap_err().mistakes.len(), 2);
    }
}
