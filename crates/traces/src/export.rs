//! The export: spans are gathered, put into one OTLP message, carried to the collector, and dropped after some tries.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use metrics::{counter, describe_counter};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Wire};
use prost::Message;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::span::key_value;
use crate::tracer::{QUEUE_SPANS_MAX, Source};

/// Spans in one message, at most.
const BATCH_SPANS_MAX: usize = 512;
/// How long a span waits for others before it is sent.
const GATHERED_FOR: Duration = Duration::from_secs(1);
/// How often one message is tried.
const TRIES_MAX: u32 = 4;
/// How long after a failed try the next one is made; doubled with each.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long at most, whatever the collector asks for.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(30);

const DROPPED: &str = "postrider_spans_dropped_total";
const EXPORTED: &str = "postrider_spans_exported_total";
/// More waited than the queue takes.
pub(crate) const QUEUE_FULL: &str = "queue_full";
/// The collector said that it will not take them.
const REFUSED: &str = "refused";
/// The collector could not be reached, or did not take them in time.
const UNREACHED: &str = "unreached";

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The collector answered with this status and body, and asked to be left alone for so long.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body, cut at a bound of the carrier's.
        body: Bytes,
        /// `Retry-After`, where it was sent.
        retry_after: Option<Duration>,
    },
    /// There was no answer; why, without the collector's address or any header.
    Unanswered(String),
}

/// Carries messages to the collector.
#[async_trait]
pub trait Carrier: Send + Sync + 'static {
    /// Posts one message of `application/x-protobuf`, within a deadline of its own.
    async fn carry(&self, message: Bytes) -> Carried;
}

pub(crate) fn count_dropped(reason: &'static str, spans: usize) {
    counter!(DROPPED, "reason" => reason).increment(spans as u64);
}

/// Told as zero from the start, since Prometheus sees no rise in a counter that appears with its first count.
pub(crate) fn describe() {
    describe_counter!(EXPORTED, "Spans that the collector took");
    describe_counter!(DROPPED, "Spans that were dropped: too many waited, or the collector did not take them");
    counter!(EXPORTED).increment(0);
    for reason in [QUEUE_FULL, REFUSED, UNREACHED] {
        counter!(DROPPED, "reason" => reason).increment(0);
    }
}

/// Gathers spans and sends them until the tracer is gone.
pub(crate) struct Exporting {
    resource: Resource,
    scope: InstrumentationScope,
    carrier: Arc<dyn Carrier>,
    spans: mpsc::Receiver<Wire>,
    asked: mpsc::Receiver<oneshot::Sender<()>>,
    is_half_full: Arc<Notify>,
    /// Whom to tell that all was sent, once somebody has asked for that; from then on each message is tried once.
    finishing: Option<oneshot::Sender<()>>,
}

/// What a try of a message came to.
enum Tried {
    Taken { refused: usize },
    Refused(String),
    Again { why: String, after: Option<Duration> },
}

impl Exporting {
    pub(crate) fn new(
        source: &Source,
        carrier: Arc<dyn Carrier>,
        spans: mpsc::Receiver<Wire>,
        asked: mpsc::Receiver<oneshot::Sender<()>>,
        is_half_full: Arc<Notify>,
    ) -> Self {
        let attributes = vec![
            key_value("service.name", "postrider".into()),
            key_value("service.version", source.version.into()),
            key_value("service.instance.id", source.node.as_str().into()),
        ];
        let resource = Resource { attributes, ..Resource::default() };
        let (name, version) = ("postrider".to_owned(), source.version.to_owned());
        let scope = InstrumentationScope { name, version, ..InstrumentationScope::default() };
        Exporting { resource, scope, carrier, spans, asked, is_half_full, finishing: None }
    }

