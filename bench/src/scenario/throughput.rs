//! Deliveries a second, end to end: from the first POST to the arrival of the last event that was accepted. A server that
//! accepts faster than it delivers gains nothing by it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::Bench;
use super::stage::{Cpu, Stage};
use crate::clock::span;
use crate::database::Reading;
use crate::event::RequestTemplate;
use crate::load::{Load, LoadPlan, Totals};
use crate::options::Scenario;
use crate::receiver::Receiver;
use crate::report::{Target, Unit};

pub(super) const FANOUT: usize = 10;
const WARM_UP_MAX: Duration = Duration::from_secs(2);
/// Tables with fewer rows say nothing about the size of one.
const ROWS_TO_SHOW: f64 = 1_000.0;
/// When nothing has arrived for so long, nothing more is waited for.
const QUIET: Duration = Duration::from_secs(10);
const ORGANIZATION: &str = "bench";

/// What one closed loop did; costs are those of one delivery.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Throughput {
    pub(super) deliveries_per_s: f64,
    /// Of the server process alone, or of all nodes.
    pub(super) cpu_us: f64,
    /// Of Postgres' processes, where they can be seen.
    pub(super) postgres_cpu_us: Option<f64>,
    /// What Postgres wrote, and the transactions that it took.
    pub(super) wal_bytes: f64,
    pub(super) transactions: f64,
    /// Accepted, and not arrived.
    pub(super) lost: u64,
    pub(super) duplicates: u64,
    pub(super) totals: Totals,
    /// From the last POST's answer to the last arrival.
    pub(super) drain: Duration,
}

/// What there is to measure on.
pub(super) struct Subject<'a> {
    pub(super) stage: &'a Stage,
    pub(super) receiver: &'a Receiver,
    /// One for each node.
    pub(super) templates: Vec<RequestTemplate>,
}

pub(super) async fn single(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let embedded = Targets { deliveries_per_s: 15_000.0, cpu_us: 80.0 };
    let postgres = Targets { deliveries_per_s: 6_000.0, cpu_us: 200.0 };
    let targets = if bench.is_on_postgres() { postgres } else { embedded };
    run(bench, Scenario::Single, 1, targets).await
}

pub(super) async fn fanout(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let embedded = Targets { deliveries_per_s: 25_000.0, cpu_us: 50.0 };
    let postgres = Targets { deliveries_per_s: 12_000.0, cpu_us: 110.0 };
    let targets = if bench.is_on_postgres() { postgres } else { embedded };
    run(bench, Scenario::Fanout, FANOUT, targets).await
}

struct Targets {
    deliveries_per_s: f64,
    /// Of server and Postgres together.
    cpu_us: f64,
}

async fn run(bench: &mut Bench<'_>, scenario: Scenario, endpoints: usize, targets: Targets) -> anyhow::Result<()> {
    let stage = Stage::start(bench).await?;
    let receiver = stage.healthy(bench, ORGANIZATION, endpoints).await?;
    let subject = Subject { stage: &stage, receiver: &receiver, templates: stage.templates(ORGANIZATION).await? };
    let result = subject.warm_and_measure(bench).await?;
    let peak = stage.resident()?.peak;
    let report = &mut bench.report;
    if let Some(ceiling) = bench.ceiling_per_s {
        report.add(scenario, "share of the ceiling", result.deliveries_per_s / ceiling, Unit::Share);
    }
    let least = Target::AtLeast(targets.deliveries_per_s);
    report.judge(scenario, "deliveries", result.deliveries_per_s, Unit::PerSecond, least);
    let most = Target::AtMost(targets.cpu_us);
    match (&stage.database, result.postgres_cpu_us) {
        (None, _) => report.judge(scenario, "server CPU a delivery", result.cpu_us, Unit::Microseconds, most),
        (Some(_), None) => report.add(scenario, "nodes' CPU a delivery", result.cpu_us, Unit::Microseconds),
        (Some(_), Some(postgres)) => {
            let both = result.cpu_us + postgres;
            report.judge(scenario, "CPU a delivery, nodes and Postgres", both, Unit::Microseconds, most);
            report.add(scenario, "nodes' CPU a delivery", result.cpu_us, Unit::Microseconds);
            report.add(scenario, "Postgres' CPU a delivery", postgres, Unit::Microseconds);
        }
    }
    report.judge(scenario, "lost deliveries", result.lost as f64, Unit::Count, Target::AtMost(0.0));
    report.judge(scenario, "duplicates", result.duplicates as f64, Unit::Count, Target::AtMost(0.0));
    report.add(scenario, "last answer to last arrival", result.drain.as_secs_f64(), Unit::Seconds);
    report.add(scenario, "peak resident memory", super::megabytes(peak), Unit::Megabytes);
    note_trouble(bench, scenario, &result.totals);
    report_postgres(bench, scenario, &stage, &result).await
}

