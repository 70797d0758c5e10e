//! The stage: one sample organisation for each contract, with endpoints at the receiver, made through the API like anyone's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use http::Method;
use postrider_contract::{Contract, Contracts, SecretRules};
use postrider_domain::Secret;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

use super::receiver::{Known, Receiver, Role};
use crate::failure::Misuse;
use crate::http::Api;

/// What the sample organisations are called, in turn.
const NAMES: [&str; 6] =
    ["Alder Realty", "Birch & Sons", "Cedar Analytics", "Dogwood Travel", "Elm Insurance", "Fir Robotics"];
/// How many endpoints a plan must allow.
const ENDPOINTS: u32 = 5;
/// Where the endpoint of whoever tries the demo is.
pub(super) const OWN_PATH: &str = "/in/mine";

/// Everything that the demo set up.
pub(super) struct Stage {
    pub(super) organizations: Vec<Sample>,
    /// Which of them the printed commands are about.
    pub(super) own: Own,
    /// A portal link that opens its dashboard.
    pub(super) dashboard: Secret,
}

/// One sample organisation.
pub(super) struct Sample {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) contract: Arc<Contract>,
    pub(super) endpoints: Vec<Endpoint>,
}

/// One of its endpoints.
pub(super) struct Endpoint {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) role: Role,
}

/// What whoever tries the demo can create an endpoint with.
pub(super) struct Own {
    pub(super) organization: String,
    pub(super) event_type: String,
    /// The receiver knows it already; none where the contract makes its secrets itself.
    pub(super) secret: Option<Secret>,
}

impl Stage {
    /// Sets it, for the contracts named or for all.
    pub(super) async fn set(api: &Api, receiver: &Receiver, wanted: &[String]) -> anyhow::Result<Self> {
        let contracts = Contracts::built_in().map_err(|mistakes| crate::failure::all(&mistakes))?;
        let chosen = choose(&contracts, wanted)?;
        let (flaky, slow) = (soonest_retry(&chosen), shortest_timeout(&chosen));
        let mut organizations = Vec::with_capacity(chosen.len());
        for (index, contract) in chosen.iter().enumerate() {
            let mut roles = vec![Role::Reliable];
            let is_shown = contract.name() == contracts.default_name();
            roles.extend((is_shown || index == flaky).then_some(Role::Flaky));
            roles.extend(is_shown.then_some(Role::Broken));
            roles.extend((index == slow).then_some(Role::Slow));
            let name = NAMES[index % NAMES.len()];
            let sample = Sample {
                id: format!("demo-{}", contract.name()),
                name: name.to_owned(),
                contract: Arc::clone(contract),
                endpoints: Vec::new(),
            };
            organizations.push(sample.create(api, receiver, &roles).await?);
        }
        let default = organizations.iter().find(|sample| sample.contract.name() == contracts.default_name());
        let own = default.or(organizations.first()).context("no contract was chosen")?.own(receiver)?;
        let dashboard = portal_link(api, &own.organization).await?;
        Ok(Stage { organizations, own, dashboard })
    }
}

/// For whoever sits in front of the demo, for as long as a link lasts.
async fn portal_link(api: &Api, organization: &str) -> anyhow::Result<Secret> {
    let body = json!({"role": "admin", "expires_in": "24h"}).to_string();
    let made = api.call(Method::POST, &format!("/v1/organizations/{organization}/portal-links"), Some(body)).await?;
    made["url"].as_str().map(|url| Secret::new(url.to_owned())).context("the API answered without a link")
}

fn choose(contracts: &Contracts, wanted: &[String]) -> anyhow::Result<Vec<Arc<Contract>>> {
    if wanted.is_empty() {
        return Ok(contracts.iter().cloned().collect());
    }
    let names = || contracts.iter().map(|contract| contract.name()).collect::<Vec<_>>().join(", ");
    let find = |name: &String| {
        contracts
            .get(name)
            .cloned()
            .ok_or_else(|| Misuse::of(format!("there is no contract {name:?}; there are {}", names())))
    };
    let mut chosen = wanted.iter().map(find).collect::<anyhow::Result<Vec<_>>>()?;
    chosen.sort_by(|a, b| a.name().cmp(b.name()));
    chosen.dedup_by(|a, b| a.name() == b.name());
    Ok(chosen)
}

/// Where a failure is soonest seen to be made good.
fn soonest_retry(contracts: &[Arc<Contract>]) -> usize {
    let first = |contract: &Contract| contract.schedule().steps.first().copied().unwrap_or(Duration::MAX);
    (0..contracts.len()).min_by_key(|index| first(&contracts[*index])).unwrap_or_default()
}

/// Where silence is soonest seen to be one.
fn shortest_timeout(contracts: &[Arc<Contract>]) -> usize {
    (0..contracts.len()).min_by_key(|index| contracts[*index].response().timeout).unwrap_or_default()
}

fn name_of(role: Role) -> &'static str {
    match role {
        Role::Reliable => "Data warehouse",
        Role::Flaky => "Flaky ERP",
        Role::Slow => "Slow legacy CRM",
        Role::Broken => "Old website",
    }
}

