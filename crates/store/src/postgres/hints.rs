//! Hints: what one node tells the others, by `NOTIFY`. Nothing depends on one.
//!
//! There is a channel of each lease, on which its node is told which of its lanes have new work, and one for everybody. What is to be told
//! is gathered for some milliseconds and told in a transaction of its own: a transaction with a `NOTIFY` waits for all others that have one.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postrider_domain::EndpointId;
use tokio::sync::Notify;
use uuid::Uuid;

use super::session::Sessions;
use crate::error::Result;
use crate::limits::{HINT_BYTES_MAX, HINTS_GATHERED_FOR_MS, HINTS_GATHERED_MAX};
use crate::model::{LaneId, LeaseNo};

/// The channel of everybody.
pub(super) const EVERYBODY: &str = "postrider";
/// Begins what tells that an organisation changed; its id follows.
pub(super) const CHANGED: &str = "changed:";
/// Begins what tells that lanes became free; who tells it follows.
pub(super) const FREE_LANES: &str = "free:";

/// The channel of a lease.
pub(super) fn channel(lease: LeaseNo) -> String {
    format!("{EVERYBODY}_{}", lease.0)
}

/// What is to be told.
#[derive(Default)]
struct Gathered {
    work: HashMap<LeaseNo, HashSet<LaneId>>,
    work_count: usize,
    has_free_lanes: bool,
}

/// Gathers hints; one task tells them.
#[derive(Clone)]
pub(super) struct Telling {
    gathered: Arc<Mutex<Gathered>>,
    arrived: Arc<Notify>,
    /// Who tells: a node need not hear its own.
    pub(super) teller: Uuid,
}

impl Telling {
    pub(super) fn new() -> Self {
        Telling { gathered: Arc::default(), arrived: Arc::default(), teller: Uuid::new_v4() }
    }

    /// There is new work for a lane that this lease holds.
    pub(super) fn work(&self, holder: LeaseNo, lane: LaneId) {
        let mut gathered = self.gathered.lock();
        if gathered.work_count >= HINTS_GATHERED_MAX {
            return;
        }
        if gathered.work.entry(holder).or_default().insert(lane) {
            gathered.work_count += 1;
        }
        drop(gathered);
        self.arrived.notify_one();
    }

    /// Lanes with open work became free.
    pub(super) fn free_lanes(&self) {
        self.gathered.lock().has_free_lanes = true;
        self.arrived.notify_one();
    }

    /// Tells what is gathered, as long as the store is open.
    pub(super) async fn run(self, sessions: Arc<Sessions>) {
        loop {
            self.arrived.notified().await;
            tokio::time::sleep(Duration::from_millis(HINTS_GATHERED_FOR_MS)).await;
            let gathered = std::mem::take(&mut *self.gathered.lock());
            if let Err(error) = tell(&sessions, self.teller, gathered).await {
                tracing::debug!(%error, "hints were not told");
            }
        }
    }
}

async fn tell(sessions: &Sessions, teller: Uuid, gathered: Gathered) -> Result<()> {
    let (mut channels, mut payloads) = (Vec::new(), Vec::new());
    if gathered.has_free_lanes {
        channels.push(EVERYBODY.to_owned());
        payloads.push(format!("{FREE_LANES}{teller}"));
    }
    for (holder, lanes) in gathered.work {
        for payload in written(lanes) {
            channels.push(channel(holder));
            payloads.push(payload);
        }
    }
    if channels.is_empty() {
        return Ok(());
    }
    let sql = "SELECT pg_notify(c, p) FROM unnest($1::text[], $2::text[]) AS hint(c, p)";
    sessions.take().await?.query(sql, &[&channels, &payloads]).await.map(|_| ())
}

/// One lane a line, in as many payloads as are needed.
fn written(lanes: HashSet<LaneId>) -> Vec<String> {
    let mut payloads = vec![String::new()];
    for lane in lanes {
        let line = format!("{} {}\n", lane.endpoint.0.as_simple(), lane.organization);
        match payloads.last_mut() {
            Some(last) if last.len() + line.len() <= HINT_BYTES_MAX => drop(last.write_str(&line)),
            _ => payloads.push(line),
        }
    }
    payloads
}

/// The other way round; what is not understood is left out: nothing depends on it.
pub(super) fn read(payload: &str) -> impl Iterator<Item = LaneId> {
    payload.lines().filter_map(|line| {
        let (endpoint, organization) = line.split_once(' ')?;
        Some(LaneId { organization: organization.parse().ok()?, endpoint: EndpointId(Uuid::try_parse(endpoint).ok()?) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_come_back_from_their_payloads_which_are_short_enough() {
        let lane = |n: u128| LaneId {
            organization: format!("organization:{n}").parse().unwrap(),
            endpoint: EndpointId(Uuid::from_u128(n)),
        };
        let lanes: HashSet<_> = (0..1_000).map(lane).collect();
        let payloads = written(lanes.clone());
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() < 8_000));
        assert_eq!(payloads.iter().flat_map(|payload| read(payload)).collect::<HashSet<_>>(), lanes);
        assert_eq!(read("x\n\n00 acme\n").count(), 0);
    }
}
