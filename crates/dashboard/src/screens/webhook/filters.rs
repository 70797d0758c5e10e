//! What is looked for among deliveries: ordinary parameters of a query, so that every view has an address.

use form_urlencoded::Serializer;
use jiff::{SignedDuration, Timestamp};

use super::charts::Period;
use crate::form::Form;
use crate::moments::{field_text, read_moment};

/// The longest text that is searched for, in characters; the API takes no longer one.
const SEARCH_CHARS_MAX: usize = 200;
/// The spans that can be chosen, and how long they are in hours.
const SPANS: [(&str, i64); 4] = [("hour", 1), ("day", 24), ("week", 7 * 24), ("month", 30 * 24)];
const STATUSES: [&str; 3] = ["pending", "succeeded", "failed"];

/// What is looked for, as it was typed.
#[derive(Clone, Debug)]
pub(crate) struct Filters {
    /// One of the statuses, or empty.
    pub(crate) status: String,
    pub(crate) event_type: String,
    /// A record: `deal:42`.
    pub(crate) resource: String,
    pub(crate) search: String,
    /// One of the spans, or empty.
    pub(crate) span: String,
    pub(crate) since: String,
    pub(crate) until: String,
    /// Tests, which are shown apart.
    pub(crate) is_tests: bool,
    /// Of the charts above.
    pub(crate) period: Period,
    pub(crate) cursor: Option<String>,
    /// When the first page was asked for: a span ends there on every page.
    asked: Timestamp,
}

/// A field that holds what cannot be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The field's id.
    pub(crate) field: &'static str,
    /// The message that says why.
    pub(crate) message: &'static str,
}

impl Filters {
    /// Reads a query.
    pub(crate) fn read(form: &Form, now: Timestamp) -> Self {
        let text = |name: &str| form.text(name).unwrap_or_default().to_owned();
        let one_of = |name: &str, known: &[&str]| Some(text(name)).filter(|word| known.contains(&word.as_str()));
        let asked = form.text("asked").and_then(|text| text.parse().ok());
        Filters {
            status: one_of("status", &STATUSES).unwrap_or_default(),
            event_type: text("type"),
            resource: text("resource"),
            search: text("search"),
            span: one_of("span", &SPANS.map(|(word, _)| word)).unwrap_or_default(),
            since: text("since"),
            until: text("until"),
            is_tests: form.is_on("tests"),
            period: Period::read(form.text("period")),
            cursor: form.text("cursor").map(str::to_owned),
            asked: asked.unwrap_or(now),
        }
    }

    /// What is wrong with them.
    pub(crate) fn mistakes(&self) -> Vec<Mistake> {
        let is_record = |text: &str| text.split_once(':').is_some_and(|(kind, id)| !kind.is_empty() && !id.is_empty());
        let is_moment = |text: &str| read_moment(text).is_some();
        let is_searchable = |text: &str| text.chars().count() <= SEARCH_CHARS_MAX && !text.contains(char::is_control);
        let is_wrong = |text: &str, is_right: &dyn Fn(&str) -> bool| !text.is_empty() && !is_right(text);
        let is_backward = match (self.first(), read_moment(&self.until)) {
            (Some(since), Some(until)) => since >= until,
            _ => false,
        };
        let all = [
            ("search", "deliveries-wrong-search", is_wrong(&self.search, &is_searchable)),
            ("resource", "deliveries-wrong-record", is_wrong(&self.resource, &is_record)),
            ("since", "deliveries-wrong-moment", is_wrong(&self.since, &is_moment)),
            ("until", "deliveries-wrong-moment", is_wrong(&self.until, &is_moment)),
            ("until", "deliveries-wrong-order", is_backward),
        ];
        let wrong = all.into_iter().filter(|(_, _, is_wrong)| *is_wrong);
        wrong.map(|(field, message, _)| Mistake { field, message }).collect()
    }

