//! A CRM's database as the source: how fast what waits there is handed over, and how soon a change arrives, beside the same events by API.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::latency::Steady;
use super::stage::Stage;
use super::{Bench, milliseconds};
use crate::clock::{Clock, span};
use crate::crm::Crm;
use crate::event::stamped_number;
use crate::options::Scenario::Source;
use crate::receiver::Receiver;
use crate::report::{Target, Unit};

/// Whose changes arrive somewhere, and whose are stored alone.
const ORGANIZATION: &str = "bench";
const QUIET_ORGANIZATION: &str = "quiet";
/// Deals that are changed at a fixed rate.
const DEALS: u32 = 1_000;
/// Changes a second, by so many sessions.
const PER_S: u32 = 500;
const SESSIONS: u32 = 32;
/// How often it is looked whether something is left.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the last of it may take.
const DRAINED_WITHIN: Duration = Duration::from_secs(600);
const QUIET: Duration = Duration::from_secs(5);
const WARM_UP: Duration = Duration::from_secs(1);

pub(super) async fn run(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let Some(server) = &bench.options.source_database else {
        bench.report.note("source: not measured; it needs --source-database-url.".to_owned());
        return Ok(());
    };
    bench.progress.step("making a CRM");
    let crm = Crm::create(server, &bench.options.executable, bench.options.source_capture, ORGANIZATION, DEALS).await?;
    let stage = Stage::start_with(bench, crm.variables()).await?;
    let receiver = stage.healthy(bench, ORGANIZATION, 1).await?;
    stage.organization(bench, QUIET_ORGANIZATION).await?;
    drain(bench, &crm, &stage).await?;
    let changes = Changes { crm: &crm, receiver: &receiver };
    changes.measure(bench, WARM_UP.min(bench.options.duration)).await?;
    let Measured { source, updates, lost } = changes.measure(bench, bench.options.duration).await?;
    let templates = stage.templates(ORGANIZATION).await?;
    let by_api = Steady { receiver: &receiver, templates, per_s: PER_S };
    by_api.measure(bench, "warming up", WARM_UP.min(bench.options.duration)).await?;
    let api = by_api.measure(bench, "posting the same by API", bench.options.duration).await?;
    let at = |latency: &Histogram<u64>, quantile| milliseconds(latency.value_at_quantile(quantile));
    let report = &mut bench.report;
    let name = |what: &str| format!("a change's UPDATE to arrival at {PER_S}/s, {what}");
    report.add(Source, &name("p50"), at(&source, 0.50), Unit::Milliseconds);
    report.judge(Source, &name("p99"), at(&source, 0.99), Unit::Milliseconds, Target::AtMost(50.0));
    report.add(Source, &name("longest"), at(&source, 1.0), Unit::Milliseconds);
    report.add(Source, "of it the CRM's own UPDATE and commit, p50", at(&updates, 0.50), Unit::Milliseconds);
    report.add(Source, "of it the CRM's own UPDATE and commit, p99", at(&updates, 0.99), Unit::Milliseconds);
    report.judge(Source, "lost changes", lost as f64, Unit::Count, Target::AtMost(0.0));
    let name = |what: &str| format!("the same by API, post to arrival, {what}");
    report.add(Source, &name("p50"), at(&api.latency_us, 0.50), Unit::Milliseconds);
    report.add(Source, &name("p99"), at(&api.latency_us, 0.99), Unit::Milliseconds);
    Ok(())
}

