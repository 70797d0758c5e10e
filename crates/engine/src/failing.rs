//! Endpoints that keep failing: which attempts count, and what is done about them (contracts.md, reading 8).
//!
//! The lane knows its endpoint's streak, the store counts it together with the outcomes, the domain says what is due. What is due is done by one loop
//! beside the deliveries; if a crash or a store that is out comes between, the next failure brings it up again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_domain::{
    Action, Actor, AuditEntry, AuditId, Contact, DisabledReason, EndpointId, EndpointStatus, Facts, FailReason,
    FailureKind, LatestFailure, Millis, Notice, NoticeId, NoticeKind, OperationalEventId, OrganizationId, OutageChange,
    Reachability, Streak, StreakChange, StreakLimit, StreakStep, Transition, Trigger, Verdict,
};
use postrider_egress::Way;
use postrider_store::{FailingAct, FailingStep, OpenDelivery, Outcome};
use tokio::sync::mpsc;

use crate::attempt::Judged;
use crate::directory::EndpointView;
use crate::engine::Inner;
use crate::lane::{DueStep, Lane};
use crate::limits::EngineLimits;

/// What is to be done, and what is known of the ways out.
pub(crate) struct Watch {
    due: mpsc::Sender<Due>,
    reachability: Mutex<Reachability>,
}

/// A step that is due against an endpoint.
#[derive(Debug)]
pub(crate) struct Due {
    organization: OrganizationId,
    endpoint: EndpointId,
    lane: Option<Arc<Lane>>,
    kind: NoticeKind,
    streak: Streak,
    failures_max: Option<u32>,
    last_failure: FailureKind,
    last_status_code: Option<u16>,
    /// When the attempt began.
    began_at: Millis,
    /// When it ended.
    at: Millis,
}

impl Watch {
    pub(crate) fn new(limits: &EngineLimits) -> (Self, mpsc::Receiver<Due>) {
        let (due, waiting) = mpsc::channel(limits.failing_steps_max);
        (Watch { due, reachability: Mutex::default() }, waiting)
    }

    fn note(&self, host: u64, contact: Contact, now: Millis) {
        match self.reachability.lock().note(host, contact, now) {
            None => {}
            Some(OutageChange::Began { unreachable, reached }) => {
                metrics::gauge!("postrider_network_outage").set(1.0);
                tracing::error!(
                    unreachable,
                    reached,
                    "many hosts cannot be reached at once: the network or the name servers of this node may be out; \
                     until as many are reached as not, only what receivers answer is counted, and no endpoint is disabled for silence"
                );
            }
            Some(OutageChange::Ended { lasted }) => {
                metrics::gauge!("postrider_network_outage").set(0.0);
                tracing::error!(?lasted, "hosts are reached again: every failure is counted from now on");
            }
        }
    }
}

fn host_of(view: &EndpointView) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    view.url.as_ref().ok()?.host().hash(&mut hasher);
    Some(hasher.finish())
}

impl Inner {
    /// What an attempt does to its endpoint's streak: retries by hand do not make it longer, and while the way out may be broken nothing does but a
    /// receiver's own answer.
    pub(crate) fn count_for_streak(
        &self,
        lane: &Lane,
        view: &EndpointView,
        delivery: &OpenDelivery,
        judged: &Judged,
    ) -> StreakChange {
        let unreachable_host = self.note_contact(lane, view, judged);
        if judged.verdict == Verdict::Delivered {
            return lane.count_success();
        }
        let may_be_ours = judged.way != Way::Works && self.watch.reachability.lock().is_out();
        if delivery.trigger != Trigger::Schedule || may_be_ours {
            return StreakChange::None;
        }
        let limit = view
            .contract
            .disable()
            .map(|rule| StreakLimit { failures_max: rule.consecutive_failures, span_min: rule.minimum_span });
        lane.count_failure(limit, unreachable_host)
    }

    /// Notes what the attempt says of the way out; the host, where nothing answered.
    fn note_contact(&self, lane: &Lane, view: &EndpointView, judged: &Judged) -> Option<u64> {
        let now = judged.ended_at;
        match judged.way {
            Way::Untold => None,
            Way::Works => {
                if lane.note_reached(now) {
                    self.watch.note(host_of(view)?, Contact::Reached, now);
                }
                None
            }
            Way::Fails => {
                lane.note_unreachable();
                let (host, since) = (host_of(view)?, lane.failing_since().unwrap_or(now));
                self.watch.note(host, Contact::Unreachable { since }, now);
                Some(host)
            }
        }
    }

    /// The streak of an endpoint after an outcome that changed it.
    pub(crate) fn follow_streak(&self, outcome: &Outcome, streak: Streak) {
        let Some(lane) = self.lanes.existing_of(outcome.delivery.endpoint, outcome.lease) else { return };
        lane.note_streak(outcome.streak, streak);
        if outcome.streak != StreakChange::Grows {
            return;
        }
        let Some(DueStep { step, limit, unreachable_host }) = lane.due_step(outcome.ended_at) else { return };
        let kind = match step {
            StreakStep::None => return,
            StreakStep::Warn => NoticeKind::Failing,
            StreakStep::Disable => NoticeKind::Disabled,
        };
        let since = streak.since.unwrap_or(outcome.ended_at);
        let may_be_ours = |host| self.watch.reachability.lock().may_be_ours(host, since, outcome.ended_at);
        // Its next failure tells more.
        if kind == NoticeKind::Disabled && unreachable_host.is_some_and(may_be_ours) {
            return;
        }
        if self.want_step(outcome, streak, kind, Some(limit.failures_max), Some(&lane)) {
            lane.begin_step(step);
        }
    }

