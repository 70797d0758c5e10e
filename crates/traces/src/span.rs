//! Spans, as they are measured.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span as Wire, Status};

use crate::context::Context;

/// The most links of one span (OpenTelemetry specification, span limits).
const LINKS_MAX: usize = 128;
/// Flags of a span: the bits that say whether its parent is known to be remote, and that it is.
const PARENT_IS_REMOTE: u32 = 0x300;
const PARENT_IS_LOCAL: u32 = 0x100;
const SAMPLED: u32 = 1;

/// A moment by this machine's clock, in nanoseconds since 1970: spans are measured, and nothing is decided by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    #[expect(clippy::disallowed_methods, reason = "what was measured on this machine is told in its own time")]
    pub(crate) fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
    }

    /// So much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Moment(self.0.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// What a span is to those around it (OpenTelemetry specification, SpanKind).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request that came in.
    Server,
    /// A request that went out.
    Client,
    /// Something made that is taken up later.
    Producer,
    /// What a producer made is worked on.
    Consumer,
    /// Work inside.
    Internal,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// A truth.
    Truth(bool),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Attribute::Text(text.to_owned())
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Attribute::Text(text)
    }
}

impl From<i64> for Attribute {
    fn from(number: i64) -> Self {
        Attribute::Number(number)
    }
}

impl From<bool> for Attribute {
    fn from(truth: bool) -> Self {
        Attribute::Truth(truth)
    }
}

/// A span that has begun.
#[derive(Clone, Debug)]
pub struct Span {
    context: Context,
    parent: Option<[u8; 8]>,
    is_parent_remote: bool,
    name: &'static str,
    kind: Kind,
    began: Moment,
    attributes: Vec<(&'static str, Attribute)>,
    links: Vec<Context>,
    error: Option<String>,
}

impl Span {
    pub(crate) fn new(
        context: Context,
        parent: Option<[u8; 8]>,
        name: &'static str,
        kind: Kind,
        began: Moment,
    ) -> Self {
        let (attributes, links) = (Vec::new(), Vec::new());
        Span { context, parent, is_parent_remote: false, name, kind, began, attributes, links, error: None }
    }

    pub(crate) fn below_remote(mut self) -> Self {
        self.is_parent_remote = true;
        self
    }

    /// What others refer to it by.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// When it began.
    #[must_use]
    pub fn began(&self) -> Moment {
        self.began
    }

    /// Adds an attribute. None may hold a secret, a payload, a URL, or anything of an organisation but ids.
    pub fn set(&mut self, name: &'static str, value: impl Into<Attribute>) {
        self.attributes.push((name, value.into()));
    }

    /// Refers to a span of another trace; beyond 128 that is left out.
    pub fn link(&mut self, other: &Context) {
        if self.links.len() < LINKS_MAX {
            self.links.push(other.clone());
        }
    }

    /// It failed; `kind` is one word of a known few.
    pub fn fail(&mut self, kind: &str) {
        self.set("error.type", kind);
        self.error = Some(kind.to_owned());
    }

    pub(crate) fn is_sampled(&self) -> bool {
        self.context.is_sampled
    }

    /// As it goes out.
    pub(crate) fn ended(self, at: Moment) -> Wire {
        let origin = if self.is_parent_remote { PARENT_IS_REMOTE } else { PARENT_IS_LOCAL };
        let kind = match self.kind {
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
            Kind::Producer => SpanKind::Producer,
            Kind::Consumer => SpanKind::Consumer,
            Kind::Internal => SpanKind::Internal,
        };
        let failed = |message| Status { message, code: StatusCode::Error.into() };
        Wire {
            trace_id: self.context.trace.to_vec(),
            span_id: self.context.span.to_vec(),
            trace_state: self.context.state,
            parent_span_id: self.parent.map(|span| span.to_vec()).unwrap_or_default(),
            flags: origin | SAMPLED,
            name: self.name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: self.began.0,
            // A clock that was set back makes no span end before it began.
            end_time_unix_nano: at.max(self.began).0,
            attributes: self.attributes.into_iter().map(|(name, value)| key_value(name, value)).collect(),
            links: self.links.into_iter().map(wire_link).collect(),
            status: self.error.map(failed),
            ..Wire::default()
        }
    }
}

fn wire_link(context: Context) -> Link {
    Link {
        trace_id: context.trace.to_vec(),
        span_id: context.span.to_vec(),
        trace_state: context.state,
        flags: u32::from(context.is_sampled),
        ..Link::default()
    }
}

pub(crate) fn key_value(name: &str, value: Attribute) -> KeyValue {
    let value = match value {
        Attribute::Text(text) => Value::StringValue(text),
        Attribute::Number(number) => Value::IntValue(number),
        Attribute::Truth(truth) => Value::BoolValue(truth),
    };
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
