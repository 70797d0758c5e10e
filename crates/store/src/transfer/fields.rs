//! The smallest parts of rows: numbers, times, ids, and what may be missing or more than one.

use postrider_domain::Millis;
use uuid::Uuid;

use super::portable::PortableTurn;
use crate::codec::{Decoder, malformed, put_bytes};
use crate::error::Result;
use crate::rows::{put_resource, resource};

pub(super) fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_i64(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_millis(out: &mut Vec<u8>, at: Millis) {
    put_i64(out, at.0);
}

pub(super) fn put_uuid(out: &mut Vec<u8>, id: Uuid) {
    out.extend_from_slice(id.as_bytes());
}

pub(super) fn put_turn(out: &mut Vec<u8>, turn: &PortableTurn) {
    put_i64(out, turn.number);
    put_bytes(out, &put_resource(&turn.about));
}

pub(super) fn turn(from: &mut Decoder<'_>) -> Result<PortableTurn> {
    Ok(PortableTurn { number: i64_of(from)?, about: resource(from.bytes()?)? })
}

pub(super) fn put_opt<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

pub(super) fn u8_of(from: &mut Decoder<'_>) -> Result<u8> {
    from.array::<1>().map(|[byte]| byte)
}

pub(super) fn u16_of(from: &mut Decoder<'_>) -> Result<u16> {
    from.array().map(u16::from_le_bytes)
}

pub(super) fn u32_of(from: &mut Decoder<'_>) -> Result<u32> {
    from.array().map(u32::from_le_bytes)
}

pub(super) fn i64_of(from: &mut Decoder<'_>) -> Result<i64> {
    from.array().map(i64::from_le_bytes)
}

pub(super) fn millis(from: &mut Decoder<'_>) -> Result<Millis> {
    i64_of(from).map(Millis)
}

pub(super) fn uuid(from: &mut Decoder<'_>) -> Result<Uuid> {
    from.array().map(Uuid::from_bytes)
}

pub(super) fn string(from: &mut Decoder<'_>) -> Result<String> {
    from.str().map(str::to_owned)
}

pub(super) fn opt_string(from: &mut Decoder<'_>) -> Result<Option<String>> {
    Ok(from.opt_str()?.map(str::to_owned))
}

pub(super) fn parsed<T: std::str::FromStr>(from: &mut Decoder<'_>) -> Result<T> {
    from.str()?.parse().map_err(|_| malformed())
}

pub(super) fn opt<T>(from: &mut Decoder<'_>, take: impl FnOnce(&mut Decoder<'_>) -> Result<T>) -> Result<Option<T>> {
    if from.flag()? { take(from).map(Some) } else { Ok(None) }
}

/// Nothing is reserved by the count, which is no more than a claim.
pub(super) fn list<T>(from: &mut Decoder<'_>, take: impl Fn(&mut Decoder<'_>) -> Result<T>) -> Result<Vec<T>> {
    (0..from.len()?).map(|_| take(from)).collect()
}
