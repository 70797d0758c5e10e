//! The engine itself: its parts, its start and its stop.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use postrider_contract::{Contract, Contracts};
use postrider_domain::{AuditEntry, DeliveryId, Millis, OrganizationId};
use postrider_egress::Client;
use postrider_mail::Mailer;
use postrider_store::{DeliveryDetail, LaneDue, RevisionId, Store};
use postrider_traces::Tracer;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::error::EngineError;
use crate::failing::{Due, Watch};
use crate::ids::Ids;
use crate::keeping::middle;
use crate::lanes::Lanes;
use crate::lease::Lease;
use crate::limits::EngineLimits;
use crate::model::Retry;
use crate::recorder::{Item, Recorder};
use crate::revisions::Revisions;
use crate::scheduler::Scheduler;
use crate::statistics::Statistics;
use crate::stream::Streams;

/// What an engine is made of.
pub struct EngineParts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The contracts there are.
    pub contracts: Arc<Contracts>,
    /// The one way out.
    pub egress: Client,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What tells owners by e-mail; nobody is told when none.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// The organisation of the operator's that operational events are published into; none are made when none.
    pub operational: Option<OrganizationId>,
    /// What traces are told to.
    pub tracer: Tracer,
    /// Its limits.
    pub limits: EngineLimits,
    /// What people call this node, where there are many.
    pub node: String,
}

/// Takes events in and gets them delivered. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) node: String,
    pub(crate) lease: Lease,
    pub(crate) contracts: Arc<Contracts>,
    pub(crate) egress: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: EngineLimits,
    pub(crate) ids: Ids,
    pub(crate) directory: Directory,
    pub(crate) revisions: Revisions,
    pub(crate) lanes: Lanes,
    pub(crate) scheduler: Scheduler,
    pub(crate) recorder: Recorder,
    pub(crate) statistics: Statistics,
    pub(crate) watch: Watch,
    pub(crate) mailer: Option<Arc<dyn Mailer>>,
    pub(crate) tracer: Tracer,
    /// There is a notice to send.
    pub(crate) notices_made: Notify,
    /// The organisation of the operator's.
    pub(crate) operational: Option<OrganizationId>,
    /// There may be an operational event to publish.
    pub(crate) operational_made: Notify,
    /// Attempts to endpoints whose latest attempt was prompt.
    pub(crate) prompt: Semaphore,
    /// Attempts to all others.
    pub(crate) other: Semaphore,
    pub(crate) claims: Semaphore,
    pub(crate) streams: Streams,
    pub(crate) previews: Semaphore,
    /// Lanes may be free: they are looked for now.
    pub(crate) look_for_lanes: Notify,
    /// Work may be there that nobody told of: it is looked for now.
    pub(crate) look_for_work: AtomicBool,
    /// There may be an operation to work on.
    pub(crate) look_for_operations: Notify,
    /// Something was deleted: what it left is dropped now.
    pub(crate) look_for_leftovers: Notify,
    /// No new attempt begins.
    pub(crate) stopping: CancellationToken,
    /// Nothing more will be recorded.
    pub(crate) drained: CancellationToken,
    /// Attempts under way.
    pub(crate) attempts: TaskTracker,
}

impl Engine {
    /// Starts an engine and takes up all open work.
    ///
    /// # Errors
    /// When the store cannot be read, or an organisation or endpoint names a contract that is not loaded.
    pub async fn start(parts: EngineParts) -> Result<Engine, EngineError> {
        let (inner, waiting) = Inner::new(parts).await?;
        if let Err(error) = inner.begin().await {
            // So that nobody counts a node that is not there.
            let _ = inner.store.revoke_lease(inner.lanes.lease()).await;
            return Err(error);
        }
        inner.spawn_loops(waiting);
        Ok(Engine { inner })
    }

