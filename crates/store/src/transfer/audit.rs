//! How entries of the audit trail lie in an export's chunks.

use std::borrow::Cow;

use postrider_domain::{Action, AuditEntry, AuditId, OrganizationId};

use super::fields::{millis, opt_string, put_millis, put_uuid, string, uuid};
use crate::codec::{Decoder, malformed, put_opt_str, put_str};
use crate::error::Result;
use crate::rows::{actor, fields, put_actor, put_fields};

pub(super) fn put(out: &mut Vec<u8>, organization: Option<&OrganizationId>, entry: &AuditEntry) {
    put_opt_str(out, organization.map(OrganizationId::as_str));
    put_uuid(out, entry.id.0);
    put_millis(out, entry.at);
    put_actor(out, &entry.actor);
    put_str(out, &entry.action.0);
    put_str(out, &entry.object);
    put_fields(out, &entry.before);
    put_fields(out, &entry.after);
    put_opt_str(out, entry.request_id.as_deref());
    put_opt_str(out, entry.source.map(|source| source.to_string()).as_deref());
}

pub(super) fn take(from: &mut Decoder<'_>) -> Result<(Option<OrganizationId>, AuditEntry)> {
    let organization = opt_string(from)?.map(|id| id.parse().map_err(|_| malformed())).transpose()?;
    let entry = AuditEntry {
        id: AuditId(uuid(from)?),
        at: millis(from)?,
        actor: actor(from)?,
        action: Action(Cow::Owned(string(from)?)),
        object: string(from)?,
        before: fields(from)?,
        after: fields(from)?,
        request_id: opt_string(from)?,
        source: opt_string(from)?.map(|text| text.parse().map_err(|_| malformed())).transpose()?,
    };
    Ok((organization, entry))
}