    /// "410 Gone": "the endpoint is disabled, its owner told, reversible" (hostile receivers). A person who tries one by hand decides for themselves.
    pub(crate) fn follow_gone(&self, outcome: &Outcome) {
        let is_gone = outcome.transition == Transition::Fail(FailReason::Gone);
        if is_gone && outcome.delivery.trigger == Trigger::Schedule {
            let streak = Streak { failures: 0, since: Some(outcome.ended_at), warned_at: None };
            self.want_step(outcome, streak, NoticeKind::Gone, None, None);
        }
    }

    /// False when too many wait: the next failure brings it up again.
    fn want_step(
        &self,
        outcome: &Outcome,
        streak: Streak,
        kind: NoticeKind,
        failures_max: Option<u32>,
        lane: Option<&Arc<Lane>>,
    ) -> bool {
        let attempt = &outcome.attempt;
        let due = Due {
            organization: outcome.delivery.organization.clone(),
            endpoint: outcome.delivery.endpoint,
            lane: lane.cloned(),
            kind,
            streak,
            failures_max,
            last_failure: attempt.failure.as_ref().map_or(FailureKind::Status, |failure| failure.kind),
            last_status_code: attempt.response.as_ref().map(|response| response.status_code),
            began_at: attempt.started_at,
            at: outcome.ended_at,
        };
        self.watch.due.try_send(due).is_ok()
    }

    /// Runs until the engine stops.
    pub(crate) async fn run_failing(self: Arc<Self>, mut waiting: mpsc::Receiver<Due>) {
        loop {
            let due = tokio::select! {
                due = waiting.recv() => due,
                () = self.stopping.cancelled() => return,
            };
            let Some(due) = due else { return };
            self.take_step(&due).await;
            if let Some(lane) = &due.lane {
                lane.end_step();
            }
        }
    }

    async fn take_step(self: &Arc<Self>, due: &Due) {
        let (organization, endpoint) = (&due.organization, due.endpoint);
        let kind = due.kind.as_str();
        match self.store.take_failing_step(&self.step_of(due)).await {
            Ok(false) => {}
            Ok(true) => {
                metrics::counter!("postrider_endpoint_steps_total", "kind" => kind).increment(1);
                tracing::warn!(%organization, %endpoint, kind, failures = due.streak.failures, "an endpoint keeps failing");
                self.notices_made.notify_one();
                self.operational_made.notify_one();
                if due.kind != NoticeKind::Failing {
                    self.changed(organization);
                }
            }
            Err(error) => {
                tracing::warn!(%organization, %endpoint, kind, %error, "nothing was done about an endpoint that keeps failing; its next failure brings it up again");
            }
        }
    }

    fn step_of(&self, due: &Due) -> FailingStep {
        let now = self.clock.now();
        let act = match due.kind {
            NoticeKind::Failing => FailingAct::Warn { unless_after: due.streak.unless_warned_after(due.at) },
            NoticeKind::Disabled | NoticeKind::Gone => {
                let (id, reason) = (AuditId(self.ids.next(now)), due.reason());
                let entry = AuditEntry::new(id, now, Actor::System, Action::ENDPOINT_DISABLED, due.endpoint);
                let disabled = EndpointStatus::Disabled { reason: reason.clone() };
                let entry = entry.telling(&Facts::of_status(&EndpointStatus::Active), &Facts::of_status(&disabled));
                FailingAct::Disable { reason, audit: Box::new(entry) }
            }
        };
        FailingStep {
            id: OperationalEventId(self.ids.next(now)),
            organization: due.organization.clone(),
            endpoint: due.endpoint,
            failures_min: due.streak.failures,
            began_at: due.began_at,
            act,
            at: now,
            notice: self.tells_owners().then(|| due.notice(NoticeId(self.ids.next(now)), now)),
        }
    }
}

impl Due {
    /// Shown to the endpoint's owner.
    fn reason(&self) -> String {
        let latest = self.last_status_code.map_or(LatestFailure::Unanswered(self.last_failure), LatestFailure::Status);
        let reason = match self.kind {
            NoticeKind::Gone => DisabledReason::Gone,
            NoticeKind::Disabled | NoticeKind::Failing => {
                DisabledReason::Failures { count: self.streak.failures, latest }
            }
        };
        reason.to_string()
    }

    fn notice(&self, id: NoticeId, made_at: Millis) -> Notice {
        Notice {
            id,
            organization: self.organization.clone(),
            endpoint: self.endpoint,
            kind: self.kind,
            failures: self.streak.failures,
            failures_max: self.failures_max,
            failing_since: self.streak.since.unwrap_or(self.at),
            last_failure: self.last_failure,
            last_status_code: self.last_status_code,
            made_at,
        }
    }
}
