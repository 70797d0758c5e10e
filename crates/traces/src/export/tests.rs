use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::sync::{Mutex, Semaphore, mpsc};
use uuid::Uuid;

use super::*;
use crate::context::Sampling;
use crate::span::Kind;
use crate::tracer::Tracer;

/// A collector that answers as it is told, then with 200, and passes on what it is sent.
struct Collector {
    answers: Mutex<VecDeque<Carried>>,
    sent: mpsc::UnboundedSender<Vec<Wire>>,
    /// How many messages it may still take.
    open: Semaphore,
}

#[async_trait]
impl Carrier for Collector {
    async fn carry(&self, message: Bytes) -> Carried {
        self.open.acquire().await.unwrap().forget();
        let request = ExportTraceServiceRequest::decode(message).unwrap();
        let scopes = request.resource_spans.into_iter().flat_map(|one| one.scope_spans);
        self.sent.send(scopes.flat_map(|scope| scope.spans).collect()).unwrap();
        self.answers.lock().await.pop_front().unwrap_or_else(|| answer(200))
    }
}

fn answer(status: u16) -> Carried {
    Carried::Answered { status, body: Bytes::new(), retry_after: None }
}

fn traced(answers: Vec<Carried>, open: usize) -> (Tracer, Arc<Collector>, mpsc::UnboundedReceiver<Vec<Wire>>) {
    let (sent, arrived) = mpsc::unbounded_channel();
    let collector = Arc::new(Collector { answers: Mutex::new(answers.into()), sent, open: Semaphore::new(open) });
    let source = Source { node: "a".to_owned(), version: "1" };
    let tracer = Tracer::start(&source, Sampling::of(1.0), Arc::clone(&collector) as Arc<dyn Carrier>);
    (tracer, collector, arrived)
}

fn end_one(tracer: &Tracer) {
    let span = tracer.event(Uuid::from_u128(1), tracer.now().unwrap()).unwrap();
    tracer.end(span);
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_is_overloaded_gets_the_same_spans_again_and_one_that_refuses_does_not() {
    let (tracer, _collector, mut arrived) = traced(vec![answer(503), Carried::Unanswered("gone".to_owned())], 9);
    end_one(&tracer);
    let first = arrived.recv().await.unwrap();
    assert_eq!((first.len(), arrived.recv().await.unwrap()), (1, first.clone()));
    assert_eq!(arrived.recv().await.unwrap(), first);

    let (tracer, _collector, mut arrived) = traced(vec![answer(400)], 9);
    end_one(&tracer);
    arrived.recv().await.unwrap();
    tracer.flush(Duration::from_secs(60)).await;
    drop(tracer);
    assert!(arrived.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn what_ended_before_a_flush_is_sent_by_it_also_while_another_message_waits_to_be_tried_again() {
    let (tracer, _collector, mut arrived) = traced(vec![answer(503)], 9);
    end_one(&tracer);
    arrived.recv().await.unwrap();
    for _ in 0..700 {
        end_one(&tracer);
    }
    tracer.flush(Duration::from_millis(500)).await;
    let counts: Vec<_> = std::iter::from_fn(|| arrived.try_recv().ok()).map(|spans| spans.len()).collect();
    assert_eq!(counts, [1, BATCH_SPANS_MAX, 700 - BATCH_SPANS_MAX]);
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_hangs_holds_nobody_up_and_what_does_not_fit_is_dropped() {
    let (tracer, collector, mut arrived) = traced(Vec::new(), 0);
    end_one(&tracer);
    for _ in 0..3 * QUEUE_SPANS_MAX {
        end_one(&tracer);
    }
    tracer.flush(Duration::from_millis(500)).await;
    assert!(arrived.try_recv().is_err());
    collector.open.add_permits(100);
    let mut count = 0;
    drop(tracer);
    while let Some(spans) = arrived.recv().await {
        count += spans.len();
        if count >= QUEUE_SPANS_MAX {
            break;
        }
    }
    assert!(count <= 2 * QUEUE_SPANS_MAX + 1, "{count}");
}

#[tokio::test]
async fn a_tracer_that_is_off_makes_no_span() {
    let tracer = Tracer::default();
    assert!(!tracer.is_on() && tracer.now().is_none() && tracer.request("x", None).is_none());
    let (on, _collector, _arrived) = traced(Vec::new(), 9);
    let began = on.now().unwrap();
    assert!(tracer.event(Uuid::from_u128(1), began).is_none());
    assert!(tracer.below_event(Uuid::from_u128(1), "x", Kind::Internal, began).is_none());
    tracer.flush(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_span_below_an_event_has_the_events_own_span_as_its_parent() {
    let (tracer, _collector, _arrived) = traced(Vec::new(), 9);
    let began = tracer.now().unwrap();
    let event = tracer.event(Uuid::from_u128(7), began).unwrap().ended(began);
    let attempt = tracer.below_event(Uuid::from_u128(7), "attempt", Kind::Consumer, began).unwrap().ended(began);
    assert_eq!((&attempt.trace_id, &attempt.parent_span_id), (&event.trace_id, &event.span_id));
    assert_ne!(attempt.span_id, event.span_id);
}
