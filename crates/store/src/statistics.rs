//! What is counted of endpoints, hour by hour: kept, added to, and read.

use async_trait::async_trait;
use postrider_domain::{Buckets, EndpointId, Hour, Millis, OrganizationId, ResponseTimes, Tally};

use crate::error::Result;

/// What was counted of an endpoint in an hour, or in the hours of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointHour {
    /// Whose it is.
    pub organization: OrganizationId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The hour; the first one of a bucket.
    pub hour: Hour,
    /// What was counted.
    pub tally: Tally,
}

/// The part of a store that statistics need.
#[async_trait]
pub trait Statistics: Send + Sync + 'static {
    /// Adds to what is kept, of any organisations, all or nothing. An endpoint and an hour may come more than once. What is of an endpoint or an
    /// organisation that is gone is left out.
    async fn add_hours(&self, hours: &[EndpointHour]) -> Result<()>;
    /// What is kept of these endpoints, one row for each bucket of which there is something, in any order.
    async fn hours(
        &self,
        organization: &OrganizationId,
        endpoints: &[EndpointId],
        buckets: Buckets,
    ) -> Result<Vec<EndpointHour>>;
}

/// Numbers that a row has, beside the hour and the time of the last attempt.
pub(crate) const NUMBERS: usize = 4 + ResponseTimes::SPANS;

/// Their columns, in the order of [`numbers`].
pub(crate) fn number_columns() -> impl Iterator<Item = String> + Clone {
    let counts = ["attempts", "failed_attempts", "succeeded_deliveries", "failed_deliveries"];
    counts.into_iter().map(str::to_owned).chain((0..ResponseTimes::SPANS).map(|span| format!("answers_{span}")))
}

/// The statement's part that adds a row to the one that is there, `h`.
pub(crate) fn added() -> String {
    let sums = number_columns().map(|column| format!("{column} = h.{column} + excluded.{column}"));
    sums.collect::<Vec<_>>().join(", ")
}

/// A tally's numbers as they are stored.
pub(crate) fn numbers(tally: &Tally) -> [i64; NUMBERS] {
    let counts = [tally.attempts, tally.failed_attempts, tally.succeeded_deliveries, tally.failed_deliveries];
    let mut all = counts.into_iter().chain(tally.response_times.0);
    std::array::from_fn(|_| all.next().map_or(0, |count| i64::try_from(count).unwrap_or(i64::MAX)))
}

/// The tally with these numbers.
pub(crate) fn tally(numbers: [i64; NUMBERS], last_attempt_at: Option<Millis>) -> Tally {
    let [attempts, failed_attempts, succeeded_deliveries, failed_deliveries, answers @ ..] =
        numbers.map(|number| u64::try_from(number).unwrap_or(0));
    let response_times = ResponseTimes(answers);
    Tally { attempts, failed_attempts, succeeded_deliveries, failed_deliveries, last_attempt_at, response_times }
}
