//! The same for a URL that is no endpoint yet: nothing is stored.

use std::sync::Arc;

use postrider_contract::Contract;
use postrider_domain::{
    AttemptFailure, AttemptId, DeliveryId, EventId, Millis, OrganizationId, Secret, SigningSecrets, Verdict,
};
use postrider_egress::{Client, VettedUrl};
use postrider_store::{Attempt, Event};

use super::{Diagnosis, EXAMINATION, allowed, network, probe, refused};
use crate::attempt::{not_accepted, render};
use crate::diagnosis::probe::Probe;
use crate::exchange::{Parcel, Sent, failure_of, kept, whole_ms};
use crate::ids::Ids;
use crate::limits::EngineLimits;

/// What a URL is looked at with.
#[derive(Debug)]
pub struct UrlDiagnosis<'a> {
    /// The URL, as somebody wrote it.
    pub url: &'a str,
    /// The contract whose format, signature and time the probe has.
    pub contract: &'a Contract,
    /// What signs the probe.
    pub secret: Option<&'a Secret>,
    /// Its type, in the contract's names.
    pub event_type: &'a str,
    /// The organisation that it says it is of, where the contract's format has that.
    pub organization: OrganizationId,
}

impl UrlDiagnosis<'_> {
    /// Looks, as [`crate::Engine::diagnose`] does.
    pub async fn run(&self, client: &Client, now: Millis) -> Diagnosis {
        let mut checks = Vec::new();
        match client.judge_url(self.url) {
            Err(refusal) => {
                checks.push(refused(&refusal));
                network::skip(&mut checks);
                probe::skip(&mut checks);
            }
            Ok(url) => {
                checks.push(allowed(&url));
                let examination = client.examine(&url, EXAMINATION).await;
                if network::check(&url, &examination, now, &mut checks) {
                    let attempt = self.probe(client, &url, now).await;
                    Probe::of(&attempt, self.contract, self.secret.is_some()).check(&mut checks);
                } else {
                    probe::skip(&mut checks);
                }
            }
        }
        Diagnosis { checks, delivery: None }
    }

    async fn probe(&self, client: &Client, url: &VettedUrl, now: Millis) -> Attempt {
        let ids = Ids::default();
        let sample = self.contract.sample(self.event_type);
        let key = ids.next(now);
        let event = Event {
            id: EventId::made(key),
            key,
            event_type: Arc::from(self.event_type),
            occurred_at: now,
            accepted_at: now,
            resource: Some(sample.resource),
            data: sample.data.into(),
            changes: sample.changes.map(Into::into),
        };
        let delivery_id = DeliveryId(ids.next(now));
        let parcel = Parcel {
            url,
            contract: self.contract,
            secrets: SigningSecrets { primary: self.secret, secondary: None },
            custom: &[],
            event_type: self.event_type,
            event_id: &event.id,
            delivery_id,
            attempt_at: now,
            body: render(self.contract, &self.organization, delivery_id, self.event_type, true, &event),
            response_bytes_max: EngineLimits::default().response_bytes_max,
        };
        let attempt = Attempt {
            id: AttemptId(ids.next(now)),
            started_at: now,
            response_time_ms: 0,
            by_hand: true,
            url: self.url.to_owned(),
            request_headers: Vec::new(),
            response: None,
            failure: None,
            refused_first: None,
        };
        match parcel.send(client).await {
            Err(failure) => Attempt { failure: Some(failure), ..attempt },
            Ok(sent) => self.answered(attempt, sent),
        }
    }

    fn answered(&self, attempt: Attempt, sent: Sent) -> Attempt {
        let Sent { request_headers, attempt: sent, .. } = sent;
        let response_time_ms = whole_ms(sent.elapsed);
        let attempt = Attempt { request_headers, response_time_ms, ..attempt };
        match sent.result {
            Err(error) => Attempt { failure: Some(failure_of(error)), ..attempt },
            Ok(response) => {
                let is_delivered = self.contract.judge(response.status) == Verdict::Delivered;
                let failure: Option<AttemptFailure> = (!is_delivered).then(|| not_accepted(response.status));
                Attempt { failure, response: Some(kept(response)), ..attempt }
            }
        }
    }
}