    /// Stops: nothing new begins, what is under way may finish for [`EngineLimits::stop_grace`], what is not finished stays open in the
    /// store. Returns how many attempts were given back.
    pub async fn stop(&self) -> usize {
        let inner = &self.inner;
        let limits = &inner.limits;
        let over_at = Instant::now() + limits.stop_grace + limits.record_grace;
        inner.stopping.cancel();
        inner.attempts.close();
        let finish = tokio::time::timeout(limits.stop_grace, inner.attempts.wait());
        let (finished, ()) = tokio::join!(finish, inner.give_away_idle());
        let given_back = if finished.is_ok() { 0 } else { inner.attempts.len() };
        inner.recorder.flush(limits.record_grace).await;
        inner.drained.cancel();
        let left = over_at.saturating_duration_since(Instant::now());
        inner.add_last_statistics(left.max(limits.lease_again_after)).await;
        let left = over_at.saturating_duration_since(Instant::now());
        inner.give_up_lease(left.max(limits.lease_again_after)).await;
        given_back
    }

    /// Call after every change of an organisation or of one of its endpoints.
    pub fn changed(&self, organization: &OrganizationId) {
        self.inner.changed(organization);
    }

    /// Call after an endpoint or an organisation was deleted: what it left is dropped now.
    pub fn deleted(&self, organization: &OrganizationId) {
        let inner = Arc::clone(&self.inner);
        inner.directory.forget(organization);
        inner.look_for_leftovers.notify_one();
        tokio::spawn(inner.let_deleted_rest(organization.clone()));
    }

    /// Origins of the pages that may show an organisation's dashboard in a frame, as the directory has them; none when there is no such organisation, and
    /// while the store cannot be read.
    pub async fn frame_ancestors(&self, organization: &OrganizationId) -> Vec<String> {
        match self.inner.directory.view(organization).await {
            Ok(view) => view.map_or_else(Vec::new, |view| view.organization.frame_ancestors.clone()),
            Err(error) => {
                tracing::warn!(%organization, %error, "whether a page may frame the dashboard cannot be read, so none may");
                Vec::new()
            }
        }
    }

    /// One more attempt of a delivery, now.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn retry(
        &self,
        organization: &OrganizationId,
        delivery: DeliveryId,
        audit: AuditEntry,
    ) -> Result<Retry, EngineError> {
        self.inner.retry(organization, delivery, audit).await
    }

    /// The contract text that a delivery was made under.
    ///
    /// # Errors
    /// When it is not kept, or cannot be read any more.
    pub async fn contract(&self, revision: RevisionId) -> Result<Arc<Contract>, EngineError> {
        self.inner.revisions.contract(revision).await
    }

    /// The body of a delivery, exactly as every attempt sends it; none once the event's retention has ended.
    ///
    /// # Errors
    /// When the contract's revision cannot be read.
    pub async fn request_body(
        &self,
        organization: &OrganizationId,
        detail: &DeliveryDetail,
    ) -> Result<Option<Bytes>, EngineError> {
        let Some(event) = &detail.event else { return Ok(None) };
        let delivery = &detail.delivery;
        let contract = self.inner.revisions.contract(delivery.revision).await?;
        let rendered =
            crate::attempt::render(&contract, organization, delivery.id, &delivery.event_type, delivery.test, event);
        Ok(Some(rendered))
    }

    /// Where everything is kept.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The contracts there are.
    #[must_use]
    pub fn contracts(&self) -> &Arc<Contracts> {
        &self.inner.contracts
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.inner.clock.now()
    }

    /// What traces are told to.
    #[must_use]
    pub fn tracer(&self) -> &Tracer {
        &self.inner.tracer
    }

    /// The maker of ids.
    #[must_use]
    pub fn ids(&self) -> &Ids {
        &self.inner.ids
    }

    /// The limits it runs under.
    #[must_use]
    pub fn limits(&self) -> &EngineLimits {
        &self.inner.limits
    }
}

/// What the loops take in.
struct Waiting {
    outcomes: mpsc::Receiver<Item>,
    steps: mpsc::Receiver<Due>,
}

