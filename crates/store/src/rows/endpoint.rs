//! Endpoints: URL, secret and headers are sealed together.

use postrider_domain::{Endpoint, EndpointId, EndpointStatus, Millis, OrganizationId, Secret};

use super::{Sealer, damaged};
use crate::codec::{Decoder, put_len, put_opt_str, put_str};
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

pub(crate) fn seal_endpoint(sealer: Sealer<'_>, endpoint: &Endpoint) -> Result<Vec<u8>> {
    let mut buffer = seal::unsealed(1_024);
    put_str(&mut buffer, &endpoint.url);
    put_opt_str(&mut buffer, endpoint.secret.as_ref().map(Secret::reveal));
    put_len(&mut buffer, endpoint.headers.len());
    for (name, value) in &endpoint.headers {
        put_str(&mut buffer, name);
        put_str(&mut buffer, value.reveal());
    }
    sealer.seal(buffer, RowKind::Endpoint, endpoint.id.0.as_bytes())
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
            headers,
            system: self.system,
            status: status(&self.status, self.disabled_reason)?,
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
