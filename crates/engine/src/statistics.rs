//! Counts what attempts come to, for each endpoint and hour, and adds that to the store every few seconds.
//!
//! So an attempt costs a counter in memory, and the store one row an endpoint every few seconds, however many attempts there are. What is *gathered* and not added
//! yet is lost when the process is killed; at a stop in good order it is added. A store that cannot be written leaves it gathered, up to a limit.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postrider_domain::{Buckets, EndpointId, FailureKind, Hour, OrganizationId, Tally};
use postrider_store::{Attempt, EndpointHour, Outcome};
use tokio::sync::{Notify, RwLock};

use crate::engine::{Engine, Inner};
use crate::error::{EngineError, count_store_error};
use crate::limits::EngineLimits;

/// What was counted of an endpoint in a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatistics {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// All of it.
    pub total: Tally,
    /// What was counted in each bucket, in order, also of those in which there was nothing.
    pub buckets: Vec<(Hour, Tally)>,
}

/// What was counted on this node.
#[derive(Debug)]
pub(crate) struct Statistics {
    gathered: Mutex<Gathered>,
    /// Held alone while what is gathered moves into the store, and shared while both are read, so that nothing is seen twice or not at all.
    moving: RwLock<()>,
    /// Much is gathered: it is added now.
    is_much: Notify,
    rows_max: usize,
}

#[derive(Debug, Default)]
struct Gathered {
    by_endpoint: HashMap<EndpointId, Hours>,
    /// Hours of all endpoints.
    rows: usize,
}

/// An endpoint's hours that are not added yet: one most of the time.
#[derive(Debug)]
struct Hours {
    organization: OrganizationId,
    tallies: Vec<(Hour, Tally)>,
}

impl Gathered {
    /// The tally of this hour, where there is room for it.
    fn tally(
        &mut self,
        organization: &OrganizationId,
        endpoint: EndpointId,
        hour: Hour,
        rows_max: usize,
    ) -> Option<&mut Tally> {
        let has_room = self.rows < rows_max;
        let hours = match self.by_endpoint.entry(endpoint) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if !has_room => return None,
            Entry::Vacant(place) => {
                place.insert(Hours { organization: organization.clone(), tallies: Vec::with_capacity(1) })
            }
        };
        let place = match hours.tallies.iter().position(|(known, _)| *known == hour) {
            Some(place) => place,
            None if !has_room => return None,
            None => {
                self.rows += 1;
                hours.tallies.push((hour, Tally::default()));
                hours.tallies.len() - 1
            }
        };
        hours.tallies.get_mut(place).map(|(_, tally)| tally)
    }

    fn into_rows(self) -> Vec<EndpointHour> {
        let rows = |(endpoint, Hours { organization, tallies })| {
            tallies.into_iter().map(move |(hour, tally)| EndpointHour {
                organization: organization.clone(),
                endpoint,
                hour,
                tally,
            })
        };
        self.by_endpoint.into_iter().flat_map(rows).collect()
    }
}

impl Statistics {
    pub(crate) fn new(limits: &EngineLimits) -> Self {
        Statistics {
            gathered: Mutex::default(),
            moving: RwLock::default(),
            is_much: Notify::new(),
            rows_max: limits.statistics_rows_max,
        }
    }

    /// Counts an attempt that was recorded.
    pub(crate) fn count(&self, outcome: &Outcome) {
        let delivery = &outcome.delivery;
        if delivery.test {
            return;
        }
        let (hour, time) = (Hour::of(outcome.ended_at), response_time_ms(&outcome.attempt));
        let mut gathered = self.gathered.lock();
        match gathered.tally(&delivery.organization, delivery.endpoint, hour, self.rows_max) {
            Some(tally) => tally.count(outcome.transition, outcome.ended_at, time),
            None => count_lost(1),
        }
        if gathered.rows > self.rows_max / 2 {
            self.is_much.notify_one();
        }
    }

    fn take(&self) -> Vec<EndpointHour> {
        std::mem::take(&mut *self.gathered.lock()).into_rows()
    }