/// What a delivery costs Postgres beside CPU.
async fn report_postgres(
    bench: &mut Bench<'_>,
    scenario: Scenario,
    stage: &Stage,
    result: &Throughput,
) -> anyhow::Result<()> {
    let Some(database) = &stage.database else { return Ok(()) };
    if result.postgres_cpu_us.is_none() {
        bench.report.note("Postgres' CPU was not measured: its processes are not on this machine.".to_owned());
    }
    let report = &mut bench.report;
    report.add(scenario, "write-ahead log a delivery", result.wal_bytes, Unit::Bytes);
    report.add(scenario, "transactions for 1,000 deliveries", result.transactions * 1_000.0, Unit::Count);
    report.add(scenario, "connections to Postgres", database.connections().await?, Unit::Count);
    for table in database.tables().await?.into_iter().filter(|table| table.rows >= ROWS_TO_SHOW) {
        let name = format!("a row of {}, with indexes", table.name);
        report.add(scenario, &name, table.bytes / table.rows, Unit::Bytes);
    }
    Ok(())
}

fn note_trouble(bench: &mut Bench<'_>, scenario: Scenario, totals: &Totals) {
    let Totals { refused, failed, first_failure, .. } = totals;
    if *refused > 0 {
        bench.report.note(format!("{scenario}: {refused} requests were refused for overload."));
    }
    if *failed > 0 {
        let first = first_failure.as_deref().unwrap_or("unknown");
        bench.report.note(format!("{scenario}: {failed} requests failed; the first: {first}"));
    }
}

impl Subject<'_> {
    pub(super) async fn warm_and_measure(&self, bench: &Bench<'_>) -> anyhow::Result<Throughput> {
        self.measure(bench, "warming up", (bench.options.duration / 4).min(WARM_UP_MAX)).await?;
        self.measure(bench, "posting", bench.options.duration).await
    }

    async fn measure(&self, bench: &Bench<'_>, what: &str, duration: Duration) -> anyhow::Result<Throughput> {
        let (arrivals, stage) = (self.receiver.arrivals(), self.stage);
        let fanout = self.receiver.addresses().len() as u64;
        let (unique, duplicates) = (arrivals.unique(), arrivals.duplicates());
        let reading = stage.reading().await?;
        let (cpu, began_ns) = (stage.cpu()?, bench.clock.now_ns());
        let load = self.load(bench)?;
        bench.progress.wait(what, duration).await;
        let totals = load.stop().await?;
        let first = totals.first_failure.as_deref().unwrap_or("all were refused");
        ensure!(totals.accepted > 0, "no event was accepted: {first}");
        let answered_ns = bench.clock.now_ns();
        bench.progress.step("waiting for the last arrival");
        let expected = totals.accepted * fanout;
        arrivals.wait_unique(unique + expected, QUIET).await;
        let arrived = arrivals.unique() - unique;
        ensure!(arrived > 0, "{} events were accepted and nothing arrived", totals.accepted);
        let elapsed = span(began_ns, arrivals.last_ns()).as_secs_f64();
        let Cpu { nodes, postgres } = stage.cpu()?.since(cpu);
        let Reading { wal_bytes, transactions } = stage.reading().await?.since(reading);
        let one = 1.0 / arrived as f64;
        Ok(Throughput {
            deliveries_per_s: arrived as f64 / elapsed,
            cpu_us: nodes.as_secs_f64() * 1e6 * one,
            postgres_cpu_us: postgres.map(|postgres| postgres.as_secs_f64() * 1e6 * one),
            wal_bytes: wal_bytes * one,
            transactions: transactions * one,
            lost: expected.saturating_sub(arrived),
            duplicates: arrivals.duplicates() - duplicates,
            totals,
            drain: span(answered_ns, arrivals.last_ns()),
        })
    }

    fn load(&self, bench: &Bench<'_>) -> anyhow::Result<Load> {
        Load::start(LoadPlan {
            templates: self.templates.clone(),
            connections: bench.options.connections,
            threads: bench.threads,
            clock: bench.clock,
            sequence: Arc::clone(&self.stage.sequence),
        })
        .context("could not start the load")
    }
}
