//! Attempts: what was sent and answered, sealed together.

use postrider_domain::{AttemptFailure, AttemptId, FailureKind, Millis};
use uuid::Uuid;

use super::{Sealer, damaged};
use crate::codec::{Decoder, put_bytes, put_len, put_opt_str, put_str};
use crate::error::Result;
use crate::model::{Attempt, Response};
use crate::seal::{self, RowKind};

pub(crate) fn seal_attempt(sealer: Sealer<'_>, attempt: &Attempt) -> Result<Vec<u8>> {
    let body_bytes = attempt.response.as_ref().map_or(0, |response| response.body.len());
    let mut buffer = seal::unsealed(1_024 + body_bytes);
    put_str(&mut buffer, &attempt.url);
    put_len(&mut buffer, attempt.request_headers.len());
    for (name, value) in &attempt.request_headers {
        put_str(&mut buffer, name);
        put_str(&mut buffer, value);
    }
    put_opt_str(&mut buffer, attempt.failure.as_ref().map(|failure| failure.message.as_str()));
    if let Some(response) = &attempt.response {
        put_len(&mut buffer, response.headers.len());
        for (name, value) in &response.headers {
            put_bytes(&mut buffer, name);
            put_bytes(&mut buffer, value);
        }
        put_bytes(&mut buffer, &response.body);
        put_opt_str(&mut buffer, response.note.as_deref());
    }
    sealer.seal(buffer, RowKind::Attempt, attempt.id.0.as_bytes())
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
    pub(crate) fn open(self, sealer: Sealer<'_>) -> Result<Attempt> {
        let plain = sealer.open(self.sealed, RowKind::Attempt, self.id.as_bytes())?;
        let mut from = Decoder::new(plain.bytes());
        let url = from.str()?.to_owned();
        let headers = 0..from.len()?;
        let request_headers =
            headers.map(|_| Ok((from.str()?.to_owned(), from.str()?.to_owned()))).collect::<Result<_>>()?;
        let message = from.opt_str()?.map(str::to_owned);
        let response = self.status_code.map(|status_code| open_response(status_code, &mut from)).transpose()?;
        let failure = match (self.failure, message) {
            (Some(kind), Some(message)) => {
                let kind = FailureKind::parse(&kind).ok_or_else(|| damaged("an attempt's failure"))?;
                Some(AttemptFailure { kind, message })
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
        })
    }
}

fn open_response(status_code: u16, from: &mut Decoder<'_>) -> Result<Response> {
    let headers = 0..from.len()?;
    let headers = headers.map(|_| Ok((from.bytes()?.to_vec(), from.bytes()?.to_vec()))).collect::<Result<_>>()?;
    let body = from.bytes()?.to_vec();
    Ok(Response { status_code, headers, body, note: from.opt_str()?.map(str::to_owned) })
}
