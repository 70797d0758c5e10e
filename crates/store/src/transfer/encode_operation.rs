//! How an operation lies in an export's chunks.

use postrider_domain::{EndpointId, OperationId, OperationStatus};

use super::fields::{
    i64_of, millis, opt, opt_string, parsed, put_i64, put_millis, put_opt, put_uuid, string, u8_of, uuid,
};
use crate::codec::{Decoder, malformed, put_opt_str, put_str};
use crate::error::Result;
use crate::operations::{Operation, Record, Recovery, Removed, Work};
use crate::rows::count_column;

fn put_count(out: &mut Vec<u8>, count: u64) {
    put_i64(out, count_column(count));
}

fn count(from: &mut Decoder<'_>) -> Result<u64> {
    i64_of(from).map(i64::unsigned_abs)
}

pub(super) fn put(out: &mut Vec<u8>, operation: &Operation) {
    put_uuid(out, operation.id.0);
    put_str(out, operation.organization.as_str());
    put_work(out, &operation.work);
    put_str(out, operation.status.as_str());
    put_opt_str(out, operation.fail_reason.as_deref());
    put_count(out, operation.done);
    put_opt(out, operation.total, put_count);
    put_opt(out, operation.cursor, put_uuid);
    put_count(out, operation.removed.events);
    put_count(out, operation.removed.deliveries);
    put_count(out, operation.removed.attempts);
    put_millis(out, operation.created_at);
    put_opt(out, operation.ended_at, put_millis);
}

pub(super) fn take(from: &mut Decoder<'_>) -> Result<Operation> {
    Ok(Operation {
        id: OperationId(uuid(from)?),
        organization: parsed(from)?,
        work: work(from)?,
        status: OperationStatus::parse(from.str()?).ok_or_else(malformed)?,
        fail_reason: opt_string(from)?,
        done: count(from)?,
        total: opt(from, count)?,
        cursor: opt(from, uuid)?,
        removed: Removed { events: count(from)?, deliveries: count(from)?, attempts: count(from)? },
        created_at: millis(from)?,
        ended_at: opt(from, millis)?,
    })
}

fn put_work(out: &mut Vec<u8>, work: &Work) {
    match work {
        Work::Recover(recovery) => {
            out.push(1);
            put_uuid(out, recovery.endpoint.0);
            put_millis(out, recovery.since);
            put_millis(out, recovery.until);
        }
        Work::Erase { record } => {
            out.push(2);
            put_opt(out, record.as_ref(), |out, (kind, id): &Record| {
                put_str(out, kind);
                put_str(out, id);
            });
        }
    }
}

fn work(from: &mut Decoder<'_>) -> Result<Work> {
    Ok(match u8_of(from)? {
        1 => Work::Recover(Recovery { endpoint: EndpointId(uuid(from)?), since: millis(from)?, until: millis(from)? }),
        2 => Work::Erase { record: opt(from, |from| Ok((string(from)?, string(from)?)))? },
        _ => return Err(malformed()),
    })
}