impl Inner {
    /// Grants a lease first of all, since that tells the time.
    async fn new(parts: EngineParts) -> Result<(Arc<Self>, Waiting), EngineError> {
        let EngineParts { store, contracts, egress, clock, mailer, operational, tracer, limits, node } = parts;
        store.operational_for(operational.clone());
        let sent = Instant::now();
        let granted = store.grant_lease(&node, limits.lease).await?;
        if let Some(now) = granted.now {
            clock.told(now, middle(sent));
        }
        let (recorder, outcomes) = Recorder::new(&limits);
        let (watch, steps) = Watch::new(&limits);
        let inner = Arc::new(Inner {
            directory: Directory::new(
                Arc::clone(&store),
                Arc::clone(&contracts),
                egress.clone(),
                limits.directory_organizations_max,
            ),
            revisions: Revisions::new(Arc::clone(&store), Arc::clone(&contracts), limits.revisions_max),
            prompt: Semaphore::new(limits.attempts_prompt_max),
            other: Semaphore::new(limits.attempts_other_max),
            claims: Semaphore::new(limits.claims_max),
            streams: Streams::default(),
            previews: Semaphore::new(limits.previews_max),
            look_for_lanes: Notify::new(),
            look_for_work: AtomicBool::new(false),
            look_for_leftovers: Notify::new(),
            look_for_operations: Notify::new(),
            ids: Ids::default(),
            lanes: Lanes::new(&limits, granted.lease, granted.now.is_none()),
            lease: Lease::new(limits.lease, sent, granted.now.is_none()),
            scheduler: Scheduler::default(),
            statistics: Statistics::new(&limits),
            stopping: CancellationToken::new(),
            drained: CancellationToken::new(),
            attempts: TaskTracker::new(),
            node,
            store,
            contracts,
            egress,
            clock,
            limits,
            recorder,
            watch,
            mailer,
            tracer,
            notices_made: Notify::new(),
            operational,
            operational_made: Notify::new(),
        });
        Ok((inner, Waiting { outcomes, steps }))
    }

    async fn begin(self: &Arc<Self>) -> Result<(), EngineError> {
        check_contracts(self.store.as_ref(), &self.contracts).await?;
        self.revisions.save_loaded().await?;
        if self.lanes.are_all_ours() { self.take_up_open_work().await } else { Ok(()) }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Takes up what there is in a store of its own. Among many nodes each takes its share while it runs.
    async fn take_up_open_work(self: &Arc<Self>) -> Result<(), EngineError> {
        let limit = self.limits.lanes_page;
        loop {
            let page = self.store.take_lanes(self.lanes.lease(), Millis(i64::MAX), limit).await?;
            for LaneDue { lane, due_at } in &page {
                self.ring_at(&lane.organization, lane.endpoint, *due_at);
            }
            if page.len() < limit {
                return Ok(());
            }
        }
    }

    fn spawn_loops(self: &Arc<Self>, waiting: Waiting) {
        tokio::spawn(Arc::clone(self).run_recorder(waiting.outcomes));
        tokio::spawn(Arc::clone(self).run_failing(waiting.steps));
        if let Some(mailer) = &self.mailer {
            tokio::spawn(Arc::clone(self).run_notices(Arc::clone(mailer)));
        }
        if let Some(operator) = &self.operational {
            tokio::spawn(Arc::clone(self).run_operational(operator.clone()));
        }
        tokio::spawn(Arc::clone(self).run_scheduler());
        tokio::spawn(Arc::clone(self).run_retention());
        tokio::spawn(Arc::clone(self).run_statistics());
        tokio::spawn(Arc::clone(self).run_operations());
        if !self.lanes.are_all_ours() {
            tokio::spawn(Arc::clone(self).run_keeping());
            tokio::spawn(Arc::clone(self).run_tending());
            tokio::spawn(Arc::clone(self).run_hearing());
        }
    }

    /// The same on another node, which may have erased events of it, too.
    pub(crate) fn changed_elsewhere(self: &Arc<Self>, organization: &OrganizationId) {
        self.read_lanes_anew(organization);
        self.changed(organization);
    }

    /// An organisation or one of its endpoints is not as it was.
    pub(crate) fn changed(self: &Arc<Self>, organization: &OrganizationId) {
        self.directory.forget(organization);
        self.operational_made.notify_one();
        let (inner, organization) = (Arc::clone(self), organization.clone());
        tokio::spawn(async move { inner.wake_resting(&organization).await });
    }
}

/// Every contract in use must be there, or else deliveries would be made under another.
async fn check_contracts(store: &dyn Store, contracts: &Contracts) -> Result<(), EngineError> {
    let missing = store.contracts_in_use().await?.into_iter().find(|used| contracts.get(&used.name).is_none());
    match missing {
        None => Ok(()),
        Some(used) => {
            let organizations = used.organizations.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Err(EngineError::ContractInUse { name: used.name, organizations })
        }
    }
}