    /// They could not be added, and are gathered again.
    fn put_back(&self, rows: &[EndpointHour]) {
        let mut gathered = self.gathered.lock();
        for row in rows {
            match gathered.tally(&row.organization, row.endpoint, row.hour, self.rows_max) {
                Some(tally) => tally.add(&row.tally),
                None => count_lost(row.tally.attempts),
            }
        }
    }

    fn add_gathered(&self, into: &mut EndpointStatistics, organization: &OrganizationId, buckets: Buckets) {
        let gathered = self.gathered.lock();
        let Some(hours) = gathered.by_endpoint.get(&into.endpoint).filter(|h| h.organization == *organization) else {
            return;
        };
        for (hour, tally) in hours.tallies.iter().filter(|(hour, _)| buckets.hold(*hour)) {
            into.add(buckets.bucket_of(*hour), tally);
        }
    }
}

impl EndpointStatistics {
    fn empty(endpoint: EndpointId, buckets: Buckets) -> Self {
        let buckets = buckets.each().map(|hour| (hour, Tally::default())).collect();
        EndpointStatistics { endpoint, total: Tally::default(), buckets }
    }

    fn add(&mut self, bucket: Hour, tally: &Tally) {
        self.total.add(tally);
        if let Ok(place) = self.buckets.binary_search_by_key(&bucket, |(hour, _)| *hour) {
            self.buckets[place].1.add(tally);
        }
    }
}

/// How long the answer took, or the timeout that the attempt ran into; none of an attempt that reached nobody.
fn response_time_ms(attempt: &Attempt) -> Option<u32> {
    let has_waited = attempt.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Timeout);
    (attempt.response.is_some() || has_waited).then_some(attempt.response_time_ms)
}

fn count_lost(attempts: u64) {
    metrics::counter!("postrider_statistics_lost_total").increment(attempts);
}

impl Engine {
    /// What was counted of an organisation's endpoints, in the order in which they are given; one that is not there has nothing. What other nodes
    /// counted in the last seconds ([`EngineLimits::statistics_every`]) may be missing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn statistics(
        &self,
        organization: &OrganizationId,
        endpoints: &[EndpointId],
        buckets: Buckets,
    ) -> Result<Vec<EndpointStatistics>, EngineError> {
        let inner = &self.inner;
        let _still = inner.statistics.moving.read().await;
        let mut found: HashMap<EndpointId, EndpointStatistics> =
            endpoints.iter().map(|id| (*id, EndpointStatistics::empty(*id, buckets))).collect();
        for row in inner.store.hours(organization, endpoints, buckets).await? {
            if let Some(of_endpoint) = found.get_mut(&row.endpoint) {
                of_endpoint.add(row.hour, &row.tally);
            }
        }
        for of_endpoint in found.values_mut() {
            inner.statistics.add_gathered(of_endpoint, organization, buckets);
        }
        Ok(endpoints.iter().filter_map(|id| found.remove(id)).collect())
    }
}

impl Inner {
    /// Runs until the engine stops.
    pub(crate) async fn run_statistics(self: Arc<Self>) {
        let mut rounds = self.rounds(self.limits.statistics_every, &self.statistics.is_much);
        while rounds.begin().await {
            self.add_statistics().await;
        }
    }

    /// Adds what is left, once nothing more is recorded.
    pub(crate) async fn add_last_statistics(&self, at_most: Duration) {
        if tokio::time::timeout(at_most, self.add_statistics()).await.is_err() {
            tracing::warn!("the statistics of the last seconds could not be stored in time; they are lost");
        }
    }

    async fn add_statistics(&self) {
        let _alone = self.statistics.moving.write().await;
        let rows = self.statistics.take();
        let mut added = 0;
        for batch in rows.chunks(self.limits.statistics_batch_max.max(1)) {
            if let Err(error) = self.store.add_hours(batch).await {
                count_store_error(&error);
                tracing::warn!(%error, "statistics could not be stored; they are later");
                return self.statistics.put_back(&rows[added..]);
            }
            added += batch.len();
        }
    }
}

#[cfg(test)]
mod tests;
