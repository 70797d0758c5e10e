//! From the moment a POST is due to the arrival of its event, at a fixed rate.

use std::time::Duration;

use anyhow::ensure;
use hdrhistogram::Histogram;

use super::stage::Stage;
use super::{Bench, milliseconds};
use crate::event::RequestTemplate;
use crate::open::{OpenLoad, OpenPlan};
use crate::options::Scenario::Latency;
use crate::receiver::Receiver;
use crate::report::{Target, Unit};

const ORGANIZATION: &str = "bench";
const CONNECTIONS: usize = 32;
const WARM_UP: Duration = Duration::from_secs(1);
/// When nothing has arrived for so long, nothing more is waited for.
const QUIET: Duration = Duration::from_secs(5);

pub(super) async fn run(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let stage = Stage::start(bench).await?;
    let receiver = stage.healthy(bench, ORGANIZATION, 1).await?;
    let templates = stage.templates(ORGANIZATION).await?;
    let steady = Steady { receiver: &receiver, templates, per_s: bench.options.latency_events_per_s };
    steady.measure(bench, "warming up", WARM_UP.min(bench.options.duration)).await?;
    let result = steady.measure(bench, "posting at a fixed rate", bench.options.duration).await?;
    let at = |quantile| milliseconds(result.latency_us.value_at_quantile(quantile));
    let rate = bench.options.latency_events_per_s;
    let (p50, p99, longest) = (at(0.50), at(0.99), at(1.0));
    let report = &mut bench.report;
    let name = |what: &str| format!("post to arrival at {rate} events/s, {what}");
    report.judge(Latency, &name("p50"), p50, Unit::Milliseconds, Target::AtMost(2.0));
    report.judge(Latency, &name("p99"), p99, Unit::Milliseconds, Target::AtMost(8.0));
    report.add(Latency, &name("longest"), longest, Unit::Milliseconds);
    report.judge(Latency, "lost deliveries", result.lost as f64, Unit::Count, Target::AtMost(0.0));
    Ok(())
}

/// One endpoint with events at a fixed rate.
pub(super) struct Steady<'a> {
    pub(super) receiver: &'a Receiver,
    /// One for each node.
    pub(super) templates: Vec<RequestTemplate>,
    pub(super) per_s: u32,
}

/// What a fixed rate led to.
pub(super) struct SteadyResult {
    pub(super) latency_us: Histogram<u64>,
    /// Accepted, and not arrived.
    pub(super) lost: u64,
}

impl Steady<'_> {
    pub(super) async fn measure(
        &self,
        bench: &Bench<'_>,
        what: &str,
        duration: Duration,
    ) -> anyhow::Result<SteadyResult> {
        let arrivals = self.receiver.arrivals();
        let before = arrivals.received();
        // Late arrivals of what went before belong to nothing.
        arrivals.take_latency();
        let load = OpenLoad::start(OpenPlan {
            templates: self.templates.iter().map(|template| vec![template.clone()]).collect(),
            per_s: self.per_s,
            requests: OpenPlan::requests_in(self.per_s, duration),
            connections: CONNECTIONS,
            clock: bench.clock,
        })?;
        bench.progress.wait(what, duration).await;
        let totals = load.finish().await?;
        let first = totals.first_failure.as_deref().unwrap_or("refused for overload");
        ensure!(totals.failed + totals.refused == 0, "at {} events/s some were not accepted: {first}", self.per_s);
        let expected = before + totals.accepted;
        while arrivals.received() < expected {
            let seen = arrivals.received();
            if !arrivals.wait(QUIET, |arrivals| arrivals.received() > seen).await {
                break;
            }
        }
        Ok(SteadyResult { latency_us: arrivals.take_latency(), lost: expected.saturating_sub(arrivals.received()) })
    }
}
