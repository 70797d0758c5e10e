//! Random sequences of operations against a model.

use std::sync::Arc;

use postrider_domain::{DeliveryId, EndpointId, FailReason, Millis, Transition};

use super::random_model::Model;
use super::samples::{DAY, HOUR, World, all, at, outcome};
use super::{Leased, Subject};
use crate::model::{DeliveryFilter, NewEvent, OpenDelivery};

const OPERATIONS: usize = 600;
const COMPARED_EVERY: usize = 50;

/// Small numbers from a seed (xorshift64), the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }
}

pub(super) struct Run {
    pub(super) worlds: Vec<(World, Vec<EndpointId>)>,
    model: Model,
    dice: Dice,
    now: Millis,
    pub(super) drops_whole_days: bool,
    /// Claims that were made, some of them outdated by now.
    claimed: Vec<Arc<OpenDelivery>>,
}

/// Commits, claims, outcomes, retries, deletions and retention; everything is compared again and again, and after opening again.
pub async fn random_operations_agree_with_a_simple_model(subject: &mut impl Subject) {
    let mut run = Run::begin(subject.store(), 0x9e37_79b9_7f4a_7c15).await;
    run.drops_whole_days = subject.drops_whole_days();
    for i in 1..=OPERATIONS {
        run.operate().await;
        if i % COMPARED_EVERY == 0 {
            run.compare().await;
        }
        if i % (OPERATIONS / 3) == 0 {
            subject.reopen().await;
            for (world, _) in &mut run.worlds {
                world.store = subject.store();
            }
            run.compare().await;
        }
    }
}

impl Run {
    /// Two organisations with two endpoints each; the seed says what happens to them.
    pub(super) async fn begin(store: Leased, seed: u64) -> Self {
        let mut worlds = vec![];
        for org in ["acme", "other"] {
            let world = World::of(store.clone(), org).await;
            let endpoints = vec![world.endpoint, world.another_endpoint().await];
            worlds.push((world, endpoints));
        }
        Run {
            worlds,
            model: Model::default(),
            dice: Dice(seed),
            now: at(DAY),
            drops_whole_days: false,
            claimed: vec![],
        }
    }

    pub(super) async fn operate(&mut self) {
        self.now = Millis(self.now.0 + i64::try_from(self.dice.below(1_000_000)).unwrap());
        match self.dice.below(100) {
            0..30 => self.commit().await,
            30..55 => self.claim().await,
            55..85 => self.record().await,
            85..95 => self.retry().await,
            95..98 => self.retain().await,
            _ => self.replace_endpoint().await,
        }
    }

    fn endpoint(&mut self) -> (usize, EndpointId) {
        let w = self.dice.below(self.worlds.len());
        let endpoints = &self.worlds[w].1;
        (w, endpoints[self.dice.below(endpoints.len())])
    }

    async fn commit(&mut self) {
        let w = self.dice.below(self.worlds.len());
        let mut batch: Vec<NewEvent> = vec![];
        for _ in 0..=self.dice.below(3) {
            let (world, endpoints) = &self.worlds[w];
            let due_at = Millis(self.now.0 + i64::try_from(self.dice.below(2)).unwrap() * HOUR);
            let mut deliveries = vec![];
            for endpoint in &endpoints[..self.dice.below(endpoints.len() + 1)] {
                let mut delivery = world.delivery_to(*endpoint, self.now);
                delivery.due_at = due_at;
                deliveries.push(delivery);
            }
            batch.push(world.event_with(self.now, deliveries));
        }
        let world = &self.worlds[w].0;
        for new in &batch {
            self.model.add(&world.org, new);
        }
        world.commit(batch).await;
    }

    async fn claim(&mut self) {
        let (w, endpoint) = self.endpoint();
        let (limit, held) = (1 + self.dice.below(20), self.dice.below(5));
        let mut expected = self.model.claim(endpoint, self.now);
        let held: Vec<DeliveryId> = expected.drain(..held.min(expected.len())).map(|open| open.id).collect();
        expected.truncate(limit);
        let world = &self.worlds[w].0;
        let claimed = world.store.claim_due(&world.org, endpoint, self.now, limit, held).await.unwrap();
        assert_eq!(claimed, expected);
        self.claimed.extend(claimed.into_iter().map(Arc::new));
    }

    async fn record(&mut self) {
        let mut batch = vec![];
        for _ in 0..self.claimed.len().min(1 + self.dice.below(6)) {
            let claimed = self.dice.below(self.claimed.len());
            // Now and then a claim is reported twice.
            let delivery = match self.dice.below(5) {
                0 => Arc::clone(&self.claimed[claimed]),
                _ => self.claimed.swap_remove(claimed),
            };
            let transition = match self.dice.below(4) {
                0 => Transition::RetryAt(Millis(self.now.0 + HOUR)),
                1 => Transition::Fail(FailReason::Exhausted),
                _ => Transition::Succeed,
            };
            batch.push(outcome(&delivery, self.now, transition));
            if self.claimed.is_empty() {
                break;
            }
        }
        let expected: Vec<_> = batch.iter().map(|outcome| self.model.record(outcome)).collect();
        assert_eq!(self.worlds[0].0.store.record_outcomes(&batch).await.unwrap(), expected);
    }

    async fn retry(&mut self) {
        let known: Vec<_> = self.model.deliveries.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let id = known[self.dice.below(known.len())];
        let w = self.dice.below(self.worlds.len());
        let (world, endpoints) = &self.worlds[w];
        let found = &self.model.deliveries[&id];
        let exists = found.organization == world.org && endpoints.contains(&found.endpoint);
        let expected = if exists { self.model.retry(id, self.now) } else { None };
        let opened = world.store.retry_delivery(&world.org, id, self.now).await.unwrap();
        assert_eq!(opened, expected);
        self.claimed.extend(opened.map(Arc::new));
    }

    async fn retain(&mut self) {
        let before = Millis(self.now.0 - 12 * HOUR);
        self.model.retain(self.now, before, self.drops_whole_days);
        while self.worlds[0].0.store.retain(self.now, before, 20).await.unwrap().more {}
    }

    async fn replace_endpoint(&mut self) {
        let (w, endpoint) = self.endpoint();
        let (world, endpoints) = &mut self.worlds[w];
        assert!(world.store.delete_endpoint(&world.org, endpoint).await.unwrap());
        endpoints.retain(|id| *id != endpoint);
        endpoints.push(world.another_endpoint().await);
        self.model.delete_endpoint(endpoint);
    }

    async fn compare(&self) {
        for (world, endpoints) in &self.worlds {
            let listed = world.store.deliveries(&world.org, &DeliveryFilter::default(), all()).await.unwrap();
            assert_eq!(listed.rows, self.model.list(&world.org));
            for endpoint in endpoints {
                let later = Millis(self.now.0 + 2 * HOUR);
                let claimed = world.store.claim_due(&world.org, *endpoint, later, 1_000, vec![]).await.unwrap();
                assert_eq!(claimed, self.model.claim(*endpoint, later));
            }
        }
        let open = self.worlds[0].0.store.lanes_due(None, 100).await.unwrap();
        let with_work: usize = self
            .worlds
            .iter()
            .flat_map(|(_, endpoints)| endpoints)
            .filter(|endpoint| !self.model.claim(**endpoint, Millis(i64::MAX)).is_empty())
            .count();
        assert_eq!(open.len(), with_work);
    }
}
