//! Problems: every answer that is not what was asked for, as RFC 9457 `application/problem+json`.
//!
//! A *kind* has a stable `type` and a title; a *mistake* is one wrong field. A *cause* is for the operator's log and never shown.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use postrider_domain::{Param, Params};
use postrider_engine::{AcceptError, EngineError, PreviewError, RecoverError, TestError, count_store_error};
use postrider_store::StoreError;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::code::Code;
pub(crate) use crate::kind::Kind;
use crate::limits::{MISTAKES_MAX, QUOTED_CHARS_MAX};
use crate::wrong::{Wrong, event_wrong};

pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// One wrong field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Mistake {
    /// Where: a JSON pointer (RFC 6901) into the body; into the query, read as an object, when `in` says so.
    #[schema(example = "/events/0")]
    pub(crate) pointer: String,
    /// What is wrong and what is accepted.
    #[schema(example = "is not an event type of the contract \"standard\"")]
    pub(crate) detail: String,
    /// Which rule is broken; stable (`/docs/problems#codes`).
    #[serde(serialize_with = "write_code")]
    #[schema(value_type = String, example = "events.unknown")]
    pub(crate) code: Code,
    /// The facts of the detail, numbers and texts, so that it can be said in another language; left out when there are none.
    #[serde(skip_serializing_if = "Params::is_empty", serialize_with = "write_params")]
    #[schema(value_type = Object, required = false, example = json!({"contract": "standard"}))]
    pub(crate) params: Params,
    /// `query` when the mistake is in the query; left out when it is in the body.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub(crate) part: Option<&'static str>,
}

impl Mistake {
    fn new(pointer: impl Into<String>, wrong: impl Into<Wrong>) -> Self {
        let Wrong { code, detail, params } = wrong.into();
        Mistake { pointer: pointer.into(), detail, code, params, part: None }
    }
}

fn write_code<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

/// Facts as JSON: each by its name.
pub(crate) fn write_params<S: Serializer>(params: &Params, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(params.len()))?;
    for (name, value) in params {
        match value {
            Param::Number(number) => map.serialize_entry(name, number)?,
            Param::Text(text) => map.serialize_entry(name, text)?,
        }
    }
    map.end()
}

/// Wrong fields, collected until all are known.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    list: Vec<Mistake>,
    unlisted: usize,
    is_of_a_part: bool,
}

impl Mistakes {
    /// Of something that need not be complete yet.
    pub(crate) fn of_a_part() -> Self {
        Mistakes { is_of_a_part: true, ..Mistakes::default() }
    }

    pub(crate) fn is_of_a_part(&self) -> bool {
        self.is_of_a_part
    }

    /// Those that are listed.
    pub(crate) fn into_list(self) -> Vec<Mistake> {
        self.list
    }

    pub(crate) fn add(&mut self, pointer: impl Into<String>, wrong: impl Into<Wrong>) {
        if self.list.len() >= MISTAKES_MAX {
            self.unlisted += 1;
            return;
        }
        self.list.push(Mistake::new(pointer, wrong));
    }

    pub(crate) fn add_in_query(&mut self, parameter: &str, wrong: impl Into<Wrong>) {
        self.add(format!("/{parameter}"), wrong);
        if let Some(mistake) = self.list.last_mut() {
            mistake.part = Some("query");
        }
    }

    /// Nothing when all was well, else the problem.
    pub(crate) fn into_result(self, kind: Kind) -> Result<(), Problem> {
        if self.list.is_empty() {
            return Ok(());
        }
        let count = self.list.len() + self.unlisted;
        let detail = match (count, self.unlisted) {
            (1, _) => "1 field is wrong".to_owned(),
            (_, 0) => format!("{count} fields are wrong"),
            _ => format!("{count} fields are wrong; the first {MISTAKES_MAX} are listed"),
        };
        Err(Problem { mistakes: self.list, ..Problem::new(kind, detail) })
    }
}

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) mistakes: Vec<Mistake>,
    pub(crate) cause: Option<String>,
}

