//! What a long command tells of itself: now and then on standard error, and at its end on standard output.

use std::time::{Duration, Instant};

use postrider_store::{Counts, ExportId};
use serde_json::{Map, Value, json};

/// How often progress is told.
const EVERY: Duration = Duration::from_secs(5);

/// Tells how far a command has come.
pub(super) struct Progress {
    done: &'static str,
    told_at: Instant,
}

impl Progress {
    pub(super) fn new(done: &'static str) -> Self {
        Progress { done, told_at: Instant::now() }
    }

    pub(super) fn tell(&mut self, counts: Counts, bytes: u64) {
        if self.told_at.elapsed() < EVERY {
            return;
        }
        self.told_at = Instant::now();
        let deliveries = counts.open_deliveries + counts.ended_deliveries;
        let (done, mib) = (self.done, bytes / (1024 * 1024));
        eprintln!("postrider: {} events and {deliveries} deliveries {done}, {mib} MiB", counts.events);
    }
}

/// What was moved, for people or as JSON.
pub(super) fn summary(json: bool, export: ExportId, counts: Counts, more: &[(&str, Value)]) -> String {
    if json {
        let mut fields = Map::new();
        fields.insert("export".to_owned(), json!(export.0.to_string()));
        fields.extend(counts.all().map(|(name, count)| (name.to_owned(), json!(count))));
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        return Value::Object(fields).to_string();
    }
    let named = counts.all().map(|(name, count)| format!("{count} {}", name.replace('_', " ")));
    // The rest is book-keeping.
    format!("export {}: {}", export.0, named[..7].join(", "))
}
