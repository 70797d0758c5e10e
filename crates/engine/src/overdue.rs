//! How long the oldest delivery waits that should have been sent by now, for whoever runs this node.

use postrider_domain::{EndpointId, Millis};

use crate::engine::Inner;
use crate::error::count_store_error;

/// The earliest due time that a walk over the lanes has met.
#[derive(Debug)]
pub(crate) struct Overdue {
    now: Millis,
    oldest: Option<Millis>,
}

impl Overdue {
    pub(crate) fn at(now: Millis) -> Self {
        Overdue { now, oldest: None }
    }

    /// One endpoint's first open work. What rests is not late: its endpoint is paused.
    pub(crate) fn note(&mut self, due_at: Millis, is_resting: impl FnOnce() -> bool) {
        let is_older = due_at <= self.now && self.oldest.is_none_or(|oldest| due_at < oldest);
        if is_older && !is_resting() {
            self.oldest = Some(due_at);
        }
    }

    /// In seconds; zero when nothing waits.
    fn seconds(&self) -> f64 {
        self.oldest.map_or(0.0, |oldest| self.now.0.saturating_sub(oldest.0) as f64 / 1_000.0)
    }

    /// Tells it, once every lane was looked at.
    pub(crate) fn tell(&self) {
        metrics::gauge!("postrider_oldest_due_seconds").set(self.seconds());
    }
}

impl Inner {
    /// Looks at the lanes of a store that has one node alone. Among many nodes, whoever looks through its lanes for work sees it on the way.
    pub(crate) async fn look_for_overdue(&self) {
        let mut overdue = Overdue::at(self.clock.now());
        let mut after: Option<EndpointId> = None;
        while !self.is_stopping() {
            let page = match self.store.lanes_due(self.lanes.lease(), after, self.limits.lanes_page).await {
                Ok(page) => page,
                Err(error) => {
                    count_store_error(&error);
                    return tracing::debug!(%error, "the lanes could not be looked at; they are later");
                }
            };
            for due in &page {
                overdue.note(due.due_at, || self.lanes.is_resting(due.lane.endpoint));
            }
            after = page.last().map(|due| due.lane.endpoint);
            if page.len() < self.limits.lanes_page {
                return overdue.tell();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_that_is_due_and_does_not_rest_counts() {
        let mut overdue = Overdue::at(Millis(10_000));
        assert!(overdue.seconds().abs() < f64::EPSILON, "nothing waits");
        overdue.note(Millis(10_001), || false);
        overdue.note(Millis(1_000), || true);
        assert!(overdue.seconds().abs() < f64::EPSILON, "it is due later, or rests");
        overdue.note(Millis(7_500), || false);
        overdue.note(Millis(9_000), || panic!("it is younger: nobody asks whether it rests"));
        assert!((overdue.seconds() - 2.5).abs() < f64::EPSILON);
    }
}
