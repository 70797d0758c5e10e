//! What was counted of endpoints.

use serde::Deserialize;

/// A page of statistics.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StatisticsPage {
    pub(crate) data: Vec<Statistics>,
    pub(crate) next_cursor: Option<String>,
}

/// What was counted of one endpoint.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Statistics {
    /// The endpoint's id.
    pub(crate) endpoint: String,
    pub(crate) attempts: u64,
    pub(crate) failed_attempts: u64,
    /// From 0 to 1; none when nothing was tried.
    pub(crate) success_rate: Option<f64>,
    pub(crate) response_time_ms: Option<Percentiles>,
    pub(crate) last_attempt_at: Option<String>,
    /// All of the span, in order.
    pub(crate) buckets: Vec<Bucket>,
}

/// What was counted in an hour or a day.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Bucket {
    /// When it begins.
    pub(crate) at: String,
    pub(crate) attempts: u64,
    pub(crate) failed_attempts: u64,
    pub(crate) response_time_ms: Option<Percentiles>,
}

/// In how many milliseconds half, and 95 of 100, of the answers came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: u64,
    pub(crate) p95: u64,
}
