//! Idle connections, kept a short while for the next attempt to the same origin.
//!
//! Nothing runs for an idle connection: it is looked at when it is taken, and closed when its time is over by a sweep that
//! lives only as long as there is something to sweep.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::connect::Link;
use crate::limits::{Limits, ms_after, whole_ms};

struct Idle {
    /// Grows with every connection put back, so that it orders them by age.
    number: u64,
    link: Box<Link>,
    until: Instant,
}

#[derive(Default)]
struct Shelf {
    /// Oldest first.
    by_origin: HashMap<Arc<str>, Vec<Idle>>,
    by_age: BTreeMap<u64, Arc<str>>,
    next_number: u64,
    sweeping: bool,
}

/// The bounded pool.
pub(crate) struct Pool {
    limits: Arc<Limits>,
    shelf: Mutex<Shelf>,
}

const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl Pool {
    pub(crate) fn new(limits: Arc<Limits>) -> Arc<Self> {
        Arc::new(Self { limits, shelf: Mutex::default() })
    }

    pub(crate) fn idle_count(&self) -> usize {
        self.shelf.lock().by_age.len()
    }

    /// The youngest live connection to `origin` at one of the addresses vetted for this attempt. What is found to be dead, over
    /// its time or at another address is closed.
    pub(crate) fn take(&self, origin: &str, vetted: &[IpAddr]) -> Option<Box<Link>> {
        loop {
            let mut idle = self.shelf.lock().pop_youngest(origin)?;
            let usable = idle.until > Instant::now() && vetted.contains(&idle.link.remote.ip());
            if usable && idle.link.is_alive() {
                return Some(idle.link);
            }
        }
    }

    /// Keeps a connection for `idle_max`, or for the pool's own limit if that is shorter.
    pub(crate) fn put(self: &Arc<Self>, link: Box<Link>, idle_max: Duration) {
        let until = ms_after(Instant::now(), whole_ms(idle_max).min(self.limits.idle_ms_max));
        // Closing happens after the lock is released.
        let (_too_many, start_sweep) = {
            let mut shelf = self.shelf.lock();
            let too_many = shelf.push(link, until, &self.limits);
            let start_sweep = !std::mem::replace(&mut shelf.sweeping, true);
            (too_many, start_sweep)
        };
        if start_sweep {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }
}

async fn sweep(pool: std::sync::Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        let Some(pool) = pool.upgrade() else { return };
        let _expired = {
            let mut shelf = pool.shelf.lock();
            let expired = shelf.remove_expired(Instant::now());
            if shelf.by_age.is_empty() {
                shelf.sweeping = false;
                return;
            }
            expired
        };
    }
}

impl Shelf {
    fn pop_youngest(&mut self, origin: &str) -> Option<Idle> {
        let stack = self.by_origin.get_mut(origin)?;
        let idle = stack.pop();
        if stack.is_empty() {
            self.by_origin.remove(origin);
        }
        let idle = idle?;
        self.by_age.remove(&idle.number);
        Some(idle)
    }

    /// Gives back what had to make room.
    fn push(&mut self, link: Box<Link>, until: Instant, limits: &Limits) -> [Option<Idle>; 2] {
        let number = self.next_number;
        self.next_number += 1;
        let origin = Arc::clone(&link.origin);
        let stack = self.by_origin.entry(Arc::clone(&origin)).or_default();
        stack.push(Idle { number, link, until });
        self.by_age.insert(number, Arc::clone(&origin));
        let beside = if stack.len() > limits.idle_per_origin_max { self.remove_oldest_of(&origin) } else { None };
        let elsewhere = if self.by_age.len() > limits.idle_total_max { self.remove_oldest() } else { None };
        [beside, elsewhere]
    }

    fn remove_oldest(&mut self) -> Option<Idle> {
        let origin = self.by_age.first_key_value().map(|(_, origin)| Arc::clone(origin))?;
        self.remove_oldest_of(&origin)
    }

    fn remove_oldest_of(&mut self, origin: &str) -> Option<Idle> {
        let stack = self.by_origin.get_mut(origin)?;
        let idle = (!stack.is_empty()).then(|| stack.remove(0));
        if stack.is_empty() {
            self.by_origin.remove(origin);
        }
        let idle = idle?;
        self.by_age.remove(&idle.number);
        Some(idle)
    }

    fn remove_expired(&mut self, now: Instant) -> Vec<Idle> {
        let mut expired = Vec::new();
        self.by_origin.retain(|_, stack| {
            expired.extend(stack.extract_if(.., |idle| idle.until <= now));
            !stack.is_empty()
        });
        for idle in &expired {
            self.by_age.remove(&idle.number);
        }
        expired
    }
}

impl Link {
    /// Whether an idle connection can take a request: the peer has neither closed it nor said anything unasked.
    pub(crate) fn is_alive(&mut self) -> bool {
        if self.finished {
            return false;
        }
        // Whoever uses the link next polls it with a waker of its own.
        let mut cx = Context::from_waker(Waker::noop());
        self.finished = Pin::new(&mut self.connection).poll(&mut cx).is_ready();
        !self.finished && self.sender.is_ready()
    }
}
