//! Attempt: render, sign, guard, send, judge. What comes out is an outcome to record.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postrider_contract::{Contract, RenderInput, SignInput};
use postrider_domain::{
    AttemptFailure, AttemptId, DeliveryId, Ended, FailureKind, Millis, OrganizationId, Trigger, Verdict, after_attempt,
};
use postrider_egress as egress;
use postrider_store::{Attempt, Event, LeaseNo, OpenDelivery, Outcome, Response};

use crate::directory::EndpointView;
use crate::engine::Inner;
use crate::error::EngineError;
use crate::lane::Lane;
use crate::limits::EngineLimits;
use crate::slots::Answer;

/// What receivers see as the client.
const USER_AGENT: &str = concat!("Postrider/", env!("CARGO_PKG_VERSION"));
/// Shown instead of a secret value.
const MASK: &str = "********";
/// Headers of a response whose values are credentials.
const SECRET_RESPONSE_HEADERS: [&[u8]; 4] = [b"set-cookie", b"set-cookie2", b"authorization", b"proxy-authorization"];

/// One attempt, with what its contract makes of the answer.
pub(crate) struct Judged {
    pub(crate) attempt: Attempt,
    pub(crate) verdict: Verdict,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) ended_at: Millis,
    /// How the receiver answered.
    pub(crate) answer: Answer,
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
        let judged = self.send(endpoint, delivery, &contract).await;
        lane.note_answer(judged.answer);
        Ok(Attempted::Made(Box::new(self.outcome(lane.lease, delivery, judged, &contract))))
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
            streak: postrider_domain::StreakChange::None,
        }
    }

    /// Sends a delivery once to an endpoint as it is now, under the contract that the delivery was made under.
    pub(crate) async fn send(&self, view: &EndpointView, delivery: &OpenDelivery, contract: &Contract) -> Judged {
        let started_at = self.clock.now();
        let body =
            render(contract, &delivery.organization, delivery.id, &delivery.event_type, delivery.test, &delivery.event);
        let mut request_headers = Vec::with_capacity(8);
        let sent = self.send_signed(view, delivery, contract, started_at, body, &mut request_headers).await;
        let attempt = Attempt {
            id: AttemptId(self.ids.next(started_at)),
            started_at,
            response_time_ms: 0,
            by_hand: delivery.trigger != Trigger::Schedule,
            url: view.endpoint.url.clone(),
            request_headers,
            response: None,
            failure: None,
        };
        judge(contract, attempt, sent, self.clock.now(), &self.limits)
    }

    /// Signs a body for this moment and sends it; notes the headers in the order they are sent, custom values masked.
    async fn send_signed(
        &self,
        view: &EndpointView,
        delivery: &OpenDelivery,
        contract: &Contract,
        attempt_at: Millis,
        body: Bytes,
        shown: &mut Vec<(String, String)>,
    ) -> Result<egress::Attempt, AttemptFailure> {
        let failure = |kind, message| AttemptFailure { kind, message };
        let url = view.url.as_ref().map_err(|refusal| failure(FailureKind::UrlRefused, refusal.message.clone()))?;
        let input = SignInput {
            primary: view.endpoint.secret.as_ref(),
            secondary: None,
            attempt_at,
            event_type: &delivery.event_type,
            event_id: &delivery.event.id,
            delivery_id: delivery.id,
            body: &body,
        };
        let signed = contract.sign(&input).map_err(|error| failure(FailureKind::RequestInvalid, error.to_string()))?;
        let own = [("User-Agent", USER_AGENT)];
        let of_contract = own.into_iter().chain(signed.iter().map(|h| (h.name, h.value.as_ref())));
        let custom = view.endpoint.headers.iter();
        shown.push(("Host".to_owned(), url.authority().to_str().unwrap_or_default().to_owned()));
        shown.extend(of_contract.clone().map(|(name, value)| (name.to_owned(), value.to_owned())));
        shown.extend(custom.clone().map(|(name, _)| (name.clone(), MASK.to_owned())));
        shown.push(("Content-Length".to_owned(), body.len().to_string()));
        let custom = custom.map(|(name, value)| (name.as_str(), value.reveal()));
        let headers: Vec<_> = of_contract.chain(custom).map(|(name, value)| (name, value.as_bytes())).collect();
        let request = egress::Request {
            url,
            method: http::Method::POST,
            headers: &headers,
            body: body.clone(),
            deadline: contract.response().timeout,
            response_bytes_max: self.limits.response_bytes_max,
        };
        Ok(self.egress.send(request).await)
    }
}

fn judge(
    contract: &Contract,
    mut attempt: Attempt,
    sent: Result<egress::Attempt, AttemptFailure>,
    ended_at: Millis,
    limits: &EngineLimits,
) -> Judged {
    let failed = |attempt: Attempt, failure: AttemptFailure, answer: Answer| Judged {
        attempt: Attempt { failure: Some(failure), ..attempt },
        verdict: Verdict::Failed,
        retry_after: None,
        ended_at,
        answer,
    };
    let sent = match sent {
        Err(failure) => return failed(attempt, failure, Answer::Prompt),
        Ok(sent) => sent,
    };
    attempt.response_time_ms = u32::try_from(sent.elapsed.as_millis()).unwrap_or(u32::MAX);
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
            let kind = FailureKind::parse(error.kind.as_str()).unwrap_or(FailureKind::RequestInvalid);
            failed(attempt, AttemptFailure { kind, message: error.message }, answer)
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
        let message = format!("the receiver answered {}, which does not count as success", response.status);
        attempt.failure = Some(AttemptFailure { kind: FailureKind::Status, message });
    }
    attempt.response = Some(kept(response));
    Judged { attempt, verdict, retry_after, ended_at, answer }
}

/// What the receiver asked for, where `Retry-After` means a later attempt (RFC 9110, section 15.6.4; RFC 6585, section 4).
fn retry_after(response: &egress::Response, now: Millis) -> Option<Duration> {
    if !matches!(response.status, 429 | 503) {
        return None;
    }
    let values: Vec<&[u8]> = response.header_values("retry-after").collect();
    egress::retry_after::parse(&values, now.0)
}

/// What of a response is kept: bytes as they came, except what could let somebody into the receiver.
fn kept(response: egress::Response) -> Response {
    let mut notes = Vec::new();
    notes.extend(response.body_error);
    if response.body_truncated {
        notes.push(format!("the body is longer than the {} bytes kept", response.body.len()));
    }
    if response.headers_truncated {
        notes.push(format!("there were more headers than the {} kept", response.headers.len()));
    }
    let masked = |(name, value): (Bytes, Bytes)| {
        let is_secret = SECRET_RESPONSE_HEADERS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
        (name.to_vec(), if is_secret { MASK.as_bytes().to_vec() } else { value.to_vec() })
    };
    Response {
        status_code: response.status,
        headers: response.headers.into_iter().map(masked).collect(),
        body: response.body.to_vec(),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}

/// A number from 0 up to 1 out of an id's random bits, so that a delivery's jitter needs no other source.
fn jitter_unit(id: AttemptId) -> f64 {
    let (_, low) = id.0.as_u64_pair();
    (low & 0xffff_ffff) as f64 / f64::from(u32::MAX)
}
