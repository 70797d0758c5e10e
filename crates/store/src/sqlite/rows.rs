//! How values that are not simple columns lie in rows.

use std::sync::Arc;

use postrider_domain::{
    AttemptFailure, AttemptId, EventId, FailReason, FailureKind, Millis, Progress, Resource, Resume, Trigger,
};
use rusqlite::Row;
use uuid::Uuid;

use super::reader::uuid_at;
use super::tenants::Tenant;
use crate::codec::{Decoder, put_bytes, put_len, put_opt_str, put_str};
use crate::error::{Result, StoreError};
use crate::model::{Attempt, Event, Response};
use crate::seal::{self, RowKind};

/// A time column.
pub(super) fn millis_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Millis> {
    row.get(column).map(Millis)
}

/// A time column that may be empty.
pub(super) fn opt_millis_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Millis>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Millis))
}

/// A row holds what this program never wrote.
pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Sealed {
        reason: format!("{what} is not in the form this program writes; restore the database from a backup"),
    }
}

/// The id's text where the caller chose it; made ids follow from the key.
pub(super) fn chosen_id(id: &EventId, key: Uuid) -> Option<&str> {
    let is_made = id.as_str().starts_with("evt_") && *id == EventId::made(key);
    (!is_made).then(|| id.as_str())
}

/// The other way round.
pub(super) fn event_id(chosen: Option<String>, key: Uuid) -> Result<EventId> {
    match chosen {
        None => Ok(EventId::made(key)),
        Some(text) => text.parse().map_err(|_| damaged("an event's id")),
    }
}

pub(super) fn put_resource(resource: &Resource) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    put_str(&mut out, &resource.kind);
    put_len(&mut out, resource.ids.len());
    for id in &resource.ids {
        put_str(&mut out, id);
    }
    put_opt_str(&mut out, resource.uri.as_deref());
    out
}

pub(super) fn resource(bytes: &[u8]) -> Result<Resource> {
    let mut from = Decoder::new(bytes);
    let kind = from.str()?.to_owned();
    let ids = (0..from.len()?).map(|_| from.str().map(str::to_owned)).collect::<Result<_>>()?;
    Ok(Resource { kind, ids, uri: from.opt_str()?.map(str::to_owned) })
}

pub(super) fn seal_event(tenant: &Tenant, event: &Event) -> Result<Vec<u8>> {
    let changes_bytes = event.changes.as_ref().map_or(0, |text| text.len());
    let mut buffer = seal::unsealed(event.data.len() + changes_bytes + 16);
    put_str(&mut buffer, &event.data);
    put_opt_str(&mut buffer, event.changes.as_deref());
    tenant.key.seal(buffer, tenant.no, RowKind::Event, event.key.as_bytes())
}

/// An event's row as it was read, its data still sealed.
pub(super) struct EventRow {
    pub(super) key: Uuid,
    pub(super) id: Option<String>,
    pub(super) event_type: Arc<str>,
    pub(super) occurred_at: Millis,
    pub(super) accepted_at: Millis,
    pub(super) deliveries_count: u32,
    pub(super) resource: Option<Vec<u8>>,
    pub(super) sealed: Vec<u8>,
}

impl EventRow {
    pub(super) const COLUMNS: &'static str =
        "key, id, type_no, occurred_at, accepted_at, deliveries_count, resource, sealed";

    /// Reads [`EventRow::COLUMNS`]; the type's word is filled in by the caller.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<(i64, Self)> {
        let event = EventRow {
            key: uuid_at(row, 0)?,
            id: row.get(1)?,
            event_type: Arc::from(""),
            occurred_at: millis_at(row, 3)?,
            accepted_at: millis_at(row, 4)?,
            deliveries_count: row.get(5)?,
            resource: row.get(6)?,
            sealed: row.get(7)?,
        };
        Ok((row.get(2)?, event))
    }

    pub(super) fn open(self, tenant: &Tenant) -> Result<Event> {
        let plain = tenant.key.open(self.sealed, tenant.no, RowKind::Event, self.key.as_bytes())?;
        let mut from = Decoder::new(plain.bytes());
        Ok(Event {
            id: event_id(self.id, self.key)?,
            key: self.key,
            event_type: self.event_type,
            occurred_at: self.occurred_at,
            accepted_at: self.accepted_at,
            resource: self.resource.as_deref().map(resource).transpose()?,
            data: from.str()?.into(),
            changes: from.opt_str()?.map(Into::into),
        })
    }
}