    /// Runs until it is asked to flush, which is the last thing it does, or until the tracer is gone.
    pub(crate) async fn run(mut self) {
        while self.finishing.is_none() {
            let first = tokio::select! {
                biased;
                asked = self.asked.recv() => { self.finishing = asked; None }
                first = self.spans.recv() => first,
            };
            if first.is_none() && self.finishing.is_none() {
                return;
            }
            if first.is_some() {
                self.gather().await;
            }
            let mut waiting = VecDeque::from_iter(first);
            self.take_waiting(&mut waiting);
            self.send_all(waiting).await;
        }
        let mut left = VecDeque::new();
        self.take_waiting(&mut left);
        self.send_all(left).await;
        if let Some(done) = self.finishing {
            let _ = done.send(());
        }
    }

    /// Gives the spans that follow one another time to come together.
    async fn gather(&mut self) {
        tokio::select! {
            biased;
            asked = self.asked.recv() => self.finishing = asked,
            () = self.is_half_full.notified() => {}
            () = tokio::time::sleep(GATHERED_FOR) => {}
        }
    }

    /// What waits now, and no more: what ends meanwhile goes with the next.
    fn take_waiting(&mut self, waiting: &mut VecDeque<Wire>) {
        while waiting.len() < QUEUE_SPANS_MAX {
            let Ok(span) = self.spans.try_recv() else { return };
            waiting.push_back(span);
        }
    }

    async fn send_all(&mut self, mut waiting: VecDeque<Wire>) {
        while !waiting.is_empty() {
            let count = waiting.len().min(BATCH_SPANS_MAX);
            self.send(waiting.drain(..count).collect()).await;
        }
    }

    async fn send(&mut self, spans: Vec<Wire>) {
        let count = spans.len();
        let message = Bytes::from(self.request(spans).encode_to_vec());
        let mut again_after = AGAIN_AFTER;
        let mut tries_left = if self.finishing.is_some() { 1 } else { TRIES_MAX };
        loop {
            tries_left -= 1;
            match tried(self.carrier.carry(message.clone()).await) {
                Tried::Taken { refused } => {
                    let refused = refused.min(count);
                    counter!(EXPORTED).increment((count - refused) as u64);
                    return count_dropped(REFUSED, refused);
                }
                Tried::Refused(why) => {
                    tracing::warn!(spans = count, why, "the collector refused spans");
                    return count_dropped(REFUSED, count);
                }
                Tried::Again { why, .. } if tries_left == 0 => {
                    tracing::warn!(spans = count, why, "spans could not be exported and are dropped");
                    return count_dropped(UNREACHED, count);
                }
                Tried::Again { after, .. } => {
                    let wait = after.unwrap_or(again_after).min(AGAIN_AFTER_MAX);
                    tokio::select! {
                        () = tokio::time::sleep(wait) => again_after *= 2,
                        asked = self.asked.recv() => (self.finishing, tries_left) = (asked, 1),
                    }
                }
            }
        }
    }

    fn request(&self, spans: Vec<Wire>) -> ExportTraceServiceRequest {
        let scope_spans = vec![ScopeSpans { scope: Some(self.scope.clone()), spans, ..ScopeSpans::default() }];
        let resource = Some(self.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }
    }
}

/// What an answer means (OTLP specification, "OTLP/HTTP Response" and "Failures").
fn tried(carried: Carried) -> Tried {
    match carried {
        Carried::Answered { status: 200..=299, body, .. } => {
            let answer = ExportTraceServiceResponse::decode(body).unwrap_or_default();
            let refused = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
            Tried::Taken { refused: usize::try_from(refused).unwrap_or(0) }
        }
        Carried::Answered { status: status @ (429 | 502 | 503 | 504), retry_after, .. } => {
            Tried::Again { why: format!("it answered {status}"), after: retry_after }
        }
        Carried::Answered { status, .. } => Tried::Refused(format!("it answered {status}")),
        Carried::Unanswered(why) => Tried::Again { why, after: None },
    }
}

#[cfg(test)]
mod tests;
