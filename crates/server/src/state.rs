//! What the server is made of: what is handed in, and what it keeps while it runs.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusHandle;
use postrider_contract::{Contract, Contracts};
use postrider_domain::{Endpoint, Millis, Organization, OrganizationId};
use postrider_egress::UrlRules;
use postrider_engine::Engine;
use postrider_store::Store;
use tokio::sync::{Mutex, MutexGuard, Semaphore};
use zeroize::Zeroizing;

use crate::auth::KeyCache;
use crate::limits::ServerLimits;
use crate::operator_key::OperatorKey;
use crate::pass::{Pass, Passes};
use crate::problem::Problem;
use crate::ready::Readiness;
use crate::source::Source;
use crate::token::Tokens;
use crate::unkept::Unkept;

/// What a server is handed.
#[derive(Clone)]
pub struct ServerState {
    /// Takes events in, and holds store, contracts, clock and ids.
    pub engine: Engine,
    /// The SHA-256 of the operator key at the start; when the store has another later on, that one counts.
    pub operator_key_hash: [u8; 32],
    /// Which tokens are accepted.
    pub tokens: Arc<Tokens>,
    /// Signs and knows the tokens of portal links and sessions.
    pub passes: Arc<Passes>,
    /// The address under which browsers reach this server, without a slash at its end.
    pub public_url: Arc<str>,
    /// What the operator allows of endpoint URLs; the same rules that the egress client has.
    pub url_rules: Arc<UrlRules>,
    /// Addresses and CIDR ranges that deliveries come from, to show to receivers.
    pub egress_addresses: Arc<[String]>,
    /// The limits.
    pub limits: ServerLimits,
    /// The CRM's database that events come from, where there is one.
    pub source: Option<Arc<dyn Source>>,
    /// What `/metrics` shows; without one it says that there are none.
    pub metrics: Option<PrometheusHandle>,
    /// The clock that `/test-clock/advance` moves.
    #[cfg(feature = "test-clock")]
    pub clock: Arc<postrider_engine::MovableClock>,
}

/// What every handler has.
pub(crate) type App = Arc<Running>;

/// A running server.
pub(crate) struct Running {
    pub(crate) given: ServerState,
    pub(crate) keys: KeyCache,
    pub(crate) operator_key: OperatorKey,
    pub(crate) in_work: Arc<Semaphore>,
    pub(crate) bodies: Arc<Budget>,
    pub(crate) readiness: Readiness,
    pub(crate) unkept: Unkept,
    pub(crate) openapi: Bytes,
    pub(crate) docs_page: Bytes,
    pub(crate) problems_page: Bytes,
    edits: [Mutex<()>; EDIT_STRIPES],
}

/// How many edits of different organisations can be under way at once, at most.
const EDIT_STRIPES: usize = 64;

impl Running {
    pub(crate) fn new(given: ServerState, openapi: Bytes, docs_page: Bytes, problems_page: Bytes) -> Self {
        let limits = &given.limits;
        Running {
            keys: KeyCache::new(limits),
            operator_key: OperatorKey::new(given.operator_key_hash, Duration::from_millis(limits.key_cached_ms_max)),
            in_work: Arc::new(Semaphore::new(limits.requests_in_work_max)),
            bodies: Arc::new(Budget::new(limits.bodies_bytes_max)),
            readiness: Readiness::default(),
            unkept: Unkept::default(),
            openapi,
            docs_page,
            problems_page,
            edits: std::array::from_fn(|_| Mutex::new(())),
            given,
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.given.engine
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.given.engine.store().as_ref()
    }

    pub(crate) fn contracts(&self) -> &Contracts {
        self.given.engine.contracts()
    }

    pub(crate) fn limits(&self) -> &ServerLimits {
        &self.given.limits
    }

    pub(crate) fn now(&self) -> Millis {
        self.given.engine.now()
    }

    /// A pass as it is given away.
    pub(crate) async fn give_out(&self, pass: &Pass) -> Result<Zeroizing<String>, Problem> {
        let operator_key = self.operator_key.hash(self.store()).await;
        self.given.passes.text(pass, &operator_key).map_err(Problem::internal)
    }

    /// The organisation, or 404.
    pub(crate) async fn organization(&self, id: &OrganizationId) -> Result<Organization, Problem> {
        self.store().organization(id).await?.ok_or_else(|| Problem::missing("organization"))
    }

    /// The contract that an endpoint follows. The engine has seen to it that every contract in use is loaded.
    pub(crate) fn contract_of(&self, endpoint: &Endpoint) -> Result<&Arc<Contract>, Problem> {
        let missing = || Problem::internal(format!("contract {:?} is not loaded", endpoint.contract));
        self.contracts().get(&endpoint.contract).ok_or_else(missing)
    }

    /// Holds back other edits of this organisation in this process, so that what is read is still true when it is written.
    pub(crate) async fn edit(&self, id: &OrganizationId) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let stripe = usize::try_from(hasher.finish() % EDIT_STRIPES as u64).unwrap_or(0);
        self.edits[stripe].lock().await
    }
}

/// Bytes that may be held at once.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_held: AtomicUsize,
    bytes_max: usize,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Budget { bytes_held: AtomicUsize::new(0), bytes_max }
    }
}

/// A share of a budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Share { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Takes more; false, and nothing taken, when that would be too much.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let before = self.budget.bytes_held.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.budget.bytes_max {
            self.budget.bytes_held.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.bytes_held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_never_passed_and_comes_back() {
        let budget = Arc::new(Budget::new(10));
        let (mut one, mut other) = (Share::new(&budget), Share::new(&budget));
        assert!(one.grow(6) && !other.grow(5) && other.grow(4) && !one.grow(1));
        drop(one);
        assert!(other.grow(6));
        drop(other);
        assert_eq!(budget.bytes_held.load(Ordering::Relaxed), 0);
    }
}
