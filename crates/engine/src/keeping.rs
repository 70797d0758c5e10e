//! Keeping the lease: renewed every third of its time, replaced when it is lost, given up at the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use postrider_store::{Granted, LeaseNo, Renewal, Standing, StoreError};
use tokio::time::Instant;

use crate::engine::Inner;
use crate::error::count_store_error;
use crate::share::Cluster;

/// A store that took longer than this to answer has told the time too vaguely to correct a clock by.
const TELLING_MAX: Duration = Duration::from_secs(1);

/// The middle between `sent` and now: about when the store looked at its clock.
pub(crate) fn middle(sent: Instant) -> Instant {
    sent + sent.elapsed() / 2
}

impl Inner {
    /// Runs until nothing more will be recorded: what is under way at a stop needs the lease, too.
    pub(crate) async fn run_keeping(self: Arc<Self>) {
        let mut is_unbroken = true;
        loop {
            let sent = Instant::now();
            let is_renewed = tokio::select! {
                is_renewed = self.renew(sent, is_unbroken) => is_renewed,
                () = self.drained.cancelled() => return,
            };
            is_unbroken = is_renewed;
            let again_at = sent + self.limits.lease / 3;
            tokio::select! {
                () = tokio::time::sleep_until(again_at), if is_renewed => {}
                () = self.lease.wanted(), if is_renewed => {}
                () = tokio::time::sleep(self.limits.lease_again_after), if !is_renewed => {}
                () = self.drained.cancelled() => return,
            }
        }
    }

    /// True when there is a lease that lasts.
    async fn renew(self: &Arc<Self>, sent: Instant, is_unbroken: bool) -> bool {
        let (lease, lasts) = (self.lanes.lease(), self.lease.lasts());
        match in_time(lasts / 3, self.store.renew_lease(lease, lasts)).await {
            Ok(Renewal::Renewed(standing)) => {
                self.is_renewed(sent, standing, is_unbroken);
                true
            }
            Ok(Renewal::Lost) | Err(StoreError::LeaseLost) => self.replace_lost(lease).await,
            Err(error) => {
                self.lease.break_off(Instant::now());
                count_store_error(&error);
                metrics::counter!("postrider_lease_renewals_unanswered_total").increment(1);
                if is_unbroken {
                    tracing::warn!(%error, "the lease could not be renewed; asking again until it can");
                }
                false
            }
        }
    }

    fn is_renewed(self: &Arc<Self>, sent: Instant, standing: Standing, is_unbroken: bool) {
        let Standing { now, nodes, lanes, changed } = standing;
        if let Some(now) = now
            && sent.elapsed() <= TELLING_MAX
        {
            self.clock.told(now, middle(sent));
        }
        if is_unbroken {
            changed.iter().for_each(|organization| self.changed_elsewhere(organization));
        } else {
            // An answer that got lost may have named changes.
            tracing::info!("the lease is renewed again");
            self.forget_what_is_known();
        }
        self.lease.renew(sent, Cluster { nodes, lanes });
    }

    /// What was under way goes on, and comes back stale; everything else is read anew under another lease.
    async fn replace_lost(self: &Arc<Self>, lost: LeaseNo) -> bool {
        self.lease.end();
        self.lanes.begin_anew(lost);
        metrics::counter!("postrider_lease_losses_total").increment(1);
        if self.is_stopping() {
            // Nothing begins any more that would need another.
            self.drained.cancelled().await;
            return false;
        }
        tracing::warn!(
            lease = lost.0,
            "the lease was revoked: this node could not renew it in time; its lanes are free"
        );
        loop {
            let sent = Instant::now();
            match in_time(self.lease.lasts() / 3, self.store.grant_lease(&self.node, self.lease.lasts())).await {
                Ok(granted) => {
                    self.begin_lease(sent, granted);
                    return true;
                }
                Err(error) => {
                    count_store_error(&error);
                    tracing::debug!(%error, "no lease was granted; asking again");
                }
            }
            tokio::time::sleep(self.limits.lease_again_after).await;
        }
    }

    fn begin_lease(self: &Arc<Self>, sent: Instant, granted: Granted) {
        if let Some(now) = granted.now
            && sent.elapsed() <= TELLING_MAX
        {
            self.clock.told(now, middle(sent));
        }
        self.lanes.begin_anew(granted.lease);
        self.directory.forget_all();
        self.lease.replace(sent);
        tracing::info!(lease = granted.lease.0, "another lease was granted");
        // The cluster's standing comes with a renewal.
        self.lease.want_renewal();
        self.look_for_lanes.notify_one();
    }

    /// Changes may have been missed: every organisation is read again, what lanes hold is, and every lane is looked through.
    pub(crate) fn forget_what_is_known(self: &Arc<Self>) {
        self.directory.forget_all();
        for lane in self.lanes.all() {
            let start = lane.read_anew();
            self.start(&lane, start);
        }
        tokio::spawn(Arc::clone(self).wake_all_resting());
        self.look_for_work.store(true, Ordering::Release);
        self.look_for_lanes.notify_one();
    }

    /// Ends the lease, so that others take over at once instead of when it runs out.
    pub(crate) async fn give_up_lease(&self, at_most: Duration) {
        let lease = self.lanes.lease();
        if let Err(error) = in_time(at_most, self.store.revoke_lease(lease)).await {
            tracing::warn!(%error, "the lease could not be given up; other nodes take over when it runs out");
        }
    }
}

/// A store that does not answer is asked again, like one that says it cannot.
pub(crate) async fn in_time<T>(
    at_most: Duration,
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(at_most, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(StoreError::Unavailable { reason: format!("no answer within {} ms", at_most.as_millis()) }),
    }
}
