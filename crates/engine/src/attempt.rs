//! Attempt: render, sign, guard, send, judge. What comes out is an outcome to record.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postrider_contract::{Contract, RenderInput};
use postrider_domain::{
    AttemptFailure, AttemptId, DeliveryId, Ended, FailureKind, Millis, OrganizationId, StreakChange, Trigger, Verdict,
    after_attempt,
};
use postrider_egress::{self as egress, Way};
use postrider_store::{Attempt, Event, LeaseNo, OpenDelivery, Outcome};

use crate::directory::EndpointView;
use crate::engine::Inner;
use crate::error::EngineError;
use crate::exchange::{Parcel, Sent, failure_of, kept, whole_ms};
use crate::lane::Lane;
use crate::limits::EngineLimits;
use crate::ramp;
use crate::slots::Answer;
use crate::spans::tell_attempt;

/// One attempt, with what its contract makes of the answer.
pub(crate) struct Judged {
    pub(crate) attempt: Attempt,
    pub(crate) verdict: Verdict,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) ended_at: Millis,
    /// How the receiver answered.
    pub(crate) answer: Answer,
    /// What it says about the way out.
    pub(crate) way: Way,
}

/// What became of a lane's delivery that was to be sent.
pub(crate) enum Attempted {
    /// It was sent, or could not be; that is to be recorded.
    Made(Box<Outcome>),
    /// Its endpoint is not to be sent anything at the moment.
    Unwanted,
    /// The lease was not renewed in time: the lane may be another node's.
    LeaseUncertain,
    /// The lane's lease is over.
    LaneLost,
    /// Its endpoint's rate limit lets nothing begin before then.
    Paced(Millis),
    /// It may have ended in the store since it was read.
    Doubtful,
}

/// The body of a delivery, the same at every attempt.
pub(crate) fn render(
    contract: &Contract,
    organization: &OrganizationId,
    delivery: DeliveryId,
    event_type: &str,
    test: bool,
    event: &Event,
) -> Bytes {
    let input = RenderInput {
        event_type,
        event_id: &event.id,
        delivery_id: delivery,
        organization_id: organization.as_str(),
        occurred_at: event.occurred_at,
        data: &event.data,
        changes: event.changes.as_deref(),
        resource: event.resource.as_ref(),
        test,
    };
    Bytes::from(contract.render(&input))
}

impl Inner {
    /// Makes one attempt of a lane's delivery.
    pub(crate) async fn attempt(&self, lane: &Lane, delivery: &Arc<OpenDelivery>) -> Result<Attempted, EngineError> {
        let Some(view) = self.directory.view(&lane.organization).await? else { return Ok(Attempted::Unwanted) };
        let Some(endpoint) = view.endpoints.get(&lane.endpoint) else { return Ok(Attempted::Unwanted) };
        let is_wanted = endpoint.is_active() || delivery.trigger != Trigger::Schedule;
        if !is_wanted {
            return Ok(Attempted::Unwanted);
        }
        let contract = self.revisions.contract(delivery.revision).await?;
        // The last look before something leaves the house. Whether the lease is good is asked first: one that was replaced meanwhile has
        // another number.
        if !self.lease.is_good() {
            return Ok(Attempted::LeaseUncertain);
        }
        if self.lanes.lease() != lane.lease {
            return Ok(Attempted::LaneLost);
        }
        if lane.is_doubtful(delivery.id) {
            return Ok(Attempted::Doubtful);
        }
        if let Err(at) = self.keep_pace(lane, endpoint) {
            return Ok(Attempted::Paced(at));
        }
        let began = self.tracer.now();
        let judged = self.send(endpoint, delivery, &contract).await;
        if let Some(began) = began {
            tell_attempt(&self.tracer, delivery, &judged, began);
        }
        lane.note_answer(judged.answer);
        let streak = self.count_for_streak(lane, endpoint, delivery, &judged);
        let outcome = self.outcome(lane.lease, delivery, judged, &contract);
        Ok(Attempted::Made(Box::new(Outcome { streak, ..outcome })))
    }

    /// A token where the endpoint has a rate limit, or was resumed a short time ago; a person's retry needs one, too.
    fn keep_pace(&self, lane: &Lane, endpoint: &EndpointView) -> Result<(), Millis> {
        let (limit, resumed_at) = (endpoint.endpoint.rate_limit, endpoint.endpoint.resumed_at);
        if limit.is_none() && resumed_at.is_none() {
            lane.go_unpaced();
            return Ok(());
        }
        let now = self.clock.now();
        match ramp::rate(limit, resumed_at, now) {
            Some(rate) => lane.take_token(rate, now),
            None => {
                lane.go_unpaced();
                Ok(())
            }
        }
    }

    fn outcome(&self, lease: LeaseNo, delivery: &Arc<OpenDelivery>, judged: Judged, contract: &Contract) -> Outcome {
        let ended = Ended {
            verdict: judged.verdict,
            trigger: delivery.trigger,
            started_at: judged.attempt.started_at,
            ended_at: judged.ended_at,
            retry_after: judged.retry_after,
            jitter_unit: jitter_unit(judged.attempt.id),
        };
        let (progress, transition) = after_attempt(delivery.progress, ended, contract.schedule());
        let Judged { attempt, ended_at, .. } = judged;
        Outcome {
            lease,
            delivery: Arc::clone(delivery),
            attempt,
            progress,
            transition,
            ended_at,
            streak: StreakChange::None,
        }
    }

