//! Exchange: one request, signed for this moment, and its answer. During a rotation's overlap there may be two, of which the second is sent at once
//! with the secrets *swapped*: a receiver that reads one signature and holds the other secret accepts that one (contracts.md, reading 6).

use std::time::Duration;

use bytes::Bytes;
use postrider_contract::{Contract, SignInput};
use postrider_domain::{AttemptFailure, DeliveryId, EventId, FailureKind, Millis, Secret, SigningSecrets};
use postrider_egress as egress;
use postrider_store::{RefusedExchange, Response};

/// What receivers see as the client.
pub(crate) const USER_AGENT: &str = concat!("Postrider/", env!("CARGO_PKG_VERSION"));
/// Shown instead of a secret value.
const MASK: &str = "********";
/// Headers of a response whose values are credentials.
const SECRET_RESPONSE_HEADERS: [&[u8]; 4] = [b"set-cookie", b"set-cookie2", b"authorization", b"proxy-authorization"];

/// A body on its way to one receiver, with all that its headers are made of.
pub(crate) struct Parcel<'a> {
    pub(crate) url: &'a egress::VettedUrl,
    pub(crate) contract: &'a Contract,
    pub(crate) secrets: SigningSecrets<'a>,
    /// The customer's own headers.
    pub(crate) custom: &'a [(String, Secret)],
    pub(crate) event_type: &'a str,
    pub(crate) event_id: &'a EventId,
    pub(crate) delivery_id: DeliveryId,
    pub(crate) attempt_at: Millis,
    pub(crate) body: Bytes,
    pub(crate) response_bytes_max: usize,
}

/// What was sent, and what came of it.
pub(crate) struct Sent {
    /// The headers of the last request in the order in which they were sent, custom values masked.
    pub(crate) request_headers: Vec<(String, String)>,
    /// The last exchange; its `elapsed` is of both requests together.
    pub(crate) attempt: egress::Attempt,
    /// The first one, where there were two.
    pub(crate) refused_first: Option<Box<RefusedExchange>>,
}

impl Parcel<'_> {
    /// Sends it, and once more with the secrets swapped where the answer asks for that; one deadline, the contract's, holds for both.
    pub(crate) async fn send(&self, client: &egress::Client) -> Result<Sent, AttemptFailure> {
        let timeout = self.contract.response().timeout;
        let (request_headers, first) = self.exchange(client, self.secrets, timeout).await?;
        let left = timeout.saturating_sub(first.elapsed);
        let refusal = match &first.result {
            Ok(answer) if self.is_refused(answer.status) && !left.is_zero() => kept(answer.clone()),
            _ => return Ok(Sent { request_headers, attempt: first, refused_first: None }),
        };
        let response_time_ms = whole_ms(first.elapsed);
        let refused = RefusedExchange { request_headers, response_time_ms, response: refusal };
        let (request_headers, second) = self.exchange(client, self.swapped(), left).await?;
        let attempt = egress::Attempt { elapsed: first.elapsed + second.elapsed, ..second };
        Ok(Sent { request_headers, attempt, refused_first: Some(Box::new(refused)) })
    }

    /// Whether this answer may mean that the receiver holds the other secret.
    fn is_refused(&self, status_code: u16) -> bool {
        self.secrets.secondary.is_some() && self.contract.swaps_on(status_code)
    }

    fn swapped(&self) -> SigningSecrets<'_> {
        SigningSecrets { primary: self.secrets.secondary, secondary: self.secrets.primary }
    }

    async fn exchange(
        &self,
        client: &egress::Client,
        secrets: SigningSecrets<'_>,
        deadline: Duration,
    ) -> Result<(Vec<(String, String)>, egress::Attempt), AttemptFailure> {
        let input = SignInput {
            primary: secrets.primary,
            secondary: secrets.secondary,
            attempt_at: self.attempt_at,
            event_type: self.event_type,
            event_id: self.event_id,
            delivery_id: self.delivery_id,
            body: &self.body,
        };
        let invalid = |message: String| AttemptFailure { kind: FailureKind::RequestInvalid, reason: None, message };
        let signed = self.contract.sign(&input).map_err(|error| invalid(error.to_string()))?;
        let own = [("User-Agent", USER_AGENT)];
        let of_contract = own.into_iter().chain(signed.iter().map(|h| (h.name, h.value.as_ref())));
        let custom = self.custom.iter();
        let mut shown = Vec::with_capacity(8);
        shown.push(("Host".to_owned(), self.url.authority().to_str().unwrap_or_default().to_owned()));
        shown.extend(of_contract.clone().map(|(name, value)| (name.to_owned(), value.to_owned())));
        shown.extend(custom.clone().map(|(name, _)| (name.clone(), MASK.to_owned())));
        shown.push(("Content-Length".to_owned(), self.body.len().to_string()));
        let custom = custom.map(|(name, value)| (name.as_str(), value.reveal()));
        let headers: Vec<_> = of_contract.chain(custom).map(|(name, value)| (name, value.as_bytes())).collect();
        let request = egress::Request {
            url: self.url,
            method: http::Method::POST,
            headers: &headers,
            body: self.body.clone(),
            deadline,
            response_bytes_max: self.response_bytes_max,
        };
        Ok((shown, client.send(request).await))
    }
}

pub(crate) fn whole_ms(elapsed: Duration) -> u32 {
    u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX)
}

/// Why there was no answer, in the words that are kept.
pub(crate) fn failure_of(error: egress::AttemptError) -> AttemptFailure {
    let kind = FailureKind::parse(error.kind.as_str()).unwrap_or(FailureKind::RequestInvalid);
    AttemptFailure { kind, reason: Some(error.reason.into()), message: error.message }
}

/// What of a response is kept: bytes as they came, except what could let somebody into the receiver.
pub(crate) fn kept(response: egress::Response) -> Response {
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
