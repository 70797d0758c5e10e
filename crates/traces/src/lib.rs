//! Traces: where time goes between a request and the arrivals that it leads to, for an OpenTelemetry collector.
//!
//! Words: a *span* is one piece of work with its beginning and end; a *context* is what others refer to it by; an event's own trace has an id that is
//! derived from the event, so that an attempt made days later, on another node, belongs to it though nothing was stored.
//!
//! Spans wait in a bounded queue and are never waited for: what does not fit is dropped, and counted. This crate knows no network: whoever makes a
//! [`Tracer`] hands in the [`Carrier`].

mod context;
mod export;
mod span;
mod tracer;

pub use context::{Context, Sampling};
pub use export::{Carried, Carrier};
pub use span::{Attribute, Kind, Moment, Span};
pub use tracer::{Source, Tracer};
