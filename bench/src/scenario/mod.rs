//! The scenarios: each sets up a server of its own, measures, and adds its figures to the report.

mod ceiling;
mod fill;
mod idle;
mod isolation;
mod latency;
mod pending;
mod pending_postgres;
mod source;
mod stage;
mod throughput;

use std::path::PathBuf;

use anyhow::Context as _;

use crate::clock::Clock;
use crate::machine::{self, Machine};
use crate::options::{BenchOptions, Scenario};
use crate::progress::Progress;
use crate::report::Report;

/// Load or receiver threads, at most.
const THREADS_MAX: usize = 8;

/// One run.
struct Bench<'a> {
    options: &'a BenchOptions,
    progress: &'a Progress,
    clock: Clock,
    data_parent: PathBuf,
    /// Threads of the load, and as many of the receiver.
    threads: usize,
    /// Requests a second with nothing in between, once measured.
    ceiling_per_s: Option<f64>,
    report: Report,
}

/// Runs the chosen scenarios in their order.
pub(crate) async fn run_all(options: &BenchOptions, progress: &Progress) -> anyhow::Result<Report> {
    let data_parent = options.data_parent.clone().unwrap_or_else(machine::data_parent);
    let data_parent = data_parent
        .canonicalize()
        .with_context(|| format!("the directory for the server's data, {}", data_parent.display()))?;
    let mut machine = Machine::of(&data_parent);
    let is_durable = machine.is_durable();
    if options.database.is_some() {
        "Postgres' own disk".clone_into(&mut machine.filesystem);
    }
    let mut bench = Bench {
        options,
        progress,
        clock: Clock::start(),
        data_parent,
        threads: (machine::cores() / 2).clamp(1, THREADS_MAX),
        ceiling_per_s: None,
        report: Report::new(machine, options.duration.as_secs_f64(), &options.contract),
    };
    if !is_durable {
        bench
            .report
            .note("The data was in memory, where syncing costs nothing: these are no durable figures.".to_owned());
    }
    if let Some(server) = &options.database {
        let nodes = options.nodes;
        bench.report.note(format!("{}; nodes: {nodes}.", server.describe().await?));
    }
    let chosen: Vec<_> = Scenario::ALL.into_iter().filter(|scenario| needs(options, *scenario)).collect();
    progress.begin(chosen.len() as u64);
    for scenario in chosen {
        progress.scenario(scenario.name());
        bench.run(scenario).await.with_context(|| format!("scenario {scenario}"))?;
        progress.scenario_done();
    }
    progress.end();
    Ok(bench.report.finish())
}

/// Whether it was chosen, or another needs what it measures.
fn needs(options: &BenchOptions, scenario: Scenario) -> bool {
    let ceiling_is_needed = options.includes(Scenario::Single) || options.includes(Scenario::Fanout);
    options.includes(scenario) || (scenario == Scenario::Ceiling && ceiling_is_needed)
}

impl Bench<'_> {
    fn is_on_postgres(&self) -> bool {
        self.options.database.is_some()
    }

    async fn run(&mut self, scenario: Scenario) -> anyhow::Result<()> {
        match scenario {
            Scenario::Ceiling => ceiling::run(self).await,
            Scenario::Single => throughput::single(self).await,
            Scenario::Fanout => throughput::fanout(self).await,
            Scenario::Latency => latency::run(self).await,
            Scenario::Isolation => isolation::run(self).await,
            Scenario::Pending if self.is_on_postgres() => pending_postgres::run(self).await,
            Scenario::Pending => pending::run(self).await,
            Scenario::Idle => idle::run(self).await,
            Scenario::Source => source::run(self).await,
        }
    }
}

/// Bytes in megabytes of 10^6.
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Microseconds in milliseconds.
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1e3
}
