//! How rows lie in an export's chunks: each is a number for its kind and its fields in order, in the form of [`crate::codec`]. No serialisation library:
//! domain types are not serialisable (ARCHITECTURE.md), so that one would need a second set of types and the same conversions by hand.

use std::borrow::Cow;
use std::sync::Arc;

use postrider_domain::{
    AttemptFailure, AttemptId, DeliveryId, Endpoint, EndpointId, EndpointOrdering, EndpointStatus, FailReason,
    FailureKind, Key, KeyId, Progress, Resource, Resume, Secret, Trigger,
};

use super::audit;
use super::encode_operation;
use super::encode_organization;
use super::failing;
use super::fields::{
    i64_of, list, millis, opt, opt_string, parsed, put_i64, put_millis, put_opt, put_turn, put_u16, put_u32, put_uuid,
    string, turn, u8_of, u16_of, u32_of, uuid,
};
use super::hours;
use super::portable::{
    ChosenId, DeletedEndpoint, Portable, PortableAnswer, PortableDelivery, PortableEvent, PortableState,
};
use crate::codec::{Decoder, malformed, put_bytes, put_len, put_opt_str, put_str};
use crate::error::Result;
use crate::model::{Attempt, ContractRevision, Event, Response, RevisionId, StoredAnswer, Version};
use crate::rows::{Finer, Habits, put_finer, put_habits, put_request_headers, put_response, take_finer, take_habits};

/// Appends a row.
pub(super) fn put(out: &mut Vec<u8>, row: &Portable) {
    match row {
        Portable::Revision(revision) => {
            out.push(1);
            out.extend_from_slice(&revision.id.0);
            put_str(out, &revision.name);
            put_str(out, &revision.text);
        }
        Portable::OperatorKey(hash) => {
            out.push(2);
            out.extend_from_slice(hash);
        }
        Portable::Organization(organization, version) => {
            out.push(3);
            encode_organization::put(out, organization);
            put_i64(out, version.0);
        }
        Portable::Key(key, hash) => {
            out.push(4);
            put_key(out, key);
            out.extend_from_slice(hash);
        }
        Portable::Endpoint(endpoint) => {
            out.push(5);
            put_endpoint(out, endpoint);
        }
        Portable::DeletedEndpoint(endpoint) => {
            out.push(6);
            put_str(out, endpoint.organization.as_str());
            put_uuid(out, endpoint.id.0);
            put_millis(out, endpoint.created_at);
            put_millis(out, endpoint.updated_at);
        }
        Portable::ChosenId(row) => put_chosen_id(begun(out, 7), row),
        Portable::Event(row) => put_event(begun(out, 8), row),
        Portable::Delivery(row) => put_delivery(begun(out, 9), row),
        Portable::Answer(row) => put_answer(begun(out, 10), row),
        Portable::Ready => out.push(11),
        Portable::Audit(organization, entry) => audit::put(begun(out, 12), organization.as_ref(), entry),
        Portable::Streak(row) => failing::put_streak(begun(out, 13), row),
        Portable::Notice(row) => failing::put_notice(begun(out, 14), row),
        Portable::Operation(operation) => encode_operation::put(begun(out, 15), operation),
        Portable::Hour(row) => hours::put(begun(out, 16), row),
        Portable::OperationalEvent(row) => failing::put_operational(begun(out, 17), row),
    }
}

/// A row begins with the number of its kind.
fn begun(out: &mut Vec<u8>, kind: u8) -> &mut Vec<u8> {
    out.push(kind);
    out
}

/// Reads a row.
pub(super) fn take(from: &mut Decoder<'_>) -> Result<Portable> {
    Ok(match u8_of(from)? {
        1 => Portable::Revision(ContractRevision {
            id: RevisionId(from.array()?),
            name: string(from)?,
            text: string(from)?,
        }),
        2 => Portable::OperatorKey(from.array()?),
        3 => Portable::Organization(encode_organization::take(from)?, Version(i64_of(from)?)),
        4 => Portable::Key(key(from)?, from.array()?),
        5 => Portable::Endpoint(endpoint(from)?),
        6 => Portable::DeletedEndpoint(DeletedEndpoint {
            organization: parsed(from)?,
            id: EndpointId(uuid(from)?),
            created_at: millis(from)?,
            updated_at: millis(from)?,
        }),
        7 => Portable::ChosenId(chosen_id(from)?),
        8 => Portable::Event(event(from)?),
        9 => Portable::Delivery(delivery(from)?),
        10 => Portable::Answer(answer(from)?),
        11 => Portable::Ready,
        12 => {
            let (organization, entry) = audit::take(from)?;
            Portable::Audit(organization, entry)
        }
        13 => Portable::Streak(failing::streak(from)?),
        14 => Portable::Notice(failing::notice(from)?),
        15 => Portable::Operation(encode_operation::take(from)?),
        16 => Portable::Hour(hours::take(from)?),
        17 => Portable::OperationalEvent(failing::operational(from)?),
        _ => return Err(malformed()),
    })
}

