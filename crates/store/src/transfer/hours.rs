//! How what was counted of endpoints lies in an export's chunks.

use postrider_domain::{EndpointId, Hour};

use super::fields::{i64_of, millis, opt, parsed, put_i64, put_millis, put_opt, put_u32, put_uuid, u32_of, uuid};
use crate::codec::{Decoder, put_str};
use crate::error::Result;
use crate::statistics::{EndpointHour, NUMBERS, numbers, tally};

pub(super) fn put(out: &mut Vec<u8>, row: &EndpointHour) {
    put_str(out, row.organization.as_str());
    put_uuid(out, row.endpoint.0);
    put_u32(out, row.hour.0.cast_unsigned());
    put_opt(out, row.tally.last_attempt_at, put_millis);
    for number in numbers(&row.tally) {
        put_i64(out, number);
    }
}

pub(super) fn take(from: &mut Decoder<'_>) -> Result<EndpointHour> {
    let (organization, endpoint) = (parsed(from)?, EndpointId(uuid(from)?));
    let hour = Hour(u32_of(from)?.cast_signed());
    let last_attempt_at = opt(from, millis)?;
    let mut values = [0; NUMBERS];
    for value in &mut values {
        *value = i64_of(from)?;
    }
    Ok(EndpointHour { organization, endpoint, hour, tally: tally(values, last_attempt_at) })
}
