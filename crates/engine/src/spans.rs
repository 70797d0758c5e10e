//! Spans of an event's way: what its commit and its attempts tell a collector.
//!
//! An event has a trace of its own, whose id is derived from the event, so that nothing is stored for it and an attempt belongs to it whenever and wherever
//! it is made. The request that published it is of its caller's trace; the two are linked both ways.

use std::time::Duration;

use postrider_domain::{EventId, OrganizationId, Trigger, Verdict};
use postrider_store::OpenDelivery;
use postrider_traces::{Context, Kind, Moment, Span, Tracer};
use uuid::Uuid;

use crate::accept::Made;
use crate::attempt::Judged;

/// What events are committed for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// The request's span, where it is traced.
    request: Option<Context>,
    /// When the work on them began, where anything is traced.
    began: Option<Moment>,
}

impl Origin {
    /// Links a request to the traces of its events.
    pub(crate) fn of(tracer: &Tracer, request: Option<&mut Span>, made: &[Made]) -> Self {
        let Some(request) = request else { return Origin { request: None, began: tracer.now() } };
        for one in made {
            if let Some(event) = tracer.event(one.event.key, request.began()) {
                request.link(event.context());
            }
        }
        Origin { request: Some(request.context().clone()), began: Some(request.began()) }
    }

    /// The time until everything was safe in the store.
    pub(crate) fn tell_commit(&self, tracer: &Tracer, began: Option<Moment>, events: usize, committed: bool) {
        let (Some(request), Some(began)) = (&self.request, began) else { return };
        let Some(mut span) = tracer.below(request, "commit", Kind::Internal, began) else { return };
        span.set("messaging.batch.message_count", i64::try_from(events).unwrap_or(i64::MAX));
        if !committed {
            span.fail("not_committed");
        }
        tracer.end(span);
    }

    /// The first span of an event's own trace.
    pub(crate) fn tell_event(&self, tracer: &Tracer, organization: &OrganizationId, event: Stored<'_>) {
        let Some(mut span) = self.began.and_then(|began| tracer.event(event.key, began)) else { return };
        set_event(&mut span, organization, event.id, event.test);
        span.set("messaging.operation.name", "accept");
        span.set("postrider.deliveries.count", i64::from(event.deliveries_count));
        if let Some(request) = &self.request {
            span.link(request);
        }
        tracer.end(span);
    }
}

/// An event that was stored just now.
#[derive(Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub(crate) id: &'a EventId,
    pub(crate) key: Uuid,
    pub(crate) deliveries_count: u32,
    pub(crate) test: bool,
}

fn set_event(span: &mut Span, organization: &OrganizationId, event: &EventId, test: bool) {
    span.set("messaging.system", "postrider");
    span.set("messaging.message.id", event.as_str());
    span.set("postrider.organization.id", organization.as_str());
    if test {
        span.set("postrider.test", true);
    }
}

/// An attempt with its one request, or with both of a rotation's overlap. Not where it went to: that is the customer's.
pub(crate) fn tell_attempt(tracer: &Tracer, delivery: &OpenDelivery, judged: &Judged, began: Moment) {
    let Some(now) = tracer.now() else { return };
    let Some(mut span) = tracer.below_event(delivery.event.key, "attempt", Kind::Consumer, began) else { return };
    let attempt = &judged.attempt;
    set_event(&mut span, &delivery.organization, &delivery.event.id, delivery.test);
    span.set("messaging.operation.name", "attempt");
    span.set("postrider.endpoint.id", delivery.endpoint.to_string());
    span.set("postrider.delivery.id", delivery.id.to_string());
    span.set("postrider.attempt.id", attempt.id.to_string());
    span.set("postrider.attempt.number", i64::from(delivery.progress.attempts_count) + 1);
    span.set("postrider.attempt.by_hand", delivery.trigger != Trigger::Schedule);
    if judged.verdict != Verdict::Delivered {
        span.fail(attempt.failure.as_ref().map_or("status", |failure| failure.kind.as_str()));
    }
    let mut request_began = began;
    if let Some(refused) = &attempt.refused_first {
        let answered = began.after(Duration::from_millis(u64::from(refused.response_time_ms)));
        tell_request(tracer, span.context(), (began, answered), &Answer::status(refused.response.status_code), 0);
        request_began = answered;
    }
    let resends = i64::from(attempt.refused_first.is_some());
    // Nothing was sent where the request could not be made.
    if !attempt.request_headers.is_empty() {
        tell_request(tracer, span.context(), (request_began, now), &Answer::of(judged), resends);
    }
    tracer.end_at(span, now);
}

/// How a request was answered, or why it was not.
struct Answer {
    status_code: Option<u16>,
    failure: Option<&'static str>,
}

impl Answer {
    fn status(code: u16) -> Self {
        Answer { status_code: Some(code), failure: None }
    }

    fn of(judged: &Judged) -> Self {
        let attempt = &judged.attempt;
        Answer {
            status_code: attempt.response.as_ref().map(|response| response.status_code),
            failure: attempt.failure.as_ref().map(|failure| failure.kind.as_str()),
        }
    }
}

fn tell_request(tracer: &Tracer, attempt: &Context, (began, ended): (Moment, Moment), answer: &Answer, resends: i64) {
    let Some(mut span) = tracer.below(attempt, "POST", Kind::Client, began) else { return };
    span.set("http.request.method", "POST");
    if resends > 0 {
        span.set("http.request.resend_count", resends);
    }
    match (answer.status_code, answer.failure) {
        (Some(code), _) => {
            span.set("http.response.status_code", i64::from(code));
            if code >= 400 {
                span.fail(&code.to_string());
            }
        }
        (None, failure) => span.fail(failure.unwrap_or("unanswered")),
    }
    tracer.end_at(span, ended);
}
