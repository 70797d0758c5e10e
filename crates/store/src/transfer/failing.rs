//! How streaks, notices and operational events lie in an export's chunks.

use postrider_domain::{
    DeliveryId, EndpointId, FailureKind, Notice, NoticeId, NoticeKind, OperationalEvent, OperationalEventId,
    OperationalKind, Streak,
};

use super::fields::{
    millis, opt, parsed, put_millis, put_opt, put_u16, put_u32, put_uuid, string, u16_of, u32_of, uuid,
};
use crate::codec::{Decoder, malformed, put_str};
use crate::error::Result;
use crate::failing::{PortableNotice, PortableStreak};
use crate::operational::PortableOperationalEvent;

pub(super) fn put_streak(out: &mut Vec<u8>, row: &PortableStreak) {
    put_str(out, row.organization.as_str());
    put_uuid(out, row.endpoint.0);
    put_u32(out, row.streak.failures);
    put_opt(out, row.streak.since, put_millis);
    put_opt(out, row.streak.warned_at, put_millis);
}

pub(super) fn streak(from: &mut Decoder<'_>) -> Result<PortableStreak> {
    Ok(PortableStreak {
        organization: parsed(from)?,
        endpoint: EndpointId(uuid(from)?),
        streak: Streak { failures: u32_of(from)?, since: opt(from, millis)?, warned_at: opt(from, millis)? },
    })
}

pub(super) fn put_notice(out: &mut Vec<u8>, row: &PortableNotice) {
    let notice = &row.notice;
    put_uuid(out, notice.id.0);
    put_str(out, notice.organization.as_str());
    put_uuid(out, notice.endpoint.0);
    put_str(out, notice.kind.as_str());
    put_u32(out, notice.failures);
    put_opt(out, notice.failures_max, put_u32);
    put_millis(out, notice.failing_since);
    put_str(out, notice.last_failure.as_str());
    put_opt(out, notice.last_status_code, put_u16);
    put_millis(out, notice.made_at);
    put_millis(out, row.due_at);
    put_u32(out, row.tries);
}

pub(super) fn notice(from: &mut Decoder<'_>) -> Result<PortableNotice> {
    let notice = Notice {
        id: NoticeId(uuid(from)?),
        organization: parsed(from)?,
        endpoint: EndpointId(uuid(from)?),
        kind: NoticeKind::parse(from.str()?).ok_or_else(malformed)?,
        failures: u32_of(from)?,
        failures_max: opt(from, u32_of)?,
        failing_since: millis(from)?,
        last_failure: FailureKind::parse(from.str()?).ok_or_else(malformed)?,
        last_status_code: opt(from, u16_of)?,
        made_at: millis(from)?,
    };
    Ok(PortableNotice { notice, due_at: millis(from)?, tries: u32_of(from)? })
}

pub(super) fn put_operational(out: &mut Vec<u8>, row: &PortableOperationalEvent) {
    let event = &row.event;
    put_uuid(out, event.id.0);
    put_str(out, event.organization.as_str());
    put_uuid(out, event.endpoint.0);
    put_str(out, event.kind.as_str());
    put_u32(out, event.count);
    put_opt(out, event.reason.as_deref(), put_str);
    put_opt(out, event.delivery.map(|id| id.0), put_uuid);
    put_millis(out, event.first_at);
    put_millis(out, event.last_at);
    put_millis(out, row.due_at);
    put_u32(out, row.tries);
}

pub(super) fn operational(from: &mut Decoder<'_>) -> Result<PortableOperationalEvent> {
    let event = OperationalEvent {
        id: OperationalEventId(uuid(from)?),
        organization: parsed(from)?,
        endpoint: EndpointId(uuid(from)?),
        kind: OperationalKind::parse(from.str()?).ok_or_else(malformed)?,
        count: u32_of(from)?,
        reason: opt(from, string)?,
        delivery: opt(from, uuid)?.map(DeliveryId),
        first_at: millis(from)?,
        last_at: millis(from)?,
    };
    Ok(PortableOperationalEvent { event, due_at: millis(from)?, tries: u32_of(from)? })
}
