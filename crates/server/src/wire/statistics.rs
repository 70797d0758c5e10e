//! Statistics as they are shown.

use postrider_domain::{Hour, ResponseTimes, Tally};
use postrider_engine::EndpointStatistics;
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::Moment;

/// A page of statistics.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatisticsPage {
    /// The endpoints of this page.
    pub(crate) data: Vec<EndpointStatisticsBody>,
    /// What to give as `cursor` for the next page; `null` at the end.
    #[schema(required = true)]
    pub(crate) next_cursor: Option<String>,
    /// How long each bucket is: 3600, or 86400 where the span is longer than 7 days.
    #[schema(example = 3600)]
    pub(crate) bucket_seconds: i64,
}

/// What was counted of an endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EndpointStatistics)]
pub(crate) struct EndpointStatisticsBody {
    /// The endpoint's id.
    #[schema(example = "ep_01kxh3t7n8f2pvx1w4s5r6t7y8")]
    endpoint: String,
    /// Attempts that ended.
    attempts: u64,
    /// Those of them that failed.
    failed_attempts: u64,
    /// Deliveries that ended with a successful attempt. One that ends again after a retry by hand counts again.
    succeeded_deliveries: u64,
    /// Deliveries that ended with a failed attempt.
    failed_deliveries: u64,
    /// The part of the attempts that succeeded, from 0 to 1; `null` when there was none.
    #[schema(required = true, example = 0.98)]
    success_rate: Option<f64>,
    #[schema(required = true)]
    response_time_ms: Option<PercentilesBody>,
    /// When the last attempt ended; `null` when there was none.
    #[schema(required = true)]
    last_attempt_at: Option<Moment>,
    /// All of the span, in order, also where nothing was counted.
    buckets: Vec<BucketBody>,
}

/// What was counted in a bucket.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatisticsBucket)]
pub(crate) struct BucketBody {
    /// When it begins.
    at: Moment,
    /// Attempts that ended.
    attempts: u64,
    /// Those of them that failed.
    failed_attempts: u64,
    #[schema(required = true)]
    response_time_ms: Option<PercentilesBody>,
}

/// In how many milliseconds so many of the answers came, about; an attempt that ran into its timeout counts with that, one that reached nobody not at all.
/// `null` when there was none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResponseTimePercentiles)]
pub(crate) struct PercentilesBody {
    /// Half of them.
    #[schema(example = 120)]
    p50: u32,
    /// 95 of 100.
    #[schema(example = 480)]
    p95: u32,
}

impl EndpointStatisticsBody {
    pub(crate) fn new(of: &EndpointStatistics) -> Self {
        let total = &of.total;
        EndpointStatisticsBody {
            endpoint: of.endpoint.to_string(),
            attempts: total.attempts,
            failed_attempts: total.failed_attempts,
            succeeded_deliveries: total.succeeded_deliveries,
            failed_deliveries: total.failed_deliveries,
            success_rate: total.success_rate(),
            response_time_ms: PercentilesBody::new(&total.response_times),
            last_attempt_at: total.last_attempt_at.map(Moment),
            buckets: of.buckets.iter().map(|(hour, tally)| BucketBody::new(*hour, tally)).collect(),
        }
    }
}

impl BucketBody {
    fn new(first: Hour, tally: &Tally) -> Self {
        BucketBody {
            at: Moment(first.begins_at()),
            attempts: tally.attempts,
            failed_attempts: tally.failed_attempts,
            response_time_ms: PercentilesBody::new(&tally.response_times),
        }
    }
}

impl PercentilesBody {
    fn new(times: &ResponseTimes) -> Option<Self> {
        Some(PercentilesBody { p50: times.percentile(50)?, p95: times.percentile(95)? })
    }
}