fn put_key(out: &mut Vec<u8>, key: &Key) {
    put_uuid(out, key.id.0);
    put_str(out, key.organization.as_str());
    put_str(out, &key.name);
    put_len(out, key.scopes.len());
    for scope in &key.scopes {
        put_str(out, scope.as_str());
    }
    put_str(out, &key.hint);
    put_millis(out, key.created_at);
    put_opt(out, key.expires_at, put_millis);
}

fn key(from: &mut Decoder<'_>) -> Result<Key> {
    Ok(Key {
        id: KeyId(uuid(from)?),
        organization: parsed(from)?,
        name: string(from)?,
        scopes: list(from, parsed)?,
        hint: string(from)?,
        created_at: millis(from)?,
        expires_at: opt(from, millis)?,
    })
}

fn put_endpoint(out: &mut Vec<u8>, endpoint: &Endpoint) {
    put_uuid(out, endpoint.id.0);
    put_str(out, endpoint.organization.as_str());
    put_str(out, &endpoint.name);
    put_opt_str(out, endpoint.description.as_deref());
    put_str(out, &endpoint.url);
    put_len(out, endpoint.events.len());
    for entry in &endpoint.events {
        put_str(out, &entry.to_string());
    }
    put_str(out, &endpoint.contract);
    put_opt_str(out, endpoint.secret.as_ref().map(Secret::reveal));
    put_len(out, endpoint.headers.len());
    for (name, value) in &endpoint.headers {
        put_str(out, name);
        put_str(out, value.reveal());
    }
    put_opt_str(out, endpoint.system.as_deref());
    match &endpoint.status {
        EndpointStatus::Active => out.push(0),
        EndpointStatus::Paused => out.push(1),
        EndpointStatus::Disabled { reason } => {
            out.push(2);
            put_str(out, reason);
        }
    }
    put_millis(out, endpoint.created_at);
    put_millis(out, endpoint.updated_at);
    put_opt(out, endpoint.resumed_at, put_millis);
    put_habits(out, endpoint);
}

fn endpoint(from: &mut Decoder<'_>) -> Result<Endpoint> {
    let endpoint = Endpoint {
        id: EndpointId(uuid(from)?),
        organization: parsed(from)?,
        name: string(from)?,
        description: opt_string(from)?,
        url: string(from)?,
        events: list(from, parsed)?,
        contract: string(from)?,
        secret: opt_string(from)?.map(Secret::new),
        overlap: None,
        headers: list(from, |from| Ok((string(from)?, Secret::new(string(from)?))))?,
        filter: None,
        rate_limit: None,
        ordering: EndpointOrdering::None,
        system: opt_string(from)?,
        status: match u8_of(from)? {
            0 => EndpointStatus::Active,
            1 => EndpointStatus::Paused,
            2 => EndpointStatus::Disabled { reason: string(from)? },
            _ => return Err(malformed()),
        },
        resumed_at: None,
        created_at: millis(from)?,
        updated_at: millis(from)?,
    };
    let resumed_at = opt(from, millis)?;
    let Habits { overlap, filter, rate_limit, ordering } = take_habits(from)?;
    Ok(Endpoint { resumed_at, overlap, filter, rate_limit, ordering, ..endpoint })
}

fn put_chosen_id(out: &mut Vec<u8>, row: &ChosenId) {
    put_str(out, row.organization.as_str());
    put_str(out, row.id.as_str());
    put_uuid(out, row.key);
    put_millis(out, row.accepted_at);
    out.extend_from_slice(&row.fingerprint);
    put_u32(out, row.deliveries_count);
    out.push(u8::from(row.is_event_kept));
}

