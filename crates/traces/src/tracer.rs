//! The tracer: begins spans and takes them in when they end.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span as Wire;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use crate::context::{Context, Sampling};
use crate::export::{self, Carrier, Exporting, count_dropped};
use crate::span::{Kind, Moment, Span};

/// Spans that wait to be sent, at most: beyond, they are dropped.
pub(crate) const QUEUE_SPANS_MAX: usize = 8_192;

/// What all spans of this process have in common.
#[derive(Clone, Debug)]
pub struct Source {
    /// Which of many nodes it is.
    pub node: String,
    /// The program's version.
    pub version: &'static str,
}

/// Makes spans and has them exported; or makes none, and costs nothing. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Inner>>);

struct Inner {
    sampling: Sampling,
    random: SystemRandom,
    queue: mpsc::Sender<Wire>,
    flush: mpsc::Sender<oneshot::Sender<()>>,
    is_half_full: Arc<Notify>,
}

impl Tracer {
    /// One that exports by this carrier, on a task of its own.
    #[must_use]
    pub fn start(source: &Source, sampling: Sampling, carrier: Arc<dyn Carrier>) -> Self {
        let (queue, spans) = mpsc::channel(QUEUE_SPANS_MAX);
        let (flush, asked) = mpsc::channel(1);
        let is_half_full = Arc::new(Notify::new());
        let exporting = Exporting::new(source, carrier, spans, asked, Arc::clone(&is_half_full));
        tokio::spawn(exporting.run());
        export::describe();
        Tracer(Some(Arc::new(Inner { sampling, random: SystemRandom::new(), queue, flush, is_half_full })))
    }

    /// Whether anything is traced: nothing need be measured when not.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Now, where anything is traced.
    #[must_use]
    pub fn now(&self) -> Option<Moment> {
        self.is_on().then(Moment::now)
    }

    /// Begins the span of a request that came in, in its caller's trace or in a new one. None when its trace is not sampled.
    #[must_use]
    pub fn request(&self, name: &'static str, parent: Option<&Context>) -> Option<Span> {
        let inner = self.0.as_ref()?;
        let span = inner.random()?;
        let made = match parent {
            Some(parent) => {
                let context = Context { span, ..parent.clone() };
                Span::new(context, Some(parent.span), name, Kind::Server, Moment::now()).below_remote()
            }
            None => {
                let trace = inner.random()?;
                let is_sampled = inner.sampling.takes(trace);
                let context = Context { trace, span, is_sampled, state: String::new() };
                Span::new(context, None, name, Kind::Server, Moment::now())
            }
        };
        Some(made).filter(Span::is_sampled)
    }

    /// Begins a span below another of this process.
    #[must_use]
    pub fn below(&self, parent: &Context, name: &'static str, kind: Kind, began: Moment) -> Option<Span> {
        let inner = self.0.as_ref().filter(|_| parent.is_sampled)?;
        let context = Context { span: inner.random()?, ..parent.clone() };
        Some(Span::new(context, Some(parent.span), name, kind, began))
    }

    /// The first span of an event's own trace, by the event's UUID. None when that trace is not sampled.
    #[must_use]
    pub fn event(&self, key: Uuid, began: Moment) -> Option<Span> {
        let inner = self.0.as_ref()?;
        let context = Context::of_event(key, inner.sampling);
        Some(Span::new(context, None, "event", Kind::Producer, began)).filter(Span::is_sampled)
    }

    /// Begins a span below the first one of an event's trace, which may have been made long ago and elsewhere.
    #[must_use]
    pub fn below_event(&self, key: Uuid, name: &'static str, kind: Kind, began: Moment) -> Option<Span> {
        let inner = self.0.as_ref()?;
        let event = Context::of_event(key, inner.sampling);
        self.below(&event, name, kind, began).map(Span::below_remote)
    }

    /// Takes a span in that ended now.
    pub fn end(&self, span: Span) {
        self.end_at(span, Moment::now());
    }

    /// Takes a span in; drops it when too many wait.
    pub fn end_at(&self, span: Span, at: Moment) {
        let Some(inner) = &self.0 else { return };
        if inner.queue.try_send(span.ended(at)).is_err() {
            count_dropped(export::QUEUE_FULL, 1);
        }
        if inner.queue.capacity() <= QUEUE_SPANS_MAX / 2 {
            inner.is_half_full.notify_one();
        }
    }

    /// Sends what waits, for at most this long; what is left is dropped. Call once, when nothing more ends.
    pub async fn flush(&self, at_most: Duration) {
        let Some(inner) = &self.0 else { return };
        let (done, is_done) = oneshot::channel();
        let flush = async {
            if inner.flush.send(done).await.is_ok() {
                let _ = is_done.await;
            }
        };
        if tokio::time::timeout(at_most, flush).await.is_err() {
            let left = QUEUE_SPANS_MAX - inner.queue.capacity();
            tracing::warn!(left, "the collector did not take all spans before the stop");
        }
    }
}

impl Inner {
    /// Random bytes; none when the system has none to give, which makes no span.
    fn random<const BYTES: usize>(&self) -> Option<[u8; BYTES]> {
        let mut bytes = [0; BYTES];
        self.random.fill(&mut bytes).ok()?;
        (bytes != [0; BYTES]).then_some(bytes)
    }
}
