//! Attempts: what was sent and answered, sealed together.

use std::borrow::Cow;

use postrider_domain::{AttemptFailure, AttemptId, FailureKind, Millis};
use uuid::Uuid;

use super::{Sealer, damaged};
use crate::codec::{Decoder, put_bytes, put_len, put_opt_str, put_str};
use crate::error::Result;
use crate::model::{Attempt, RefusedExchange, Response};
use crate::seal::{self, RowKind};

/// Nothing stays nothing: what was erased has no text to seal.
pub(crate) fn seal_attempt(sealer: Sealer<'_>, attempt: &Attempt) -> Result<Vec<u8>> {
    if attempt.is_erased() {
        return Ok(Vec::new());
    }
    let body_bytes = attempt.response.as_ref().map_or(0, |response| response.body.len());
    let mut buffer = seal::unsealed(1_024 + body_bytes);
    put_str(&mut buffer, &attempt.url);
    put_request_headers(&mut buffer, &attempt.request_headers);
    put_opt_str(&mut buffer, attempt.failure.as_ref().map(|failure| failure.message.as_str()));
    if let Some(response) = &attempt.response {
        put_response(&mut buffer, response);
    }
    put_finer(&mut buffer, attempt);
    sealer.seal(buffer, RowKind::Attempt, attempt.id.0.as_bytes())
}

pub(crate) fn put_request_headers(out: &mut Vec<u8>, headers: &[(String, String)]) {
    put_len(out, headers.len());
    for (name, value) in headers {
        put_str(out, name);
        put_str(out, value);
    }
}

/// All of it but its status.
pub(crate) fn put_response(out: &mut Vec<u8>, response: &Response) {
    put_len(out, response.headers.len());
    for (name, value) in &response.headers {
        put_bytes(out, name);
        put_bytes(out, value);
    }
    put_bytes(out, &response.body);
    put_opt_str(out, response.note.as_deref());
}

/// What attempts of the first program did not have.
#[derive(Default)]
pub(crate) struct Finer {
    pub(crate) reason: Option<String>,
    pub(crate) refused_first: Option<Box<RefusedExchange>>,
}

/// Appends the reason of its failure and the refused request, for a row and for an export.
pub(crate) fn put_finer(out: &mut Vec<u8>, attempt: &Attempt) {
    put_opt_str(out, attempt.failure.as_ref().and_then(|failure| failure.reason.as_deref()));
    out.push(u8::from(attempt.refused_first.is_some()));
    if let Some(refused) = &attempt.refused_first {
        put_request_headers(out, &refused.request_headers);
        out.extend_from_slice(&refused.response_time_ms.to_le_bytes());
        out.extend_from_slice(&refused.response.status_code.to_le_bytes());
        put_response(out, &refused.response);
    }
}

/// Reads what [`put_finer`] wrote.
pub(crate) fn take_finer(from: &mut Decoder<'_>) -> Result<Finer> {
    let reason = from.opt_str()?.map(str::to_owned);
    if !from.flag()? {
        return Ok(Finer { reason, refused_first: None });
    }
    let request_headers = request_headers(from)?;
    let response_time_ms = u32::from_le_bytes(from.array()?);
    let status_code = u16::from_le_bytes(from.array()?);
    let response = open_response(status_code, from)?;
    Ok(Finer { reason, refused_first: Some(Box::new(RefusedExchange { request_headers, response_time_ms, response })) })
}

fn request_headers(from: &mut Decoder<'_>) -> Result<Vec<(String, String)>> {
    let headers = 0..from.len()?;
    headers.map(|_| Ok((from.str()?.to_owned(), from.str()?.to_owned()))).collect()
}

/// An attempt's row as it was read, its text still sealed.
pub(crate) struct AttemptRow {
    pub(crate) id: Uuid,
    pub(crate) started_at: Millis,
    pub(crate) response_time_ms: u32,
    pub(crate) by_hand: bool,
    pub(crate) status_code: Option<u16>,
    pub(crate) failure: Option<String>,
    pub(crate) sealed: Vec<u8>,
}

impl AttemptRow {
    /// Its text is not to be shown any more, though it may still be there for a moment.
    pub(crate) fn erased(self) -> Self {
        AttemptRow { sealed: Vec::new(), ..self }
    }

    pub(crate) fn open(self, sealer: Sealer<'_>) -> Result<Attempt> {
        if self.sealed.is_empty() {
            return self.without_text();
        }
        let plain = sealer.open(self.sealed, RowKind::Attempt, self.id.as_bytes())?;
        let mut from = Decoder::new(plain.bytes());
        let url = from.str()?.to_owned();
        let request_headers = request_headers(&mut from)?;
        let message = from.opt_str()?.map(str::to_owned);
        let response = self.status_code.map(|status_code| open_response(status_code, &mut from)).transpose()?;
        // Rows of the first program end here.
        let finer = if from.is_at_end() { Finer::default() } else { take_finer(&mut from)? };
        let failure = match (self.failure, message) {
            (Some(kind), Some(message)) => {
                let kind = FailureKind::parse(&kind).ok_or_else(|| damaged("an attempt's failure"))?;
                Some(AttemptFailure { kind, reason: finer.reason.map(Cow::Owned), message })
            }
            _ => None,
        };
        Ok(Attempt {
            id: AttemptId(self.id),
            started_at: self.started_at,
            response_time_ms: self.response_time_ms,
            by_hand: self.by_hand,
            url,
            request_headers,
            response,
            failure,
            refused_first: finer.refused_first,
        })
    }
}

impl AttemptRow {
    /// What is left of an attempt whose text was removed: that it was made, when, and how it ended.
    fn without_text(self) -> Result<Attempt> {
        let response = self.status_code.map(|status_code| Response {
            status_code,
            headers: Vec::new(),
            body: Vec::new(),
            note: None,
        });
        let failure = match self.failure.as_deref().map(FailureKind::parse) {
            None => None,
            Some(Some(kind)) => Some(AttemptFailure { kind, message: Attempt::ERASED.to_owned(), reason: None }),
            Some(None) => return Err(damaged("an attempt's failure")),
        };
        Ok(Attempt {
            id: AttemptId(self.id),
            started_at: self.started_at,
            response_time_ms: self.response_time_ms,
            by_hand: self.by_hand,
            url: String::new(),
            request_headers: Vec::new(),
            response,
            failure,
            refused_first: None,
        })
    }
}

fn open_response(status_code: u16, from: &mut Decoder<'_>) -> Result<Response> {
    let headers = 0..from.len()?;
    let headers = headers.map(|_| Ok((from.bytes()?.to_vec(), from.bytes()?.to_vec()))).collect::<Result<_>>()?;
    let body = from.bytes()?.to_vec();
    Ok(Response { status_code, headers, body, note: from.opt_str()?.map(str::to_owned) })
}