    /// Sends a delivery once to an endpoint as it is now, under the contract that the delivery was made under.
    pub(crate) async fn send(&self, view: &EndpointView, delivery: &OpenDelivery, contract: &Contract) -> Judged {
        let started_at = self.clock.now();
        let sent = self.send_signed(view, delivery, contract, started_at).await;
        let attempt = Attempt {
            id: AttemptId(self.ids.next(started_at)),
            started_at,
            response_time_ms: 0,
            by_hand: delivery.trigger != Trigger::Schedule,
            url: view.endpoint.url.clone(),
            request_headers: Vec::new(),
            response: None,
            failure: None,
            refused_first: None,
        };
        judge(contract, attempt, sent, self.clock.now(), &self.limits)
    }

    async fn send_signed(
        &self,
        view: &EndpointView,
        delivery: &OpenDelivery,
        contract: &Contract,
        attempt_at: Millis,
    ) -> Result<Sent, AttemptFailure> {
        let url = view.url.as_ref().map_err(|refusal| AttemptFailure {
            kind: FailureKind::UrlRefused,
            reason: Some(refusal.code.as_str().into()),
            message: refusal.message.clone(),
        })?;
        let parcel = Parcel {
            url,
            contract,
            secrets: view.endpoint.signing_secrets(attempt_at),
            custom: &view.endpoint.headers,
            event_type: &delivery.event_type,
            event_id: &delivery.event.id,
            delivery_id: delivery.id,
            attempt_at,
            body: render(
                contract,
                &delivery.organization,
                delivery.id,
                &delivery.event_type,
                delivery.test,
                &delivery.event,
            ),
            response_bytes_max: self.limits.response_bytes_max,
        };
        parcel.send(&self.egress).await
    }
}

fn judge(
    contract: &Contract,
    mut attempt: Attempt,
    sent: Result<Sent, AttemptFailure>,
    ended_at: Millis,
    limits: &EngineLimits,
) -> Judged {
    let failed = |attempt: Attempt, failure: AttemptFailure, answer: Answer, way: Way| Judged {
        attempt: Attempt { failure: Some(failure), ..attempt },
        verdict: Verdict::Failed,
        retry_after: None,
        ended_at,
        answer,
        way,
    };
    let Sent { request_headers, attempt: sent, refused_first } = match sent {
        Err(failure) => return failed(attempt, failure, Answer::Prompt, Way::Untold),
        Ok(sent) => sent,
    };
    (attempt.request_headers, attempt.refused_first) = (request_headers, refused_first);
    attempt.response_time_ms = whole_ms(sent.elapsed);
    let answered = if sent.result.is_ok() { "yes" } else { "no" };
    metrics::histogram!("postrider_attempt_seconds", "answered" => answered).record(sent.elapsed.as_secs_f64());
    match sent.result {
        Ok(response) => {
            let answer = Answer::after(sent.elapsed, response.body_error.is_some(), limits);
            judged_response(contract, attempt, response, ended_at, answer)
        }
        Err(error) => {
            let is_silence = error.kind != egress::AttemptErrorKind::BadResponse;
            let answer = Answer::after(sent.elapsed, is_silence, limits);
            let way = error.way();
            failed(attempt, failure_of(error), answer, way)
        }
    }
}

fn judged_response(
    contract: &Contract,
    mut attempt: Attempt,
    response: egress::Response,
    ended_at: Millis,
    answer: Answer,
) -> Judged {
    let verdict = contract.judge(response.status);
    let retry_after = retry_after(&response, ended_at);
    if verdict != Verdict::Delivered {
        attempt.failure = Some(not_accepted(response.status));
    }
    attempt.response = Some(kept(response));
    Judged { attempt, verdict, retry_after, ended_at, answer, way: Way::Works }
}

/// An answer came, and it is no success.
pub(crate) fn not_accepted(status_code: u16) -> AttemptFailure {
    let message = format!("the receiver answered {status_code}, which does not count as success");
    AttemptFailure { kind: FailureKind::Status, reason: None, message }
}

/// What the receiver asked for, where `Retry-After` means a later attempt (RFC 9110, section 15.6.4; RFC 6585, section 4).
fn retry_after(response: &egress::Response, now: Millis) -> Option<Duration> {
    if !matches!(response.status, 429 | 503) {
        return None;
    }
    let values: Vec<&[u8]> = response.header_values("retry-after").collect();
    egress::retry_after::parse(&values, now.0)
}

/// A number from 0 up to 1 out of an id's random bits, so that a delivery's jitter needs no other source.
fn jitter_unit(id: AttemptId) -> f64 {
    let (_, low) = id.0.as_u64_pair();
    (low & 0xffff_ffff) as f64 / f64::from(u32::MAX)
}