fn chosen_id(from: &mut Decoder<'_>) -> Result<ChosenId> {
    Ok(ChosenId {
        organization: parsed(from)?,
        id: parsed(from)?,
        key: uuid(from)?,
        accepted_at: millis(from)?,
        fingerprint: from.array()?,
        deliveries_count: u32_of(from)?,
        is_event_kept: from.flag()?,
    })
}

fn put_event(out: &mut Vec<u8>, row: &PortableEvent) {
    let event = &row.event;
    put_str(out, row.organization.as_str());
    put_str(out, event.id.as_str());
    put_uuid(out, event.key);
    put_str(out, &event.event_type);
    put_millis(out, event.occurred_at);
    put_millis(out, event.accepted_at);
    out.push(u8::from(event.resource.is_some()));
    if let Some(about) = &event.resource {
        put_str(out, &about.kind);
        put_len(out, about.ids.len());
        for id in &about.ids {
            put_str(out, id);
        }
        put_opt_str(out, about.uri.as_deref());
    }
    put_str(out, &event.data);
    put_opt_str(out, event.changes.as_deref());
    out.push(u8::from(row.test));
    put_u32(out, row.deliveries_count);
    put_len(out, row.deliveries.len());
    for id in &row.deliveries {
        put_uuid(out, id.0);
    }
    out.push(u8::from(row.is_open));
}

fn event(from: &mut Decoder<'_>) -> Result<PortableEvent> {
    let about =
        |from: &mut Decoder<'_>| Ok(Resource { kind: string(from)?, ids: list(from, string)?, uri: opt_string(from)? });
    Ok(PortableEvent {
        organization: parsed(from)?,
        event: Arc::new(Event {
            id: parsed(from)?,
            key: uuid(from)?,
            event_type: from.str()?.into(),
            occurred_at: millis(from)?,
            accepted_at: millis(from)?,
            resource: opt(from, about)?,
            data: from.str()?.into(),
            changes: from.opt_str()?.map(Into::into),
        }),
        test: from.flag()?,
        deliveries_count: u32_of(from)?,
        deliveries: list(from, |from| uuid(from).map(DeliveryId))?,
        is_open: from.flag()?,
    })
}

fn put_delivery(out: &mut Vec<u8>, row: &PortableDelivery) {
    put_str(out, row.organization.as_str());
    put_uuid(out, row.id.0);
    put_uuid(out, row.endpoint.0);
    put_uuid(out, row.event_key);
    put_str(out, &row.event_type);
    out.extend_from_slice(&row.revision.0);
    out.push(u8::from(row.test));
    put_millis(out, row.created_at);
    put_u32(out, row.progress.attempts_count);
    put_u32(out, row.progress.slots_used);
    put_opt(out, row.progress.initial_failure_at, put_millis);
    put_opt(out, row.last_status_code, put_u16);
    match &row.state {
        PortableState::Open { due_at, trigger, turn } => {
            out.push(0);
            put_millis(out, *due_at);
            put_trigger(out, *trigger);
            put_opt(out, turn.as_ref(), put_turn);
        }
        PortableState::Ended { ended_at, reason, event } => {
            out.push(1);
            put_millis(out, *ended_at);
            out.push(fail_code(*reason));
            put_str(out, event.as_str());
        }
    }
    put_len(out, row.attempts.len());
    for attempt in &row.attempts {
        put_attempt(out, attempt);
    }
}

fn delivery(from: &mut Decoder<'_>) -> Result<PortableDelivery> {
    Ok(PortableDelivery {
        organization: parsed(from)?,
        id: DeliveryId(uuid(from)?),
        endpoint: EndpointId(uuid(from)?),
        event_key: uuid(from)?,
        event_type: from.str()?.into(),
        revision: RevisionId(from.array()?),
        test: from.flag()?,
        created_at: millis(from)?,
        progress: Progress {
            attempts_count: u32_of(from)?,
            slots_used: u32_of(from)?,
            initial_failure_at: opt(from, millis)?,
        },
        last_status_code: opt(from, u16_of)?,
        state: match u8_of(from)? {
            0 => PortableState::Open { due_at: millis(from)?, trigger: trigger(from)?, turn: opt(from, turn)? },
            1 => PortableState::Ended {
                ended_at: millis(from)?,
                reason: fail_reason(u8_of(from)?)?,
                event: parsed(from)?,
            },
            _ => return Err(malformed()),
        },
        attempts: list(from, attempt)?,
    })
}