/// Why a request failed, for the operator's log; travels beside the answer to the rim, where it is written down.
#[derive(Clone, Debug)]
pub(crate) struct Cause(pub(crate) String);

/// How a problem looks on the wire (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// Names the kind of problem; stable. Relative to this server, where the page explains it.
    #[serde(rename = "type")]
    #[schema(example = "/docs/problems#invalid-fields")]
    uri: &'a str,
    /// The kind in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    detail: &'a str,
    /// Every wrong field.
    #[serde(skip_serializing_if = "<[Mistake]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [Mistake],
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Problem { kind, detail: detail.into(), mistakes: Vec::new(), cause: None }
    }

    /// What does not exist or is another organisation's: nobody can tell which.
    pub(crate) fn missing(what: &'static str) -> Self {
        Problem::new(Kind::NotFound, format!("there is no such {what}"))
    }

    /// A fault of ours.
    pub(crate) fn internal(cause: impl ToString) -> Self {
        let detail = "something went wrong on this server; its log says what";
        Problem { cause: Some(cause.to_string()), ..Problem::new(Kind::Internal, detail) }
    }

    pub(crate) fn unavailable(cause: impl ToString) -> Self {
        let detail = "the server cannot store anything at the moment; nothing was stored";
        Problem { cause: Some(cause.to_string()), ..Problem::new(Kind::Unavailable, detail) }
    }

    /// One wrong field.
    pub(crate) fn field(kind: Kind, pointer: impl Into<String>, wrong: impl Into<Wrong>) -> Self {
        Problem { mistakes: vec![Mistake::new(pointer, wrong)], ..Problem::new(kind, "1 field is wrong") }
    }

    /// A limit that would be passed; the pointer says by what.
    pub(crate) fn limit(pointer: &'static str, wrong: Wrong) -> Self {
        let detail = wrong.detail.clone();
        Problem { mistakes: vec![Mistake::new(pointer, wrong)], ..Problem::new(Kind::LimitReached, detail) }
    }

    pub(crate) fn body(&self) -> Bytes {
        let body = ProblemBody {
            uri: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            errors: &self.mistakes,
        };
        // Strings and numbers alone: writing them as JSON cannot fail.
        serde_json::to_vec(&body).unwrap_or_default().into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body().into());
        *response.status_mut() = self.kind.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.kind.asks_again() {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.kind == Kind::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"postrider\""));
        }
        response.extensions_mut().insert(self.kind);
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        count_store_error(&error);
        match error {
            StoreError::NotFound { what } => {
                let what = what.split(' ').next().unwrap_or_default().to_owned();
                Problem::new(Kind::NotFound, format!("there is no such {what}"))
            }
            StoreError::Exists { what } => Problem::new(Kind::Exists, format!("{what} exists already")),
            StoreError::LimitReached { limit, max } => {
                let detail = format!(
                    "the limit of {max} {limit} is reached; delete one that is not needed, or have the limit raised"
                );
                Problem::limit("", Code::LimitReached.says(detail).with("max", max).with("limit", limit))
            }
            StoreError::EventDiffers { id, index } => event_differs(&id, &format!("/events/{index}")),
            StoreError::Unavailable { .. } | StoreError::LeaseLost | StoreError::Outdated => {
                Problem::unavailable(error)
            }
            StoreError::Unusable { .. } | StoreError::Sealed { .. } => Problem::internal(error),
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            other => Problem::internal(other),
        }
    }
}

impl From<PreviewError> for Problem {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::UnknownOrganization => Problem::missing("organization"),
            PreviewError::Busy => Problem::new(Kind::Overloaded, error.to_string()),
            PreviewError::Engine(error) => error.into(),
        }
    }
}