pub(super) fn seal_attempt(tenant: &Tenant, attempt: &Attempt) -> Result<Vec<u8>> {
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
    tenant.key.seal(buffer, tenant.no, RowKind::Attempt, attempt.id.0.as_bytes())
}

/// An attempt's row as it was read, its text still sealed.
pub(super) struct AttemptRow {
    pub(super) prev_no: Option<i64>,
    id: Uuid,
    started_at: Millis,
    response_time_ms: u32,
    by_hand: bool,
    status_code: Option<u16>,
    failure: Option<String>,
    sealed: Vec<u8>,
}

impl AttemptRow {
    pub(super) const COLUMNS: &'static str =
        "prev_no, id, started_at, response_time_ms, by_hand, status_code, failure, sealed";

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(AttemptRow {
            prev_no: row.get(0)?,
            id: uuid_at(row, 1)?,
            started_at: millis_at(row, 2)?,
            response_time_ms: row.get(3)?,
            by_hand: row.get(4)?,
            status_code: row.get(5)?,
            failure: row.get(6)?,
            sealed: row.get(7)?,
        })
    }

    pub(super) fn open(self, tenant: &Tenant) -> Result<Attempt> {
        let plain = tenant.key.open(self.sealed, tenant.no, RowKind::Attempt, self.id.as_bytes())?;
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

/// `fail_reason` of a delivery that succeeded.
pub(super) const SUCCEEDED: i64 = 0;

pub(super) fn fail_code(reason: Option<FailReason>) -> i64 {
    match reason {
        None => SUCCEEDED,
        Some(FailReason::Exhausted) => 1,
        Some(FailReason::Gone) => 2,
        Some(FailReason::Expired) => 3,
    }
}

pub(super) fn fail_reason(code: i64) -> Result<Option<FailReason>> {
    match code {
        SUCCEEDED => Ok(None),
        1 => Ok(Some(FailReason::Exhausted)),
        2 => Ok(Some(FailReason::Gone)),
        3 => Ok(Some(FailReason::Expired)),
        _ => Err(damaged("a delivery's fail_reason")),
    }
}

/// The columns `resume` and `resume_at` of a trigger.
pub(super) fn resume_columns(trigger: Trigger) -> (Option<i64>, Option<i64>) {
    match trigger {
        Trigger::Schedule => (None, None),
        Trigger::Person { resume: Resume::At(at) } => (Some(0), Some(at.0)),
        Trigger::Person { resume: Resume::Succeeded } => (Some(1), None),
        Trigger::Person { resume: Resume::Failed(reason) } => (Some(1 + fail_code(Some(reason))), None),
    }
}

/// The other way round.
pub(super) fn trigger(resume: Option<i64>, resume_at: Option<i64>) -> Result<Trigger> {
    let resume = match (resume, resume_at) {
        (None, _) => return Ok(Trigger::Schedule),
        (Some(0), Some(at)) => Resume::At(Millis(at)),
        (Some(1), _) => Resume::Succeeded,
        (Some(code), _) => match fail_reason(code - 1)? {
            Some(reason) => Resume::Failed(reason),
            None => return Err(damaged("a delivery's resume")),
        },
    };
    Ok(Trigger::Person { resume })
}

/// Three columns from `column` on: attempts made, slots used, initial failure.
pub(super) fn progress_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Progress> {
    Ok(Progress {
        attempts_count: row.get(column)?,
        slots_used: row.get(column + 1)?,
        initial_failure_at: opt_millis_at(row, column + 2)?,
    })
}
