//! This node's lease as it knows of it: until when attempts may begin, and how the cluster stands.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::share::Cluster;

/// The store has one node alone: nobody can take anything from it.
const FOR_EVER: u64 = u64::MAX;
/// Which part of a lease's length is left unused, for clocks that run at different speeds.
const MARGIN_PART: u32 = 20;

#[derive(Debug)]
pub(crate) struct Lease {
    lasts: Duration,
    began: Instant,
    /// No attempt begins from then on, in milliseconds since `began`.
    good_until_ms: AtomicU64,
    known: Mutex<Known>,
    /// Told after every renewal and every new lease.
    is_renewed: Notify,
    /// Asks for a renewal before its time.
    is_wanted: Notify,
}

#[derive(Debug)]
struct Known {
    cluster: Cluster,
    /// Every renewal since then was answered.
    unbroken_since: Instant,
    renewals: u64,
}

impl Lease {
    /// A lease that was asked for at `sent` and granted.
    pub(crate) fn new(lasts: Duration, sent: Instant, lasts_for_ever: bool) -> Self {
        let known = Known { cluster: Cluster::default(), unbroken_since: sent, renewals: 0 };
        let lease = Lease {
            lasts,
            began: sent,
            good_until_ms: AtomicU64::new(FOR_EVER),
            known: Mutex::new(known),
            is_renewed: Notify::new(),
            is_wanted: Notify::new(),
        };
        if !lasts_for_ever {
            lease.extend(sent);
        }
        lease
    }

    pub(crate) fn lasts(&self) -> Duration {
        self.lasts
    }

    /// Whether an attempt may begin. One load when the store has one node alone.
    pub(crate) fn is_good(&self) -> bool {
        let until = self.good_until_ms.load(Ordering::Acquire);
        until == FOR_EVER || self.ms_at(Instant::now()) < until
    }

    /// A renewal that was sent then came through.
    pub(crate) fn renew(&self, sent: Instant, cluster: Cluster) {
        let mut known = self.known.lock();
        known.cluster = cluster;
        known.renewals += 1;
        drop(known);
        self.extend(sent);
    }

    /// Another lease was granted in place of one that was lost.
    pub(crate) fn replace(&self, sent: Instant) {
        let mut known = self.known.lock();
        // It tells nothing of the cluster: whoever waits for news of that waits for a renewal.
        *known = Known { cluster: Cluster::default(), unbroken_since: sent, renewals: known.renewals };
        drop(known);
        self.extend(sent);
    }

    /// It was lost: nothing begins until there is another.
    pub(crate) fn end(&self) {
        self.good_until_ms.store(0, Ordering::Release);
    }

    /// A renewal was not answered.
    pub(crate) fn break_off(&self, now: Instant) {
        self.known.lock().unbroken_since = now;
    }

    /// Whether this node may say that others' leases ran out: it has renewed its own for a whole lease, and each time was answered.
    pub(crate) fn may_judge(&self) -> bool {
        self.known.lock().unbroken_since.elapsed() >= self.lasts && self.is_good()
    }

    pub(crate) fn cluster(&self) -> Cluster {
        self.known.lock().cluster
    }

    /// Asks for a renewal now, without waiting for it.
    pub(crate) fn want_renewal(&self) {
        self.is_wanted.notify_one();
    }

    pub(crate) async fn wanted(&self) {
        self.is_wanted.notified().await;
    }

    /// The cluster as it is now; none when that cannot be told soon.
    pub(crate) async fn fresh_cluster(&self) -> Option<Cluster> {
        let before = self.known.lock().renewals;
        self.want_renewal();
        let is_fresh = || self.known.lock().renewals != before;
        self.until(is_fresh, self.lasts / 3).await.then(|| self.cluster())
    }

    /// Waits until the lease is renewed or another is there.
    pub(crate) async fn until_good(&self) {
        self.until_told(|| self.is_good()).await;
    }

    /// Waits until `is_so` after some renewal; false when that takes longer than `at_most`.
    pub(crate) async fn until(&self, is_so: impl Fn() -> bool, at_most: Duration) -> bool {
        tokio::time::timeout(at_most, self.until_told(is_so)).await.is_ok()
    }

    /// Waits until `is_so` after some renewal, however long.
    pub(crate) async fn until_told(&self, is_so: impl Fn() -> bool) {
        loop {
            let renewed = self.is_renewed.notified();
            if is_so() {
                return;
            }
            renewed.await;
        }
    }

    fn extend(&self, sent: Instant) {
        let until = sent + (self.lasts - self.lasts / MARGIN_PART);
        self.good_until_ms.store(self.ms_at(until), Ordering::Release);
        self.tell();
    }

    fn tell(&self) {
        self.is_renewed.notify_waiters();
    }

    fn ms_at(&self, moment: Instant) -> u64 {
        // It is below FOR_EVER for half a thousand million years.
        u64::try_from(moment.saturating_duration_since(self.began).as_millis()).unwrap_or(FOR_EVER - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(15);

    #[tokio::test(start_paused = true)]
    async fn nothing_begins_a_lease_after_the_last_renewal_was_sent() {
        let lease = Lease::new(LASTS, Instant::now(), false);
        assert!(lease.is_good());
        tokio::time::advance(Duration::from_secs(5)).await;
        let sent = Instant::now();
        tokio::time::advance(Duration::from_secs(4)).await;
        lease.renew(sent, Cluster::default());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(lease.is_good(), "14 s after it was sent");
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(!lease.is_good(), "half a second before it runs out in the store's time");
        lease.renew(Instant::now(), Cluster::default());
        assert!(lease.is_good());
        lease.end();
        assert!(!lease.is_good());
    }

    #[tokio::test(start_paused = true)]
    async fn the_lease_of_a_store_with_one_node_is_good_for_ever() {
        let lease = Lease::new(LASTS, Instant::now(), true);
        tokio::time::advance(Duration::from_secs(1_000_000)).await;
        assert!(lease.is_good());
    }

    #[tokio::test(start_paused = true)]
    async fn others_are_judged_after_a_whole_lease_without_a_gap() {
        let lease = Lease::new(LASTS, Instant::now(), false);
        let renew = || lease.renew(Instant::now(), Cluster::default());
        for _ in 0..2 {
            tokio::time::advance(LASTS / 2).await;
            renew();
        }
        assert!(lease.may_judge());
        lease.break_off(Instant::now());
        tokio::time::advance(LASTS / 2).await;
        renew();
        assert!(!lease.may_judge(), "a renewal was not answered half a lease ago");
        tokio::time::advance(LASTS / 2).await;
        renew();
        assert!(lease.may_judge());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_replaces_another_is_no_news_of_the_cluster_before_it_is_renewed() {
        let lease = Lease::new(LASTS, Instant::now(), false);
        let three = Cluster { nodes: 3, lanes: 30 };
        (0..2).for_each(|_| lease.renew(Instant::now(), three));
        let replaced = async {
            lease.wanted().await;
            lease.replace(Instant::now());
            // Whoever waits looks meanwhile.
            for _ in 0..2 {
                tokio::task::yield_now().await;
            }
            lease.renew(Instant::now(), three);
        };
        let (fresh, ()) = tokio::join!(lease.fresh_cluster(), replaced);
        assert_eq!(fresh, Some(three), "an empty cluster is one in which a node takes every lane");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_lease_goes_on_with_the_renewal() {
        let lease = Lease::new(LASTS, Instant::now(), false);
        tokio::time::advance(LASTS).await;
        tokio::join!(lease.until_good(), async { lease.renew(Instant::now(), Cluster::default()) });
    }
}