impl From<TestError> for Problem {
    fn from(error: TestError) -> Self {
        match error {
            TestError::UnknownEndpoint => Problem::missing("endpoint"),
            TestError::UnknownType { ref contract } => {
                let wrong = Code::EventsUnknown.says(error.to_string()).with("contract", contract.as_str());
                Problem::field(Kind::InvalidFields, "/type", wrong)
            }
            TestError::Engine(error) => error.into(),
        }
    }
}

impl From<RecoverError> for Problem {
    fn from(error: RecoverError) -> Self {
        const NOT_ACTIVE: &str = "the endpoint is paused or disabled, so that nothing is sent to it; enable it first, with \
            PATCH {\"enabled\": true}";
        const RUNNING: &str = "the endpoint is being recovered already; GET …/operations tells how far that has come";
        match error {
            RecoverError::UnknownEndpoint => Problem::missing("endpoint"),
            RecoverError::NotActive => Problem::new(Kind::WrongState, NOT_ACTIVE),
            RecoverError::Running => Problem::new(Kind::WrongState, RUNNING),
            RecoverError::Engine(error) => error.into(),
        }
    }
}

/// An event's id was used before for another event; `at` points to the event.
pub(crate) fn event_differs(id: &str, at: &str) -> Problem {
    let detail = format!("event id {id} was used within the last 72 hours with other content; nothing was stored");
    let mistake = Mistake::new(format!("{at}/id"), Code::EventIdReused.says("was used before"));
    Problem { mistakes: vec![mistake], ..Problem::new(Kind::EventIdReused, detail) }
}

/// The problem of a call to [`postrider_engine::Engine::accept`]; `at` says where an event of that index stands in the body.
pub(crate) fn accept_problem(error: AcceptError, at: impl Fn(usize) -> String) -> Problem {
    match error {
        AcceptError::UnknownOrganization => Problem::missing("organization"),
        AcceptError::Invalid(found) => {
            let mut mistakes = Mistakes::default();
            for mistake in found {
                let pointer = format!("{}{}", at(mistake.index), mistake.pointer);
                mistakes.add(pointer, event_wrong(mistake.kind, mistake.detail));
            }
            let nothing = || Problem::internal("the engine refused events without a mistake");
            mistakes.into_result(Kind::InvalidFields).err().unwrap_or_else(nothing)
        }
        AcceptError::EventDiffers { id, index } => event_differs(&id, &at(index)),
        AcceptError::Unavailable(reason) => Problem::unavailable(reason),
        AcceptError::Engine(error) => error.into(),
    }
}

/// A caller's own text, short enough to repeat in an error.
pub(crate) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_an_address_of_its_own_and_a_remedy() {
        let mut uris: Vec<_> = Kind::ALL.map(Kind::uri).to_vec();
        uris.sort_unstable();
        uris.dedup();
        assert_eq!(uris.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert!(kind.uri().starts_with("/docs/problems#"), "{kind:?}");
            assert!(kind.status().is_client_error() || kind.status().is_server_error(), "{kind:?}");
            assert!(!kind.title().is_empty() && kind.remedy().ends_with('.'), "{kind:?}");
        }
    }

    #[test]
    fn a_flood_of_mistakes_is_counted_and_not_listed() {
        let mut mistakes = Mistakes::default();
        (0..1_000).for_each(|i| mistakes.add(format!("/{i}"), Code::FieldMissing.says("is missing")));
        let problem = mistakes.into_result(Kind::InvalidFields).unwrap_err();
        assert_eq!(problem.mistakes.len(), MISTAKES_MAX);
        assert_eq!(problem.detail, "1000 fields are wrong; the first 100 are listed");
    }

    #[test]
    fn a_cause_is_never_in_the_answer() {
        let problem = Problem::internal("disk /secret/path broke");
        assert!(!String::from_utf8(problem.body().to_vec()).unwrap().contains("secret"));
    }

    #[test]
    fn long_texts_are_repeated_in_part() {
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
        assert!(quoted(&"é".repeat(100)).ends_with("é\"…"));
    }
}
