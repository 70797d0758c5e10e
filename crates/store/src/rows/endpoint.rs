//! Endpoints: URL, secrets, headers and filter are sealed together.

use std::num::NonZeroU32;

use postrider_domain::{
    Endpoint, EndpointId, EndpointOrdering, EndpointStatus, Millis, OrganizationId, Overlap, Secret,
};

use super::{Sealer, damaged};
use crate::codec::{Decoder, malformed, put_len, put_opt_str, put_str};
use crate::error::Result;
use crate::seal::{self, RowKind};

/// The column `events`.
pub(crate) fn events_text(endpoint: &Endpoint) -> String {
    let entries: Vec<_> = endpoint.events.iter().map(ToString::to_string).collect();
    // No subscription holds a space.
    entries.join(" ")
}

/// The column `disabled_reason`.
pub(crate) fn disabled_reason(endpoint: &Endpoint) -> Option<&str> {
    match &endpoint.status {
        EndpointStatus::Disabled { reason } => Some(reason),
        EndpointStatus::Active | EndpointStatus::Paused => None,
    }
}

/// The column `overlap_ends_at`: by it the old secret is found once it has stopped working.
pub(crate) fn overlap_ends_at(endpoint: &Endpoint) -> Option<i64> {
    endpoint.overlap.as_ref().map(|overlap| overlap.ends_at.0)
}

pub(crate) fn seal_endpoint(sealer: Sealer<'_>, endpoint: &Endpoint) -> Result<Vec<u8>> {
    let mut buffer = seal::unsealed(1_024);
    put_str(&mut buffer, &endpoint.url);
    put_opt_str(&mut buffer, endpoint.secret.as_ref().map(Secret::reveal));
    put_len(&mut buffer, endpoint.headers.len());
    for (name, value) in &endpoint.headers {
        put_str(&mut buffer, name);
        put_str(&mut buffer, value.reveal());
    }
    put_habits(&mut buffer, endpoint);
    sealer.seal(buffer, RowKind::Endpoint, endpoint.id.0.as_bytes())
}

/// What an endpoint may have beside its URL, secret and headers.
#[derive(Default)]
pub(crate) struct Habits {
    pub(crate) overlap: Option<Overlap>,
    pub(crate) filter: Option<String>,
    pub(crate) rate_limit: Option<NonZeroU32>,
    pub(crate) ordering: EndpointOrdering,
}

/// Appends them, for a row and for an export.
pub(crate) fn put_habits(out: &mut Vec<u8>, endpoint: &Endpoint) {
    out.push(u8::from(endpoint.overlap.is_some()));
    if let Some(overlap) = &endpoint.overlap {
        put_str(out, overlap.old.reveal());
        out.extend_from_slice(&overlap.ends_at.0.to_le_bytes());
        out.push(u8::from(overlap.is_confirmed));
    }
    put_opt_str(out, endpoint.filter.as_deref());
    out.extend_from_slice(&endpoint.rate_limit.map_or(0, NonZeroU32::get).to_le_bytes());
    put_str(out, endpoint.ordering.as_str());
}

/// Reads what [`put_habits`] wrote.
pub(crate) fn take_habits(from: &mut Decoder<'_>) -> Result<Habits> {
    let overlap = match from.flag()? {
        false => None,
        true => Some(Overlap {
            old: Secret::new(from.str()?.to_owned()),
            ends_at: Millis(i64::from_le_bytes(from.array()?)),
            is_confirmed: from.flag()?,
        }),
    };
    Ok(Habits {
        overlap,
        filter: from.opt_str()?.map(str::to_owned),
        rate_limit: NonZeroU32::new(u32::from_le_bytes(from.array()?)),
        ordering: EndpointOrdering::parse(from.str()?).ok_or_else(malformed)?,
    })
}

/// A row as it was read, with what is sealed still sealed.
pub(crate) struct EndpointRow {
    pub(crate) id: EndpointId,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) events: String,
    pub(crate) contract: String,
    pub(crate) system: Option<String>,
    pub(crate) status: String,
    pub(crate) disabled_reason: Option<String>,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
    pub(crate) resumed_at: Option<Millis>,
    pub(crate) sealed: Vec<u8>,
}

impl EndpointRow {
    pub(crate) fn open(self, sealer: Sealer<'_>, organization: &OrganizationId) -> Result<Endpoint> {
        let plain = sealer.open(self.sealed, RowKind::Endpoint, self.id.0.as_bytes())?;
        let mut from = Decoder::new(plain.bytes());
        let secret = |text: &str| Secret::new(text.to_owned());
        let url = from.str()?.to_owned();
        let signing = from.opt_str()?.map(secret);
        let headers = 0..from.len()?;
        let headers = headers.map(|_| Ok((from.str()?.to_owned(), secret(from.str()?)))).collect::<Result<_>>()?;
        // Rows of the first program end here.
        let habits = if from.is_at_end() { Habits::default() } else { take_habits(&mut from)? };
        let events = self.events.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>();
        Ok(Endpoint {
            id: self.id,
            organization: organization.clone(),
            name: self.name,
            description: self.description,
            url,
            events: events.map_err(|_| damaged("an endpoint's events"))?,
            contract: self.contract,
            secret: signing,
            overlap: habits.overlap,
            headers,
            filter: habits.filter,
            rate_limit: habits.rate_limit,
            ordering: habits.ordering,
            system: self.system,
            status: status(&self.status, self.disabled_reason)?,
            resumed_at: self.resumed_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

fn status(name: &str, disabled_reason: Option<String>) -> Result<EndpointStatus> {
    let disabled = EndpointStatus::Disabled { reason: disabled_reason.unwrap_or_default() };
    let all = [EndpointStatus::Active, EndpointStatus::Paused, disabled];
    all.into_iter().find(|status| status.as_str() == name).ok_or_else(|| damaged("an endpoint's status"))
}
