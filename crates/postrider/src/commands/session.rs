//! A listening session of an organisation that has no endpoint yet: its events as its contract would send them, made here and signed with a secret that
//! nobody else knows. The server is only read from.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use http::Method;
use postrider_contract::{Contract, Contracts, RenderInput, SecretRules, SignInput};
use postrider_domain::{DeliveryId, EventId, Millis, Resource, Secret};
use postrider_engine::{Clock, Ids, SystemClock};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::http::{Api, Asked};
use crate::output;

/// Events that are looked through at a time; of more that came since the last look the newest are shown.
const EVENTS_MAX: usize = 250;
/// Events that are known to have been looked at.
const SEEN_MAX: usize = 20 * EVENTS_MAX;

/// The session.
pub(crate) struct Session {
    api: Api,
    org: String,
    contract: Arc<Contract>,
    secret: Option<Secret>,
    ids: Ids,
    seen: HashSet<String>,
    in_order: VecDeque<String>,
    /// Seen and not shown yet.
    waiting: VecDeque<String>,
}

/// An event as the server shows it, its data byte for byte.
#[derive(Deserialize)]
struct Shown<'a> {
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    occurred_at: String,
    resource: Option<ShownResource>,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow)]
    changes: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ShownResource {
    #[serde(rename = "type")]
    kind: String,
    ids: Vec<String>,
    uri: Option<String>,
}

impl Session {
    /// Of this organisation; what was published before is not part of it.
    ///
    /// # Errors
    /// When the server cannot be read, or its contract is not one of these.
    pub(crate) async fn begin(api: Api, org: &str, contracts: &Contracts) -> anyhow::Result<Self> {
        let organization = api.call(Method::GET, &format!("/v1/organizations/{org}"), None).await?;
        let name = organization["contract"].as_str().context("the server names no contract; is it Postrider?")?;
        let there = api.call(Method::GET, &format!("/v1/contracts/{name}"), None).await?;
        let same = contracts.get(name).filter(|known| there["revision"] == known.revision().to_string());
        let Some(contract) = same.cloned() else {
            bail!(
                "{org} has no endpoint, and its contract {name:?} is not known here as the server has it; \
                 give the server's files with --contracts DIR, or make an endpoint"
            );
        };
        let mut random = [0; SecretRules::RANDOM_BYTES];
        SystemRandom::new().fill(&mut random).map_err(|_| anyhow!("the system gives no random bytes"))?;
        let secret = contract.is_signed().then(|| contract.generate_secret(&random));
        let mut session = Session {
            api,
            org: org.to_owned(),
            contract,
            secret,
            ids: Ids::default(),
            seen: HashSet::new(),
            in_order: VecDeque::new(),
            waiting: VecDeque::new(),
        };
        session.unseen().await?;
        Ok(session)
    }

    /// What receivers verify with, where the contract signs.
    pub(crate) fn verified_with(&self) -> Option<String> {
        let secret = self.secret.as_ref()?;
        Some(self.contract.public_key(secret).unwrap_or_else(|| secret.reveal().to_owned()))
    }

    /// What was published since the last look and went to no endpoint, oldest first, in the form of a stream's rows. Nothing while the server is away.
    pub(crate) async fn look(&mut self) -> Vec<Value> {
        if let Ok(unseen) = self.unseen().await {
            self.waiting.extend(unseen);
        }
        let mut rows = Vec::new();
        while let Some(id) = self.waiting.front() {
            let asked = self.api.look_raw(&format!("/v1/organizations/{}/events/{}", self.org, encoded(id))).await;
            let row = match asked {
                Ok(Asked::NotNow(_)) => break,
                Ok(Asked::Said(body)) => self.row(&body),
                Ok(Asked::Missing(what)) => Err(anyhow::Error::msg(what)),
                Err(error) => Err(error),
            };
            match row {
                Ok(row) => rows.push(row),
                Err(error) => output::note(&format!("event {id} cannot be shown: {error:#}")),
            }
            self.waiting.pop_front();
        }
        rows
    }

    async fn unseen(&mut self) -> anyhow::Result<Vec<String>> {
        let path = format!("/v1/organizations/{}/events?limit={EVENTS_MAX}", self.org);
        let page = self.api.call(Method::GET, &path, None).await?;
        let mut unseen = Vec::new();
        for event in page["data"].as_array().into_iter().flatten().rev() {
            let id = event["id"].as_str().unwrap_or_default().to_owned();
            if !self.seen.insert(id.clone()) {
                continue;
            }
            self.in_order.push_back(id.clone());
            if event["deliveries_count"] == 0 {
                unseen.push(id);
            }
        }
        while self.in_order.len() > SEEN_MAX
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        Ok(unseen)
    }

    fn row(&self, body: &[u8]) -> anyhow::Result<Value> {
        let shown: Shown<'_> = serde_json::from_slice(body).context("the server shows it in another form")?;
        let now = SystemClock.now();
        let delivery = DeliveryId(self.ids.next(now));
        let event: EventId = shown.id.parse()?;
        let event_type = self.contract.resolve_type(&shown.event_type).unwrap_or(&shown.event_type);
        let resource = shown.resource.as_ref();
        let resource = resource.map(|of| Resource { kind: of.kind.clone(), ids: of.ids.clone(), uri: of.uri.clone() });
        let occurred_at: jiff::Timestamp = shown.occurred_at.parse()?;
        let body = self.contract.render(&RenderInput {
            event_type,
            event_id: &event,
            delivery_id: delivery,
            organization_id: &self.org,
            occurred_at: Millis(occurred_at.as_millisecond()),
            data: shown.data.get(),
            changes: shown.changes.map(RawValue::get),
            resource: resource.as_ref(),
            test: false,
        });
        let signed = self.contract.sign(&SignInput {
            primary: self.secret.as_ref(),
            secondary: None,
            attempt_at: now,
            event_type,
            event_id: &event,
            delivery_id: delivery,
            body: body.as_bytes(),
        })?;
        let headers: serde_json::Map<_, _> =
            signed.iter().map(|header| (header.name.to_owned(), json!(header.value))).collect();
        Ok(json!({
            "id": delivery.to_string(), "event": shown.id, "type": event_type, "endpoint": null,
            "request": {"headers": headers, "body": body},
        }))
    }
}

/// A piece of a path: the CRM chooses ids, and may choose a slash.
fn encoded(id: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    id.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