fn path_part(role: Role) -> &'static str {
    match role {
        Role::Reliable => "warehouse",
        Role::Flaky => "flaky",
        Role::Slow => "slow",
        Role::Broken => "old-website",
    }
}

fn secret(contract: &Contract) -> anyhow::Result<Secret> {
    let mut random = [0; SecretRules::RANDOM_BYTES];
    SystemRandom::new().fill(&mut random).map_err(|_| anyhow!("the system gives no random bytes"))?;
    Ok(contract.generate_secret(&random))
}

impl Sample {
    fn path(&self, rest: &str) -> String {
        format!("/v1/organizations/{}{rest}", self.id)
    }

    /// A plan that allows as many endpoints as there will be, where one is needed.
    fn plan(&self) -> Option<&str> {
        let enough = |max: Option<u32>| max.is_none_or(|max| max >= ENDPOINTS);
        let limits = self.contract.limits();
        if enough(limits.endpoints_max(None)) {
            return None;
        }
        limits.plans.iter().find(|plan| enough(plan.endpoints_max)).map(|plan| plan.name.as_str())
    }

    async fn create(mut self, api: &Api, receiver: &Receiver, roles: &[Role]) -> anyhow::Result<Self> {
        let body = json!({"name": self.name, "contract": self.contract.name(), "plan": self.plan()});
        api.call(Method::PUT, &self.path(""), Some(body.to_string())).await?;
        self.remove_former(api).await?;
        for role in roles {
            let endpoint = self.create_endpoint(api, receiver, *role).await?;
            self.endpoints.push(endpoint);
        }
        Ok(self)
    }

    /// An earlier demo with the same data left endpoints whose secrets nobody knows any more.
    async fn remove_former(&self, api: &Api) -> anyhow::Result<()> {
        let page = api.call(Method::GET, &self.path("/endpoints?limit=250"), None).await?;
        let ours = [Role::Reliable, Role::Flaky, Role::Slow, Role::Broken].map(name_of);
        for endpoint in page["data"].as_array().into_iter().flatten() {
            let name = endpoint["name"].as_str().unwrap_or_default();
            let is_own = endpoint["url"].as_str().is_some_and(|url| url.ends_with(OWN_PATH));
            if let Some(id) = endpoint["id"].as_str().filter(|_| is_own || ours.contains(&name)) {
                api.call(Method::DELETE, &self.path(&format!("/endpoints/{id}")), None).await?;
            }
        }
        Ok(())
    }

    async fn create_endpoint(&self, api: &Api, receiver: &Receiver, role: Role) -> anyhow::Result<Endpoint> {
        let path = format!("/in/{}/{}", self.contract.name(), path_part(role));
        let mut body =
            json!({"name": name_of(role), "url": receiver.url(&path), "events": ["*"], "system": path_part(role)});
        let chosen = if self.contract.secret().chosen { Some(secret(&self.contract)?) } else { None };
        if let Some(secret) = &chosen {
            body["secret"] = Value::from(secret.reveal());
        }
        let made = api.call(Method::POST, &self.path("/endpoints"), Some(body.to_string())).await?;
        let secret = chosen.or_else(|| made["secret"].as_str().map(|secret| Secret::new(secret.to_owned())));
        receiver.know(&path, self.known(name_of(role), secret, role));
        let id = made["id"].as_str().context("the API answered without an id")?.to_owned();
        Ok(Endpoint { id, name: name_of(role), role })
    }

    fn known(&self, endpoint: &str, secret: Option<Secret>, role: Role) -> Known {
        Known {
            organization: self.name.clone(),
            endpoint: endpoint.to_owned(),
            contract: Arc::clone(&self.contract),
            secret,
            role,
        }
    }

    fn own(&self, receiver: &Receiver) -> anyhow::Result<Own> {
        let secret = if self.contract.secret().chosen { Some(secret(&self.contract)?) } else { None };
        if secret.is_some() {
            receiver.know(OWN_PATH, self.known("Your endpoint", secret.clone(), Role::Reliable));
        }
        let event_type = self.contract.event_types().first().context("the contract has no event type")?.name.clone();
        Ok(Own { organization: self.id.clone(), event_type, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_built_in_contracts_are_shown_and_a_plan_is_found_where_one_is_needed() {
        let contracts = Contracts::built_in().unwrap();
        let chosen = choose(&contracts, &[]).unwrap();
        assert!(chosen.len() >= 3);
        for contract in chosen {
            let sample =
                Sample { id: "x".into(), name: "x".into(), contract: Arc::clone(&contract), endpoints: vec![] };
            let allowed = contract.limits().endpoints_max(sample.plan());
            assert!(allowed.is_none_or(|max| max >= ENDPOINTS), "{}", contract.name());
        }
    }

    #[test]
    fn a_contract_that_does_not_exist_is_told_with_those_that_do() {
        let contracts = Contracts::built_in().unwrap();
        let error = choose(&contracts, &["nope".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("\"nope\"") && error.contains(contracts.default_name()), "{error}");
    }
}
