//! What is told of the hand-over to those who run the server: metrics, and warnings that do not flood the log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use parking_lot::Mutex;

use crate::capture::Backlog;
use crate::mapping::TableName;

/// How often one thing is warned of at most.
const WARNED_EVERY: Duration = Duration::from_secs(60);
/// From how full on what waits is warned of.
const FULL_FROM: f64 = 0.5;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeResult {
    /// It is an event, or several.
    Events,
    /// There is nothing to say about it.
    Silent,
    /// Nobody knows whose it is.
    Unplaced,
    /// It could not be captured as a change.
    Gap,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum EventResult {
    /// It is in the store.
    Accepted,
    /// Its organisation's contract has no such type.
    UnknownType,
    /// There is no such organisation.
    UnknownOrganization,
    /// It is larger than events may be.
    TooLarge,
    /// It breaks another rule of events.
    Refused,
    /// It was handed over before, with other content.
    HandedBefore,
}

impl ChangeResult {
    const ALL: [Self; 4] = [Self::Events, Self::Silent, Self::Unplaced, Self::Gap];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Silent => "silent",
            Self::Unplaced => "unplaced",
            Self::Gap => "gap",
        }
    }
}

impl EventResult {
    const ALL: [Self; 6] = [
        Self::Accepted,
        Self::UnknownType,
        Self::UnknownOrganization,
        Self::TooLarge,
        Self::Refused,
        Self::HandedBefore,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::UnknownType => "unknown_type",
            Self::UnknownOrganization => "unknown_organization",
            Self::TooLarge => "too_large",
            Self::Refused => "refused",
            Self::HandedBefore => "handed_before",
        }
    }
}

/// Tells. Each warning comes at most once a minute, with how many there were since the last.
#[derive(Default)]
pub(crate) struct Telling {
    warned: Mutex<HashMap<&'static str, Warned>>,
    missed: AtomicU64,
    uncaptured: Mutex<Vec<TableName>>,
    lost: Mutex<Vec<String>>,
    is_reading: AtomicBool,
    failure: Mutex<Option<String>>,
    refused: AtomicU64,
}

struct Warned {
    at: Instant,
    since: u64,
}

impl Telling {
    /// Every metric is there from the start.
    pub(crate) fn new() -> Self {
        ChangeResult::ALL.into_iter().for_each(|result| count_changes(result, 0));
        EventResult::ALL.into_iter().for_each(|result| count_events(result, 0));
        let telling = Telling { missed: AtomicU64::new(u64::MAX), ..Telling::default() };
        telling.set_reading(false);
        telling.set_losing(false);
        set_waiting(&Backlog::default());
        telling
    }

    pub(crate) fn set_reading(&self, is_reading: bool) {
        self.is_reading.store(is_reading, Ordering::Relaxed);
        gauge!("postrider_source_is_reading").set(f64::from(u8::from(is_reading)));
    }

    pub(crate) fn set_losing(&self, is_losing: bool) {
        gauge!("postrider_source_is_losing").set(f64::from(u8::from(is_losing)));
    }

    /// Whether this node reads.
    pub(crate) fn is_reading(&self) -> bool {
        self.is_reading.load(Ordering::Relaxed)
    }