    /// Whether anything is looked for.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.fields().any(|(_, text)| !text.is_empty())
    }

    /// Whether an exact time is chosen.
    pub(crate) fn is_exact(&self) -> bool {
        !self.since.is_empty() || !self.until.is_empty()
    }

    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("status", self.status.as_str()),
            ("type", &self.event_type),
            ("resource", &self.resource),
            ("search", &self.search),
            ("span", &self.span),
            ("since", &self.since),
            ("until", &self.until),
        ]
        .into_iter()
    }

    /// From when on: what was typed, or where the chosen span begins, if that is later.
    fn first(&self) -> Option<Timestamp> {
        let of_span = SPANS.iter().find(|(word, _)| *word == self.span);
        let begins = of_span.and_then(|(_, hours)| self.asked.checked_sub(SignedDuration::from_hours(*hours)).ok());
        begins.max(read_moment(&self.since))
    }

    /// The API's query for an endpoint's deliveries.
    pub(crate) fn for_api(&self, endpoint: &str) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("endpoint", endpoint).append_pair("test", if self.is_tests { "true" } else { "false" });
        let fields = self.fields().filter(|(name, _)| !matches!(*name, "span" | "since" | "until"));
        query.extend_pairs(fields.filter(|(_, text)| !text.is_empty()));
        if let Some(since) = self.first() {
            query.append_pair("since", &since.to_string());
        }
        if let Some(until) = read_moment(&self.until) {
            query.append_pair("until", &until.to_string());
        }
        if let Some(cursor) = &self.cursor {
            query.append_pair("cursor", cursor);
        }
        query.finish()
    }

    /// The query of this view, beginning with `?`, from its first page.
    pub(crate) fn query(&self) -> String {
        let mut query = self.serialized();
        let text = query.finish();
        if text.is_empty() { text } else { format!("?{text}") }
    }

    /// The query of the next page.
    pub(crate) fn query_next(&self, cursor: &str) -> String {
        let mut query = self.serialized();
        if !self.span.is_empty() {
            query.append_pair("asked", &self.asked.to_string());
        }
        query.append_pair("cursor", cursor);
        format!("?{}", query.finish())
    }

    fn serialized(&self) -> Serializer<'static, String> {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.fields().filter(|(_, text)| !text.is_empty()));
        if self.is_tests {
            query.append_pair("tests", "on");
        }
        if self.period != Period::Day {
            query.append_pair("period", self.period.word());
        }
        query
    }

    /// The same with tests, or without.
    pub(crate) fn with_tests(&self, is_tests: bool) -> Self {
        Filters { is_tests, ..self.clone() }
    }

    /// The same under charts of another period.
    pub(crate) fn with_period(&self, period: Period) -> Self {
        Filters { period, ..self.clone() }
    }

    /// The charts' period and whether it is about tests, and nothing else.
    pub(crate) fn cleared(&self) -> Self {
        let kept = Filters::read(&Form::default(), self.asked);
        Filters { is_tests: self.is_tests, period: self.period, ..kept }
    }
}

/// A moment as a field for one holds it, in UTC; what is none stays as it was typed.
pub(crate) fn field_moment(text: &str) -> String {
    read_moment(text).map_or_else(|| text.to_owned(), field_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(query: &str) -> Filters {
        Filters::read(&Form::read(query.as_bytes()), "2026-03-05T09:30:00Z".parse().unwrap())
    }

    fn mistakes(query: &str) -> Vec<&'static str> {
        filters(query).mistakes().into_iter().map(|mistake| mistake.field).collect()
    }

    #[test]
    fn everything_that_is_chosen_reaches_the_api() {
        let all = filters(
            "status=failed&type=deal.won&resource=deal%3A42&search=a+b%26c&since=2026-03-01T10%3A00&until=2026-03-02T00:00:00Z",
        );
        assert_eq!(all.mistakes(), []);
        assert_eq!(
            all.for_api("ep_1"),
            "endpoint=ep_1&test=false&status=failed&type=deal.won&resource=deal%3A42&search=a+b%26c&since=2026-03-01T10%3A00%3A00Z&until=2026-03-02T00%3A00%3A00Z"
        );
        assert_eq!(filters("tests=on&status=weird").for_api("ep_1"), "endpoint=ep_1&test=true");
    }

    #[test]
    fn a_span_begins_where_the_first_page_was_asked_for_on_every_page() {
        let day = filters("span=day");
        assert_eq!(day.for_api("ep_1"), "endpoint=ep_1&test=false&since=2026-03-04T09%3A30%3A00Z");
        let next = day.query_next("c/1");
        assert_eq!(next, "?span=day&asked=2026-03-05T09%3A30%3A00Z&cursor=c%2F1");
        let later = Filters::read(&Form::read(&next.as_bytes()[1..]), "2026-03-05T11:00:00Z".parse().unwrap());
        assert_eq!(later.for_api("ep_1"), "endpoint=ep_1&test=false&since=2026-03-04T09%3A30%3A00Z&cursor=c%2F1");
        assert_eq!(
            filters("span=hour&since=2026-03-05T09:00").for_api("e"),
            "endpoint=e&test=false&since=2026-03-05T09%3A00%3A00Z"
        );
    }

    #[test]
    fn what_cannot_be_looked_for_is_told_by_its_field() {
        assert_eq!(mistakes("resource=42"), ["resource"]);
        assert_eq!(mistakes("resource=deal%3A"), ["resource"]);
        assert_eq!(mistakes("since=yesterday&until=x"), ["since", "until"]);
        assert_eq!(mistakes("since=2026-03-02T00:00&until=2026-03-01T00:00"), ["until"]);
        assert_eq!(mistakes(&format!("search={}", "x".repeat(201))), ["search"]);
        assert_eq!(mistakes("search=a%00b"), ["search"]);
        assert!(mistakes("resource=deal%3A4%3A2&since=&search=").is_empty());
    }

    #[test]
    fn every_view_has_an_address() {
        assert_eq!(filters("").query(), "");
        assert!(!filters("tests=on&period=week").is_narrowed());
        assert_eq!(filters("period=week&tests=on&search=x&cursor=c").query(), "?search=x&tests=on&period=week");
        assert_eq!(filters("period=week&tests=on&search=x").cleared().query(), "?tests=on&period=week");
        assert_eq!(
            filters("search=x").with_period(Period::Week).with_tests(true).query(),
            "?search=x&tests=on&period=week"
        );
    }

    #[test]
    fn a_field_holds_a_moment_in_utc() {
        assert_eq!(field_moment("2026-03-05T10:08:07+01:00"), "2026-03-05T09:08");
        assert_eq!(field_moment("2026-03-05T09:08"), "2026-03-05T09:08");
        assert_eq!(field_moment("soon"), "soon");
    }
}