/// One transaction's changes, from its commit until all are in the store and gone from where they wait.
async fn drain(bench: &mut Bench<'_>, crm: &Crm, stage: &Stage) -> anyhow::Result<()> {
    let count = bench.options.source_changes;
    let client = crm.database.connect().await?;
    bench.progress.step("changing deals");
    crm.insert(&client, QUIET_ORGANIZATION, DEALS + 1, count).await?;
    let (began_ns, cpu, postgres) = (bench.clock.now_ns(), stage.cpu()?, crm.database.cpu()?);
    let position = crm.position(&client).await?;
    bench.progress.step("waiting for all of it to be handed over");
    let give_up_at = Instant::now() + DRAINED_WITHIN;
    while !crm.is_handed_over(&client, &position).await? {
        ensure!(Instant::now() < give_up_at, "not everything was handed over within {DRAINED_WITHIN:?}");
        sleep(LOOK_EVERY).await;
    }
    let elapsed = span(began_ns, bench.clock.now_ns()).as_secs_f64();
    let texts = stage.api.metrics().await?;
    let accepted =
        |line: &str| line.strip_prefix("postrider_source_events_total{result=\"accepted\"} ")?.parse::<f64>().ok();
    let accepted: f64 = texts.iter().flat_map(|text| text.lines().filter_map(accepted)).sum();
    let each = |used: Duration| used.as_secs_f64() * 1e6 / f64::from(count);
    let nodes = stage.cpu()?.since(cpu).nodes;
    let postgres = crm.database.cpu()?.zip(postgres).map(|(now, then)| now.saturating_sub(then));
    let report = &mut bench.report;
    let per_s = f64::from(count) / elapsed;
    report.judge(Source, "changes handed over", per_s, Unit::PerSecond, Target::AtLeast(10_000.0));
    report.judge(Source, "changes not in the store", f64::from(count) - accepted, Unit::Count, Target::AtMost(0.0));
    report.add(Source, "server CPU a change", each(nodes), Unit::Microseconds);
    if let Some(postgres) = postgres {
        report.add(Source, "CPU of the CRM's Postgres a change", each(postgres), Unit::Microseconds);
    }
    Ok(())
}

/// What a fixed rate led to.
struct Measured {
    /// From when a change was due to its arrival.
    source: Histogram<u64>,
    /// From when it was due until it was committed.
    updates: Histogram<u64>,
    /// Committed, and not arrived.
    lost: u64,
}

/// Changes of deals at a fixed rate.
struct Changes<'a> {
    crm: &'a Crm,
    receiver: &'a Receiver,
}

impl Changes<'_> {
    async fn measure(&self, bench: &Bench<'_>, duration: Duration) -> anyhow::Result<Measured> {
        let arrivals = self.receiver.arrivals();
        let before = arrivals.received();
        // Late arrivals of what went before belong to nothing.
        arrivals.take_latency();
        let plan = Plan { from: Instant::now(), until: Instant::now() + duration, clock: bench.clock };
        let mut updates = Histogram::new(3)?;
        let mut writers = JoinSet::new();
        for session in 0..SESSIONS {
            let client = self.crm.database.connect().await?;
            writers.spawn(write(client, session, plan));
        }
        bench.progress.wait("changing deals at a fixed rate", duration).await;
        while let Some(ended) = writers.join_next().await {
            updates.add(ended.context("a writer ended early")??)?;
        }
        let expected = before + updates.len();
        while arrivals.received() < expected {
            let seen = arrivals.received();
            if !arrivals.wait(QUIET, |arrivals| arrivals.received() > seen).await {
                break;
            }
        }
        let lost = expected.saturating_sub(arrivals.received());
        Ok(Measured { source: arrivals.take_latency(), updates, lost })
    }
}

/// When changes are due.
#[derive(Clone, Copy)]
struct Plan {
    from: Instant,
    until: Instant,
    clock: Clock,
}

/// Makes every change of one session at its time, or as soon as the ones before it are committed.
async fn write(client: tokio_postgres::Client, session: u32, plan: Plan) -> anyhow::Result<Histogram<u64>> {
    let mut took = Histogram::new(3)?;
    let update = client.prepare("UPDATE deals SET sent_ns = $1, sequence = $2 WHERE id = $3").await?;
    for number in (session..).step_by(SESSIONS as usize) {
        let due = plan.from + Duration::from_secs(1) / PER_S * number;
        if due >= plan.until {
            break;
        }
        sleep_until(due).await;
        let sent_ns = stamped_number(plan.clock.ns(due.into_std()))?;
        let (sequence, id) = (stamped_number(u64::from(number))?, i64::from(number % DEALS + 1));
        client.execute(&update, &[&sent_ns, &sequence, &id]).await?;
        took.record(u64::try_from(due.elapsed().as_micros())?)?;
    }
    Ok(took)
}