    /// Why nothing can be read now; none when it can.
    pub(crate) fn set_failure(&self, why: Option<String>) {
        *self.failure.lock() = why;
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// So many more events or changes were let go for good.
    pub(crate) fn refuse(&self, count: u64) {
        self.refused.fetch_add(count, Ordering::Relaxed);
    }

    /// How many were let go for good since the start.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// What waits; a warning when it is too much, or when more was missed than before.
    pub(crate) fn waits(&self, backlog: &Backlog) {
        set_waiting(backlog);
        if backlog.fullness > FULL_FROM {
            let percent = (backlog.fullness * 100.0).round();
            self.warn("full", || {
                let consequence = "changes beyond the limit are missed; `postrider source status` tells more";
                tracing::warn!(
                    percent,
                    "more than half of the changes that may wait in the CRM's database wait: {consequence}"
                );
            });
        }
        self.lacks(backlog);
        let before = self.missed.swap(backlog.missed, Ordering::Relaxed);
        if backlog.missed > before {
            let missed = backlog.missed - before;
            tracing::warn!(
                missed,
                "changes in the CRM's database could not be captured and are no events; its own log says why, and `postrider source backfill` \
                 tells of rows as they are now"
            );
        }
    }

    /// Tables whose changes are not told, or were lost: each change of that is told once.
    fn lacks(&self, backlog: &Backlog) {
        let before = std::mem::replace(&mut *self.uncaptured.lock(), backlog.uncaptured.clone());
        if before != backlog.uncaptured && !backlog.uncaptured.is_empty() {
            let tables = listed(&backlog.uncaptured);
            tracing::error!(%tables, "changes of some tables in the CRM's database are lost: they are not published; run `postrider source install`");
        }
        let back: Vec<_> = before.into_iter().filter(|table| !backlog.uncaptured.contains(table)).collect();
        if !back.is_empty() {
            let tables = listed(&back);
            tracing::warn!(%tables, "changes of these tables are captured again; those in between are no events: `postrider source backfill` tells of rows as they are now");
        }
        let lost = std::mem::replace(&mut *self.lost.lock(), backlog.lost.clone());
        if lost != backlog.lost && !backlog.lost.is_empty() {
            let tables = listed(&backlog.lost);
            tracing::warn!(%tables, "changes of these tables were lost and are no events; `postrider source backfill` tells of rows as they are now");
        }
    }

    /// What waits is told by another node.
    pub(crate) fn waits_elsewhere(&self) {
        let missed = self.missed.load(Ordering::Relaxed);
        set_waiting(&Backlog { missed: if missed == u64::MAX { 0 } else { missed }, ..Backlog::default() });
    }

    /// Warns, unless that was done within the minute.
    pub(crate) fn warn(&self, what: &'static str, say: impl FnOnce()) {
        self.warn_of(what, 1, |_| say());
    }

    /// Warns of so many more; is told how many there were since the last warning.
    pub(crate) fn warn_of(&self, what: &'static str, more: u64, say: impl FnOnce(u64)) {
        let mut warned = self.warned.lock();
        let now = Instant::now();
        let Some(known) = warned.get_mut(what) else {
            warned.insert(what, Warned { at: now, since: 0 });
            drop(warned);
            return say(more);
        };
        known.since += more;
        if now.duration_since(known.at) >= WARNED_EVERY {
            let count = std::mem::take(&mut known.since);
            known.at = now;
            drop(warned);
            say(count);
        }
    }
}

/// Names in one line.
fn listed(names: &[impl std::fmt::Display]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn set_waiting(backlog: &Backlog) {
    gauge!("postrider_source_waiting").set(backlog.changes.unwrap_or_default() as f64);
    gauge!("postrider_source_oldest_waiting_seconds").set(backlog.oldest_ms.unwrap_or_default() as f64 / 1_000.0);
    gauge!("postrider_source_lag_bytes").set(backlog.log_bytes.unwrap_or_default() as f64);
    gauge!("postrider_source_tables_uncaptured").set(backlog.uncaptured.len() as f64);
    gauge!("postrider_source_tables_to_backfill").set(backlog.lost.len() as f64);
    counter!("postrider_source_missed_total").absolute(backlog.missed);
}

pub(crate) fn count_changes(result: ChangeResult, count: u64) {
    counter!("postrider_source_changes_total", "result" => result.name()).increment(count);
}

pub(crate) fn count_events(result: EventResult, count: u64) {
    counter!("postrider_source_events_total", "result" => result.name()).increment(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_minute_a_warning_comes_once() {
        let telling = Telling::default();
        let mut told = Vec::new();
        for (what, more) in [("one", 3), ("one", 4), ("another", 1), ("one", 5)] {
            telling.warn_of(what, more, |count| told.push((what, count)));
        }
        assert_eq!(told, [("one", 3), ("another", 1)]);
        assert_eq!(telling.warned.lock().get("one").map(|warned| warned.since), Some(9));
    }
}