fn put_trigger(out: &mut Vec<u8>, trigger: Trigger) {
    match trigger {
        Trigger::Schedule => out.push(0),
        Trigger::Person { resume: Resume::At(at) } => {
            out.push(1);
            put_millis(out, at);
        }
        Trigger::Person { resume: Resume::Failed(reason) } => {
            out.push(2);
            out.push(fail_code(Some(reason)));
        }
        Trigger::Person { resume: Resume::Succeeded } => out.push(3),
    }
}

fn trigger(from: &mut Decoder<'_>) -> Result<Trigger> {
    let resume = match u8_of(from)? {
        0 => return Ok(Trigger::Schedule),
        1 => Resume::At(millis(from)?),
        2 => Resume::Failed(fail_reason(u8_of(from)?)?.ok_or_else(malformed)?),
        3 => Resume::Succeeded,
        _ => return Err(malformed()),
    };
    Ok(Trigger::Person { resume })
}

fn fail_code(reason: Option<FailReason>) -> u8 {
    match reason {
        None => 0,
        Some(FailReason::Exhausted) => 1,
        Some(FailReason::Gone) => 2,
        Some(FailReason::Expired) => 3,
        Some(FailReason::EndpointDeleted) => 4,
        Some(FailReason::Erased) => 5,
    }
}

fn fail_reason(code: u8) -> Result<Option<FailReason>> {
    std::iter::once(None)
        .chain(FailReason::ALL.map(Some))
        .find(|reason| fail_code(*reason) == code)
        .ok_or_else(malformed)
}

fn put_attempt(out: &mut Vec<u8>, attempt: &Attempt) {
    put_uuid(out, attempt.id.0);
    put_millis(out, attempt.started_at);
    put_u32(out, attempt.response_time_ms);
    out.push(u8::from(attempt.by_hand));
    put_str(out, &attempt.url);
    put_request_headers(out, &attempt.request_headers);
    out.push(u8::from(attempt.response.is_some()));
    if let Some(response) = &attempt.response {
        put_u16(out, response.status_code);
        put_response(out, response);
    }
    out.push(u8::from(attempt.failure.is_some()));
    if let Some(failure) = &attempt.failure {
        put_str(out, failure.kind.as_str());
        put_str(out, &failure.message);
    }
    put_finer(out, attempt);
}

fn attempt(from: &mut Decoder<'_>) -> Result<Attempt> {
    let response = |from: &mut Decoder<'_>| {
        Ok(Response {
            status_code: u16_of(from)?,
            headers: list(from, |from| Ok((from.bytes()?.to_vec(), from.bytes()?.to_vec())))?,
            body: from.bytes()?.to_vec(),
            note: opt_string(from)?,
        })
    };
    let failure = |from: &mut Decoder<'_>| {
        let kind = FailureKind::parse(from.str()?).ok_or_else(malformed)?;
        Ok(AttemptFailure { kind, reason: None, message: string(from)? })
    };
    let attempt = Attempt {
        id: AttemptId(uuid(from)?),
        started_at: millis(from)?,
        response_time_ms: u32_of(from)?,
        by_hand: from.flag()?,
        url: string(from)?,
        request_headers: list(from, |from| Ok((string(from)?, string(from)?)))?,
        response: opt(from, response)?,
        failure: opt(from, failure)?,
        refused_first: None,
    };
    let Finer { reason, refused_first } = take_finer(from)?;
    let failure = attempt.failure.map(|failure| AttemptFailure { reason: reason.map(Cow::Owned), ..failure });
    Ok(Attempt { failure, refused_first, ..attempt })
}

fn put_answer(out: &mut Vec<u8>, row: &PortableAnswer) {
    put_opt_str(out, row.organization.as_ref().map(|id| id.as_str()));
    put_str(out, &row.key);
    out.extend_from_slice(&row.request_hash);
    put_millis(out, row.created_at);
    put_u16(out, row.answer.status);
    put_bytes(out, &row.answer.body);
}

fn answer(from: &mut Decoder<'_>) -> Result<PortableAnswer> {
    Ok(PortableAnswer {
        organization: opt(from, parsed)?,
        key: string(from)?,
        request_hash: from.array()?,
        created_at: millis(from)?,
        answer: StoredAnswer { status: u16_of(from)?, body: from.bytes()?.to_vec() },
    })
}
