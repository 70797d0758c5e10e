//! Organisations, as an export holds them.

use postrider_domain::{EventValidation, Organization};

use super::fields::{list, millis, opt_string, parsed, put_millis, string};
use crate::codec::{Decoder, malformed, put_len, put_opt_str, put_str};
use crate::error::Result;

pub(super) fn put(out: &mut Vec<u8>, organization: &Organization) {
    put_str(out, organization.id.as_str());
    put_str(out, &organization.name);
    put_str(out, &organization.contract);
    put_opt_str(out, organization.plan.as_deref());
    put_opt_str(out, organization.owner_email.as_deref());
    put_opt_str(out, organization.locale.as_deref());
    put_str(out, organization.event_validation.as_str());
    put_len(out, organization.frame_ancestors.len());
    organization.frame_ancestors.iter().for_each(|origin| put_str(out, origin));
    put_millis(out, organization.created_at);
    put_millis(out, organization.updated_at);
}

pub(super) fn take(from: &mut Decoder<'_>) -> Result<Organization> {
    Ok(Organization {
        id: parsed(from)?,
        name: string(from)?,
        contract: string(from)?,
        plan: opt_string(from)?,
        owner_email: opt_string(from)?,
        locale: opt_string(from)?,
        event_validation: EventValidation::parse(from.str()?).ok_or_else(malformed)?,
        frame_ancestors: list(from, string)?,
        created_at: millis(from)?,
        updated_at: millis(from)?,
    })
}
